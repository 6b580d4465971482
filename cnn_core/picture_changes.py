"""Changes of a picture that the network sees, each with one number to turn: flip, shift, blur, grey and so on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .channel_bench import shuffle_patches, to_grey, turn_hue
from .errors import InvalidOption, quote, suggest
from .saliency.removal import gaussian_blur

Rgb = NDArray[np.uint8]
Maker = Callable[[Rgb, float, int], Rgb]


@dataclass(frozen=True)
class PictureKind:
    """One way to change a picture.

    unit: of the amount, for people; "" where there is no amount. default, least, most: of the amount.
    make: (uint8 (h, w, 3), amount, seed) -> uint8 (h, w, 3), never in place.
    """

    key: str
    title: str
    what: str
    """One sentence: what is done."""
    make: Maker
    unit: str = ""
    default: float = 0.0
    least: float = 0.0
    most: float = 0.0


_REGISTRY: dict[str, PictureKind] = {}


def _register(kind: PictureKind) -> None:
    if kind.key in _REGISTRY:
        raise ValueError(f"The picture change {kind.key!r} is registered already.")
    _REGISTRY[kind.key] = kind


def list_picture_kinds() -> tuple[PictureKind, ...]:
    """All ways to change a picture, in the order in which they are shown."""
    return tuple(_REGISTRY.values())


def change_picture(rgb: Rgb, kind: str, amount: float | None = None, *, seed: int = 0) -> Rgb:
    """The changed picture, uint8 (h, w, 3) of the same size.

    amount: in the kind's own unit, None for its default. seed: of noise and of shuffled patches.
    Raises InvalidOption for an unknown kind, or an amount outside the kind's range.
    """
    row, number = check_picture_change(kind, amount)
    return np.ascontiguousarray(row.make(np.asarray(rgb), number, seed))


def check_picture_change(kind: str, amount: float | None = None) -> tuple[PictureKind, float]:
    """The kind of this key, and the amount that is meant; raises InvalidOption as `change_picture` does."""
    if kind not in _REGISTRY:
        raise InvalidOption(f"There is no picture change {quote(kind)}. {suggest(str(kind), _REGISTRY, limit=20)}")
    row = _REGISTRY[kind]
    number = row.default if amount is None else float(amount)
    if not math.isfinite(number) or (row.unit and not row.least <= number <= row.most):
        raise InvalidOption(f"{row.title} takes {row.least:g} to {row.most:g} ({row.unit}), not {amount!r}.")
    return row, number


def _levels(values: NDArray[np.floating]) -> Rgb:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _moved(axis: int) -> Maker:
    """Shift along an axis by whole pixels; the edge's own pixels are repeated where nothing comes from."""

    def move(rgb: Rgb, amount: float, seed: int) -> Rgb:
        length = rgb.shape[axis]
        return np.take(rgb, np.clip(np.arange(length) - round(amount), 0, length - 1), axis=axis)

    return move


def _rotated(rgb: Rgb, amount: float, seed: int) -> Rgb:
    """Anticlockwise about the middle; the corners that come empty take the picture's mean colour."""
    mean = tuple(round(v) for v in rgb.mean(axis=(0, 1)))
    return np.asarray(Image.fromarray(rgb).rotate(amount, Image.Resampling.BILINEAR, fillcolor=mean))


def _noisy(rgb: Rgb, amount: float, seed: int) -> Rgb:
    return _levels(rgb + np.random.default_rng(seed).normal(0.0, amount, rgb.shape))


def _contrasted(rgb: Rgb, amount: float, seed: int) -> Rgb:
    mean = rgb.mean(axis=(0, 1))
    return _levels(mean + (rgb - mean) * amount)


def _shuffled(rgb: Rgb, amount: float, seed: int) -> Rgb:
    """Squares of at most half the shorter side, so that there are several to shuffle in the smallest picture too."""
    return shuffle_patches(rgb, max(1, min(round(amount), min(rgb.shape[:2]) // 2)), seed)


_PIXELS: Final = "input pixels"
for _entry in (
    PictureKind("flip", "Mirrored", "Left and right change places.", lambda rgb, a, s: rgb[:, ::-1]),
    PictureKind("upside_down", "Upside down", "Top and bottom change places.", lambda rgb, a, s: rgb[::-1]),
    PictureKind("shift", "Shifted right", "Moved to the right; a negative number moves it to the left.",
                _moved(1), _PIXELS, 16, -112, 112),
    PictureKind("shift_down", "Shifted down", "Moved down; a negative number moves it up.",
                _moved(0), _PIXELS, 16, -112, 112),
    PictureKind("rotate", "Turned", "Turned anticlockwise about its middle.", _rotated, "degrees", 30, -180, 180),
    PictureKind("blur", "Blurred", "A Gaussian blur of this standard deviation.",
                lambda rgb, a, s: _levels(gaussian_blur(rgb, a)), _PIXELS, 3, 0, 64),
    PictureKind("grey", "In grey", "Each pixel's brightness alone; the colour is taken away.",
                lambda rgb, a, s: to_grey(rgb)),
    PictureKind("hue", "Hues turned", "Every colour becomes its opposite at equal brightness.",
                lambda rgb, a, s: turn_hue(rgb)),
    PictureKind("brightness", "Brighter or darker", "This many levels of 255 added to every number.",
                lambda rgb, a, s: _levels(rgb + a), "levels of 255", 60, -255, 255),
    PictureKind("contrast", "More or less contrast", "Every difference from the mean colour times this factor.",
                _contrasted, "times", 0.5, 0, 4),
    PictureKind("noise", "Noise added", "Normal noise of this standard deviation on every number.",
                _noisy, "levels of 255", 25, 0, 255),
    PictureKind("shuffle", "Patches shuffled", "Cut into squares of this side, put together in a random order.",
                _shuffled, _PIXELS, 28, 1, 112),
):  # fmt: skip
    _register(_entry)
