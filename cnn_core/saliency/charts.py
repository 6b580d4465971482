"""Small PNG charts of results: lines with a band, and a matrix, in the palette's colours, drawn with Pillow alone.

Pillow's own font has neither a minus sign nor dashes, so that negative numbers keep the hyphen here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..palette import COLOURS, DIVERGING_LIGHT, colourise

_WIDTH, _HEIGHT, _MARGIN = 720, 400, (56, 76, 20, 52)  # margins: top, left, right, bottom
_SCALE: Final = 2  # drawn twice as large, so that thin lines and small type stay sharp
_CELL: Final = 64


@dataclass(frozen=True, eq=False)
class Line:
    """One curve; colour: a role of the palette. low, high: the band round it, or None."""

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    colour: str
    low: NDArray[np.floating] | None = None
    high: NDArray[np.floating] | None = None


def line_chart(title: str, x_title: str, y_title: str, lines: Sequence[Line]) -> bytes:
    """Curves on shared axes, with a legend; x and y cover all of them."""
    colours = COLOURS["light"]
    image = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), colours["page"])
    draw = ImageDraw.Draw(image)
    top, left, right, bottom = (m * _SCALE for m in _MARGIN)
    box = (left, top, _WIDTH * _SCALE - right, _HEIGHT * _SCALE - bottom)
    values = [v for line in lines for v in (line.y, line.low, line.high) if v is not None]
    finite = np.concatenate([np.asarray(v)[np.isfinite(v)] for v in values] or [np.zeros(1)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    first, last = min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines)
    last = last if last > first else first + 1

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first)
        return box[0] + across * (box[2] - box[0]), box[3] - (y - low) / (high - low) * (box[3] - box[1])

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y_value, x_value = low + share * (high - low), first + share * (last - first)
        (_, y), (x, _) = at(first, y_value), at(x_value, low)
        draw.line([(box[0], y), (box[2], y)], fill=colours["line"], width=_SCALE)
        _text(draw, (box[0] - 6 * _SCALE, y), _number(y_value), colours["quiet"], "rm")
        _text(draw, (x, box[3] + 6 * _SCALE), _number(x_value), colours["quiet"], "ma")
    for line in lines:
        if line.low is not None and line.high is not None:
            edge = [at(x, y) for x, y in zip(line.x, line.low, strict=True)]
            edge += [at(x, y) for x, y in zip(line.x[::-1], line.high[::-1], strict=True)]
            veil = Image.new("L", image.size, 0)
            ImageDraw.Draw(veil).polygon(edge, fill=60)
            image.paste(Image.new("RGB", image.size, colours[line.colour]), mask=veil)
    for place, line in enumerate(lines):
        points = [at(x, y) for x, y in zip(line.x, line.y, strict=True) if np.isfinite(y)]
        draw.line(points, fill=colours[line.colour], width=2 * _SCALE, joint="curve")
        for x, y in points:
            draw.ellipse([x - 3 * _SCALE, y - 3 * _SCALE, x + 3 * _SCALE, y + 3 * _SCALE], fill=colours[line.colour])
        start = box[0] + place * (box[2] - box[0]) / len(lines)
        draw.line(
            [(start, 40 * _SCALE), (start + 18 * _SCALE, 40 * _SCALE)], fill=colours[line.colour], width=3 * _SCALE
        )
        _text(draw, (start + 24 * _SCALE, 40 * _SCALE), line.name, colours["text"], "lm")
    _text(draw, (box[0], 16 * _SCALE), title, colours["text"], "lm", size=16)
    _text(draw, ((box[0] + box[2]) / 2, _HEIGHT * _SCALE - 6 * _SCALE), x_title, colours["text"], "md")
    _text(draw, (8 * _SCALE, box[1] - 8 * _SCALE), y_title, colours["text"], "ld")
    return _png(image)


def matrix_chart(title: str, names: Sequence[str], matrix: NDArray[np.floating]) -> bytes:
    """A square of numbers from -1 to 1 on the diverging scale, each written into its cell; NaN is left blank."""
    colours, n = COLOURS["light"], len(names)
    font = _font(13)
    room = int(max(font.getlength(name) for name in names)) + 16 * _SCALE
    cell = _CELL * _SCALE
    image = Image.new("RGB", (room + n * cell + 8 * _SCALE, 44 * _SCALE + n * cell + room), colours["page"])
    draw = ImageDraw.Draw(image)
    _text(draw, (8 * _SCALE, 16 * _SCALE), title, colours["text"], "lm", size=16)
    painted = colourise(np.nan_to_num(np.asarray(matrix, dtype=np.float64)), DIVERGING_LIGHT, -1.0, 1.0)
    for i, j in np.ndindex(n, n):
        x, y = room + j * cell, 36 * _SCALE + i * cell
        if np.isfinite(matrix[i, j]):
            colour = tuple(int(c) for c in painted[i, j])
            draw.rectangle([x, y, x + cell - _SCALE, y + cell - _SCALE], fill=colour)
            ink = "#000000" if sum(colour) > 380 else "#ffffff"
            _text(draw, (x + cell / 2, y + cell / 2), f"{matrix[i, j]:.2f}", ink, "mm")
        else:
            draw.rectangle([x, y, x + cell - _SCALE, y + cell - _SCALE], outline=colours["line"])
    for i, name in enumerate(names):
        _text(draw, (room - 6 * _SCALE, 36 * _SCALE + (i + 0.5) * cell), name, colours["text"], "rm")
        label = Image.new("RGBA", (room, 20 * _SCALE))
        _text(ImageDraw.Draw(label), (room - 6 * _SCALE, 10 * _SCALE), name, colours["text"], "rm")
        label = label.rotate(90, expand=True)
        image.paste(label, (int(room + (i + 0.5) * cell - label.width / 2), 40 * _SCALE + n * cell), label)
    return _png(image)


def picture_row(title: str, items: Sequence[tuple[str, str, NDArray[np.uint8]]]) -> bytes:
    """Pictures (H, W, 3) side by side, each with two lines of words under it."""
    colours, side, gap = COLOURS["light"], 180 * _SCALE, 12 * _SCALE
    height = round(side * items[0][2].shape[0] / items[0][2].shape[1])
    size = (len(items) * (side + gap) + gap, 40 * _SCALE + height + 52 * _SCALE)
    image = Image.new("RGB", size, colours["page"])
    draw = ImageDraw.Draw(image)
    _text(draw, (gap, 18 * _SCALE), title, colours["text"], "lm", size=16)
    for place, (head, words, rgb) in enumerate(items):
        left, top = gap + place * (side + gap), 40 * _SCALE
        image.paste(Image.fromarray(rgb).resize((side, height), Image.Resampling.NEAREST), (left, top))
        _text(draw, (left, top + height + 8 * _SCALE), head, colours["text"], "la", size=11)
        _text(draw, (left, top + height + 26 * _SCALE), words, colours["quiet"], "la")
    return _png(image)


def _text(
    draw: ImageDraw.ImageDraw, position: tuple[float, float], words: str, colour: str, anchor: str, *, size: int = 13
) -> None:
    draw.text(position, words, fill=colour, font=_font(size), anchor=anchor)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * _SCALE)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's own font can be scaled wherever Pillow has FreeType
    return font


def _number(value: float) -> str:
    return f"{value:.3g}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
