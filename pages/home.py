"""Home: what this is, a living picture, and the course."""

from __future__ import annotations

import streamlit as st

from ui import shell
from ui.instruments.hero import hero

left, right = st.columns([5, 6], gap="large", vertical_alignment="center")
with left:
    st.title("See inside a convolutional network", anchor=False)
    st.markdown(
        '<p class="cl-lead">On your picture, in the network’s own numbers, with an experiment behind each claim.</p>',
        unsafe_allow_html=True,
    )
    st.markdown(
        "A network turns pixels into a decision by simple arithmetic, done millions of times. Here you open any of "
        "its operations, guess what comes out, and then look."
    )
    with st.container(horizontal=True):
        if st.button("Start here", type="primary", icon=":material/play_arrow:"):
            st.switch_page(shell.lesson("pixels").page)
        if st.button("Inspect my picture", icon=":material/center_focus_strong:"):
            st.switch_page(shell.lesson("gradcam").page)
with right:
    hero()
    st.caption(
        "One filter of MobileNetV2’s first layer reads a photograph: each window of 3 × 3 pixels in three colours "
        "becomes one number, blue below zero, orange above."
    )

st.subheader("The course", anchor=False, divider="gray")
lessons = [entry for entry in shell.PAGES if not entry.default]
groups = list(dict.fromkeys(entry.group for entry in lessons))
with st.container(key="cl-course"):
    for column, group in zip(st.columns(len(groups), gap="large"), groups, strict=True):
        with column:
            st.markdown(f"**{group}**")
            for entry in lessons:
                if entry.group == group:
                    label = f"{lessons.index(entry) + 1}. **{entry.title}**"
                    st.page_link(entry.page, label=label, icon=f":material/{entry.icon}:")
                    st.caption(entry.sentence)
st.caption(
    "Everything runs on this machine. Pictures that you upload stay in your session, are never stored, and are seen "
    "by nobody else."
)
