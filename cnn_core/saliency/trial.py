"""The trial of a saliency map: does removing what it marks hurt the prediction more than removing something else?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidOption
from .charts import picture_row
from .comparing import packed, written
from .maps import SaliencyMap
from .removal import Fill, edge_strength, moved_region, top_region, without
from .targets import Target

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier

_BATCH: Final = 8  # pictures in one forward pass: 8 at 224 x 224 need about 0.3 GB in the largest networks

Verdict = Literal["supported", "no better than edges", "not supported"]


@dataclass(frozen=True, eq=False)
class Reading:
    """One picture and what the network says of it.

    logit: the target class's logit; probability: its probability; for a margin, the first class's minus the second's.
    shown_rgb: uint8 (H, W, 3), what the network saw. mask: bool (H, W), what was removed. seed: of a random region.
    """

    logit: float
    probability: float
    shown_rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class Trial:
    """The same picture whole (`before`) and with parts removed, each with the network's answer.

    marked: without the area that the map marks; random: without equal areas elsewhere; edges: without an edge
    detector's choice; rest: with nothing but the marked area left, which says whether that area alone is enough.
    fraction: asked for; area: removed, as a share of the picture (smaller where the map marks less than was asked).
    random_*_mean and random_*_spread: mean and sample standard deviation over the seeds (0 for one seed).
    sentence: what the numbers support, with the numbers in it.
    """

    target: Target
    fill: Fill
    fraction: float
    area: float
    before: Reading
    marked: Reading
    random: tuple[Reading, ...]
    edges: Reading
    rest: Reading
    verdict: Verdict
    sentence: str

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """Of each picture (whole, marked, edges, rest, then the random ones) its name, seed (-1 for none), logit,
        probability and mask (n, H, W), and fraction, area, fill, target, verdict and sentence, as an .npz file's bytes.
        """
        found = [self.before, self.marked, self.edges, self.rest, *self.random]
        words = {"fill": self.fill, "target": self.target.title, "verdict": self.verdict, "sentence": self.sentence}
        return packed(
            path,
            names=np.array(["whole", "marked", "edges", "rest", *(["random"] * len(self.random))]),
            seeds=np.array([-1 if reading.seed is None else reading.seed for reading in found]),
            logit=np.array([reading.logit for reading in found]),
            probability=np.array([reading.probability for reading in found]),
            masks=np.stack([reading.mask for reading in found]),
            fraction=np.array(self.fraction),
            area=np.array(self.area),
            **{name: np.array(text) for name, text in words.items()},
        )

    def to_png(self, path: str | Path | None = None) -> bytes:
        """The pictures side by side, each with its logit and probability; of the random ones the first."""
        named = [
            ("whole picture", self.before), ("without the marked area", self.marked),
            (f"without an equal area (1 of {len(self.random)})", self.random[0]),
            ("without strong edges", self.edges),
            ("the marked area alone", self.rest),
        ]  # fmt: skip
        chart = picture_row(
            f"{self.target.title}: {self.verdict}",
            [(title, f"{one.logit:.2f}, p = {one.probability:.3f}", one.shown_rgb) for title, one in named],
        )
        return written(chart, path)

    @property
    def random_logit_mean(self) -> float:
        return float(np.mean([reading.logit for reading in self.random]))

    @property
    def random_logit_spread(self) -> float:
        return _spread([reading.logit for reading in self.random])

    @property
    def random_probability_mean(self) -> float:
        return float(np.mean([reading.probability for reading in self.random]))

    @property
    def random_probability_spread(self) -> float:
        return _spread([reading.probability for reading in self.random])


def on_trial(
    classifier: Classifier,
    model_input: ModelInput,
    saliency_map: SaliencyMap,
    *,
    fraction: float = 0.1,
    fill: Fill = "mean",
    seeds: Iterable[int] = range(5),
) -> Trial:
    """Remove the top `fraction` of pixels by the map, equal areas elsewhere, and what an edge detector likes most.

    The random regions are the map's own region turned, mirrored and shifted, one for each seed, so that area and shape
    are equal. The edge detector is blurred to the map's coarseness. The map is placed at its receptive fields' centres.
    The verdict rests on the logit (or margin), which does not saturate as the probability does: "supported" when the
    map's region costs more than every random one and than the edges.

    What it cannot show: removed regions make pictures unlike any that the network was trained on, so a drop is evidence
    for a claim and no proof of it. Raises InvalidOption for an empty map, or where an option is out of range.
    """
    wanted = [int(seed) for seed in seeds]
    _check(model_input, saliency_map, fraction, wanted)
    rgb = model_input.shown_rgb
    drawn = saliency_map.upsampled(*rgb.shape[:2])
    n_pixels = min(max(1, round(fraction * drawn.size)), int((drawn > 0).sum()))
    marked = top_region(drawn, n_pixels)
    edges = top_region(edge_strength(rgb, sigma=max(saliency_map.placement.stride) / 2), n_pixels)
    masks = [np.zeros_like(marked), marked, edges, ~marked, *(moved_region(marked, seed) for seed in wanted)]
    pictures = [rgb, *(without(rgb, mask, fill) for mask in masks[1:])]

    logits = _logits(classifier, pictures)
    target = saliency_map.target
    numbers = [
        Target(target.indices, target.label, score).values(logits).tolist() for score in ("logit", "probability")
    ]
    readings = [
        Reading(logit, probability, picture, mask, seed)
        for logit, probability, picture, mask, seed in zip(
            *numbers, pictures, masks, [None, None, None, None, *wanted], strict=True
        )
    ]
    before, by_map, by_edges, rest, *at_random = readings
    verdict = _verdict(before, by_map, by_edges, at_random)
    area = n_pixels / drawn.size
    return Trial(
        target, fill, fraction, area, before, by_map, tuple(at_random), by_edges, rest, verdict,
        _sentence(target, area, before, by_map, by_edges, at_random, verdict),
    )  # fmt: skip


def _check(model_input: ModelInput, saliency_map: SaliencyMap, fraction: float, seeds: Sequence[int]) -> None:
    if saliency_map.is_empty:
        raise InvalidOption(f"There is no claim to put on trial. {saliency_map.note}")
    if not np.array_equal(saliency_map.shown_rgb, model_input.shown_rgb):
        raise InvalidOption("The map is of another picture: explain this one first.")
    if not (saliency_map.values > 0).any():
        raise InvalidOption("No cell of this map speaks for the target, so there is nothing to remove.")
    if not 0.0 < fraction < 1.0:
        raise InvalidOption(f"fraction must lie between 0 and 1, and is {fraction!r}.")
    if not seeds:
        raise InvalidOption("At least one seed is needed for the random regions.")


def _logits(classifier: Classifier, pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Logits (N, K), float64 on the CPU, in batches."""
    prepare = classifier.card.preprocessing.from_rgb
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            batch = torch.cat([prepare(picture).tensor for picture in pictures[start : start + _BATCH]])
            found.append(classifier.module(batch.to(classifier.device)).cpu().double())
    return torch.cat(found)


