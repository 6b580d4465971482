"""Where the windows of convolutions and poolings lie, and the values that stand in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .explanation import Array

Pair = tuple[int, int]


def pair(value: Any) -> Pair:
    """(rows, columns) from one number, or from a sequence of one or two."""
    if isinstance(value, (tuple, list)):
        return (int(value[0]), int(value[-1]))
    return (int(value), int(value))


def times(size: Pair) -> str:
    """A size for people: 3×3."""
    return f"{size[0]}×{size[1]}"


def stride_words(stride: Pair) -> tuple[str, str]:
    """(", stride 2", " /2") for a title and a short title; both empty where the stride is 1."""
    if stride == (1, 1):
        return "", ""
    text = str(stride[0]) if stride[0] == stride[1] else times(stride)
    return f", stride {text}", f" /{text}"


def first_cell(attributes: Mapping[str, Any], row: int, column: int) -> Pair:
    """The input cell (row, column) under the window's first element; negative in the padding."""
    stride, padding = attributes["stride"], attributes["padding"]
    return row * stride[0] - padding[0], column * stride[1] - padding[1]


def window_positions(attributes: Mapping[str, Any], row: int, column: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Input rows and input columns under the window of output cell (row, column); some may lie outside the input."""
    first = first_cell(attributes, row, column)
    kernel, dilation = attributes["kernel_size"], attributes["dilation"]
    rows, columns = (first[a] + dilation[a] * np.arange(kernel[a], dtype=np.intp) for a in (0, 1))
    return rows, columns


def inside(positions: NDArray[np.intp], size: int) -> NDArray[np.bool_]:
    """Which positions lie in the input, bool (n,)."""
    return (positions >= 0) & (positions < size)


def gather(maps: Array, rows: NDArray[np.intp], columns: NDArray[np.intp], mode: str = "zeros") -> tuple[Array, Array]:
    """The values (C, kH, kW) of maps (C, H, W) at rows x columns, and which of them are padding, bool (kH, kW).

    mode is torch's padding_mode: "zeros", "reflect", "replicate" or "circular".
    """
    height, width = maps.shape[1:]
    padded = ~(inside(rows, height)[:, None] & inside(columns, width)[None, :])
    if mode in ("zeros", "replicate"):
        rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    elif mode == "circular":
        rows, columns = rows % height, columns % width
    else:
        rows, columns = _reflected(rows, height), _reflected(columns, width)
    values = maps[:, rows[:, None], columns[None, :]]
    return np.where(padded, 0, values) if mode == "zeros" else values, padded


def _reflected(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    positions = np.abs(positions)
    return np.where(positions >= size, 2 * (size - 1) - positions, positions)


def adaptive_window(cell: int, n_in: int, n_out: int) -> Pair:
    """First input cell and the one after the last that output cell `cell` of n_out averages (torch's rule)."""
    return cell * n_in // n_out, -((-(cell + 1) * n_in) // n_out)
