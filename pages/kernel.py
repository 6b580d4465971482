"""One kernel slides over your picture, number by number; then a real filter of a network, opened the same way."""

from __future__ import annotations

import streamlit as st

from ui import kernel_lesson, lesson, session, unit_lesson

lesson.header(
    "Convolution kernel",
    "A small grid of weights slides over your picture. At every stop it multiplies, adds up, and writes one number.",
)

MODES = {"kernel": "A kernel on your picture", "unit": "A real unit of a network"}


def chosen_mode() -> str:
    """What the visitor chose; a link that names a cell means a real unit."""
    if "row" in st.query_params and "mode" not in st.query_params:
        session.set("mode", "unit")
    wanted = session.get("mode")
    return wanted if wanted in MODES else "kernel"


mode = chosen_mode()
st.session_state["cl_kernel_mode"] = mode
st.space("small")
st.segmented_control(
    "What slides",
    list(MODES),
    format_func=MODES.__getitem__,
    key="cl_kernel_mode",
    label_visibility="collapsed",
    on_change=lambda: session.set("mode", st.session_state["cl_kernel_mode"] or mode),
    disabled=session.locked(),
)

if mode == "kernel":
    session.bind("mode", *kernel_lesson.ADDRESS)
    kernel_lesson.run()
else:
    session.bind("mode", "layer", "channel", "row", "column")
    unit_lesson.run()

lesson.footer("pooling")
