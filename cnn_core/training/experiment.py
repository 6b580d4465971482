"""What an experiment is: several networks (arms) on equal terms, what is compared, and what is expected."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidOption, quote, suggest
from .recipe import Recipe


@dataclass(frozen=True)
class ClassicRecipe:
    """A machine that is fitted in one go: HOG features (Dalal and Triggs 2005) and a linear SVM."""

    data: str
    n_train: int
    shuffled_pixels: bool = False
    orientations: int = 9
    cell: int = 7
    """Side of a cell, in pixels."""
    block: int = 2
    """Side of a block in which histograms are normalised together, in cells."""
    penalty: float = 0.5
    """C of the SVM: how much a mistake costs against a wide margin."""


@dataclass(frozen=True)
class Arm:
    """One network, or classic machine, of an experiment."""

    key: str
    title: str
    recipe: Recipe | ClassicRecipe
    group: str = ""
    """What this arm is compared within, for example "shuffled pixels"; "" where all arms are one group."""


@dataclass(frozen=True)
class Experiment:
    """One entry of the table."""

    key: str
    title: str
    question: str
    """What the learner guesses before it runs."""
    compares: str
    """What differs between the arms, and what does not."""
    expected: str
    """What came out when it was measured, over how many seeds."""
    source: str
    arms: tuple[Arm, ...]
    measures: tuple[str, ...]
    """What the result table holds for every arm; see `measures.py`."""

    def __post_init__(self) -> None:
        keys = [arm.key for arm in self.arms]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"the arms of {self.key!r} need keys of their own: {keys}")

    def arm(self, key: str | None = None) -> Arm:
        """The arm of this key, the first one for None; InvalidOption, naming the arms, where there is none."""
        if key is None:
            return self.arms[0]
        for arm in self.arms:
            if arm.key == key:
                return arm
        keys = [arm.key for arm in self.arms]
        raise InvalidOption(f"{self.key} has no arm {quote(key)}. {suggest(str(key), keys, limit=len(keys))}")
