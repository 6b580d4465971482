"""One picture, other grounds: mark the object, read where the evidence lies, change the ground, and see what stays."""

from __future__ import annotations

import streamlit as st

from ui import lesson, session, swap_lesson, widgets

session.bind("target", "rival", "method", "boxes", "usual", "seed")
lesson.header(
    "One picture, other grounds",
    "Mark the object, put it on other grounds, take it away, and see what the answer hangs on.",
)
bench = widgets.bench()


@st.fragment
def laboratory() -> None:
    swap_lesson.laboratory(bench)


laboratory()
lesson.why(
    "A map shows where evidence was found; it cannot show what would happen elsewhere. Changing the ground can: the "
    "object is the same, so what moves in the logits is the ground’s doing, and the seam’s. The seam is what the "
    "controls measure: a ground of the same class, pasted in the same way. Only what other grounds do beyond the "
    "controls speaks of bias, and one picture is one case: for a verdict on a network, audit a folder."
)
lesson.try_this(
    [
        "Cut the object out of its box. Do the controls come closer to the picture as it is?",
        "Choose the second prediction as the rival: which ground helps it most?",
        "Paint only the head. Does the evidence follow, and does the answer?",
        "Bring a photograph of a place where this animal never stands.",
        "Look at the version on mid grey, and at how little it tells: unbiased networks break on it too.",
    ]
)
lesson.footer("audit")
