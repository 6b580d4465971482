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
# The biharmonic equations of 5,000 pixels take about 0.1 s, and the time grows faster than their number.
_MOST_UNKNOWN: Final = 5_000


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
    """The picture without the object: its pixels painted anew from those around it.

    Biharmonic inpainting (Damelin and Hoang 2018, scikit-image), each colour kept within what the surroundings have.
    Where the object is large, the filling is computed on a smaller picture and enlarged. Raises InvalidOption where the
    object covers the whole picture, so that nothing is left to continue.
    """
    from skimage.restoration import inpaint_biharmonic  # here: scikit-image takes half a second to import

    _check(rgb, mask)
    holes = np.asarray(mask) > 0
    if holes.all():
        raise InvalidOption("The object covers the whole picture: nothing is left to fill its place from.")
    if not holes.any():
        return np.array(rgb)
    scale = min(1.0, (_MOST_UNKNOWN / int(holes.sum())) ** 0.5)
    h, w = (max(8, round(side * scale)) for side in holes.shape)
    h, w = min(h, holes.shape[0]), min(w, holes.shape[1])
    small, unknown = _shrunk(rgb, holes, (h, w))
    filled = inpaint_biharmonic(small / 255.0, unknown, channel_axis=-1) * 255
    known = small[~unknown]
    filled = np.clip(filled, known.min(axis=0), known.max(axis=0))
    if (h, w) != holes.shape:
        image = Image.fromarray(np.round(filled).astype(np.uint8))
        filled = np.asarray(image.resize((holes.shape[1], holes.shape[0]), Image.Resampling.BICUBIC), dtype=np.float64)
    return np.where(holes[..., None], np.clip(np.round(filled), 0, 255), rgb).astype(np.uint8)


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


def _shrunk(rgb: Rgb, holes: NDArray[np.bool_], size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The picture at another size as means over its known pixels, and which pixels of it hold none that is known."""
    if size == holes.shape:
        return rgb.astype(np.float64), holes
    known = (~holes).astype(np.float32)

    def smaller(values: NDArray[np.floating]) -> NDArray[np.float64]:
        image = Image.fromarray(np.asarray(values, dtype=np.float32))
        return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BOX), dtype=np.float64)

    weight = smaller(known)
    unknown = weight < 0.5
    if unknown.all():
        unknown = weight < weight.max()
    sums = np.stack([smaller(rgb[..., c] * known) for c in range(3)], axis=-1)
    return sums / np.maximum(weight, 1e-6)[..., None], unknown


def _mixed(rgb: NDArray[np.generic], other: NDArray[np.generic], share: NDArray[np.float64]) -> Rgb:
    mixed = share[..., None] * rgb + (1.0 - share[..., None]) * other
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _check(rgb: NDArray[np.generic], mask: NDArray[np.generic]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise InvalidOption(f"A picture must be uint8 (h, w, 3), not {rgb.dtype} {rgb.shape}.")
    if mask.shape != rgb.shape[:2]:
        raise InvalidOption(
            f"The mask has the shape {mask.shape} and the picture {rgb.shape[:2]} (height, width): they must be equal."
        )
