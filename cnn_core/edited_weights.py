"""Kernels and biases edited on a copy: the operations that read them, computed again with other numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .changes import EditBias, EditKernel
from .errors import InvalidLayer, InvalidOption, InvalidUnit

if TYPE_CHECKING:
    from .network import Network, Operation

EDITABLE: Final = ("conv2d", "linear")
"""Kinds of operation whose weights and bias can be edited."""


def edited_parameters(network: Network, changes: Sequence[object]) -> dict[str, dict[str, torch.Tensor]]:
    """Weight (and bias) of every operation that an edit touches: copies, with the edits written into them."""
    copies: dict[
        int, torch.Tensor
    ] = {}  # by the identity of the shared tensor, so that a second edit adds to the first
    for change in changes:
        if not isinstance(change, EditKernel | EditBias):
            continue
        tensor, place, numbers = check_edit(network, change)
        if id(tensor) not in copies:
            copies[id(tensor)] = tensor.detach().clone()
        copies[id(tensor)][place] = torch.from_numpy(numbers).to(tensor)
    edited = {}
    for operation in network.operations if copies else ():
        own = network.parameters(operation.name)
        if operation.kind in EDITABLE and any(id(tensor) in copies for tensor in own.values()):
            edited[operation.name] = {key: copies.get(id(tensor), tensor) for key, tensor in own.items()}
    return edited


def check_edit(
    network: Network, change: EditKernel | EditBias
) -> tuple[torch.Tensor, tuple[int, ...], NDArray[np.float64]]:
    """The shared tensor that an edit is about, the place in it, and the new numbers; nothing is written.

    Raises InvalidLayer, InvalidUnit and InvalidOption as `interventions.intervene` does.
    """
    key = "weight" if isinstance(change, EditKernel) else "bias"
    tensor = _editable(network, change.operation, key)
    index = change.index if isinstance(change, EditKernel) else (change.index,)
    place = _checked_place(index, tensor, change.operation, key)
    found = np.asarray(change.values if isinstance(change, EditKernel) else change.value, dtype=np.float64)
    if found.shape != tuple(tensor[place].shape):
        raise InvalidOption(f"{_words(tensor[place].shape)} are replaced here, and {_words(found.shape)} were given.")
    if not np.isfinite(found).all():
        raise InvalidOption("A weight must be a finite number.")
    return tensor, place, found


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


def _words(shape: tuple[int, ...]) -> str:
    return f"{math.prod(shape)} number{'s' if math.prod(shape) != 1 else ''} ({'×'.join(map(str, shape)) or 'one'})"
