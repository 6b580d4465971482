"""The laboratory of “One picture, other grounds”: mark, guess, read the evidence, intervene."""

from __future__ import annotations

import streamlit as st

from cnn_core.bias.regions import Region
from ui import lesson, swap_evidence, swap_grounds, swap_region, widgets
from ui.widgets import Bench

_OPTIONS = {"stays": "The same on every ground", "some": "Another class on some", "most": "Another class on most"}


def laboratory(bench: Bench) -> None:
    """Everything that answers to a click on this page."""
    st.space("xxsmall")
    target = widgets.class_picker(bench)
    rival = widgets.wanted_rival(bench, target)
    widgets.rival_picker(
        bench, target, rival, key="cl_swap_rival", words="With a rival, the margin of the two is what counts."
    )
    region = swap_region.marked_region(bench)
    left, right = lesson.columns()
    with left:
        widgets.said("boxes", ":material/select:")
        swap_region.instrument(bench, region)
    with right:
        reading = st.container()
    usable = _usable(bench, region)
    with reading:
        if region is None:
            st.info(
                "Mark the object first: drag a box round it in the picture, or paint it with the brush.",
                icon=":material/select:",
            )
        elif usable is not None:
            st.info(usable, icon=":material/crop:")
        else:
            swap_evidence.reading(bench, region, target, rival)
    if region is None or usable is not None:
        return
    swap_evidence.split_exactly(bench, region, target, rival)
    name = bench.classifier.class_names[target]
    question = f"The same object on other grounds: will the answer (now “{bench.trace.top(1)[0].name}”) stay?"
    if rival is not None:
        question = f"The same object on other grounds: will “{name}” against the rival come out as it does now?"
    about = f"{bench.classifier.key}:{bench.model_input.digest[:16]}:{target}:{rival}"
    guess = lesson.guess("swap_grounds", question, _OPTIONS, about=about)
    if guess is None:
        return
    with lesson.test("The same object, other grounds"):
        swap_grounds.trial(bench, region, target, rival, guess)


def _usable(bench: Bench, region: Region | None) -> str | None:
    """Why the region cannot be worked with, in a sentence; None where it can."""
    if region is None:
        return None
    share = region.in_input(bench.model_input)
    if not share.max() > 0:
        return "What you marked lies where the picture was cropped away: mark something nearer to its middle."
    if share.min() >= 1:
        return (
            "What you marked is the whole of what the network sees. Cut the object out of its box, or leave some "
            "ground round it."
        )
    return None
