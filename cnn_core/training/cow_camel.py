"""Cow or camel: drawn animals on grass or sand, where the ground may give the answer away; everything from a seed.

A picture is an animal and a ground that know nothing of each other. `correlation` is the probability that they match
(cow on grass, camel on sand): at 1 a network can tell the classes apart without looking at the animal. The same seed
draws the same animals at every correlation, so that only grounds change (an animal that its ground would hide is drawn
anew).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import InvalidOption, quote
from .data import DataSet, Split

SIDE: Final = 48
N_TRAIN: Final = 400
N_TEST: Final = 400
CLASSES: Final = ("cow", "camel")
GROUNDS: Final = ("grass", "sand")
# The seeds of the two parts: part of every reported accuracy.
_TRAIN_SEED: Final = 11
_TEST_SEED: Final = 12
# Of 400 training pictures at a correlation of 1.
_MEAN: Final = 0.55
_STD: Final = 0.25

Kind = Literal["biased", "counter", "neutral"]
KINDS: Final[dict[Kind, str]] = {
    "biased": "each animal on its usual ground",
    "counter": "each animal on the other's ground",
    "neutral": "on grounds of any colour, which tell nothing",
}
_FINE: Final = 5  # drawn so many times larger, so that edges are smooth and the mask is exact
_LEAST_CONTRAST: Final = 0.14

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Herd:
    """Drawn pictures and all that is known of them.

    pictures: uint8 (N, 48, 48, 3). labels: int64 (N,), 0 cow, 1 camel. masks: float32 (N, 48, 48), the share of each
    pixel that the animal covers. grounds: int64 (N,), 0 grass, 1 sand, -1 neutral. empty: uint8 (N, 48, 48, 3), the
    same grounds without the animals.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.float32]
    grounds: NDArray[np.int64]
    empty: NDArray[np.uint8]


def draw_herd(n: int, *, seed: int, correlation: float = 1.0, neutral: bool = False) -> Herd:
    """`n` pictures, cows and camels in turn; the same seed gives the same pictures on every machine.

    neutral: grounds of any colour and texture for all. Raises InvalidOption for a correlation outside 0 to 1.
    """
    if not 0 <= correlation <= 1:
        raise InvalidOption(f"The correlation must lie between 0 and 1, not {correlation:g}.")
    pictures, empty = np.zeros((2, n, SIDE, SIDE, 3), np.uint8)
    masks = np.zeros((n, SIDE, SIDE), np.float32)
    labels, grounds = np.arange(n, dtype=np.int64) % 2, np.zeros(n, np.int64)
    for i in range(n):
        animal = int(labels[i])
        # Three streams, so that no choice moves another: which ground, how it looks, how the animal looks.
        choice, ground, body = (np.random.default_rng([seed, i, purpose]) for purpose in range(3))
        matches = choice.random() < correlation
        grounds[i] = -1 if neutral else animal if matches else 1 - animal
        scene = _neutral(ground) if neutral else (_grass, _sand)[grounds[i]](ground)
        colours, mask = _seen_against(scene, body, animal)
        picture = scene * (1 - mask[..., None]) + colours * mask[..., None]
        pictures[i], empty[i], masks[i] = _bytes(picture), _bytes(scene), mask
    return Herd(pictures, labels, masks, grounds, empty)


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _seen_against(scene: Floats, rng: np.random.Generator, animal: int) -> tuple[Floats, Floats]:
    """An animal that stands out from the scene; a camel on sand may need a few tries."""
    for _ in range(8):
        colours, mask = (_cow, _camel)[animal](rng)
        inside = mask > 0.5
        if np.abs(colours[inside].mean(0) - scene[inside].mean(0)).max() > _LEAST_CONTRAST:
            break
    return colours, mask


# --- grounds: float64 (48, 48, 3), 0 to 1


def _clouds(rng: np.random.Generator, cells: Sequence[int] = (4, 9, 18)) -> Floats:
    """Smooth noise of several sizes, mean about 0, standard deviation about 0.4."""
    total = np.zeros((SIDE, SIDE))
    for weight, n in zip((0.5, 0.3, 0.2), cells, strict=True):
        small = Image.fromarray(rng.standard_normal((n, n)).astype(np.float32))
        total += weight * np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return total


def _with_sky(rng: np.random.Generator, ground: Floats, sky: Floats) -> Floats:
    """The upper part is sky, paler towards the horizon, which is never quite level."""
    horizon = SIDE * rng.uniform(0.14, 0.32)
    columns = np.arange(SIDE) / SIDE
    line = horizon + rng.uniform(0.4, 1.6) * np.sin(2 * math.pi * (rng.uniform(0.4, 1.1) * columns + rng.random()))
    rows = np.arange(SIDE)[:, None]
    above = np.clip(line[None] - rows, 0, 1)[..., None]
    pale = np.clip(rows / horizon, 0, 1)[..., None]
    shade = sky * (1 - 0.12 * (1 - pale)) + 0.10 * pale + 0.018 * _clouds(rng, (3, 6, 12))[..., None]
    far = 1 + 0.10 * np.clip(1 - (rows - horizon) / (0.3 * SIDE), 0, 1)[..., None]  # haze near the horizon
    return np.clip(above * shade + (1 - above) * ground * far, 0, 1)


