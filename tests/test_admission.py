"""Whose page is drawn when: in order, a few at a time, and nobody kept out by a run that lasts."""

from __future__ import annotations

import threading
import time

import pytest

from ui.admission import Admission


def _start(admission: Admission, name: int, order: list[int], go: threading.Event) -> threading.Thread:
    def work() -> None:
        with admission.turn():
            order.append(name)
            assert go.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _until(*, order: list[int], n: int) -> None:
    limit = time.monotonic() + 10
    while len(order) < n:
        assert time.monotonic() < limit
        time.sleep(0.002)


def test_pages_come_in_order_and_no_more_at_once_than_there_are_places() -> None:
    admission, order = Admission(2, long=60.0), list[int]()
    goes = [threading.Event() for _ in range(5)]
    threads = []
    for name, go in enumerate(goes):
        threads.append(_start(admission, name, order, go))
        time.sleep(0.03)  # so that they come in this order
    _until(order=order, n=2)
    time.sleep(0.05)
    assert order == [0, 1]
    for n, go in enumerate(goes):
        go.set()
        _until(order=order, n=min(5, n + 3))
        assert order == list(range(min(5, n + 3)))
    for thread in threads:
        thread.join(10)


def test_a_run_that_lasts_keeps_nobody_out() -> None:
    admission, order, stays, go = Admission(1, long=0.2), list[int](), threading.Event(), threading.Event()
    go.set()
    begun = time.monotonic()
    slow = _start(admission, 0, order, stays)
    _until(order=order, n=1)
    quick = _start(admission, 1, order, go)
    quick.join(10)
    # It waited until the slow one was old, and no longer than a slow machine takes to notice.
    assert order == [0, 1] and slow.is_alive() and 0.15 < time.monotonic() - begun < 3
    stays.set()
    slow.join(10)


def test_a_run_that_breaks_off_gives_its_turn_back() -> None:
    admission = Admission(1, long=60.0)
    with pytest.raises(ZeroDivisionError), admission.turn():
        raise ZeroDivisionError
    order, go = list[int](), threading.Event()
    go.set()
    _start(admission, 0, order, go).join(10)
    assert order == [0]


def test_a_pause_ends_when_another_waits() -> None:
    admission, order, go = Admission(1, long=60.0), list[int](), threading.Event()
    go.set()
    with admission.turn():
        begun = time.monotonic()
        admission.pause(0.05)
        assert time.monotonic() - begun >= 0.05
        other = _start(admission, 1, order, go)
        admission.pause(30.0)
        assert time.monotonic() - begun < 10
        assert not order, "the turn is kept in a pause"
    other.join(10)
    assert order == [1]
