"""One filter of a convolution: its kernels, what reads its answer next, and what one input channel is worth to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidUnit

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation
    from .tracing import Trace

# Operations that turn one number into one number, so that a single unit can be followed through them.
POINTWISE: Final = frozenset(
    {"batch_norm2d", "relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "identity"}
)


@dataclass(frozen=True, eq=False)
class Filter:
    """The weights that make one output channel: weights float32 (channels read, kH, kW), one kernel for each channel.

    first_channel: the first input channel that it reads (not 0 only where a convolution has groups).
    """

    weights: NDArray[np.float32]
    bias: float | None
    first_channel: int
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def channels(self) -> range:
        """The input channels that the filter reads."""
        return range(self.first_channel, self.first_channel + len(self.weights))


def filter_of(classifier: Classifier, layer: str | Operation, channel: int) -> Filter:
    """The filter of one output channel of a Conv2d; InvalidLayer for another kind, InvalidUnit for no such channel."""
    operation = convolution(classifier, layer)
    n = operation.output_shape[0]
    if not 0 <= channel < n:
        raise InvalidUnit(f"{operation.name} has the channels 0 to {n - 1}; there is no channel {channel}.")
    tensors, attributes = classifier.network.parameters(operation.name), operation.attributes
    weights = tensors["weight"][channel].detach().cpu().numpy().copy()
    bias = float(tensors["bias"][channel]) if "bias" in tensors else None
    first = channel // (n // attributes["groups"]) * len(weights)
    return Filter(weights, bias, first, attributes["stride"], attributes["padding"], attributes["dilation"])


def convolution(classifier: Classifier, layer: str | Operation) -> Operation:
    """The convolution of this name; InvalidLayer where the operation is of another kind."""
    operation = classifier.network[layer if isinstance(layer, str) else layer.name]
    if operation.kind != "conv2d":
        raise InvalidLayer(f"{operation.name} is no convolution but {operation.title!r}; choose a Conv2d.")
    return operation


def pointwise_followers(network: Network, layer: str) -> tuple[Operation, ...]:
    """The operations that one unit of a layer goes through alone, one after the other: BatchNorm, then ReLU, say.

    It ends where more than one operation reads the value, or where the next one mixes it with others.
    """
    chain: list[Operation] = []
    name = layer
    while True:
        readers = network.consumers(name)
        if len(readers) != 1 or network[readers[0]].kind not in POINTWISE or len(network[readers[0]].inputs) != 1:
            return tuple(chain)
        chain.append(network[readers[0]])
        name = readers[0]


@dataclass(frozen=True)
class ChannelRemoved:
    """A unit's value before and after one input channel was set to zero and the convolution was run again.

    contribution: what that channel added by the explanation (float64 sum of its products); drop = before - after, from
    two float32 runs of the network's own convolution.
    """

    channel: int
    before: float
    after: float
    contribution: float

    @property
    def drop(self) -> float:
        return self.before - self.after

    @property
    def matches(self) -> bool:
        """The drop equals the contribution within 1e-4 of the larger of 1 and the value, the tolerance of all ticks."""
        return abs(self.drop - self.contribution) <= 1e-4 * max(1.0, abs(self.before))


def remove_channel(
    classifier: Classifier, trace: Trace, layer: str | Operation, index: tuple[int, int, int], channel: int
) -> ChannelRemoved:
    """Set input channel `channel` of a convolution to zero, run the convolution again, and read the unit again.

    Only that convolution is run (`Network.run_from`). Raises InvalidLayer for another kind of operation, InvalidUnit
    where the unit does not exist or does not read that channel.
    """
    import torch  # here, so that importing the library stays cheap

    from .operations import explain_unit

    operation = convolution(classifier, layer)
    explanation = explain_unit(classifier, trace, operation, index)
    kernel = filter_of(classifier, operation, index[0])
    if channel not in kernel.channels:
        raise InvalidUnit(
            f"Channel {index[0]} of {operation.name} reads the input channels {kernel.channels[0]} to "
            f"{kernel.channels[-1]}, not {channel}."
        )
    source = operation.inputs[0]
    with torch.inference_mode():
        changed = trace.tensor(source).clone()
        changed[:, channel] = 0
        again = classifier.network.run_from({}, {source: changed}, keep=(operation.name,))[operation.name]
        after = float(again[(0, *index)])
    contribution = explanation.terms[channel - kernel.first_channel].value
    return ChannelRemoved(channel, explanation.value, after, contribution)
