"""Build your own: a small network put together layer by layer, trained on pictures, tested, and taken along as code."""

from __future__ import annotations

import streamlit as st

from ui import build_lesson, lesson, session

lesson.header("Build your own", "Put layers in a row, train them on pictures, and see what each of them is good for.")
session.bind(*build_lesson.ADDRESS)


@st.fragment
def room() -> None:
    build_lesson.room()
    session.write_address()


room()
lesson.why(
    "A network is a choice of what it may see. Convolutions look at neighbours and use the same few weights "
    "everywhere; pooling gives away where a thing stands; an activation between two layers keeps them from being one. "
    "Each choice has a price in parameters and multiply-adds. Whether it was worth it, only a test with everything "
    "else equal can say."
)
lesson.try_this(
    [
        "Train the MLP and the tiny CNN on digits: who has more parameters, and who names more right?",
        "Take every activation out: what is left of a deep network?",
        "Cow or camel at 100 %: train, and look at the same animals on other grounds.",
        "Bring two classes of five pictures each of your own, with and without augmentation.",
        "Draw a digit in a corner, with centring off: which network still knows it?",
    ]
)
lesson.footer("grass")
