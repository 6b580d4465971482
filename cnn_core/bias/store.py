"""Where an audit keeps its pictures' numbers, maps and thumbnails: Parquet files, each a few pictures, on disk.

A file is named after all that decides its content, so that an audit that was interrupted, or is asked again with other
boxes, finds what it had; whatever changed has another name. Files appear whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from .. import palette
from ..errors import InvalidOption
from ..saliency.placement import Placement, draw_aligned
from .items import Item

SHARD: Final = 64
"""Pictures in one file: what an interruption can cost, and what the memory holds at a time."""
THUMBNAIL_SIDE: Final = 128
_FORMAT: Final = 1
_LIST: Final = b"convlens"


@dataclass(frozen=True)
class PassKey:
    """All that decides what the pass writes about a picture.

    target: a class's index, or None for each picture's own top class. cells: (h, w) of a map. versions: of torch and
    of the libraries that decode and draw.
    """

    model_key: str
    preprocessing: str
    method: str
    layer: str | None
    target: int | None
    batch_size: int
    cells: tuple[int, int]
    placement: Placement
    versions: tuple[str, ...]

    @property
    def digest(self) -> str:
        text = json.dumps([_FORMAT, SHARD, THUMBNAIL_SIDE, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Shard:
    """A run of pictures that are computed and kept together; start: the first one's place among all."""

    start: int
    items: tuple[Item, ...]

    @property
    def file_name(self) -> str:
        """Names, sizes and times of change: what tells that a file is still the one that was read."""
        parts = []
        for item in self.items:
            try:
                stat = item.path.stat()
                parts.append([item.name, stat.st_size, stat.st_mtime_ns])
            except OSError:
                parts.append([item.name, -1, -1])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24] + ".parquet"


def shards_of(items: Sequence[Item]) -> tuple[Shard, ...]:
    return tuple(Shard(i, tuple(items[i : i + SHARD])) for i in range(0, len(items), SHARD))


def schema(key: PassKey) -> pa.Schema:
    """Columns of a shard, one line a picture in their order. `problem` says why a file could not be read, else null.

    seen: (top, left, bottom, right) of what the network saw, in pixels of the picture.
    """
    h, w = key.cells
    fields = [
        ("name", pa.string()), ("problem", pa.string()), ("notes", pa.list_(pa.string())), ("digest", pa.string()),
        ("height", pa.int32()), ("width", pa.int32()), ("seen", pa.list_(pa.float32(), 4)), ("predicted", pa.int32()),
        ("logit", pa.float32()), ("probability", pa.float32()), ("second", pa.int32()), ("second_logit", pa.float32()),
        ("second_probability", pa.float32()), ("scatter", pa.float32()), ("map", pa.list_(pa.float32(), h * w)),
        ("thumbnail", pa.binary()),
    ]  # fmt: skip
    return pa.schema(fields, metadata={_LIST: key.digest.encode()})


NUMBERS: Final = (
    "name", "problem", "notes", "digest", "height", "width", "seen", "predicted", "logit", "probability", "second",
    "second_logit", "second_probability", "scatter",
)  # fmt: skip
"""The columns that are small; all but the maps and the thumbnails."""


def table_of(key: PassKey, lines: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict(line) for line in lines], schema=schema(key))