def _verdict(before: Reading, by_map: Reading, by_edges: Reading, at_random: Sequence[Reading]) -> Verdict:
    if by_map.logit >= min(before.logit, *(reading.logit for reading in at_random)):
        return "not supported"
    return "supported" if by_map.logit < by_edges.logit else "no better than edges"


def _sentence(
    target: Target,
    area: float,
    before: Reading,
    by_map: Reading,
    by_edges: Reading,
    at_random: Sequence[Reading],
    verdict: Verdict,
) -> str:
    name, share = ("margin", "margin of probabilities") if target.is_margin else ("logit", "probability")
    mean, spread = float(np.mean([reading.logit for reading in at_random])), _spread([r.logit for r in at_random])
    n = len(at_random)
    facts = (
        f"Without the {area:.0%} of the picture that the map marks, the {name} of {target.label} goes from "
        f"{_signed(before.logit)} to {_signed(by_map.logit)} ({share} {_signed(before.probability)} to "
        f"{_signed(by_map.probability)}); without an equal area elsewhere it is {_signed(mean)}"
        f"{f' ± {spread:.2f}' if n > 1 else ''} (n = {n}), without the strongest edges {_signed(by_edges.logit)}"
    )
    if verdict == "supported":
        return f"{facts}: the marked area matters more than any of these, which supports the map."
    if verdict == "no better than edges":
        return f"{facts}: an edge detector chose at least as well, so this gives the map no credit of its own."
    if by_map.logit >= before.logit:
        return f"{facts}: removing the marked area cost nothing, so the map is not supported."
    beaten = sum(reading.logit > by_map.logit for reading in at_random)
    return f"{facts}: the marked area matters more than {beaten} of {n} others only, so the map is not supported."


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _spread(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
