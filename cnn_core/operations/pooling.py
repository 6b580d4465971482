"""Max and average pooling, adaptive pooling and means over axes: which cells are compared or averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from .explanation import Terms, UnitExplanation, tex, tex_index, tex_list, tex_sum
from .registry import Axes, Call, Kind, Operand, Reach, Shape, Unit, anonymous_axes, maps_axes, register
from .windows import adaptive_window, inside, pair, stride_words, times, window_positions


def _from_max(m: nn.MaxPool2d) -> dict[str, Any]:
    return _pool(m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode)


def _from_avg(m: nn.AvgPool2d) -> dict[str, Any]:
    pool = _pool(m.kernel_size, m.stride, m.padding, 1, m.ceil_mode)
    return pool | {"count_include_pad": m.count_include_pad, "divisor_override": m.divisor_override}


def _pool(kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> dict[str, Any]:
    return {
        "kernel_size": pair(kernel),
        "stride": pair(kernel if stride is None or stride == [] else stride),
        "padding": pair(padding),
        "dilation": pair(dilation),
        "ceil_mode": bool(ceil_mode),
    }


def _read_max(a: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return _pool(
        a["kernel_size"], a.get("stride"), a.get("padding", 0), a.get("dilation", 1), a.get("ceil_mode", False)
    )


def _read_avg(a: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    pool = _pool(a["kernel_size"], a.get("stride"), a.get("padding", 0), 1, a.get("ceil_mode", False))
    divisor = a.get("divisor_override")
    return pool | {"count_include_pad": a.get("count_include_pad", True), "divisor_override": divisor}


def _window_title(word: str) -> Any:
    def title(call: Call) -> str:
        a = call.attributes
        return f"{word} {times(a['kernel_size'])}{stride_words(a['stride'])[0]}"

    return title


def _window_short(word: str) -> Any:
    def title(call: Call) -> str:
        a = call.attributes
        return f"{word} {times(a['kernel_size'])}{stride_words(a['stride'])[1]}"

    return title


def _window_reach(call: Call) -> Reach:
    a, (_, height, width) = call.attributes, call.input_shapes[0]
    covers = call.output_shape[-2:] == (1, 1) and a["kernel_size"][0] >= height and a["kernel_size"][1] >= width
    return "global" if covers and (height, width) != (1, 1) else "window"


def _cells(unit: Unit) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the window, all of them and those that lie inside the input."""
    height, width = unit.inputs[0].array.shape[-2:]
    rows, columns = window_positions(unit.attributes, unit.index[-2], unit.index[-1])
    return rows, columns, rows[inside(rows, height)], columns[inside(columns, width)]


def _grid(channel: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.int64]:
    grid = np.stack(np.meshgrid([channel], rows, columns, indexing="ij"), axis=-1)
    return grid.reshape(-1, 3).astype(np.int64)


def _mean(unit: Unit, source: Operand, indices: NDArray[np.int64], divisor: float, note: str) -> UnitExplanation:
    """Terms x / divisor, so that they sum to the unit."""
    read = source.array[tuple(indices.T)]
    values = read.astype(np.float64) / divisor
    computed = math.fsum(values.tolist())
    # The sum is shown undivided: that is how a mean is written.
    inner = tex_sum(read.astype(np.float64))
    weights = np.full((len(values), 1, 1), 1 / divisor, dtype=np.float32)
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"y_{{{tex_index(unit.index)}}} = \frac{{{inner}}}{{{tex(divisor)}}} = {tex(computed)}",
        combine="mean",
        terms=Terms(values, source.name, indices, _place_label(indices), read.reshape(-1, 1, 1), weights),
        note=note,
    )


def _maximum(unit: Unit, source: Operand, indices: NDArray[np.int64]) -> UnitExplanation:
    values = source.array[tuple(indices.T)].astype(np.float64)
    winner = int(values.argmax())
    computed = float(values[winner])
    place = ", ".join(f"{axis} {int(i)}" for axis, i in zip(("row", "column"), indices[winner, -2:], strict=True))
    # The winner is shown first, then the others in reading order.
    shown = np.concatenate([values[[winner]], np.delete(values, winner)])
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"y_{{{tex_index(unit.index)}}} = \max({tex_list(shown)}) = {tex(computed)}",
        combine="max",
        terms=Terms(values, source.name, indices, _place_label(indices)),
        note=f"The largest of {len(values)} values, from {place}; values in the padding never win.",
    )


