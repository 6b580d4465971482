"""ImageNet and ILSVRC: how one shared benchmark made progress visible, and a small one of our own."""

from __future__ import annotations

import streamlit as st

from ui import imagenet_benchmark, imagenet_lesson, lesson, session

session.bind("entry", "table", "shift", "pictures")
lesson.header(
    "ImageNet and ILSVRC", "The same thousand classes for everybody, one number a year: so progress could be seen."
)


@st.fragment
def challenge() -> None:
    imagenet_lesson.challenge()


@st.fragment
def benchmark() -> None:
    imagenet_benchmark.benchmark()


challenge()
benchmark()
lesson.why(
    "A shared test set turns “it works well” into a number that others can check, and a wrong idea into a lost year at "
    "most. But the number is of one test: with 2,000 pictures a percentage point is noise, and an order that holds "
    "there can break when the pictures move by two pixels."
)
lesson.try_this(
    [
        "Switch the plot to the log scale: on it a straight line is the same share of errors gone each year.",
        "Set the test to 100 pictures: how many machines can still lead?",
        "Train a network under Three machines and add it here; then try to add it to the other table.",
        "Move the pictures by 4 pixels: which machines change places, and what do the winners have in common?",
    ]
)
lesson.footer("resnet")
