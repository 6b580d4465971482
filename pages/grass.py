"""The cow and the grass: a network that goes by the background is made, caught and repaired, and one is judged."""

from __future__ import annotations

import streamlit as st

from ui import grass_lesson, lesson, session

lesson.header(
    "The cow and the grass",
    "A network can be right for the wrong reason. Make one that goes by the ground, catch it, and repair it.",
)
session.bind(*grass_lesson.ADDRESS)


@st.fragment
def room() -> None:
    grass_lesson.room()
    session.write_address()


room()
lesson.footer("swap")