def _place_label(indices: NDArray[np.int64]) -> str:
    return "row {1}, column {2}" if indices.shape[1] == 3 else "input {0}"


def explain_max_pool2d(unit: Unit) -> UnitExplanation:
    """One term for each cell of the window inside the input; the largest is the unit."""
    *_, rows, columns = _cells(unit)
    return _maximum(unit, unit.inputs[0], _grid(unit.index[0], rows, columns))


def explain_avg_pool2d(unit: Unit) -> UnitExplanation:
    """One term for each cell of the window inside the input, divided by torch's count of cells."""
    a, (source,) = unit.attributes, unit.inputs
    rows, columns, inside_rows, inside_columns = _cells(unit)
    height, width = source.array.shape[-2:]
    # torch counts the padding, but not what ceil_mode adds beyond it.
    counted = int((rows < height + a["padding"][0]).sum()) * int((columns < width + a["padding"][1]).sum())
    n = len(inside_rows) * len(inside_columns)
    divisor = a["divisor_override"] or (counted if a["count_include_pad"] else n)
    note = f"The mean of {divisor} values" if divisor == n else f"{n} values summed and divided by {divisor}"
    if divisor == counted > n:
        note += f": {counted - n} cells of padding count as 0"
    return _mean(unit, source, _grid(unit.index[0], inside_rows, inside_columns), divisor, note + ".")


def _adaptive_cells(unit: Unit) -> NDArray[np.int64]:
    height, width = unit.inputs[0].array.shape[-2:]
    top, bottom = adaptive_window(unit.index[1], height, unit.output_shape[1])
    left, right = adaptive_window(unit.index[2], width, unit.output_shape[2])
    return _grid(unit.index[0], np.arange(top, bottom), np.arange(left, right))


def explain_adaptive_avg_pool2d(unit: Unit) -> UnitExplanation:
    """One term for each cell of the window that torch picks for this output cell."""
    cells = _adaptive_cells(unit)
    return _mean(unit, unit.inputs[0], cells, len(cells), f"The mean of {len(cells)} values.")


def explain_adaptive_max_pool2d(unit: Unit) -> UnitExplanation:
    """One term for each cell of the window that torch picks for this output cell; the largest is the unit."""
    return _maximum(unit, unit.inputs[0], _adaptive_cells(unit))


def _adaptive_title(word: str, short: bool) -> Any:
    def title(call: Call) -> str:
        if call.output_shape[-2:] == (1, 1):
            return f"Global {'avg' if short and word == 'average' else word} pool{'' if short else 'ing'}"
        size = times(pair(call.output_shape[-2:]))
        if short:
            return f"{'Avg' if word == 'average' else 'Max'} pool → {size}"
        return f"Adaptive {word} pooling to {size}"

    return title


def _adaptive_reach(call: Call) -> Reach:
    if call.output_shape[-2:] == (1, 1) and call.input_shapes[0][-2:] != (1, 1):
        return "global"
    return "adaptive"


def _from_adaptive(m: nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d) -> dict[str, Any]:
    return {"output_size": _output_size(m.output_size)}


def _output_size(size: Any) -> tuple[int | None, int | None]:
    return (size[0], size[-1]) if isinstance(size, (tuple, list)) else (size, size)


