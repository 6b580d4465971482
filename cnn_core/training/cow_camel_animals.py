"""How a cow and a camel are drawn: strokes and ovals, several times too large, made smaller, with an exact mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from .cow_camel_grounds import REFERENCE, Floats, grain

# Drawn so many times larger, so that edges are smooth and the mask is exact.
_FINE: Final = 5


class _Pen:
    """Draws one animal in its own units: the origin in the middle of the body, 1 as long as the animal, y downwards."""

    def __init__(self, rng: np.random.Generator, side: int) -> None:
        self.side, self.large = side, side * (_FINE if side <= 2 * REFERENCE else 3)
        self.unit = self.large * rng.uniform(0.46, 0.62)
        self.centre = self.large * np.array([rng.uniform(0.42, 0.58), rng.uniform(0.54, 0.66)])
        self.sign = -1 if rng.random() < 0.5 else 1
        self.body, self.marks, self.dark = (Image.new("L", (self.large, self.large)) for _ in range(3))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self.centre[0] + self.sign * x * self.unit, self.centre[1] + y * self.unit

    def oval(self, x: float, y: float, rx: float, ry: float, on: Image.Image | None = None) -> None:
        cx, cy = self._at(x, y)
        box = (cx - rx * self.unit, cy - ry * self.unit, cx + rx * self.unit, cy + ry * self.unit)
        ImageDraw.Draw(on or self.body).ellipse(box, fill=255)

    def line(self, points: Sequence[tuple[float, float]], width: float, on: Image.Image | None = None) -> None:
        """A stroke with round ends and joints."""
        draw, places = ImageDraw.Draw(on or self.body), [self._at(*point) for point in points]
        thick = max(1, round(width * self.unit))
        draw.line(places, fill=255, width=thick)
        for x, y in places:
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)

    def finished(self, rng: np.random.Generator, coat: Floats, mark: Floats, dark: Floats) -> tuple[Floats, Floats]:
        body, marks, darks = (_shrunk(part, self.side) for part in (self.body, self.marks, self.dark))
        rows = np.arange(self.side)[:, None] / self.side
        middle = self.centre[1] / self.large
        light = np.clip(1.06 - 0.9 * (rows - middle + 0.12), 0.72, 1.1)[..., None]  # lit from above
        colours = coat * (1 - marks[..., None]) + mark * marks[..., None]
        colours = colours * light + 0.018 * grain(rng, self.side)[..., None]
        return np.clip(colours * (1 - darks[..., None]) + dark * darks[..., None], 0, 1), body


def _shrunk(part: Image.Image, side: int) -> Floats:
    return np.asarray(part.resize((side, side), Image.Resampling.BOX)).astype(np.float64) / 255


_COATS: Final = (
    ((0.93, 0.91, 0.87), (0.15, 0.13, 0.12)),
    ((0.90, 0.85, 0.78), (0.47, 0.27, 0.16)),
    ((0.46, 0.28, 0.18), (0.91, 0.87, 0.80)),
    ((0.20, 0.18, 0.17), (0.92, 0.90, 0.86)),
)
_FURS: Final = ((0.72, 0.52, 0.30), (0.60, 0.41, 0.24), (0.83, 0.67, 0.46), (0.50, 0.34, 0.20))


def cow(rng: np.random.Generator, side: int) -> tuple[Floats, Floats]:
    """Colours float64 (side, side, 3) and the mask float64 (side, side), the share of each pixel that is cow."""
    pen = _Pen(rng, side)
    nod = rng.normal(0, 0.025)
    pen.line([(-0.30, -0.03), (0.26, -0.03)], 0.34)  # the barrel of the body
    pen.oval(-0.02, 0.10, 0.26, 0.12)
    for x in (-0.36, -0.24, 0.19, 0.31):
        foot = (x + rng.normal(0, 0.02), 0.42)
        pen.line([(x, 0.08), foot], 0.085)
        pen.line([(foot[0], 0.415), (foot[0], 0.425)], 0.088, pen.dark)
    pen.line([(0.30, -0.10), (0.47, -0.20 + nod)], 0.18)  # neck
    pen.oval(0.55, -0.19 + nod, 0.13, 0.10)
    pen.oval(0.65, -0.14 + nod, 0.075, 0.07)  # muzzle
    pen.line([(0.46, -0.27 + nod), (0.38, -0.25 + nod)], 0.05)  # ear
    pen.line([(0.49, -0.28 + nod), (0.47, -0.38 + nod)], 0.035)  # horns
    pen.line([(0.58, -0.28 + nod), (0.61, -0.38 + nod)], 0.035)
    swing = rng.normal(0, 0.03)
    pen.line([(-0.44, -0.12), (-0.52, 0.04), (-0.50 + swing, 0.18)], 0.032)  # tail
    pen.oval(-0.50 + swing, 0.20, 0.03, 0.045, pen.dark)
    pen.oval(-0.50 + swing, 0.20, 0.03, 0.045)
    for _ in range(rng.integers(3, 6)):
        pen.oval(rng.uniform(-0.38, 0.30), rng.uniform(-0.16, 0.10), rng.uniform(0.05, 0.12), rng.uniform(0.04, 0.09),
                 pen.marks)  # fmt: skip
    pen.oval(0.56, -0.21 + nod, 0.018, 0.018, pen.dark)  # eye
    coat, mark = (np.array(colour) for colour in _COATS[rng.integers(len(_COATS))])
    return pen.finished(rng, coat + rng.normal(0, 0.025, 3), mark, np.array([0.12, 0.10, 0.09]))


def camel(rng: np.random.Generator, side: int) -> tuple[Floats, Floats]:
    """The same for a camel, with one hump or two."""
    pen = _Pen(rng, side)
    nod = rng.normal(0, 0.025)
    pen.oval(-0.02, -0.02, 0.36, 0.155)
    if rng.random() < 0.5:
        pen.oval(-0.04, -0.17, 0.16, 0.17)
        humps = [(-0.04, -0.27)]
    else:
        pen.oval(-0.19, -0.16, 0.115, 0.165)
        pen.oval(0.13, -0.16, 0.115, 0.165)
        humps = [(-0.19, -0.26), (0.13, -0.26)]
    for x in (-0.28, -0.17, 0.16, 0.26):
        foot = x + rng.normal(0, 0.02)
        pen.line([(x, 0.04), (x + 0.02, 0.26), (foot, 0.45)], 0.056)
        pen.line([(foot, 0.455), (foot + 0.02, 0.455)], 0.05)
    pen.line([(0.28, -0.02), (0.40, -0.01), (0.47, -0.12), (0.48, -0.26), (0.47, -0.40 + nod)], 0.095)  # neck
    pen.oval(0.54, -0.43 + nod, 0.12, 0.06)
    pen.oval(0.63, -0.41 + nod, 0.045, 0.045)  # muzzle
    pen.oval(0.44, -0.49 + nod, 0.025, 0.035)  # ear
    pen.line([(-0.36, -0.05), (-0.43, 0.12)], 0.03)  # tail
    for x, y in humps:
        pen.oval(x, y, 0.07, 0.06, pen.marks)  # darker wool
    pen.oval(0.55, -0.445 + nod, 0.016, 0.016, pen.dark)  # eye
    coat = np.array(_FURS[rng.integers(len(_FURS))]) + rng.normal(0, 0.025, 3)
    return pen.finished(rng, coat, coat * 0.78, np.array([0.14, 0.10, 0.08]))
