"""Worksheets on paper with a network's own numbers: tasks, their answers, and one printable HTML file for a class."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Final, Literal

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from . import palette
from .assets import ASSETS
from .errors import InvalidOption, suggest

Role = Literal["input", "kernel", "output", "plain"]
MOST_COPIES: Final = 60
MOST_SEED: Final = 999_999
_HOMES: Final = (".worksheet_arithmetic", ".worksheet_layers", ".worksheet_decision")


@dataclass(frozen=True)
class Grid:
    """Cells with words or numbers; "" is one to be filled in. marked: (row, column) of cells with a frame.

    header: a word over each column, where it is a table.
    """

    caption: str
    cells: tuple[tuple[str, ...], ...]
    role: Role = "plain"
    marked: frozenset[tuple[int, int]] = frozenset()
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is to be done, with what is given; `blanks` lines to write on; and its answer."""

    text: str
    answer: str
    grids: tuple[Grid, ...] = ()
    blanks: int = 0
    answer_grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Worksheet:
    """One learner's sheet: the same kind and seed give the same sheet.

    picture: a PNG that stands beside the lead, or None.
    """

    kind: str
    title: str
    lead: str
    seed: int
    tasks: tuple[Task, ...]
    picture: bytes | None = field(default=None, repr=False)
    caption: str = ""

    @property
    def picture_address(self) -> str:
        """The picture inside the file itself."""
        return "data:image/png;base64," + base64.b64encode(self.picture or b"").decode()


@dataclass(frozen=True)
class WorksheetKind:
    """One kind of sheet: how it is listed, the lesson that it goes with, how long a learner needs."""

    key: str
    title: str
    sentence: str
    lesson: str
    minutes: int
    make: Callable[[int], Worksheet] = field(repr=False)


_KINDS: Final[dict[str, WorksheetKind]] = {}


def register(kind: WorksheetKind) -> None:
    """Add a kind; a second one of the same key is refused."""
    if kind.key in _KINDS:
        raise ValueError(f"the worksheet {kind.key!r} is registered twice")
    _KINDS[kind.key] = kind


def list_worksheets() -> tuple[WorksheetKind, ...]:
    """Every kind of worksheet, in the order of the course."""
    for home in _HOMES:
        import_module(home, __package__)
    return tuple(_KINDS.values())


def make_worksheet(kind: str, *, seed: int = 0) -> Worksheet:
    """The sheet of a kind for one learner. Raises InvalidOption for a kind that there is not, or a seed below 0."""
    kinds = {each.key: each for each in list_worksheets()}
    if kind not in kinds:
        raise InvalidOption(f"There is no worksheet {kind!r}. {suggest(kind, kinds)}")
    if not 0 <= seed <= MOST_SEED:
        raise InvalidOption(f"A sheet's number must lie between 0 and {MOST_SEED:,}, and is {seed}.")
    return kinds[kind].make(seed)


def worksheets_html(sheets: Sequence[Worksheet], *, answers: bool = True) -> str:
    """One HTML file that needs nothing else: a page for each sheet, then their answers; made for A4.

    Raises InvalidOption for no sheet, or more than MOST_COPIES.
    """
    if not 1 <= len(sheets) <= MOST_COPIES:
        raise InvalidOption(f"A file has 1 to {MOST_COPIES} sheets, not {len(sheets)}.")
    return _template().render(sheets=sheets, answers=answers, colours=palette.COLOURS["light"])


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((ASSETS / "worksheet" / "worksheet.html").read_text(encoding="utf-8"))


# --- what the kinds share


def number(value: float, digits: int = 0) -> str:
    """A number for paper, with a true minus sign; never "−0"."""
    text = f"{value:.{digits}f}"
    return (text[1:] if float(text) == 0 and text.startswith("-") else text).replace("-", "\N{MINUS SIGN}")


def cells_of(values: NDArray[np.generic], digits: int = 0) -> tuple[tuple[str, ...], ...]:
    """A matrix as the cells of a grid."""
    return tuple(tuple(number(float(value), digits) for value in row) for row in values.tolist())


def empty(rows: int, columns: int) -> tuple[tuple[str, ...], ...]:
    """Cells to be filled in."""
    return (("",) * columns,) * rows


def framed(rgb: NDArray[np.uint8], box: tuple[int, int, int, int] | None = None, side: int = 220) -> bytes:
    """A picture uint8 (H, W, 3) as a small PNG, with a frame round box (top, left, bottom, right), in its pixels."""
    scale = side / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    picture = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
    if box is not None:
        top, left, bottom, right = (round(edge * scale) for edge in box)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline="#FFFFFF", width=4)
        draw.rectangle((left - 1, top - 1, right, bottom), outline=palette.COLOURS["light"]["kernel"], width=2)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