def _read_adaptive(a: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return {"output_size": _output_size(a["output_size"])}


def _read_mean(a: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    dims = a.get("dim")
    return {"dim": None if dims is None else _dims(dims), "keepdim": a.get("keepdim", False)}


def _dims(dims: Any) -> tuple[int, ...]:
    return tuple(dims) if isinstance(dims, (tuple, list)) else (int(dims),)


def _mean_dims(attributes: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """The averaged axes, counted without the batch axis."""
    dims = attributes["dim"]
    return tuple(range(rank)) if dims is None else tuple(sorted(d % (rank + 1) - 1 for d in dims))


def _is_global_mean(call: Call) -> bool:
    dims = _mean_dims(call.attributes, len(call.input_shapes[0]))
    return {"row", "column"} <= {call.input_axes[0][d] for d in dims}


def _mean_axes(call: Call) -> Axes:
    dims = _mean_dims(call.attributes, len(call.input_shapes[0]))
    if call.attributes["keepdim"]:
        return call.input_axes[0]
    rest = tuple(a for i, a in enumerate(call.input_axes[0]) if i not in dims)
    return ("feature",) if len(rest) == 1 else rest or anonymous_axes(call.output_shape)


def explain_mean(unit: Unit) -> UnitExplanation:
    """One term for each value along the averaged axes."""
    shape = unit.inputs[0].array.shape
    dims = _mean_dims(unit.attributes, len(shape))
    kept = iter(unit.index)
    if unit.attributes["keepdim"]:
        start = [None if i in dims else k for i, k in enumerate(unit.index)]
    else:
        start = [None if i in dims else next(kept) for i in range(len(shape))]
    ranges = [np.arange(n) if k is None else np.array([k]) for k, n in zip(start, shape, strict=True)]
    indices = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(shape)).astype(np.int64)
    return _mean(unit, unit.inputs[0], indices, len(indices), f"The mean of {len(indices)} values.")


_MAX_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVG_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")

register(
    Kind(
        key="max_pool2d",
        formula=r"y_{c,r,s} = \max_{i,j}\; x_{c,\; rS+iD-P,\; sS+jD-P}",
        title=_window_title("Max pooling"),
        short_title=_window_short("Max pool"),
        explain=explain_max_pool2d,
        modules={nn.MaxPool2d: _from_max},
        functions={F.max_pool2d: _MAX_ARGUMENTS, torch.max_pool2d: _MAX_ARGUMENTS[:-1]},
        read=_read_max,
        reach=_window_reach,
        axes=maps_axes,
        recorded=True,
    )
)
register(
    Kind(
        key="avg_pool2d",
        formula=r"y_{c,r,s} = \frac{1}{n} \sum_{i,j} x_{c,\; rS+i-P,\; sS+j-P}",
        title=_window_title("Average pooling"),
        short_title=_window_short("Avg pool"),
        explain=explain_avg_pool2d,
        modules={nn.AvgPool2d: _from_avg},
        functions={F.avg_pool2d: _AVG_ARGUMENTS},
        read=_read_avg,
        reach=_window_reach,
        axes=maps_axes,
        recorded=True,
    )
)
register(
    Kind(
        key="adaptive_avg_pool2d",
        formula=r"y_{c,r,s} = \frac{1}{n} \sum_{(i,j) \in \mathrm{cell}(r,s)} x_{c,i,j}",
        title=_adaptive_title("average", short=False),
        short_title=_adaptive_title("average", short=True),
        explain=explain_adaptive_avg_pool2d,
        modules={nn.AdaptiveAvgPool2d: _from_adaptive},
        functions={F.adaptive_avg_pool2d: ("input", "output_size")},
        read=_read_adaptive,
        reach=_adaptive_reach,
        axes=maps_axes,
        recorded=True,
    )
)
register(
    Kind(
        key="adaptive_max_pool2d",
        formula=r"y_{c,r,s} = \max_{(i,j) \in \mathrm{cell}(r,s)} x_{c,i,j}",
        title=_adaptive_title("max", short=False),
        short_title=_adaptive_title("max", short=True),
        explain=explain_adaptive_max_pool2d,
        modules={nn.AdaptiveMaxPool2d: _from_adaptive},
        functions={F.adaptive_max_pool2d: ("input", "output_size")},
        read=_read_adaptive,
        reach=_adaptive_reach,
        axes=maps_axes,
        recorded=True,
    )
)
register(
    Kind(
        key="mean",
        formula=r"y_c = \frac{1}{n} \sum_{i,j} x_{c,i,j}",
        title=lambda call: "Global average pooling (mean)" if _is_global_mean(call) else "Mean",
        short_title=lambda call: "Global avg pool" if _is_global_mean(call) else "Mean",
        explain=explain_mean,
        functions={torch.mean: ("input", "dim", "keepdim"), "mean": ("input", "dim", "keepdim")},
        read=_read_mean,
        reach=lambda call: "global" if _is_global_mean(call) else "point",
        axes=_mean_axes,
        recorded=True,
    )
)
