"""The stack of changes that a visitor has made, with its history; it is kept in the address while it is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

import cnn_core as cc
from cnn_core.change_text import MAX_CHANGES, from_json, from_text, to_text
from cnn_core.changes import Change, EditBias, EditKernel, SwitchOff
from ui import session

MAX_ADDRESS = 1500  # characters; servers and chat programs cut much longer links
MAX_HISTORY = 60
_SLOT = "cl_changes_stack"


@dataclass
class Stack:
    """What is changed now, and the way there: `past` and `future` are whole lists of changes."""

    now: tuple[Change, ...] = ()
    past: list[tuple[Change, ...]] = field(default_factory=list)
    future: list[tuple[Change, ...]] = field(default_factory=list)
    told: str | None = None  # what the address said when it was last read or written
    known: dict[str, None] = field(default_factory=dict)  # lists that were opened step by step on this page
    refused: str = ""

    def go(self, changes: Sequence[Change]) -> None:
        """Make this the list of changes, as a new step."""
        if tuple(changes) == self.now:
            return
        self.past = [*self.past[1 - MAX_HISTORY :], self.now]
        self.future = []
        self._settle(tuple(changes))

    def add(self, change: Change) -> None:
        """Put a change on the stack; one of the same weights, or of the same channels, takes the older one's place."""
        kept = [c for c in self.now if not _same_place(c, change)]
        if len(kept) >= MAX_CHANGES:
            self.refused = f"At most {MAX_CHANGES} changes are made at once: remove one first."
            return
        self.go((*kept, change))

    def remove(self, place: int) -> None:
        """Take one change away."""
        self.go(tuple(c for i, c in enumerate(self.now) if i != place))

    def undo(self) -> None:
        """One step back."""
        if self.past:
            self.future.append(self.now)
            self._settle(self.past.pop())

    def redo(self) -> None:
        """One step forth."""
        if self.future:
            self.past.append(self.now)
            self._settle(self.future.pop())

    def load(self, content: bytes) -> None:
        """Take over a JSON file's changes; what cannot be read is said in a sentence, and nothing changes."""
        try:
            self.go(from_json(content))
        except cc.ConvLensError as error:
            self.refused = f"{error} What was done before stays."

    def _settle(self, changes: tuple[Change, ...]) -> None:
        if session.locked() and to_text(changes) != (session.get("changes") or ""):
            return
        self.now = changes
        self.refused = ""
        text = to_text(changes)
        self.told = text if 0 < len(text) <= MAX_ADDRESS else None
        session.set("changes", self.told)

    @property
    def too_long(self) -> bool:
        """Whether the changes are too many for a link."""
        return bool(self.now) and self.told is None

    @property
    def text(self) -> str:
        """The changes in one line, however long: their key."""
        return to_text(self.now)


def stack() -> Stack:
    """This visitor's stack; a link that was opened since is taken over."""
    found: Stack = st.session_state.setdefault(_SLOT, Stack())
    text = session.get("changes")
    if text is not None and text != found.told:
        try:
            changes = from_text(text)
        except cc.ConvLensError as error:
            session.set("changes", found.told)
            found.refused = f"The address names changes that cannot be read. {error} Nothing was changed."
        else:
            found.go(changes)
            found.told = text
    return found


def _same_place(old: Change, new: Change) -> bool:
    if isinstance(old, EditKernel | EditBias) and type(old) is type(new):
        return (old.operation, old.index) == (new.operation, new.index)
    if isinstance(old, SwitchOff) and isinstance(new, SwitchOff):
        return old.operation == new.operation and set(old.channels) == set(new.channels)
    return False
