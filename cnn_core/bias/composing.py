"""Put an object on another ground, take it away, or show it alone: the pictures of an intervention.

All functions take and give uint8 (h, w, 3); a mask is float (h, w), the share of each pixel that the object covers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidOption
from ..saliency.removal import gaussian_blur

Rgb = NDArray[np.uint8]
Share = NDArray[np.floating]

GREY: Final = 128
_REACH: Final = 5.0  # how far inpainting looks round a pixel, in pixels


def swap_ground(rgb: Rgb, mask: Share, ground_rgb: Rgb, feather: float = 1.0) -> Rgb:
    """The object as it is, everything else from another picture of the same size.

    feather: standard deviation of a Gaussian over the mask's edge, in pixels; 0 leaves the edge as it is. With a box,
    what of the old ground lies in the box comes along: compare with a ground of the same class, which has that too.
    """
    _check(rgb, mask)
    _check(ground_rgb, mask)
    if not feather >= 0:
        raise InvalidOption(f"feather must be 0 or more pixels, not {feather!r}.")
    share = np.asarray(mask, dtype=np.float64)
    if feather > 0:
        share = np.clip(gaussian_blur(share[..., None], feather)[..., 0], 0.0, 1.0)
    return _mixed(rgb, ground_rgb, share)


def remove_object(rgb: Rgb, mask: Share) -> Rgb:
    """The picture without the object: its pixels painted anew from those around it, inwards.

    Inpainting of Telea 2004 (OpenCV); a margin of a hundredth of the shorter side goes with the object, since its edge
    pixels carry its colour. Raises InvalidOption where the object covers the whole picture, so that nothing is left to
    continue.
    """
    import cv2  # here: a page that composes nothing need not load it

    _check(rgb, mask)
    holes = np.asarray(mask) > 0
    if not holes.any():
        return np.array(rgb)
    margin = max(1, round(min(holes.shape) / 100))
    wider = cv2.dilate(holes.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    if wider.all():
        wider = holes.astype(np.uint8)
    if wider.all():
        raise InvalidOption("The object covers the whole picture: nothing is left to fill its place from.")
    return np.asarray(cv2.inpaint(np.ascontiguousarray(rgb), wider, _REACH, cv2.INPAINT_TELEA), dtype=np.uint8)


def object_only(rgb: Rgb, mask: Share) -> Rgb:
    """The object cut out on white."""
    _check(rgb, mask)
    return _mixed(rgb, np.full_like(rgb, 255), np.asarray(mask, dtype=np.float64))


def background_only(rgb: Rgb, mask: Share) -> Rgb:
    """The object's place filled with the mean colour of everything else (mid grey where there is nothing else)."""
    _check(rgb, mask)
    rest = 1.0 - np.asarray(mask, dtype=np.float64)
    mean = (rgb * rest[..., None]).sum(axis=(0, 1)) / rest.sum() if rest.sum() > 0 else np.full(3, float(GREY))
    return _mixed(rgb, np.broadcast_to(mean, rgb.shape), rest)


def grey_ground(rgb: Rgb, mask: Share) -> Rgb:
    """The object on even mid grey. By itself this tells nothing: it upsets unbiased networks as much as biased ones."""
    _check(rgb, mask)
    return _mixed(rgb, np.full_like(rgb, GREY), np.asarray(mask, dtype=np.float64))


def own_ground(rgb: Rgb, mask: Share) -> Rgb:
    """The picture's own ground with the object taken away and left and right exchanged: a ground of the same class."""
    return np.ascontiguousarray(remove_object(rgb, mask)[:, ::-1])


def fitted(rgb: Rgb, height: int, width: int) -> Rgb:
    """A picture enlarged or shrunk until it covers height x width, and its middle cut out."""
    if min(height, width) < 1:
        raise InvalidOption(f"A ground needs at least one row and one column, not {height} × {width}.")
    scale = max(height / rgb.shape[0], width / rgb.shape[1])
    # Only the part that will be seen is resized: the whole of a very long picture would become huge.
    (top, bottom), (left, right) = (
        (max(0.0, (side - seen / scale) / 2), min(float(side), (side + seen / scale) / 2))
        for side, seen in zip(rgb.shape[:2], (height, width), strict=True)
    )
    resized = Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    return np.asarray(resized)


def _mixed(rgb: Rgb, other: NDArray[np.floating] | Rgb, share: NDArray[np.float64]) -> Rgb:
    mixed = share[..., None] * rgb + (1.0 - share[..., None]) * other
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _check(rgb: NDArray[np.generic], mask: NDArray[np.generic]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InvalidOption(f"A picture must be uint8 (h, w, 3), not {rgb.dtype} {rgb.shape}.")
    if mask.shape != rgb.shape[:2]:
        raise InvalidOption(
            f"The mask has the shape {mask.shape} and the picture {rgb.shape[:2]} (height, width): they must be equal."
        )
