"""From an untrusted file to a checked, upright RGB picture: bytes in, `Picture` out."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .errors import InvalidImage
from .preprocessing import ModelInput, Preprocessing

__all__ = ["MAX_BYTES", "MAX_PIXELS", "ModelInput", "Picture", "Preprocessing", "load_image"]

MAX_BYTES: Final = 10 * 2**20
MAX_PIXELS: Final = 24_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_FORMATS_IN_WORDS: Final = "JPEG, PNG, WebP, GIF, BMP and TIFF"

# Everything that Pillow's decoders raise when a file's content contradicts itself.
_DAMAGE: Final = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError,
    OverflowError, ZeroDivisionError, NotImplementedError, MemoryError, struct.error, zlib.error,
)  # fmt: skip

# A progressive JPEG has about ten scans, and takes 20 ms for each at the largest size.
_MOST_SCANS: Final = 100
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_START_OF_SCAN: Final = 0xDA
_END_OF_JPEG: Final = 0xD9

_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final[dict[int, tuple[Image.Transpose, str]]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored left to right"),
    3: (Image.Transpose.ROTATE_180, "rotated by 180°"),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, "mirrored top to bottom"),
    5: (Image.Transpose.TRANSPOSE, "mirrored and rotated by 90°"),
    6: (Image.Transpose.ROTATE_270, "rotated by 90° clockwise"),
    7: (Image.Transpose.TRANSVERSE, "mirrored and rotated by 90°"),
    8: (Image.Transpose.ROTATE_90, "rotated by 90° anticlockwise"),
}

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked picture: upright, opaque, 8-bit RGB."""

    rgb: NDArray[np.uint8]
    """uint8 (H, W, 3), read-only."""
    digest: str
    """SHA-256 (hexadecimal) of the shape and the bytes: equal exactly for equal pictures."""
    notes: tuple[str, ...]
    """What was changed while reading, each a sentence for the visitor."""
    name: str

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    def thumbnail(self, side: int) -> NDArray[np.uint8]:
        """The picture made small, its longer side at most `side` pixels: uint8 (h, w, 3). It is never enlarged."""
        image = Image.fromarray(self.rgb)
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        return np.asarray(image, dtype=np.uint8)


