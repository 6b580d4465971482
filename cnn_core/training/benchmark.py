"""A small benchmark: many machines asked about the same test pictures, and how far their order can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..models.classifier import Classifier
from .data import data_set, list_data_sets, load_data_set
from .machines import Machine
from .measuring import to_tensor
from .run import TrainingRun
from .variants import shift

Bools = NDArray[np.bool_]
_BATCH: Final = 250
TOP: Final = 3
"""Guesses of the second column, as ImageNet counts five among a thousand classes."""


@dataclass(frozen=True, eq=False)
class Score:
    """What one machine made of the test pictures of a data set."""

    top1: Bools
    """(pictures,): its first guess is the label."""
    top3: Bools
    """(pictures,): the label is among its first three guesses."""

    @property
    def n(self) -> int:
        return len(self.top1)

    @property
    def error1(self) -> float:
        """Share of the pictures that its first guess gets wrong, 0 to 1."""
        return float(1 - self.top1.mean())

    @property
    def error3(self) -> float:
        """Share of the pictures that its first three guesses all get wrong, 0 to 1."""
        return float(1 - self.top3.mean())


def belongs(model: Classifier | Machine | TrainingRun, data: str) -> str:
    """Why a machine cannot stand in this data set's table, in a sentence; "" where it can."""
    wanted = data_set(data)
    if isinstance(model, Classifier):
        if model.class_names == wanted.class_names and model.card.channels == 1:
            return ""
        return f"{model.card.title} names other classes than {wanted.title.lower()}, so it cannot be compared here."
    if model.recipe.data != wanted.key:
        known = {one.key: one.title.lower() for one in list_data_sets()}
        return (
            f"{model.title} learned from {known.get(model.recipe.data, 'other pictures')}; this table compares what "
            f"learned from {wanted.title.lower()}, and anything else would be no comparison."
        )
    if model.recipe.shuffled_pixels:
        return f"{model.title} learned from shuffled pixels; this table shows pictures as they are."
    return ""


def evaluate(model: Classifier | Machine, data: str, *, moved: int = 0) -> Score:
    """Ask a machine about every test picture of a data set, moved down and right by `moved` pixels.

    Raises InvalidOption for a machine that learned something else.
    """
    if why := belongs(model, data):
        raise InvalidOption(why)
    _, test = load_data_set(data)
    pictures = shift(test.pictures, moved, moved) if moved else test.pictures
    return score(scores_of(model, pictures), test.labels)


def scores_of(model: Classifier | Machine, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (or distances from planes) float32 (N, classes) of pictures uint8 (N, H, W)."""
    if isinstance(model, Machine):
        return model.scores(pictures)
    import torch

    tensor = to_tensor(pictures, model.card.preprocessing)
    with torch.inference_mode():
        return torch.cat([model.module(batch.to(model.device)).cpu() for batch in tensor.split(_BATCH)]).numpy()


def score(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> Score:
    """Which pictures are right at the first guess and among the first three; ties count against the machine."""
    own = scores[np.arange(len(labels)), labels]
    better = (scores >= own[:, None]).sum(1) - 1  # other classes that stand before the label, or beside it
    finite = np.isfinite(scores).all(1)
    return Score((better < 1) & finite, (better < TOP) & finite)


@dataclass(frozen=True, eq=False)
class Noise:
    """What other test pictures of the same kind might have said: the table drawn again, many times."""

    n: int
    """Pictures in each draw."""
    draws: int
    low: NDArray[np.float64]
    """(machines,): 2.5 % of the draws give an accuracy below."""
    high: NDArray[np.float64]
    """(machines,): 2.5 % of the draws give an accuracy above."""
    first: NDArray[np.float64]
    """(machines,): share of the draws in which it leads; a shared lead counts in parts."""
    same_order: float
    """Share of the draws that put all machines in the very order of the table."""


def bootstrap(right: Bools, *, n: int | None = None, draws: int = 2_000, seed: int = 0) -> Noise:
    """Draw test pictures with replacement (Efron 1979), the same ones for every machine.

    right: (machines, pictures), the table's best machine need not be first. n: pictures of a draw, all of them for
    None. Raises InvalidOption for an empty table or draw.
    """
    machines, pictures = right.shape
    size = pictures if n is None else n
    if not machines or size < 1 or draws < 1:
        raise InvalidOption("A draw needs a machine, a picture, and to be made at least once.")
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(size, np.full(pictures, 1 / pictures), size=draws)
    hits = counts @ right.T.astype(np.int64)
    best = hits == hits.max(1, keepdims=True)
    order = np.argsort(-right.sum(1), kind="stable")
    steps = np.diff(hits[:, order], axis=1)
    low, high = np.quantile(hits / size, (0.025, 0.975), axis=0)
    return Noise(
        n=size,
        draws=draws,
        low=low,
        high=high,
        first=(best / best.sum(1, keepdims=True)).mean(0),
        same_order=float((steps <= 0).all(1).mean()),
    )
