"""Grass, sand and grounds that tell nothing, at any size and in several textures, each from one stream of numbers.

A scene is laid out on a grid of 48 x 48 cells whatever its size: the same stream at another size is the same scene,
drawn finer or coarser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidOption, quote

Floats = NDArray[np.float64]

REFERENCE: Final = 48
"""Side of the grid on which everything is laid out, in cells: one pixel each at this size."""


@dataclass(frozen=True)
class Textures:
    """How grass and sand look, beside their colours.

    blades: length of a blade of grass, in cells. clumps: cells of the grass's light and dark patches, from large to
    small. ripples: the fewest and the most ripples of sand in a picture. roughness: how much the grain shows against
    the usual. tint: spread of the colours from picture to picture against the usual.
    """

    key: str
    title: str
    blades: int
    clumps: tuple[int, int, int]
    ripples: tuple[float, float]
    roughness: float
    tint: float


TEXTURES: Final = {
    look.key: look
    for look in (
        Textures("usual", "blades of grass, rippled sand", 3, (4, 9, 18), (5.0, 9.0), 1.0, 1.0),
        Textures("tufts", "tufts of long grass, dunes", 6, (6, 14, 30), (1.5, 3.0), 1.25, 1.2),
        Textures("smooth", "mown grass, flat sand", 1, (2, 4, 9), (11.0, 15.0), 0.6, 1.2),
    )
}
"""By key; networks of the lessons learn from the first, the others are for pictures that nobody learned from."""


def textures_of(key: str) -> Textures:
    """The textures of a key; InvalidOption, naming the valid ones, where there are none."""
    if key not in TEXTURES:
        raise InvalidOption(f"There are no textures {quote(key)}. Use {', '.join(TEXTURES)}.")
    return TEXTURES[key]


def stretched(grid: Floats, side: int) -> Floats:
    """A square grid of numbers drawn at another size, smoothly; itself where it has that size."""
    if grid.shape == (side, side):
        return grid
    small = Image.fromarray(grid.astype(np.float32))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).astype(np.float64)


def grain(rng: np.random.Generator, side: int) -> Floats:
    """Noise of one number a cell, mean 0, standard deviation 1; where cells are larger than pixels, finer noise in
    them."""
    cells = rng.standard_normal((REFERENCE, REFERENCE))
    if side <= REFERENCE:
        return stretched(cells, side)
    # A stream of its own: how fine it is drawn moves no later number.
    return stretched(cells, side) + 0.5 * rng.spawn(1)[0].standard_normal((side, side))


def clouds(rng: np.random.Generator, side: int, cells: Sequence[int] = (4, 9, 18)) -> Floats:
    """Smooth noise of several sizes, mean about 0, standard deviation about 0.4."""
    total = np.zeros((side, side))
    for weight, n in zip((0.5, 0.3, 0.2), cells, strict=True):
        small = Image.fromarray(rng.standard_normal((n, n)).astype(np.float32))
        total += weight * np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))
    return total


def _with_sky(rng: np.random.Generator, ground: Floats, sky: Floats) -> Floats:
    """The upper part is sky, paler towards the horizon, which is never quite level."""
    side = len(ground)
    horizon = side * rng.uniform(0.14, 0.32)
    columns = np.arange(side) / side
    wave = rng.uniform(0.4, 1.6) * side / REFERENCE
    line = horizon + wave * np.sin(2 * math.pi * (rng.uniform(0.4, 1.1) * columns + rng.random()))
    rows = np.arange(side)[:, None]
    above = np.clip(line[None] - rows, 0, 1)[..., None]
    pale = np.clip(rows / horizon, 0, 1)[..., None]
    shade = sky * (1 - 0.12 * (1 - pale)) + 0.10 * pale + 0.018 * clouds(rng, side, (3, 6, 12))[..., None]
    far = 1 + 0.10 * np.clip(1 - (rows - horizon) / (0.3 * side), 0, 1)[..., None]  # haze near the horizon
    return np.clip(above * shade + (1 - above) * ground * far, 0, 1)


def _upright(noise: Floats, length: int) -> Floats:
    """Noise drawn down into strokes, its standard deviation as it was."""
    total = noise.copy()
    for row in range(1, length):
        total += np.roll(noise, row, 0)
    return total / math.sqrt(length)


def grass(rng: np.random.Generator, side: int, look: Textures) -> Floats:
    """Green blades under a sky: float64 (side, side, 3), 0 to 1."""
    base = np.array([0.28, 0.50, 0.17]) + rng.normal(0, 0.03 * look.tint, 3)
    cells = rng.standard_normal((REFERENCE, REFERENCE))
    upright = _upright(cells, look.blades)
    blades = stretched(upright, side)
    if side > REFERENCE:
        finer = rng.spawn(1)[0].standard_normal((side, side))
        blades = blades + 0.5 * _upright(finer, 5)
    light = 0.07 * clouds(rng, side, look.clumps) + 0.075 * look.roughness * blades
    ground = base + light[..., None] * np.array([0.85, 1.15, 0.6])
    cell = max(1, round(side / REFERENCE))
    for _ in range(rng.integers(0, 7)):  # a few flowers
        row, column = (
            place * side // REFERENCE for place in (rng.integers(REFERENCE // 3, REFERENCE), rng.integers(0, REFERENCE))
        )
        colour = (0.95, 0.92, 0.75) if rng.random() < 0.6 else (0.95, 0.80, 0.25)
        ground[row : row + cell, column : column + cell] = colour
    return _with_sky(rng, ground, np.array([0.53, 0.71, 0.90]))


def sand(rng: np.random.Generator, side: int, look: Textures) -> Floats:
    """Ripples of sand under a sky: float64 (side, side, 3), 0 to 1."""
    base = np.array([0.85, 0.70, 0.45]) + rng.normal(0, 0.03 * look.tint, 3)
    rows, columns = np.mgrid[:side, :side] / side
    bend = 0.09 * np.sin(2 * math.pi * (rng.uniform(0.6, 1.5) * columns + rng.random()))
    ripples = np.sin(2 * math.pi * rng.uniform(*look.ripples) * (rows + bend))
    light = 0.045 * ripples + 0.05 * clouds(rng, side) + 0.022 * look.roughness * grain(rng, side)
    return _with_sky(rng, base + light[..., None] * np.array([1.0, 0.95, 0.8]), np.array([0.60, 0.79, 0.95]))


def neutral(rng: np.random.Generator, side: int, look: Textures) -> Floats:
    """Any colour, any texture, any sky: float64 (side, side, 3), 0 to 1."""
    base, tint = rng.uniform(0.15, 0.9, 3), rng.uniform(0.5, 1.3, 3)
    light = rng.uniform(0.03, 0.1) * clouds(rng, side) + rng.uniform(0, 0.07) * look.roughness * grain(rng, side)
    return _with_sky(rng, base + light[..., None] * tint, rng.uniform(0.25, 0.95, 3))
