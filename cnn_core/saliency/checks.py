"""Two checks of a method on a picture: does its map depend on the weights, and does it stay when noise is added?"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidOption
from ..images import ModelInput
from .charts import Line, line_chart
from .comparing import packed, spearman, ssim, written
from .copies import with_module
from .curves import request_of
from .explaining import Request, explain_rows
from .fusion import Fusion
from .maps import SaliencyMap
from .placement import draw_aligned
from .progress import Progress, ShouldStop, Work
from .removal import edge_strength
from .targets import Score, TargetRequest

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import Network, Operation

SANITY_WEAKNESS: Final = (
    "It shows that a map depends on the weights, not that it is right; and a likeness that stays can come from the "
    "picture itself, where one object is all there is to mark."
)
STABILITY_WEAKNESS: Final = "A map may be steady and wrong: an edge detector is the steadiest of all."
_ALIKE: Final = 0.5  # a rank correlation above this after all weights are random is called "much the same map"


@dataclass(frozen=True, eq=False)
class SanityStep:
    """After a further group of operations got random weights.

    operation: the deepest one reached (nearest to the picture). n_randomised: how many have random weights by now.
    spearman: rank correlation with the original map; spearman_abs: of the absolute values; ssim: structural similarity.
    NaN where one of the two maps carries nothing. map: what the method says now.
    """

    operation: str
    n_randomised: int
    spearman: float
    spearman_abs: float
    ssim: float
    map: SaliencyMap


@dataclass(frozen=True, eq=False)
class SanityCheck:
    """A method's map while the weights are replaced by random ones, from the logits down to the picture.

    original: with the network's own weights. n_operations: that have weights. edges: the original's rank correlation
    with a Sobel edge map of the picture. depends_on_weights: with all weights random, the rank correlation (of values
    and of absolute values) is at most 0.5 in size. sentence: what the numbers say. weakness: what they cannot show.
    """

    method: str
    original: SaliencyMap
    steps: tuple[SanityStep, ...]
    n_operations: int
    edges: float
    depends_on_weights: bool
    sentence: str
    weakness: str = SANITY_WEAKNESS

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """original and maps, and for each step operation, n_randomised, spearman, spearman_abs and ssim, as an .npz
        file's bytes (no pickles inside)."""
        return packed(
            path,
            original=self.original.values,
            maps=np.stack([step.map.values for step in self.steps]),
            operations=np.array([step.operation for step in self.steps]),
            n_randomised=np.array([step.n_randomised for step in self.steps]),
            spearman=np.array([step.spearman for step in self.steps]),
            spearman_abs=np.array([step.spearman_abs for step in self.steps]),
            ssim=np.array([step.ssim for step in self.steps]),
            edges=np.array(self.edges),
            sentence=np.array(self.sentence),
        )

    def to_png(self, path: str | Path | None = None) -> bytes:
        """The similarities after each step as a chart."""
        x = np.array([0, *(step.n_randomised for step in self.steps)], dtype=np.float64)
        lines = [
            Line(title, x, np.array([1.0, *(getattr(step, name) for step in self.steps)]), colour)
            for name, title, colour in (
                ("spearman", "rank correlation", "output"),
                ("spearman_abs", "of absolute values", "input"),
                ("ssim", "SSIM", "quiet"),
            )
        ]
        chart = line_chart(
            f"{self.method}: likeness to the original map",
            "operations with random weights, from the logits down",
            "likeness",
            lines,
        )
        return written(chart, path)


