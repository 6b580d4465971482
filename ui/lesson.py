"""A lesson's frame: a question before the picture, the computed answer after it, the causal test, the next lesson."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st

from ui import shell


def header(title: str, sentence: str) -> None:
    """The lesson's title and the one sentence that says what you will see."""
    st.title(title, anchor=False)
    st.markdown(f'<p class="cl-lead">{sentence}</p>', unsafe_allow_html=True)


def guess(key: str, question: str, options: Mapping[str, str]) -> str | None:
    """Ask before showing: the chosen option's key once it is committed by a click, None before that.

    `question` and `options` are ours, never a visitor's text. The choice is kept for the session and can be undone.
    """
    slot = f"cl_guess_{key}"
    chosen: str | None = st.session_state.get(slot)
    if chosen not in options:
        chosen = None

    def commit(choice: str) -> None:
        st.session_state[slot] = choice

    with st.container(border=False, key=f"cl-guess-{key}"):
        st.markdown(f"**Your guess.** {question}")
        with st.container(horizontal=True, gap="small"):
            for option, words in options.items():
                st.button(
                    words,
                    key=f"{slot}_{option}",
                    on_click=commit,
                    args=(option,),
                    disabled=chosen is not None and chosen != option,
                    type="primary" if chosen == option else "secondary",
                )
            if chosen is not None:
                st.button(
                    "Guess again",
                    key=f"{slot}_undo",
                    on_click=lambda: st.session_state.pop(slot, None),
                    type="tertiary",
                    icon=":material/undo:",
                )
    return chosen


def reveal(chosen: str | None, answer: str, because: str) -> None:
    """Answer a guess with what was computed; says nothing before there is a guess."""
    if chosen is None:
        return
    if chosen == answer:
        st.success(f"**As you guessed.** {because}", icon=":material/check:")
    else:
        st.info(f"**Not this time.** {because}", icon=":material/lightbulb:")


@contextmanager
def test(title: str) -> Iterator[None]:
    """The causal test's section."""
    st.subheader(title, anchor=False, divider="gray")
    yield


def why(text: str) -> None:
    """Why it is so, in two or three sentences."""
    st.subheader("Why", anchor=False)
    st.markdown(text)


def try_this(ideas: Sequence[str]) -> None:
    """What to try next on this page."""
    st.subheader("Try this", anchor=False)
    st.markdown("\n".join(f"- {idea}" for idea in ideas))


def columns() -> tuple[st.delta_generator.DeltaGenerator, st.delta_generator.DeltaGenerator]:
    """The instrument (two thirds) and its reading (one third); on a phone the reading comes under it."""
    left, right = st.columns([2, 1], gap="large")
    return left, right


def footer(next_page: str) -> None:
    """The link to the next lesson."""
    lesson = shell.lesson(next_page)
    st.space("medium")
    with st.container(key="cl-next"):
        if lesson.default:
            st.page_link(lesson.page, label="Back to **the course**", icon=":material/arrow_back:")
            return
        st.page_link(lesson.page, label=f"Next: **{lesson.title}**", icon=":material/arrow_forward:")
        st.caption(lesson.sentence)
