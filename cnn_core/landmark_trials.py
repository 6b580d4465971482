"""What a part of a small landmark network is good for: it is cut out, and 2,000 pictures of clothes are named again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from .errors import InvalidOption
from .residual import residual_blocks
from .training.data import data_set, load_data_set
from .training.measuring import to_tensor

if TYPE_CHECKING:
    from .models import Classifier

# Small enough that a batch's maps stay in a core's cache.
_BATCH: Final = 100
_LOOKED: Final = 20  # pictures looked at together in the search for a divided one


@dataclass(frozen=True)
class Cut:
    """One change to a network that needs no training: an operation gives other numbers than it would."""

    key: str
    """What is cut, before a colon ("skip", "block", "branch"), and where."""
    where: str
    """The block or module."""
    title: str
    operation: str
    """The operation whose output is replaced."""
    source: str
    """The operation whose output is put there; "" for zeros."""


@dataclass(frozen=True)
class CutResult:
    """How many of the test pictures the network still names right."""

    cut: Cut
    right: int
    n: int

    @property
    def accuracy(self) -> float:
        return self.right / self.n


@dataclass(frozen=True)
class Trial:
    """A network as it is, and after each cut, on the same pictures."""

    right: int
    n: int
    results: tuple[CutResult, ...]

    @property
    def accuracy(self) -> float:
        return self.right / self.n


def cuts_of(classifier: Classifier) -> tuple[Cut, ...]:
    """The skips and blocks of a residual network, the branches of Inception modules; () for any other network."""
    network = classifier.network
    found: list[Cut] = []
    for block in residual_blocks(network):
        where = block.name.rpartition(".")[0]
        found.append(Cut(f"skip:{where}", where, "skip cut: F(x) alone goes on", block.name, block.branch))
        found.append(Cut(f"block:{where}", where, "block switched off: x alone goes on", block.name, block.skip))
    for operation in network.operations:
        if operation.kind == "cat":
            where = operation.name.rpartition(".")[0]
            found += [
                Cut(f"branch:{name}", where, f"{_branch(name, where)} gives zeros", name, "")
                for name in operation.inputs
            ]
    return tuple(found)


def _branch(name: str, where: str) -> str:
    return name.removeprefix(f"{where}.").split(".")[0]


@torch.no_grad()
def measure(
    classifier: Classifier,
    cuts: tuple[Cut, ...],
    *,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Trial | None:
    """Name all test pictures with the network as it is and after each cut; None where it was stopped.

    on_progress(done, total): in pictures. What stands before a cut is computed once for all cuts.
    """
    pictures, labels = _test_pictures(classifier)
    right, after, n = 0, dict.fromkeys((cut.key for cut in cuts), 0), len(labels)
    network = classifier.network
    # What is put in the place of others, and what running on from each single cut reads of the first run.
    kept = {name for cut in cuts for name in (cut.operation, cut.source, *network.needed({cut.operation})) if name}
    for start in range(0, n, _BATCH):
        if should_stop is not None and should_stop():
            return None
        x, wanted = pictures[start : start + _BATCH], labels[start : start + _BATCH]
        values = network.run(x, keep={*kept, network.output})
        right += _count(values[network.output], wanted)
        for cut in cuts:
            put = values[cut.source] if cut.source else torch.zeros_like(values[cut.operation])
            changed = network.run_from(values, {cut.operation: put})[network.output]
            after[cut.key] += _count(changed, wanted)
        if on_progress is not None:
            on_progress(start + len(wanted), n)
    return Trial(right, n, tuple(CutResult(cut, after[cut.key], n) for cut in cuts))


def _count(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(1) == labels).sum())


def _test_pictures(classifier: Classifier) -> tuple[Tensor, Tensor]:
    _, test = load_data_set("fashion")
    pictures = to_tensor(test.pictures, classifier.card.preprocessing).to(classifier.device)
    return pictures, torch.from_numpy(test.labels.copy()).to(classifier.device)


@torch.no_grad()
def next_divided(classifiers: tuple[Classifier, ...], after: int) -> int | None:
    """The next test picture after this one (round the end) that some of the networks name right and others wrong."""
    _, test = load_data_set("fashion")
    n = len(test)
    order = [(after + step) % n for step in range(1, n + 1)]
    for start in range(0, n, _LOOKED):
        part = order[start : start + _LOOKED]
        labels = torch.from_numpy(test.labels[part])
        right = torch.zeros(len(part), dtype=torch.int64)
        for classifier in classifiers:
            x = to_tensor(test.pictures[part], classifier.card.preprocessing).to(classifier.device)
            right += (classifier.module(x).argmax(1).cpu() == labels).to(torch.int64)
        for place, votes in zip(part, right.tolist(), strict=True):
            if 0 < votes < len(classifiers):
                return place
    return None


def test_picture(number: int) -> tuple[np.ndarray, str]:
    """A test picture as rgb uint8 (28, 28, 3), and the name of its class. Raises InvalidOption for another number."""
    _, test = load_data_set("fashion")
    if not 0 <= number < len(test):
        raise InvalidOption(f"There is no test picture {number}: they are numbered 0 to {len(test) - 1}.")
    name = data_set("fashion").class_names[int(test.labels[number])]
    return np.repeat(test.pictures[number][..., None], 3, axis=2), name
