"""Rooms: how a class guessed, by a code; without names, in this server's memory, bounded, soon forgotten."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import cnn_core as cc

_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
HOURS: Final = 3
"""A room that nobody used for so long is gone."""
_EMPTY_MINUTES: Final = 30
MOST_ROOMS: Final = 200
MOST_LEARNERS: Final = 200
MOST_QUESTIONS: Final = 60


@dataclass(frozen=True)
class Tally:
    """How a question was guessed: `counts` of each option's words, in the question's order."""

    key: str
    page: str
    question: str
    counts: Mapping[str, int]
    shown: bool

    @property
    def n(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class View:
    """A room as its teacher sees it."""

    code: str
    n_learners: int
    answers_open: bool
    tallies: tuple[Tally, ...]


@dataclass
class _Question:
    page: str
    words: str
    options: dict[str, str]
    votes: dict[str, str] = field(default_factory=dict)
    shown: bool = False


@dataclass
class _Room:
    key: str
    last: float
    learners: set[str] = field(default_factory=set)
    questions: dict[str, _Question] = field(default_factory=dict)
    answers_open: bool = False
    version: int = 0


class Rooms:
    """All rooms of this server. A room's code is for whoever guesses; only its key, a secret, lets its teacher look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[str, _Room] = {}

    def open(self) -> str:
        """A new room's key; its first five letters are the code. Raises cc.InvalidOption where there are too many."""
        with self._lock:
            self._forget_old()
            if len(self._rooms) >= MOST_ROOMS:
                raise cc.InvalidOption(
                    f"All {MOST_ROOMS} rooms of this server are in use. One that nobody uses is free again after "
                    f"{_EMPTY_MINUTES} minutes."
                )
            while (code := _word(5)) in self._rooms:
                continue
            key = f"{code}-{_word(10)}"
            self._rooms[code] = _Room(key, self._clock())
            return key

    def exists(self, code: str) -> bool:
        """Whether there is a room of that code (still)."""
        with self._lock:
            self._forget_old()
            return code in self._rooms

    def close(self, key: str) -> None:
        """Forget a room and all that was guessed in it."""
        with self._lock:
            if self._own(key) is not None:
                del self._rooms[key.partition("-")[0]]

    def vote(
        self,
        code: str,
        learner: str,
        chosen: str | None,
        *,
        key: str,
        page: str,
        question: str,
        options: Mapping[str, str],
    ) -> None:
        """Count a guess, in place of the learner's earlier one to the same question; None takes it back.

        What no longer fits (too many learners, too many questions), or is no option, is not counted.
        """
        with self._lock:
            self._forget_old()
            room = self._rooms.get(code)
            if room is None or (learner not in room.learners and len(room.learners) >= MOST_LEARNERS):
                return
            if key not in room.questions and (chosen is None or len(room.questions) >= MOST_QUESTIONS):
                return
            if chosen is not None and chosen not in options:
                return
            room.last = self._clock()
            asked = room.questions.setdefault(key, _Question(page, question, dict(options)))
            asked.options.update(options)
            if asked.votes.get(learner) == chosen:
                return  # a page that is drawn again says it again: that is nothing new for the class to see
            if chosen is None:
                del asked.votes[learner]
            else:
                room.learners.add(learner)
                asked.votes[learner] = chosen
            if asked.shown:
                room.version += 1

    def view(self, key: str) -> View | None:
        """The room of a key, for its teacher; None where there is none (any more)."""
        with self._lock:
            self._forget_old()
            room = self._own(key)
            if room is None:
                return None
            room.last = self._clock()
            tallies = tuple(_tally(name, asked) for name, asked in room.questions.items())
            return View(key.partition("-")[0], len(room.learners), room.answers_open, tallies)

    def show(self, key: str, question: str, shown: bool) -> None:
        """Let the class see how a question was guessed, or no longer."""
        with self._lock:
            room = self._own(key)
            if room is not None and question in room.questions:
                room.questions[question].shown = shown
                room.version += 1

    def open_answers(self, key: str, opened: bool) -> None:
        """Let the class see answers that its link hides, or no longer."""
        with self._lock:
            room = self._own(key)
            if room is not None:
                room.answers_open = opened
                room.version += 1

    def shown(self, code: str, question: str) -> Tally | None:
        """How a question was guessed, where the teacher lets the class see it."""
        with self._lock:
            room = self._rooms.get(code)
            asked = None if room is None else room.questions.get(question)
            return _tally(question, asked) if asked is not None and asked.shown else None

    def answers_open(self, code: str) -> bool:
        """Whether the teacher lets the class see the answers."""
        with self._lock:
            room = self._rooms.get(code)
            return room is not None and room.answers_open

    def version(self, code: str) -> int:
        """A number that changes when the class is to see something else."""
        with self._lock:
            room = self._rooms.get(code)
            return -1 if room is None else room.version

    def _own(self, key: str) -> _Room | None:
        room = self._rooms.get(key.partition("-")[0])
        return room if room is not None and secrets.compare_digest(room.key.encode(), key.encode()) else None

    def _forget_old(self) -> None:
        now = self._clock()
        for code, room in list(self._rooms.items()):
            if now - room.last > (3600 * HOURS if room.questions else 60 * _EMPTY_MINUTES):
                del self._rooms[code]


def _word(n: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(n))


def _tally(key: str, asked: _Question) -> Tally:
    given = list(asked.votes.values())
    counts = {words: given.count(option) for option, words in asked.options.items()}
    return Tally(key, asked.page, asked.words, counts, asked.shown)


ROOMS: Final = Rooms()
"""The rooms of this server."""
