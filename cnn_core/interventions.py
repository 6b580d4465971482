"""Change a network or its picture and compare: channels switched off, kernels edited, the picture turned or blurred.

The shared model is never touched. An edited operation is computed again by torch.nn.functional with a copy of its own
weights, and only what depends on a change is run again after it; whoever uses the model meanwhile sees nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from .changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from .edited_weights import check_edit, edited_parameters, recomputed
from .errors import ConvLensError, InvalidLayer, InvalidOption, InvalidUnit
from .picture_changes import change_picture, check_picture_change
from .preprocessing_trials import check_sabotage, sabotaged
from .tracing import Prediction

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation
    from .tracing import Trace

__all__ = [
    "Change",
    "ChangePicture",
    "EditBias",
    "EditKernel",
    "Intervention",
    "SabotagePreprocessing",
    "SwitchOff",
    "intervene",
    "unfit",
]

_ONE_PICTURE = "Sabotaged preprocessing goes with no other change of the picture: choose one."


@dataclass(frozen=True)
class ClassChange:
    """One class before and after: logits, and probabilities between 0 and 1."""

    index: int
    name: str
    logit_before: float
    logit_after: float
    probability_before: float
    probability_after: float


@dataclass(frozen=True, eq=False)
class Intervention:
    """What changes did to a prediction; to undo one, intervene again without it.

    logits_before, logits_after, probabilities_before, probabilities_after: float32 (K,).
    before, after: the likeliest classes of each. changed: names of the operations whose output was replaced, in the
    network's order ("input" where the picture was changed). shown_rgb: uint8 (h, w, 3), what the network then sees.
    """

    changes: tuple[Change, ...]
    logits_before: NDArray[np.float32]
    logits_after: NDArray[np.float32]
    probabilities_before: NDArray[np.float32]
    probabilities_after: NDArray[np.float32]
    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]
    changed: tuple[str, ...]
    shown_rgb: NDArray[np.uint8] | None
    _class_names: tuple[str, ...]
    _network: Network
    _values: Mapping[str, torch.Tensor]
    _replaced: Mapping[str, torch.Tensor]

    def class_change(self, index: int) -> ClassChange:
        """One class's numbers before and after."""
        both = (self.logits_before, self.logits_after, self.probabilities_before, self.probabilities_after)
        numbers = (float(v[index]) for v in both)
        return ClassChange(index, self._class_names[index], *numbers)

    def classes(self) -> tuple[ClassChange, ...]:
        """The classes of `before`, then those of `after` that are not among them."""
        indices = dict.fromkeys(p.index for p in (*self.before, *self.after))
        return tuple(self.class_change(index) for index in indices)

    @property
    def same_winner(self) -> bool:
        """Whether the likeliest class is the same before and after."""
        return int(self.logits_before.argmax()) == int(self.logits_after.argmax())

    def values_before(self, operation: str) -> NDArray[np.float32]:
        """An operation's output without the changes: float32 (C, H, W) or (K,), read-only."""
        return self._read(operation, {})

    def values_after(self, operation: str) -> NDArray[np.float32]:
        """An operation's output with the changes: float32 (C, H, W) or (K,), read-only. Raises InvalidLayer."""
        return self._read(operation, self._replaced)

    def reached(self, operations: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """The outputs, with the changes, of those of the operations that a change reaches; the others stay as they are.

        Several at once are less work than one after the other. Arrays as `values_after`.
        """
        if not self._replaced:
            return {}
        touched = set(self._replaced)
        for operation in self._network.operations:
            if not touched.isdisjoint(operation.inputs):
                touched.add(operation.name)
        names = [name for name in (self._network[o].name for o in operations) if name in touched]
        with torch.no_grad():
            found = self._network.run_from(self._values, self._replaced, keep=names)
        return {name: _array(tensor) for name, tensor in found.items()}

    def _read(self, operation: str, replaced: Mapping[str, torch.Tensor]) -> NDArray[np.float32]:
        name = self._network[operation].name
        with torch.no_grad():
            return _array(self._network.run_from(self._values, replaced, keep=(name,))[name])


def intervene(classifier: Classifier, trace: Trace, changes: Sequence[Change], *, k: int = 5) -> Intervention:
    """Make the changes, all at once, on copies of what they touch, and compare the prediction with the traced one.

    Picture changes come first, in their order; then every edited operation is computed again with its own edited
    weights, and every channel that is switched off is replaced in its operation's output, from the input to the logits.
    Weights that several operations share are edited in all of them. Without changes the logits are the traced ones,
    bit for bit. k: how many of the likeliest classes to list. Arrays are float32.
    Raises InvalidLayer for an unknown or unfit operation, InvalidUnit for a channel or weight that is not there,
    InvalidOption for values that do not fit, and for a picture change where the trace has no picture.
    """
    network = classifier.network
    changes = tuple(changes)
    values = trace.tensors
    replaced, shown = _changed_input(classifier, trace, changes)
    edited = edited_parameters(network, changes)
    switched: dict[str, list[SwitchOff]] = {}
    for change in changes:
        if isinstance(change, SwitchOff):
            switched.setdefault(_switchable(network, change).name, []).append(change)
    with torch.no_grad():
        for operation in network.operations:
            name = operation.name
            if name in edited:
                source = operation.inputs[0]
                x = network.run_from(values, replaced, keep=(source,))[source]
                output = recomputed(network, operation, x, edited[name])
            elif name in switched:
                output = network.run_from(values, replaced, keep=(name,))[name]
            else:
                continue
            for change in switched.get(name, ()):
                output = _without(operation, output, change)
            replaced[name] = output
        kept = network.run_from(values, replaced, keep=(network.output, "softmax"))
    logits, probabilities = _array(kept[network.output]), _array(kept["softmax"])
    order = np.argsort(-logits, kind="stable")[:k]
    return Intervention(
        changes=changes,
        logits_before=trace.logits,
        logits_after=logits,
        probabilities_before=trace.probabilities,
        probabilities_after=probabilities,
        before=trace.top(k),
        after=tuple(
            Prediction(int(i), classifier.class_names[i], float(logits[i]), float(probabilities[i])) for i in order
        ),
        changed=tuple(o.name for o in network.operations if o.name in replaced),
        shown_rgb=shown,
        _class_names=classifier.class_names,
        _network=network,
        _values=values,
        _replaced=replaced,
    )


def unfit(classifier: Classifier, changes: Sequence[Change]) -> dict[int, str]:
    """Which of the changes cannot be made to this classifier, by their place in the list, and why, in a sentence each.

    A sabotaged preprocessing goes with no other change of the picture: the first of them stays.
    """
    reasons: dict[int, str] = {}
    of_picture: Change | None = None
    for place, change in enumerate(changes):
        try:
            if isinstance(change, SwitchOff):
                _switchable(classifier.network, change)
            elif isinstance(change, EditKernel | EditBias):
                check_edit(classifier.network, change)
            else:
                sabotage = isinstance(change, SabotagePreprocessing)
                if isinstance(change, SabotagePreprocessing):
                    check_sabotage(classifier, change.key)
                else:
                    check_picture_change(change.kind, change.amount)
                if of_picture is not None and (sabotage or isinstance(of_picture, SabotagePreprocessing)):
                    raise InvalidOption(_ONE_PICTURE)
                of_picture = change
        except ConvLensError as error:
            reasons[place] = str(error)
    return reasons


def _changed_input(
    classifier: Classifier, trace: Trace, changes: tuple[Change, ...]
) -> tuple[dict[str, torch.Tensor], NDArray[np.uint8] | None]:
    """{"input": the new tensor (1, C, h, w)}, or {} where the picture stays; and the picture that is seen."""
    wanted = [c for c in changes if isinstance(c, ChangePicture | SabotagePreprocessing)]
    seen = trace.input
    if not wanted:
        return {}, None if seen is None else seen.shown_rgb
    if seen is None:
        raise InvalidOption("The trace is of a bare tensor, which has no picture to change: trace a picture.")
    first = wanted[0]
    if isinstance(first, SabotagePreprocessing):
        if len(wanted) > 1:
            raise InvalidOption(_ONE_PICTURE)
        if first.picture is None:
            raise InvalidOption("A preprocessing is sabotaged on the picture itself: give SabotagePreprocessing one.")
        tensor, shown = sabotaged(classifier, first.key, first.picture, seen)
        return {"input": tensor.to(classifier.device)}, shown
    rgb = seen.shown_rgb
    for change in wanted:
        if isinstance(change, SabotagePreprocessing):
            raise InvalidOption(_ONE_PICTURE)
        rgb = change_picture(rgb, change.kind, change.amount, seed=change.seed)
    prepared = classifier.card.preprocessing.from_rgb(rgb)
    return {"input": prepared.tensor.to(classifier.device)}, prepared.shown_rgb


def _switchable(network: Network, change: SwitchOff) -> Operation:
    operation = network[change.operation]
    axis = channel_axis(operation)
    if operation.name == "softmax" or axis is None:
        raise InvalidLayer(f"{operation.name} ({operation.title}) has no channels to switch off.")
    if change.to not in ("zero", "mean"):
        raise InvalidOption(f"A channel is switched to 'zero' or to 'mean', not to {change.to!r}.")
    if change.to == "mean" and len(operation.output_shape) == 1:
        raise InvalidOption(f"Each number of {operation.name} is its own mean: switch it to 'zero'.")
    n = operation.output_shape[axis]
    for channel in change.channels:
        if not (isinstance(channel, int | np.integer) and 0 <= channel < n):
            raise InvalidUnit(f"{operation.name} has channels 0 to {n - 1}; there is no channel {channel!r}.")
    return operation


def channel_axis(operation: Operation) -> int | None:
    """Where the channels stand in the output without its batch axis; maps may be (row, column, channel) too."""
    if len(operation.output_shape) == 1:
        return 0
    return operation.axes.index("channel") if operation.axes.count("channel") == 1 else None


def _without(operation: Operation, output: torch.Tensor, change: SwitchOff) -> torch.Tensor:
    axis = 1 + (channel_axis(operation) or 0)
    output = output.clone()
    channels = torch.tensor(sorted(set(map(int, change.channels))), dtype=torch.long, device=output.device)
    if change.to == "zero":
        return output.index_fill_(axis, channels, 0.0)
    kept = output.index_select(axis, channels)
    others = tuple(i for i in range(1, output.dim()) if i != axis)
    return output.index_copy_(axis, channels, kept.mean(dim=others, keepdim=True).expand_as(kept))


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor[0].detach().cpu().numpy()
    array.setflags(write=False)
    return array
