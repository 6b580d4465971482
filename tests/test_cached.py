"""The shared cache: bounded in bytes, each value made once, failures not kept."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ui import cached
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


def test_one_value_larger_than_its_share_stands_alone_and_others_give_it_room() -> None:
    other = SharedCache(10)
    cache = SharedCache(10, largest=17, resized=lambda: other.limit(20 - max(10, cache.nbytes)))
    for name in "ab":
        cache.get(name, lambda name=name: name, lambda _: 5)
        other.get(name, lambda name=name: name, lambda _: 5)
    assert (cache.nbytes, other.nbytes) == (10, 10)
    assert cache.get("big", lambda: "first", lambda _: 15) == "first"
    assert cache.get("big", lambda: "second", lambda _: 15) == "first", "it is kept"
    assert (cache.nbytes, other.nbytes) == (15, 5) and "a" not in other and "b" in other
    assert cache.get("too big", lambda: "first", lambda _: 18) == "first"
    assert "too big" not in cache and "big" in cache
    cache.get("c", lambda: "c", lambda _: 5)  # an ordinary one again: the big one goes, and the others have their room
    other.get("c", lambda: "c", lambda _: 5)
    assert (cache.nbytes, other.nbytes) == (5, 10) and "big" not in cache


def test_the_largest_network_of_all_is_kept_within_the_bytes_of_all() -> None:
    import cnn_core as cc
    from ui import cached

    most = 4 * max(card.n_parameters for card in cc.list_models())
    total = cached._budget(1.0)
    models = SharedCache(cached._budget(cached._MODELS), largest=cached._budget(cached._LARGEST_MODEL))
    assert most > cached._budget(cached._MODELS)
    models.get("largest", lambda: "it", lambda _: most)
    assert "largest" in models and total - models.nbytes > 0.1 * total, "with room for its trace"


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


def test_what_leans_on_a_value_goes_with_it() -> None:
    leaning = SharedCache(100)
    cache = SharedCache(10, gone=lambda value: leaning.drop(lambda key: key[0] == value))  # type: ignore[index]
    for name in "ab":
        cache.get(name, lambda name=name: name, lambda _: 5)
        for part in (1, 2):
            leaning.get((name, part), lambda: "part", lambda _: 1)
    assert leaning.nbytes == 4
    cache.get("c", lambda: "c", lambda _: 5)
    assert "a" not in cache and "b" in cache and "c" in cache
    assert ("a", 1) not in leaning and ("a", 2) not in leaning and ("b", 1) in leaning
    assert leaning.nbytes == 2


def test_the_trace_of_a_model_that_went_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import cnn_core as cc
    from ui import cached, pictures

    monkeypatch.setattr(cached, "_traces", SharedCache(2**30))
    lenet, squeezenet = (cached.classifier(name) for name in ("lenet5", "squeezenet1_1"))
    picture = pictures.sample_picture("panda")

    def trace_of(model: cc.Classifier) -> cc.Trace:
        return cached.trace(model, cached.model_input(model, picture))

    assert trace_of(lenet) is trace_of(lenet)
    assert trace_of(squeezenet) is trace_of(squeezenet)
    cached._models._gone(lenet)
    assert [key[0] for key in cached._traces._items] == [squeezenet.key]  # type: ignore[index]
    # A model that is not kept: its trace is handed out, and not kept.
    monkeypatch.setattr(cached, "_models", SharedCache(0))
    assert trace_of(lenet) is not trace_of(lenet)
    assert trace_of(squeezenet) is trace_of(squeezenet)  # kept from before


def test_who_holds_a_place_does_not_wait_for_a_value_whose_maker_waits_for_that_place() -> None:
    shared = SharedCache(1000)
    asked, go = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        assert go.wait(10)
        return "made by the first"

    first = threading.Thread(target=lambda: shared.get("value", slow, len))
    first.start()
    assert asked.wait(10)
    with cached.computing():
        assert shared.get("value", lambda: "made here", len) == "made here"
    go.set()
    first.join(10)
    assert shared.get("value", lambda: "made anew", len) == "made by the first"
