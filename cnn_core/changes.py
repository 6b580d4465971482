"""What can be changed in a network or its picture: plain values that can be compared, hashed and written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .errors import InvalidOption

if TYPE_CHECKING:
    from .images import Picture


@dataclass(frozen=True)
class SwitchOff:
    """Channels of an operation's output replaced, at every place, by 0 or by their own mean over the map.

    channels: indices on the channel axis, or on the only axis of a vector (there "mean" would change nothing, and is
    refused).
    """

    operation: str
    channels: tuple[int, ...]
    to: Literal["zero", "mean"] = "zero"


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


@dataclass(frozen=True)
class ChangePicture:
    """What the network sees, changed by one of `picture_changes.list_picture_kinds()`; several act in their order.

    amount: in the kind's own unit; None for its default. seed: of noise and of shuffled patches.
    """

    kind: str
    amount: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class SabotagePreprocessing:
    """The picture prepared with one of `preprocessing_trials.list_sabotages(...)`'s mistakes, by its key.

    picture: the whole picture, which the mistake is made with; None only while a change is written down or read.
    """

    key: str
    picture: Picture | None = None


Change = SwitchOff | EditKernel | EditBias | ChangePicture | SabotagePreprocessing


def _plain_tuples(values: Any) -> Any:
    """Nested tuples of floats, so that a change can be compared, hashed and written down."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidOption("Weights are given as numbers: nested lists of equal length, or an array.") from None

    def nested(item: Any) -> Any:
        return tuple(nested(i) for i in item) if isinstance(item, list) else item

    return nested(array.tolist())
