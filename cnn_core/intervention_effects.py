"""What an intervention did: layer by layer, against the ledger's forecast, and against as many random channels."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .changes import Change, EditBias, EditKernel, SwitchOff
from .decision import head_of
from .errors import InvalidOption
from .interventions import ClassChange, Intervention, channel_axis, intervene
from .operations.explanation import TOLERANCE

if TYPE_CHECKING:
    from .models import Classifier
    from .network import LinearHead
    from .tracing import Trace

_QUIET: Final = frozenset({"dropout", "identity", "flatten", "view", "stochastic_depth", "input", "softmax"})


@dataclass(frozen=True, eq=False)
class Report:
    """All that an intervention did, in numbers of its own: it keeps no activation alive.

    logits_*, probabilities_*: float32 (K,). classes: the five likeliest before, then those of after that are new.
    shown_before, shown_after: uint8 (h, w, 3), what the network sees. layers: see `change_by_layer`. same_bits: how
    many logits the shared model, run afresh, still gives bit for bit.
    """

    changes: tuple[Change, ...]
    class_names: tuple[str, ...]
    logits_before: NDArray[np.float32]
    logits_after: NDArray[np.float32]
    probabilities_before: NDArray[np.float32]
    probabilities_after: NDArray[np.float32]
    classes: tuple[ClassChange, ...]
    shown_before: NDArray[np.uint8]
    shown_after: NDArray[np.uint8]
    layers: tuple[LayerChange, ...]
    same_bits: int

    def change(self, class_index: int) -> float:
        """A class's logit after minus before."""
        return float(self.logits_after[class_index]) - float(self.logits_before[class_index])

    def threshold(self) -> float:
        """A logit that moves by less than this is said to stay: a tenth of the standard deviation of all logits."""
        return 0.1 * float(self.logits_before.std())

    def verdict(self, class_index: int) -> Literal["rise", "fall", "stay"]:
        """What became of a class's logit."""
        change = self.change(class_index)
        return "stay" if abs(change) < self.threshold() else "rise" if change > 0 else "fall"

    @property
    def nbytes(self) -> int:
        return 4 * self.logits_before.nbytes + 2 * self.shown_before.nbytes + 300 * len(self.layers)

    def to_csv(self) -> str:
        """All classes, a line each: index, name, logit and probability before, after, and after minus before."""
        file = io.StringIO()
        writer = csv.writer(file)
        parts = ("before", "after", "change")
        writer.writerow(["class_index", "class", *(f"logit_{p}" for p in parts), *(f"probability_{p}" for p in parts)])
        both = ((self.logits_before, self.logits_after), (self.probabilities_before, self.probabilities_after))
        for index, name in enumerate(self.class_names):
            pairs = [(float(before[index]), float(after[index])) for before, after in both]
            numbers = [n for b, a in pairs for n in (b, a, a - b)]
            writer.writerow([index, name, *(f"{n:.9g}" for n in numbers)])
        return file.getvalue()


@dataclass(frozen=True)
class LayerChange:
    """How far an operation's output moved: relative = |after - before| / |before|, Euclidean lengths over all numbers.

    relative is infinite where all numbers were 0 before and are not after. edited: a change was made in this place.
    """

    name: str
    title: str
    stage: str
    relative: float
    edited: bool


@dataclass(frozen=True, eq=False)
class ChannelChanges:
    """The channels of an operation that moved most, the most moved first.

    channels: their indices; before, after: float32 (n, h, w), a vector's numbers as maps of one cell. moved: float64
    (C,), the Euclidean length of each channel's difference, for all channels.
    """

    operation: str
    channels: tuple[int, ...]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    moved: NDArray[np.float64]


@dataclass(frozen=True)
class Foretold:
    """What the ledger says a logit changes by when only its own parts change, beside what the network computed.

    change: float64, of the ledger's parts; measured: of the network's own float32 logits.
    """

    class_index: int
    change: float
    measured: float

    @property
    def relative_error(self) -> float:
        """|change - measured| / max(1, |change|)."""
        return abs(self.change - self.measured) / max(1.0, abs(self.change))

    @property
    def matches(self) -> bool:
        """Whether both are the same, up to float32 rounding."""
        return self.relative_error <= TOLERANCE


