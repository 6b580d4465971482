"""One channel on the whole bench: seven pictures with the decision's answer to each, and a lesion beside other ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .channel_bench import (
    LEAST_CHANGE,
    Taste,
    channel_layer,
    patch_side,
    shuffle_patches,
    to_grey,
    turn_hue,
)
from .errors import InvalidOption
from .interventions import SwitchOff, intervene
from .library import Progress, ShouldStop
from .receptive_field import receptive_field
from .silhouettes import Foreground, edges_only, silhouette, subject_of
from .tracing import Prediction

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Operation
    from .tracing import Trace

COLOUR_TRIALS: Final = ("grey", "hue")
"""Each leaves every edge where it was, and changes the colours."""
ARRANGEMENT_TRIALS: Final = ("shuffled",)
"""Leaves the colours and textures as they are, and breaks what is larger than a patch."""
ENOUGH: Final = 0.5
"""A drawing that keeps at least half of what a channel answers beyond its answer to nothing is enough for it."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a channel, and the decision, answer to one version of the picture.

    shown_rgb: uint8 (h, w, 3), what the network saw. map: float32 (H, W), the channel's. mean, peak: of the map.
    ratio: mean / mean on the picture, None where that is 0 (or the map has both signs, where a ratio misleads).
    change: (mean - mean on the picture) / mean of |map| on the picture; 0 for a channel that is all zero there.
    logit, probability: of the class that leads on the picture as it is. top: the class that leads here.
    """

    key: str
    title: str
    what: str
    shown_rgb: NDArray[np.uint8]
    map: NDArray[np.float32]
    mean: float
    peak: float
    ratio: float | None
    change: float
    logit: float
    probability: float
    top: Prediction


@dataclass(frozen=True, eq=False)
class ChannelTrials:
    """A channel's answers by the versions' keys; the first is "picture", the picture as it is.

    target, target_name: the class whose logit and probability are told. patch: the side of the shuffled patches in
    input pixels. subject: how the silhouette was cut.
    """

    operation: str
    channel: int
    target: int
    target_name: str
    patch: int
    subject: Foreground
    answers: Mapping[str, Answer]

    @property
    def is_silent(self) -> bool:
        """The channel is zero all over the picture as it is."""
        return not self.answers["picture"].map.any()

    @property
    def colour(self) -> float:
        """The larger change when colours go and every edge stays: grey, and hues turned."""
        return max(abs(self.answers[key].change) for key in COLOUR_TRIALS)

    @property
    def arrangement(self) -> float:
        """The change when patches change places: colours and textures stay, what is larger than a patch goes."""
        return max(abs(self.answers[key].change) for key in ARRANGEMENT_TRIALS)

    @property
    def verdict(self) -> Taste:
        """The rule, as `channel_bench.ChannelTaste`: the larger of the two changes, "neither" where both are small."""
        if max(self.colour, self.arrangement) < LEAST_CHANGE:
            return "neither"
        return "colour" if self.colour >= self.arrangement else "shape"

    def enough(self, key: str) -> bool | None:
        """Whether a drawing ("silhouette", "edges") keeps at least half of what the picture adds to the blank one.

        None where the channel answers to the picture no more than to a blank one, and there is nothing to keep.
        """
        nothing, whole = self.answers["blank"].mean, self.answers["picture"].mean
        return None if whole <= nothing else self.answers[key].mean - nothing >= ENOUGH * (whole - nothing)


def channel_trials(
    classifier: Classifier, trace: Trace, operation: str, channel: int, *, seed: int = 0
) -> ChannelTrials:
    """A channel and the decision on the traced picture and on six changed ones, one batch of forward passes.

    In grey; hues turned to their opposites; whole patches shuffled (side: half of the receptive field, 2 to 28 input
    pixels); the subject's silhouette; edges only; and a blank picture of the mean colour, for what is answered to
    nothing. seed: of the patches' order. Networks that read greys see drawings light on dark, as their digits are.
    Raises InvalidLayer where the operation has no maps (channel, row, column), InvalidUnit for a channel that it does
    not have, InvalidOption for a trace without its picture.
    """
    layer = channel_layer(classifier, operation, channel)
    if trace.input is None:
        raise InvalidOption("This trace holds no picture; make it from a picture or from classifier.preprocess(...).")
    rgb = trace.input.shown_rgb
    preprocessing = classifier.card.preprocessing
    light = preprocessing.channels == 1
    patch = max(1, min(patch_side(min(receptive_field(classifier, layer).size)), min(rgb.shape[:2]) // 2))
    subject = subject_of(rgb, light_on_dark=light)
    blank = np.broadcast_to(np.round(rgb.mean(axis=(0, 1))).astype(np.uint8), rgb.shape).copy()
    pictures = {
        "picture": ("The picture", "as the network sees it", rgb),
        "grey": ("In grey", "edges stay, colours go", to_grey(rgb)),
        "hue": ("Hues turned", "edges stay, red turns cyan", turn_hue(rgb)),
        "shuffled": (
            "Shuffled",
            f"colours stay, patches of {patch} × {patch} pixels move",
            shuffle_patches(rgb, patch, seed),
        ),
        "silhouette": ("Silhouette", "the outline alone", silhouette(subject.mask, light_on_dark=light)),
        "edges": ("Edges only", "lines, no areas, no colours", edges_only(rgb, light_on_dark=light)),
        "blank": ("Nothing", "the mean colour all over", blank),
    }
    batch = torch.cat([preprocessing.from_rgb(shown).tensor for _, _, shown in pictures.values()])
    network = classifier.network
    with torch.inference_mode():
        outputs = network.run(batch.to(classifier.device), keep=(layer.name, network.output))
        maps = outputs[layer.name][:, channel].float().cpu().numpy()
        logits = outputs[network.output].double().cpu()
        probabilities = torch.softmax(logits, dim=1).numpy()
    size = float(np.abs(maps[0]).mean(dtype=np.float64))
    means = [float(one.mean(dtype=np.float64)) for one in maps]
    target = trace.top(1)[0]
    one_sided = bool((maps >= 0).all())
    answers = {}
    for i, (key, (title, what, shown)) in enumerate(pictures.items()):
        leader = int(logits[i].argmax())
        answers[key] = Answer(
            key=key,
            title=title,
            what=what,
            shown_rgb=shown,
            map=maps[i],
            mean=means[i],
            peak=float(maps[i].max()),
            ratio=means[i] / means[0] if one_sided and means[0] > 0 else None,
            change=(means[i] - means[0]) / size if size > 0 else 0.0,
            logit=float(logits[i, target.index]),
            probability=float(probabilities[i, target.index]),
            top=Prediction(
                leader, classifier.class_names[leader], float(logits[i, leader]), float(probabilities[i, leader])
            ),
        )
    return ChannelTrials(layer.name, channel, target.index, target.name, patch, subject, answers)


@dataclass(frozen=True, eq=False)
class Lesion:
    """One channel of a layer set to zero: the leading class's logit and probability after, and who leads then."""

    channel: int
    logit: float
    probability: float
    top: Prediction


