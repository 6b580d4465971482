"""The data sets, behind one registry, each split once and for all; drawn ones and a learner's own among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..assets import ASSETS
from ..errors import InvalidOption, quote, suggest

# The split is part of every reported accuracy, so its seed and sizes never change.
_SPLIT_SEED: Final = 123
_N_TEST: Final = 2_000


@dataclass(frozen=True)
class Form:
    """What a network has to fit: channels and side of the pictures, and how many classes there are."""

    channels: int
    side: int
    classes: int


@dataclass(frozen=True, eq=False)
class Split:
    """Pictures uint8 (N, side, side) of greys or (N, side, side, 3) of colours, and labels int64 (N,)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]
    """Where each picture stands in the file, int64 (N,)."""

    def __len__(self) -> int:
        return len(self.labels)


def load_digits() -> tuple[Split, Split]:
    """8,000 digits of MNIST to train on and 2,000 others to test on, in a fixed shuffled order."""
    with np.load(ASSETS / "data" / "mnist_10k.npz") as file:
        pictures, labels = file["X"], file["y"].astype(np.int64)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(pictures))
    train, test = order[:-_N_TEST], order[-_N_TEST:]
    return Split(pictures[train], labels[train], train), Split(pictures[test], labels[test], test)


def load_fashion() -> tuple[Split, Split]:
    """6,000 pictures of clothing to train on and 2,000 others to test on, split and ordered as in the file."""
    with np.load(ASSETS / "data" / "fashion_6k2k.npz") as file:
        parts = [(file[x], file[y].astype(np.int64)) for x, y in (("X", "y"), ("Xv", "yv"))]
    train, test = (Split(pictures, labels, np.arange(len(labels))) for pictures, labels in parts)
    return train, test


@dataclass(frozen=True, eq=False)
class Cutouts:
    """The training pictures taken apart, in the order of the training part.

    masks: float32 (N, side, side), the share of each pixel that the object covers. empty: uint8 (N, side, side, 3), the
    grounds without the objects. invented: uint8 (M, side, side, 3), grounds of any colour and texture.
    """

    masks: NDArray[np.float32]
    empty: NDArray[np.uint8]
    invented: NDArray[np.uint8]


@dataclass(frozen=True)
class DataSet:
    """One data set of square pictures."""

    key: str
    title: str
    class_names: tuple[str, ...]
    n_train: int
    n_test: int
    mean: float
    """Mean of the whole published training set, its pixels in 0 to 1: what "normalised" subtracts."""
    std: float
    """Standard deviation of the same: what "normalised" divides by."""
    side: int
    source: str
    load: Callable[[], tuple[Split, Split]]
    """The training part and the test part; use `load_data_set`, which reads the file once."""
    channels: int = 1
    """1 for greys, 3 for colours."""
    light_on_black: bool = True
    """Light strokes on black: a picture with a light border is inverted before a network of this data sees it."""
    cutouts: Callable[[], Cutouts] | None = None
    """Where the objects are and what is behind them; None where nobody knows."""

    @property
    def form(self) -> Form:
        return Form(self.channels, self.side, len(self.class_names))


_DATA_SETS: dict[str, DataSet] = {}


def register_data_set(data_set: DataSet) -> DataSet:
    """Add a data set; ValueError where its key is taken."""
    if data_set.key in _DATA_SETS:
        raise ValueError(f"there is a data set {data_set.key!r} already")
    _DATA_SETS[data_set.key] = data_set
    return data_set


def list_data_sets() -> tuple[DataSet, ...]:
    """Every data set that comes as a file, in the order of the course."""
    return tuple(_DATA_SETS.values())


def data_set(key: str) -> DataSet:
    """The data set of this key; InvalidOption, naming the valid ones, where there is none.

    Beside those of `list_data_sets`: "cow_camel:<per cent>" (see `cow_camel`), and "own:<digest>", pictures that a
    learner brought (see `own_data`).
    """
    if str(key).startswith("own:"):
        from .own_data import own_data_set

        return own_data_set(key)
    if str(key).split(":")[0] == "cow_camel":
        from .cow_camel import cow_camel_data_set

        return cow_camel_data_set(key)
    if key not in _DATA_SETS:
        raise InvalidOption(f"There is no data set {quote(key)}. {suggest(str(key), (*_DATA_SETS, 'cow_camel'))}")
    return _DATA_SETS[key]


def load_data_set(key: str) -> tuple[Split, Split]:
    """The training part and the test part of a data set, read once; all arrays are read-only."""
    if str(key).startswith("own:"):
        return data_set(key).load()  # never kept here: it goes with its owner
    return _load_once(key)


@lru_cache(maxsize=5)
def _load_once(key: str) -> tuple[Split, Split]:
    parts = data_set(key).load()
    for part in parts:
        for array in (part.pictures, part.labels, part.indices):
            array.setflags(write=False)
    return parts


register_data_set(
    DataSet(
        key="digits",
        title="Handwritten digits",
        class_names=tuple(str(digit) for digit in range(10)),
        n_train=8_000,
        n_test=_N_TEST,
        mean=0.1307,
        std=0.3081,
        side=28,
        source="MNIST (LeCun, Cortes, Burges), 10,000 of its pictures",
        load=load_digits,
    )
)
register_data_set(
    DataSet(
        key="fashion",
        title="Clothing",
        class_names=(
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        n_train=6_000,
        n_test=2_000,
        mean=0.2860,
        std=0.3530,
        side=28,
        source="Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), 8,000 of its pictures",
        load=load_fashion,
    )
)
