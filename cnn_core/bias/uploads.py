"""A visitor's pictures on disk, in a folder of their own: bounded in files and bytes, and gone when it is closed.

Files are written under numbers, never under names that a visitor gave, so that no name can lead out of the folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from .. import scratch
from ..archives import PICTURE_ENDINGS, Archive, Member, megabytes, open_zip
from ..errors import InvalidImage, InvalidOption, quote
from ..images import MAX_BYTES as MAX_PICTURE_BYTES
from .annotations import MAX_BYTES as MAX_ANNOTATION_BYTES
from .items import Item
from .result import BadFile

_NAME_LENGTH: Final = 200
_ANNOTATIONS: Final = frozenset({".json", ".xml", ".csv"})
_MASK_FOLDERS: Final = frozenset({"masks", "annotations", "segmentationclass", "segmentationobject"})


@dataclass(frozen=True)
class Limits:
    """What one visitor, and all of them together, may bring."""

    files: int = 2_000
    bytes: int = 300 * 2**20
    zip_bytes: int = 100 * 2**20
    all_bytes: int = 4 * 2**30
    free_bytes: int = 2**30
    """What the disk keeps free whatever is brought."""


LIMITS: Final = Limits()


@dataclass(frozen=True)
class Added:
    """What came of one upload: how many pictures are new, what was left out and why, and the annotations beside them.

    annotations: {name: bytes} of a zip's COCO, VOC and CSV files and of the PNG masks in a folder called "masks".
    """

    n: int
    left_out: tuple[BadFile, ...] = ()
    annotations: dict[str, bytes] = field(default_factory=dict)


class _Disk:
    """How many bytes all visitors' pictures take together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used = 0

    @property
    def used(self) -> int:
        return self._used

    def take(self, n: int, limits: Limits, where: Path) -> None:
        with self._lock:
            if self._used + n > limits.all_bytes or shutil.disk_usage(where).free - n < limits.free_bytes:
                raise InvalidOption(
                    "This server keeps too many visitors' pictures at the moment. Take fewer, or try again later."
                )
            self._used += n

    def give_back(self, n: int) -> None:
        with self._lock:
            self._used -= n


disk: Final = _Disk()


@dataclass
class _Account:
    """What one folder has taken of the disk."""

    taken: int = 0


def _let_go(path: Path, account: _Account) -> None:
    shutil.rmtree(path, ignore_errors=True)
    disk.give_back(account.taken)
    account.taken = 0


@dataclass(frozen=True)
class _Kept:
    item: Item
    size: int
    digest: str


