"""A learner's own pictures in class folders as a data set: read, checked, bounded, split once, and let go again."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..archives import PICTURE_ENDINGS, Archive, Member, megabytes, open_zip
from ..errors import InvalidImage, InvalidOption, quote
from ..images import load_image
from .data import DataSet, Split
from .seeds import derived_seed

PREFIX: Final = "own:"
SIDE: Final = 48
LEAST: Final = 5
"""Pictures that a class must have."""
MAX_CLASSES: Final = 12
MAX_PICTURES: Final = 1_200
MAX_ZIP_BYTES: Final = 100 * 2**20
MAX_UNPACKED_BYTES: Final = 300 * 2**20
MAX_FILE_BYTES: Final = 10 * 2**20
MAX_STORED_BYTES: Final = 128 * 2**20
"""All learners' pictures together, in one process."""
TEST_SHARE: Final = 0.2
_LONGEST_NAME: Final = 40
_SPLIT_SEED: Final = 123
_LEAST_STD: Final = 0.01  # of pictures that are nearly one colour; they are not blown up further


@dataclass(frozen=True)
class File:
    """One picture as it came: its class, its name, and its bytes."""

    label: str
    name: str
    content: bytes


def unzip(content: bytes) -> tuple[File, ...]:
    """The pictures of a zip with class folders; a picture's class is the folder that it lies in.

    Nothing is written to disk. Raises InvalidImage for what is no zip, is too large (unpacked, too), holds links or
    paths that lead out of it, or has no class folders, an empty one, or a password.
    """
    with open_zip(
        content,
        max_bytes=MAX_ZIP_BYTES,
        max_entries=4 * MAX_PICTURES,
        max_unpacked=MAX_UNPACKED_BYTES,
        advice="pack the class folders anew",
    ) as archive:
        return _members(archive)


def _members(archive: Archive) -> tuple[File, ...]:
    pictures = tuple(member for member in archive.files if member.path.suffix.lower() in PICTURE_ENDINGS)
    archive.check_size(pictures)
    if not pictures:
        raise InvalidImage("The zip holds no pictures. Put them into folders, one for each class, and pack those.")
    for member in pictures:
        if not member.path.parent.name:
            raise InvalidImage(
                f"{quote(member.path.name)} lies in no folder. Put the pictures into folders, one for each class."
            )
    filled = {member.path.parent for member in pictures}
    for folder in sorted(archive.folders - filled):
        if not any(folder in other.parents for other in archive.folders):
            raise InvalidImage(
                f"The class {quote(folder.name)} is empty: put at least {LEAST} pictures into its folder, or take the "
                "folder out."
            )
    return tuple(File(member.path.parent.name, member.path.name, _read(archive, member)) for member in pictures)


def _read(archive: Archive, member: Member) -> bytes:
    content = archive.read(member, MAX_FILE_BYTES)
    if content is None:
        raise InvalidImage(f"{quote(str(member.path))} has more than {megabytes(MAX_FILE_BYTES)}: make it smaller.")
    return content


@dataclass(frozen=True, eq=False)
class OwnData:
    """Checked pictures, split into what is learned from and what is asked.

    notes: what was left out, each a sentence.
    """

    key: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    mean: float
    std: float
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for part in (self.train, self.test) for a in (part.pictures, part.labels, part.indices))

    def counts(self) -> tuple[tuple[str, int, int], ...]:
        """(class, pictures to learn from, pictures to be asked) for each class."""
        return tuple(
            (name, int((self.train.labels == i).sum()), int((self.test.labels == i).sum()))
            for i, name in enumerate(self.class_names)
        )


