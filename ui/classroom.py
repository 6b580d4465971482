"""A learner's side of a teacher's link: the line above the page, whether answers come, guesses that are counted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

import streamlit as st

from ui import session
from ui.components import mount
from ui.rooms import ROOMS, Tally
from ui.teaching import Teaching

_LEARNER: Final = "cl_learner"
_LOCKED: Final = "Set by your teacher: picture, network and settings stay as they are."
_HELD: Final = "Answers come when your teacher shows them."


def bar() -> None:
    """What the teacher set, in a line above the page, with the timer; nothing where no teacher's link was opened."""
    slot = st.container(key="cl-teach")  # always there, so that the page keeps its place
    found = session.teaching()
    if found == Teaching():
        return
    with slot:
        if found.large:
            st.html("<style>html { font-size: 21px !important; }</style>")
        if answers_held():
            st.html("<style>:root { --cl-peek: hidden; }</style>")
        words = [f":material/lock: {_LOCKED}"] if found.locked else []
        if answers_held():
            words.append(f":material/visibility_off: {_HELD}")
        if found.room:
            words.append(f":material/groups: Room **{found.room}**: guesses are counted, without names.")
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            if words:
                st.markdown("  \n".join(words))
            if found.minutes:
                mount("timer", key=f"cl_timer_{session.page()}", data={"minutes": found.minutes})
        if found.room:
            _follow(found.room, ROOMS.version(found.room))


@st.fragment(run_every=4)
def _follow(room: str, version: int) -> None:
    """Draw the page anew when the teacher shows the class something else."""
    if ROOMS.version(room) != version:
        st.rerun()


def answers_held() -> bool:
    """Whether a guess is taken and not answered, for now."""
    found = session.teaching()
    return found.answers == "hidden" and not (found.room and ROOMS.answers_open(found.room))


def answers_shown() -> bool:
    """Whether answers stand there before any guess."""
    return session.teaching().answers == "shown"


def count(key: str, question: str, options: Mapping[str, str], chosen: str | None) -> None:
    """Count a guess in the learner's room, if there is one; None takes it back."""
    room = session.teaching().room
    if room:
        learner = st.session_state.setdefault(_LEARNER, secrets.token_hex(8))
        ROOMS.vote(room, learner, chosen, key=key, page=session.page(), question=question, options=options)


def tally(key: str) -> None:
    """How the class guessed, once the teacher shows it."""
    room = session.teaching().room
    found = ROOMS.shown(room, key) if room else None
    if found is not None:
        bars(found)


def bars(found: Tally) -> None:
    """A bar for each option, with how many chose it."""
    for words, n in found.counts.items():
        st.progress(n / max(1, found.n), text=f"{words}: **{n}** of {found.n}")
