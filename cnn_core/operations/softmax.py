"""Softmax: logits to probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .explanation import Terms, UnitExplanation, tex, tex_index
from .registry import Call, Kind, Shape, Unit, register


def _read(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return {"dim": int(arguments["dim"])}


def explain_softmax(unit: Unit) -> UnitExplanation:
    """One term exp(logit - largest logit) for each class; the unit is its own term divided by the sum of all."""
    (source,) = unit.inputs
    axis = unit.attributes["dim"] % (len(unit.index) + 1) - 1
    line = np.moveaxis(source.array, axis, -1)[unit.index[:axis] + unit.index[axis + 1 :]].astype(np.float64)
    k = unit.index[axis]
    exponentials = np.exp(line - line.max())
    total = math.fsum(exponentials.tolist())
    computed = float(exponentials[k]) / total
    indices = np.repeat(np.array([unit.index], dtype=np.int64), len(line), axis=0)
    indices[:, axis] = np.arange(len(line))
    logit, largest = float(line[k]), float(line.max())
    symbol = rf"p_{{{tex_index(unit.index)}}} = \frac{{e^{{z_{{{k}}}}}}}{{\sum_j e^{{z_j}}}}"
    top = rf"e^{{{tex(logit)} - {'(' if largest < 0 else ''}{tex(largest)}{')' if largest < 0 else ''}}}"
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"{symbol} = \frac{{{top}}}{{{tex(total)}}} = {tex(computed)}",
        combine="function",
        terms=Terms(exponentials, source.name, indices, lambda i: f"class {i}"),
        note="The largest logit is subtracted from all first: that changes nothing, and the exponentials stay small.",
    )


def _title(call: Call) -> str:
    return "Softmax: logits to probabilities"


register(
    Kind(
        key="softmax",
        formula=r"p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}",
        title=_title,
        short_title=lambda call: "Softmax",
        explain=explain_softmax,
        modules={nn.Softmax: lambda m: {"dim": int(m.dim)}},
        functions={F.softmax: ("input", "dim"), torch.softmax: ("input", "dim"), "softmax": ("input", "dim")},
        read=_read,
        reach=lambda call: "point" if "row" in call.input_axes[0] else "global",
        recorded=True,
    )
)
