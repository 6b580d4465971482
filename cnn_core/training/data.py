"""The digits that come with ConvLens, split once and for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..assets import ASSETS

# The split is part of every reported accuracy, so its seed and sizes never change.
_SPLIT_SEED: Final = 123
_N_TEST: Final = 2_000


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures uint8 (N, 28, 28), light strokes on black, and labels int64 (N,)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    """Where each picture stands in the file, int64 (N,)."""


def load_digits() -> tuple[Split, Split]:
    """8,000 digits of MNIST to train on and 2,000 others to test on, in a fixed shuffled order."""
    with np.load(ASSETS / "data" / "mnist_10k.npz") as file:
        pictures, labels = file["X"], file["y"].astype(np.int64)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(pictures))
    train, test = order[:-_N_TEST], order[-_N_TEST:]
    return Split(pictures[train], labels[train], train), Split(pictures[test], labels[test], test)
