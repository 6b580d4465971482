"""Two-dimensional convolution, grouped, depthwise or dilated: the products of each channel's window and kernel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import nn

from .explanation import Terms, UnitExplanation, tex, tex_index, tex_sum
from .registry import Call, Kind, Shape, Unit, maps_axes, register
from .windows import first_cell, gather, pair, stride_words, times, window_positions


def _start_padding(padding: Any, kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Padding before the first row and column; "same" puts the odd one behind (torch's rule)."""
    if padding == "valid":
        return (0, 0)
    if padding == "same":
        return (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
    return pair(padding)


def _from_module(module: nn.Conv2d) -> dict[str, Any]:
    kernel, dilation = pair(module.kernel_size), pair(module.dilation)
    return {
        "in_channels": module.in_channels,
        "out_channels": module.out_channels,
        "kernel_size": kernel,
        "stride": pair(module.stride),
        "padding": _start_padding(module.padding, kernel, dilation),
        "dilation": dilation,
        "groups": module.groups,
        "bias": module.bias is not None,
        "padding_mode": module.padding_mode,
    }


def _from_function(arguments: dict[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    out_channels, per_group, *kernel = shapes["weight"]
    groups = arguments.get("groups", 1)
    dilation = pair(arguments.get("dilation", 1))
    return {
        "in_channels": per_group * groups,
        "out_channels": out_channels,
        "kernel_size": pair(kernel),
        "stride": pair(arguments.get("stride", 1)),
        "padding": _start_padding(arguments.get("padding", 0), pair(kernel), dilation),
        "dilation": dilation,
        "groups": groups,
        "bias": "bias" in shapes,
        "padding_mode": "zeros",
    }


def _is_depthwise(a: Mapping[str, Any]) -> bool:
    return bool(a["groups"] == a["in_channels"] > 1)


def _title(call: Call) -> str:
    a = call.attributes
    size, stride = times(a["kernel_size"]), stride_words(a["stride"])[0]
    dilation = "" if a["dilation"] == (1, 1) else f", dilation {a['dilation'][0]}"
    if _is_depthwise(a):
        return f"Depthwise convolution {size}, {a['out_channels']} channels{stride}{dilation}"
    if a["groups"] > 1:
        filters = f"{a['out_channels']} filters in {a['groups']} groups"
        return f"Grouped convolution {size}, {filters}{stride}{dilation}"
    return f"Convolution {size}, {a['out_channels']} filters{stride}{dilation}"


def _short_title(call: Call) -> str:
    a = call.attributes
    word = "Depthwise" if _is_depthwise(a) else "Conv"
    return f"{word} {times(a['kernel_size'])}{stride_words(a['stride'])[1]}"


def _macs(call: Call) -> int:
    return math.prod(call.output_shape) * _products(call)


def _products(call: Call) -> int:
    """How many products make one output number."""
    a = call.attributes
    return int(a["in_channels"] // a["groups"] * a["kernel_size"][0] * a["kernel_size"][1])


def explain_conv2d(unit: Unit) -> UnitExplanation:
    """One term for each input channel of the filter's group: the sum of window times kernel."""
    a, (source,) = unit.attributes, unit.inputs
    k, row, column = unit.index
    kernels = unit.parameters["weight"][k]
    channels = len(kernels)
    start = k // (a["out_channels"] // a["groups"]) * channels
    rows, columns = window_positions(a, row, column)
    windows, padded = gather(source.array[start : start + channels], rows, columns, a["padding_mode"])
    products = windows.astype(np.float64) * kernels
    values = products.sum(axis=(1, 2))
    bias = float(unit.parameters["bias"][k]) if a["bias"] else None
    computed = math.fsum(values.tolist()) + (bias or 0.0)
    first = first_cell(a, row, column)
    indices = np.empty((channels, 3), dtype=np.int64)
    indices[:, 0], indices[:, 1:] = np.arange(start, start + channels), first
    # A lone channel's products are shown one by one; many channels are shown as their sums.
    shown = values if channels > 1 else products.reshape(-1)
    symbol = _symbols(a, unit.index, start, channels)
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=f"{symbol} = {tex_sum(shown, bias)} = {tex(computed)}",
        combine="sum",
        terms=Terms(values, source.name, indices, "channel {0}", windows, kernels, padded),
        bias=bias,
        note=_note(a, channels, padded),
    )


def _symbols(a: Mapping[str, Any], index: tuple[int, ...], start: int, channels: int) -> str:
    """The sum in symbols, with this unit's places: input channel c, and kernel channel c less the group's first."""
    k = index[0]
    channel, within = ("c", f"c-{start}" if start else "c") if channels > 1 else (str(start), "0")
    over = rf"\sum_{{c={start}}}^{{{start + channels - 1}}} " if channels > 1 else ""
    steps = (f"{d if d > 1 else ''}{letter}" for d, letter in zip(a["dilation"], "ij", strict=True))
    places = r",\,".join(f"{p}+{step}" for p, step in zip(first_cell(a, *index[1:]), steps, strict=True))
    bias = f" + b_{{{k}}}" if a["bias"] else ""
    product = rf"w_{{{k},\,{within},\,i,\,j}}\, x_{{{channel},\,{places}}}"
    return rf"y_{{{tex_index(index)}}} = {over}\sum_{{i,j}} {product}{bias}"


def _note(a: Mapping[str, Any], channels: int, padded: Any) -> str:
    cells = channels * a["kernel_size"][0] * a["kernel_size"][1]
    text = f"{cells} products" if cells > 1 else "One product"
    text += f" from {channels} input channel{'s' if channels > 1 else ''}"
    if padded.any() and a["padding_mode"] == "zeros":
        text += f"; {int(padded.sum())} of the window's {padded.size} cells lie in the padding and count as 0"
    return text + "."


register(
    Kind(
        key="conv2d",
        formula=r"y_{k,r,s} = b_k + \sum_{c} \sum_{i,j} w_{k,c,i,j}\; x_{c,\; rS+iD-P,\; sS+jD-P}",
        title=_title,
        short_title=_short_title,
        explain=explain_conv2d,
        modules={nn.Conv2d: _from_module},
        functions={
            F.conv2d: ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
        },
        read=_from_function,
        reach="window",
        axes=maps_axes,
        macs=_macs,
        # A depthwise convolution, or one of a few channels, is sooner computed again than its memory is fetched.
        recorded=lambda call: _products(call) >= 32,
    )
)
