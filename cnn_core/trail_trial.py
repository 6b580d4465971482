"""A trail on trial: cover the pixels where it ended, and equal squares elsewhere, and compute its first unit again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .covering import square_at
from .errors import InvalidOption
from .receptive_field import receptive_field
from .saliency.removal import Fill, without

if TYPE_CHECKING:
    from .models import Classifier
    from .tracing import Trace
    from .trail import Trail

_BATCH: Final = 4
_PARTS: Final = 7  # a square's side is this part of what the first unit sees
_TRIES: Final = 400

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class CoveredUnit:
    """The picture with one square filled, and the first unit's value there.

    box: (top, left, bottom, right) in whole input pixels, half-open. shown_rgb: uint8 (h, w, 3).
    taken: how much of the value's size is gone, before - after in the direction of its sign; negative where it grew.
    """

    box: Box
    shown_rgb: NDArray[np.uint8]
    after: float
    taken: float


@dataclass(frozen=True, eq=False)
class TrailTrial:
    """What covering does to a trail's first unit: where the trail ended, at other places of the caller's choice
    (a guess), and at random ones in what the unit sees. side: of the squares, in input pixels."""

    operation: str
    index: tuple[int, ...]
    before: float
    side: int
    seed: int
    end: CoveredUnit
    others: tuple[CoveredUnit, ...]
    random: tuple[CoveredUnit, ...]

    @property
    def n_less(self) -> int:
        """How many of the random squares took less than the trail's own."""
        return sum(one.taken < self.end.taken for one in self.random)

    @property
    def random_mean(self) -> float:
        return float(np.mean([one.taken for one in self.random])) if self.random else 0.0

    @property
    def random_spread(self) -> float:
        """Standard deviation over the random squares (n - 1)."""
        return float(np.std([one.taken for one in self.random], ddof=1)) if len(self.random) > 1 else 0.0


def trail_trial(
    classifier: Classifier,
    trace: Trace,
    trail: Trail,
    *,
    places: Sequence[tuple[float, float]] = (),
    n_random: int = 8,
    seed: int = 0,
    fill: Fill = "grey",
) -> TrailTrial:
    """Cover equal squares, one at a time, and compute the trail's first unit again.

    places: centres (row, column) of further squares, in input pixels. The n_random squares lie in what the first unit
    sees of the picture and leave the trail's own square free; fewer where there is no room for that. One pass for each
    square, no further than the unit. Raises InvalidOption where the trail does not end in the picture, or without a
    picture.
    """
    if trace.input is None:
        raise InvalidOption("The trace is of a bare tensor, which has no picture to cover: trace a picture.")
    if trail.end != "input":
        raise InvalidOption("This trail does not end at a pixel, so there is no place to cover.")
    network, first = classifier.network, trail.steps[0]
    layer = network[first.operation]
    at = dict(zip(layer.axes, first.index, strict=True))
    field = receptive_field(network, layer).pixel_box(at.get("row", 0), at.get("column", 0))
    rgb = trace.input.shown_rgb
    size = (rgb.shape[0], rgb.shape[1])
    side = max(1, round(min(field[2] - field[0], field[3] - field[1]) / _PARTS))
    row, column = trail.steps[-1].index[1:]
    # Centres of pixels: the pixel (row, column) spans [row, row + 1).
    centres = [(row + 0.5, column + 0.5), *places]
    boxes = [_square(centre, side, size) for centre in centres]
    boxes += _elsewhere(boxes[0], field, side, n_random, seed)
    pictures = []
    for top, left, bottom, right in boxes:
        mask = np.zeros(size, dtype=np.bool_)
        mask[top:bottom, left:right] = True
        pictures.append(without(rgb, mask, fill))
    values = _values(classifier, pictures, layer.name, first.index)
    before = first.value
    sign = 1.0 if before >= 0 else -1.0
    covered = [
        CoveredUnit(box, picture, value, sign * (before - value))
        for box, picture, value in zip(boxes, pictures, values, strict=True)
    ]
    n = 1 + len(places)
    return TrailTrial(layer.name, first.index, before, side, seed, covered[0], tuple(covered[1:n]), tuple(covered[n:]))


def _square(centre: tuple[float, float], side: int, size: tuple[int, int]) -> Box:
    top, left = (round(edge) for edge in square_at(*centre, side, size)[:2])
    return (top, left, top + side, left + side)


def _elsewhere(own: Box, field: Box, side: int, n: int, seed: int) -> list[Box]:
    """Random squares inside the field that do not touch the trail's own; no two the same."""
    rng = np.random.default_rng(seed)
    found: dict[Box, None] = {}
    rows, columns = field[2] - side - field[0], field[3] - side - field[1]
    for _ in range(_TRIES):
        if len(found) == n or min(rows, columns) < 0:
            break
        top, left = int(rng.integers(rows + 1)) + field[0], int(rng.integers(columns + 1)) + field[1]
        apart = abs(top - own[0]) >= side or abs(left - own[1]) >= side
        if apart:
            found[(top, left, top + side, left + side)] = None
    return list(found)


def _values(
    classifier: Classifier, pictures: Sequence[NDArray[np.uint8]], name: str, index: tuple[int, ...]
) -> list[float]:
    prepare = classifier.card.preprocessing.from_rgb
    found: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            batch = torch.cat([prepare(picture).tensor for picture in pictures[start : start + _BATCH]])
            output = classifier.network.run(batch.to(classifier.device), keep=(name,))[name]
            found.extend(float(one[index]) for one in output)
    return found
