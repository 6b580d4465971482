"""Home: what this is, a living picture, and the course."""

from __future__ import annotations

import streamlit as st

from ui import course, shell, tour, welcome
from ui.instruments.hero import hero

left, right = st.columns([5, 6], gap="large", vertical_alignment="center")
with left:
    st.title(welcome.TITLE, anchor=False)
    st.markdown(f'<p class="cl-lead">{welcome.LEAD}</p>', unsafe_allow_html=True)
    st.markdown(welcome.ABOUT)
    with st.container(horizontal=True):
        course.way_on()
        with st.container(key="cl-home-tour", width="content"):
            tour.link(welcome.TOUR, 1, icon=":material/tour:", help="Ten steps over the pages, five minutes.")
        if st.button(welcome.INSPECT, icon=":material/center_focus_strong:"):
            st.switch_page(shell.lesson("gradcam").page)
        if st.button(welcome.TEACH, icon=":material/school:"):
            st.switch_page(shell.lesson("teach").page)
with right:
    hero()
    st.caption(welcome.LIVING)

st.header(welcome.COURSE, anchor=False, divider="gray")
course.course()
course.keeping()
st.caption(
    "Everything runs on this machine. Pictures that you upload stay in your session, are never stored, and are seen "
    "by nobody else."
)
