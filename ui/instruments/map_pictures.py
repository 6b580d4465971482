"""Small pictures of grids of numbers for st.image: square cells, the palette's scales, marked squares."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from cnn_core import palette
from cnn_core.kernel_lessons import Place

Pixels = NDArray[np.uint8]
_SIDE = 480  # pixels of the longer side, so that cells stay sharp squares on any screen


def mode() -> palette.Mode:
    """The visitor's theme."""
    return "dark" if st.context.theme.type == "dark" else "light"


def enlarge(cells: Pixels) -> Pixels:
    """Each cell as a square of whole pixels: uint8 (rows, columns, 3) to (rows k, columns k, 3)."""
    k = max(1, _SIDE // max(cells.shape[:2]))
    return cells.repeat(k, axis=0).repeat(k, axis=1)


def grey_picture(values: NDArray[np.float64]) -> Pixels:
    """Numbers from 0 (black) to 1 (white)."""
    levels = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return enlarge(np.repeat(levels[..., None], 3, axis=2))


def map_picture(values: NDArray[Any], limit: float | None = None) -> Pixels:
    """Signed numbers on the diverging scale, zero in its middle; maps without negative numbers on the even scale.

    `limit` is the number at the scale's end (None: the map's own largest |number|).
    """
    end = float(np.abs(values).max(initial=0.0)) if limit is None else limit
    if values.size == 0:
        return np.full((1, 1, 3), ImageColor.getrgb(palette.COLOURS[mode()]["panel"]), dtype=np.uint8)
    if values.min() < 0:
        table = palette.DIVERGING_DARK if mode() == "dark" else palette.DIVERGING_LIGHT
        return enlarge(palette.colourise(values, table, -end, end))
    return enlarge(palette.colourise(values, palette.SEQUENTIAL, 0.0, end))


def png(picture: Pixels, width: int) -> bytes:
    """A picture for st.image at that width, as small as it is shown: Streamlit, which makes it so anew for each run,
    passes such a file on as it is."""
    image = Image.fromarray(picture)
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def with_places(picture: Pixels, rows: int, places: Sequence[Place], strongest: bool = False) -> Pixels:
    """Draw lettered squares over a picture of a grid of `rows` rows; the strongest one filled in where asked for."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    k = picture.shape[0] // rows
    colour = ImageColor.getrgb(palette.COLOURS["light"]["input"])
    right = ImageColor.getrgb(palette.COLOURS["light"]["output"])
    best = max(places, key=lambda place: place.strength)
    for letter, place in zip("ABC", places, strict=False):
        box = (place.left * k, place.top * k, (place.left + place.side) * k, (place.top + place.side) * k)
        paint = right if strongest and place is best else colour
        draw.rectangle(box, outline="white", width=7)
        draw.rectangle((box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2), outline=paint, width=3)
        draw.rectangle((box[0] + 2, box[1] + 2, box[0] + 30, box[1] + 34), fill=paint)
        draw.text((box[0] + 16, box[1] + 18), letter, fill="white", anchor="mm", font=ImageFont.load_default(24))
    return np.asarray(image, dtype=np.uint8)


def with_window(picture: Pixels, rows: int, top: int, left: int, height: int, width: int) -> Pixels:
    """Draw one window's frame over a picture of a grid of `rows` rows; parts in the padding are cut off."""
    image = Image.fromarray(picture)
    k = picture.shape[0] // rows
    box = (left * k, top * k, (left + width) * k, (top + height) * k)
    draw = ImageDraw.Draw(image)
    draw.rectangle((box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), outline="white", width=9)
    draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), outline=palette.COLOURS["light"]["input"], width=5)
    return np.asarray(image, dtype=np.uint8)
