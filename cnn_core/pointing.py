"""Compare a click in the picture with a saliency map: what the map says at the place that a person pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import InvalidUnit

if TYPE_CHECKING:
    from .saliency import SaliencyMap


@dataclass(frozen=True)
class Pointed:
    """A place in the picture, and the map there.

    position: (row, column) in input pixels. cell: the cell whose centre is nearest. value: its raw value.
    rank: 1 for the largest of n_cells; equal cells share the best rank.
    percentile: share of the cells, 0 to 1, whose value is lower.
    distance: from here to the centre of the strongest cell, in input pixels; None where the map is empty.
    """

    position: tuple[float, float]
    cell: tuple[int, int]
    value: float
    rank: int
    n_cells: int
    percentile: float
    distance: float | None


def point_at(saliency_map: SaliencyMap, row: float, column: float) -> Pointed:
    """What a map says at a place of the picture, (row, column) in input pixels from its top left corner.

    Raises InvalidUnit for a place outside the picture.
    """
    height, width = saliency_map.input_size
    if not (0 <= row <= height and 0 <= column <= width):
        raise InvalidUnit(
            f"Row {row:g}, column {column:g} lies outside the picture, which has {height} rows and {width} columns."
        )
    values, placement = saliency_map.values, saliency_map.placement
    cell = (
        _nearest(row, placement.offset[0], placement.stride[0], values.shape[0]),
        _nearest(column, placement.offset[1], placement.stride[1], values.shape[1]),
    )
    peak = saliency_map.peak()
    return Pointed(
        position=(float(row), float(column)),
        cell=cell,
        value=float(values[cell]),
        rank=1 + int((values > values[cell]).sum()),
        n_cells=int(values.size),
        percentile=float((values < values[cell]).mean()),
        distance=None if peak is None else float(np.hypot(row - peak.position[0], column - peak.position[1])),
    )


def _nearest(position: float, offset: float, stride: float, n: int) -> int:
    return min(max(round((position - offset) / stride), 0), n - 1)
