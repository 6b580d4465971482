"""Rooms: how a class guessed, by a code; without names, in memory, bounded, soon forgotten.

They lie in a small SQLite data base in this server's memory, or in a file that several servers share.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cnn_core as cc

_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
HOURS: Final = 3
"""A room that nobody used for so long is gone."""
_EMPTY_MINUTES: Final = 30
MOST_ROOMS: Final = 200
MOST_LEARNERS: Final = 200
MOST_QUESTIONS: Final = 60
_PATIENCE: Final = 5.0
"""Seconds to wait for another server that writes into the shared file: each takes less than a millisecond."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS rooms (
    code TEXT PRIMARY KEY, key TEXT NOT NULL, last REAL NOT NULL, answers_open INTEGER DEFAULT 0,
    version INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS learners (
    code TEXT REFERENCES rooms ON DELETE CASCADE, learner TEXT, PRIMARY KEY (code, learner)
);
CREATE TABLE IF NOT EXISTS questions (
    number INTEGER PRIMARY KEY, code TEXT REFERENCES rooms ON DELETE CASCADE, key TEXT, page TEXT, words TEXT,
    options TEXT, shown INTEGER DEFAULT 0, UNIQUE (code, key)
);
CREATE TABLE IF NOT EXISTS votes (
    question INTEGER REFERENCES questions ON DELETE CASCADE, learner TEXT, choice TEXT,
    PRIMARY KEY (question, learner)
);
"""


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


class Rooms:
    """All rooms of this server, or of all servers that name the same file.

    A room's code is for whoever guesses; only its key, a secret, lets its teacher look.
    """

    def __init__(self, clock: Callable[[], float] = time.time, file: str = "") -> None:
        """file: where the rooms lie that several servers share; "" keeps them in this server's memory.

        Raises cc.InvalidOption where the file cannot be opened.
        """
        self._clock = clock
        self._lock = threading.Lock()
        try:
            if file:
                Path(file).touch(mode=0o600)  # its keys are secrets
            self._base = sqlite3.connect(
                file or ":memory:", timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            # After a crash rooms may be gone: nothing has to reach a disk at once.
            self._base.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_TABLES}")
            self._base.execute("PRAGMA foreign_keys=ON")
        except (OSError, sqlite3.Error) as error:
            raise cc.InvalidOption(
                f"CONVLENS_ROOMS names {file!r}, which cannot hold the rooms ({error}). Name a file in a folder that "
                "this server may write to, such as /run/convlens/rooms.db, or leave it out."
            ) from error

    def open(self) -> str:
        """A new room's key; its first five letters are the code. Raises cc.InvalidOption where there are too many."""
        with self._change() as base:
            if self._one("SELECT count(*) FROM rooms") >= MOST_ROOMS:
                raise cc.InvalidOption(
                    f"All {MOST_ROOMS} rooms of this server are in use. One that nobody uses is free again after "
                    f"{_EMPTY_MINUTES} minutes."
                )
            while self._one("SELECT count(*) FROM rooms WHERE code = ?", code := _word(5)):
                continue
            key = f"{code}-{_word(10)}"
            base.execute("INSERT INTO rooms (code, key, last) VALUES (?, ?, ?)", (code, key, self._clock()))
            return key

    def exists(self, code: str) -> bool:
        """Whether there is a room of that code (still)."""
        with self._change():
            return bool(self._one("SELECT count(*) FROM rooms WHERE code = ?", code))

    def close(self, key: str) -> None:
        """Forget a room and all that was guessed in it."""
        with self._change() as base:
            base.execute("DELETE FROM rooms WHERE code = ?", (self._own(key),))

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
        with self._change() as base:
            known = self._one("SELECT count(*) FROM learners WHERE code = ? AND learner = ?", code, learner)
            full = self._one("SELECT count(*) FROM learners WHERE code = ?", code) >= MOST_LEARNERS
            if not self._one("SELECT count(*) FROM rooms WHERE code = ?", code) or (full and not known):
                return
            asked = base.execute(
                "SELECT number, options, shown FROM questions WHERE code = ? AND key = ?", (code, key)
            ).fetchone()
            n_questions = self._one("SELECT count(*) FROM questions WHERE code = ?", code)
            if asked is None and (chosen is None or n_questions >= MOST_QUESTIONS):
                return
            if chosen is not None and chosen not in options:
                return
            base.execute("UPDATE rooms SET last = ? WHERE code = ?", (self._clock(), code))
            if asked is None:
                made = base.execute(
                    "INSERT INTO questions (code, key, page, words, options) VALUES (?, ?, ?, ?, ?)",
                    (code, key, page, question, json.dumps(dict(options))),
                )
                number, shown = made.lastrowid, 0
            else:
                number, kept, shown = asked
                if (known_options := json.loads(kept)) != (merged := {**known_options, **options}):
                    base.execute("UPDATE questions SET options = ? WHERE number = ?", (json.dumps(merged), number))
            if self._one("SELECT choice FROM votes WHERE question = ? AND learner = ?", number, learner) == chosen:
                return  # a page that is drawn again says it again: that is nothing new for the class to see
            if chosen is None:
                base.execute("DELETE FROM votes WHERE question = ? AND learner = ?", (number, learner))
            else:
                base.execute("INSERT OR IGNORE INTO learners VALUES (?, ?)", (code, learner))
                base.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?)", (number, learner, chosen))
            if shown:
                base.execute("UPDATE rooms SET version = version + 1 WHERE code = ?", (code,))

    def view(self, key: str) -> View | None:
        """The room of a key, for its teacher; None where there is none (any more)."""
        with self._change() as base:
            code = self._own(key)
            if not code:
                return None
            base.execute("UPDATE rooms SET last = ? WHERE code = ?", (self._clock(), code))
            n_learners = self._one("SELECT count(*) FROM learners WHERE code = ?", code)
            opened = self._one("SELECT answers_open FROM rooms WHERE code = ?", code)
            return View(code, n_learners, bool(opened), self._tallies("code = ?", code))

    def show(self, key: str, question: str, shown: bool) -> None:
        """Let the class see how a question was guessed, or no longer."""
        with self._change() as base:
            code = self._own(key)
            changed = base.execute(
                "UPDATE questions SET shown = ? WHERE code = ? AND key = ?", (int(shown), code, question)
            )
            if changed.rowcount:
                base.execute("UPDATE rooms SET version = version + 1 WHERE code = ?", (code,))

    def open_answers(self, key: str, opened: bool) -> None:
        """Let the class see answers that its link hides, or no longer."""
        with self._change() as base:
            base.execute(
                "UPDATE rooms SET answers_open = ?, version = version + 1 WHERE code = ?",
                (int(opened), self._own(key)),
            )

    def shown(self, code: str, question: str) -> Tally | None:
        """How a question was guessed, where the teacher lets the class see it."""
        with self._lock:
            found = self._tallies("code = ? AND key = ? AND shown", code, question)
            return found[0] if found else None

    def answers_open(self, code: str) -> bool:
        """Whether the teacher lets the class see the answers."""
        with self._lock:
            return bool(self._one("SELECT answers_open FROM rooms WHERE code = ?", code))

    def version(self, code: str) -> int:
        """A number that changes when the class is to see something else."""
        with self._lock:
            found = self._one("SELECT version FROM rooms WHERE code = ?", code)
            return -1 if found is None else int(found)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """What one call does happens whole or not at all, and after what is too old has gone."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._forget_old()
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                self._base.execute("ROLLBACK")
                raise

    def _one(self, question: str, *values: Any) -> Any:
        """The first value that is found, None where there is none; the lock is held."""
        found = self._base.execute(question, values).fetchone()
        return None if found is None else found[0]

    def _own(self, key: str) -> str:
        """The code of the room that this key opens, "" where it opens none; the lock is held."""
        code = key.partition("-")[0]
        real = self._one("SELECT key FROM rooms WHERE code = ?", code)
        return code if real is not None and secrets.compare_digest(real.encode(), key.encode()) else ""

    def _tallies(self, where: str, *values: str) -> tuple[Tally, ...]:
        asked = self._base.execute(
            f"SELECT number, key, page, words, options, shown FROM questions WHERE {where} ORDER BY number", values
        ).fetchall()
        tallies = []
        for number, key, page, words, options, shown in asked:
            votes = dict(
                self._base.execute("SELECT choice, count(*) FROM votes WHERE question = ? GROUP BY choice", (number,))
            )
            counts = {told: votes.get(option, 0) for option, told in json.loads(options).items()}
            tallies.append(Tally(key, page, words, counts, bool(shown)))
        return tuple(tallies)

    def _forget_old(self) -> None:
        now = self._clock()
        self._base.execute(
            "DELETE FROM rooms WHERE last < CASE WHEN EXISTS (SELECT 1 FROM questions WHERE code = rooms.code) "
            "THEN ? ELSE ? END",
            (now - 3600 * HOURS, now - 60 * _EMPTY_MINUTES),
        )


def _word(n: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(n))


ROOMS: Final = Rooms(file=os.environ.get("CONVLENS_ROOMS", ""))
"""The rooms of this server, and of those that share its file."""
