"""Boxes and masks of many pictures, to and from the files that annotation tools write.

COCO JSON (boxes, polygons, run-length masks), Pascal VOC XML (one file a picture), CSV (one line a box), PNG masks (one
file a picture). In all of them here: rows and columns of the picture as it stands upright, pixel i spans [i, i + 1).
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from ..archives import Archive, megabytes, open_zip
from ..errors import InvalidOption, quote
from .annotation_formats import (
    Found,
    read_coco,
    read_csv,
    read_mask,
    read_voc,
    write_coco,
    write_csv,
    write_mask,
    write_voc,
)
from .regions import Region

Format = Literal["coco", "voc", "csv", "png"]
FORMATS: Final[dict[Format, str]] = {
    "coco": "COCO JSON",
    "voc": "Pascal VOC XML",
    "csv": "CSV",
    "png": "Masks as PNG",
}
ENDINGS: Final[dict[str, Format]] = {".json": "coco", ".xml": "voc", ".csv": "csv", ".png": "png"}
MAX_BYTES: Final = 50 * 2**20
"""Of all annotation files together, also unpacked."""
MAX_FILES: Final = 20_000
MAX_MASK_PIXELS: Final = 200_000_000
"""Of all masks together: so many bytes they take in memory."""
_MASK_NAMES: Final = ("_mask", "-mask", ".mask", "_seg", "_segmentation")
_SKIPPED: Final = 5  # names that are given in a sentence

Size = tuple[int, int]
Parts = tuple[str, ...]
Source = bytes | str | os.PathLike[str] | Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Annotations:
    """What was read: regions by picture name, the formats that they came in, and what belongs to no picture here."""

    regions: dict[str, Region]
    formats: tuple[Format, ...]
    unknown: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was read, and what was left out, in words."""
        n = len(self.regions)
        kinds = " and ".join(FORMATS[kind] for kind in self.formats)
        said = f"{n} picture{'s have' * (n != 1) or ' has'} boxes or a mask now, from {kinds}."
        if self.unknown:
            shown = ", ".join(quote(name, limit=40) for name in self.unknown[:_SKIPPED])
            more = f" and {len(self.unknown) - _SKIPPED} more" if len(self.unknown) > _SKIPPED else ""
            said += f" Not among these pictures: {shown}{more}."
        return said


def read_annotations(source: Source, pictures: Mapping[str, Size] | Iterable[str]) -> dict[str, Region]:
    """Regions by picture name: what `read` finds, without what it says beside."""
    return read(source, pictures).regions


def read(source: Source, pictures: Mapping[str, Size] | Iterable[str], *, name: str = "") -> Annotations:
    """Read annotations in any of the four formats, which is told from the content.

    source: a file's bytes, a path, a folder, or {file name: bytes} for several files; a zip is opened. pictures: the
    names below their folder, with "/", and where they are known the sizes (height, width) of the upright pictures,
    which everything is then held against. name: of the file where only bytes are given.

    A picture is recognised by its path or the end of it ("1.jpg" is "cows/1.jpg" where no other picture is called so);
    a file for one picture (VOC, PNG) belongs to the picture of its own name, whatever its ending. Several boxes of one
    picture are one region. Raises InvalidOption, in a sentence, for a file that is none of the four, is damaged or too
    large, for boxes that are empty or lie outside the picture, for masks of another size, and where nothing belongs to
    any picture.
    """
    sizes = dict(pictures) if isinstance(pictures, Mapping) else dict.fromkeys(pictures)
    known = _Names(sizes)
    regions: dict[str, Region] = {}
    claimed: dict[tuple[Format, str], str] = {}
    formats: dict[Format, None] = {}
    unknown: list[str] = []
    pixels = 0
    for file, content in _files(source, name):
        kind = _format(file, content)
        formats[kind] = None
        for found in _found(kind, file, content):
            picture = known.find(found.pictures, by_stem=kind in ("voc", "png"))
            if picture is None:
                unknown.append(found.pictures[0])
                continue
            other = claimed.setdefault((kind, picture), found.pictures[0])
            if other != found.pictures[0]:
                raise InvalidOption(
                    f"{quote(other)} and {quote(found.pictures[0])} could both be the picture {quote(picture)}: keep "
                    "the pictures' folders, or give their paths."
                )
            try:
                size = found.sized(sizes[picture])
                pixels += size[0] * size[1] if size is not None and found.has_mask else 0
                if pixels > MAX_MASK_PIXELS:
                    raise InvalidOption(
                        f"the masks up to here have more than {MAX_MASK_PIXELS // 10**6} million pixels together, and "
                        "no more are read. Masks of 10 to 30 pictures are enough."
                    )
                region = found.region(size)
                regions[picture] = region if picture not in regions else _joined(regions[picture], region)
            except InvalidOption as error:
                raise InvalidOption(f"{quote(picture)}: {error}") from error
    if not formats:
        raise InvalidOption("There are no annotations in it: COCO JSON, Pascal VOC XML, CSV or PNG masks are read.")
    if not regions:
        example = f", such as {quote(unknown[0], limit=40)}" if unknown else ""
        raise InvalidOption(
            f"None of the annotations belongs to one of these pictures{example}. They are matched by file name."
        )
    return Annotations(regions, tuple(formats), tuple(dict.fromkeys(unknown)))


