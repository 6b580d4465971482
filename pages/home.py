"""Home: what this is, a living picture, and the course."""

from __future__ import annotations

import streamlit as st

from ui import course, shell, tour
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
        course.way_on()
        with st.container(key="cl-home-tour", width="content"):
            tour.link("Take the tour", 1, icon=":material/tour:", help="Ten steps over the pages, five minutes.")
        if st.button("Inspect my picture", icon=":material/center_focus_strong:"):
            st.switch_page(shell.lesson("gradcam").page)
        if st.button("Teach with this", icon=":material/school:"):
            st.switch_page(shell.lesson("teach").page)
with right:
    hero()
    st.caption(
        "One filter of MobileNetV2’s first layer reads a photograph: each window of 3 × 3 pixels in three colours "
        "becomes one number, blue below zero, orange above."
    )

st.header("The course", anchor=False, divider="gray")
course.course()
course.keeping()
st.caption(
    "Everything runs on this machine. Pictures that you upload stay in your session, are never stored, and are seen "
    "by nobody else."
)
