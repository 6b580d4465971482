"""A lesson's frame: a question before the picture, the computed answer after it, the causal test, the next lesson."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import streamlit as st

from ui import admission, classroom, glossary, progress, session, shell
from ui.instruments.keep import keep

_CLICKED: Final = "Guesses beside what is computed"
_FOUND: Final = {"yes": "As it is computed", "no": "Otherwise"}
_WAITS: Final = {**_FOUND, "waits": "Not compared yet"}
Place = TypeVar("Place")


class Guess(str):
    """What was guessed, as `reveal` compares it with the answer; it knows its question."""

    question: str
    about: str
    made: str
    clicked: bool = False
    """What the learner did: the option's key, or the place that was clicked."""


def header(title: str, sentence: str) -> None:
    """The lesson's title and the one sentence that says what you will see."""
    progress.mine().visit(session.page())
    glossary.begin_page()
    st.title(title, anchor=False)
    st.markdown(f'<p class="cl-lead">{glossary.marked(sentence)}</p>', unsafe_allow_html=True)


def guess(key: str, question: str, options: Mapping[str, str], *, about: str = "") -> str | None:
    """Ask before showing: the chosen option's key once it is committed by a click, None before that.

    `about` says what the question is about where that changes while the page stays (a layer, a channel): each has an
    answer of its own, and the browser keeps the same buttons, which is much quicker than new ones.
    `question` and `options` are ours, never a visitor's text. The choice is kept for the session and can be undone.
    Where a teacher's link shows answers, there is a guess before any click, "", and where it hides them, never.
    """
    slot = f"cl_guess_{key}_{about}"
    chosen: str | None = st.session_state.get(slot)
    if chosen not in options:
        chosen = None

    asked = f"{key}_{about}"

    def commit(choice: str) -> None:
        st.session_state[slot] = choice
        classroom.count(asked, question, options, choice)

    def undo() -> None:
        st.session_state.pop(slot, None)
        classroom.count(asked, question, options, None)

    with st.container(border=False, key=f"cl-question-{key}"):
        st.markdown(f"**Your guess.** {glossary.marked(question)}", unsafe_allow_html=True)
        with st.container(horizontal=True, gap="small"):
            for option, words in options.items():
                st.button(
                    words,
                    key=f"cl_guess_{key}_button_{option}",
                    on_click=commit,
                    args=(option,),
                    disabled=chosen is not None and chosen != option,
                    type="primary" if chosen == option else "secondary",
                )
            if chosen is not None:
                st.button(
                    "Guess again",
                    key=f"cl_guess_{key}_undo",
                    on_click=undo,
                    type="tertiary",
                    icon=":material/undo:",
                )
        classroom.tally(asked)
        if chosen is not None and classroom.answers_held():
            st.caption("Your guess is taken.")
    if classroom.answers_held():
        return None
    if chosen is None:
        return _committed("", key, about, "") if classroom.answers_shown() else None
    return _committed(chosen, key, about, chosen)


def placed(key: str, kept: Mapping[str, Place], subject: str, without: Place) -> Place | None:
    """The guess that was clicked in a picture about `subject`, once it may be answered, None before that.

    key: as `clicked` is told it, with `subject` as `about`. without: the guess of who looks without one, which
    everybody is where a teacher's link shows answers.
    """
    if classroom.answers_held():
        if kept.get(subject, without) != without:
            asked = f"{key}_{subject}"
            classroom.count(asked, _CLICKED, _WAITS, "waits")  # what it is compared with may not be computed yet
            classroom.tally(asked)
            st.caption("Your guess is taken.")
        return None
    return kept.get(subject, without if classroom.answers_shown() else None)


def may_peek() -> bool:
    """Whether a learner may look without a guess: not where a teacher's link hides the answers."""
    return not classroom.answers_held()


def clicked(key: str, guessed: str, where: tuple[float, ...], *, about: str = "") -> Guess:
    """A guess that was made by a click in a picture, for `reveal`: noted as one that was made by a button.

    guessed: what `reveal` compares with the answer, such as "near" or "far". where: what was clicked (a position, a
    cell), so that the same click shown again, or graded anew, is no further try.
    """
    committed = _committed(guessed, key, about, ",".join(f"{value:g}" for value in where))
    committed.clicked = True
    return committed


def _committed(guessed: str, question: str, about: str, made: str) -> Guess:
    committed = Guess(guessed)
    committed.question, committed.about, committed.made = question, about, made
    return committed


def reveal(chosen: str | None, answer: str, because: str) -> None:
    """Answer a guess with what was computed; says nothing before there is a guess.

    The learner's progress notes what came from `guess` or `clicked`; another text has no question and is not noted.
    """
    if chosen is None:
        return
    if isinstance(chosen, Guess) and not chosen.made:
        st.info(f"**The answer.** {because}", icon=":material/lightbulb:")
        return
    if isinstance(chosen, Guess):
        guessed = f"{chosen.about}={chosen.made}"
        progress.mine().answer(chosen.question, session.page(), guessed=guessed, right=chosen == answer)
        if chosen.clicked:
            asked = f"{chosen.question}_{chosen.about}"
            classroom.count(asked, _CLICKED, _FOUND, "yes" if chosen == answer else "no")
            classroom.tally(asked)
    if chosen == answer:
        st.success(f"**As you guessed.** {because}", icon=":material/check:")
    else:
        st.info(f"**Not this time.** {because}", icon=":material/lightbulb:")


@contextmanager
def test(title: str) -> Iterator[None]:
    """The causal test's section."""
    st.header(title, anchor=False, divider="gray")
    yield


def let_it_paint() -> None:
    """Give the browser a moment to draw what stands above before it is told what stands below.

    Measured on the feature maps: words that arrive together with the maps hold their painting up by 60 ms. Where others
    wait for their turn, they matter more.
    """
    admission.PAGES.pause(0.06)


def why(text: str) -> None:
    """Why it is so, in two or three sentences of ours."""
    st.header("Why", anchor=False)
    st.markdown(glossary.marked(text), unsafe_allow_html=True)


def try_this(ideas: Sequence[str]) -> None:
    """What to try next on this page."""
    st.header("Try this", anchor=False)
    st.markdown("\n".join(f"- {glossary.marked(idea)}" for idea in ideas), unsafe_allow_html=True)


def columns() -> tuple[st.delta_generator.DeltaGenerator, st.delta_generator.DeltaGenerator]:
    """The instrument (two thirds) and its reading (one third); on a phone the reading comes under it."""
    left, right = st.columns([2, 1], gap="large")
    return left, right


def footer(next_page: str) -> None:
    """The link to the next lesson, the course's words, and the page's tables and pictures as files."""
    lesson = shell.lesson(next_page)
    st.space("medium")
    with st.container(key="cl-next"):
        if lesson.default:
            st.page_link(lesson.page, label="Back to **the course**", icon=":material/arrow_back:")
        else:
            st.page_link(lesson.page, label=f"Next: **{lesson.title}**", icon=":material/arrow_forward:")
            st.caption(lesson.sentence)
        glossary.button()
        keep(next((entry.title for entry in shell.PAGES if entry.address == session.page()), "ConvLens"))
