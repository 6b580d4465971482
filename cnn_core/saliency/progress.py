"""Progress and stopping of work that takes many forward passes."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConvLensError

Progress = Callable[[int, int], None]
"""on_progress(done, total), in forward passes or in pictures."""
ShouldStop = Callable[[], bool]


class Stopped(ConvLensError):
    """should_stop() said so: nothing half-made comes back."""


class Work:
    """Passes progress on, and ends the work by `Stopped` when it is told to."""

    def __init__(self, on_progress: Progress | None = None, should_stop: ShouldStop | None = None) -> None:
        self._on_progress = on_progress
        self._should_stop = should_stop

    def check(self) -> None:
        """Asked before each batch. Raises Stopped."""
        if self._should_stop is not None and self._should_stop():
            raise Stopped("The work was stopped before it was done; nothing of it was kept.")

    def tell(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)

    def part(self, index: int, n_parts: int) -> Work:
        """The work of one of several equal parts, whose progress counts towards the whole."""
        if n_parts == 1:
            return self
        return Work(lambda done, total: self.tell(index * total + done, n_parts * total), self._should_stop)
