"""The swap test as a page draws it and a file holds it: backgrounds exchanged, answers counted, an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Arm = Literal["same", "other", "removed"]
ARMS: Final[dict[Arm, str]] = {
    "same": "On a background of its own class (control)",
    "other": "On a background of another class",
    "removed": "Object removed, its place painted over",
}
"""The three interventions of the swap test, as headings."""


@dataclass(frozen=True)
class Rate:
    """`count` of `n`, with a Wilson interval; share is None where n is 0."""

    count: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        return self.count / self.n if self.n else None


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval at `level` (0.95)."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class SwapRow:
    """One boxed picture in the swap test: how many of its composites flipped, of how many.

    A flip: the network's top class is another than on the picture as it is. side: what its background was taken to be
    of (label, predicted class or tag). drop_same, drop_other: the mean fall of the original top class's probability.
    removed_flipped: with the object painted over; None where that was not tried.
    """

    index: int
    name: str
    side: str
    flips_same: int
    n_same: int
    flips_other: int
    n_other: int
    drop_same: float
    drop_other: float
    removed_flipped: bool | None

    @property
    def difference(self) -> float:
        """The share that flipped on other backgrounds minus the share that flipped in the control."""
        return self.flips_other / self.n_other - self.flips_same / self.n_same


@dataclass(frozen=True)
class SwapExample:
    """One composite to be shown: the picture `index` with the background of `donor` (None: its own, object removed)."""

    index: int
    arm: Arm
    donor: int | None
    predicted_name: str
    probability: float
    flipped: bool
    jpeg: bytes


@dataclass(frozen=True)
class SideSwap:
    """The swap test among the pictures of one side (a label, class or tag): mean shares of flips over n pictures."""

    side: str
    n: int
    same: float
    other: float


@dataclass(frozen=True)
class SwapTest:
    """Backgrounds swapped between boxed pictures, with backgrounds of the same class as the control.

    n: pictures that had both kinds of backgrounds. same, other: mean share of composites that flipped (each picture
    counts once). removed: flips with the object removed. difference: other - same, with a paired bootstrap interval
    over pictures. n_boxed: boxed pictures that could be read; not_tried: why some of them took no part, a sentence.
    """

    n: int
    n_boxed: int
    same: float
    other: float
    removed: Rate
    difference: Interval
    sides: tuple[SideSwap, ...]
    rows: tuple[SwapRow, ...]
    examples: tuple[SwapExample, ...]
    not_tried: str = ""
