"""Pictures and targets that are explained together: one forward pass, and whatever else they share, made once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch

from ..kept import kept
from .targets import Score, Target, TargetRequest, resolve_target

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier
    from ..tracing import Trace

T = TypeVar("T")


class Batch:
    """B pictures of one size and R rows, each a picture and a target; used by one thread, thrown away afterwards.

    Either each picture has one row (a folder), or one picture has several (classes that are compared).
    trace: the finished forward pass of the one picture, or None where the batch has to run its own.
    """

    def __init__(
        self,
        classifier: Classifier,
        inputs: Sequence[ModelInput],
        requests: Sequence[TargetRequest],
        score: Score,
        trace: Trace | None = None,
    ) -> None:
        if len(inputs) not in (1, len(requests)):
            raise ValueError(f"{len(inputs)} pictures and {len(requests)} targets do not go together.")
        self.classifier = classifier
        self.inputs = tuple(inputs)
        self.score = score
        self.trace = trace
        self.rows = tuple((i if len(inputs) > 1 else 0, request) for i, request in enumerate(requests))
        self._values: dict[str, torch.Tensor] = {}
        self._made: dict[Hashable, Any] = {}

    @property
    def is_one_picture(self) -> bool:
        return len(self.inputs) == 1

    @kept
    def x(self) -> torch.Tensor:
        """What the network reads, (B, C, h, w), on its device and in its precision."""
        tensors = [ordinary(made.tensor) for made in self.inputs]
        joined = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return joined.to(self.classifier.device, precision_of(self.classifier, joined.dtype))

    def outputs(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """The outputs of these operations with their batch axis, from the trace or else from one pass without a graph.

        What an earlier call ran far enough to keep is not run again.
        """
        network = self.classifier.network
        missing = {network[name].name for name in names} - self._values.keys()
        if missing and self.trace is not None:
            device = self.classifier.device
            self._values.update({name: ordinary(self.trace.tensor(name)).to(device) for name in missing})
        elif missing:
            with torch.no_grad():
                self._values.update(network.run_from({**self._values, "input": self.x}, {}, keep=missing))
        return {network[name].name: self._values[network[name].name] for name in names}

    @property
    def logits(self) -> torch.Tensor:
        """(B, K), without a graph."""
        final = self.classifier.network.output
        return self.outputs((final,))[final]

    def heard(self, logits: torch.Tensor) -> None:
        """Logits (B, K) that a pass with a graph found, so that no other pass is run for them."""
        self._values.setdefault(self.classifier.network.output, logits.detach())

    def remember(self, outputs: Mapping[str, torch.Tensor]) -> None:
        """Outputs that a pass with a graph found, by operation, so that no other pass is run for them."""
        for name, values in outputs.items():
            self._values.setdefault(name, values.detach())

    @kept
    def targets(self) -> tuple[Target, ...]:
        """What each row explains; the logits decide the top class where none is named."""
        logits = self.logits
        return tuple(
            resolve_target(self.classifier, request, self.score, logits[image]) for image, request in self.rows
        )

    def cotangents(self) -> torch.Tensor:
        """dy/dz of each row's target, (R, K), in at least float32."""
        logits = self.logits
        logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
        if self.score == "logit":  # the same as below, without a vector for each row
            found = logits.new_zeros((len(self.rows), logits.shape[1]))
            for row, target in enumerate(self.targets):
                for sign, index in zip((1.0, -1.0), target.indices, strict=False):
                    found[row, index] = sign
            return found
        with torch.no_grad():
            return torch.stack(
                [t.cotangent(logits[image]) for t, (image, _) in zip(self.targets, self.rows, strict=True)]
            )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value under a key, made when first asked for."""
        if key not in self._made:
            self._made[key] = make()
        return cast(T, self._made[key])


def ordinary(tensor: torch.Tensor) -> torch.Tensor:
    """Tensors made under inference_mode cannot enter a graph; their copies can."""
    return tensor.clone() if tensor.is_inference() else tensor


def precision_of(classifier: Classifier, default: torch.dtype) -> torch.dtype:
    """The precision that the network computes in; `default` where it has no weights."""
    return next((p.dtype for p in classifier.module.parameters() if p.is_floating_point()), default)
