"""What a teacher sets in a link: a lock, when answers come, larger type, a timer, a room; as an address says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Answers = Literal["after", "hidden", "shown"]
ADDRESS: Final = "teach"
"""The name under which it stands in an address."""
MOST_MINUTES: Final = 90
CODE: Final = re.compile(r"[A-HJKMNP-Z2-9]{5}")
"""A room's code: no letter or digit that looks like another."""


@dataclass(frozen=True)
class Teaching:
    """answers: after the guess, never (or once the room shows them), or at once. minutes: 0 for no timer.

    room: the code of the room whose teacher sees how many guessed what, "" for none.
    """

    locked: bool = False
    answers: Answers = "after"
    large: bool = False
    minutes: int = 0
    room: str = ""

    def to_text(self) -> str:
        """Its words in an address: "locked,hidden,large,minutes~5,room~KXW7Q"; "" where nothing is set."""
        words = [
            "locked" if self.locked else "",
            self.answers if self.answers != "after" else "",
            "large" if self.large else "",
            f"minutes~{self.minutes}" if self.minutes else "",
            f"room~{self.room}" if self.room else "",
        ]
        return ",".join(word for word in words if word)


def read(text: str) -> Teaching:
    """What `to_text` wrote; ValueError for anything else."""
    found: dict[str, bool | str | int] = {}
    for word in text.split(","):
        name, _, value = word.partition("~")
        told: bool | str | int
        if word in ("locked", "large"):
            name, told = word, True
        elif word in get_args(Answers):
            name, told = "answers", word
        elif name == "minutes" and value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= MOST_MINUTES:
            told = int(value)
        elif name == "room" and CODE.fullmatch(value):
            told = value
        else:
            raise ValueError(text)
        if name in found:
            raise ValueError(text)
        found[name] = told
    return Teaching(**found)  # type: ignore[arg-type]
