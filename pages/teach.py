"""Teach with this: a link that sets a page for a class, a room that counts its guesses, worksheets, a lesson's plan."""

from __future__ import annotations

import streamlit as st

from ui import lesson, session, teach_lesson, teach_sheets

lesson.header(
    "Teach with this",
    "Put what you see on thirty other screens, ask before you show, hand out worksheets with the app’s own numbers.",
)
if session.locked():
    st.info(
        "Your teacher has set the page that you came from, and here nothing can be changed about that. Who teaches "
        "opens ConvLens in a tab of its own.",
        icon=":material/lock:",
    )
    st.stop()
session.bind()
teach_lesson.link()
teach_lesson.room()
teach_sheets.sheets()
teach_lesson.plan()
lesson.footer("home")