def sanity_check(
    classifier: Classifier,
    model_input: ModelInput,
    method: str,
    *,
    target: TargetRequest = None,
    layer: Any = None,
    score: Score = "logit",
    rectify: bool = False,
    fusion: Fusion = "mean",
    steps: int = 8,
    seed: int = 0,
    batch_size: int | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    method_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> SanityCheck:
    """Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018: cascading randomisation.

    The network is copied; the copy's weights are replaced from the top down in `steps` groups of operations (fewer
    where it has fewer): convolutions and linear layers by normal numbers of variance 2 / fan-in (1 / fan-in for
    linear), their biases by 0, normalisations by what they start from, all drawn with `seed`. The class that is
    explained stays the one of the original map. The shared model is not touched. rectify: False compares both signs.
    layer, fusion: several layers are fused as in `explain`. options, method_options: the method's own; those that share
    a name with an argument here (the steps of integrated gradients) go into method_options.

    Raises what `explain` raises, InvalidOption for steps below 1, and Stopped.
    """
    if not 1 <= steps <= 1000:
        raise InvalidOption(f"steps must lie between 1 and 1000, and is {steps}.")
    asked = Request(method, layer, score, rectify, fusion, batch_size, {**options, **(method_options or {})})
    asked.check(classifier, [target])
    work = Work(on_progress, should_stop)
    groups = _groups(classifier.network, steps)
    total = len(groups) + 1
    (original,) = explain_rows(classifier, [model_input], [target], asked, work=work.part(0, total))
    work.tell(1, total)
    with torch.inference_mode(False):
        private = with_module(classifier, copy.deepcopy(classifier.module), f"{classifier.key}:randomised {seed}")
        generator = torch.Generator().manual_seed(seed)
        found: list[SanityStep] = []
        done: set[int] = set()
        count = 0
        for place, group in enumerate(groups):
            work.check()
            for operation in group:
                _randomise(private.network, operation, generator, done)
            count += len(group)
            inner = work.part(place + 1, total)
            (made,) = explain_rows(private, [model_input], [request_of(original.target)], asked, work=inner)
            found.append(SanityStep(group[-1].name, count, *_likeness(original, made), made))
            work.tell(place + 2, total)
    return _checked(method, original, found, count, model_input)


def _groups(network: Network, steps: int) -> list[list[Operation]]:
    """The operations with weights from the top down, in at most `steps` groups of nearly equal size."""
    weighted = [operation for operation in reversed(network.operations) if network.parameters(operation.name)]
    if not weighted:
        raise InvalidOption("This network has no weights to replace.")
    parts = np.array_split(np.arange(len(weighted)), min(steps, len(weighted)))
    return [[weighted[i] for i in part] for part in parts]


def _randomise(network: Network, operation: Operation, generator: torch.Generator, done: set[int]) -> None:
    """Write random weights into a private network's operation; tensors that several operations share once only."""
    own = network.parameters(operation.name)
    with torch.no_grad():
        for name, tensor in own.items():
            if id(tensor) in done or not tensor.is_floating_point():
                continue
            done.add(id(tensor))
            if operation.kind in ("conv2d", "linear") and name == "weight":
                fan_in = math.prod(tensor.shape[1:])
                deviation = math.sqrt((2 if operation.kind == "conv2d" else 1) / fan_in)
                tensor.copy_(deviation * torch.randn(tensor.shape, generator=generator, dtype=torch.float32))
            elif name in ("bias", "running_mean"):
                tensor.zero_()
            elif name in ("weight", "running_var"):
                tensor.fill_(1)
            else:  # an operation's own constants (a layer scale): the same numbers in another order
                order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].reshape(tensor.shape).clone())


def _likeness(one: SaliencyMap, other: SaliencyMap) -> tuple[float, float, float]:
    if one.is_empty or other.is_empty:
        return (float("nan"),) * 3
    a, b = one.values, other.values
    return spearman(a, b), spearman(np.abs(a), np.abs(b)), ssim(a, b)


def _checked(
    method: str, original: SaliencyMap, steps: Sequence[SanityStep], n: int, model_input: ModelInput
) -> SanityCheck:
    last = steps[-1]
    both = [abs(v) for v in (last.spearman, last.spearman_abs) if math.isfinite(v)]
    depends = all(value <= _ALIKE for value in both)
    edges = float("nan")
    if not original.is_empty:
        strength = edge_strength(model_input.shown_rgb, sigma=max(original.placement.stride) / 2)
        edges = spearman(draw_aligned(original.values, original.placement, strength.shape), strength)
    if original.is_empty:
        words = f"The original map carries nothing, so there is nothing to compare. {original.note}"
    elif not both:
        words = "With random weights the map carries nothing: it depends on the weights."
    else:
        words = (
            f"With all {n} weighted operations random, the rank correlation with the original map is "
            f"{last.spearman:.2f} (absolute values {last.spearman_abs:.2f}): "
            + ("the map depends on the weights." if depends else "much the same map, so it says little of the network.")
        )
    return SanityCheck(method, original, tuple(steps), n, edges, depends, words.replace("-", "−"))