def load_image(
    source: Source | Picture, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> Picture:
    """Read a picture from a path, bytes, an open binary file or a PIL image; a `Picture` comes back as it is.

    The file's size is checked before it is read, and the number of pixels before anything is decoded. Of an animation
    the first frame is taken. Everything that was changed is said in `Picture.notes`.

    Raises InvalidImage when there is no such file, it is no picture, it is damaged, or it is larger than allowed.

    >>> picture = load_image("assets/samples/digit_3.png")
    >>> picture.rgb.shape, picture.rgb.dtype.name
    ((28, 28, 3), 'uint8')
    """
    if isinstance(source, Picture):
        return source
    notes: list[str] = []
    if isinstance(source, Image.Image):
        _check_pixels(source.size, max_pixels)
        image = _decode(source.copy, notes)
        name = name or Path(getattr(source, "filename", "") or "picture").name
    else:
        raw, found_name = _read(source, max_bytes)
        opened = _open(raw)
        _check_pixels(opened.size, max_pixels)
        if opened.format in ("GIF", "WEBP", "PNG", "TIFF") and _is_several(opened):
            notes.append("The file holds several pictures; the first one is used.")
        image = _decode(lambda: opened, notes)
        name = name or found_name
    rgb = np.array(_to_rgb(image, notes), dtype=np.uint8)
    rgb.setflags(write=False)
    digest = hashlib.sha256(f"{rgb.shape[0]}x{rgb.shape[1]}:".encode())
    digest.update(rgb.data)
    return Picture(rgb=rgb, digest=digest.hexdigest(), notes=tuple(notes), name=name)


def _read(source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes], limit: int) -> tuple[bytes, str]:
    """At most `limit` bytes of a source, and a name for it."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        raw, name = bytes(source[: limit + 1]), "picture"
    elif isinstance(source, (str, os.PathLike)):
        path = source if isinstance(source, Path) else Path(source)
        name = path.name
        try:
            with open(path, "rb") as file:
                # Asked for no more than there is: Python would first make room for the whole limit.
                size = os.fstat(file.fileno()).st_size
                raw = file.read(min(size, limit) + 1 if size else limit + 1)
        except FileNotFoundError:
            raise InvalidImage(f"There is no file {str(path)!r}. Give the path of a picture.") from None
        except (OSError, ValueError) as error:  # ValueError: a path with a null byte
            raise InvalidImage(f"The file {str(path)!r} cannot be read: {_reason(error)}.") from error
    elif hasattr(source, "read"):
        raw, name = source.read(limit + 1), Path(str(getattr(source, "name", "picture"))).name
        if not isinstance(raw, bytes):
            raise TypeError("load_image needs a file opened in binary mode ('rb')")
    else:
        raise TypeError(f"load_image takes a path, bytes, a file or a PIL image, not {type(source).__name__}")
    if len(raw) > limit:
        raise InvalidImage(f"The file is larger than {limit / 2**20:.3g} MB. Save the picture smaller and try again.")
    if not raw:
        raise InvalidImage("The file is empty. Choose a picture: " + _FORMATS_IN_WORDS + " work.")
    return raw, name


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")


def _open(raw: bytes) -> Image.Image:
    """Read the header only; no pixel is decoded here."""
    try:
        opened = Image.open(io.BytesIO(raw), formats=FORMATS)
    except UnidentifiedImageError:
        raise InvalidImage(f"This file is not a picture that can be read here. {_FORMATS_IN_WORDS} work.") from None
    except Image.DecompressionBombError:
        raise InvalidImage("The picture has far too many pixels. Make it smaller and try again.") from None
    except _DAMAGE as error:
        raise InvalidImage("The picture's file is damaged. Save or download it again.") from error
    if opened.format in ("JPEG", "MPO") and _n_scans(raw) > _MOST_SCANS:
        raise InvalidImage(f"The picture's file draws it more than {_MOST_SCANS} times over. Save it again as a JPEG.")
    return opened


def _is_several(image: Image.Image) -> bool:
    """Whether there are more pictures in the file; they are not counted, which takes minutes where there are many."""
    try:
        return bool(getattr(image, "is_animated", False))
    except _DAMAGE:
        return False  # the others are damaged; whether the first one is, its decoder finds out


def _n_scans(raw: bytes) -> int:
    """How often a JPEG goes over all of its pixels, counted up to one more than is taken: each may be 40 bytes."""
    n, at = 0, 2
    while n <= _MOST_SCANS and (marker := _JPEG_MARKER.search(raw, at)) is not None:
        kind, length = marker[0][1], int.from_bytes(raw[marker.end() : marker.end() + 2])
        if kind == _END_OF_JPEG:
            break
        n += kind == _START_OF_SCAN
        at = marker.end() + length
    return n


def _check_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise InvalidImage(
            f"The picture has {width} × {height} = {width * height / 1e6:.3g} million pixels, "
            f"and at most {limit / 1e6:.3g} million are taken. Make it smaller and try again."
        )
    if width < 1 or height < 1:
        raise InvalidImage("The picture has no pixels. Choose another one.")


def _decode(make: Callable[[], Image.Image], notes: list[str]) -> Image.Image:
    """Decode the pixels and turn the picture upright as its EXIF tag says."""
    try:
        image = make()
        orientation = _orientation(image)
        image.load()
        # Pillow turns TIFF pictures by itself while it loads them, and then takes the tag away.
        left = _orientation(image) if orientation in _UPRIGHT else orientation
        if left in _UPRIGHT:
            image = image.transpose(_UPRIGHT[left][0])
    except _DAMAGE as error:
        raise InvalidImage("The picture's file is damaged or cut short. Save or download it again.") from error
    if orientation in _UPRIGHT:
        notes.append(f"The picture was {_UPRIGHT[orientation][1]}, as the camera's EXIF tag says.")
    return image


def _orientation(image: Image.Image) -> int:
    try:
        value: Any = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DAMAGE:  # damaged tags say nothing about orientation; the pixels are still good
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Any mode of Pillow as opaque 8-bit RGB, with what was done said in `notes`."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    try:
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return _deep_to_grey(image, notes).convert("RGB")
        if image.has_transparency_data:
            return _over_white(image.convert("RGBA"), notes)
        if image.mode == "CMYK":
            notes.append("The CMYK print colours were turned into RGB.")
        elif image.mode in ("1", "L"):
            notes.append("The picture is grey: its red, green and blue are equal.")
        return image.convert("RGB")
    except _DAMAGE as error:
        raise InvalidImage(
            f"The picture's colours (mode {image.mode}) cannot be turned into RGB. Save it as an RGB picture."
        ) from error


def _over_white(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.getchannel("A").getextrema() != (255, 255):
        notes.append("The transparent parts were laid over white.")
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image)
    return background.convert("RGB")


def _deep_to_grey(image: Image.Image, notes: list[str]) -> Image.Image:
    """Greys of more than 8 bits as 8 bits; Pillow's own conversion would clip them to white."""
    # "I;16" holds 0..65535 by definition; the range of "I" (32 bits) and "F" (float) has to be read from the values.
    values = np.asarray(image, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        notes.append("Values that are no finite numbers are shown black.")
        values = np.where(finite, values, values[finite].min(initial=0.0))
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
        notes.append("The 16-bit greys (0 to 65535) were scaled to 8 bits (0 to 255).")
    elif low >= 0 and high <= (1.0 if image.mode == "F" else 255.0):
        low, high = 0.0, 1.0 if image.mode == "F" else 255.0
        notes.append(f"The greys from 0 to {high:g} were scaled to 8 bits (0 to 255).")
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
        notes.append("The greys from 0 to 255 were rounded to 8 bits.")
    else:
        notes.append(f"The greys from {low:.4g} to {high:.4g} were stretched to 8 bits (0 to 255).")
    scaled = (values - low) / max(high - low, np.finfo(np.float64).tiny) * 255.0
    return Image.fromarray(np.round(scaled).astype(np.uint8))
