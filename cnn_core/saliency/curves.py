"""Faithfulness: deletion and insertion curves, beside random regions of the map's own shape and an edge detector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..images import ModelInput
from .batch import Batch
from .charts import Line, line_chart
from .comparing import packed, written
from .maps import SaliencyMap
from .masking import BASELINES, answers, baseline, scores
from .progress import Progress, ShouldStop, Work
from .registry import BATCH_SIZE, Job
from .removal import edge_strength, moved_region
from .targets import Target

if TYPE_CHECKING:
    from ..models import Classifier

Kind = Literal["deletion", "insertion"]

WEAKNESS: Final = (
    "Pictures with parts removed are unlike any that the network was trained on, and such curves favour coarse, blurry "
    "maps (arXiv 2304.13836): compare maps of like coarseness, and try another fill."
)


@dataclass(frozen=True, eq=False)
class Curve:
    """What the network answers as more and more of the picture is removed (or shown), in one order of its pixels.

    logit, probability: float64 (steps + 1,), of the target class; for a margin, the first class's less the second's.
    area, logit_area: under them by the trapezium rule, the share of the picture running from 0 to 1.
    """

    logit: NDArray[np.float64]
    probability: NDArray[np.float64]
    seed: int | None = None

    @property
    def area(self) -> float:
        return _area(self.probability)

    @property
    def logit_area(self) -> float:
        return _area(self.logit)


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Deletion and insertion by the map, by its own shape moved at random (`random_*`, one a seed), and by edges.

    shares: float64 (steps + 1,) from 0 to 1, of the pixels removed or shown. fill: what stands where nothing is shown.
    verdict: "supported" when the map's logit curves beat every random one and the edges, in deletion (lower) and in
    insertion (higher); "partly supported" when in one of them; else "not supported".
    sentence: what the numbers say, with the numbers. weakness: what they cannot show.
    """

    target: Target
    method: str
    layer: str | None
    fill: str
    shares: NDArray[np.float64]
    deletion: Curve
    insertion: Curve
    random_deletion: tuple[Curve, ...]
    random_insertion: tuple[Curve, ...]
    edges_deletion: Curve
    edges_insertion: Curve
    verdict: Literal["supported", "partly supported", "not supported"] = "not supported"
    sentence: str = ""
    weakness: str = WEAKNESS

    def band(self, kind: Kind, score: Literal["logit", "probability"] = "logit") -> NDArray[np.float64]:
        """Least, mean and greatest of the random curves at each share: float64 (3, steps + 1)."""
        curves = self.random_deletion if kind == "deletion" else self.random_insertion
        values = np.stack([getattr(curve, score) for curve in curves])
        return np.stack([values.min(axis=0), values.mean(axis=0), values.max(axis=0)])

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """All curves as an .npz file's bytes (no pickles inside): shares, and for each of deletion and insertion logit
        and probability by the map, by edges (steps + 1,), and at random (seeds, steps + 1)."""
        arrays: dict[str, NDArray[Any]] = {
            "shares": self.shares,
            "seeds": np.array([c.seed for c in self.random_deletion]),
        }
        for kind in ("deletion", "insertion"):
            for score in ("logit", "probability"):
                arrays[f"{kind}_{score}"] = getattr(getattr(self, kind), score)
                arrays[f"edges_{kind}_{score}"] = getattr(getattr(self, f"edges_{kind}"), score)
                arrays[f"random_{kind}_{score}"] = np.stack(
                    [getattr(c, score) for c in getattr(self, f"random_{kind}")]
                )
        words = {"fill": self.fill, "verdict": self.verdict, "sentence": self.sentence, "target": self.target.title}
        return packed(path, **arrays, **{name: np.array(text) for name, text in words.items()})

    def to_png(
        self,
        path: str | Path | None = None,
        *,
        kind: Kind = "deletion",
        score: Literal["logit", "probability"] = "logit",
    ) -> bytes:
        """One of the two charts: the map's curve, the edges', and the random ones' mean with their range as a band."""
        low, mean, high = self.band(kind, score)
        lines = [
            Line("random, same shape", self.shares, mean, "quiet", low, high),
            Line("edge detector", self.shares, getattr(getattr(self, f"edges_{kind}"), score), "input"),
            Line("the map", self.shares, getattr(getattr(self, kind), score), "output"),
        ]
        done = "removed" if kind == "deletion" else "shown"
        title = f"{kind.capitalize()}: {self.target.label}"
        return written(line_chart(title, f"share of the picture {done} (fill: {self.fill})", score, lines), path)


