"""The line before the places where training runs: first come, first served, for everybody on the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_PATIENCE: Final = 0.1  # seconds between two looks at whether somebody still wants to wait


class Line:
    """So many places; who finds none waits, and is told how many are before them."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._inside: list[object] = []
        self._waiting: list[object] = []

    @property
    def lengths(self) -> tuple[int, int]:
        """(who has a place, who waits)"""
        with self._changed:
            return len(self._inside), len(self._waiting)

    @contextmanager
    def place(self, on_position: Callable[[int], None] | None, has_left: Callable[[], bool] | None) -> Iterator[bool]:
        """Wait for a place, and give it back afterwards; True with a place, False for who left the line before that.

        on_position: called in this thread with 1 for the next one, 2, ... whenever that changes, and with 0 at last.
        has_left: asked while waiting.
        """
        mine = object()
        with self._changed:
            self._waiting.append(mine)
        try:
            entered = self._wait(mine, on_position, has_left)
            if entered and on_position is not None:
                on_position(0)
            yield entered
        finally:
            with self._changed:
                for crowd in (self._waiting, self._inside):
                    if mine in crowd:
                        crowd.remove(mine)
                self._changed.notify_all()

    def _wait(
        self, mine: object, on_position: Callable[[int], None] | None, has_left: Callable[[], bool] | None
    ) -> bool:
        told = 0
        while True:
            if has_left is not None and has_left():
                return False
            with self._changed:
                position = self._waiting.index(mine) + 1
                if position <= self._places - len(self._inside):
                    self._waiting.remove(mine)
                    self._inside.append(mine)
                    return True
                if position == told:
                    self._changed.wait(_PATIENCE)
                    continue
            told = position
            if on_position is not None:  # not under the lock: it may take its time
                on_position(position)
