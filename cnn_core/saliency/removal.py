"""Regions of a picture, and pictures with a region removed: what a saliency map is put on trial with."""

from __future__ import annotations

from typing import Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

Fill = Literal["mean", "blur", "grey", "noise"]
FILLS: Final[tuple[str, ...]] = get_args(Fill)

AnyType = TypeVar("AnyType", bound=np.generic)

_GREY: Final = 128.0
_LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601


def top_region(values: NDArray[np.floating], n_pixels: int) -> NDArray[np.bool_]:
    """The n pixels with the largest values, as a mask of the values' shape; among equal ones the first in order."""
    order = np.argsort(-np.asarray(values, dtype=np.float64), axis=None, kind="stable")[:n_pixels]
    mask = np.zeros(values.size, dtype=bool)
    mask[order] = True
    return mask.reshape(values.shape)


def moved_region(mask: NDArray[AnyType], seed: int) -> NDArray[AnyType]:
    """The same region (or map) elsewhere: turned (a square picture), mirrored and shifted at random.

    What leaves the picture at one side comes in at the other, so its area is exactly, and its shape nearly, the same.
    """
    random = np.random.default_rng(seed)
    moved = np.rot90(mask, int(random.integers(4))) if mask.shape[0] == mask.shape[1] else mask
    if random.integers(2):
        moved = moved[::-1]
    if random.integers(2):
        moved = moved[:, ::-1]
    return np.roll(moved, (int(random.integers(mask.shape[0])), int(random.integers(mask.shape[1]))), axis=(0, 1))


def edge_strength(rgb: NDArray[np.uint8], sigma: float) -> NDArray[np.float64]:
    """Sobel's gradient magnitude of the luminance, blurred by a Gaussian of `sigma` pixels; (H, W), not negative.

    Source: I. Sobel and G. Feldman, 1968. The blur makes regions as coarse as the map's own.
    """
    padded = np.pad(rgb.astype(np.float64) @ np.array(_LUMA), 1, mode="edge")
    across, down = padded[:, 2:] - padded[:, :-2], padded[2:] - padded[:-2]
    horizontal = across[:-2] + 2 * across[1:-1] + across[2:]
    vertical = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    return gaussian_blur(np.hypot(horizontal, vertical), sigma)


def gaussian_blur(values: NDArray[np.number], sigma: float) -> NDArray[np.float64]:
    """A Gaussian blur of the first two axes; at the borders the weights inside the picture are made to sum to 1."""
    blurred = np.asarray(values, dtype=np.float64)
    for axis in (0, 1):
        blurred = np.moveaxis(np.tensordot(_gaussian(blurred.shape[axis], sigma), blurred, axes=(1, axis)), 0, axis)
    return blurred


def without(rgb: NDArray[np.uint8], mask: NDArray[np.bool_], fill: Fill, *, seed: int = 0) -> NDArray[np.uint8]:
    """The picture with the masked pixels removed, uint8 (H, W, 3); see `substitute` for the fills."""
    return np.where(mask[..., None], substitute(rgb, fill, seed=seed), rgb)


def substitute(rgb: NDArray[np.uint8], fill: str, *, seed: int = 0) -> NDArray[np.uint8]:
    """What stands in for removed pixels, uint8 (H, W, 3).

    fill: "mean", the picture's own mean colour; "blur", the picture blurred until no part can be told (a Gaussian of
    one eighth of the shorter side); "grey", 128; "noise", normal noise with each channel's own mean and standard
    deviation, drawn with `seed`. Raises InvalidOption for another fill.
    """
    if fill == "mean":
        found = np.broadcast_to(rgb.mean(axis=(0, 1)), rgb.shape)
    elif fill == "blur":
        found = gaussian_blur(rgb, min(rgb.shape[:2]) / 8)
    elif fill == "grey":
        found = np.full(rgb.shape, _GREY)
    elif fill == "noise":
        found = np.random.default_rng(seed).normal(rgb.mean(axis=(0, 1)), rgb.std(axis=(0, 1)), rgb.shape)
    else:
        raise InvalidOption(f"Unknown fill {fill!r}. A region is filled with one of: {', '.join(map(repr, FILLS))}.")
    return np.clip(np.round(found), 0, 255).astype(np.uint8)


def _gaussian(n: int, sigma: float) -> NDArray[np.float64]:
    if sigma <= 0:
        return np.eye(n)
    distance = np.arange(n)[:, None] - np.arange(n)[None, :]
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
