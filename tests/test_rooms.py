"""Rooms: who may look, what is counted, what is bounded, when it is forgotten."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cnn_core as cc
from tests.server import ROOT
from ui import rooms
from ui.rooms import Rooms
from ui.teaching import CODE

OPTIONS = {"a": "First", "b": "Second"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["in memory", "in a file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Rooms]:
    """Makes rooms: in this server's memory, and as servers share them."""
    file = str(tmp_path / "rooms.db") if request.param == "in a file" else ""
    return lambda **options: Rooms(file=file, **options)


def vote(found: Rooms, code: str, learner: str, chosen: str | None, key: str = "q") -> None:
    found.vote(code, learner, chosen, key=key, page="pixels", question="Which?", options=OPTIONS)


def counts(found: Rooms, key: str) -> dict[str, int]:
    view = found.view(key)
    assert view is not None
    return dict(view.tallies[0].counts) if view.tallies else {}


def test_guesses_are_counted_once_a_learner_and_changed_and_taken_back(make: Callable[..., Rooms]) -> None:
    found = make()
    key = found.open()
    code = key.partition("-")[0]
    assert CODE.fullmatch(code) and found.exists(code)
    for learner, chosen in (("x", "a"), ("y", "a"), ("x", "b"), ("z", "b"), ("z", None), ("w", "no such option")):
        vote(found, code, learner, chosen)
    assert counts(found, key) == {"First": 1, "Second": 1}


def test_only_the_key_lets_look_and_only_what_is_shown_is_seen(make: Callable[..., Rooms]) -> None:
    found = make()
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


def test_a_page_that_says_a_guess_again_has_no_page_drawn_anew(make: Callable[..., Rooms]) -> None:
    found = make()
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


def test_rooms_are_bounded(make: Callable[..., Rooms]) -> None:
    found = make()
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


def test_rooms_are_forgotten(make: Callable[..., Rooms]) -> None:
    clock = Clock()
    found = make(clock=clock)
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


def test_a_class_may_guess_at_once(make: Callable[..., Rooms]) -> None:
    found = make()
    key = found.open()
    code = key.partition("-")[0]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: vote(found, code, str(i % 100), "ab"[i % 2]), range(2000)))
    assert sum(counts(found, key).values()) == 100


_ANOTHER_SERVER = """
import sys
from tests.test_rooms import vote
from ui.rooms import Rooms
file, code, first = sys.argv[1:]
there = Rooms(file=file)
for i in range(int(first), int(first) + 40):
    vote(there, code, str(i), "ab"[i % 2])
"""


def test_servers_that_share_a_file_count_one_class(tmp_path: Path) -> None:
    file = str(tmp_path / "rooms.db")
    here = Rooms(file=file)
    key = here.open()
    code = key.partition("-")[0]
    others = [
        subprocess.Popen([sys.executable, "-c", _ANOTHER_SERVER, file, code, first], cwd=ROOT) for first in ("0", "40")
    ]
    assert [other.wait(60) for other in others] == [0, 0]
    assert counts(here, key) == {"First": 40, "Second": 40}
    there = Rooms(file=file)
    before = there.version(code)
    here.show(key, "q", True)
    assert there.version(code) > before
    shown = there.shown(code, "q")
    assert shown is not None and shown.n == 80
    assert Path(file).stat().st_mode & 0o077 == 0, "the keys in it are secrets"


def test_a_file_that_cannot_hold_rooms_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "no such folder" / "rooms.db", tmp_path):
        with pytest.raises(cc.InvalidOption, match="CONVLENS_ROOMS"):
            Rooms(file=str(file))
    text = tmp_path / "notes.txt"
    text.write_text("This is no data base, but someone's notes, and stays as it is." * 20)
    with pytest.raises(cc.InvalidOption, match="not a database"):
        Rooms(file=str(text))
    assert text.read_text().startswith("This is no data base")
