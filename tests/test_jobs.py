"""Long work of a visitor: told, stopped, replaced, kept, refused, and one heavy run at a time on the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

import cnn_core as cc
from ui.cached import SharedCache
from ui.jobs import Job, Jobs


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not said():
        assert time.monotonic() < deadline, "it never came to it"
        time.sleep(0.005)


def endless(job: Job) -> str:
    for step in range(10**9):
        job.check()
        job.progress(step, 10**9)
        time.sleep(0.005)
    return "never"


def test_progress_and_result_are_told_and_kept() -> None:
    mine, gate = Jobs(), threading.Event()

    def work(job: Job) -> int:
        job.progress(1, 3, "so far")
        gate.wait(5)
        return 42

    job = mine.start("a", "key", work)
    until(lambda: job.done == 1)
    assert job.is_active and (job.total, job.detail) == (3, "so far") and mine.kept("a") is None
    assert mine.start("a", "key", work) is job, "the same work twice is once"
    gate.set()
    until(lambda: not job.is_active)
    assert job.state == "done" and job.result == 42 and mine.kept("a") == ("key", 42)


def test_stopping_keeps_what_was_made_before() -> None:
    mine = Jobs()
    first = mine.start("a", 1, lambda job: "made")
    until(lambda: first.state == "done")
    second = mine.start("a", 2, endless)
    until(lambda: second.done > 2)
    mine.stop("a")
    until(lambda: second.state == "stopped")
    assert mine.kept("a") == (1, "made") and mine.job("a") is second and second.result is None
    # What is stopped can be started again.
    third = mine.start("a", 2, lambda job: "again")
    until(lambda: third.state == "done")
    assert mine.kept("a") == (2, "again")


def test_another_wish_replaces_the_running_one() -> None:
    mine = Jobs()
    first = mine.start("a", 1, endless)
    second = mine.start("a", 2, lambda job: "second")
    until(lambda: first.state == "stopped" and second.state == "done")
    assert mine.kept("a") == (2, "second")


def test_a_late_stop_does_not_keep_a_result() -> None:
    mine, gate = Jobs(), threading.Event()

    def work(job: Job) -> str:
        gate.wait(5)
        return "too late"

    job = mine.start("a", 1, work)
    mine.stop("a")
    gate.set()
    until(lambda: job.state == "stopped")
    assert mine.kept("a") is None


def test_failures_are_said(caplog: pytest.LogCaptureFixture) -> None:
    mine = Jobs()

    def refused(job: Job) -> None:
        raise cc.InvalidLayer("That has no maps.")

    def broken(job: Job) -> None:
        raise ZeroDivisionError("a detail that is no visitor's business")

    job = mine.start("a", 1, refused)
    until(lambda: job.state == "failed")
    assert job.message == "That has no maps."
    job = mine.start("a", 2, broken)
    until(lambda: job.state == "failed")
    assert "log" in job.message and "detail" not in job.message
    assert "ZeroDivisionError" in caplog.text


def test_everything_ends_with_the_session() -> None:
    mine = Jobs()
    jobs = [mine.start(slot, 1, endless) for slot in "abc"]
    until(lambda: all(job.done > 1 for job in jobs))
    mine.close()
    until(lambda: all(job.state == "stopped" for job in jobs))
    assert mine.start("a", 2, endless).state == "stopped"


def test_heavy_work_of_all_visitors_takes_turns() -> None:
    visitors = [Jobs() for _ in range(4)]
    running, most = 0, 0
    lock = threading.Lock()

    def work(job: Job) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1

    jobs = [one.start("a", 1, work, heavy=True) for one in visitors]
    until(lambda: all(job.state == "done" for job in jobs))
    assert most == 1


def test_waiting_can_be_stopped() -> None:
    first, second = Jobs(), Jobs()
    long = first.start("a", 1, endless, heavy=True)
    until(lambda: long.state == "running")
    waiting = second.start("a", 1, endless, heavy=True)
    time.sleep(0.05)
    assert waiting.state == "waiting"
    second.stop("a")
    until(lambda: waiting.state == "stopped")
    first.stop("a")
    until(lambda: long.state == "stopped")
    after = second.start("a", 2, lambda job: "free", heavy=True)
    until(lambda: after.state == "done")


def test_one_visitors_stop_does_not_take_the_shared_result_from_another() -> None:
    """Two visitors want one survey; the one who computes it stops, and the other takes over."""
    cache, first, second = SharedCache(1000), Jobs(), Jobs()
    began = threading.Event()

    def slow(job: Job) -> str:
        def make() -> str:
            began.set()
            return endless(job)

        return cache.get("k", make, len)

    def quick(job: Job) -> str:
        return cache.get("k", lambda: "whole", len)

    one = first.start("a", 1, slow)
    began.wait(5)
    other = second.start("a", 1, quick)
    first.stop("a")
    until(lambda: one.state == "stopped" and other.state == "done")
    assert other.result == "whole"
