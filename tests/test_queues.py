"""The line for places that cost: turns by visitor, positions, giving up, and nobody left waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from ui.queues import FairQueue, nth


def _until(seen: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < limit, "it did not come about within 10 s"
        time.sleep(0.002)


class _Class:
    """Visitors who ask one after the other, while the teacher holds the only place."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.positions: dict[str, list[int]] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, name: str, owner: str) -> None:
        def work() -> None:
            with self.queue.place(owner, lambda n: self.positions.setdefault(name, []).append(n)):
                self.order.append(name)

        before = self.queue.length
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        _until(lambda: self.queue.length == before + 1)

    def end(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


def test_visitors_take_turns_and_their_own_come_in_order() -> None:
    queue = FairQueue(1)
    visitors = _Class(queue)
    with queue.place("teacher"):
        for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
            visitors.ask(name, name[0])
        # a's second one comes after everybody's first, 1 is who comes next.
        told = {"a1": 1, "b1": 2, "c1": 3, "a2": 4, "b2": 5, "a3": 6}
        _until(lambda: {name: positions[-1] for name, positions in visitors.positions.items()} == told)
    visitors.end()
    assert visitors.order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_newcomers_do_not_starve_who_was_served_before() -> None:
    queue = FairQueue(1)
    visitors = _Class(queue)
    with queue.place("old"), queue.place("old"):
        visitors.ask("old again", "old")
        for i in range(5):
            visitors.ask(f"new {i}", f"new {i}")
    visitors.end()
    assert visitors.order[0] == "old again"


@pytest.mark.parametrize("places", [1, 2, 3])
def test_never_more_at_once_than_places_and_all_are_served(places: int) -> None:
    queue, lock = FairQueue(places), threading.Lock()
    now, most, served = 0, 0, 0

    def work(owner: int) -> None:
        nonlocal now, most, served
        for _ in range(20):
            with queue.place(owner):
                with lock:
                    now += 1
                    most = max(most, now)
                time.sleep(0.0005)
                with lock:
                    now -= 1
                    served += 1

    threads = [threading.Thread(target=work, args=(i % 4,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (most, served, queue.length) == (places, 240, 0)


def test_who_gives_up_leaves_the_line_and_the_next_one_moves_up() -> None:
    class GoneAway(Exception):
        pass

    queue = FairQueue(1)
    left = threading.Event()
    raised: list[BaseException] = []

    def give_up(position: int) -> None:
        if left.is_set():
            raise GoneAway

    def leave() -> None:
        try:
            with queue.place("leaves", give_up):
                pass
        except GoneAway as error:
            raised.append(error)

    visitors = _Class(queue)
    with queue.place("teacher"):
        thread = threading.Thread(target=leave)
        thread.start()
        _until(lambda: queue.length == 1)
        visitors.ask("stays", "stays")
        left.set()
        thread.join(10)
        _until(lambda: visitors.positions.get("stays", [0])[-1] == 1)
        assert raised and queue.length == 1
    visitors.end()
    assert visitors.order == ["stays"]


def test_a_thread_that_holds_a_place_has_it_for_what_it_calls_and_an_error_gives_it_back() -> None:
    queue = FairQueue(1)
    with pytest.raises(ZeroDivisionError), queue.place("a"):
        with queue.place("a"):
            assert queue.is_held
        assert queue.is_held
        raise ZeroDivisionError
    assert not queue.is_held
    with queue.place("b", lambda position: pytest.fail("the place was not given back")):
        pass


@pytest.mark.parametrize(("n", "words"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")])
def test_ordinals(n: int, words: str) -> None:
    assert nth(n) == words
