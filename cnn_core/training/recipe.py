"""What decides a training run, down to its last bit, together with a seed: plain values, checked, fit for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from ..errors import InvalidOption, quote, suggest
from .data import data_set

OPTIMISERS: Final = ("sgd", "adam")
SCHEDULES: Final = ("constant", "cosine", "one_cycle")
NORMALISATIONS: Final = ("standardised", "raw")
_MOST_STEPS: Final = 1_000_000


@dataclass(frozen=True)
class Recipe:
    """One network, its data, and how it learns; every field can be overridden by name in `train`.

    Raises InvalidOption for a value that is not offered.
    """

    network: str
    data: str
    n_train: int
    """Pictures to learn from: a balanced subset of the data set's training part, drawn by the seed."""
    steps: int
    """Optimiser steps in all; settings may give `epochs` instead."""
    learning_rate: float
    """The largest one, where the schedule changes it."""
    batch_size: int = 64
    optimiser: str = "adam"
    momentum: float = 0.9
    """Of SGD; Adam has its own averages."""
    weight_decay: float = 0.0
    schedule: str = "one_cycle"
    normalisation: str = "standardised"
    """"standardised": minus the data set's mean, by its standard deviation; "raw": pixel values from 0 to 255."""
    augmentation: str = "none"
    shuffled_pixels: bool = False
    """Train and test on pictures whose pixels stand in one fixed shuffled order."""

    def __post_init__(self) -> None:
        self._check_kinds()
        n_all = data_set(self.data).n_train
        _check_range("n_train", self.n_train, 1, n_all)
        _check_range("steps", self.steps, 1, _MOST_STEPS)
        _check_range("batch_size", self.batch_size, 1, n_all)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InvalidOption(f"learning_rate must be above 0, not {self.learning_rate:g}.")
        if not 0 <= self.momentum < 1:
            raise InvalidOption(f"momentum must be at least 0 and below 1, not {self.momentum:g}.")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InvalidOption(f"weight_decay must be 0 or more, not {self.weight_decay:g}.")
        _check_choice("optimiser", self.optimiser, OPTIMISERS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("normalisation", self.normalisation, NORMALISATIONS)

    def _check_kinds(self) -> None:
        wanted: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool}
        for field in fields(self):
            value = getattr(self, field.name)
            kind = wanted[str(field.type)]
            # True is an int for Python, and no number for anybody else.
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise InvalidOption(f"{field.name} must be {_WORDS[str(field.type)]}, not {quote(value)}.")

    @property
    def batches_per_epoch(self) -> int:
        """Steps in which every training picture is seen once; the last one may be of fewer pictures."""
        return -(-self.n_train // self.batch_size)

    @property
    def epochs(self) -> float:
        return self.steps / self.batches_per_epoch

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


_WORDS: Final = {"str": "a word", "int": "a whole number", "float": "a number", "bool": "True or False"}


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidOption(f"{name} must lie between {low} and {high:,}, not {value:,}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidOption(f"{name} must be one of {', '.join(choices)}, not {quote(value)}.")


SETTINGS: Final = (*(field.name for field in fields(Recipe)), "epochs")


def adapt(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with some settings changed: any field of Recipe, or `epochs` in place of `steps`.

    Raises InvalidOption for an unknown setting (the message lists the valid ones) or a value that is not offered.
    """
    for name in settings:
        if name not in SETTINGS:
            raise InvalidOption(f"There is no setting {quote(name)}. {suggest(name, SETTINGS, limit=len(SETTINGS))}")
    changed = dict(settings)
    epochs = changed.pop("epochs", None)
    if epochs is None:
        return replace(recipe, **changed)
    if "steps" in changed:
        raise InvalidOption("Give steps or epochs, not both.")
    if isinstance(epochs, bool) or not isinstance(epochs, (int, float)) or not 0 < epochs <= _MOST_STEPS:
        raise InvalidOption(f"epochs must be a number above 0, not {quote(epochs)}.")
    adapted = replace(recipe, **changed)
    return replace(adapted, steps=max(1, round(epochs * adapted.batches_per_epoch)))
