"""Methods on trial: what several saliency methods say of one picture, and whether the network bears them out."""

from __future__ import annotations

import streamlit as st

from ui import lesson, saliency_lesson, session, widgets

session.bind(
    *("layer", "target", "rival", "methods", "score", "placement", "fuse", "options"),
    *("area", "fill", "noise", "reader", "against"),
)
lesson.header(
    "Methods on trial", "Several methods, one picture: where they agree, where they do not, and who is right."
)
bench = widgets.bench()
saliency_lesson.opened()


@st.fragment
def laboratory() -> None:
    saliency_lesson.laboratory(bench)


laboratory()
lesson.why(
    "Each method answers another question: what a layer’s maps add up to, how each pixel would change the number, what "
    "is lost when a part is covered. So they may differ without any of them being broken, and may agree because all of "
    "them follow the edges. A map proposes; taking things away decides."
)
lesson.try_this(
    [
        "Put guided backpropagation on trial and randomise the weights. Does its map notice?",
        "Choose the second prediction: which maps move, and which stay what they were?",
        "Set “Rather than” to the second prediction: what is left is what tells the two apart.",
        "Switch to naive placement and watch the maps of the deep layers slide.",
        "Compare two fills in the removal trial: does the verdict stay?",
    ]
)
lesson.footer("interventions")
