"""Residual blocks of any network: where a sum joins what went round a few layers with what went through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .images import ModelInput
    from .models import Classifier
    from .network import Network
    from .tracing import Trace


@dataclass(frozen=True)
class ResidualBlock:
    """One sum y = x + F(x) (He et al. 2016, equation 1)."""

    name: str
    """The operation that adds."""
    skip: str
    """The operation whose output is x."""
    branch: str
    """The operation whose output is F(x)."""
    passes: tuple[str, ...]
    """The operations of F, in the network's order."""
    is_identity: bool
    """Whether x goes round unchanged; else it passes a layer of its own that brings it to F's shape (equation 2)."""


def residual_blocks(network: Network) -> tuple[ResidualBlock, ...]:
    """Every sum of two maps (C, H, W), in the network's order."""
    places = {operation.name: place for place, operation in enumerate(network.operations)}
    found = []
    for operation in network.operations:
        if operation.kind != "add" or len(operation.inputs) != 2 or len(operation.output_shape) != 3:
            continue
        first, second = operation.inputs
        if first == second or network[first].output_shape != network[second].output_shape:
            continue
        above = {name: _above(network, name) for name in (first, second)}
        only = {first: above[first] - above[second], second: above[second] - above[first]}
        # What goes round passes fewer operations that the other does not.
        skip, branch = sorted((first, second), key=lambda name: len(only[name]))
        passes = sorted(only[branch], key=places.__getitem__)
        found.append(ResidualBlock(operation.name, skip, branch, tuple(passes), skip in above[branch]))
    return tuple(found)


def _above(network: Network, name: str) -> set[str]:
    """An operation and all that it is computed from."""
    found, waiting = set(), [name]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting.extend(network[at].inputs)
    return found


@dataclass(frozen=True, eq=False)
class BlockMaps:
    """What a block does to one picture."""

    block: ResidualBlock
    x: NDArray[np.float32]
    """(C, H, W)"""
    change: NDArray[np.float32]
    """(C, H, W): F(x)."""
    y: NDArray[np.float32]
    """(C, H, W): the network's own sum."""

    @property
    def ratio(self) -> float:
        """How large the change is beside what it is added to: |F(x)| / |x|, L2 norms."""
        size = float(np.linalg.norm(self.x))
        return float(np.linalg.norm(self.change)) / size if size > 0 else np.inf

    @property
    def error(self) -> float:
        """The largest |x + F(x) - y|, beside the largest |y|."""
        largest = float(np.abs(self.y).max())
        off = float(np.abs(self.x.astype(np.float64) + self.change - self.y).max())
        return off / largest if largest > 0 else off

    def strongest(self, count: int) -> tuple[int, ...]:
        """Channels that the block changes most, in falling order of |F(x)|."""
        sizes = np.linalg.norm(self.change.reshape(len(self.change), -1), axis=1)
        return tuple(int(channel) for channel in np.argsort(-sizes, kind="stable")[:count])


def block_maps(trace: Trace, block: ResidualBlock) -> BlockMaps:
    """The three maps of a block on a traced picture."""
    found = trace.activations({block.name, block.skip, block.branch})
    return BlockMaps(block, found[block.skip], found[block.branch], found[block.name])


@dataclass(frozen=True)
class Removed:
    """The prediction with one block taken out: y = x in its place."""

    block: ResidualBlock
    probability: float
    """Of the class that the whole network names, 0 to 1."""
    top: str
    """The class that it names now."""


def remove_each(
    classifier: Classifier,
    seen: ModelInput,
    trace: Trace,
    blocks: Sequence[ResidualBlock],
    *,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[Removed, ...] | None:
    """Each block taken out in turn, all others left in (Veit, Wilber and Belongie 2016); None where it was stopped.

    What follows the sum stays, such as a last ReLU. The shared network is not touched.
    """
    import torch

    network, target = classifier.network, int(trace.logits.argmax())
    found = []
    with torch.inference_mode():
        values = network.record(seen.tensor.to(classifier.device))
        for i, block in enumerate(blocks):
            if should_stop is not None and should_stop():
                return None
            x = network.run_from(values, {}, keep={block.skip})[block.skip]
            logits = next(iter(network.run_from(values, {block.name: x}).values()))[0].float()
            probabilities = logits.softmax(0)
            top = classifier.class_names[int(probabilities.argmax())]
            found.append(Removed(block, float(probabilities[target]), top))
            if on_progress is not None:
                on_progress(i + 1, len(blocks))
    return tuple(found)


def block_words(network: Network, block: ResidualBlock) -> dict[str, Any]:
    """For people: how many operations F has, how many of them are convolutions, and the shape."""
    kinds = [network[name].kind for name in block.passes]
    return {
        "operations": len(kinds),
        "convolutions": kinds.count("conv2d"),
        "shape": " × ".join(str(n) for n in network[block.name].output_shape),
    }
