"""How a user's own network was fed when it was trained: presets of mean and deviation, and a size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import InvalidOption, quote, suggest
from ..preprocessing import Preprocessing

OWN: Final = "own"
SMALLEST_SIDE: Final = 8
LARGEST_SIDE: Final = 1024
"""Sides of the square that a network sees, in pixels: a forward pass keeps every map of it."""


@dataclass(frozen=True)
class Normalisation:
    """What is subtracted from a pixel in 0 to 1, and what it is divided by: a number, or one for each channel."""

    key: str
    title: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


_NORMALISATIONS: dict[str, Normalisation] = {}


def register_normalisation(normalisation: Normalisation) -> Normalisation:
    """Add a preset; ValueError where its key is taken."""
    if normalisation.key in _NORMALISATIONS or normalisation.key == OWN:
        raise ValueError(f"there is a normalisation {normalisation.key!r} already")
    _NORMALISATIONS[normalisation.key] = normalisation
    return normalisation


def list_normalisations() -> tuple[Normalisation, ...]:
    """Every preset."""
    return tuple(_NORMALISATIONS.values())


for _row in (
    Normalisation("imagenet", "ImageNet's mean and deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Normalisation("zero_to_one", "Pixels from 0 to 1", (0.0,), (1.0,)),
    Normalisation("minus_one_to_one", "Pixels from −1 to 1", (0.5,), (0.5,)),
    Normalisation("bytes", "Pixels from 0 to 255", (0.0,), (1 / 255,)),
    Normalisation("digits", "As the digits of this course (MNIST)", (0.1307,), (0.3081,)),
    Normalisation("fashion", "As the clothing of this course (Fashion-MNIST)", (0.2860,), (0.3530,)),
    Normalisation("cow_camel", "As the cows and camels of this course", (0.55,), (0.25,)),
):
    register_normalisation(_row)


def preprocessing_like(
    base: Preprocessing,
    normalisation: str = OWN,
    *,
    side: int | None = None,
    resize: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Preprocessing:
    """An architecture's own preprocessing with another normalisation or size.

    normalisation: a key of `list_normalisations()`, or "own". side: of the square that the network sees, in pixels;
    resize: the shorter side before the crop (as much larger than `side` as in `base`). mean, std: numbers in place of
    the preset's, one for all channels or one for each. Raises InvalidOption for what is not offered or cannot be.
    """
    if normalisation != OWN and normalisation not in _NORMALISATIONS:
        raise InvalidOption(
            f"There is no normalisation {quote(normalisation)}. {suggest(str(normalisation), (OWN, *_NORMALISATIONS))}"
        )
    chosen = base if normalisation == OWN else _NORMALISATIONS[normalisation]
    crop = base.crop if side is None else _whole("side", side)
    if resize is None:
        resize = base.resize if side is None else round(crop * base.resize / base.crop)
    if not crop <= resize <= 2 * LARGEST_SIDE:
        raise InvalidOption(
            f"The shorter side after the resize must lie between the side ({crop}) and {2 * LARGEST_SIDE} pixels, not "
            f"{resize}."
        )
    return replace(
        base,
        crop=crop,
        resize=resize,
        mean=_channels("mean", chosen.mean if mean is None else mean, base.channels),
        std=_channels("std", chosen.std if std is None else std, base.channels),
    )


def with_channels(base: Preprocessing, channels: int) -> Preprocessing:
    """The same for a network that reads greys (1) or colours (3): greys are normalised by the colours' average.

    A colour picture is never inverted, which is for strokes on paper.
    """
    if base.channels == channels:
        return base
    mean, std = ((sum(v) / len(v),) * channels for v in (base.mean, base.std))
    inverts = base.invert_light_background and channels == 1
    return replace(base, channels=channels, mean=mean, std=std, invert_light_background=inverts)


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not SMALLEST_SIDE <= value <= LARGEST_SIDE:
        raise InvalidOption(f"The {name} must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, not {value!r}.")
    return value


def _channels(name: str, values: Sequence[float], channels: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) == 3 and channels == 1:
        numbers = (sum(numbers) / 3,)
    if len(numbers) == 1:
        numbers *= channels
    if len(numbers) != channels:
        raise InvalidOption(f"{name} needs one number, or one for each of the {channels} channels, not {len(numbers)}.")
    if not all(math.isfinite(number) and abs(number) < 1e6 for number in numbers):
        raise InvalidOption(f"{name} must be finite numbers.")
    if name == "std" and min(numbers) <= 0:
        raise InvalidOption("std must be larger than 0: pixels are divided by it.")
    return numbers