def faithfulness(
    classifier: Classifier,
    model_input: ModelInput,
    saliency_map: SaliencyMap,
    *,
    steps: int = 10,
    fill: str = "mean",
    seeds: Iterable[int] = range(5),
    batch_size: int | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Faithfulness:
    """Remove the picture's pixels in the map's order, most marked first, and show them in that order on a blank one.

    Deletion and insertion after Petsiuk et al., RISE, BMVC 2018, section 4.1. The map is placed at its receptive
    fields' centres; equal pixels are taken in a random order (seed 0), not row by row. Beside it, for each seed, the
    map's own values turned, mirrored and shifted (equal coarseness), and Sobel edges blurred to the map's stride.
    steps: points of each curve beside the untouched picture. fill: "mean", "blur", "grey", "noise", "black" or "zero".
    Costs 2 (steps - 1) (seeds + 2) + 2 forward passes, `batch_size` (None: 8) at a time.

    Raises InvalidOption for an empty map, another picture's map or an option out of range, and Stopped.
    """
    wanted = [int(seed) for seed in seeds]
    check_claim(model_input, saliency_map)
    if not 1 <= steps <= 1000 or not wanted:
        raise InvalidOption(f"steps must lie between 1 and 1000 (it is {steps}), and at least one seed is needed.")
    if fill not in BASELINES:
        raise InvalidOption(f"Unknown fill {fill!r}. It is one of: {', '.join(map(repr, BASELINES))}.")
    target = saliency_map.target
    with torch.inference_mode(False):
        batch = Batch(classifier, [model_input], [request_of(target)], target.score)
        job = Job(batch, work=Work(on_progress, should_stop), batch_size=batch_size or BATCH_SIZE)
        drawn = saliency_map.upsampled(*model_input.shown_rgb.shape[:2])
        edges = edge_strength(model_input.shown_rgb, sigma=max(saliency_map.placement.stride) / 2)
        orders = [_order(drawn), _order(edges), *(_order(moved_region(drawn, seed)) for seed in wanted)]
        shares = np.linspace(0, 1, steps + 1)
        curves = _curves(job, orders, shares, baseline(job, fill))
    by_map, by_edges, *at_random = curves
    found = Faithfulness(
        target,
        saliency_map.method,
        saliency_map.layer,
        fill,
        shares,
        deletion=by_map[0],
        insertion=by_map[1],
        random_deletion=tuple(replace(pair[0], seed=seed) for pair, seed in zip(at_random, wanted, strict=True)),
        random_insertion=tuple(replace(pair[1], seed=seed) for pair, seed in zip(at_random, wanted, strict=True)),
        edges_deletion=by_edges[0],
        edges_insertion=by_edges[1],
    )
    return _judged(found)


def check_claim(model_input: ModelInput, saliency_map: SaliencyMap) -> None:
    """Raises InvalidOption for a map that says nothing, or that is of another picture."""
    if saliency_map.is_empty:
        raise InvalidOption(f"There is no claim to put on trial. {saliency_map.note}")
    if not np.array_equal(saliency_map.shown_rgb, model_input.shown_rgb):
        raise InvalidOption("The map is of another picture: explain this one first.")


def request_of(target: Target) -> int | tuple[int, int]:
    """A target as one asks for it, by indices."""
    return (target.indices[0], target.indices[1]) if target.is_margin else target.indices[0]


def _order(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """The place of each pixel when they are sorted from the greatest value down, ties at random: (H, W)."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    tie = np.random.default_rng(0).permutation(flat.size)
    place = np.empty(flat.size, dtype=np.int64)
    place[np.lexsort((tie, -flat))] = np.arange(flat.size)
    return place.reshape(values.shape)


def _curves(
    job: Job, orders: Sequence[NDArray[np.int64]], shares: NDArray[np.float64], blank: torch.Tensor
) -> list[tuple[Curve, Curve]]:
    """(deletion, insertion) for each order. The picture whole and the blank one are run once for all."""
    inner = len(shares) - 2
    places = [torch.from_numpy(order).to(job.x.device) for order in orders]
    counts = np.round(shares * orders[0].size).astype(int)
    n = 2 * len(orders) * inner

    def make(part: slice) -> torch.Tensor:
        pictures = []
        for number in range(part.start, part.stop):
            if number >= n:
                pictures.append(job.x[0] if number == n else blank[0])
                continue
            order, rest = divmod(number, 2 * inner)
            is_insertion, step = divmod(rest, inner)
            first = places[order] < int(counts[step + 1])
            pictures.append(torch.where(first, *((job.x[0], blank[0]) if is_insertion else (blank[0], job.x[0]))))
        return torch.stack(pictures)

    logits = answers(job, n + 2, make)
    target = job.target
    logit, probability = (
        scores(replace(target, score=score), logits).double().cpu().numpy() for score in ("logit", "probability")
    )

    def curve(order: int, is_insertion: int) -> Curve:
        rows = np.arange(inner) + (2 * order + is_insertion) * inner
        whole = np.concatenate([[n + is_insertion], rows, [n + 1 - is_insertion]]).astype(int)
        return Curve(logit[whole], probability[whole])

    return [(curve(order, 0), curve(order, 1)) for order in range(len(orders))]


def _judged(found: Faithfulness) -> Faithfulness:
    deletes = found.deletion.logit_area < min(c.logit_area for c in (*found.random_deletion, found.edges_deletion))
    inserts = found.insertion.logit_area > max(c.logit_area for c in (*found.random_insertion, found.edges_insertion))
    verdict: Any = ("not supported", "partly supported", "supported")[deletes + inserts]
    words = []
    for kind, better in (("deletion", "less is better"), ("insertion", "more is better")):
        random = [curve.logit_area for curve in getattr(found, f"random_{kind}")]
        words.append(
            f"{kind}: mean logit {getattr(found, kind).logit_area:.2f} by the map, {np.mean(random):.2f} "
            f"({min(random):.2f} to {max(random):.2f}, n = {len(random)}) at random, "
            f"{getattr(found, f'edges_{kind}').logit_area:.2f} by edges ({better})"
        )
    sentence = f"{verdict.capitalize()}. {words[0].capitalize()}; {words[1]}.".replace("-", "−")
    return replace(found, verdict=verdict, sentence=sentence)


def _area(values: NDArray[np.float64]) -> float:
    return float(((values[1:] + values[:-1]) / 2).mean())
