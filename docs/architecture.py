"""Draw the picture of the architecture from the imports as they are: `python -m docs.architecture [--check]`."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs" / "architecture.svg"

WIDE, HIGH = 200, 56
# Each box: its name, the left and upper edge of it, its width, what it is for. Where it stands is drawn by hand; which
# arrows there are is read from the code.
BOXES: Final = (
    ("app.py", 40, 16, WIDE, "the application"),
    ("pages", 350, 16, WIDE, "lessons: story and widgets"),
    ("ui", 350, 116, WIDE, "all that knows Streamlit"),
    ("ui/instruments", 646, 116, WIDE, "wrappers of components"),
    ("lessons", 40, 266, 820, "what pages ask for: trail, interventions, kernels, figures, ..."),
    ("cnn_core/bias", 350, 366, WIDE, "audits, swaps, verdicts"),
    ("cnn_core/training", 180, 466, WIDE, "data, experiments, runs"),
    ("cnn_core/saliency", 520, 466, WIDE, "maps and their trials"),
    ("cnn_core/models", 40, 566, WIDE, "catalogue, weights, files"),
    ("cnn_core/operations", 660, 566, WIDE, "arithmetic, term by term"),
    ("base", 40, 666, 820, "what all of these stand on: errors, images, network, tracing, decision"),
)
LIBRARY: Final = (16, 216, 868, 530)
"""The frame round what is cnn_core/."""
TITLES: Final = {"lessons": "cnn_core/*.py, upper half", "base": "cnn_core/*.py, lower half"}
SIZE: Final = (900, 762)


def modules() -> dict[str, Path]:
    """Dotted name -> file, for every module of the application."""
    files = [ROOT / "app.py", *(p for room in ("pages", "ui", "cnn_core") for p in (ROOT / room).rglob("*.py"))]
    return {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in sorted(files)}


def imports(name: str, file: Path, known: set[str]) -> Iterator[str]:
    """The application's own modules that a file imports, anywhere in it; for types alone does not count."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    unrun = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in unrun:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                longer = f"{base}.{alias.name}"
                if longer in known or base in known:
                    yield longer if longer in known else base


def graph() -> dict[str, set[str]]:
    """Each module of the application, and those of it that it imports."""
    known = modules()
    return {name: set(imports(name, file, set(known))) for name, file in known.items()}


def _is_single(name: str) -> bool:
    """A module that stands in cnn_core/ itself; its __init__ and __main__ only hand on."""
    return name.startswith("cnn_core.") and name.count(".") == 1 and (ROOT / f"{name.replace('.', '/')}.py").exists()


def lower_half(found: dict[str, set[str]]) -> set[str]:
    """The single modules of cnn_core that its packages need, and whatever those need."""
    packages = [name for name in found if name.startswith("cnn_core.") and not _is_single(name)]
    waiting = {target for name in packages for target in found[name] if _is_single(target)}
    lower: set[str] = set()
    while waiting:
        name = waiting.pop()
        lower.add(name)
        waiting |= {target for target in found[name] if _is_single(target)} - lower
    return lower


def box_of(name: str, lower: set[str]) -> str | None:
    """The box of a module; None for what only hands on (cnn_core/__init__.py and __main__.py)."""
    if _is_single(name):
        return None if name == "cnn_core.__main__" else "base" if name in lower else "lessons"
    if name == "app":
        return "app.py"
    path = name.replace(".", "/")
    boxes = [box for box, *_ in BOXES if path == box or path.startswith(f"{box}/")]
    return max(boxes, key=len) if boxes else None


def arrows() -> set[tuple[str, str]]:
    """(who imports, what is imported), box by box. Into cnn_core from outside it is one arrow for all."""
    found = graph()
    lower = lower_half(found)
    told = set()
    for name, targets in found.items():
        start = box_of(name, lower)
        for target in targets:
            inside = target.partition(".")[0] == "cnn_core"
            end = "cnn_core" if inside and name.partition(".")[0] != "cnn_core" else box_of(target, lower)
            if start and end and start != end:
                told.add((start, end))
    return told


