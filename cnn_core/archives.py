"""Zips from strangers: opened without trusting a word of what they say about themselves, and never unpacked by name."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from .errors import ConvLensError, InvalidImage, quote

PICTURE_ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_CLUTTER: Final = frozenset({"thumbs.db", "desktop.ini"})
# The other packings (bzip2, LZMA) cannot be unpacked by so many bytes at a time: 4 KB of them may be gigabytes.
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, EOFError, OSError, ValueError, RuntimeError, IndexError, OverflowError,
)  # fmt: skip
# The table of contents is read as a whole: about so many bytes an entry are believed.
_BYTES_AN_ENTRY: Final = 512
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\5\6"
_END_MARK_64: Final = b"PK\6\7"


@dataclass(frozen=True)
class Member:
    """One file of a zip: where it lies, checked, and what the zip says of its size (in bytes, unpacked)."""

    path: PurePosixPath
    size: int
    info: zipfile.ZipInfo


class Archive:
    """A zip that was found harmless; what systems add unasked (hidden files, Thumbs.db) is not in it.

    files: its files in the zip's order. folders: every folder that is in it or on the way to a file.
    """

    def __init__(self, archive: zipfile.ZipFile, *, max_unpacked: int, advice: str, error: type[ConvLensError]) -> None:
        self._archive, self._left, self._error, self._advice = archive, max_unpacked, error, advice
        self._max_unpacked = max_unpacked
        files: list[Member] = []
        folders: set[PurePosixPath] = set()
        for entry in archive.infolist():
            path = _checked_path(entry, error)
            if _is_clutter(path):
                continue
            if entry.is_dir():
                folders.add(path)
            else:
                files.append(Member(path, entry.file_size, entry))
                folders.update(parent for parent in path.parents if parent.name)
        self.files, self.folders = tuple(files), frozenset(folders)

    def check_size(self, files: tuple[Member, ...]) -> None:
        """Raise where these files say that they are larger together than what is unpacked."""
        if sum(member.size for member in files) > self._max_unpacked:
            raise self._too_large()

    def read(self, member: Member, limit: int) -> bytes | None:
        """One file's bytes; None where it has more than `limit`, whatever the zip says of its size.

        Raises the archive's error for a password, a damaged file, and once more was unpacked than is allowed in all.
        """
        if member.info.flag_bits & 1:
            raise self._error("The zip has a password: pack it without one.")
        if member.info.compress_type not in _PACKINGS:
            raise self._error(
                f"{quote(member.path.name)} is packed in an unusual way: pack the zip anew with the ordinary method "
                "(deflate)."
            )
        try:
            with self._archive.open(member.info) as file:
                content = file.read(min(limit, self._left) + 1)
        except _DAMAGE as error:
            raise unreadable(self._advice, self._error) from error
        self._left -= len(content)
        if self._left < 0:
            raise self._too_large()
        return content if len(content) <= limit else None

    def _too_large(self) -> ConvLensError:
        return self._error(f"Unpacked, the zip is larger than the {megabytes(self._max_unpacked)} that are read.")


@contextmanager
def open_zip(
    source: bytes | Path,
    *,
    max_bytes: int,
    max_entries: int,
    max_unpacked: int,
    advice: str = "pack it anew",
    wanted: str = "files",
    error: type[ConvLensError] = InvalidImage,
) -> Iterator[Archive]:
    """Open a zip of at most `max_bytes` and `max_entries`, of which at most `max_unpacked` bytes are ever unpacked.

    Nothing is written to disk. advice: what to do with a zip that cannot be read; wanted: what the entries should be,
    for the sentence about too many. Raises `error`, with a sentence, for what is no zip, is too large, has too many
    entries, or holds links or paths that lead out of it.
    """
    with _opened(source, error) as file:
        size = file.seek(0, io.SEEK_END)
        if size > max_bytes:
            raise error(f"The zip has {megabytes(size)}; at most {megabytes(max_bytes)} are read.")
        contents = _table_of_contents(file, size, advice, error)
        if max(contents.count, contents.size // _BYTES_AN_ENTRY) > max_entries:
            raise error(f"The zip has {contents.words} entries; at most {max_entries:,} {wanted} are taken.")
        if contents.is_zip64:
            raise error(f"The zip is in the form for archives of gigabytes (zip64), which is not read: {advice}.")
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as damage:
            raise unreadable(advice, error) from damage
        with archive:
            if len(archive.infolist()) > max_entries:
                raise error(
                    f"The zip has {len(archive.infolist()):,} entries; at most {max_entries:,} {wanted} are taken."
                )
            yield Archive(archive, max_unpacked=max_unpacked, advice=advice, error=error)


@contextmanager
def _opened(source: bytes | Path, error: type[ConvLensError]) -> Iterator[BinaryIO]:
    try:
        file: BinaryIO = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    except OSError as problem:
        raise error(f"The file {str(source)!r} cannot be read: {(problem.strerror or 'unknown').lower()}.") from problem
    with file:
        yield file


@dataclass(frozen=True)
class _Contents:
    size: int  # bytes of the table of contents
    count: int
    is_zip64: bool  # then both numbers may stand elsewhere

    @property
    def words(self) -> str:
        if self.count == 0xFFFF:
            return "more than 65,000"
        # A table that is longer than its number of entries allows lies about one of the two.
        return f"{max(self.count, self.size // _BYTES_AN_ENTRY):,} or more"


def _table_of_contents(file: BinaryIO, size: int, advice: str, error: type[ConvLensError]) -> _Contents:
    """What the end of the file says of its table, found as Python's zipfile finds it, before that reads the table."""
    start = max(0, size - _END.size - 2**16 - 20)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise unreadable(advice, error)
    _, _, _, _, count, length, _, _ = _END.unpack_from(tail, at)
    return _Contents(length, count, tail[max(0, at - 20) : at].startswith(_END_MARK_64))


def unreadable(advice: str, error: type[ConvLensError]) -> ConvLensError:
    """The sentence about a file that is no zip, or a damaged one."""
    return error(f"This file is not a zip that can be read: {advice}.")


def _checked_path(entry: zipfile.ZipInfo, error: type[ConvLensError]) -> PurePosixPath:
    # zipfile cuts a name at a null byte: what was given is looked at, too.
    names = {entry.filename, entry.orig_filename}
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
            raise error(f"The zip holds a path that leads out of it, {quote(name)}, and is not opened.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise error(f"The zip holds a link, {quote(entry.filename)}, and is not opened: pack the files themselves.")
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _is_clutter(path: PurePosixPath) -> bool:
    """What systems add to folders without being asked."""
    return path.name.lower() in _CLUTTER or any(part.startswith((".", "__MACOSX")) for part in path.parts)


def megabytes(n: int) -> str:
    """So many bytes in words: "12 MB"."""
    return f"{n / 2**20:,.0f} MB"
