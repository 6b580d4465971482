"""Places for what costs: who has waited longest is next, visitor by visitor, and everyone can be told how many are
before them."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_REMEMBERED: Final = 512
_LOOK: Final = 0.1
"""Seconds between two looks of one who waits: at its place in the line, and at whether to go on waiting."""

OnWait = Callable[[int], None]


@dataclass(eq=False)
class _Ticket:
    owner: Hashable
    number: int
    admitted: bool = False


class FairQueue:
    """`places` at a time. Owners take turns, so one who asks for much holds nobody up; among an owner's own, the first
    comes first. A thread that holds a place has it for what it calls, too."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._numbers = itertools.count()
        self._served: OrderedDict[Hashable, int] = OrderedDict()  # when each owner had a place last
        self._mine = threading.local()

    @contextmanager
    def place(self, owner: Hashable, on_wait: OnWait | None = None) -> Iterator[None]:
        """Wait for a place and hold it. `on_wait(n)` is called again and again while n - 1 are to be served before;
        what it raises ends the waiting."""
        if self.is_held:
            yield
            return
        self._enter(owner, on_wait)
        self._mine.holds = True
        try:
            yield
        finally:
            self._mine.holds = False
            with self._changed:
                self._free += 1
                self._admit()

    @property
    def is_held(self) -> bool:
        """Whether this thread holds a place."""
        return bool(getattr(self._mine, "holds", False))

    @property
    def length(self) -> int:
        """How many wait."""
        with self._changed:
            return len(self._waiting)

    def _enter(self, owner: Hashable, on_wait: OnWait | None) -> None:
        with self._changed:
            ticket = _Ticket(owner, next(self._numbers))
            self._waiting.append(ticket)
            self._admit()
            if ticket.admitted:
                return
        try:
            while True:
                with self._changed:
                    if not ticket.admitted:
                        self._changed.wait(_LOOK)
                    if ticket.admitted:
                        return
                    position = self._order().index(ticket) + 1
                if on_wait is not None:
                    on_wait(position)
        except BaseException:
            with self._changed:
                if ticket.admitted:  # it was given a place while it turned away
                    self._free += 1
                else:
                    self._waiting.remove(ticket)
                self._admit()
            raise

    def _admit(self) -> None:
        """Give free places to those who are next; the lock is held."""
        while self._free and self._waiting:
            ticket = self._order()[0]
            self._waiting.remove(ticket)
            ticket.admitted = True
            self._free -= 1
            self._served[ticket.owner] = next(self._numbers)
            self._served.move_to_end(ticket.owner)
            while len(self._served) > _REMEMBERED:
                self._served.popitem(last=False)
        self._changed.notify_all()

    def _order(self) -> list[_Ticket]:
        """Everyone who waits, the next one first; the lock is held.

        Each owner's first comes before anyone's second. Among equals it counts who has waited longest since asking, or
        since having been served, whichever was later: so newcomers do not starve those who were served before.
        """
        turns: dict[Hashable, int] = {}
        keys = {}
        for ticket in self._waiting:  # in the order of arrival
            turn = turns[ticket.owner] = turns.get(ticket.owner, -1) + 1
            keys[ticket] = (turn, max(ticket.number, self._served.get(ticket.owner, -1)))
        return sorted(self._waiting, key=lambda ticket: keys[ticket])


def nth(position: int) -> str:
    """ "1st", "2nd", "11th"."""
    ending = "th" if position % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position}{ending}"
