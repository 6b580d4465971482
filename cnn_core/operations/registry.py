"""The registry of operation kinds: how each is recognised, named, counted and taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .explanation import UnitExplanation

if TYPE_CHECKING:
    from ..network import Operation

Shape = tuple[int, ...]
Axes = tuple[str, ...]
Reach = Literal["point", "window", "adaptive", "global"]
"""Which cells of its inputs one output cell reads: the same cell; a window given by the attributes kernel_size, stride,
padding and dilation; a window of adaptive pooling; or every cell."""

MAPS: Final[Axes] = ("channel", "row", "column")


@dataclass(frozen=True)
class Call:
    """One operation as the graph sees it before it has a name; all shapes are without the batch axis."""

    attributes: Mapping[str, Any]
    input_shapes: tuple[Shape, ...]
    input_axes: tuple[Axes, ...]
    output_shape: Shape
    parameter_shapes: Mapping[str, Shape]


@dataclass(frozen=True, eq=False)
class Operand:
    """An input of an operation: the operation that it comes from, and its values (float32, no batch axis)."""

    name: str
    array: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Unit:
    """One value of an activation together with everything that it was computed from (arrays without the batch axis)."""

    operation: Operation
    index: tuple[int, ...]
    value: float
    inputs: tuple[Operand, ...]
    parameters: Mapping[str, NDArray[np.float32]]
    output_shape: Shape
    model_input: Any = None

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.operation.attributes


def same_axes(call: Call) -> Axes:
    """The axes of the input with the most axes; `feature` for each axis where there is none of the output's rank."""
    longest = max(call.input_axes, key=len, default=())
    if len(longest) == len(call.output_shape):
        return longest
    return anonymous_axes(call.output_shape)


def anonymous_axes(shape: Shape) -> Axes:
    """Axes of which only the number is known: ("feature",), or ("axis 0", "axis 1", ...)."""
    return ("feature",) if len(shape) == 1 else tuple(f"axis {i}" for i in range(len(shape)))


def maps_axes(call: Call) -> Axes:
    """(channel, row, column): for operations whose output is a stack of maps by definition."""
    return MAPS if len(call.output_shape) == 3 else anonymous_axes(call.output_shape)


def no_attributes(_: nn.Module) -> dict[str, Any]:
    return {}


def as_they_are(arguments: dict[str, Any], parameter_shapes: Mapping[str, Shape]) -> dict[str, Any]:
    return arguments


def no_macs(_: Call) -> int:
    return 0


def always(_: Call) -> bool:
    return True


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of operation.

    modules: the torch modules that are this kind, each with a reader of its attributes;
    functions: functions, and names of tensor methods, each with the names of its positional arguments ("*size" takes
    the rest); `read` turns a function's plain arguments, and its parameters' shapes, into the module's attributes;
    macs: multiply-adds for one picture (convolutions and linear layers only, as torchvision counts its `_ops`);
    n_inputs: fewest and most activations that it reads; accepts: whether `explain` covers this very call (both are
    asked when the graph is built, and a call that does not fit becomes an "other");
    recorded: a trace keeps the output; that of other kinds is worked out again from the kept ones when it is asked for;
    keeps_shape: the output always has the input's shape and layout, which spares working it out;
    formula: the general formula in LaTeX; explain: takes one unit apart.
    """

    key: str
    formula: str
    title: Callable[[Call], str]
    short_title: Callable[[Call], str]
    explain: Callable[[Unit], UnitExplanation]
    modules: Mapping[type[nn.Module], Callable[[Any], dict[str, Any]]] = field(default_factory=dict)
    functions: Mapping[Callable[..., Any] | str, tuple[str, ...]] = field(default_factory=dict)
    read: Callable[[dict[str, Any], Mapping[str, Shape]], dict[str, Any]] = as_they_are
    reach: Reach | Callable[[Call], Reach] = "point"
    axes: Callable[[Call], Axes] = same_axes
    macs: Callable[[Call], int] = no_macs
    n_inputs: tuple[int, int] = (1, 1)
    accepts: Callable[[Call], bool] = always
    recorded: bool | Callable[[Call], bool] = False
    keeps_shape: bool = False

    def is_recorded(self, call: Call) -> bool:
        return self.recorded(call) if callable(self.recorded) else self.recorded

    def fits(self, call: Call) -> bool:
        fewest, most = self.n_inputs
        return fewest <= len(call.input_shapes) <= most and self.accepts(call)

    def reach_of(self, call: Call) -> Reach:
        return self.reach(call) if callable(self.reach) else self.reach


_KINDS: dict[str, Kind] = {}
_BY_MODULE: dict[type[nn.Module], Kind] = {}
_BY_FUNCTION: dict[Callable[..., Any] | str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Add a kind; ValueError where its key, one of its modules or one of its functions is registered already."""
    taken = [kind.key] if kind.key in _KINDS else []
    taken += [str(m) for m in kind.modules if m in _BY_MODULE] + [str(f) for f in kind.functions if f in _BY_FUNCTION]
    if taken:
        raise ValueError(f"Registered already: {', '.join(taken)}.")
    _KINDS[kind.key] = kind
    _BY_MODULE.update(dict.fromkeys(kind.modules, kind))
    _BY_FUNCTION.update(dict.fromkeys(kind.functions, kind))
    return kind


def operation_kinds() -> tuple[str, ...]:
    """The keys of all registered kinds, sorted."""
    return tuple(sorted(_KINDS))


def get_kind(key: str) -> Kind:
    """The kind of this key; KeyError that lists the valid keys otherwise."""
    if key not in _KINDS:
        raise KeyError(f"Unknown kind of operation {key!r}. Valid kinds: {', '.join(operation_kinds())}.")
    return _KINDS[key]


def kind_of_module(module: nn.Module) -> Kind | None:
    """The kind of a torch module by its exact type: a subclass may compute something else."""
    return _BY_MODULE.get(type(module))


def kind_of_function(function: Callable[..., Any] | str) -> Kind | None:
    """The kind of a function, or of a tensor method given by its name."""
    return _BY_FUNCTION.get(function)