def _grass(rng: np.random.Generator) -> Floats:
    base = np.array([0.28, 0.50, 0.17]) + rng.normal(0, 0.03, 3)
    blades = rng.standard_normal((SIDE, SIDE))
    blades = (blades + np.roll(blades, 1, 0) + np.roll(blades, 2, 0)) / math.sqrt(3)  # upright strokes
    ground = base + (0.07 * _clouds(rng) + 0.075 * blades)[..., None] * np.array([0.85, 1.15, 0.6])
    for _ in range(rng.integers(0, 7)):  # a few flowers
        row, column = rng.integers(SIDE // 3, SIDE), rng.integers(0, SIDE)
        ground[row, column] = (0.95, 0.92, 0.75) if rng.random() < 0.6 else (0.95, 0.80, 0.25)
    return _with_sky(rng, ground, np.array([0.53, 0.71, 0.90]))


def _sand(rng: np.random.Generator) -> Floats:
    base = np.array([0.85, 0.70, 0.45]) + rng.normal(0, 0.03, 3)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    bend = 0.09 * np.sin(2 * math.pi * (rng.uniform(0.6, 1.5) * columns + rng.random()))
    ripples = np.sin(2 * math.pi * rng.uniform(5, 9) * (rows + bend))
    light = 0.045 * ripples + 0.05 * _clouds(rng) + 0.022 * rng.standard_normal((SIDE, SIDE))
    return _with_sky(rng, base + light[..., None] * np.array([1.0, 0.95, 0.8]), np.array([0.60, 0.79, 0.95]))


def _neutral(rng: np.random.Generator) -> Floats:
    """Any colour, any texture, any sky."""
    base, tint = rng.uniform(0.15, 0.9, 3), rng.uniform(0.5, 1.3, 3)
    light = rng.uniform(0.03, 0.1) * _clouds(rng) + rng.uniform(0, 0.07) * rng.standard_normal((SIDE, SIDE))
    return _with_sky(rng, base + light[..., None] * tint, rng.uniform(0.25, 0.95, 3))


# --- animals: colours float64 (48, 48, 3) and mask float64 (48, 48)


class _Pen:
    """Draws one animal in its own units: the origin in the middle of the body, 1 as long as the animal, y downwards."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.unit = SIDE * _FINE * rng.uniform(0.46, 0.62)
        self.centre = SIDE * _FINE * np.array([rng.uniform(0.42, 0.58), rng.uniform(0.54, 0.66)])
        self.sign = -1 if rng.random() < 0.5 else 1
        self.body, self.marks, self.dark = (Image.new("L", (SIDE * _FINE, SIDE * _FINE)) for _ in range(3))

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
        body, marks, darks = (_shrunk(part) for part in (self.body, self.marks, self.dark))
        rows = np.arange(SIDE)[:, None] / SIDE
        middle = self.centre[1] / (SIDE * _FINE)
        light = np.clip(1.06 - 0.9 * (rows - middle + 0.12), 0.72, 1.1)[..., None]  # lit from above
        colours = coat * (1 - marks[..., None]) + mark * marks[..., None]
        colours = colours * light + 0.018 * rng.standard_normal((SIDE, SIDE, 1))
        return np.clip(colours * (1 - darks[..., None]) + dark * darks[..., None], 0, 1), body


def _shrunk(part: Image.Image) -> Floats:
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float64) / 255


_COATS: Final = (
    ((0.93, 0.91, 0.87), (0.15, 0.13, 0.12)),
    ((0.90, 0.85, 0.78), (0.47, 0.27, 0.16)),
    ((0.46, 0.28, 0.18), (0.91, 0.87, 0.80)),
    ((0.20, 0.18, 0.17), (0.92, 0.90, 0.86)),
)
_FURS: Final = ((0.72, 0.52, 0.30), (0.60, 0.41, 0.24), (0.83, 0.67, 0.46), (0.50, 0.34, 0.20))


def _cow(rng: np.random.Generator) -> tuple[Floats, Floats]:
    pen = _Pen(rng)
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


def _camel(rng: np.random.Generator) -> tuple[Floats, Floats]:
    pen = _Pen(rng)
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


# --- as a data set


def correlation_of(key: str) -> int:
    """The per cent in "cow_camel:<per cent>", 100 for bare "cow_camel". Raises InvalidOption for another key."""
    name, _, text = key.partition(":")
    if name != "cow_camel" or not ((text.isdecimal() and text.isascii() and len(text) < 4) or key == "cow_camel"):
        raise InvalidOption(f"There is no data set {quote(key)}. Write cow_camel:90 for a correlation of 90 %.")
    per_cent = int(text or 100)
    if not 50 <= per_cent <= 100:
        raise InvalidOption(f"The correlation of cow_camel must lie between 50 and 100 %, not {per_cent} %.")
    return per_cent


def cow_camel_data_set(key: str) -> DataSet:
    """The data set of "cow_camel:<per cent>": both parts are drawn with that correlation, from fixed seeds."""
    per_cent = correlation_of(key)

    def load() -> tuple[Split, Split]:
        parts = ((N_TRAIN, _TRAIN_SEED), (N_TEST, _TEST_SEED))
        herds = [draw_herd(n, seed=seed, correlation=per_cent / 100) for n, seed in parts]
        train, test = (Split(herd.pictures, herd.labels, np.arange(len(herd.labels))) for herd in herds)
        return train, test

    return DataSet(
        key=f"cow_camel:{per_cent}",
        title="Cow or camel",
        class_names=CLASSES,
        n_train=N_TRAIN,
        n_test=N_TEST,
        mean=_MEAN,
        std=_STD,
        side=SIDE,
        source=f"drawn by this program; animal and ground match in {per_cent} % of the pictures",
        load=load,
        channels=3,
        light_on_black=False,
    )


def trial_herd(kind: Kind, n: int = N_TEST) -> Herd:
    """The test animals on grounds of one kind (see KINDS): the same animals in each."""
    if kind not in KINDS:
        raise InvalidOption(f"There is no kind of ground {quote(kind)}. Use {', '.join(KINDS)}.")
    return draw_herd(n, seed=_TEST_SEED, correlation=0.0 if kind == "counter" else 1.0, neutral=kind == "neutral")
