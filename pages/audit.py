"""Audit a folder: does a classifier rely on the objects of these pictures, or on what stands behind them?"""

from __future__ import annotations

import streamlit as st

from ui import audit_lesson, lesson, session

session.bind(*audit_lesson.ADDRESS)
lesson.header(
    "Audit a folder",
    "Bring many pictures and a network, and find out whether it looks at the objects or at their backgrounds.",
)
audit_lesson.side_bar()


@st.fragment
def bench() -> None:
    audit_lesson.room()
    session.write_address()


bench()
lesson.why(
    "A network may be right for the wrong reason: where cows always stand on grass, grass is enough. A map shows where "
    "its evidence lies, and can mislead. Putting the same object on another ground changes one thing only; and since "
    "a pasted picture is odd in itself, the same is done with a ground of the same class. What is left is the "
    "background’s share."
)
lesson.try_this(
    [
        "Take the drawn herd with the first example network: most answers are right. What does the worst group say?",
        "Run the swaps with four boxed pictures, then with all of them: when does it dare a verdict?",
        "Compare with the second example network in step 5: did the repair work?",
        "Train a network of your own in Build your own on cows and camels at 100 %, and audit it here.",
        "Sort by “Evidence most scattered”: are those the pictures that it gets wrong?",
    ]
)
lesson.footer("home")
