"""What the page of one channel computes: shared between visitors where it is about samples, each key by content."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import cnn_core as cc
from cnn_core.channel_trials import ChannelTrials, Lesions, channel_trials, compare_lesions
from cnn_core.exciting import FirstFilters, Patch, Survey, first_filters, survey
from cnn_core.library import LibraryPicture, library
from ui import cached, pictures, widgets
from ui.jobs import Job

_OWN = "Your picture"
_NOTHING = np.zeros((0, 0, 3), dtype=np.uint8)


def trials(bench: widgets.Bench, layer: cc.Operation, channel: int) -> ChannelTrials:
    """The channel on the bench of seven pictures."""
    trace = bench.trace
    return cached.memo(
        "channel_trials",
        (bench.classifier.key, bench.model_input.digest, layer.name, channel),
        lambda: channel_trials(bench.classifier, trace, layer.name, channel),
        lambda made: sum(one.shown_rgb.nbytes + one.map.nbytes + 512 for one in made.answers.values()),
    )


def filters(bench: widgets.Bench) -> FirstFilters | str:
    """The first convolution's filters as pictures, or why there are none."""
    try:
        return cached.memo(
            "first_filters",
            (bench.classifier.key,),
            lambda: first_filters(bench.classifier),
            lambda made: made.weights.nbytes + made.rgb.nbytes,
        )
    except cc.InvalidLayer as error:
        return str(error)


def survey_key(bench: widgets.Bench, layer: cc.Operation) -> tuple[str, ...]:
    """What a survey is about: the network and the layer, and which uploads of this session belong to it."""
    return (bench.classifier.key, layer.name, *pictures.uploads())


@dataclass(frozen=True, eq=False)
class Collected:
    """The survey of the samples, which everybody shares, and one of each upload of this session."""

    samples: Survey
    own: tuple[Survey, ...]

    @property
    def n(self) -> int:
        return len(self.samples.pictures) + len(self.own)

    def patches(self, channel: int, k: int) -> tuple[Patch, ...]:
        """The most exciting patches of samples and uploads, named for this visitor."""
        names = pictures.uploads()
        found = [*self.samples.patches(channel, k)]
        for one in self.own:
            patch = one.patches(channel, 1)[0]
            title = names[patch.picture].name if patch.picture in names else _OWN
            found.append(replace(patch, title=title))
        # Equal values: the samples first, in the library's order.
        return tuple(sorted(found, key=lambda patch: -patch.value)[:k])

    def means(self, channel: int) -> list[tuple[str, float, bool]]:
        """Every picture's key, the mean of the channel's map on it, and whether it is an upload."""
        found = []
        for one in (self.samples, *self.own):
            found += [
                (picture.key, float(value), not picture.is_sample)
                for picture, value in zip(one.pictures, one.means[:, channel], strict=True)
            ]
        return found


def collect(bench: widgets.Bench, layer: cc.Operation, uploads: dict[str, pictures.Upload], job: Job) -> Collected:
    """The surveys, with progress told to the job; made in its thread, which must not touch Streamlit."""
    classifier = bench.classifier

    def tell(done: int, total: int) -> None:
        job.check()
        job.progress(done, total + len(uploads))

    # Networks that see pictures alike share them.
    shown = cached.memo(
        "library",
        (classifier.card.preprocessing,),
        lambda: library(classifier),
        lambda made: sum(
            p.model_input.tensor.nbytes + p.model_input.shown_rgb.nbytes + p.model_input.resized_rgb.nbytes
            for p in made
        ),
    )

    def make() -> Survey:
        job.check()
        return _lighter(survey(classifier, layer.name, pictures=shown, on_progress=tell))

    samples = cached.memo("survey", (classifier.key, layer.name), make, _size)
    own = []
    for number, (reference, upload) in enumerate(uploads.items(), start=1):
        own.append(_own_survey(bench, layer, reference, upload))
        job.check()
        job.progress(len(shown) + number, len(shown) + len(uploads))
    return Collected(samples, tuple(own))


def _own_survey(bench: widgets.Bench, layer: cc.Operation, reference: str, upload: pictures.Upload) -> Survey:
    """One upload's survey: its key is the content's digest and it bears no name, so nobody learns of it from it."""
    classifier = bench.classifier

    def make() -> Survey:
        seen = classifier.preprocess(cc.load_image(upload.content, name=_OWN))
        own = (LibraryPicture(reference, _OWN, seen, False),)
        return _lighter(survey(classifier, layer.name, pictures=own, likeness=False))

    return cached.memo("own_survey", (classifier.key, layer.name, reference), make, _size)


def _lighter(found: Survey) -> Survey:
    """The survey with what is shown of its pictures alone: tensors would be most of what the cache keeps of it."""
    kept = tuple(
        replace(p, model_input=replace(p.model_input, tensor=p.model_input.tensor[:0].clone(), resized_rgb=_NOTHING))
        for p in found.pictures
    )
    return replace(found, pictures=kept)


def _size(found: Survey) -> int:
    return found.nbytes + sum(p.model_input.shown_rgb.nbytes for p in found.pictures)


def lesions(bench: widgets.Bench, layer: cc.Operation, channel: int, n: int, seed: int, job: Job) -> Lesions:
    """The channel off, and n others; in a job's thread."""
    trace = bench.trace

    def tell(done: int, total: int) -> None:
        job.check()
        job.progress(done, total)

    def make() -> Lesions:
        # tell() ends it where the visitor stopped it.
        return compare_lesions(bench.classifier, trace, layer.name, channel, n=n, seed=seed, on_progress=tell)

    return cached.memo(
        "lesions",
        (bench.classifier.key, bench.model_input.digest, layer.name, channel, n, seed),
        make,
        lambda made: 256 * (2 + len(made.others)),
    )