def prepare(
    files: Sequence[File],
    *,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> OwnData | None:
    """Read the pictures, crop the middle square, scale it to 48 x 48 colours, and split each class by a fixed seed.

    A fifth of each class, at least one picture, is kept for the test. Raises InvalidImage, in a sentence, for one
    class only, a class with fewer than 5 pictures that can be read, one picture in two classes, or too many of either.
    Returns None where it was stopped.
    """
    if len(files) > MAX_PICTURES:
        raise InvalidImage(f"These are {len(files):,} pictures; at most {MAX_PICTURES:,} are taken.")
    labels = sorted({_class_name(file.label) for file in files})
    if len(labels) < 2:
        only = f"All pictures are of one class, {quote(labels[0])}." if labels else "There are no pictures."
        raise InvalidImage(f"{only} A network learns to tell classes apart: give it at least two.")
    if len(labels) > MAX_CLASSES:
        raise InvalidImage(f"These are {len(labels)} classes; at most {MAX_CLASSES} are taken.")
    found: dict[bytes, tuple[int, NDArray[np.uint8]]] = {}
    broken: dict[int, list[str]] = {}
    twice = 0
    for i, file in enumerate(files):
        if should_stop is not None and should_stop():
            return None
        if on_progress is not None:
            on_progress(i, len(files))
        label = labels.index(_class_name(file.label))
        try:
            square = _square(file)
        except InvalidImage:
            broken.setdefault(label, []).append(file.name)
            continue
        mark = hashlib.sha256(square.tobytes()).digest()
        if mark in found:
            other = found[mark][0]
            if other != label:
                raise InvalidImage(
                    f"{quote(file.name)} is in {quote(labels[other])} and in {quote(labels[label])}: a picture can "
                    "have one class only."
                )
            twice += 1
            continue
        found[mark] = (label, square)
    _check_counts(labels, [label for label, _ in found.values()], broken)
    return _split(labels, list(found.values()), tuple(_notes(broken, twice)))


def _class_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidImage(f"{quote(text)} cannot be a class's name: take 1 to {_LONGEST_NAME} letters.")
    return name


def _square(file: File) -> NDArray[np.uint8]:
    rgb = load_image(file.content, name=file.name).rgb
    side = min(rgb.shape[:2])
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    middle = Image.fromarray(rgb[top : top + side, left : left + side])
    return np.asarray(middle.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _check_counts(labels: Sequence[str], given: Sequence[int], broken: dict[int, list[str]]) -> None:
    for i, name in enumerate(labels):
        n = given.count(i)
        if n >= LEAST:
            continue
        why = f" ({_some(broken[i])} cannot be read as a picture)" if i in broken else ""
        have = f"has {n} picture{'s' * (n != 1)}" if n else "has no picture"
        raise InvalidImage(f"The class {quote(name)} {have} that can be used{why}; it needs at least {LEAST}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(quote(name, limit=30) for name in names[:3]) + (f" and {len(names) - 3} more" * (len(names) > 3))


def _notes(broken: dict[int, list[str]], twice: int) -> list[str]:
    names = [name for own in broken.values() for name in own]
    notes = []
    if names:
        notes.append(f"Left out, since it cannot be read as a picture: {_some(names)}.")
    if twice:
        notes.append(f"{twice} picture{'s were' if twice > 1 else ' was'} there twice and counted once.")
    return notes


def _split(labels: Sequence[str], found: list[tuple[int, NDArray[np.uint8]]], notes: tuple[str, ...]) -> OwnData:
    given = np.array([label for label, _ in found], dtype=np.int64)
    pictures = np.stack([square for _, square in found])
    generator = np.random.default_rng(derived_seed(_SPLIT_SEED, "own pictures"))
    test = np.zeros(len(given), dtype=bool)
    for i in range(len(labels)):
        places = generator.permutation(np.flatnonzero(given == i))
        test[places[: max(1, round(TEST_SHARE * len(places)))]] = True
    parts = []
    for chosen in (~test, test):
        order = generator.permutation(np.flatnonzero(chosen))
        parts.append(Split(pictures[order], given[order], order))
    train, asked = parts
    digest = hashlib.sha256(repr(list(labels)).encode() + given.tobytes() + pictures.tobytes()).hexdigest()
    shares = train.pictures / 255
    return OwnData(
        f"{PREFIX}{digest[:32]}",
        tuple(labels),
        train,
        asked,
        mean=round(float(shares.mean()), 4),
        std=round(max(_LEAST_STD, float(shares.std())), 4),
        notes=notes,
    )


# --- where it is kept: one locked, bounded store for the process, each set as long as somebody holds it


class _Store:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[OwnData, int]] = {}

    def hold(self, own: OwnData) -> None:
        for part in (own.train, own.test):
            for array in (part.pictures, part.labels, part.indices):
                array.setflags(write=False)
        with self._lock:
            kept, holders = self._held.get(own.key, (own, 0))
            used = sum(other.nbytes for key, (other, _) in self._held.items() if key != own.key)
            if used + own.nbytes > MAX_STORED_BYTES:
                raise InvalidOption(
                    "This server keeps too many learners' pictures at the moment. Take fewer, or try again later."
                )
            self._held[own.key] = (kept, holders + 1)

    def release(self, key: str) -> None:
        with self._lock:
            if key in self._held:
                own, holders = self._held.pop(key)
                if holders > 1:
                    self._held[key] = (own, holders - 1)

    def get(self, key: str) -> OwnData:
        with self._lock:
            if key not in self._held:
                raise InvalidOption("These pictures are not here (any more): bring them again.")
            return self._held[key][0]


_store: Final = _Store()
hold: Final = _store.hold
"""Keep a set for one holder more; InvalidOption where all learners' pictures together would be too large."""
release: Final = _store.release
"""One holder less; the set is let go with its last one."""
held: Final = _store.get
"""The set of a key; InvalidOption where nobody holds it."""


def own_data_set(key: str) -> DataSet:
    """The data set of "own:<digest>". Raises InvalidOption where nobody holds it."""
    own = held(key)
    return DataSet(
        key=own.key,
        title="Your own pictures",
        class_names=own.class_names,
        n_train=len(own.train),
        n_test=len(own.test),
        mean=own.mean,
        std=own.std,
        side=SIDE,
        source="pictures that you brought",
        load=lambda: (own.train, own.test),
        channels=3,
        light_on_black=False,
    )


# --- to and from a file, for a process that trains


def save_own(key: str, path: str | os.PathLike[str]) -> None:
    """Write a set as .npz (numbers and names, no code), for `load_own` in another process."""
    own = held(key)
    arrays = {
        f"{name}_{part}": getattr(split, part)
        for name, split in (("train", own.train), ("test", own.test))
        for part in ("pictures", "labels", "indices")
    }
    np.savez(
        Path(path),
        key=np.array(own.key),
        class_names=np.array(own.class_names),
        scale=np.array([own.mean, own.std]),
        **arrays,
    )


def load_own(path: str | os.PathLike[str]) -> str:
    """Read and hold what `save_own` wrote; returns its key."""
    with np.load(Path(path), allow_pickle=False) as file:
        parts = [
            Split(*(file[f"{name}_{part}"] for part in ("pictures", "labels", "indices"))) for name in ("train", "test")
        ]
        mean, std = (float(value) for value in file["scale"])
        own = OwnData(str(file["key"]), tuple(map(str, file["class_names"])), parts[0], parts[1], mean=mean, std=std)
    hold(own)
    return own.key