@dataclass(frozen=True, eq=False)
class Lesions:
    """A channel switched off, and others of the same layer, each alone.

    logit, probability: of the leading class with nothing switched off. others: in the order in which they were drawn.
    n_channels: of the layer. is_complete: False where the run was stopped.
    """

    operation: str
    target: int
    target_name: str
    logit: float
    probability: float
    chosen: Lesion
    others: tuple[Lesion, ...]
    n_channels: int
    seed: int
    is_complete: bool

    def effect(self, lesion: Lesion) -> float:
        """By how much the leading class's logit moved, either way."""
        return abs(lesion.logit - self.logit)

    @property
    def as_much(self) -> int:
        """How many of the others move the logit at least as far as the chosen channel does."""
        return sum(self.effect(other) >= self.effect(self.chosen) for other in self.others)

    @property
    def turned(self) -> int:
        """How many of the others change which class leads."""
        return sum(other.top.index != self.target for other in self.others)


def compare_lesions(
    classifier: Classifier,
    trace: Trace,
    operation: str,
    channel: int,
    *,
    n: int = 24,
    seed: int = 0,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Lesions:
    """Set a channel to zero, then each of n others of the layer, drawn without replacement; what follows is run again.

    Fewer than n where the layer has no more. on_progress(done, total) counts lesions; should_stop() is asked before
    each, and what was done by then comes back. Raises InvalidLayer and InvalidUnit as `channel_trials` does.
    """
    layer = channel_layer(classifier, operation, channel)
    target = trace.top(1)[0]
    total = layer.output_shape[0]
    rest = np.delete(np.arange(total), channel)
    drawn = np.random.default_rng(seed).permutation(rest)[:n].tolist()
    chosen = _lesion(classifier, trace, layer, channel, target.index)
    others: list[Lesion] = []
    for done, other in enumerate(drawn, start=2):
        if should_stop is not None and should_stop():
            break
        others.append(_lesion(classifier, trace, layer, other, target.index))
        if on_progress is not None:
            on_progress(done, len(drawn) + 1)
    return Lesions(
        operation=layer.name,
        target=target.index,
        target_name=target.name,
        logit=target.logit,
        probability=target.probability,
        chosen=chosen,
        others=tuple(others),
        n_channels=total,
        seed=seed,
        is_complete=len(others) == len(drawn),
    )


def _lesion(classifier: Classifier, trace: Trace, layer: Operation, channel: int, target: int) -> Lesion:
    found = intervene(classifier, trace, [SwitchOff(layer.name, (channel,))], k=1)
    return Lesion(channel, float(found.logits_after[target]), float(found.probabilities_after[target]), found.after[0])
