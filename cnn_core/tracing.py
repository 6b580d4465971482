"""One forward pass that serves every operation's output: nothing is patched, so any number of threads may run it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption

if TYPE_CHECKING:
    from .images import ModelInput, Picture, Source
    from .models import Classifier
    from .network import Network


@dataclass(frozen=True)
class Prediction:
    """One class in the order of probability."""

    index: int
    name: str
    logit: float
    probability: float


class Trace:
    """What a network computed for one picture; read-only.

    The outputs that are dear to compute are kept; any other is worked out from them when it is asked for, by the same
    functions on the same numbers, so that every bit is what the forward pass had (see `Network.record`).
    `classifier_key` names the classifier (`Classifier.key`), `input` is what it saw, `seconds` how long the pass took.
    """

    def __init__(
        self,
        classifier_key: str,
        model_input: ModelInput | None,
        network: Network,
        tensors: Mapping[str, torch.Tensor],
        class_names: tuple[str, ...],
        seconds: float,
    ) -> None:
        self.classifier_key = classifier_key
        self.input = model_input
        self.seconds = seconds
        self._network = network
        self._tensors = tensors
        self._class_names = class_names

    def tensor(self, name: str) -> torch.Tensor:
        """The output of an operation (or the last one of a module) with its batch axis of 1, on the model's device.

        It is the network's own tensor: do not write into it. Raises InvalidLayer for an unknown name.
        """
        full_name = self._network[name].name
        return self._outputs((full_name,))[full_name]

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """The kept outputs by name: enough for `Network.run_from` to work out any other."""
        return dict(self._tensors)

    def holding(self, names: Collection[str]) -> Trace:
        """The same pass with these outputs kept, too: for one who reads many of them, one after the other."""
        tensors = {**self._tensors, **self._outputs(names)}
        return Trace(self.classifier_key, self.input, self._network, tensors, self._class_names, self.seconds)

    def _outputs(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """These operations' outputs: those that are kept, and the others worked out from them."""
        missing = [name for name in names if name not in self._tensors]
        if not missing:
            return {name: self._tensors[name] for name in names}
        with torch.no_grad():
            found = self._network.run_from(self._tensors, {}, keep=missing)
        return {name: found[name] if name in found else self._tensors[name] for name in names}

    def activation(self, name: str) -> NDArray[np.float32]:
        """The output of an operation (or the last one of a module) without the batch axis: float32 (C, H, W) or (K,).

        A read-only view, not a copy, where the model runs on the CPU. Raises InvalidLayer for an unknown name.
        """
        return _read_only(self.tensor(name))

    def activations(self, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """Several activations at once, by operation name: less work than one after the other."""
        wanted = [self._network[name].name for name in names]
        return {name: _read_only(tensor) for name, tensor in self._outputs(wanted).items()}

    @property
    def logits(self) -> NDArray[np.float32]:
        """The network's output before the softmax: float32 (K,)."""
        return self.activation(self._network.output)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The softmax of the logits: float32 (K,), summing to 1."""
        return self.activation("softmax")

    def top(self, k: int = 5) -> tuple[Prediction, ...]:
        """The k likeliest classes, the likeliest first (equal ones in the order of their indices)."""
        logits, probabilities = self.logits, self.probabilities
        # Ranked by the logits: far apart ones can share a probability of 0.
        order = np.argsort(-logits, kind="stable")[:k]
        return tuple(Prediction(int(i), self._class_names[i], float(logits[i]), float(probabilities[i])) for i in order)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the kept outputs hold; one that only views another counts once."""
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in self._tensors.values()}
        return sum(storages.values())


def _read_only(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor[0].detach().cpu().numpy()
    array.setflags(write=False)
    return array


def trace(classifier: Classifier, source: ModelInput | Picture | Source) -> Trace:
    """Run the classifier once on one picture; every operation's output can then be read from the trace.

    source: a ModelInput (any height and width that the network takes), or whatever `classifier.preprocess` reads: a
    Picture, a path, bytes. Raises InvalidImage for what is no picture, InvalidOption for a batch of several.

    >>> import cnn_core as cc
    >>> found = cc.trace(cc.load_model("lenet5"), cc.load_image("assets/samples/digit_3.png"))
    >>> found.activation("conv1").shape
    (6, 28, 28)
    >>> found.top(1)[0].name
    '3'
    """
    model_input = classifier.preprocess(source)
    x = model_input.tensor
    if x.dim() != 4 or x.shape[0] != 1:
        raise InvalidOption(f"A trace is made of one picture, (1, C, h, w); the input has the shape {tuple(x.shape)}.")
    x = x.to(classifier.device)
    start = time.perf_counter()
    with torch.no_grad():  # not inference_mode: its tensors could not serve a backward pass through a head later
        tensors = classifier.network.record(x)
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    seconds = time.perf_counter() - start
    return Trace(classifier.key, model_input, classifier.network, tensors, classifier.class_names, seconds)
