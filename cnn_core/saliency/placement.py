"""Where a map's cells lie on the picture: at their receptive fields' centres, not stretched to its corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Placement:
    """Cell (row, column) of a map is centred at offset + stride * (row, column), in input pixels.

    Input pixel i spans [i, i + 1) and has its centre at i + 0.5. The centres are those of the receptive fields
    (Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019).

    offset, stride: (row, column) in input pixels. input_size: (height, width) of the model's input.
    """

    offset: tuple[float, float]
    stride: tuple[float, float]
    input_size: tuple[int, int]

    def centre(self, row: float, column: float) -> tuple[float, float]:
        """The position (row, column) in input pixels of a cell's centre; it may lie outside the picture."""
        return (self.offset[0] + self.stride[0] * row, self.offset[1] + self.stride[1] * column)

    def shift(self, map_size: tuple[int, int]) -> tuple[float, float]:
        """How far stretching misplaces the cell in the middle of a map, (row, column) in input pixels.

        +15.5 means that stretching draws it 15.5 pixels too far down (or right).
        """
        middle = self.centre((map_size[0] - 1) / 2, (map_size[1] - 1) / 2)
        return (self.input_size[0] / 2 - middle[0], self.input_size[1] / 2 - middle[1])


def draw_aligned(values: NDArray[np.floating], placement: Placement, size: tuple[int, int]) -> NDArray[np.float32]:
    """Draw a map (h, w) over a picture of `size` (height, width) with each cell at its receptive field's centre.

    Bilinear between centres; beyond the outermost centres the nearest cell is kept. Every result is a weighted mean
    of cells, so nothing overshoots. `size` may differ from the model's input: the picture is then a scaled view of it.
    """
    return _interpolate(values, *_positions(placement, size))


def aligned_weights(
    placement: Placement, cells: Sequence[int], size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrices (height, h) and (width, w) with which `draw_aligned` is rows @ values @ columns.T."""
    rows, columns = _positions(placement, size)
    return _weights(rows, cells[0]), _weights(columns, cells[1])


def spread(values: NDArray[np.floating], placement: Placement, size: tuple[int, int]) -> NDArray[np.float64]:
    """Each cell's amount divided among the pixels that `draw_aligned` would give a share of it; float64 (H, W).

    The sum over all pixels is the sum over all cells, which drawing does not keep: it repeats a value, and this splits
    it. A cell that no pixel would show goes to the nearest one.
    """
    shares = []
    for axis, weights in enumerate(aligned_weights(placement, values.shape, size)):
        totals = weights.sum(axis=0)
        for cell in np.flatnonzero(totals == 0):
            position = (placement.offset[axis] + placement.stride[axis] * cell) * size[axis]
            pixel = int(np.clip(position / placement.input_size[axis], 0, size[axis] - 1))
            weights[pixel, cell] = totals[cell] = 1.0
        shares.append(weights / totals)
    return np.asarray(shares[0] @ np.asarray(values, dtype=np.float64) @ shares[1].T)


def read_at(
    values: NDArray[np.floating], placement: Placement, onto: Placement, cells: tuple[int, int]
) -> NDArray[np.float32]:
    """A map read, as `draw_aligned` draws it, at the centres of another map's cells: float32 of that map's shape."""
    rows, columns = (
        (onto.offset[axis] + onto.stride[axis] * np.arange(cells[axis]) - placement.offset[axis])
        / placement.stride[axis]
        for axis in (0, 1)
    )
    return _interpolate(values, rows, columns)


def _positions(placement: Placement, size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a picture's pixel centres lie in cells of a map, down and across."""
    down, across = (
        ((np.arange(size[axis]) + 0.5) * placement.input_size[axis] / size[axis] - placement.offset[axis])
        / placement.stride[axis]
        for axis in (0, 1)
    )
    return down, across


def draw_stretched(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Draw a map (h, w) over a picture as most tools do: its corners on the picture's corners, bilinear.

    The same numbers as torch's `interpolate(mode="bilinear", align_corners=False)` when enlarging.
    """
    positions = [(np.arange(size[axis]) + 0.5) * values.shape[axis] / size[axis] - 0.5 for axis in (0, 1)]
    return _interpolate(values, *positions)


def _interpolate(
    values: NDArray[np.floating], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.float32]:
    source = np.asarray(values, dtype=np.float64)
    drawn = _weights(rows, source.shape[0]) @ source @ _weights(columns, source.shape[1]).T
    # A mean of cells lies between them; the clip only takes off the last bit of float rounding.
    return np.clip(drawn, source.min(), source.max()).astype(np.float32)


def _weights(positions: NDArray[np.floating], n_cells: int) -> NDArray[np.float64]:
    """The matrix (n_positions, n_cells) that reads a row of cells at fractional positions, clamped at both ends."""
    clamped = np.clip(positions, 0.0, n_cells - 1.0)
    low = np.minimum(np.floor(clamped).astype(np.intp), n_cells - 1)
    high = np.minimum(low + 1, n_cells - 1)
    share = clamped - low
    matrix = np.zeros((len(positions), n_cells))
    each = np.arange(len(positions))
    np.add.at(matrix, (each, low), 1.0 - share)
    np.add.at(matrix, (each, high), share)
    return matrix
