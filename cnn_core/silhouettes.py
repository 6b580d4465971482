"""What is left of a picture without its colours and textures: the subject's silhouette, or its edges alone.

Geirhos et al., "ImageNet-trained CNNs are biased towards texture", ICLR 2019, show both to networks and to people.
Their silhouettes were cut by hand; here a rule cuts them, and what it cut is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .saliency.removal import gaussian_blur

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_LUMA: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_LEVELS: Final = 12  # of each colour channel: 1728 colours
_ROUNDS: Final = 6
_REACH: Final = 0.45  # of half the picture: how far the subject is expected to reach from the middle
_FRAME: Final = 0.06  # of each side: what lies there is taken for background to begin with
_CERTAIN: Final = 0.02
_STRONGEST: Final = 99.0  # the percentile of gradient sizes that is drawn in full


@dataclass(frozen=True, eq=False)
class Foreground:
    """The part of a picture that is taken for its subject.

    mask: bool (h, w). how: a sentence for people. share: of all pixels, 0 to 1. is_clear: False where next to nothing,
    or next to everything, was taken, so that a silhouette of it says nothing.
    """

    mask: Mask
    how: str

    @property
    def share(self) -> float:
        return float(self.mask.mean())

    @property
    def is_clear(self) -> bool:
        return 0.02 <= self.share <= 0.9


def subject_by_colour(rgb: Rgb) -> Foreground:
    """The subject of a photograph uint8 (h, w, 3), told from its surroundings by colour and by standing in the middle.

    Two colour histograms, one weighted by "subject" and one by "background", say for each pixel which it is likelier
    from; that is smoothed and makes the next two histograms, six times over. It begins with a bell round the middle.
    Pieces that do not reach into the middle half are dropped, and holes filled. No network takes part.
    """
    height, width = rgb.shape[:2]
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    bell = np.exp(-(rows**2 + columns**2) / (2 * _REACH**2))
    prior = np.clip(bell, _CERTAIN, 1 - _CERTAIN)
    prior[(np.abs(rows) > 1 - 2 * _FRAME) | (np.abs(columns) > 1 - 2 * _FRAME)] = _CERTAIN
    colour = rgb.astype(np.int64) * _LEVELS // 256
    index = (colour[..., 0] * _LEVELS + colour[..., 1]) * _LEVELS + colour[..., 2]
    pull = np.log(prior / (1 - prior)) / 2  # the place counts for half of what it says: colours decide
    share = prior
    for _ in range(_ROUNDS):
        odds = np.log(_histogram(index, share) / _histogram(index, 1 - share))
        share = 1 / (1 + np.exp(-np.clip(odds[index] + pull, -30, 30)))
        share = np.clip(gaussian_blur(share, max(height, width) / 75), _CERTAIN, 1 - _CERTAIN)
    mask = share > 0.5
    middle = np.zeros_like(mask)
    middle[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    mask = _reached(mask & middle, mask)
    edge = np.ones_like(mask)
    edge[1:-1, 1:-1] = False
    mask = ~_reached(edge & ~mask, ~mask)
    return Foreground(mask, "cut out by colour: what differs from the picture's rim and reaches into its middle")


def subject_by_brightness(rgb: Rgb) -> Foreground:
    """The strokes of a light figure on a dark ground: brighter than Otsu's threshold, IEEE Trans. SMC 1979."""
    grey = np.round(rgb @ _LUMA).astype(np.int64)
    counts = np.bincount(grey.ravel(), minlength=256).astype(float)
    weight, total = np.cumsum(counts), counts.sum()
    sums = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * weight / total - sums) ** 2 / (weight * (total - weight))
    threshold = int(np.nan_to_num(between, nan=0.0, posinf=0.0).argmax())
    return Foreground(grey > threshold, "cut out by brightness: lighter than Otsu's threshold")


def subject_of(rgb: Rgb, *, light_on_dark: bool) -> Foreground:
    """The subject of a photograph, or of a light figure on a dark ground (digits)."""
    return subject_by_brightness(rgb) if light_on_dark else subject_by_colour(rgb)


def silhouette(mask: Mask, *, light_on_dark: bool = False) -> Rgb:
    """The subject in one flat tone, uint8 (h, w, 3): black on white, or white on black."""
    levels = np.where(mask, 255, 0) if light_on_dark else np.where(mask, 0, 255)
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)


def edges_only(rgb: Rgb, *, light_on_dark: bool = False) -> Rgb:
    """The size of brightness's gradient (Sobel, 1968) as dark lines on white, or light on black: uint8 (h, w, 3).

    The strongest hundredth is drawn in full, weaker ones in proportion; no colour, and flat areas alike are empty.
    """
    padded = np.pad(rgb @ _LUMA, 1, mode="edge")
    down = padded[2:, :-2] + 2 * padded[2:, 1:-1] + padded[2:, 2:]
    up = padded[:-2, :-2] + 2 * padded[:-2, 1:-1] + padded[:-2, 2:]
    right = padded[:-2, 2:] + 2 * padded[1:-1, 2:] + padded[2:, 2:]
    left = padded[:-2, :-2] + 2 * padded[1:-1, :-2] + padded[2:, :-2]
    size = np.hypot(down - up, right - left)
    strongest = float(np.percentile(size, _STRONGEST)) or float(size.max())
    drawn = np.clip(size / strongest, 0, 1) if strongest > 0 else np.zeros_like(size)
    levels = np.round(255 * (drawn if light_on_dark else 1 - drawn)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def _histogram(index: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each colour, its neighbours in colour mixed in, none of them 0."""
    counts = np.bincount(index.ravel(), weights.ravel(), minlength=_LEVELS**3).reshape((_LEVELS,) * 3)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        before, after = np.delete(padded, [-1, -2], axis), np.delete(padded, [0, 1], axis)
        counts = 0.5 * counts + 0.25 * (before + after)
    return np.asarray((counts + 1e-3) / (counts.sum() + 1e-3 * counts.size)).ravel()


def _reached(start: Mask, within: Mask) -> Mask:
    """What can be reached from `start` by steps up, down, left and right inside `within`."""
    found = start & within
    while True:
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown &= within
        if (grown == found).all():
            return found
        found = grown
