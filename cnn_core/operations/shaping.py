"""Operations that only move or pass on values: flatten, view, permute, chunk, dropout when predicting and so on."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth
from torchvision.ops.stochastic_depth import stochastic_depth

from .explanation import Term, UnitExplanation, tex, tex_index
from .registry import Axes, Call, Kind, Reach, Shape, Unit, anonymous_axes, no_attributes, register, same_axes

Place = tuple[int, ...]


def split_point(input: Tensor, pieces: Any, dim: int = 0) -> Tensor:
    """The operation `chunk` (or `split`) before its parts are taken: the whole tensor, as it is."""
    return input


def take_part(input: Tensor, pieces: Any, dim: int, part: int, way: str) -> Tensor:
    """One part of `torch.chunk` (way "chunk") or of `torch.split` (way "split")."""
    return (input.chunk(pieces, dim) if way == "chunk" else input.split(pieces, dim))[part]


def _copy(place_of: Callable[[Unit, Shape], Place], note: Callable[[Unit], str]) -> Callable[[Unit], UnitExplanation]:
    """An explain function: the unit is the value that stands at place_of(unit, shape of the input) in the input."""

    def explain(unit: Unit) -> UnitExplanation:
        (source,) = unit.inputs
        place = place_of(unit, source.array.shape)
        x = float(source.array[place])
        return UnitExplanation(
            operation=unit.operation.name,
            kind=unit.operation.kind,
            index=unit.index,
            value=unit.value,
            computed=x,
            formula=rf"y_{{{tex_index(unit.index)}}} = x_{{{tex_index(place)}}} = {tex(x)}",
            combine="copy",
            terms=(Term("input", x, source.name, place),),
            note=note(unit),
        )

    return explain


def _same_place(unit: Unit, shape: Shape) -> Place:
    return unit.index


def _row_major_place(unit: Unit, shape: Shape) -> Place:
    """flatten, view, reshape, squeeze: the order of the values, last axis fastest, stays the same."""
    return tuple(int(i) for i in np.unravel_index(np.ravel_multi_index(unit.index, unit.output_shape), shape))


def _permuted_place(unit: Unit, shape: Shape) -> Place:
    place = [0] * len(shape)
    for axis, source_axis in enumerate(unit.attributes["order"]):
        place[source_axis] = unit.index[axis]
    return tuple(place)


def _part_offset(a: Mapping[str, Any], size: int) -> int:
    """Where part number a["part"] begins on an axis of this size, by torch's rules of chunk and split."""
    if isinstance(a["pieces"], tuple):
        return sum(a["pieces"][: a["part"]])
    step = a["pieces"] if a["way"] == "split" else -(-size // a["pieces"])
    return int(step * a["part"])


def _item_place(unit: Unit, shape: Shape) -> Place:
    a = unit.attributes
    if "part" in a:
        axis = a["dim"] % (len(shape) + 1) - 1
        offset = _part_offset(a, shape[axis])
        return tuple(i + offset if n == axis else i for n, i in enumerate(unit.index))
    # Any other index: look up which flat position lands there.
    flat = np.arange(int(np.prod(shape))).reshape((1, *shape))[a["key"]]
    return tuple(int(i) for i in np.unravel_index(int(flat[(0, *unit.index)]), shape))


def _read_order(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    """permute's dims as the order of the axes without the batch axis."""
    dims = arguments["dims"]
    return {"order": tuple(int(d) % len(dims) - 1 for d in dims if int(d) % len(dims) != 0)}


def _permuted_axes(call: Call) -> Axes:
    return tuple(call.input_axes[0][i] for i in call.attributes["order"])


def _transposed_place(unit: Unit, shape: Shape) -> Place:
    place = list(unit.index)
    first, second = _swapped(unit.attributes, len(place))
    place[first], place[second] = place[second], place[first]
    return tuple(place)


def _swapped(a: Mapping[str, Any], rank: int) -> tuple[int, int]:
    return a["dim0"] % (rank + 1) - 1, a["dim1"] % (rank + 1) - 1


def _transposed_axes(call: Call) -> Axes:
    axes = list(call.input_axes[0])
    first, second = _swapped(call.attributes, len(axes))
    axes[first], axes[second] = axes[second], axes[first]
    return tuple(axes)


def _viewed_axes(call: Call) -> Axes:
    """Rows and columns that a view leaves last keep their names; channels may be dealt into groups and joined again."""
    (shape,), (axes,), out = call.input_shapes, call.input_axes, call.output_shape
    if out == shape:
        return axes
    if axes[-2:] == ("row", "column") and out[-2:] == shape[-2:] and len(out) in (3, 4):
        return (*(("channel",) if len(out) == 3 else ("group", "channel")), "row", "column")
    return anonymous_axes(out)


def _view_reach(call: Call) -> Reach:
    return "point" if "row" not in call.input_axes[0] or "row" in _viewed_axes(call) else "global"


def _item_axes(call: Call) -> Axes:
    key = call.attributes.get("key")
    axes = call.input_axes[0]
    if key is None or call.output_shape == call.input_shapes[0]:
        return axes
    key = key if isinstance(key, tuple) else (key,)
    if any(not isinstance(k, (int, slice)) for k in key):
        return anonymous_axes(call.output_shape)
    dropped = {n - 1 for n, k in enumerate(key) if isinstance(k, int)}
    return tuple(a for n, a in enumerate(axes) if n not in dropped)


def _item_reach(call: Call) -> Reach:
    kept = tuple(zip(_item_axes(call), call.output_shape, strict=False))
    before = dict(zip(call.input_axes[0], call.input_shapes[0], strict=True))
    same = all(before.get(a) == n for a, n in kept if a in ("row", "column"))
    return "point" if same and ("row" not in before or "row" in dict(kept)) else "global"


def _unsqueezed_axes(call: Call) -> Axes:
    if call.input_axes[0] == ("row", "column") and len(call.output_shape) == 3:
        return ("channel", "row", "column")
    return anonymous_axes(call.output_shape)


def _item_title(call: Call) -> str:
    a, (before,), after = call.attributes, call.input_shapes, call.output_shape
    if "part" in a:
        known = a["way"] == "chunk" or isinstance(a["pieces"], tuple)
        count = len(a["pieces"]) if isinstance(a["pieces"], tuple) else a["pieces"]
        return f"Part {a['part'] + 1}{f' of {count}' if known else ''}, {after[0]} channels"
    return f"Take {after[0]} of {before[0]} channels" if len(after) == len(before) else "Take one channel"


def _read_split_point(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    pieces = arguments["pieces"]
    return {"pieces": tuple(pieces) if isinstance(pieces, (list, tuple)) else pieces, "dim": arguments.get("dim", 0)}


def _read_item(arguments: dict[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    if "part" not in arguments:
        key = arguments["key"]
        return {"key": tuple(key) if isinstance(key, (tuple, list)) else key}
    return _read_split_point(arguments, shapes) | {"part": arguments["part"], "way": arguments["way"]}


def _title_of_split(call: Call) -> str:
    pieces = call.attributes["pieces"]
    return f"Split into {len(pieces) if isinstance(pieces, tuple) else pieces} parts"


def _shape_words(shape: Shape) -> str:
    return "×".join(str(n) for n in shape)


def _off(word: str) -> Callable[[Call], str]:
    return lambda call: f"{word} (off when predicting)"


def _nothing(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return {}


def _rate(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return {"p": float(arguments.get("p", 0.5))}


_DROPOUT = ("input", "p", "training", "inplace")
_DROPOUTS: tuple[type[nn.Module], ...] = (nn.Dropout, nn.Dropout2d, nn.AlphaDropout)

register(
    Kind(
        key="dropout",
        formula="y = x",
        title=_off("Dropout"),
        short_title=lambda call: "Dropout",
        explain=_copy(_same_place, lambda unit: "Dropout works in training only; here the value passes unchanged."),
        modules={m: lambda module: {"p": float(module.p)} for m in _DROPOUTS},
        functions={F.dropout: _DROPOUT, F.dropout2d: _DROPOUT},
        read=_rate,
        keeps_shape=True,
    )
)
register(
    Kind(
        key="stochastic_depth",
        formula="y = x",
        title=_off("Stochastic depth"),
        short_title=lambda call: "Stochastic depth",
        explain=_copy(_same_place, lambda unit: "Whole branches are dropped in training only; here nothing changes."),
        modules={StochasticDepth: lambda module: {"p": float(module.p)}},
        functions={stochastic_depth: ("input", "p", "mode", "training")},
        read=_rate,
        keeps_shape=True,
    )
)
register(
    Kind(
        key="identity",
        formula="y = x",
        title=lambda call: "Identity",
        short_title=lambda call: "Identity",
        explain=_copy(_same_place, lambda unit: "The value passes unchanged."),
        modules={nn.Identity: no_attributes},
        functions={"contiguous": ("input",), "clone": ("input",), torch.clone: ("input",), "detach": ("input",)},
        read=_nothing,
    )
)
register(
    Kind(
        key="flatten",
        formula=r"y_{(cH + r)W + s} = x_{c,r,s}",
        title=lambda call: f"Flatten to {call.output_shape[0]} numbers",
        short_title=lambda call: "Flatten",
        explain=_copy(_row_major_place, lambda unit: "All values in one row: channel by channel, row by row."),
        modules={nn.Flatten: no_attributes},
        functions=dict.fromkeys((torch.flatten, "flatten"), ("input", "start_dim", "end_dim")),
        read=_nothing,
        reach=_view_reach,
        axes=_viewed_axes,
    )
)
register(
    Kind(
        key="view",
        formula=r"y = \mathrm{reshape}(x)",
        title=lambda call: f"Reshape to {_shape_words(call.output_shape)}",
        short_title=lambda call: "Reshape",
        explain=_copy(_row_major_place, lambda unit: "The values keep their order; only the shape changes."),
        functions={
            "view": ("input", "*size"),
            "reshape": ("input", "*size"),
            torch.reshape: ("input", "*size"),
            "squeeze": ("input", "*size"),
            torch.squeeze: ("input", "*size"),
        },
        read=_nothing,
        reach=_view_reach,
        axes=_viewed_axes,
    )
)
register(
    Kind(
        key="unsqueeze",
        formula=r"y = \mathrm{reshape}(x)",
        title=lambda call: f"Add an axis: {_shape_words(call.output_shape)}",
        short_title=lambda call: "Add an axis",
        explain=_copy(_row_major_place, lambda unit: "The values keep their order; only the shape changes."),
        functions={"unsqueeze": ("input", "dim"), torch.unsqueeze: ("input", "dim")},
        axes=_unsqueezed_axes,
    )
)
register(
    Kind(
        key="permute",
        formula=r"y_{r,s,c} = x_{c,r,s}",
        title=lambda call: f"Reorder axes to ({', '.join(_permuted_axes(call))})",
        short_title=lambda call: "Reorder axes",
        explain=_copy(_permuted_place, lambda unit: "The axes change places; no value changes."),
        functions={"permute": ("input", "*dims"), torch.permute: ("input", "*dims")},
        read=_read_order,
        axes=_permuted_axes,
    )
)
register(
    Kind(
        key="transpose",
        formula=r"y_{\ldots j \ldots i \ldots} = x_{\ldots i \ldots j \ldots}",
        title=lambda call: f"Swap axes to ({', '.join(_transposed_axes(call))})",
        short_title=lambda call: "Swap axes",
        explain=_copy(_transposed_place, lambda unit: "Two axes change places; no value changes."),
        functions={"transpose": ("input", "dim0", "dim1"), torch.transpose: ("input", "dim0", "dim1")},
        axes=_transposed_axes,
    )
)
register(
    Kind(
        key="chunk",
        formula=r"[\,y^{(1)};\; y^{(2)};\; \ldots\,] = x",
        title=_title_of_split,
        short_title=lambda call: "Split",
        explain=_copy(_same_place, lambda unit: "The whole before its parts are taken; no value changes."),
        functions={split_point: ("input", "pieces", "dim")},
        read=_read_split_point,
    )
)
register(
    Kind(
        key="getitem",
        formula=r"y = x^{(i)}",
        title=_item_title,
        short_title=lambda call: f"Part {call.attributes['part'] + 1}" if "part" in call.attributes else "Take a part",
        explain=_copy(_item_place, lambda unit: "Copied from a part of the input."),
        functions={
            operator.getitem: ("input", "key"),
            take_part: ("input", "pieces", "dim", "part", "way"),
        },
        read=_read_item,
        reach=_item_reach,
        axes=lambda call: same_axes(call) if "part" in call.attributes else _item_axes(call),
    )
)
