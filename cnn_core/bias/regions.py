"""Where the object is: boxes or a painted mask on the original picture, and the same place in what the network saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption

if TYPE_CHECKING:
    from ..preprocessing import ModelInput

MOST_BOXES: Final = 64
# Annotation tools round edges: a box may stick out of the picture by this many pixels, and is then cut to it.
_ROUNDING: Final = 1.0


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the original picture, half-open: rows top to bottom, columns left to right.

    Pixel i spans [i, i + 1), so edges may be fractions. Raises InvalidOption for edges that are no finite numbers or
    enclose nothing.
    """

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        edges = (self.top, self.left, self.bottom, self.right)
        if not all(math.isfinite(edge) for edge in edges):
            raise InvalidOption(f"A box needs four finite edges (top, left, bottom, right), not {edges}.")
        if not (self.top < self.bottom and self.left < self.right):
            raise InvalidOption(
                f"The box {_words(self)} encloses nothing: top must be less than bottom, and left less than right."
            )

    def cut_to(self, height: int, width: int) -> Box:
        """The box within a picture; raises InvalidOption where it sticks out by more than a pixel of rounding."""
        if (
            min(self.top, self.left) < -_ROUNDING
            or self.bottom > height + _ROUNDING
            or self.right > width + _ROUNDING
            or min(self.bottom, self.right) <= 0
            or self.top >= height
            or self.left >= width
        ):
            raise InvalidOption(
                f"The box {_words(self)} does not lie in the picture of {height} × {width} pixels (height × width): "
                f"rows run from 0 to {height}, columns from 0 to {width}."
            )
        return Box(max(self.top, 0.0), max(self.left, 0.0), min(self.bottom, height), min(self.right, width))


@dataclass(frozen=True, eq=False)
class Region:
    """The part of a picture that shows the object: the union of its boxes and of a painted mask.

    boxes: in pixels of the original picture. mask: bool (H, W) of the picture's own size, or None.
    Raises InvalidOption where both are missing, the mask is empty or no bool (H, W), or there are too many boxes.
    """

    boxes: tuple[Box, ...] = ()
    mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", tuple(self.boxes))
        if len(self.boxes) > MOST_BOXES:
            raise InvalidOption(f"A picture takes at most {MOST_BOXES} boxes, not {len(self.boxes)}.")
        if self.mask is not None:
            mask = np.asarray(self.mask)
            if mask.ndim != 2 or mask.dtype != np.bool_:
                raise InvalidOption(f"A mask must be bool (height, width), not {mask.dtype} {mask.shape}.")
            if not mask.any():
                raise InvalidOption("The mask marks no pixel: paint over the object, or draw a box round it.")
            mask = mask.copy()
            mask.setflags(write=False)
            object.__setattr__(self, "mask", mask)
        elif not self.boxes:
            raise InvalidOption("A region needs at least one box, or a painted mask.")

    @property
    def area(self) -> float:
        """Pixels of the original picture that are covered, each counted once; boxes count by their exact edges."""
        rows, columns, covered = self._grid(*self._size())
        return float(np.diff(rows) @ covered.astype(np.float64) @ np.diff(columns))

    def mask_of(self, height: int, width: int) -> NDArray[np.bool_]:
        """The picture's pixels whose centres the region covers, bool (H, W).

        A region so small that it covers no centre gets the pixels that its boxes' middles lie in. Raises InvalidOption
        for a box outside the picture, or a mask of another size.
        """
        boxes, found = self._checked(height, width), np.zeros((height, width), dtype=np.bool_)
        for box in boxes:
            found[_centres(box.top, box.bottom), _centres(box.left, box.right)] = True
        if self.mask is not None:
            found |= self.mask
        if not found.any():
            for box in boxes:
                found[int((box.top + box.bottom) / 2), int((box.left + box.right) / 2)] = True
        return found

    def in_input(self, model_input: ModelInput) -> NDArray[np.float32]:
        """The share (0 to 1) of each pixel of what the network saw that the region covers, float32 (h, w).

        Exact areas through the resize and the crop; what was cropped away does not count, so all may be 0. Raises
        InvalidOption as `mask_of` does.
        """
        height, width = model_input.picture_size
        rows, columns, covered = self._grid(height, width)
        top, left, bottom, right = model_input.picture_box
        h, w = model_input.shown_rgb.shape[:2]
        down = _overlaps(np.linspace(top, bottom, h + 1), rows)
        across = _overlaps(np.linspace(left, right, w + 1), columns)
        return np.clip(down @ covered.astype(np.float32) @ across.T, 0.0, 1.0).astype(np.float32)

    def _size(self) -> tuple[int, int]:
        """The picture's size, or one that holds all boxes where no mask tells it."""
        if self.mask is not None:
            return int(self.mask.shape[0]), int(self.mask.shape[1])
        return (
            max(1, math.ceil(max(box.bottom for box in self.boxes))),
            max(1, math.ceil(max(box.right for box in self.boxes))),
        )

    def _checked(self, height: int, width: int) -> tuple[Box, ...]:
        if self.mask is not None and self.mask.shape != (height, width):
            raise InvalidOption(
                f"The mask has {self.mask.shape[0]} × {self.mask.shape[1]} pixels and the picture {height} × {width} "
                "(height × width): they must be equal."
            )
        return tuple(box.cut_to(height, width) for box in self.boxes)

    def _grid(self, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Row edges (n + 1), column edges (m + 1) and whether each rectangle between them is covered, (n, m): the
        union as pieces that do not overlap."""
        boxes = self._checked(height, width)
        rows = {edge for box in boxes for edge in (box.top, box.bottom)}
        columns = {edge for box in boxes for edge in (box.left, box.right)}
        if self.mask is not None:
            rows |= set(range(height + 1))
            columns |= set(range(width + 1))
        down, across = (np.array(sorted(edges), dtype=np.float64) for edges in (rows, columns))
        covered = np.zeros((len(down) - 1, len(across) - 1), dtype=np.bool_)
        for box in boxes:
            first, last = np.searchsorted(down, (box.top, box.bottom))
            begin, end = np.searchsorted(across, (box.left, box.right))
            covered[first:last, begin:end] = True
        if self.mask is not None:
            pieces = (np.minimum(np.floor(edges[:-1]).astype(np.intp), n - 1)
                      for edges, n in ((down, height), (across, width)))  # fmt: skip
            covered |= self.mask[np.ix_(*pieces)]
        return down, across, covered


def _words(box: Box) -> str:
    return f"from row {box.top:g}, column {box.left:g} to row {box.bottom:g}, column {box.right:g}"


def _centres(first: float, last: float) -> slice:
    """The pixels whose centres i + 0.5 lie in [first, last)."""
    return slice(math.ceil(first - 0.5), math.ceil(last - 0.5))


def _overlaps(pixels: NDArray[np.float64], pieces: NDArray[np.float64]) -> NDArray[np.float32]:
    """The share of each pixel (edges, n + 1) that lies in each piece (edges, m + 1): float32 (n, m)."""
    low = np.maximum(pixels[:-1, None], pieces[None, :-1])
    high = np.minimum(pixels[1:, None], pieces[None, 1:])
    lengths = np.diff(pixels)[:, None]
    return np.asarray(np.maximum(high - low, 0.0) / lengths, dtype=np.float32)
