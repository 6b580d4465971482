"""The arithmetic of each kind of operation, and one output value taken apart into the exact terms that made it."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidUnit

# Each family registers its kinds when it is imported; a new family is one file and one name here.
from . import activations, combining, convolution, linear, normalisation, other, pooling, shaping, softmax  # noqa: F401
from .explanation import TOLERANCE, Term, Terms, UnitExplanation, term_values
from .registry import Call, Kind, Operand, Unit, get_kind, operation_kinds

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import Operation
    from ..tracing import Trace

__all__ = [
    "TOLERANCE",
    "Call",
    "Kind",
    "Term",
    "Terms",
    "Unit",
    "UnitExplanation",
    "checked_index",
    "explain_unit",
    "explain_units",
    "get_kind",
    "operation_kinds",
    "term_values",
]


def explain_unit(
    classifier: Classifier, trace: Trace, operation: str | Operation, index: Sequence[int] | int
) -> UnitExplanation:
    """Take one value of an activation apart into the terms that made it, and add them up again in float64.

    operation: an operation, its name, or a module path. index: one integer for each axis of the activation:
    (channel, row, column), or (k,).
    Raises InvalidLayer for an unknown operation, InvalidUnit for an index that points at no value.

    >>> import cnn_core as cc
    >>> model = cc.load_model("lenet5")
    >>> found = cc.trace(model, cc.load_image("assets/samples/digit_3.png"))
    >>> cc.explain_unit(model, found, "conv1", (0, 10, 10)).matches
    True
    """
    return explain_units(classifier, trace, operation, (index,))[0]


def explain_units(
    classifier: Classifier, trace: Trace, operation: str | Operation, indices: Iterable[Sequence[int] | int]
) -> tuple[UnitExplanation, ...]:
    """`explain_unit` for several values of one operation: what they were computed from is read once."""
    network = classifier.network
    opened = network[operation if isinstance(operation, str) else operation.name]
    arrays = trace.activations((opened.name, *opened.inputs))
    activation = arrays[opened.name]
    inputs = tuple(Operand(name, arrays[name]) for name in opened.inputs)
    parameters = {k: v.detach().cpu().numpy() for k, v in network.parameters(opened.name).items()}
    places = [checked_index(index, activation.shape, opened.name) for index in indices]
    return tuple(
        get_kind(opened.kind).explain(
            Unit(opened, place, float(activation[place]), inputs, parameters, activation.shape, trace.input)
        )
        for place in places
    )


def checked_index(index: Any, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The index of one value of an activation of this shape, as plain integers; InvalidUnit where it is none."""
    size = "×".join(str(n) for n in shape)
    wanted = f"The activation of {name!r} is {size}: give {len(shape)} whole number{'s' if len(shape) > 1 else ''}"
    try:
        given = tuple(index) if isinstance(index, Sequence) or hasattr(index, "__iter__") else (index,)
        place = tuple(operator.index(i) for i in given)
    except TypeError:
        raise InvalidUnit(f"{index!r} is not an index. {wanted}.") from None
    if len(place) != len(shape) or any(not 0 <= i < n for i, n in zip(place, shape, strict=False)):
        last = ", ".join(str(n - 1) for n in shape)
        raise InvalidUnit(f"There is no unit {place} here. {wanted}, from 0 to ({last}).")
    return place
