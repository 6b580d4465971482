"""The whole network: its graph and maps on the visitor's picture, and each operation's costs and arithmetic."""

from __future__ import annotations

import streamlit as st

from ui import lesson, network_lesson, session, widgets

lesson.header(
    "The whole network",
    "From your picture to the decision: every operation, its strongest maps, and what it costs.",
)
session.bind("layer", "channel", "row", "column")
bench = widgets.bench()


@st.fragment
def network() -> None:
    costs = network_lesson.guess(bench)
    name = network_lesson.graph(bench, costs=costs)
    network_lesson.opened(bench, name)
    if costs:
        network_lesson.totals(bench)


network()

lesson.why(
    "A network is a list of simple operations. From stage to stage maps get smaller and channels more: little "
    "known of many places becomes much known of few. A skip connection adds what went into a block to what comes out, "
    "so a block has only to learn the difference; a join puts the channels of several branches side by side."
)
lesson.try_this(
    [
        "Unfold a stage, then a block, and point at an operation: blue lines come from what feeds it, green ones go to "
        "what it feeds. Which operations feed the addition?",
        "Choose memory over the graph: where does a picture take the most room on its way?",
        "Choose GoogLeNet, ResNet-50 and DenseNet-121 in turn, and unfold a block of each: there stands its signature.",
    ]
)
lesson.footer("features")
