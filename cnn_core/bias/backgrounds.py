"""Grounds that come with the program: drawn scenes of grass, sand, snow and more, of any size, each from a seed.

A scene is a plane seen from eye height: a texture gets finer towards the horizon, where it fades into haze before it
would flicker. Above the horizon stands a sky, a wall or a row of trees.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption, quote, suggest

Floats = NDArray[np.float64]

_LATTICE: Final = 128  # a power of 2
LARGEST_SIDE: Final = 4096
# Scenes up to this many pixels are kept once drawn: 64 of them take at most 17 MB.
_SMALL: Final = 300 * 300


@dataclass(frozen=True)
class GroundCard:
    """One kind of ground; sentence: what is drawn."""

    key: str
    title: str
    sentence: str


@dataclass(frozen=True, eq=False)
class _Plane:
    """Where each pixel meets the ground: across and away (in units of the eye's height), and how far apart neighbours
    are there; `below` is 1 under the horizon and 0 above it, `haze` 1 at the horizon."""

    across: Floats
    away: Floats
    step: Floats
    below: Floats
    haze: Floats
    height: Floats
    """0 at the horizon, 1 at the picture's upper edge."""
    rng: np.random.Generator

    def noise(self, frequency: float, *, stretch: float = 1.0, octaves: int = 4) -> Floats:
        """Smooth noise on the plane, about -1 to 1; stretch: how much longer it is along `away` than across."""
        return self._octaves(self.across * frequency, self.away * frequency / stretch, frequency, octaves)

    def _octaves(self, u: Floats, v: Floats, frequency: float, octaves: int) -> Floats:
        total, weight = np.zeros_like(u), 1.0
        for octave in range(octaves):
            factor = 2.0**octave
            # What is finer than two pixels is left out, by degrees: it would only be speckle.
            visible = np.exp(-((1.2 * factor * frequency * self.step) ** 2)) * (self.below > 0)
            rows = np.flatnonzero(visible.max(axis=1) > 0.01)
            drawn = _value_noise(u[rows] * factor, v[rows] * factor, self.rng)
            total[rows] += weight * visible[rows] * drawn
            weight *= 0.55
        return total

    def sky_noise(self, frequency: float, *, octaves: int = 4) -> Floats:
        """Smooth noise in the picture's own plane, for clouds, walls and leaves."""
        n_rows, n_columns = self.below.shape
        side = max(n_rows, n_columns)
        seen = np.flatnonzero(self.below.min(axis=1) < 1)
        rows, columns = np.meshgrid(seen / side, np.arange(n_columns) / side, indexing="ij")
        total, weight = np.zeros((n_rows, n_columns)), 1.0
        for octave in range(octaves):
            factor = frequency * 2.0**octave
            visible = math.exp(-((1.2 * factor / side) ** 2))
            total[seen] += weight * visible * _value_noise(columns * factor, rows * factor, self.rng)
            weight *= 0.55
        return total


def _value_noise(u: Floats, v: Floats, rng: np.random.Generator) -> Floats:
    """Random values on a lattice, joined smoothly; about -1 to 1."""
    table = rng.uniform(-1.0, 1.0, (_LATTICE, _LATTICE))
    i, j = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    s, t = u - i, v - j
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    i, k = i & _LATTICE - 1, i + 1 & _LATTICE - 1
    j, m = (j & _LATTICE - 1) * _LATTICE, (j + 1 & _LATTICE - 1) * _LATTICE
    flat = table.reshape(-1)
    upper = flat[j + i] * (1 - s) + flat[j + k] * s
    lower = flat[m + i] * (1 - s) + flat[m + k] * s
    return np.asarray(upper * (1 - t) + lower * t)


def _plane(height: int, width: int, rng: np.random.Generator, horizon: tuple[float, float], level: bool) -> _Plane:
    at = rng.uniform(*horizon)
    side = max(height, width)
    columns = (np.arange(width) + 0.5 - width / 2) / side
    bend = (0.0 if level else rng.uniform(0.003, 0.012)) * np.sin(
        2 * math.pi * (rng.uniform(0.4, 1.2) * columns + rng.random())
    )
    rows = ((np.arange(height) + 0.5) / side)[:, None] - at * height / side - bend[None]
    deep = np.maximum(rows, 0.5 / side)
    away = 0.5 / deep
    across = columns[None] * away * 1.2 + rng.uniform(0, 40)
    step = away * away / side * 2.0
    below = np.clip(rows * side + 0.5, 0, 1)
    haze = np.exp(-np.maximum(rows, 0) / 0.10)
    up = np.clip(-rows / max(at * height / side, 1 / side), 0, 1)
    return _Plane(across, away + rng.uniform(0, 40), step, below, haze, up, rng)


def _rgb(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def _blend(low: Floats, high: Floats, share: Floats) -> Floats:
    share = np.clip(share, 0, 1)[..., None]
    return low * (1 - share) + high * share


def _sky(plane: _Plane, top: Floats, horizon: Floats, clouds: float) -> Floats:
    sky = _blend(horizon, top, plane.height**0.8)
    cover = np.clip(plane.sky_noise(3.5) * 0.9 + clouds - 0.35, 0, 1)
    return _blend(sky, _rgb(0.97, 0.97, 0.98), 0.85 * cover)


def _scene(plane: _Plane, ground: Floats, above: Floats, hazed: Floats, strength: float) -> Floats:
    ground = _blend(ground, np.broadcast_to(hazed, ground.shape), strength * plane.haze)
    return _blend(above, ground, plane.below)


def _grass(plane: _Plane) -> Floats:
    patches, blades = plane.noise(0.8), plane.noise(22, stretch=0.45, octaves=3)
    ground = _blend(_rgb(0.16, 0.34, 0.09), _rgb(0.47, 0.62, 0.22), 0.5 + 0.30 * patches + 0.48 * blades)
    dry = np.clip(plane.noise(0.45) - 0.25, 0, 1)
    ground = _blend(ground, _rgb(0.62, 0.60, 0.30), 0.6 * dry)
    flowers = (plane.noise(9, octaves=1) > 0.93) & (plane.step < 0.05)
    ground = np.where(flowers[..., None], _rgb(0.95, 0.93, 0.80), ground)
    sky = _sky(plane, _rgb(0.36, 0.60, 0.88), _rgb(0.80, 0.89, 0.95), 0.5)
    return _scene(plane, ground, sky, _rgb(0.62, 0.74, 0.62), 0.6)


def _sand(plane: _Plane) -> Floats:
    bend = plane.noise(0.35, octaves=2)
    spacing = 3.2 * plane.away + 3.5 * bend
    ripples = np.sin(2 * math.pi * spacing) * np.exp(-((3.2 * plane.step * 2) ** 2))
    grain = plane.noise(30, octaves=2)
    light = 0.55 + 0.20 * ripples + 0.16 * bend + 0.12 * grain
    ground = _blend(_rgb(0.66, 0.48, 0.27), _rgb(0.96, 0.84, 0.60), light)
    sky = _sky(plane, _rgb(0.38, 0.62, 0.88), _rgb(0.90, 0.90, 0.86), 0.15)
    return _scene(plane, ground, sky, _rgb(0.93, 0.84, 0.68), 0.55)


def _snow(plane: _Plane) -> Floats:
    drifts, grain = plane.noise(0.5, stretch=0.5), plane.noise(25, octaves=2)
    ground = _blend(_rgb(0.68, 0.77, 0.88), _rgb(0.98, 0.99, 1.0), 0.68 + 0.40 * drifts + 0.09 * grain)
    sky = _sky(plane, _rgb(0.60, 0.71, 0.82), _rgb(0.88, 0.91, 0.94), 0.45)
    scene = _scene(plane, ground, sky, _rgb(0.90, 0.93, 0.96), 0.7)
    return _treeline(plane, scene, _rgb(0.22, 0.30, 0.30), 0.26)


def _treeline(plane: _Plane, scene: Floats, colour: Floats, height: float) -> Floats:
    """A far wood along the horizon, its tops uneven."""
    n_rows, n_columns = plane.below.shape
    columns = np.arange(n_columns) / max(n_rows, n_columns)
    tops = height * (0.75 + 0.30 * _line(columns * 5, plane.rng) + 0.35 * np.abs(_line(columns * 46, plane.rng)))
    inside = np.clip((tops[None] - plane.height) * 40, 0, 1) * (1 - plane.below) * (plane.height >= 0)
    shade = colour * (1 + 0.25 * plane.sky_noise(40, octaves=2)[..., None])
    return _blend(scene, np.clip(shade, 0, 1), 0.88 * inside)


def _line(u: Floats, rng: np.random.Generator) -> Floats:
    return _value_noise(u, np.zeros_like(u), rng)


def _water(plane: _Plane) -> Floats:
    swell = plane.noise(1.1, stretch=0.30, octaves=3)
    ripples = plane.noise(7, stretch=0.22, octaves=3)
    light = 0.42 + 0.30 * swell + 0.34 * ripples
    ground = _blend(_rgb(0.05, 0.24, 0.36), _rgb(0.42, 0.66, 0.76), light)
    glints = np.clip(ripples + 0.5 * swell - 0.75, 0, 1) * 2.2
    ground = _blend(ground, _rgb(0.96, 0.98, 0.98), glints)
    sky = _sky(plane, _rgb(0.34, 0.58, 0.86), _rgb(0.84, 0.91, 0.95), 0.5)
    return _scene(plane, ground, sky, _rgb(0.60, 0.76, 0.84), 0.65)


def _street(plane: _Plane) -> Floats:
    grain, wear = plane.noise(34, octaves=2), plane.noise(0.7)
    ground = _blend(_rgb(0.24, 0.25, 0.27), _rgb(0.52, 0.52, 0.53), 0.5 + 0.30 * grain + 0.22 * wear)
    middle = plane.rng.uniform(0, 40)
    across = plane.across - plane.across.mean() + plane.rng.uniform(-0.25, 0.25)
    soft = np.maximum(plane.step * 0.5, 0.006)
    dashes = np.clip((np.sin(2 * math.pi * (0.32 * plane.away + middle)) + 0.25) * 6, 0, 1)
    stripe = np.clip((0.055 - np.abs(across)) / soft + 0.5, 0, 1) * dashes
    ground = _blend(ground, _rgb(0.93, 0.92, 0.86), 0.9 * stripe)
    kerb = np.clip((np.abs(across) - 1.15) / soft, 0, 1)
    slabs = 0.66 + 0.05 * np.sign(np.sin(2 * math.pi * 1.4 * plane.away)) * np.exp(-((4 * plane.step) ** 2))
    pavement = (slabs + 0.05 * grain)[..., None] * _rgb(1.0, 0.98, 0.95)
    ground = _blend(ground, pavement, kerb)
    return _scene(plane, ground, _houses(plane), _rgb(0.62, 0.63, 0.65), 0.45)


def _houses(plane: _Plane) -> Floats:
    """Fronts of houses with rows of windows, under a pale sky."""
    n_rows, n_columns = plane.below.shape
    columns = np.arange(n_columns) / max(n_rows, n_columns)
    wall = _sky(plane, _rgb(0.62, 0.74, 0.88), _rgb(0.88, 0.91, 0.93), 0.5)
    start = -plane.rng.uniform(0, 0.15)
    plaster = 1 + 0.05 * plane.sky_noise(30, octaves=1)[..., None]
    while start < columns[-1] + 0.01:
        width, roof = plane.rng.uniform(0.16, 0.30), plane.rng.uniform(0.55, 0.95)
        here = (columns >= start) & (columns < start + width)
        paint = np.array([(0.76, 0.62, 0.50), (0.64, 0.40, 0.33), (0.80, 0.76, 0.68), (0.55, 0.58, 0.62)])
        colour = paint[plane.rng.integers(len(paint))] * plane.rng.uniform(0.9, 1.08)
        inside = here[None] & (plane.height <= roof)
        u = (columns - start) / width * max(2, round(width / 0.06))
        v = plane.height / 0.19
        window = (np.abs(u % 1 - 0.5) < 0.24)[None] & (np.abs(v % 1 - 0.55) < 0.27)
        front = np.where(window[..., None], _rgb(0.20, 0.25, 0.31), colour)
        wall = np.where(inside[..., None], front * plaster, wall)
        start += width
    return wall


def _forest(plane: _Plane) -> Floats:
    litter, moss = plane.noise(9, octaves=4), plane.noise(0.9)
    ground = _blend(_rgb(0.20, 0.14, 0.09), _rgb(0.52, 0.38, 0.22), 0.52 + 0.60 * litter)
    green = _blend(_rgb(0.16, 0.26, 0.08), _rgb(0.40, 0.50, 0.20), 0.5 + 0.6 * plane.noise(14, octaves=3))
    ground = _blend(ground, green, np.clip(0.2 + 0.9 * moss, 0, 0.8))
    leaves = plane.sky_noise(22, octaves=3)
    wood = _blend(_rgb(0.07, 0.13, 0.06), _rgb(0.33, 0.47, 0.19), 0.42 + 0.48 * leaves)
    light = np.clip(plane.sky_noise(7) - 0.45, 0, 1)
    wood = _blend(wood, _rgb(0.84, 0.91, 0.72), 1.1 * light)
    n_rows, n_columns = plane.below.shape
    columns = np.arange(n_columns) / max(n_rows, n_columns)
    rough = 1 + 0.2 * plane.sky_noise(60, octaves=1)[..., None]
    for _ in range(int(plane.rng.integers(7, 12))):
        middle, half = plane.rng.uniform(0, columns[-1]), plane.rng.uniform(0.006, 0.022)
        bark = np.clip((half - np.abs(columns - middle - 0.004)) / 0.004, 0, 1)[None] * np.ones((n_rows, 1))
        side = np.clip(0.5 + (columns - middle) / (2 * half), 0, 1)[None, :, None]
        trunk = (_rgb(0.16, 0.11, 0.08) * (1 - side) + _rgb(0.40, 0.31, 0.23) * side) * rough
        wood = _blend(wood, trunk, bark)
    return _scene(plane, ground, wood, _rgb(0.24, 0.27, 0.14), 0.5)


def _floor(plane: _Plane) -> Floats:
    board = np.floor(plane.across * 2.2)
    tone = _value_noise(board * 7.3, np.floor(plane.away * 0.35 + board * 0.37) * 3.1, plane.rng)
    grain = plane.noise(16, stretch=14, octaves=3)
    ground = _blend(_rgb(0.45, 0.28, 0.15), _rgb(0.80, 0.60, 0.38), 0.5 + 0.30 * tone + 0.24 * grain)
    edge = np.abs(plane.across * 2.2 % 1 - 0.5)
    seam = np.clip((edge - 0.485) / 0.015, 0, 1) * np.exp(-((1.5 * plane.step) ** 2))
    ground = _blend(ground, _rgb(0.20, 0.12, 0.07), 0.7 * seam)
    colour = np.array([(0.83, 0.80, 0.74), (0.70, 0.77, 0.78), (0.85, 0.79, 0.68)])[plane.rng.integers(3)]
    wall = np.broadcast_to(colour, (*plane.below.shape, 3)) * (1 + 0.025 * plane.sky_noise(9)[..., None])
    wall = wall * (0.94 + 0.06 * plane.height[..., None])
    skirting = (plane.height < 0.09)[..., None]
    wall = np.where(skirting, _rgb(0.95, 0.94, 0.91), wall)
    return _scene(plane, ground, wall, _rgb(0.45, 0.33, 0.22), 0.25)


@dataclass(frozen=True)
class _Kind:
    card: GroundCard
    draw: Callable[[_Plane], Floats]
    horizon: tuple[float, float]
    """Between which shares of the height the horizon lies."""
    level: bool
    """Whether the horizon is straight."""


_REGISTRY: Final[dict[str, _Kind]] = {}


def _register(
    key: str, title: str, sentence: str, draw: Callable[[_Plane], Floats], low: float, high: float, level: bool = False
) -> None:
    if key in _REGISTRY:
        raise ValueError(f"The ground {key!r} is registered already.")
    _REGISTRY[key] = _Kind(GroundCard(key, title, sentence), draw, (low, high), level)


_register("grass", "Grass", "A meadow under a blue sky.", _grass, 0.16, 0.34)
_register("sand", "Sand", "Rippled sand under a pale sky.", _sand, 0.16, 0.34)
_register("snow", "Snow", "Drifted snow before a far wood.", _snow, 0.22, 0.38)
_register("water", "Water", "Open water with a light swell.", _water, 0.14, 0.32, level=True)
_register("street", "Street", "An asphalt road with a broken line before houses.", _street, 0.26, 0.40, level=True)
_register("forest", "Forest", "Leaf litter and moss before trees.", _forest, 0.30, 0.46)
_register("floor", "Wooden floor", "Floor boards before a wall.", _floor, 0.28, 0.44, level=True)


def grounds() -> tuple[GroundCard, ...]:
    """All grounds, in the order in which they are shown."""
    return tuple(kind.card for kind in _REGISTRY.values())


def ground(key: str, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A scene of this kind, uint8 (height, width, 3), read-only.

    The same seed and size give the same scene on every machine.
    Raises InvalidOption for an unknown key, a size outside 1 to 4096, or a seed below 0.
    """
    if key not in _REGISTRY:
        raise InvalidOption(f"There is no ground {quote(key)}. {suggest(str(key), _REGISTRY, limit=20)}")
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise InvalidOption(f"A ground has 1 to {LARGEST_SIDE} pixels a side, not {height} × {width}.")
    if seed < 0:
        raise InvalidOption(f"A seed must be 0 or more, not {seed}.")
    if height * width <= _SMALL:
        return _kept(key, height, width, seed)
    return _drawn(key, height, width, seed)


def _drawn(key: str, height: int, width: int, seed: int) -> NDArray[np.uint8]:
    kind = _REGISTRY[key]
    rng = np.random.default_rng([seed, list(_REGISTRY).index(key)])
    scene = kind.draw(_plane(height, width, rng, kind.horizon, kind.level))
    drawn = np.round(255 * np.clip(scene, 0, 1)).astype(np.uint8)
    drawn.setflags(write=False)
    return drawn


_kept = lru_cache(maxsize=64)(_drawn)
