"""Cut an object out of its box: from a rough rectangle to the pixels that differ from what surrounds it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from .regions import Box, Region

# The graph cut works on a picture of at most this side: its time grows with the number of pixels.
_LONGEST: Final = 360
_ROUNDS: Final = 5
_LEAST: Final = 0.03  # of the boxes' area; less is no object but specks


def cut_out(rgb: NDArray[np.uint8], boxes: tuple[Box, ...]) -> Region:
    """A region with the object's own pixels as its mask, found in the boxes by GrabCut.

    rgb: uint8 (H, W, 3), the original picture. GrabCut (Rother, Kolmogorov and Blake 2004, OpenCV): what lies outside
    of the boxes teaches the background's colours, and what lies inside and differs is the object; so a box must hold
    the whole object, with a little room. Computed at 360 pixels at most and enlarged. Always the same result for the
    same boxes. Raises InvalidOption where the boxes leave no background, or nothing in them differs from it.
    """
    import cv2  # here: a page that cuts nothing need not load it

    region = Region(boxes)
    whole = region.mask_of(rgb.shape[0], rgb.shape[1])
    scale = min(1.0, _LONGEST / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(whole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if inside.mean() > 0.98:
        raise InvalidOption("The boxes leave no background to tell the object from: draw them closer round it.")
    if inside.sum() < 16:
        raise InvalidOption("The boxes are too small to find an object in: draw them round the whole of it.")
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, (0, 0, 1, 1), background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    found = _tidied(found, size)
    if found.sum() < _LEAST * inside.sum():
        raise InvalidOption(
            "Nothing in the boxes differs enough from what surrounds them. Leave some room round the object, or paint "
            "it with the brush."
        )
    large = cv2.resize(found.astype(np.float32), (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR) >= 0.5
    return Region((), large & whole)


def _tidied(found: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Without specks smaller than a hundredth of what was found, and without holes that are as small."""
    import cv2

    for value in (1, 0):
        count, parts, facts, _ = cv2.connectedComponentsWithStats((found == value).astype(np.uint8), connectivity=8)
        least = max(4, 0.02 * int(found.sum()))
        for part in range(1, count):
            if facts[part, cv2.CC_STAT_AREA] < least:
                found[parts == part] = 1 - value
    return found
