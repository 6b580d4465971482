"""Pages are drawn a few at a time, first come first served: all at once, each would be ready only when all are."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LONG: Final = 0.3
"""Seconds after which a run no longer keeps others out: it waits for something, or computes beside the interpreter."""


class Admission:
    """At most `places` runs that began within the last `long` seconds; the others wait in the order of their coming."""

    def __init__(self, places: int, *, long: float = _LONG, clock: Callable[[], float] = time.monotonic) -> None:
        self._places, self._long, self._clock = places, long, clock
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._begun: dict[object, float] = {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and give it back at the end."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            self._changed.notify_all()  # who pauses goes on
            try:
                while self._line[0] is not ticket or (wait := self._full_for()) > 0:
                    # Only the first in line has to look at the clock.
                    self._changed.wait(wait if self._line[0] is ticket else None)
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()
            self._begun[ticket] = self._clock()
        try:
            yield
        finally:
            with self._changed:
                del self._begun[ticket]
                self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Do nothing for so long in one's turn, or until another waits for theirs."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._line), seconds)

    def _full_for(self) -> float:
        """Seconds until a place is free even if no run ends, 0 where one is free now; the lock is held."""
        now = self._clock()
        left = sorted((begun + self._long - now for begun in self._begun.values()), reverse=True)
        # The youngest runs hold the places: one is free once all but `places - 1` of them are old.
        return max(0.0, left[self._places - 1]) if len(left) >= self._places else 0.0


PAGES: Final = Admission(1 if (os.cpu_count() or 1) <= 2 else 2)
"""The runs of whole pages of all visitors; what a fragment redraws is short, and passes.

Python draws one page at a time, however many threads it has. Two that share it take longer than one after the other
(measured, thirty visitors on two cores: the 95th percentile of a step 582 ms with two places, 440 with one); on more
cores one draws while the other's network computes.
"""
