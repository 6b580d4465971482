"""Fully connected layers: one product for each input number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import nn

from .explanation import Terms, UnitExplanation, tex, tex_index, tex_sum
from .registry import Axes, Call, Kind, Reach, Shape, Unit, register


def _from_module(module: nn.Linear) -> dict[str, Any]:
    return {
        "in_features": module.in_features,
        "out_features": module.out_features,
        "bias": module.bias is not None,
    }


def _from_function(_: dict[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    return {"in_features": shapes["weight"][1], "out_features": shapes["weight"][0], "bias": "bias" in shapes}


def _title(call: Call) -> str:
    a = call.attributes
    at = " at each position" if len(call.output_shape) > 1 else ""
    return f"Fully connected layer{at}, {a['in_features']} → {a['out_features']}"


def _axes(call: Call) -> Axes:
    return (*call.input_axes[0][:-1], call.input_axes[0][-1] if len(call.output_shape) > 1 else "feature")


def _reach(call: Call) -> Reach:
    # On (row, column, channel) it is a 1x1 convolution; on a vector every output reads every input.
    return "point" if "row" in call.input_axes[0] else "global"


def explain_linear(unit: Unit) -> UnitExplanation:
    """One term for each input number: weight times value."""
    a, (source,) = unit.attributes, unit.inputs
    *place, k = unit.index
    x = source.array[tuple(place)]
    weights = unit.parameters["weight"][k]
    values = weights.astype(np.float64) * x
    bias = float(unit.parameters["bias"][k]) if a["bias"] else None
    computed = math.fsum(values.tolist()) + (bias or 0.0)
    indices = np.empty((len(x), len(unit.index)), dtype=np.int64)
    indices[:, :-1], indices[:, -1] = place, np.arange(len(x))
    subscript = tex_index(unit.index)
    at = tex_index((*place,)) + r",\," if place else ""
    product = rf"w_{{{k},\,i}}\, x_{{{at}i}}" + (f" + b_{{{k}}}" if a["bias"] else "")
    symbol = rf"y_{{{subscript}}} = \sum_{{i=0}}^{{{len(x) - 1}}} {product}"
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=f"{symbol} = {tex_sum(values, bias)} = {tex(computed)}",
        combine="sum",
        terms=Terms(
            values,
            source.name,
            indices,
            lambda i: f"input {i}",
            np.asarray(x).reshape(-1, 1, 1),
            weights.reshape(-1, 1, 1),
        ),
        bias=bias,
        note=f"{len(x)} products, one for each input.",
    )


register(
    Kind(
        key="linear",
        formula=r"y_k = b_k + \sum_i w_{k,i}\; x_i",
        title=_title,
        short_title=lambda call: f"Linear {call.attributes['out_features']}",
        explain=explain_linear,
        modules={nn.Linear: _from_module},
        functions={F.linear: ("input", "weight", "bias")},
        read=_from_function,
        reach=_reach,
        axes=_axes,
        macs=lambda call: math.prod(call.output_shape) * call.attributes["in_features"],
        recorded=True,
    )
)