@dataclass(frozen=True)
class RandomChannels:
    """The same intervention with as many other channels, drawn at random from the same layers, a few times.

    measured: the logit's change with the visitor's channels; changes: with each draw's. draws: (layer, channels) pairs.
    """

    class_index: int
    measured: float
    changes: tuple[float, ...]
    draws: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...]
    seed: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.changes))

    @property
    def spread(self) -> float:
        """The draws' standard deviation (n - 1); 0 for a single one."""
        return float(np.std(self.changes, ddof=1)) if len(self.changes) > 1 else 0.0


def report(
    classifier: Classifier,
    trace: Trace,
    changes: Sequence[Change],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Make the changes and write down what they did; raises as `intervene` does.

    Three runs of the network, of which the first two are shorter the deeper the changes are. on_progress(done, total)
    is called before each; what it raises ends the work.
    """
    on_progress(0, 3)
    found = intervene(classifier, trace, changes)
    if trace.input is None or found.shown_rgb is None:
        raise InvalidOption("The trace is of a bare tensor: trace a picture.")
    on_progress(1, 3)
    layers = change_by_layer(classifier, trace, found)
    on_progress(2, 3)
    return Report(
        changes=found.changes,
        class_names=classifier.class_names,
        logits_before=found.logits_before,
        logits_after=found.logits_after,
        probabilities_before=found.probabilities_before,
        probabilities_after=found.probabilities_after,
        classes=found.classes(),
        shown_before=trace.input.shown_rgb,
        shown_after=found.shown_rgb,
        layers=layers,
        same_bits=same_bits(classifier, trace),
    )


def change_by_layer(classifier: Classifier, trace: Trace, found: Intervention) -> tuple[LayerChange, ...]:
    """How far each kept operation's output moved, from the input to the probabilities, in the network's order.

    Operations are those that a trace keeps (convolutions, linear layers, sums, poolings), those that were changed, the
    input and the softmax. An operation that no change reaches is not computed again, and moved by exactly 0.
    """
    network = classifier.network
    names = {*trace.tensors, *found.changed, "input", "softmax"}
    chosen = [o for o in network.operations if o.name in names and (o.kind not in _QUIET or o.name in found.changed or
              o.name in ("input", "softmax"))]  # fmt: skip
    reached = found.reached([o.name for o in chosen])
    before = trace.activations(list(reached))
    rows = []
    for operation in chosen:
        relative = 0.0
        if operation.name in reached:
            relative = _relative(before[operation.name], reached[operation.name])
        edited = operation.name in found.changed
        rows.append(LayerChange(operation.name, operation.title, operation.group[0], relative, edited))
    return tuple(rows)


def changed_channels(classifier: Classifier, found: Intervention, operation: str, *, n: int = 12) -> ChannelChanges:
    """The channels of an operation's output that moved most, at most n, before and after; one where none moved.

    Raises InvalidLayer for an unknown operation; an output without a channel axis counts as one channel.
    """
    layer = classifier.network[operation]
    axis = channel_axis(layer)
    stacks = []
    for values in (found.values_before(layer.name), found.values_after(layer.name)):
        maps = values[None] if axis is None else np.moveaxis(values, axis, 0)
        stacks.append(maps.reshape(maps.shape[0], *(maps.shape[1:] if maps.ndim == 3 else (1, -1))))
    before, after = stacks
    moved = np.sqrt(((after.astype(np.float64) - before) ** 2).sum(axis=(1, 2)))
    order = np.argsort(-moved, kind="stable")[: max(1, min(n, int((moved > 0).sum())))]
    return ChannelChanges(layer.name, tuple(map(int, order)), before[order], after[order], moved)


def foretell(
    classifier: Classifier, trace: Trace, changes: Sequence[Change], class_index: int, measured: float
) -> Foretold | None:
    """What the ledger foretells, where every change is one of its own parts; None where it cannot say.

    A head of global pooling and one linear layer: logit = b + sum_k w_k mean(A_k). Foretold are channels of its last
    maps switched off (to zero: their entries go; to the mean: nothing changes), and edits of its linear layer. A head
    that averages one map for each class: a map switched to zero takes its class's whole logit with it.
    measured: the logit after the changes minus before, of the network.
    """
    if not changes:
        return None
    head = classifier.network.linear_head()
    if head is not None:
        parts = _pooled_parts(classifier, trace, head, changes, class_index)
        return None if parts is None else Foretold(class_index, parts, measured)
    described = head_of(classifier.network)
    if described.kind != "class maps" or described.maps is None:
        return None
    off: set[int] = set()
    for change in changes:
        if not isinstance(change, SwitchOff) or classifier.network[change.operation].name != described.maps:
            return None
        if change.to == "zero":
            off.update(change.channels)
    lost = float(trace.activation(described.maps)[class_index].mean(dtype=np.float64)) if class_index in off else 0.0
    return Foretold(class_index, -lost, measured)


def random_channels(
    classifier: Classifier,
    trace: Trace,
    changes: Sequence[Change],
    class_index: int,
    measured: float,
    *,
    draws: int = 5,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RandomChannels | None:
    """The same changes, but in each layer as many other channels, drawn without the visitor's, are switched off.

    All other changes stay as they are. measured: the logit's change with the visitor's own channels. None where nothing
    is switched off, or a layer has no equal number of other channels. on_progress as in `report`, before each draw.
    """
    network = classifier.network
    off: dict[str, set[int]] = {}
    for change in changes:
        if isinstance(change, SwitchOff):
            off.setdefault(network[change.operation].name, set()).update(change.channels)
    free = {}
    for name, taken in off.items():
        axis = channel_axis(network[name])
        n = network[name].output_shape[axis or 0]
        free[name] = np.array([c for c in range(n) if c not in taken])
        if len(free[name]) < len(taken):
            return None
    if not off:
        return None
    generator = np.random.default_rng(seed)
    found, drawn = [], []
    for draw in range(draws):
        on_progress(draw, draws)
        stand_ins = {name: generator.choice(free[name], len(taken), replace=False) for name, taken in off.items()}
        other: list[Change] = [c for c in changes if not isinstance(c, SwitchOff)]
        for name, channels in stand_ins.items():
            to = next(c.to for c in changes if isinstance(c, SwitchOff) and network[c.operation].name == name)
            other.append(SwitchOff(name, tuple(map(int, channels)), to))
        result = intervene(classifier, trace, other, k=1)
        found.append(float(result.logits_after[class_index]) - float(result.logits_before[class_index]))
        drawn.append(tuple((name, tuple(sorted(map(int, chosen)))) for name, chosen in stand_ins.items()))
    return RandomChannels(class_index, measured, tuple(found), tuple(drawn), seed)


def same_bits(classifier: Classifier, trace: Trace) -> int:
    """How many of the logits that the shared model computes now have the very bits that they had in the trace."""
    if trace.input is None:
        return 0
    with torch.no_grad():
        network = classifier.network
        fresh = network.run(trace.input.tensor.to(classifier.device), keep=(network.output,))[network.output][0]
    return int((fresh.cpu().numpy() == trace.logits).sum())


def _pooled_parts(
    classifier: Classifier, trace: Trace, head: LinearHead, changes: Sequence[Change], class_index: int
) -> float | None:
    """The change of b + sum_k w_k mean(A_k) in float64, or None where a change is of something else."""
    network = classifier.network
    features = trace.activation(head.maps).mean(axis=(1, 2), dtype=np.float64)
    weights = head.weight[class_index].detach().double().cpu().numpy()
    bias = 0.0 if head.bias is None else float(head.bias[class_index])
    new_features, new_weights, new_bias = features.copy(), weights.copy(), bias
    for change in changes:
        if isinstance(change, SwitchOff) and network[change.operation].name == head.maps:
            if change.to == "zero":
                new_features[list(change.channels)] = 0.0
        elif isinstance(change, EditBias) and network[change.operation].name == head.linear:
            new_bias = float(np.float32(change.value)) if change.index == class_index else new_bias
        elif isinstance(change, EditKernel) and network[change.operation].name == head.linear:
            if change.index[0] == class_index:
                new_weights[change.index[1:]] = np.asarray(change.values, dtype=np.float32)
        else:
            return None
    return float(new_features @ new_weights + new_bias - (features @ weights + bias))


def _relative(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    difference = float(np.linalg.norm((after.astype(np.float64) - before).reshape(-1)))
    length = float(np.linalg.norm(before.astype(np.float64).reshape(-1)))
    if difference == 0:
        return 0.0
    return difference / length if length > 0 else math.inf
