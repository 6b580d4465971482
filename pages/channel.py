"""One channel: what it answers to, tested on changed pictures, on many pictures, and by switching it off."""

from __future__ import annotations

import streamlit as st

from ui import channel_dream, channel_lesson, feature_lesson, lesson, session, widgets

lesson.header("One channel", "What a single channel answers to, who fires with it, and whether the decision needs it.")
session.bind("layer", "channel", "target", "steps", "seed", "strength", "wish")
bench = widgets.bench()


@st.fragment
def room() -> None:
    network = bench.classifier.network
    layer = widgets.layer_picker(bench, key="channel", default=feature_lesson.opening_layer(network), address=False)
    channel = channel_lesson.choose(bench, layer)
    channel_lesson.follow_open(layer, channel)
    lesson.let_it_paint()
    channel_lesson.on_bench(bench, layer, channel)
    st.header("What excites it", anchor=False, divider="gray")
    patches = st.container()
    st.header("Channels that fire alike", anchor=False, divider="gray")
    alike = st.container()
    st.header("The first layer's filters", anchor=False, divider="gray")
    channel_lesson.first_layer(bench, layer, channel)
    channel_lesson.switched_off(bench, layer, channel)
    dream = st.container()
    session.write_address()
    # What takes longest comes last, into the places kept for it.
    with patches:
        found = channel_lesson.surveyed(bench, layer)
        if found is not None:
            channel_lesson.excites(bench, layer, channel, found)
    with alike:
        if found is None:
            st.caption("This waits for the pictures above.")
        else:
            channel_lesson.fires_alike(bench, layer, channel, found)
    with dream:
        channel_dream.section(bench, layer, channel, found)


room()

lesson.why(
    "A channel is a filter's answer at every place. Its favourite patches say what it **goes with**; the bench says "
    "what it **needs**: take that away and the answer falls. Neither says what it is **for**: the decision may have "
    "other channels for the same thing, and then switching off one of them costs little."
)
lesson.try_this(
    [
        "Choose a channel whose patches look alike, and see whether the bench agrees with what you would call it.",
        "Compare an early and a late layer: whose channels survive the silhouette?",
        "Switch off a channel that is strong on this picture, then one that fires alike: which of them costs more?",
        "Make a picture with regularisation off, then strong: which of them would you have recognised?",
    ]
)
lesson.footer("depth")
