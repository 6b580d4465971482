"""Follow the value: from one number back to the part that made most of it, and so on, to a pixel."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from ui import lesson, session, trail_lesson, widgets
from ui.text import plain

lesson.header(
    "Follow the value", "One number, the part that made most of it, and so on, step by step, down to a pixel."
)
session.bind("trail")
bench = widgets.bench()


@st.fragment
def trail() -> None:
    trail_lesson.adopt_link(bench)
    widgets.said("trail", ":material/link_off:")
    start, choice = trail_lesson.pick_start(bench)
    text = trail_lesson.current_text(start, choice)
    guess = trail_lesson.guess_at(bench, start, text)
    try:
        with st.spinner("Following the value", show_time=True):
            way = trail_lesson.followed(bench, text, first=guess is None)
    except cc.InvalidUnit as error:
        text = trail_lesson.without_turns(text)
        guess = trail_lesson.guess_at(bench, start, text)
        way = trail_lesson.followed(bench, text, first=guess is None)
        session.tell("trail", f"{plain(str(error))} Shown instead: the trail without turns.")
        widgets.said("trail", ":material/link_off:")
    trail_lesson.keep(bench, text)
    trail_lesson.walk(bench, way, text, start, guess)
    if guess is None:
        return
    followed = way[0]
    side = round(min(bench.model_input.shown_rgb.shape[:2]) / 7)
    trail_lesson.answer(followed, guess, side, trail_lesson.subject_of(bench, start))
    if words := trail_lesson.thread(followed):
        st.markdown(words)
    trail_lesson.trial(bench, followed, guess)


trail()

lesson.why(
    "Every number in the network is made of numbers of the layer before: a sum of products, a mean, the largest of a "
    "few. So each can be asked which part of it was the largest, and that part can be asked the same. The trail is one "
    "answer, exact at every step. It is not the whole answer: all other parts together are usually larger."
)
lesson.try_this(
    [
        "Take the second strongest part somewhere in the middle: does the trail still end in the same place?",
        "Start from the second prediction: does its trail end at another part of the picture?",
        "Start from a unit of an early layer, and count the steps to the pixels.",
        "Copy the link and open it in another window: it follows the same way.",
    ]
)
lesson.footer("decision")