@dataclass(frozen=True, eq=False)
class Stability:
    """A method's map of one picture with and without small noise.

    noise: standard deviation in levels of 255. spearman, ssim: float64 (seeds,), of each noisy picture's map with the
    original; NaN where one carries nothing. target_values: float64 (seeds,), what the network says of the noisy ones.
    maps: one for each seed. sentence: what the numbers say. weakness: what they cannot show.
    """

    method: str
    original: SaliencyMap
    noise: float
    seeds: tuple[int, ...]
    maps: tuple[SaliencyMap, ...]
    spearman: NDArray[np.float64]
    ssim: NDArray[np.float64]
    target_values: NDArray[np.float64]
    sentence: str
    weakness: str = STABILITY_WEAKNESS

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """original, maps (seeds, h, w), seeds, noise, spearman, ssim and target_values as an .npz file's bytes."""
        return packed(
            path,
            original=self.original.values,
            maps=np.stack([made.values for made in self.maps]),
            seeds=np.array(self.seeds),
            noise=np.array(self.noise),
            spearman=self.spearman,
            ssim=self.ssim,
            target_values=self.target_values,
        )

    def to_png(self, path: str | Path | None = None) -> bytes:
        """Both likenesses for each seed as a chart."""
        x = np.arange(len(self.seeds), dtype=np.float64)
        lines = [Line("rank correlation", x, self.spearman, "output"), Line("SSIM", x, self.ssim, "quiet")]
        title = f"{self.method}: likeness under noise of {self.noise:g} levels"
        return written(line_chart(title, "noisy copy", "likeness", lines), path)


def stability(
    classifier: Classifier,
    model_input: ModelInput,
    method: str,
    *,
    target: TargetRequest = None,
    layer: Any = None,
    score: Score = "logit",
    rectify: bool = False,
    fusion: Fusion = "mean",
    noise: float = 5.0,
    seeds: Iterable[int] = range(5),
    batch_size: int | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    method_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Stability:
    """The maps of noisy copies of a picture, compared with its own, always for the same class.

    noise: standard deviation in levels of 255 (5 is hardly seen); the copies are rounded to whole levels, as pictures
    are. layer, fusion: several layers are fused as in `explain`.

    Raises what `explain` raises, InvalidOption for noise out of 0 to 255 or no seed, and Stopped.
    """
    wanted = tuple(int(seed) for seed in seeds)
    if not 0 <= noise <= 255 or not wanted:
        raise InvalidOption(f"noise must lie between 0 and 255 (it is {noise!r}), and at least one seed is needed.")
    asked = Request(method, layer, score, rectify, fusion, batch_size, {**options, **(method_options or {})})
    work = Work(on_progress, should_stop)
    (original,) = explain_rows(classifier, [model_input], [target], asked, work=work.part(0, len(wanted) + 1))
    maps: list[SaliencyMap] = []
    for place, seed in enumerate(wanted):
        work.check()
        drawn = np.random.default_rng(seed).normal(0, noise, model_input.shown_rgb.shape)
        rgb = np.clip(np.round(model_input.shown_rgb + drawn), 0, 255).astype(np.uint8)
        noisy = classifier.card.preprocessing.from_rgb(rgb)
        inner = work.part(place + 1, len(wanted) + 1)
        maps.extend(explain_rows(classifier, [noisy], [request_of(original.target)], asked, work=inner))
        work.tell(place + 2, len(wanted) + 1)
    likeness = np.array([_likeness(original, made) for made in maps])
    values = np.array([made.target_value for made in maps])
    ranks = likeness[:, 0]
    words = (
        f"Under noise of {noise:g} levels of 255 the map's rank correlation with itself is {np.nanmean(ranks):.2f} "
        f"({np.nanmin(ranks):.2f} to {np.nanmax(ranks):.2f}, n = {len(wanted)}), while the {original.target.title} "
        f"goes from {original.target_value:.2f} to between {values.min():.2f} and {values.max():.2f}."
        if np.isfinite(ranks).any()
        else f"The maps carry nothing to compare. {original.note}"
    )
    return Stability(
        method, original, float(noise), wanted, tuple(maps), ranks, likeness[:, 2], values, words.replace("-", "−")
    )