def draw() -> str:
    """The picture as SVG: the same text for the same imports."""
    place = {box: (left, top, wide) for box, left, top, wide, _ in BOXES}
    left, top, wide, tall = LIBRARY
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" '
        'aria-label="Boxes for the parts of ConvLens, and an arrow from each part to those that it imports.">',
        "<style>",
        ".box{fill:#f4f6f8;stroke:#576070}.frame{fill:none;stroke:#576070;stroke-dasharray:2 4}",
        ".name{font:600 15px monospace;fill:#1a1f29}.what{font:13px sans-serif;fill:#576070}",
        ".down,.up{fill:none;stroke-width:1.6;stroke:#005a9c}.up{stroke:#a84300;stroke-dasharray:5 4}",
        "@media(prefers-color-scheme:dark){.box{fill:#171c26;stroke:#a4aebd}.frame{stroke:#a4aebd}.name{fill:#e9ecf1}",
        ".what{fill:#a4aebd}.down{stroke:#74b4f0}.up{stroke:#ff9e5e}}",
        "</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>',
        f'<rect class="frame" x="{left}" y="{top}" width="{wide}" height="{tall}" rx="14"/>',
        f'<text class="name" x="{left + 16}" y="{top + 26}">cnn_core, which knows no screen</text>',
    ]
    shown = sorted(arrows())
    # All that stands on the lower half is one sentence in its box, and no bundle of lines.
    lines += [_arrow(place, start, end) for start, end in shown if end != "base"]
    for box, left, top, wide, what in BOXES:
        middle = left + wide / 2
        lines += [
            f'<rect class="box" x="{left}" y="{top}" width="{wide}" height="{HIGH}" rx="8"/>',
            f'<text class="name" x="{middle:g}" y="{top + 24}" text-anchor="middle">{TITLES.get(box, box)}</text>',
            f'<text class="what" x="{middle:g}" y="{top + 43}" text-anchor="middle">{escape(what)}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def _arrow(place: dict[str, tuple[int, int, int]], start: str, end: str) -> str:
    """One import: downwards in blue, upwards in orange and dashed."""
    x1, y1, wide1 = place[start]
    x2, y2, wide2 = place.get(end, (LIBRARY[0], LIBRARY[1], LIBRARY[2]))
    if y1 == y2:  # beside each other; two arrows where each imports the other
        right = x2 > x1
        y = y1 + (HIGH / 3 if right else 2 * HIGH / 3)
        path = f"M{x1 + wide1 if right else x1:g} {y:g}H{x2 - 1 if right else x2 + wide2 + 1:g}"
        return f'<path class="down" marker-end="url(#tip)" d="{path}"/>'
    down = y2 > y1
    shift = 12 if down else -12
    # A broad box is left or reached right above or below the narrow one.
    from_x, to_x = x1 + wide1 / 2, x2 + wide2 / 2
    if wide1 > WIDE:
        from_x = to_x
    if wide2 > WIDE:
        to_x = from_x
    if end == "cnn_core" and start == "pages":  # beside ui, which stands between
        x, y = x1 - 60, y1 + HIGH / 2
        path = f"M{x1} {y:g}H{x + 20}Q{x} {y:g} {x} {y + 20:g}V{y2 - 1}"
        return f'<path class="down" marker-end="url(#tip)" d="{path}"/>'
    from_y, to_y = (y1 + HIGH, y2 - 1) if down else (y1, y2 + HIGH + 1)
    from_x, to_x, bend = from_x + shift, to_x + shift, (from_y + to_y) / 2
    path = f"M{from_x:g} {from_y:g}C{from_x:g} {bend:g} {to_x:g} {bend:g} {to_x:g} {to_y:g}"
    return f'<path class="{"down" if down else "up"}" marker-end="url(#tip)" d="{path}"/>'


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.architecture", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the picture is out of date")
    options = parser.parse_args()
    drawn = draw()
    if options.check:
        return 0 if PICTURE.exists() and PICTURE.read_text(encoding="utf-8") == drawn else 1
    PICTURE.write_text(drawn, encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {len(BOXES)} boxes, {len(arrows())} arrows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