class AuditStore:
    """The kept pictures of one audit. Reading is safe between threads: each call opens the one file that it needs.

    folder: where all audits of this folder of pictures are kept; each pass has a folder of its own in it.
    """

    def __init__(self, folder: str | os.PathLike[str], key: PassKey, items: Sequence[Item]) -> None:
        self.key = key
        self.temporary: TemporaryDirectory[str] | None = None  # goes with the store, where nobody named a folder
        self.shards = shards_of(items)
        self.folder = Path(folder) / key.digest
        self._paths = tuple(self.folder / shard.file_name for shard in self.shards)
        self._starts = [shard.start for shard in self.shards]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidOption(f"Nothing can be kept in {str(folder)!r}: {error.strerror or error}.") from error

    def missing(self) -> tuple[int, ...]:
        """The numbers of the shards that have not been computed."""
        return tuple(number for number, path in enumerate(self._paths) if not path.is_file())

    def write(self, number: int, table: pa.Table) -> None:
        """Keep a shard; it is there whole or not at all, however the program ends."""
        path = self._paths[number]
        half = path.with_name(f"{path.name}.{os.getpid()}.half")
        try:
            # Dictionaries help names only; maps and JPEGs do not get smaller by much.
            pq.write_table(table, half, compression="zstd", use_dictionary=False, write_statistics=False)
            os.replace(half, path)
        finally:
            half.unlink(missing_ok=True)

    def prune(self) -> None:
        """Delete what an earlier state of the folder, or a run that was killed, left in this pass's folder."""
        mine = {path.name for path in self._paths}
        for path in self.folder.iterdir():
            if path.suffix == ".half" or (path.suffix == ".parquet" and path.name not in mine):
                path.unlink(missing_ok=True)

    def read(self, number: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of one shard."""
        path = self._paths[number]
        try:
            return pq.read_table(path, columns=list(columns), memory_map=True, use_threads=False)
        except FileNotFoundError:
            raise InvalidOption("The audit's pictures are not on disk any more: run it again.") from None

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, the numbers) of every file, the bad ones too, in order."""
        for number, shard in enumerate(self.shards):
            for place, line in enumerate(self.read(number, NUMBERS).to_pylist()):
                yield shard.start + place, line

    def maps(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(indices (n,), maps (n, h, w)) of the pictures that could be read, a shard at a time."""
        for number in range(len(self.shards)):
            table = self.read(number, ("problem", "map"))
            good = np.flatnonzero(table["problem"].is_null().to_numpy(zero_copy_only=False))
            values = table["map"].combine_chunks().take(pa.array(good)).flatten().to_numpy()
            yield self.shards[number].start + good, values.reshape(-1, *self.key.cells).astype(np.float32)

    def thumbnails(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(index, uint8 (h, w, 3)) of the pictures that could be read."""
        for number, shard in enumerate(self.shards):
            for place, data in enumerate(self.read(number, ("thumbnail",))["thumbnail"].to_pylist()):
                if data is not None:
                    yield shard.start + place, _decoded(data)

    def thumbnail(self, index: int) -> bytes:
        """One picture as the network saw it, small, as a JPEG file. Raises KeyError where it could not be read."""
        found: bytes = self._cell(index, "thumbnail")
        return found

    def map(self, index: int) -> NDArray[np.float32]:
        """One picture's map, float32 (h, w), non-negative. Raises KeyError where it could not be read."""
        values = np.asarray(self._cell(index, "map"), dtype=np.float32).reshape(self.key.cells)
        values.setflags(write=False)
        return values

    def overlay(self, index: int, *, opacity: float = 0.6, limit: float | None = None) -> NDArray[np.uint8]:
        """The map over the thumbnail; limit: the value that has the full colour, None for the map's own largest."""
        rgb, values = _decoded(self.thumbnail(index)), self.map(index)
        return overlaid(rgb, values, self.key.placement, opacity=opacity, limit=limit)

    def _cell(self, index: int, column: str) -> Any:
        number = bisect_right(self._starts, index) - 1
        if number < 0 or index - self._starts[number] >= len(self.shards[number].items):
            raise KeyError(index)
        value = self.read(number, (column,))[column][index - self._starts[number]].as_py()
        if value is None:
            raise KeyError(index)
        return value


def overlaid(
    rgb: NDArray[np.uint8],
    values: NDArray[np.floating],
    placement: Placement,
    *,
    opacity: float = 0.6,
    limit: float | None = None,
) -> NDArray[np.uint8]:
    """A non-negative map over a picture of any size, in the colours of evidence; as `SaliencyMap.overlay` draws it."""
    scale = float(values.max(initial=0.0)) if limit is None else limit
    if scale <= 0:
        return np.array(rgb)
    share = np.clip(draw_aligned(values, placement, (rgb.shape[0], rgb.shape[1])) / scale, 0.0, 1.0)
    colour = palette.colourise(share, palette.EVIDENCE, 0.0, 1.0)
    alpha = (opacity * share)[..., None]
    return np.asarray(np.round((1.0 - alpha) * rgb + alpha * colour), dtype=np.uint8)


def jpeg_of(rgb: NDArray[np.uint8], side: int = THUMBNAIL_SIDE) -> bytes:
    """A picture, (h, w, 3) or (h, w) of greys, as a small JPEG file, its longer side at most `side`; smaller pictures
    keep their size."""
    image = Image.fromarray(rgb)
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=88)
    return buffer.getvalue()


def _decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.uint8)
