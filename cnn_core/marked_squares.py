"""How strongly a saliency map marks a square of the picture, against all squares of that size in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import InvalidUnit

if TYPE_CHECKING:
    from .saliency import SaliencyMap


@dataclass(frozen=True)
class MarkedSquare:
    """A square of the picture, and a map in it.

    mean: of the drawn map over the square's pixels. percentile: the share, 0 to 1, of all squares of this size in the
    picture, one for each whole pixel of position, whose mean is lower. best: the position (row, column; input pixels)
    of the centre of the square that is marked most; the first one where several are equal. side: in pixels.
    """

    mean: float
    percentile: float
    best: tuple[float, float]
    side: int


def mark_of_square(saliency_map: SaliencyMap, row: float, column: float, side: float) -> MarkedSquare:
    """Compare the square of `side` pixels round a place (row, column; input pixels) with all others of its size.

    A place's own value would be unfair to fine maps, whose neighbouring pixels differ by chance: a square treats coarse
    and fine maps alike. The map is drawn at its receptive fields' centres. At the border the square is moved inward.
    Raises InvalidUnit for a place outside the picture.
    """
    height, width = saliency_map.input_size
    if not (0 <= row <= height and 0 <= column <= width):
        raise InvalidUnit(
            f"Row {row:g}, column {column:g} lies outside the picture, which has {height} rows and {width} columns."
        )
    n = max(1, min(round(side), height, width))
    summed = np.pad(saliency_map.upsampled().astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    means = (summed[n:, n:] - summed[:-n, n:] - summed[n:, :-n] + summed[:-n, :-n]) / n**2
    top, left = (
        min(max(0, round(centre - n / 2)), length - n)
        for centre, length in zip((row, column), (height, width), strict=True)
    )
    here = float(means[top, left])
    # Running sums of float64 leave errors of 1e-16 of the total, which must not put equal squares in an order.
    slack = 1e-9 * float(np.abs(means).max())
    best = np.unravel_index(int(means.argmax()), means.shape)
    return MarkedSquare(here, float((means < here - slack).mean()), (float(best[0]) + n / 2, float(best[1]) + n / 2), n)
