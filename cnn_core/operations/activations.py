"""Activation functions: one number in, one number out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .explanation import Term, UnitExplanation, tex, tex_factor, tex_index
from .registry import Kind, Shape, Unit, register

Function = Callable[[float, Mapping[str, Any]], float]


def _clip(x: float, low: float, high: float) -> float:
    # Written so that NaN stays NaN.
    return low if x < low else high if x > high else x


def _sigmoid(x: float) -> float:
    # Each branch only exponentiates a negative number, which cannot overflow.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _gelu(x: float, a: Mapping[str, Any]) -> float:
    if a.get("approximate", "none") == "tanh":
        return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def _elu(x: float, a: Mapping[str, Any]) -> float:
    return a["alpha"] * math.expm1(x) if x < 0 else x


def _activation(
    key: str,
    title: str,
    function: Function,
    general: str,
    shown: Callable[[str, str, Mapping[str, Any]], str],
    *,
    modules: Mapping[type[nn.Module], Callable[[Any], dict[str, Any]]],
    functions: Mapping[Callable[..., Any] | str, tuple[str, ...]],
    defaults: Mapping[str, Any] | None = None,
    words: Callable[[float, Mapping[str, Any]], str] | None = None,
) -> None:
    """Register one activation function.

    general: its formula in x; shown(x, factor, attributes): the same with the unit's number in LaTeX, as it is and in
    brackets where it is negative; words(x, attributes): what happened to this number, in a sentence.
    """

    def explain(unit: Unit) -> UnitExplanation:
        (source,), a = unit.inputs, unit.attributes
        read = source.array[unit.index]
        x = float(read)
        computed = function(x, a)
        formula = rf"y_{{{tex_index(unit.index)}}} = {shown(tex(x), tex_factor(x), a)} = {tex(computed)}"
        term = Term("input", x, source.name, unit.index, np.full((1, 1), read, dtype=np.float32))
        return UnitExplanation(
            operation=unit.operation.name,
            kind=unit.operation.kind,
            index=unit.index,
            value=unit.value,
            computed=computed,
            formula=formula,
            combine="function",
            terms=(term,),
            note=words(x, a) if words else "",
        )

    def read_arguments(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
        return {k: arguments.get(k, v) for k, v in (defaults or {}).items()}

    register(
        Kind(
            key=key,
            formula=f"y = {general}",
            title=lambda call: title,
            short_title=lambda call: title,
            explain=explain,
            modules=modules,
            functions=functions,
            read=read_arguments,
            keeps_shape=True,
        )
    )


def _none(_: nn.Module) -> dict[str, Any]:
    return {}


_IN_PLACE = ("input", "inplace")


def _relu_words(x: float, _: Mapping[str, Any]) -> str:
    return "Positive: passes unchanged." if x > 0 else "Not positive: becomes 0."


_activation(
    "relu",
    "ReLU",
    lambda x, a: _clip(x, 0.0, math.inf),
    r"\max(0, x)",
    lambda x, f, a: rf"\max(0,\, {x})",
    modules={nn.ReLU: _none},
    functions={F.relu: _IN_PLACE, torch.relu: ("input",), "relu": ("input",)},
    words=_relu_words,
)
_activation(
    "relu6",
    "ReLU6",
    lambda x, a: _clip(x, 0.0, 6.0),
    r"\min(\max(0, x), 6)",
    lambda x, f, a: rf"\min(\max(0,\, {x}),\, 6)",
    modules={nn.ReLU6: _none},
    functions={F.relu6: _IN_PLACE},
    words=lambda x, a: "Above 6: cut to 6." if x > 6 else _relu_words(x, a),
)
_activation(
    "leaky_relu",
    "Leaky ReLU",
    lambda x, a: x if x >= 0 else a["negative_slope"] * x,
    r"\max(0, x) + a \min(0, x)",
    lambda x, f, a: rf"\max(0,\, {x}) + {tex(a['negative_slope'])} \min(0,\, {x})",
    modules={nn.LeakyReLU: lambda m: {"negative_slope": float(m.negative_slope)}},
    functions={F.leaky_relu: ("input", "negative_slope", "inplace")},
    defaults={"negative_slope": 0.01},
)
_activation(
    "elu",
    "ELU",
    _elu,
    r"x \text{ if } x \ge 0, \quad \alpha (e^x - 1) \text{ if } x < 0",
    lambda x, f, a: rf"\mathrm{{ELU}}({x})",
    modules={nn.ELU: lambda m: {"alpha": float(m.alpha)}},
    functions={F.elu: ("input", "alpha", "inplace")},
    defaults={"alpha": 1.0},
)
_activation(
    "sigmoid",
    "Sigmoid",
    lambda x, a: _sigmoid(x),
    r"\frac{1}{1 + e^{-x}}",
    lambda x, f, a: rf"\frac{{1}}{{1 + e^{{-{f}}}}}",
    modules={nn.Sigmoid: _none},
    functions={torch.sigmoid: ("input",), F.sigmoid: ("input",), "sigmoid": ("input",)},
)
_activation(
    "tanh",
    "Tanh",
    lambda x, a: math.tanh(x),
    r"\tanh(x)",
    lambda x, f, a: rf"\tanh({x})",
    modules={nn.Tanh: _none},
    functions={torch.tanh: ("input",), F.tanh: ("input",), "tanh": ("input",)},
)
_activation(
    "silu",
    "SiLU",
    lambda x, a: x * _sigmoid(x),
    r"x \cdot \frac{1}{1 + e^{-x}}",
    lambda x, f, a: rf"{f} \cdot \frac{{1}}{{1 + e^{{-{f}}}}}",
    modules={nn.SiLU: _none},
    functions={F.silu: _IN_PLACE},
)
_activation(
    "gelu",
    "GELU",
    _gelu,
    r"x \cdot \Phi(x)",
    lambda x, f, a: rf"{f} \cdot \Phi({x})",
    modules={nn.GELU: lambda m: {"approximate": m.approximate}},
    functions={F.gelu: ("input", "approximate")},
    defaults={"approximate": "none"},
    words=lambda x, a: "Φ is the share of a standard normal distribution that lies below x.",
)
_activation(
    "hardsigmoid",
    "Hard sigmoid",
    lambda x, a: _clip(x + 3, 0.0, 6.0) / 6,
    r"\frac{\min(\max(0, x + 3), 6)}{6}",
    lambda x, f, a: rf"\frac{{\min(\max(0,\, {x} + 3),\, 6)}}{{6}}",
    modules={nn.Hardsigmoid: _none},
    functions={F.hardsigmoid: _IN_PLACE},
)
_activation(
    "hardswish",
    "Hard swish",
    lambda x, a: x * _clip(x + 3, 0.0, 6.0) / 6,
    r"x \cdot \frac{\min(\max(0, x + 3), 6)}{6}",
    lambda x, f, a: rf"{f} \cdot \frac{{\min(\max(0,\, {x} + 3),\, 6)}}{{6}}",
    modules={nn.Hardswish: _none},
    functions={F.hardswish: _IN_PLACE},
)
