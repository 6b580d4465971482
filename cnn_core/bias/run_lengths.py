"""Masks as COCO's run lengths: column by column, first how many pixels are outside, then inside, and so on in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

_BITS: Final = 5  # of a number that each letter carries; the sixth says that another letter follows
_FIRST_LETTER: Final = 48
_SIGN: Final = 0x10


def decode(counts: Sequence[int] | str, height: int, width: int) -> NDArray[np.bool_]:
    """The mask bool (H, W) of run lengths, as a list or packed into letters.

    Raises InvalidOption where they do not fill the picture exactly.
    """
    runs = np.asarray(unpacked(counts) if isinstance(counts, str) else counts, dtype=np.float64)
    if runs.ndim != 1 or not len(runs) or (runs < 0).any() or runs.sum() != height * width:
        raise InvalidOption(
            f"the run lengths of its mask do not add up to the {height} × {width} pixels of the picture."
        )
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs.astype(np.int64)).reshape(width, height).T


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """The run lengths of a mask bool (H, W), the first one of pixels outside (it may be 0)."""
    flat = np.concatenate([[False], mask.T.ravel(), [not mask[-1, -1]]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(edges, prepend=0)]


def unpacked(letters: str) -> list[int]:
    """COCO's packed run lengths (pycocotools, maskApi.c): five bits a letter, from the third on as differences to the
    one before the last."""
    runs: list[int] = []
    value, shift = 0, 0
    for letter in letters:
        bits = ord(letter) - _FIRST_LETTER
        if not 0 <= bits < 64 or shift > 6 * _BITS:
            raise InvalidOption("the packed run lengths of its mask are damaged.")
        value |= (bits & 0x1F) << shift
        shift += _BITS
        if not bits & 0x20:
            if bits & _SIGN:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return runs
