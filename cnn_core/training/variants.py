"""What is done to a data set before a run: a balanced subset, one fixed shuffle of the pixels, a shift."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from .data import Split
from .seeds import derived_seed

# One permutation for everybody: training and test pictures, every seed, every page.
_SHUFFLE_SEED: Final = 7


def subset(split: Split, size: int, seed: int) -> Split:
    """`size` pictures of a split, drawn by `seed`, with as many of each class as of any other.

    Where a class has too few pictures left, the others fill up. A larger subset of one seed contains the smaller ones.
    Raises InvalidOption for a size that is below 1 or above what the split has.
    """
    if not 1 <= size <= len(split):
        raise InvalidOption(f"The number of training pictures must lie between 1 and {len(split):,}, not {size:,}.")
    generator = np.random.default_rng(derived_seed(seed, "subset"))
    shuffled = generator.permutation(len(split))
    labels = split.labels[shuffled]
    rank = np.empty(len(split), dtype=np.int64)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        rank[places] = np.arange(len(places))
    # Dealt like cards: the first picture of each class, then the second of each class, and so on.
    chosen = shuffled[np.argsort(rank, kind="stable")[:size]]
    return Split(split.pictures[chosen], split.labels[chosen], split.indices[chosen])


def pixel_permutation(side: int) -> NDArray[np.int64]:
    """The fixed shuffle: pixel i of a shuffled picture (row by row) is pixel permutation[i] of the picture."""
    return np.random.default_rng(_SHUFFLE_SEED).permutation(side * side)


def shuffle_pixels(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every picture (N, side, side), or (N, side, side, 3), with its pixels in the one fixed shuffled order."""
    count, side, width, *colours = pictures.shape
    if side != width:
        raise InvalidOption(f"Only square pictures are shuffled, not {side} × {width}.")
    rows = pictures.reshape(count, side * side, *colours)
    return np.ascontiguousarray(rows[:, pixel_permutation(side)].reshape(pictures.shape))


def shift(pictures: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Pictures (N, H, W) or (N, H, W, 3) moved down by `rows` and right by `columns` pixels (negative: up, left).

    Black comes in at one side, and what leaves at the other is lost. Raises InvalidOption for a shift that leaves
    nothing of the picture.
    """
    height, width = pictures.shape[1:3]
    if abs(rows) >= height or abs(columns) >= width:
        raise InvalidOption(f"A shift must be smaller than the picture of {height} × {width} pixels.")
    moved = np.zeros_like(pictures)
    to_rows, from_rows = _slices(rows, height)
    to_columns, from_columns = _slices(columns, width)
    moved[:, to_rows, to_columns] = pictures[:, from_rows, from_columns]
    return moved


def _slices(by: int, length: int) -> tuple[slice, slice]:
    """Where the kept part goes to, and where it comes from."""
    return slice(max(0, by), length + min(0, by)), slice(max(0, -by), length - max(0, by))
