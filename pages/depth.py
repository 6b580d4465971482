"""Depth and receptive field: how far one unit sees, in theory and in effect, and the proof."""

from __future__ import annotations

import streamlit as st

from ui import depth_lesson, lesson, session, widgets

lesson.header("Depth and receptive field", "How far one unit sees: what can reach it, what really does, and the proof.")
session.bind("layer", "channel", "row", "column", "seed")
bench = widgets.bench()


@st.fragment
def depth() -> None:
    network = bench.classifier.network
    layer = widgets.layer_picker(bench, key="depth", only_maps=False, default=depth_lesson.middle_layer(network))
    index = depth_lesson.chosen_unit(bench, layer)
    depth_lesson.channel_picker(layer, index, bench.classifier.class_names)
    depth_lesson.view(bench, layer, index)
    depth_lesson.scramble_test(bench, layer, index)
    depth_lesson.by_depth(bench, layer)


depth()

lesson.why(
    "A 3 × 3 window reads 3 × 3 cells of the layer before, each of which read 3 × 3 before that: each layer adds a rim "
    "to the box, and after a stride of 2 that rim is twice as wide in pixels. Not all of the box counts alike: many "
    "ways lead from the middle pixels to the unit and few from the edge, so the gradient is strongest in the middle."
)
lesson.try_this(
    [
        "Move the cell into a corner with the arrow keys: how much of the box lies in the padding?",
        "Go one stage deeper: how much does the box grow, and how much the circle?",
        "Choose a network with squeeze-and-excitation (EfficientNet-B0): what does scrambling outside do there?",
        "Open the logits at the end of the strip: what do they see?",
    ]
)
lesson.footer("trail")