def _joined(first: Region, second: Region) -> Region:
    """Both regions of a picture as one."""
    if first.mask is None or second.mask is None:
        return Region(first.boxes + second.boxes, first.mask if first.mask is not None else second.mask)
    return Region(first.boxes + second.boxes, first.mask | second.mask)


def _found(kind: Format, file: str, content: bytes) -> list[Found]:
    if kind == "coco":
        return read_coco(content)
    if kind == "csv":
        return read_csv(content)
    if kind == "voc":
        return [read_voc(content, file)]
    return [read_mask(content, file)]


# --- which files


def _files(source: Source, name: str) -> list[tuple[str, bytes]]:
    """(name, bytes) of every file that may hold annotations, in the order of their names."""
    if isinstance(source, Mapping):
        files = [(given, bytes(content)) for given, content in sorted(source.items())]
    elif isinstance(source, (bytes, bytearray, memoryview)):
        files = [(name, bytes(source))]
    else:
        files = _on_disk(Path(source))
    unpacked = [one for given, content in files for one in _unpacked(given, content)]
    total = sum(len(content) for _, content in unpacked)
    if len(unpacked) > MAX_FILES or total > MAX_BYTES:
        raise InvalidOption(
            f"These annotations are {len(unpacked):,} files of {megabytes(total)}; at most {MAX_FILES:,} files and "
            f"{megabytes(MAX_BYTES)} are read."
        )
    return unpacked


def _on_disk(path: Path) -> list[tuple[str, bytes]]:
    try:
        if not path.is_dir():
            return [(path.name, _bytes_of(path))]
        paths = sorted(one for one in path.rglob("*") if one.suffix.lower() in ENDINGS and one.is_file())
        if len(paths) > MAX_FILES:
            raise InvalidOption(f"The folder {str(path)!r} has {len(paths):,} files; at most {MAX_FILES:,} are read.")
        return [(one.relative_to(path).as_posix(), _bytes_of(one)) for one in paths]
    except OSError as error:
        raise InvalidOption(f"{str(path)!r} cannot be read: {(error.strerror or 'unknown').lower()}.") from error


def _bytes_of(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise InvalidOption(f"{quote(path.name)} is larger than the {megabytes(MAX_BYTES)} that are read.")
    return path.read_bytes()


def _unpacked(name: str, content: bytes) -> list[tuple[str, bytes]]:
    if not content.startswith(b"PK\3\4"):
        return [(name, content)]
    with open_zip(
        content,
        max_bytes=MAX_BYTES,
        max_entries=MAX_FILES,
        max_unpacked=MAX_BYTES,
        wanted="annotation files",
        error=InvalidOption,
    ) as archive:
        return _members(archive)


def _members(archive: Archive) -> list[tuple[str, bytes]]:
    chosen = tuple(member for member in archive.files if member.path.suffix.lower() in ENDINGS)
    archive.check_size(chosen)
    files = []
    for member in sorted(chosen, key=lambda one: one.path):
        content = archive.read(member, MAX_BYTES)
        assert content is not None  # more than MAX_BYTES in all would have been refused
        files.append((str(member.path), content))
    return files


def _format(name: str, content: bytes) -> Format:
    """Told from the content; a name's ending only tells CSV from text that is none of these."""
    if content.startswith(b"\x89PNG"):
        return "png"
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] in (b"{", b"["):
        return "coco"
    if start[:1] == b"<":
        return "voc"
    suffix = PurePosixPath(name).suffix.lower()
    text = start[:1].isascii() and b"\0" not in start and b"\n" in content and any(mark in start for mark in b",;\t")
    if suffix in (".csv", ".tsv", ".txt", "") and text:
        return "csv"
    shown = f"{quote(name, limit=40)} is" if name else "This is"
    raise InvalidOption(
        f"{shown} not an annotation file that can be read: COCO JSON, Pascal VOC XML, CSV and PNG masks work."
    )


