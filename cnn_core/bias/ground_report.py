"""What a network that tells cows from camels goes by: accuracy on three kinds of ground, and where its evidence is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..training.cow_camel import KINDS, Herd, Kind, trial_herd
from .region_evidence import split_values

if TYPE_CHECKING:
    from ..models import Classifier
    from ..saliency import SaliencyMap
    from ..saliency.placement import Placement
    from ..saliency.targets import TargetRequest
    from ..training.run import TrainingRun

N_TRIED: Final = 200
"""Test animals, each on its usual ground, on the other's and on a neutral one."""
SAYS_LITTLE: Final = 0.7
"""Below this accuracy on the usual ground a network has not learned enough to say what it looks at."""


@dataclass(frozen=True, eq=False)
class GroundTrial:
    """One kind of ground: what the network said of n test animals there.

    named: int64 (n,), the class it named. probabilities: float32 (n,) of that class. correct: bool (n,).
    """

    kind: Kind
    herd: Herd
    named: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        return self.named == self.herd.labels

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return float(self.correct.mean())

    @property
    def n(self) -> int:
        return len(self.named)


@dataclass(frozen=True, eq=False)
class Wall:
    """Pictures with the map of the class that the network named on each.

    maps: float32 (n, h, w), positive evidence, in the maps' own units; placement: where their cells lie. shares:
    float64 (n,), what part of a map lies on the animal; NaN where a map holds no positive evidence. areas: float64
    (n,), the animal's part of the picture.
    """

    trial: GroundTrial
    pictures: NDArray[np.int64]
    """Which of the trial's pictures."""
    maps: NDArray[np.float32]
    placement: Placement
    shares: NDArray[np.float64]
    areas: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Mean of the shares; NaN where no map holds positive evidence."""
        return float(np.nanmean(self.shares)) if np.isfinite(self.shares).any() else float("nan")

    @property
    def area(self) -> float:
        return float(self.areas.mean())

    @property
    def enrichment(self) -> float:
        """share / area: 1 is what evidence spread evenly over the picture would have."""
        return self.share / self.area


def ground_trial(classifier: Classifier, kind: Kind, n: int = N_TRIED) -> GroundTrial:
    """Ask the network about n test animals on grounds of one kind.

    Raises InvalidOption for a network of other classes.
    """
    herd = trial_herd(kind, n)
    found = asked(classifier, herd.pictures)
    return GroundTrial(kind, herd, found.argmax(1), found.max(1))


def asked(classifier: Classifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities float32 (n, 2), cow and camel, of pictures uint8 (n, 48, 48, 3).

    Raises InvalidOption for a network of other classes.
    """
    import torch

    from ..training.measuring import to_tensor

    _check(classifier)
    with torch.inference_mode():
        parts = to_tensor(pictures, classifier.card.preprocessing).to(classifier.device).split(100)
        found: NDArray[np.float32] = torch.cat([classifier.module(part).softmax(1).cpu() for part in parts]).numpy()
    return found


def _check(classifier: Classifier) -> None:
    from ..training.cow_camel import CLASSES, SIDE

    if classifier.class_names != CLASSES or classifier.card.preprocessing.crop != SIDE:
        raise InvalidOption(
            f"{classifier.card.title} does not tell cows from camels in pictures of {SIDE} × {SIDE} pixels."
        )


def some_of(whole: Wall, places: Sequence[int]) -> Wall:
    """A wall of fewer pictures: those at `places` in it."""
    at = np.asarray(places, dtype=np.int64)
    return replace(
        whole, pictures=whole.pictures[at], maps=whole.maps[at], shares=whole.shares[at], areas=whole.areas[at]
    )


def wall(classifier: Classifier, trial: GroundTrial, pictures: Sequence[int]) -> Wall:
    """The Grad-CAM map of the named class on some of a trial's pictures, and its share on the animal.

    Each cell of a map is placed by its receptive field and its evidence divided among the pixels that it is drawn on.
    """
    from ..saliency import explain_many

    chosen = np.asarray(pictures, dtype=np.int64)
    preprocessing = classifier.card.preprocessing
    inputs = [preprocessing.from_rgb(trial.herd.pictures[i]) for i in chosen]
    targets: list[TargetRequest] = [int(trial.named[i]) for i in chosen]
    with explain_many(classifier, inputs, method="gradcam", targets=targets, batch_size=50) as found:
        maps: list[SaliencyMap] = list(found)
    masks = trial.herd.masks[chosen]
    shares = np.full(len(chosen), np.nan)
    for i, (own, mask) in enumerate(zip(maps, masks, strict=True)):
        inside, outside, enrichment, _ = split_values(own.values, own.placement, mask, is_empty=own.is_empty)
        if enrichment is not None:
            shares[i] = inside / (inside + outside)
    values = np.stack([np.maximum(own.values, 0) for own in maps]).astype(np.float32)
    return Wall(trial, chosen, values, maps[0].placement, shares, masks.mean((1, 2), dtype=np.float64))


@dataclass(frozen=True, eq=False)
class GroundReport:
    """All three kinds of ground, and where the evidence lies on the usual one."""

    trials: Mapping[Kind, GroundTrial]
    wall: Wall
    """All animals on their usual ground."""

    @property
    def accuracies(self) -> dict[Kind, float]:
        return {kind: trial.accuracy for kind, trial in self.trials.items()}

    @property
    def flips(self) -> float:
        """Share of the animals that are named otherwise on the other's ground than on their own."""
        return float((self.trials["biased"].named != self.trials["counter"].named).mean())

    @property
    def has_learned(self) -> bool:
        return self.trials["biased"].accuracy >= SAYS_LITTLE

    @property
    def nbytes(self) -> int:
        return self.wall.maps.nbytes + 64 * N_TRIED


def ground_report(classifier: Classifier, n: int = N_TRIED) -> GroundReport:
    """Ask about n test animals on each kind of ground. Raises InvalidOption for a network of other classes."""
    trials = {kind: ground_trial(classifier, kind, n) for kind in KINDS}
    return GroundReport(trials, wall(classifier, trials["biased"], range(n)))


@lru_cache(maxsize=4)
def report_of_run(run: TrainingRun) -> GroundReport:
    """The report of a run's network, kept for the last few runs. Raises InvalidOption for one of other classes."""
    return ground_report(run.classifier())
