"""The shared cache: bounded in bytes, each value made once, failures not kept."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ui.cached import SharedCache


def test_a_value_is_made_once_for_all_who_wait() -> None:
    cache, made, started = SharedCache(100), [], threading.Barrier(8)

    def make() -> object:
        made.append(1)
        time.sleep(0.1)
        return object()

    def ask(_: int) -> object:
        started.wait()
        return cache.get("key", make, lambda _: 1)

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(value is values[0] for value in values)


def test_bytes_are_bounded_and_the_least_recent_goes_first() -> None:
    cache = SharedCache(10)
    for name in "abc":
        cache.get(name, lambda name=name: name, lambda _: 4)
        assert cache.nbytes <= 10
    assert cache.get("c", lambda: "anew", lambda _: 4) == "c"
    assert cache.get("a", lambda: "anew", lambda _: 4) == "anew"


def test_what_is_larger_than_the_cache_is_handed_out_and_not_kept() -> None:
    cache = SharedCache(10)
    assert cache.get("big", lambda: "first", lambda _: 11) == "first"
    assert cache.get("big", lambda: "second", lambda _: 11) == "second"
    assert cache.nbytes == 0


def test_a_failure_reaches_everyone_and_is_not_kept() -> None:
    cache, gate = SharedCache(10), threading.Event()

    def fail() -> str:
        gate.wait(2)
        raise ValueError("no weights")

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(cache.get, "key", fail, len) for _ in range(2)]
        time.sleep(0.05)
        gate.set()
        for future in futures:
            with pytest.raises(ValueError, match="no weights"):
                future.result()
    assert cache.get("key", lambda: "fine", len) == "fine"


def test_a_stopped_run_hands_the_work_to_the_next_who_waits() -> None:
    class Stop(BaseException):
        """Streamlit stops a script by an exception of this kind."""

    cache, entered, go = SharedCache(10), threading.Event(), threading.Event()

    def stopped() -> str:
        entered.set()
        go.wait(2)
        raise Stop

    def first() -> None:
        with pytest.raises(Stop):
            cache.get("key", stopped, len)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        entered.wait(2)
        other = pool.submit(cache.get, "key", lambda: "made", len)
        time.sleep(0.05)
        go.set()
        one.result()
        assert other.result(timeout=2) == "made"
