"""The causal test on drawn animals: each put on another picture's ground, of its own kind and of the other kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..training.cow_camel import trial_herd
from .composing import swap_ground
from .ground_report import N_TRIED, asked
from .statistics import paired_bootstrap
from .swap_result import Interval

if TYPE_CHECKING:
    from ..models import Classifier


@dataclass(frozen=True, eq=False)
class HerdSwaps:
    """n animals from their usual ground, asked about again on two others.

    named, control_named, swapped_named: int64 (n,), the class that the network names on the animal's own ground, on
    another picture's ground of the same kind, and on one of the other kind. The grounds are drawn by a seed.
    effect: share of names changed by the other kind less that by the same kind, with its paired bootstrap interval.
    """

    own: NDArray[np.uint8]
    control: NDArray[np.uint8]
    swapped: NDArray[np.uint8]
    labels: NDArray[np.int64]
    named: NDArray[np.int64]
    control_named: NDArray[np.int64]
    swapped_named: NDArray[np.int64]
    effect: Interval

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def control_flips(self) -> int:
        """Names that changed on another ground of the same kind."""
        return int((self.control_named != self.named).sum())

    @property
    def swapped_flips(self) -> int:
        """Names that changed on a ground of the other kind."""
        return int((self.swapped_named != self.named).sum())

    @property
    def nbytes(self) -> int:
        return self.own.nbytes + self.control.nbytes + self.swapped.nbytes


def herd_swaps(classifier: Classifier, n: int = N_TRIED, *, seed: int = 0) -> HerdSwaps:
    """Swap the grounds of n test animals. Raises InvalidOption for a network of other classes."""
    herd = trial_herd("biased", n)
    generator = np.random.default_rng(seed)
    made: dict[bool, NDArray[np.uint8]] = {}
    for same in (True, False):
        pictures = np.empty_like(herd.pictures)
        for i in range(n):
            fitting = (herd.grounds == herd.grounds[i]) == same
            fitting[i] = False
            other = generator.choice(np.flatnonzero(fitting))
            pictures[i] = swap_ground(herd.pictures[i], herd.masks[i], herd.empty[other], feather=0.0)
        made[same] = pictures
    named, control, swapped = (
        asked(classifier, pictures).argmax(1) for pictures in (herd.pictures, made[True], made[False])
    )
    effect = paired_bootstrap(list(control != named), list(swapped != named))
    return HerdSwaps(herd.pictures, made[True], made[False], herd.labels, named, control, swapped, effect)
