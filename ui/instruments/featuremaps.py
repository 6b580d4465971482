"""All feature maps of a layer in one canvas: what is sent to the browser, and the component that draws it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ui import components

if TYPE_CHECKING:
    import cnn_core as cc

MAX_BYTES = 600_000
"""A layer's payload stays about below this; larger layers are drawn averaged, and the page says so."""
EXACT_BYTES = 256 * 1024
"""Up to this size all maps travel as float32; above it one byte a cell, and only the chosen map is exact."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mosaic:
    """The maps of a layer as they are drawn.

    cells: uint8 or float32 (C, h, w); a byte q stands for low + q (high - low) / 255, right to half a step.
    low, high: float32 (C,), the range of each map as drawn. factor: each cell is the mean of factor x factor
    (fewer at the lower and right edge). statistics: float32 (3, C), mean, maximum and variance of the layer's own
    numbers; peak: int32 (C, 2), (row, column) of each map's number largest in size; dead: uint8 (C,), all zero.
    """

    cells: NDArray[np.uint8] | Floats
    low: Floats
    high: Floats
    factor: int
    statistics: Floats
    peak: NDArray[np.int32]
    dead: NDArray[np.uint8]
    signed: bool

    @property
    def nbytes(self) -> int:
        return self.cells.nbytes + self.low.nbytes * 8


def shrink(maps: Floats, factor: int) -> Floats:
    """Means of factor x factor cells, float32 (C, ceil(H / factor), ceil(W / factor)); smaller blocks at the edge."""
    if factor == 1:
        return maps
    height, width = maps.shape[1:]
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    sums = np.add.reduceat(np.add.reduceat(maps, rows, axis=1), columns, axis=2)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width])).astype(np.float32)
    return np.asarray(sums / counts, dtype=np.float32)


def averaging_factor(channels: int, height: int, width: int, max_bytes: int = MAX_BYTES) -> int:
    """The least integer by which maps must be averaged so that they and one exact map stay below max_bytes."""
    # The rest of the payload: the picture (about 30 KB) and 36 bytes of numbers a channel.
    left = max_bytes - 4 * height * width - 30_000 - 36 * channels
    factor = 1
    while factor < max(height, width) and channels * math.ceil(height / factor) * math.ceil(width / factor) > left:
        factor += 1
    return factor


def mosaic(maps: Floats) -> Mosaic:
    """The maps float32 (C, H, W) of a layer, ready to be sent."""
    channels, height, width = maps.shape
    flat = maps.reshape(channels, -1)
    least, most = flat.min(axis=1), flat.max(axis=1)
    peak = np.where(most >= -least, flat.argmax(axis=1), flat.argmin(axis=1))
    factor = averaging_factor(channels, height, width)
    drawn = np.ascontiguousarray(shrink(maps, factor), dtype=np.float32)
    low, high = drawn.min(axis=(1, 2)), drawn.max(axis=(1, 2))
    cells: NDArray[np.uint8] | Floats = drawn
    if drawn.nbytes > EXACT_BYTES:
        step = np.where(high > low, (high - low) / 255, 1).astype(np.float32)[:, None, None]
        cells = ((drawn - low[:, None, None]) / step + np.float32(0.5)).astype(np.uint8)
    return Mosaic(
        cells=cells,
        low=low,
        high=high,
        factor=factor,
        statistics=np.stack([flat.mean(axis=1), most, flat.var(axis=1)]).astype(np.float32),
        peak=np.stack(np.unravel_index(peak, (height, width)), axis=1).astype(np.int32),
        dead=((least == 0) & (most == 0)).astype(np.uint8),
        signed=bool(least.min() < 0),
    )


def jpeg(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture uint8 (h, w, 3) as the bytes of a JPEG, uint8 (n,): it is looked at, and no number is read from it."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=90, subsampling=0)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def payload(
    maps: Floats,
    drawn: Mosaic,
    *,
    network: str,
    layer: str,
    title: str,
    unit: tuple[int, int, int],
    field: cc.ReceptiveField,
    picture: NDArray[np.uint8],
    picture_jpeg: NDArray[np.uint8],
    picture_key: str,
) -> bytes:
    """What the component reads.

    network, layer, picture_key: together they name what is drawn. unit: the chosen (channel, row, column); its map
    travels as exact float32. field: of the layer; its box at the cell (0, 0) and its stride travel. picture: uint8
    (h, w, 3), of which the size alone travels beside the JPEG.
    """
    channel, row, column = unit
    meta = {
        "network": network,
        "layer": layer,
        "title": title,
        "rows": maps.shape[1],
        "columns": maps.shape[2],
        "factor": drawn.factor,
        "signed": drawn.signed,
        "exact_maps": drawn.cells.dtype == np.float32,
        "unit": {"channel": channel, "row": row, "column": column},
        "field": {
            "box": [float(edge) for edge in field.box(0, 0)],
            "centre": [float(at) for at in field.centre(0, 0)],
            "stride": [float(step) for step in field.stride],
            "everything": bool(field.sees_everything),
        },
        "picture": picture_key,
        "picture_shape": list(picture.shape[:2]),
    }
    return components.pack(
        meta,
        maps=drawn.cells,
        low=drawn.low,
        high=drawn.high,
        stats=drawn.statistics,
        peak=drawn.peak,
        dead=drawn.dead,
        exact=np.asarray(maps[channel], dtype=np.float32),
        jpeg=picture_jpeg,
    )


def feature_maps(data: bytes, *, key: str, on_pick: Callable[[str, int, int, int], None]) -> None:
    """Mount the instrument; a click calls `on_pick(layer, channel, row, column)` before the page runs again."""

    def picked() -> None:
        told = components.sent(key, "unit")
        layer, unit = told.get("layer"), components.indices(told, "channel", "row", "column")
        if isinstance(layer, str) and unit is not None:
            on_pick(layer, *unit)

    components.mount("featuremaps", key=key, data=data, triggers={"unit": picked})
