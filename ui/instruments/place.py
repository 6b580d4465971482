"""A guess by a click in the picture: what a component sends, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Guess:
    """Where a visitor pointed, in input pixels (row, column); None where they chose to look without a guess."""

    position: tuple[float, float] | None


def take_guess(message: object, subject: str, size: tuple[int, int], on_guess: Callable[[Guess], None]) -> None:
    """Hand a message of a browser on as a guess; what is about something else, or lies outside, is dropped.

    size: height and width of the picture.
    """
    # What comes from a browser may be anything.
    if not isinstance(message, dict) or message.get("subject") != subject:
        return
    if message.get("skip") is True:
        on_guess(Guess(None))
        return
    row, column = message.get("row"), message.get("column")
    if (
        isinstance(row, int | float)
        and isinstance(column, int | float)
        and 0 <= row <= size[0]
        and 0 <= column <= size[1]
    ):
        on_guess(Guess((float(row), float(column))))
