"""Kernels and biases edited on a copy: the operations that read them, computed again with other numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import torch.nn.functional as F

from .errors import InvalidLayer, InvalidOption, InvalidUnit

if TYPE_CHECKING:
    from .network import Network, Operation

EDITABLE: Final = ("conv2d", "linear")
"""Kinds of operation whose weights and bias can be edited."""


@dataclass(frozen=True)
class EditKernel:
    """Weights of a convolution (filter, channel read, row, column) or of a linear layer (output, input) replaced.

    index: the place, whole or its beginning: (filter, channel) is one kernel, (filter,) all kernels of a filter.
    values: numbers of the shape that is left, as nested sequences or an array; kept as nested tuples.
    """

    operation: str
    index: tuple[int, ...]
    values: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _plain_tuples(self.values))


@dataclass(frozen=True)
class EditBias:
    """The bias of one filter or output replaced."""

    operation: str
    index: int
    value: float


def edited_parameters(network: Network, changes: Sequence[object]) -> dict[str, dict[str, torch.Tensor]]:
    """Weight (and bias) of every operation that an edit touches: copies, with the edits written into them."""
    copies: dict[
        int, torch.Tensor
    ] = {}  # by the identity of the shared tensor, so that a second edit adds to the first
    for change in changes:
        if not isinstance(change, EditKernel | EditBias):
            continue
        key = "weight" if isinstance(change, EditKernel) else "bias"
        tensor = _editable(network, change.operation, key)
        copy = copies.setdefault(id(tensor), tensor.detach().clone())
        index = change.index if isinstance(change, EditKernel) else (change.index,)
        place = _checked_place(index, copy, change.operation, key)
        found = np.asarray(change.values if isinstance(change, EditKernel) else change.value, dtype=np.float64)
        if found.shape != tuple(copy[place].shape):
            raise InvalidOption(f"{_words(copy[place].shape)} are replaced here, and {_words(found.shape)} were given.")
        if not np.isfinite(found).all():
            raise InvalidOption("A weight must be a finite number.")
        copy[place] = torch.from_numpy(found).to(copy)
    edited = {}
    for operation in network.operations if copies else ():
        own = network.parameters(operation.name)
        if operation.kind in EDITABLE and any(id(tensor) in copies for tensor in own.values()):
            edited[operation.name] = {key: copies.get(id(tensor), tensor) for key, tensor in own.items()}
    return edited


def _editable(network: Network, name: str, key: str) -> torch.Tensor:
    operation = network[name]
    if operation.kind not in EDITABLE:
        raise InvalidLayer(
            f"{operation.name} ({operation.title}) has no kernel to edit: choose a convolution or linear."
        )
    parameters = network.parameters(operation.name)
    if key not in parameters:
        raise InvalidUnit(f"{operation.name} ({operation.title}) adds no bias, so there is none to edit.")
    return parameters[key]


def _checked_place(index: tuple[int, ...], tensor: torch.Tensor, name: str, key: str) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    good = 1 <= len(index) <= len(shape) and all(
        isinstance(i, int | np.integer) and 0 <= i < n for i, n in zip(index, shape, strict=False)
    )
    if not good:
        sizes = "×".join(map(str, shape))
        raise InvalidUnit(f"The {key} of {name} is {sizes}: there is nothing at {index!r}; indices count from 0.")
    return tuple(int(i) for i in index)


def recomputed(
    network: Network, operation: Operation, x: torch.Tensor, parameters: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """An operation's output for input x (batch axis included) with other parameters, by torch.nn.functional."""
    weight, bias = parameters["weight"], parameters.get("bias")
    if operation.kind == "linear":
        return F.linear(x, weight, bias)
    a = operation.attributes
    mode, front = a["padding_mode"], a["padding"]
    back = [max(front[axis], _needed_behind(network, operation, axis)) for axis in (0, 1)]
    if mode == "zeros" and tuple(back) == front:
        return F.conv2d(x, weight, bias, a["stride"], front, a["dilation"], a["groups"])
    x = F.pad(x, (front[1], back[1], front[0], back[0]), mode="constant" if mode == "zeros" else mode)
    return F.conv2d(x, weight, bias, a["stride"], 0, a["dilation"], a["groups"])


def _needed_behind(network: Network, operation: Operation, axis: int) -> int:
    """Padding that the last window needs; only padding="same" with an even kernel needs more of it than in front."""
    a, read = operation.attributes, network[operation.inputs[0]].output_shape[1 + axis]
    first = (operation.output_shape[1 + axis] - 1) * a["stride"][axis]
    span = first + a["dilation"][axis] * (a["kernel_size"][axis] - 1)
    return int(span + 1 - read - a["padding"][axis])


def _plain_tuples(values: Any) -> Any:
    """Nested tuples of floats, so that a change can be compared, hashed and written down."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidOption("Weights are given as numbers: nested lists of equal length, or an array.") from None

    def nested(item: Any) -> Any:
        return tuple(nested(i) for i in item) if isinstance(item, list) else item

    return nested(array.tolist())


def _words(shape: tuple[int, ...]) -> str:
    return f"{math.prod(shape)} number{'s' if math.prod(shape) != 1 else ''} ({'×'.join(map(str, shape)) or 'one'})"
