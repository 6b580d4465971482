"""A visitor's audit: their pictures, boxes and background tags, and what the networks were found to do with them."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from cnn_core.bias.annotations import Annotations
from cnn_core.bias.items import Item
from cnn_core.bias.regions import Region
from cnn_core.bias.result import AuditReport, BadFile
from cnn_core.bias.uploads import Added, PictureFolder

_STORE: Final = "cl_audit_room"
Role = Literal["first", "second"]


@dataclass(frozen=True, eq=False)
class Held:
    """A report, what it was made of, and the name of the network as the page gives it."""

    report: AuditReport
    pictures: int
    marks: int
    network: Hashable
    title: str


class Room:
    """One visitor's pictures and marks. A job's thread adds to it while the page reads.

    pictures, marks: count the changes, so that a report that is older than what is there now can be told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: PictureFolder | None = None
        self._boxes: dict[str, Region] = {}
        self._tags: dict[str, str] = {}
        self._held: dict[Role, Held] = {}
        self.tags_origin: Literal["given", "proposed"] = "given"
        self.n_proposed = 0
        self.beside: dict[str, bytes] = {}
        self.beside_tags: dict[str, str] = {}
        self.left_out: tuple[BadFile, ...] = ()
        self.pictures, self.marks = 0, 0
        self.title = ""

    # --- pictures

    @property
    def folder(self) -> PictureFolder:
        """Where the pictures lie; made when it is first wanted."""
        with self._lock:
            if self._folder is None:
                self._folder = PictureFolder()
            return self._folder

    def items(self) -> tuple[Item, ...]:
        return () if self._folder is None else self._folder.items()

    def __len__(self) -> int:
        return 0 if self._folder is None else len(self._folder)

    def took(self, added: Added, title: str = "") -> None:
        """Pictures were added to the folder."""
        self.beside |= added.annotations
        self.left_out += added.left_out
        self.title = self.title or title
        self.pictures += 1

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            folder, self._folder = self._folder, None
            self._boxes, self._tags, self._held = {}, {}, {}
        if folder is not None:
            folder.close()
        self.beside, self.beside_tags, self.left_out, self.title = {}, {}, (), ""
        self.tags_origin, self.n_proposed = "given", 0
        self.pictures += 1
        self.marks += 1

    # --- marks

    @property
    def boxes(self) -> Mapping[str, Region]:
        return self._boxes

    @property
    def tags(self) -> Mapping[str, str]:
        return self._tags

    def set_box(self, name: str, region: Region | None) -> None:
        with self._lock:
            boxes = dict(self._boxes)
            boxes.pop(name, None)
            if region is not None:
                boxes[name] = region
            self._boxes = boxes
            self.marks += 1

    def add_boxes(self, found: Annotations) -> None:
        with self._lock:
            self._boxes = {**self._boxes, **found.regions}
            self.marks += 1

    def forget_boxes(self) -> None:
        with self._lock:
            self._boxes = {}
            self.marks += 1

    def set_tags(self, tags: Mapping[str, str], origin: Literal["given", "proposed"], n: int = 0) -> None:
        with self._lock:
            self._tags = dict(tags)
            self.tags_origin, self.n_proposed = origin, n
            self.marks += 1

    # --- reports

    def keep(self, role: Role, held: Held) -> None:
        with self._lock:
            self._held[role] = held

    def held(self, role: Role) -> Held | None:
        """The last report of the network in this role; None where there is none, or its pictures went."""
        held = self._held.get(role)
        return held if held is not None and held.pictures == self.pictures else None

    def drop(self, role: Role) -> None:
        with self._lock:
            self._held.pop(role, None)

    def is_fresh(self, held: Held, network: Hashable) -> bool:
        """Whether nothing that the report was made of has changed since."""
        return held.network == network and held.marks == self.marks and held.pictures == self.pictures


def mine() -> Room:
    """This visitor's room; it must be asked for in the page's own thread."""
    # In the session's state: what is cached for a session goes whenever its connection breaks for a moment. With the
    # session the room goes, and with the last reference to it the pictures on disk.
    room: Room = st.session_state.setdefault(_STORE, Room())
    return room


def names_and_sizes(report: AuditReport) -> dict[str, tuple[int, int]]:
    """(height, width) of every picture that could be read, by name."""
    return {row.name: row.size for row in report.rows}
