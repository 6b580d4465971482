"""Operations that bring branches together: addition, multiplication, concatenation."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .explanation import Term, UnitExplanation, tex, tex_factor, tex_index, tex_sum
from .registry import Call, Kind, Shape, Unit, register

_TWO = ("input", "other")


def _read(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    """Keeps a number among the two operands as `constant`."""
    numbers = [float(arguments[k]) for k in _TWO if isinstance(arguments.get(k), (int, float))]
    rest = {k: v for k, v in arguments.items() if k not in _TWO}
    return ({"constant": numbers[0]} if numbers else {}) | rest


def _is_plain(call: Call) -> bool:
    # torch.add(a, b, alpha=...) and out= compute something else.
    return set(call.attributes) <= {"constant"}


def _broadcast_index(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The place in an operand of this shape that output place `index` reads (numpy's rules of broadcasting)."""
    return tuple(0 if n == 1 else i for i, n in zip(index[len(index) - len(shape) :], shape, strict=True))


def _at(array: NDArray[Any], index: tuple[int, ...]) -> float:
    """The number that a parameter gives to this place; it may have a batch axis of 1."""
    array = array[0] if array.ndim > len(index) else array
    return float(array[_broadcast_index(index, array.shape)])


def _operands(unit: Unit) -> tuple[list[Term], list[float]]:
    """A term for each operand that is an activation, and the other factors or summands: parameters and constants."""
    terms = []
    for number, operand in enumerate(unit.inputs, start=1):
        place = _broadcast_index(unit.index, operand.array.shape)
        read = operand.array[place]
        window = np.full((1, 1), read, dtype=np.float32)
        terms.append(Term(f"input {number}: {operand.name}", float(read), operand.name, place, window))
    others = [
        _at(array[0] if array.ndim > len(unit.index) else array, unit.index) for array in unit.parameters.values()
    ]
    if "constant" in unit.attributes:
        others.append(unit.attributes["constant"])
    return terms, others


def explain_add(unit: Unit) -> UnitExplanation:
    """One term for each input; a constant or a parameter is the bias."""
    terms, others = _operands(unit)
    bias = math.fsum(others) if others else None
    computed = math.fsum(t.value for t in terms) + (bias or 0.0)
    numbers = np.array([t.value for t in terms])
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"y_{{{tex_index(unit.index)}}} = {tex_sum(numbers, bias)} = {tex(computed)}",
        combine="sum",
        terms=tuple(terms),
        bias=bias,
    )


def explain_mul(unit: Unit) -> UnitExplanation:
    """One term for each factor; a learned or constant factor is the weight of the first term."""
    terms, others = _operands(unit)
    factors = [*others, *(t.value for t in terms)]
    computed = math.prod(factors)
    if others and terms:
        first = terms[0]
        weight = np.full((1, 1), math.prod(others), dtype=np.float32)
        # The product is what this term contributes; window and weight show the two factors.
        terms[0] = Term(
            first.label, first.value * math.prod(others), first.source, first.source_index, first.window, weight
        )
    product = r" \cdot ".join(tex_factor(f) for f in factors)
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"y_{{{tex_index(unit.index)}}} = {product} = {tex(computed)}",
        combine="product",
        terms=tuple(terms),
        note=_mul_note(unit),
    )


def _mul_note(unit: Unit) -> str:
    if unit.parameters:
        return "A learned factor scales each channel of the branch."
    if len(unit.inputs) == 2 and unit.inputs[0].array.shape != unit.inputs[1].array.shape:
        return "One factor for each channel, computed from the whole map, says how much this channel counts."
    return ""


def _mul_title(call: Call) -> str:
    if call.parameter_shapes:
        return "Multiply by a learned scale"
    if "constant" in call.attributes:
        return f"Multiply by {call.attributes['constant']:.4g}"
    if len(set(call.input_shapes)) > 1:
        return "Multiply by channel weights (squeeze-and-excitation)"
    return "Multiply"


def _mul_short(call: Call) -> str:
    return "Layer scale" if call.parameter_shapes else "Multiply"


def _add_title(call: Call) -> str:
    if "constant" in call.attributes:
        return f"Add {call.attributes['constant']:.4g}"
    return "Add (skip connection)" if len(call.input_shapes) > 1 else "Add a learned shift"


def _cat_dim(unit_rank: int, attributes: Mapping[str, Any]) -> int:
    """The joined axis, counted without the batch axis."""
    return int(attributes["dim"]) % (unit_rank + 1) - 1


def _read_cat(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return {"dim": int(arguments.get("dim", 0))}


def explain_cat(unit: Unit) -> UnitExplanation:
    """One term: the value comes from one of the inputs, unchanged."""
    dim = _cat_dim(len(unit.index), unit.attributes)
    position = unit.index[dim]
    number = 0
    while position >= unit.inputs[number].array.shape[dim]:
        position -= unit.inputs[number].array.shape[dim]
        number += 1
    source = unit.inputs[number]
    place = (*unit.index[:dim], position, *unit.index[dim + 1 :])
    x = float(source.array[place])
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=x,
        formula=rf"y_{{{tex_index(unit.index)}}} = x^{{({number + 1})}}_{{{tex_index(place)}}} = {tex(x)}",
        combine="copy",
        terms=(Term(f"input {number + 1}: {source.name}", x, source.name, place),),
        note=f"Copied from input {number + 1} of {len(unit.inputs)}.",
    )


def _cat_title(call: Call) -> str:
    n = len(call.input_shapes)
    channels = f"{call.output_shape[0]} channels"
    return f"Concatenate {n} inputs, {channels}" if n > 1 else f"Concatenate (one input), {channels}"


register(
    Kind(
        key="add",
        formula=r"y = a + b",
        title=_add_title,
        short_title=lambda call: "Add",
        explain=explain_add,
        functions={operator.add: _TWO, torch.add: _TWO, "add": _TWO},
        read=_read,
        n_inputs=(1, 2),
        accepts=_is_plain,
        recorded=True,
    )
)
register(
    Kind(
        key="mul",
        formula=r"y = a \cdot b",
        title=_mul_title,
        short_title=_mul_short,
        explain=explain_mul,
        functions={operator.mul: _TWO, torch.mul: _TWO, "mul": _TWO},
        read=_read,
        n_inputs=(1, 2),
        accepts=_is_plain,
    )
)
register(
    Kind(
        key="cat",
        formula=r"y = [\,x^{(1)};\; x^{(2)};\; \ldots\,]",
        title=_cat_title,
        short_title=lambda call: "Concatenate",
        explain=explain_cat,
        functions={torch.cat: ("tensors", "dim"), torch.concat: ("tensors", "dim")},
        read=_read_cat,
        n_inputs=(1, 10**6),
    )
)
