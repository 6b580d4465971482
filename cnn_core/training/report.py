"""What a finished run does on every test picture: which class is taken for which, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .built import Layer
from .cow_camel import KINDS, Kind, trial_herd
from .measuring import accuracy, to_tensor
from .networks import fresh_network
from .run import parts_of, preprocessing_of
from .snapshots import confusion_of

if TYPE_CHECKING:
    from .run import TrainingRun

_BATCH: Final = 200


@dataclass(frozen=True)
class Mistake:
    """One test picture that was taken for another class."""

    index: int
    """Its place in the test part."""
    label: int
    named: int
    probability: float
    """Given to the class that was named."""
    probability_of_label: float


@dataclass(frozen=True, eq=False)
class Report:
    """confusion: int64 (classes, classes), how many pictures of class (row) were taken for class (column).

    mistakes: the worst ones first: those whose own class got the smallest probability. pictures: theirs, uint8
    (n, side, side) or (n, side, side, 3).
    """

    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
    pictures: NDArray[np.uint8]
    n_mistakes: int

    @property
    def n_test(self) -> int:
        return int(self.confusion.sum())

    @property
    def nbytes(self) -> int:
        return self.confusion.nbytes + self.pictures.nbytes + 100 * len(self.mistakes)

    @property
    def most_confused(self) -> tuple[int, int, int] | None:
        """(class, taken for, how often) of the commonest mistake; None where there is none."""
        off = self.confusion.copy()
        np.fill_diagonal(off, 0)
        label, named = np.unravel_index(int(off.argmax()), off.shape)
        return (int(label), int(named), int(off.max())) if off.max() else None


@torch.no_grad()
def report_on(run: TrainingRun, *, worst: int = 24) -> Report:
    """Ask the run about every test picture; pictures without finite logits count as mistakes in no column."""
    _, test = parts_of(run.recipe)
    module, labels = run.module(), torch.from_numpy(test.labels.copy())
    seen = to_tensor(test.pictures, preprocessing_of(run.recipe))
    logits = torch.cat([module(batch) for batch in seen.split(_BATCH)])
    finite = logits.isfinite().all(1)
    probabilities = torch.softmax(logits.nan_to_num(), 1)
    named = torch.where(finite, logits.argmax(1), -1)
    own = probabilities.gather(1, labels[:, None])[:, 0]
    wrong = torch.nonzero((named != labels) & finite)[:, 0]
    order = wrong[own[wrong].argsort(stable=True)][:worst].tolist()
    return Report(
        class_names=_names(run),
        confusion=np.array(confusion_of(named, labels, logits.shape[1]), dtype=np.int64),
        mistakes=tuple(
            Mistake(i, int(labels[i]), int(named[i]), float(probabilities[i, named[i]]), float(own[i])) for i in order
        ),
        pictures=test.pictures[order],
        n_mistakes=int((named != labels).sum()),
    )


def _names(run: TrainingRun) -> tuple[str, ...]:
    from .data import data_set

    return data_set(run.recipe.data).class_names


def on_other_grounds(run: TrainingRun, n: int = 200) -> dict[Kind, float]:
    """Share of the drawn test animals named right, on their usual ground, on the other's, and on neutral ones."""
    module, preprocessing = run.module(), preprocessing_of(run.recipe)
    found: dict[Kind, float] = {}
    for kind in KINDS:
        herd = trial_herd(kind, n)
        found[kind] = accuracy(module, to_tensor(herd.pictures, preprocessing), torch.from_numpy(herd.labels))
    return found


# --- a fair test: the same network without one thing


REMOVABLE: Final = {
    "activations": (("relu", "tanh", "sigmoid"), "every activation"),
    "bn": (("bn",), "batch norm"),
    "pooling": (("max", "avg"), "pooling"),
    "drop": (("drop",), "dropout"),
    "conv": (("conv",), "every convolution"),
}
"""What can be taken out of a network: key -> (kinds of layer, words)."""


def without(layers: Sequence[Layer], key: str) -> tuple[Layer, ...]:
    """The layers with one kind of thing taken out."""
    kinds, _ = REMOVABLE[key]
    return tuple(layer for layer in layers if layer.kind not in kinds)


def shared_beginning(first: str, second: str, data: str, seed: int) -> tuple[int, int]:
    """How many weights of the second network begin with the same value as in the first, and how many it has.

    Both are drawn anew from the seed; weights are compared by name, in layers of one shape.
    """
    one, other = (dict(fresh_network(key, seed, data).named_parameters()) for key in (first, second))
    same = sum(
        value.numel()
        for name, value in other.items()
        if name in one and one[name].shape == value.shape and torch.equal(one[name], value)
    )
    return same, sum(value.numel() for value in other.values())
