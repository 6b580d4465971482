"""How far a learner has come: lessons opened, guesses answered; kept for the session, saved and loaded as a file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from ui import shell

_SLOT: Final = "cl_progress"
_FORMAT: Final = "convlens progress"
_VERSION: Final = 1
MAX_BYTES: Final = 100_000
_MOST_ANSWERS: Final = 500
_MOST_TRIES: Final = 1_000
_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


@dataclass(frozen=True)
class Answered:
    """One question that was answered: in which lesson, whether the last guess was right, and after how many guesses.

    A guess counts by what it met when it was made: layers or pictures that are looked at later do not grade it anew.
    """

    lesson: str
    right: bool
    tries: int
    met: frozenset[str] = frozenset()
    """What was guessed, and about what: the same guess shown again is no further try. Not in the file."""


@dataclass
class Progress:
    """A learner's way so far."""

    opened: list[str] = field(default_factory=list)
    """Keys of lessons in the order of the first visit."""
    answers: dict[str, Answered] = field(default_factory=dict)
    """By the question's key."""

    @property
    def n_right(self) -> int:
        return sum(answer.right for answer in self.answers.values())

    def of(self, lesson: str) -> tuple[int, int]:
        """How many questions of a lesson were answered, and how many of them right."""
        own = [answer for answer in self.answers.values() if answer.lesson == lesson]
        return len(own), sum(answer.right for answer in own)

    def visit(self, lesson: str) -> None:
        if lesson not in self.opened and lesson in _lessons():
            self.opened.append(lesson)

    def answer(self, key: str, lesson: str, *, guessed: str, right: bool) -> None:
        """Note a guess that was answered; shown again, it is the same one."""
        before = self.answers.get(key)
        if before is None:
            if len(self.answers) < _MOST_ANSWERS:
                self.answers[key] = Answered(lesson, right, 1, frozenset([guessed]))
        elif guessed not in before.met and before.tries < _MOST_TRIES:
            self.answers[key] = Answered(lesson, right, before.tries + 1, before.met | {guessed})

    def to_json(self) -> str:
        """The file that `from_json` reads."""
        answers = {
            key: {"lesson": one.lesson, "right": one.right, "tries": one.tries} for key, one in self.answers.items()
        }
        told = {"format": _FORMAT, "version": _VERSION, "opened": self.opened, "answers": answers}
        return json.dumps(told, indent=1)

    def add(self, other: Progress) -> None:
        """Take over what another one has and this one has not."""
        for lesson in other.opened:
            self.visit(lesson)
        for key, answered in other.answers.items():
            if len(self.answers) < _MOST_ANSWERS:
                self.answers.setdefault(key, answered)


def from_json(content: bytes) -> Progress:
    """Progress that was saved before; lessons that there are no more are left out.

    Raises cc.InvalidOption, in a sentence, for anything else than a file of `Progress.to_json`.
    """
    if len(content) > MAX_BYTES:
        raise cc.InvalidOption(
            f"The file has {len(content):,} bytes, and saved progress never has more than {MAX_BYTES:,}. "
            "Choose the file that ConvLens saved."
        )
    try:
        told = json.loads(content)
        if told["format"] != _FORMAT or told["version"] != _VERSION:
            raise ValueError(told["format"])
        found = Progress()
        for lesson in told["opened"]:
            found.visit(str(lesson))
        for key, one in told["answers"].items():
            found.answers[_checked(key)] = _answered(one)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise cc.InvalidOption(
            "This is no progress that ConvLens saved. Choose a file from “Save my progress”."
        ) from error
    known = _lessons()
    found.answers = {key: one for key, one in list(found.answers.items())[:_MOST_ANSWERS] if one.lesson in known}
    return found


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(key)
    return key


def _answered(one: dict[str, Any]) -> Answered:
    lesson, right, tries = one["lesson"], one["right"], one["tries"]
    if not (isinstance(lesson, str) and isinstance(right, bool) and type(tries) is int and 1 <= tries <= _MOST_TRIES):
        raise ValueError(one)
    return Answered(lesson, right, tries)


def _lessons() -> set[str]:
    return {entry.key for entry in shell.course()}


def mine() -> Progress:
    """This visitor's progress."""
    own: Progress = st.session_state.setdefault(_SLOT, Progress())
    return own


def forget() -> Progress:
    """Begin anew; returns what there was."""
    before = mine()
    st.session_state[_SLOT] = Progress()
    return before


def put_back(progress: Progress) -> None:
    """Undo `forget`."""
    st.session_state[_SLOT] = progress
