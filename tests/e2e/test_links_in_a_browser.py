"""Links in a real browser: set by a page's own controls, opened in a fresh browser on a fresh server, same numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import server

from .conftest import WIDE, numbers, settled
from .ways import MINUTES, press

SKIP = "^Show it without a guess"
# All that can be read, and all that is drawn, also within instruments; not which of the visitors opened or pointed at.
SEEN = """() => {
  const words = [], drawn = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) words.push(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    if (["STYLE", "SCRIPT"].includes(node.tagName)) return;
    if (node instanceof Element && getComputedStyle(node).display === "none") return;
    if (node instanceof HTMLInputElement) words.push(node.value);
    if (node instanceof HTMLCanvasElement) drawn.push(node.toDataURL());
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(document.querySelector('[data-testid="stMain"]'));
  return [words.join(" "), drawn];
}"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    logs = tmp_path_factory.mktemp("links")
    with server.running(logs / "teacher.log") as teacher, server.running(logs / "learner.log") as learner:
        yield teacher, learner


def koala(page: Page) -> None:
    page.get_by_role("radio", name=re.compile("^koala$", re.I)).click()
    page.wait_for_url("**picture=koala**")
    settled(page)


def choose(page: Page, label: str, option: str) -> None:
    """From a list that can be searched."""
    box = page.get_by_role("combobox", name=re.compile(label))
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def segment(page: Page, name: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first.click()
    settled(page)


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(value)
    field.press("Enter")
    settled(page)


def gradcam(page: Page) -> None:
    koala(page)
    press(page, SKIP)
    page.get_by_role("button", name="Previous").first.click()
    page.wait_for_url("**layer=**")
    settled(page)
    press(page, "^indri")
    choose(page, "Rather than", "guenon")
    press(page, "^Grad-CAM · logit")
    segment(page, "Probability")
    page.keyboard.press("Escape")
    slider = page.get_by_role("slider", name="Area to remove")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    page.wait_for_url("**area=13**")
    segment(page, "blur")
    page.wait_for_url("**fill=blur**")


def on_trial(page: Page) -> None:
    press(page, "^Run the trial")
    expect(page.locator(".trial-card").first).to_be_visible(timeout=MINUTES)


def interventions(page: Page) -> None:
    koala(page)
    press(page, "^indri")
    page.get_by_role("button", name="Previous").first.click()
    page.wait_for_url("**layer=**")
    settled(page)
    wall = page.locator('.iv[data-face="channels"]')
    wall.locator(".iv-wall").click(position={"x": 30, "y": 30})
    press(page, "^Switch off channel")
    page.wait_for_url("**changes=**")
    segment(page, "Sabotage the preprocessing")
    page.wait_for_url("**tool=preprocessing**")
    press(page, SKIP)


def outcome(page: Page) -> None:
    expect(page.locator('.iv[data-face="outcome"]')).to_be_visible(timeout=MINUTES)


def insights(page: Page) -> None:
    segment(page, "Why batch norm")
    press(page, SKIP)
    fill(page, "Seed", "7")
    segment(page, "3")
    page.get_by_test_id("stButtonGroup").get_by_text("Without", exact=True).first.click()
    settled(page)
    page.get_by_text("Settings of the recipe").click()
    fill(page, "Steps", "6")
    fill(page, "Training pictures", "60")


def trained(page: Page) -> None:
    press(page, "^Run these")
    expect(page.get_by_role("cell", name="yours, seeds").first).to_be_visible(timeout=MINUTES)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=MINUTES)


Act = Callable[[Page], None]
# By page: the settings, by its own controls; what is then asked for on both servers; what the link holds.
LINKS: dict[str, tuple[Act, Act, set[str]]] = {
    "gradcam": (gradcam, on_trial, {"picture", "layer", "target", "rival", "score", "area", "fill"}),
    "interventions": (interventions, outcome, {"picture", "target", "layer", "changes", "tool"}),
    "insights": (insights, trained, {"section", "seed", "seeds", "arms", "recipe"}),
}


def seen(page: Page) -> tuple[list[float], list[str]]:
    """The numbers that the page shows, and its pictures of numbers, once they are at rest."""
    page.mouse.move(0, 0)
    settled(page)
    page.wait_for_timeout(500)
    words, drawn = page.evaluate(SEEN)
    return numbers(words), drawn


@pytest.mark.long
@pytest.mark.parametrize("key", LINKS)
def test_a_link_shows_the_same_numbers_in_another_browser(chrome: Browser, servers: tuple[str, str], key: str) -> None:
    settings, ask, names = LINKS[key]
    teacher, learner = (chrome.new_context(viewport=WIDE, reduced_motion="reduce").new_page() for _ in servers)
    teacher.goto(f"{servers[0]}/{key}")
    settled(teacher)
    settings(teacher)
    ask(teacher)
    link = urlsplit(teacher.url)
    assert set(parse_qs(link.query)) == names
    learner.goto(f"{servers[1]}{link.path}?{link.query}")
    settled(learner)
    press(learner, SKIP)  # a guess, and that there was none, is in no link
    ask(learner)
    given, wanted = seen(learner), seen(teacher)
    assert len(wanted[0]) > 40
    assert given[0] == wanted[0]
    assert given[1] == wanted[1]
    assert urlsplit(learner.url).query == link.query
    for page in (teacher, learner):
        page.context.close()
