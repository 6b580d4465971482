"""Three machines, same data: HOG with a linear SVM, an MLP and a CNN, and what each takes for granted."""

from __future__ import annotations

import streamlit as st

from ui import experiment_lesson, lesson, machines_lesson, session

session.bind("digit", "moved", "side", "colours", *experiment_lesson.ADDRESS)
lesson.header(
    "Three machines, same data",
    "One measures what people designed, one joins every pixel to every unit, one slides small kernels. Then the digits "
    "move, and the pixels are shuffled.",
)


@st.fragment
def by_hand() -> None:
    index = machines_lesson.digits()
    view, questions = st.container(), st.container()
    with questions:
        shift, shuffle = machines_lesson.guesses()
    waiting = shift is None or shuffle is None
    with view:
        fitted = machines_lesson.bench(index, waiting=waiting)
    if waiting:
        return
    machines_lesson.reveal(shift, shuffle)
    machines_lesson.look_inside(fitted, index)


by_hand()
machines_lesson.panel()
machines_lesson.explode()
lesson.why(
    "Nobody told the CNN where digits stand: the same kernels look everywhere, so a digit that moves makes the same "
    "maps a little farther on, and the largest value of each stays. The MLP has a weight for every pixel, so a moved "
    "digit is a new digit; and since it never knew which pixels are neighbours, a shuffle costs it nothing. HOG knows "
    "about neighbours because people built that in; what they did not think of, it cannot learn."
)
lesson.try_this(
    [
        "Walk the digit down and right: who lets go first?",
        "Shuffle the pixels and move the digit: why do all three now fail together?",
        "Open the MLP that learned from shuffled digits, and put its pixels back in order.",
        "Train all three with 100 digits and another seed: how far do the curves move?",
    ]
)
lesson.footer("landmarks")
