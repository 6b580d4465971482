"""Feature maps: every channel of a layer on the visitor's picture, one of them in exact numbers, and put on trial."""

from __future__ import annotations

import streamlit as st

from ui import feature_lesson, lesson, session, widgets

lesson.header("Feature maps", "What every channel of a layer answers to your picture, in the network's own numbers.")
session.bind("layer", "channel", "row", "column")
bench = widgets.bench()


@st.fragment
def maps() -> None:
    network = bench.classifier.network
    layer = widgets.layer_picker(bench, key="features", default=feature_lesson.opening_layer(network), address=False)
    unit = feature_lesson.instrument(bench, layer)
    lesson.let_it_paint()
    feature_lesson.open_unit(bench, layer, unit)
    feature_lesson.on_trial(bench, layer, unit[0])
    session.write_address()


maps()

lesson.why(
    "A channel is one filter's answer at every place: bright where the picture fits the filter's pattern, dark where "
    "it does not. Early layers answer to edges and colours, in fine maps. Deeper ones read wider windows and answer to "
    "textures, parts and objects, in coarse maps: they say better **what** is there and less exactly **where**."
)
lesson.try_this(
    [
        "Sort by maximum, then switch to one scale for each map: which maps looked empty only beside louder ones?",
        "Go from the first layer to the last with the arrow keys, and watch the lit window in the picture grow.",
        "Find a channel that answers to your subject and not to the background, and switch it off.",
    ]
)
lesson.footer("channel")
