"""What screen readers need of the pages' own code: words for each picture, and headings that go down step by step."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCREENS = sorted([*(ROOT / "pages").glob("*.py"), *(ROOT / "ui").glob("*.py")])
COMPONENTS = sorted(path for path in (ROOT / "assets" / "components").iterdir() if not path.name.startswith("_"))


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.name)
def test_every_picture_has_words(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("st.image", "pictures.image"):
            assert "alt" in {word.arg for word in node.keywords}, f"{path.name}, line {node.lineno}: alt=..."


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.name)
def test_headings_leave_out_no_level(path: Path) -> None:
    """A page's title is a heading of level 1, its parts st.header (2), and what is in a part "### " (3)."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\.subheader\(|[\"']#{4,} ", text)


@pytest.mark.parametrize("folder", COMPONENTS, ids=lambda path: path.name)
def test_components_stand_in_a_part_of_the_page(folder: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in [*folder.glob("*.js"), *folder.glob("*.html")])
    assert not re.search(r"make\(\"h[124-6]\"|<h[124-6]", text)
    # A canvas that can be reached by Tab says what it is and what it is called.
    for tag in re.findall(r"<canvas[^>]*tabindex[^>]*>", text):
        assert "role=" in tag