# --- which picture


class _Names:
    """Pictures by every end of their path, in small letters; ends that two pictures share name neither."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_end: dict[Parts, str | None] = {}
        self._by_stem: dict[Parts, str | None] = {}
        self._whole: dict[Parts, str] = {}
        self._whole_stem: dict[Parts, str] = {}
        for name in names:
            parts = _parts(name)
            bare = (*parts[:-1], _stem(parts[-1]))
            self._whole[parts], self._whole_stem[bare] = name, name
            for table, own in ((self._by_end, parts), (self._by_stem, bare)):
                for first in range(len(own)):
                    end = own[first:]
                    table[end] = name if end not in table else None

    def find(self, called: Sequence[str], *, by_stem: bool) -> str | None:
        """The picture that is called so: its path ends like this, or this ends like its path; None where there is none.

        The names are tried in turn. Raises InvalidOption where two pictures have the name and none says whose it is.
        """
        shared = ""
        for given in called:
            for table, whole, parts in self._tables(_parts(given), by_stem):
                if parts in table:
                    name = table[parts]
                    if name is not None:
                        return name
                    shared = shared or given
                for first in range(1, len(parts)):
                    if parts[first:] in whole:
                        return whole[parts[first:]]
        if shared:
            raise InvalidOption(
                f"Several pictures are called {quote(shared)}: write their folders, too, as in 'cows/1.jpg'."
            )
        return None

    def _tables(self, parts: Parts, by_stem: bool) -> Iterator[tuple[dict[Parts, str | None], dict[Parts, str], Parts]]:
        if not parts:
            return
        yield self._by_end, self._whole, parts
        if by_stem:
            stem = _stem(parts[-1])
            for ending in ("", *_MASK_NAMES):
                if stem.endswith(ending):
                    yield self._by_stem, self._whole_stem, (*parts[:-1], stem.removesuffix(ending))


def _parts(name: str) -> Parts:
    return tuple(part for part in name.replace("\\", "/").casefold().split("/") if part not in ("", "."))


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


# --- writing


def write_annotations(
    regions: Mapping[str, Region], sizes: Mapping[str, Size], kind: Format, *, labels: Mapping[str, str] | None = None
) -> tuple[bytes, str]:
    """Regions in one of the four formats: the file's bytes, and a name for it.

    sizes: (height, width) of each picture, which all formats need. labels: what the object is called, "object" where
    nothing is said. COCO keeps boxes and masks; VOC and CSV keep boxes (of a mask, the box round it); PNG keeps the
    mask (of boxes, the pixels that they cover at least half of). VOC and PNG are a zip with a file for each picture.
    Raises InvalidOption for another format, or where there is nothing to write.
    """
    if kind not in FORMATS:
        raise InvalidOption(f"There is no format {quote(kind)}. Use {', '.join(FORMATS)}.")
    if not regions:
        raise InvalidOption("There are no boxes or masks to write yet.")
    named: list[tuple[str, Region, Size, str]] = [
        (name, region, sizes[name], (labels or {}).get(name) or "object") for name, region in sorted(regions.items())
    ]
    if kind == "coco":
        return json.dumps(write_coco(named), indent=1).encode(), "boxes_coco.json"
    if kind == "csv":
        return write_csv(named).encode(), "boxes.csv"
    if kind == "voc":
        return _zipped({f"{_flat(one[0])}.xml": write_voc(*one) for one in named}), "boxes_voc.zip"
    return _zipped({f"{_flat(name)}.png": write_mask(region, size) for name, region, size, _ in named}), "masks.zip"


def _flat(name: str) -> str:
    """A picture's path without its ending: the file for it lies in the same folder and has the same name."""
    return str(PurePosixPath(name).with_suffix(""))


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
