"""Rooms: who may look, what is counted, what is bounded, when it is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import cnn_core as cc
from ui import rooms
from ui.rooms import Rooms
from ui.teaching import CODE

OPTIONS = {"a": "First", "b": "Second"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def vote(found: Rooms, code: str, learner: str, chosen: str | None, key: str = "q") -> None:
    found.vote(code, learner, chosen, key=key, page="pixels", question="Which?", options=OPTIONS)


def counts(found: Rooms, key: str) -> dict[str, int]:
    view = found.view(key)
    assert view is not None
    return dict(view.tallies[0].counts) if view.tallies else {}


def test_guesses_are_counted_once_a_learner_and_changed_and_taken_back() -> None:
    found = Rooms()
    key = found.open()
    code = key.partition("-")[0]
    assert CODE.fullmatch(code) and found.exists(code)
    for learner, chosen in (("x", "a"), ("y", "a"), ("x", "b"), ("z", "b"), ("z", None), ("w", "no such option")):
        vote(found, code, learner, chosen)
    assert counts(found, key) == {"First": 1, "Second": 1}


def test_only_the_key_lets_look_and_only_what_is_shown_is_seen() -> None:
    found = Rooms()
    key = found.open()
    code = key.partition("-")[0]
    vote(found, code, "x", "a")
    for wrong in (code, f"{code}-", f"{code}-AAAAAAAAAA", key[:-1], key.lower(), "", "-"):
        assert found.view(wrong) is None
        found.show(wrong, "q", True)
        found.open_answers(wrong, True)
        found.close(wrong)
    assert found.shown(code, "q") is None and not found.answers_open(code)
    before = found.version(code)
    found.show(key, "q", True)
    shown = found.shown(code, "q")
    assert shown is not None and shown.counts == {"First": 1, "Second": 0} and found.version(code) > before
    found.open_answers(key, True)
    assert found.answers_open(code)
    found.close(key)
    assert not found.exists(code) and found.shown(code, "q") is None and not found.answers_open(code)


def test_a_page_that_says_a_guess_again_has_no_page_drawn_anew() -> None:
    found = Rooms()
    key = found.open()
    code = key.partition("-")[0]
    vote(found, code, "x", "a")
    found.show(key, "q", True)
    before = found.version(code)
    vote(found, code, "x", "a")
    vote(found, code, "y", None)
    assert found.version(code) == before
    vote(found, code, "x", "b")
    assert found.version(code) > before and counts(found, key) == {"First": 0, "Second": 1}


def test_rooms_are_bounded() -> None:
    found = Rooms()
    key = found.open()
    code = key.partition("-")[0]
    for i in range(rooms.MOST_LEARNERS + 20):
        vote(found, code, str(i), "a")
    for i in range(rooms.MOST_QUESTIONS + 20):
        vote(found, code, "0", "a", key=str(i))
    view = found.view(key)
    assert view is not None and view.n_learners == rooms.MOST_LEARNERS and len(view.tallies) == rooms.MOST_QUESTIONS
    for _ in range(rooms.MOST_ROOMS - 1):
        found.open()
    with pytest.raises(cc.InvalidOption, match="in use"):
        found.open()


def test_rooms_are_forgotten() -> None:
    clock = Clock()
    found = Rooms(clock)
    empty, used = found.open(), found.open()
    vote(found, used.partition("-")[0], "x", "a")
    clock.now = 31 * 60
    assert found.view(empty) is None and found.view(used) is not None
    clock.now += 3600 * rooms.HOURS - 1
    assert found.exists(used.partition("-")[0])
    clock.now += 2
    assert found.view(used) is None
    vote(found, used.partition("-")[0], "x", "a")
    assert not found.exists(used.partition("-")[0])


def test_a_class_may_guess_at_once() -> None:
    found = Rooms()
    key = found.open()
    code = key.partition("-")[0]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: vote(found, code, str(i % 100), "ab"[i % 2]), range(2000)))
    assert sum(counts(found, key).values()) == 100
