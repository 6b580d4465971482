"""A property worked out once for each instance."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cnn_core.kept import kept


@dataclass(frozen=True)
class _Slow:
    go: threading.Event
    calls: list[int]

    @kept
    def answer(self) -> int:
        """What it is."""
        self.calls.append(1)
        assert self.go.wait(10)
        return 6 * 7


def test_it_is_worked_out_once_also_on_a_frozen_dataclass() -> None:
    ready = threading.Event()
    ready.set()
    one = _Slow(ready, [])
    assert (one.answer, one.answer, one.calls) == (42, 42, [1])
    assert _Slow.answer.__doc__ == "What it is."


def test_one_instance_does_not_wait_for_another_one() -> None:
    """functools.cached_property of Python 3.11 holds a lock for the whole class, and this would not end."""
    slow, ready = _Slow(threading.Event(), []), threading.Event()
    ready.set()
    thread = threading.Thread(target=lambda: slow.answer)
    thread.start()
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(_Slow(ready, []).answer))
    other.start()
    other.join(5)
    assert found == [42] and thread.is_alive()
    slow.go.set()
    thread.join(5)
    assert slow.answer == 42