class PictureFolder:
    """One visitor's pictures; safe between threads. `close` deletes all of it, as do losing the last reference to it
    and the program's end.

    A picture that was brought before (the same bytes) is not kept twice; another of the same name gets a number.
    """

    def __init__(self, *, limits: Limits = LIMITS, root: Path | None = None) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self.path = Path(tempfile.mkdtemp(prefix="visitor-", dir=root or scratch.root()))
        self._account = _Account()
        self._finalizer = weakref.finalize(self, _let_go, self.path, self._account)
        self._kept: dict[str, _Kept] = {}  # by name
        self._next = 0
        self._closed = False

    @property
    def work(self) -> Path:
        """A folder for what is computed about these pictures; it goes with them."""
        return self.path / "work"

    @property
    def nbytes(self) -> int:
        return sum(kept.size for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def items(self) -> tuple[Item, ...]:
        """The pictures in the order of their names, for `cc.audit`.

        A picture's label is the folder that it came in, where the pictures came in more than one; None otherwise.
        """
        with self._lock:
            kept = sorted(self._kept.values(), key=lambda one: one.item.name)
        folders = {one.item.label for one in kept}
        if len(folders) > 1:
            return tuple(one.item for one in kept)
        return tuple(Item(one.item.name, one.item.path) for one in kept)

    def add_pictures(self, files: Iterable[tuple[str, bytes]]) -> Added:
        """Keep single pictures, given by (name, bytes), all or (where they are too many or too large) none of them.

        Folders in a name are kept, but for those that all of these pictures lie in: the last folder names the label.
        """
        given = [(_inside(name), content) for name, content in files]
        shared = _shared_folder([path for path, _ in given])
        if all(path.parent == shared for path, _ in given):
            shared = shared.parent
        chosen: list[tuple[str, bytes]] = []
        left_out: list[BadFile] = []
        for path, content in given:
            name = str(path.relative_to(shared))
            if len(content) > MAX_PICTURE_BYTES:
                left_out.append(BadFile(name, f"It has more than {megabytes(MAX_PICTURE_BYTES)}."))
            else:
                chosen.append((name, content))
        return self._keep(iter(chosen), len(chosen), left_out, {})

    def add_zip(
        self,
        content: bytes | Path,
        *,
        on_progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Added | None:
        """Keep the pictures of a zip, each under its path in the zip without folders that all of them lie in.

        Raises InvalidImage for what `open_zip` refuses, for a zip without pictures or with more, or larger ones, than
        are taken; then nothing is kept, as after a stop, for which None is returned. Too large single files are left
        out. What cannot be decoded is found by the audit, not here.
        """
        with open_zip(
            content,
            max_bytes=self._limits.zip_bytes,
            max_entries=4 * self._limits.files,
            max_unpacked=self._limits.bytes + MAX_ANNOTATION_BYTES,
            wanted="files",
        ) as archive:
            pictures, beside = _sorted_out(archive)
            if not pictures:
                raise InvalidImage("The zip holds no pictures: JPEG, PNG, WebP, GIF, BMP and TIFF files are taken.")
            if len(pictures) > self._limits.files:
                raise InvalidImage(self._too_many(len(pictures)))
            archive.check_size(pictures)
            left_out: list[BadFile] = []
            shared = _shared_folder([member.path for member in pictures])

            def unpacked() -> Iterator[tuple[str, bytes]]:
                for i, member in enumerate(pictures):
                    if should_stop is not None and should_stop():
                        raise _Stop
                    if on_progress is not None:
                        on_progress(i, len(pictures))
                    name = str(member.path.relative_to(shared))
                    data = archive.read(member, MAX_PICTURE_BYTES)
                    if data is None:
                        left_out.append(BadFile(name, f"It has more than {megabytes(MAX_PICTURE_BYTES)}."))
                    else:
                        yield name, data

            try:
                return self._keep(unpacked(), len(pictures), left_out, _annotations(archive, beside, left_out))
            except _Stop:
                return None

    def clear(self) -> None:
        """Delete all pictures, and what was computed about them; the folder stays open for others."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        self._delete(kept)
        shutil.rmtree(self.work, ignore_errors=True)

    def close(self) -> None:
        """Delete the folder with everything in it; what is added later is refused."""
        with self._lock:
            self._closed, self._kept = True, {}
        self._finalizer()

    def _delete(self, kept: list[_Kept]) -> None:
        for one in kept:
            one.item.path.unlink(missing_ok=True)
            self._give_back(one.size)

    def _give_back(self, n: int) -> None:
        with self._lock:
            n = min(n, self._account.taken)  # nothing twice, where the folder was closed meanwhile
            self._account.taken -= n
        disk.give_back(n)

    def _keep(
        self,
        files: Iterator[tuple[str, bytes]],
        n: int,
        left_out: list[BadFile],
        annotations: dict[str, bytes],
    ) -> Added:
        """Write files one by one; where one does not fit any more, all of this upload go again."""
        if len(self) + n > self._limits.files:
            raise InvalidImage(self._too_many(len(self) + n))
        with self._lock:
            digests = {kept.digest for kept in self._kept.values()}
        new: list[_Kept] = []
        used = self.nbytes
        try:
            for name, content in files:
                digest = hashlib.sha256(content).hexdigest()
                if digest in digests:
                    continue
                digests.add(digest)
                if used + len(content) > self._limits.bytes:
                    raise InvalidImage(
                        f"These pictures are more than {megabytes(self._limits.bytes)} together, the most that is "
                        "kept: bring fewer, or make them smaller."
                    )
                new.append(self._write(name, content, digest))
                used += len(content)
            with self._lock:
                if self._closed:
                    raise InvalidOption("These pictures came too late: the session has ended.")
                for one in new:
                    item = _named_apart(one.item, self._kept)
                    self._kept[item.name] = _Kept(item, one.size, one.digest)
        except BaseException:
            self._delete(new)
            raise
        return Added(len(new), tuple(left_out), annotations)

    def _write(self, given: str, content: bytes, digest: str) -> _Kept:
        name = _clean(given)
        with self._lock:
            number, self._next = self._next, self._next + 1
        path = self.path / f"{number:06d}{PurePosixPath(name).suffix.lower()}"
        try:
            disk.take(len(content), self._limits, self.path)
            with self._lock:
                self._account.taken += len(content)
            path.write_bytes(content)
        except OSError as error:
            path.unlink(missing_ok=True)
            self._give_back(len(content))
            raise InvalidOption("The server cannot keep these pictures on its disk now. Try again later.") from error
        parent = PurePosixPath(name).parent.name
        return _Kept(Item(name, path, parent or None), len(content), digest)

    def _too_many(self, n: int) -> str:
        return f"These are {n:,} pictures; at most {self._limits.files:,} are taken here."


class _Stop(Exception):
    """The visitor cancelled the upload."""


def _sorted_out(archive: Archive) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    """A zip's pictures, and the annotations beside them."""
    pictures, beside = [], []
    for member in archive.files:
        ending = member.path.suffix.lower()
        if ending in _ANNOTATIONS or (ending == ".png" and _in_masks(member.path)):
            beside.append(member)
        elif ending in PICTURE_ENDINGS:
            pictures.append(member)
    return tuple(pictures), tuple(beside)


def _annotations(archive: Archive, beside: tuple[Member, ...], left_out: list[BadFile]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    room = MAX_ANNOTATION_BYTES
    for member in beside:
        data = archive.read(member, room)
        if data is None:
            left_out.append(BadFile(str(member.path), f"Annotations are read up to {megabytes(MAX_ANNOTATION_BYTES)}."))
            break
        room -= len(data)
        found[str(member.path)] = data
    return found


def _in_masks(path: PurePosixPath) -> bool:
    return any(part.casefold() in _MASK_FOLDERS for part in path.parts[:-1])


def _shared_folder(paths: list[PurePosixPath]) -> PurePosixPath:
    """The longest folder that all of them lie in, so far as labels are left below it."""
    shared = paths[0].parent if paths else PurePosixPath()
    while shared != shared.parent and not all(shared in path.parents for path in paths):
        shared = shared.parent
    return shared


def _inside(given: str) -> PurePosixPath:
    """A path as a browser gives it, without what would lead out of a folder."""
    parts = PurePosixPath(given.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part.strip("/") and part != ".."))


def _clean(given: str) -> str:
    """A name for the report: printable, not endless, its ending kept."""
    parts = ["".join(c if c.isprintable() else "_" for c in part)[-80:] for part in _inside(given).parts]
    name = "/".join(parts)[-_NAME_LENGTH:].lstrip("/")
    if not name or PurePosixPath(name).suffix.lower() not in PICTURE_ENDINGS:
        raise InvalidImage(f"{quote(given)} is not named as a picture: JPEG, PNG, WebP, GIF, BMP and TIFF are taken.")
    return name


def _named_apart(item: Item, kept: dict[str, _Kept]) -> Item:
    """The item under a name that is free: "cow (2).png" where "cow.png" is taken."""
    path, number = PurePosixPath(item.name), 1
    while str(path) in kept:
        number += 1
        path = PurePosixPath(item.name).with_stem(f"{PurePosixPath(item.name).stem} ({number})")
    return Item(str(path), item.path, item.label)
