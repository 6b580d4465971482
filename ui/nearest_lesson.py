"""The pictures that look most like this one to the network's last maps, beside those most like it in raw pixels."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from cnn_core.library import library
from cnn_core.nearest import FeatureLibrary, Neighbour, feature_library
from ui import jobs, lesson, pictures
from ui.instruments.trial import Card, comparison
from ui.text import plain
from ui.widgets import Bench, share

SHOWN = 4
ANSWERS = {"none": "None", "some": "1 or 2", "most": "3 or more"}


@st.fragment
def laboratory(bench: Bench) -> None:
    """The guess, the search with its progress, and both rows of pictures."""
    st.header("What looks alike to the network", anchor=False, divider="gray")
    network = bench.classifier.network
    own = {
        reference: picture
        for reference in pictures.uploads()
        if (picture := pictures.open_picture(reference)) is not None
    }
    features = network.linear_head()
    layer = network[network.default_layer() if features is None else features.maps]
    n = layer.output_shape[0]
    left = (
        f"The means of the {n} last maps are compared here; the network itself still reads every cell of them."
        if features is None
        else f"The means of the {n} last maps are all that is left of your picture here."
    )
    st.markdown(f"{left} Pictures whose {n} means point the same way count as alike, whatever their pixels are.")
    guess = lesson.guess(
        "nearest",
        f"Of the {SHOWN} library pictures nearest in these features, how many are also among the {SHOWN} nearest in "
        "raw pixels?",
        ANSWERS,
        about=f"{bench.classifier.key}_{bench.model_input.digest[:16]}",
    )
    if guess is None:
        st.caption("Guess, then let the network look at every picture of the library, and at those that you brought.")
        return
    classifier = bench.classifier
    found = jobs.run(
        "nearest",
        (classifier.key, tuple((reference, picture.name) for reference, picture in own.items())),
        lambda progress, stop: _whole(bench, list(own.values()), progress, stop),
        lambda made: made.nbytes,
        button="Look through the library",
        label="The network looks at the library",
        unit="pictures",
        icon=":material/image_search:",
    )
    if found is None:
        return
    near = [neighbour for neighbour in found.nearest(bench.trace, SHOWN + 1) if not neighbour.is_same][:SHOWN]
    pixels = found.nearest_in_pixels(bench.trace, SHOWN)
    both = {neighbour.picture.key for neighbour in near} & {picture.key for picture, _ in pixels}
    answer = "none" if not both else "some" if len(both) <= 2 else "most"
    names = ", ".join(plain(neighbour.picture.title) for neighbour in near if neighbour.picture.key in both)
    lesson.reveal(
        guess,
        answer,
        f"{len(both)} of {len(near)}{f': {names}' if both else ''}. To the network, “alike” is not alike in pixels."
        if len(both) < len(near)
        else f"All {len(near)}: on this picture the network's likeness is likeness in pixels.",
    )
    _show(bench, near, found)
    listed = ", ".join(f"{plain(picture.title)} ({far:.0f})" for picture, far in pixels)
    st.markdown(f"**For comparison, nearest in raw pixels:** {listed}.")
    st.caption(
        "Distance in pixels: the root of the mean square difference in levels of 255, both pictures averaged to "
        f"16 × 16. Library: {len(found.pictures)} pictures. {_credits(near)}"
    )


def _whole(
    bench: Bench, own: list[cc.Picture], progress: jobs.Progress, stop: jobs.ShouldStop
) -> FeatureLibrary | None:
    """The features of all pictures, or None where it was stopped before the last."""
    chosen = library(bench.classifier, own)
    progress(0, len(chosen))
    try:
        made = feature_library(bench.classifier, pictures=chosen, on_progress=progress, should_stop=stop)
    except cc.InvalidOption:
        if stop():  # before the first batch was done
            return None
        raise
    return made if len(made.pictures) == len(chosen) else None


def _show(bench: Bench, near: list[Neighbour], found: FeatureLibrary) -> None:
    top = bench.trace.top(1)[0]
    cards = [Card("Your picture", bench.model_input.shown_rgb, 1.0, f"{top.name} {share(top.probability)}", "whole")]
    cards += [
        Card(
            neighbour.picture.title,
            neighbour.picture.model_input.shown_rgb,
            neighbour.cosine,
            f"{neighbour.prediction.name} {share(neighbour.prediction.probability)}",
        )
        for neighbour in near
    ]
    comparison(
        cards,
        key="cl_nearest",
        caption=f"Bars: cosine of the angle between the features (means of the maps of {found.layer}), 1 = the same "
        "direction, one shared scale. Under each, what the network calls it.",
    )


def _credits(near: list[Neighbour]) -> str:
    """Author and licence of the shipped pictures that are shown."""
    known = pictures.samples()
    shown: dict[tuple[str, str], list[str]] = {}
    for neighbour in near:
        if neighbour.picture.is_sample:
            sample = known[neighbour.picture.key]
            shown.setdefault((sample.author, sample.licence), []).append(sample.title)
    parts = [f"{plain(', '.join(titles))}: {plain(who)}, {plain(terms)}" for (who, terms), titles in shown.items()]
    return f"Pictures: {'; '.join(parts)}." if parts else ""
