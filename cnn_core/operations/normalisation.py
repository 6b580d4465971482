"""Batch normalisation in eval mode (a scale and a shift for each channel) and layer normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import nn

from .explanation import Term, Terms, UnitExplanation, tex, tex_factor, tex_in_sum, tex_index
from .registry import Call, Kind, Reach, Shape, Unit, register


def _from_batch_norm(m: nn.BatchNorm2d | nn.BatchNorm1d) -> dict[str, Any]:
    return {"num_features": m.num_features, "eps": float(m.eps), "affine": m.affine}


def _read_batch_norm(a: dict[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    features = shapes.get("running_mean", (0,))[0]
    return {"num_features": features, "eps": a.get("eps", 1e-5), "affine": "weight" in shapes}


def explain_batch_norm(unit: Unit) -> UnitExplanation:
    """One term, the scaled input; the bias is the shift: beta - gamma mean / sqrt(variance + eps)."""
    channel, (source,) = unit.index[0], unit.inputs
    x = float(source.array[unit.index])
    mean, variance = (float(unit.parameters[n][channel]) for n in ("running_mean", "running_var"))
    gamma, beta = (
        float(unit.parameters[n][channel]) if n in unit.parameters else default
        for n, default in (("weight", 1.0), ("bias", 0.0))
    )
    eps = unit.attributes["eps"]
    scale = gamma / math.sqrt(variance + eps)
    shift = beta - mean * scale
    computed = x * scale + shift
    fraction = rf"\frac{{{tex(x)}{tex_in_sum(-mean)}}}{{\sqrt{{{tex(variance)}{tex_in_sum(eps)}}}}}"
    symbol = rf"y_{{{tex_index(unit.index)}}} = \gamma\,\frac{{x - \mu}}{{\sqrt{{\sigma^2 + \epsilon}}}} + \beta"
    window, weight = (np.full((1, 1), v, dtype=np.float32) for v in (x, scale))
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"{symbol} = {tex_factor(gamma)} \cdot {fraction}{tex_in_sum(beta)} = {tex(computed)}",
        combine="sum",
        terms=(Term("input times scale", x * scale, source.name, unit.index, window, weight),),
        bias=shift,
        note=f"When predicting, this is {scale:.4g} times the input, plus {shift:.4g}: one line for each channel.",
    )


def _from_layer_norm(m: nn.LayerNorm) -> dict[str, Any]:
    return {"normalized_shape": tuple(m.normalized_shape), "eps": float(m.eps), "affine": m.elementwise_affine}


def _read_layer_norm(a: dict[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    shape = tuple(int(n) for n in a["normalized_shape"])
    return {"normalized_shape": shape, "eps": a.get("eps", 1e-5), "affine": "weight" in shapes}


def _layer_norm_reach(call: Call) -> Reach:
    normalised = call.input_axes[0][-len(call.attributes["normalized_shape"]) :]
    return "global" if {"row", "column"} & set(normalised) else "point"


def explain_layer_norm(unit: Unit) -> UnitExplanation:
    """One term for each normalised value: with the standard deviation taken as a number the unit is a sum of them.

    y_i = gamma_i (x_i - mean) / sigma + beta_i, and mean = sum_j x_j / n, so x_j has the weight
    (1[i = j] - 1/n) gamma_i / sigma. sigma itself is computed from the same values.
    """
    (source,) = unit.inputs
    n_axes = len(unit.attributes["normalized_shape"])
    place, within = unit.index[:-n_axes], unit.index[-n_axes:]
    x = source.array[place].astype(np.float64)
    mean, variance, eps = float(x.mean()), float(x.var()), unit.attributes["eps"]
    gamma = float(unit.parameters["weight"][within]) if "weight" in unit.parameters else 1.0
    beta = float(unit.parameters["bias"][within]) if "bias" in unit.parameters else None
    scale = gamma / math.sqrt(variance + eps)
    own = int(np.ravel_multi_index(within, x.shape))
    weights = np.full(x.size, -scale / x.size)
    weights[own] += scale
    flat = x.reshape(-1)
    values = weights * flat
    computed = math.fsum(values.tolist()) + (beta or 0.0)
    indices = np.empty((x.size, len(unit.index)), dtype=np.int64)
    indices[:, : len(place)] = place
    indices[:, len(place) :] = np.stack(np.unravel_index(np.arange(x.size), x.shape), axis=1)
    fraction = rf"\frac{{{tex(float(flat[own]))}{tex_in_sum(-mean)}}}{{\sqrt{{{tex(variance)}{tex_in_sum(eps)}}}}}"
    symbol = rf"y_{{{tex_index(unit.index)}}} = \gamma\,\frac{{x - \mu}}{{\sqrt{{\sigma^2 + \epsilon}}}} + \beta"
    shift = "" if beta is None else tex_in_sum(beta)
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"{symbol} = {tex_factor(gamma)} \cdot {fraction}{shift} = {tex(computed)}",
        combine="sum",
        terms=Terms(
            values,
            source.name,
            indices,
            lambda i: "this value" if i == own else f"value {i}, through the mean",
            flat.reshape(-1, 1, 1),
            weights.reshape(-1, 1, 1),
        ),
        bias=beta,
        note=f"Mean {mean:.4g} and standard deviation {math.sqrt(variance):.4g} of the {x.size} values at this place.",
    )


def _batch_norm(key: str, module: type[nn.Module], functions: Mapping[Any, tuple[str, ...]]) -> Kind:
    return Kind(
        key=key,
        formula=r"y_c = \gamma_c\,\frac{x_c - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c",
        title=lambda call: "Batch normalisation",
        short_title=lambda call: "BatchNorm",
        explain=explain_batch_norm,
        modules={module: _from_batch_norm},
        functions=functions,
        read=_read_batch_norm,
        keeps_shape=True,
        # Without running statistics it normalises by the batch at hand, which is other arithmetic.
        accepts=lambda call: "running_mean" in call.parameter_shapes,
    )


_ARGUMENTS = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")

register(_batch_norm("batch_norm2d", nn.BatchNorm2d, {F.batch_norm: _ARGUMENTS}))
register(_batch_norm("batch_norm1d", nn.BatchNorm1d, {}))
register(
    Kind(
        key="layer_norm",
        formula=r"y_c = \gamma_c\,\frac{x_c - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_c",
        title=lambda call: "Layer normalisation",
        short_title=lambda call: "LayerNorm",
        explain=explain_layer_norm,
        modules={nn.LayerNorm: _from_layer_norm},
        functions={F.layer_norm: ("input", "normalized_shape", "weight", "bias", "eps")},
        read=_read_layer_norm,
        reach=_layer_norm_reach,
    )
)
