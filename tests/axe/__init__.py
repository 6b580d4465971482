"""The accessibility check: axe-core, from npm, on every page, light and dark; `python -m tests.axe` prints a table."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

HERE = Path(__file__).resolve().parent
# Outside the source folders, and ignored by git.
INSTALLED = HERE.parent.parent / "build" / "axe"
SCHEMES = ("light", "dark")
GRAVE = ("critical", "serious")
# The levels A and AA of WCAG 2.0 to 2.2, and axe's own best practices.
_RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations", "incomplete"]});
  const brief = (rule) => ({id: rule.id, impact: rule.impact, help: rule.help, tags: rule.tags, nodes: rule.nodes.map(
    (node) => ({target: node.target.flat(9).join(" "), why: node.failureSummary || ""}))});
  return {version: axe.version, passes: found.passes.length, violations: found.violations.map(brief),
          incomplete: found.incomplete.map(brief)};
}"""


@dataclass(frozen=True)
class Violation:
    """One rule that one page breaks: how gravely, where, and what axe says of it."""

    rule: str
    impact: str
    help: str
    places: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Checked:
    """One page in one scheme: the rules that hold, those that do not, and those that axe cannot decide."""

    page: str
    scheme: str
    passes: int
    violations: tuple[Violation, ...]
    undecided: int

    def count(self, impact: str) -> int:
        return sum(len(found.places) for found in self.violations if found.impact == impact)

    @property
    def grave(self) -> tuple[Violation, ...]:
        return tuple(found for found in self.violations if found.impact in GRAVE)


@cache
def rules() -> str:
    """axe-core's code: the version that package-lock.json names, fetched by npm where it is not there yet."""
    code = INSTALLED / "node_modules" / "axe-core" / "axe.min.js"
    lock = HERE / "package-lock.json"
    installed = INSTALLED / "package-lock.json"
    if not code.exists() or not installed.exists() or installed.read_text() != lock.read_text():
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("The accessibility check needs npm (it comes with Node.js), to fetch axe-core once.")
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, INSTALLED / name)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run([npm, "ci", *quiet], cwd=INSTALLED, check=True, timeout=300)
    return code.read_text(encoding="utf-8")


def check_page(page: Page, code: str, name: str, scheme: str) -> Checked:
    """What axe finds on a page as it stands."""
    # Through the debugger, since the page's own policy lets no foreign script in; nothing of the app is changed.
    page.evaluate(code)
    found: dict[str, Any] = page.evaluate(_RUN)
    violations = tuple(
        Violation(
            rule["id"],
            rule["impact"],
            rule["help"],
            tuple(node["target"] for node in rule["nodes"]),
            rule["nodes"][0]["why"],
        )
        for rule in found["violations"]
    )
    return Checked(name, scheme, found["passes"], violations, sum(len(rule["nodes"]) for rule in found["incomplete"]))


def check_all(
    chrome: Browser, url: str, pages: Sequence[str], schemes: Sequence[str] = SCHEMES, *, answered: bool = False
) -> Iterator[Checked]:
    """Each page of a running server in each scheme, one after the other; `answered`: with what comes after a guess."""
    for name in pages:
        yield from _screens(chrome, url, name, schemes) if answered else _as_it_opens(chrome, url, name, schemes)


def _as_it_opens(chrome: Browser, url: str, name: str, schemes: Sequence[str]) -> Iterator[Checked]:
    for scheme in schemes:
        with _opened(chrome, url, name, scheme) as page:
            yield check_page(page, rules(), name, scheme)


def _screens(chrome: Browser, url: str, name: str, schemes: Sequence[str]) -> Iterator[Checked]:
    """All that answers bring to a page; what was computed or trained for it is seen in each scheme."""
    from tests.e2e.screens import screens

    with _opened(chrome, url, name, schemes[0]) as page:
        for screen, come in screens(name).items():
            come(page)
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
                _rests(page)
                yield check_page(page, rules(), f"{name}: {screen}", scheme)


@contextmanager
def _opened(chrome: Browser, url: str, name: str, scheme: str) -> Iterator[Page]:
    from tests.e2e.conftest import WIDE

    # Movement is over at once, so that no half-faded word is measured.
    context = chrome.new_context(viewport=WIDE, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{url}/{'' if name == 'home' else name}")
    _rests(page)
    yield page
    context.close()


def _rests(page: Page) -> None:
    from tests.e2e.conftest import settled

    settled(page)
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_timeout(700)
    settled(page)


HEAD = (
    f"{'page':<30}{'scheme':<8}{'critical':>9}{'serious':>9}{'moderate':>9}{'minor':>7}{'passes':>8}{'undecided':>11}"
)


def row(checked: Checked) -> str:
    """A line of the table."""
    counts = "".join(
        f"{checked.count(impact):>{width}}"
        for impact, width in (("critical", 9), ("serious", 9), ("moderate", 9), ("minor", 7))
    )
    return f"{checked.page:<30}{checked.scheme:<8}{counts}{checked.passes:>8}{checked.undecided:>11}"


def details(checked: Checked, *, places: int = 3) -> str:
    """What is wrong, for whoever mends it."""
    return "\n".join(
        f"  {found.impact} {found.rule}: {found.help}\n"
        + "\n".join(f"      {place}" for place in found.places[:places])
        + (f"\n      and {len(found.places) - places} more" if len(found.places) > places else "")
        + "\n      "
        + found.why.replace("\n", "\n      ")
        for found in checked.violations
    )
