"""Everything that the lesson shows of one network that tells cows from camels, made in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..training.cow_camel import KINDS, Kind
from .ground_report import N_TRIED, GroundReport, GroundTrial, Wall, ground_trial, some_of, wall
from .herd_swaps import HerdSwaps, herd_swaps

if TYPE_CHECKING:
    from ..models import Classifier

N_SHOWN: Final = 12
"""Animals on a wall: six cows and six camels, the same on each ground."""
STEPS: Final = 7


@dataclass(frozen=True, eq=False)
class Exhibit:
    """Accuracy on each ground, the wall of maps on each, and the swap test."""

    report: GroundReport
    walls: Mapping[Kind, Wall]
    swaps: HerdSwaps

    @property
    def nbytes(self) -> int:
        return self.report.nbytes + self.swaps.nbytes + sum(own.maps.nbytes for own in self.walls.values())


def exhibit(
    classifier: Classifier, *, n: int = N_TRIED, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Exhibit:
    """Ask the network about n test animals on each ground, explain and swap.

    on_progress: called with steps done and of how many; what it raises ends the work. Raises InvalidOption for a
    network of other classes.
    """
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        on_progress(done, STEPS)

    trials: dict[Kind, GroundTrial] = {}
    for kind in KINDS:
        trials[kind] = ground_trial(classifier, kind, n)
        step()
    report = GroundReport(trials, wall(classifier, trials["biased"], range(n)))
    step()
    shown = range(min(N_SHOWN, n))
    walls: dict[Kind, Wall] = {"biased": some_of(report.wall, shown)}
    for kind in KINDS:
        if kind not in walls:
            walls[kind] = wall(classifier, trials[kind], shown)
            step()
    swaps = herd_swaps(classifier, n)
    step()
    return Exhibit(report, {kind: walls[kind] for kind in KINDS}, swaps)
