"""The sections of "Training insights": each with its exhibit, its guess, its experiment and its why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import streamlit as st

from ui import experiment_input, experiment_signal, lesson, session, widgets


@dataclass(frozen=True)
class Section:
    """One of the four claims."""

    key: str
    title: str
    draw: Callable[[], None]
    why: str
    ideas: tuple[str, ...]


SECTIONS: Final = {
    section.key: section
    for section in (
        Section(
            "relu",
            "Why ReLU",
            experiment_signal.relu,
            "On the way back the gradient is multiplied by the slope of every activation. A sigmoid’s is at most 1/4, "
            "so "
            "20 of them leave at most $(1/4)^{20} \\approx 10^{-12}$. ReLU’s slope is 1 wherever it is on. How large "
            "the "
            "weights are at first matters as much: variance $2/n$ (He et al. 2015) keeps ReLU’s signal alive forward "
            "and "
            "backward, $2/(n_{in}+n_{out})$ (Glorot and Bengio 2010) was made for tanh.",
            (
                "Open “Gradients” after a run and play the steps: does the sigmoid’s line ever come up?",
                "Give the sigmoid 500 steps. Does patience help?",
                "Raise the learning rate for tanh to 0.1: what does “Activations at rest” show?",
            ),
        ),
        Section(
            "batch_norm",
            "Why batch norm",
            experiment_signal.batch_norm,
            "Batch norm subtracts each channel’s mean over the batch and divides by its standard deviation, then "
            "scales "
            "and shifts by two learned numbers (Ioffe and Szegedy 2015). So a layer’s spread no longer depends on how "
            "large the weights before it have become, and a step that makes them larger does no harm: larger learning "
            "rates work, and starting weights matter less.",
            (
                "Choose learning rate 0.3 and three seeds: is batch norm still safe?",
                "Run both at 0.003 with 600 steps: does the network without it catch up?",
                "Batch size 8: the batch’s mean becomes noisy. What does that cost?",
            ),
        ),
        Section(
            "normalise",
            "Why normalise",
            experiment_input.normalise,
            "The gradient of the first weights is a sum of products with the input. Inputs 255 times as large, and all "
            "positive, make it hundreds of times larger, so that the learning rate which was right throws the weights "
            "far away; and a common sign drags all weights of a unit the same way (LeCun et al. 1998, Efficient "
            "backprop).",
            (
                "Give the raw network a learning rate of 0.00005: it learns after all. What did normalising save?",
                "Look at the loss of the raw run: how high does it go at first?",
                "Run both with Adam. Then raise Adam’s learning rate to 0.05.",
            ),
        ),
        Section(
            "augmentation",
            "Augmentation",
            experiment_input.augmentation,
            "A turned 7 is a 7: each copy tells the network what does not matter, which a hundred pictures cannot. "
            "That is "
            "knowledge of yours about the pictures, put in through the data. Clothing comes upright, centred and in "
            "one "
            "size; there the copies show the network what it will never be asked, and cost it steps.",
            (
                "1,000 digits instead of 100 (training pictures, under settings): what is augmentation worth then?",
                "Take “affine, mirrored” for digits: is a mirrored 2 still a 2?",
                "Give the augmented clothing 1,000 steps: does it come out ahead?",
            ),
        ),
    )
}


def draw() -> None:
    """The section of the address; a wrong one is told once."""
    chosen = session.get("section")
    if chosen not in SECTIONS:
        if chosen is not None:
            session.refuse("section", f"There is no section “{chosen}” here, so this is the first one.")
        chosen = next(iter(SECTIONS))
    widgets.said("section", ":material/tab:")
    st.session_state.cl_insights_section = chosen

    def changed() -> None:
        session.set("section", st.session_state.cl_insights_section)
        for name in ("arms", "recipe"):
            session.set(name, None)

    st.segmented_control(
        "Section",
        list(SECTIONS),
        required=True,
        format_func=lambda key: SECTIONS[key].title,
        key="cl_insights_section",
        on_change=changed,
        label_visibility="collapsed",
        disabled=session.locked(),
    )
    section = SECTIONS[chosen]
    section.draw()
    lesson.why(section.why)
    lesson.try_this(section.ideas)
