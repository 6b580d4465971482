"""Interventions: change the network or its picture, and see what becomes of the decision; all of it can be undone."""

from __future__ import annotations

import streamlit as st

from ui import intervention_stack, interventions_lesson, lesson, session, widgets

lesson.header("Interventions", "Take a part away, or change it, and see what becomes of the decision.")
session.bind("changes", "tool", "layer", "channel", "target", "watch")
bench = widgets.bench()


@st.fragment
def laboratory() -> None:
    stack = intervention_stack.stack()
    st.caption("The class whose logit you watch:")
    target = widgets.class_picker(bench)
    interventions_lesson.laboratory(bench, stack, target)


laboratory()

lesson.why(
    "A map, a weight or a bright spot in an overlay says what a part **did**. Only taking the part away says what the "
    "decision owes to it. Nothing is written into the network: what you change is computed again on a copy of the "
    "numbers touched, so others who use it see nothing, and undoing gives back the very first numbers."
)
lesson.try_this(
    [
        "Sort the last maps by the ledger and switch off the strongest channel. Then its five strongest: is the "
        "decision still the same?",
        "Set channels to their mean rather than to 0 in the last maps. Why does no logit move?",
        "In the first convolution, flip the sign of one kernel, or keep only its centre.",
        "Which is worse for this picture: blur, or blue and red swapped? Guess before you look.",
    ]
)
lesson.footer("machines")
