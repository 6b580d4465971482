"""LeNet to ResNet: what each landmark answered, its block in numbers, and small members on the same picture."""

from __future__ import annotations

import streamlit as st

from ui import landmarks_lesson, landmarks_trials, lesson, session, widgets

lesson.header(
    "LeNet to ResNet",
    "Five networks, each an answer to what the one before could not do: opened, counted, and put side by side.",
)
session.bind("landmark", "example", "channels", "block", "cut")
widgets.picture_bench()


@st.fragment
def history() -> None:
    if landmarks_lesson.history():
        st.markdown("**All of them, counted from their own modules**")
        st.markdown(landmarks_lesson.full_table(landmarks_lesson.all_counts()), unsafe_allow_html=True)
        st.caption(landmarks_lesson.TABLE_NOTE)


@st.fragment
def side_by_side() -> None:
    landmarks_trials.same_picture()
    landmarks_trials.compared()


history()
side_by_side()
landmarks_trials.cut_out()
lesson.why(
    "Each step took something away from the step before: LeNet the hand-made features, AlexNet the patience, VGG the "
    "choice of kernel sizes, GoogLeNet most of the weights, ResNet the price of depth. None of them was the last word, "
    "and each of their parts is still in today's networks."
)
lesson.try_this(
    [
        "Move along the line of time: where do the parameters stand, and where the multiply-adds?",
        "Open inception3a, then layer1.0 of ResNet-50. Which of them has a way round everything?",
        "Step through the pictures that the five are divided over: are these mistakes that you would make?",
        "Cut the first branch of every Inception module. Why does the network hardly miss some of them?",
    ]
)
lesson.footer("imagenet")
