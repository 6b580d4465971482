"""Cover a part of what the network sees with grey, and read its answer: the smallest causal test there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption
from .saliency.removal import Fill, without
from .saliency.targets import Target, TargetRequest, resolve_target

if TYPE_CHECKING:
    from .models import Classifier
    from .tracing import Trace

_BATCH: Final = 8  # pictures in one forward pass, as many as a trial takes

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Covered:
    """The picture with one box filled, and the network's answer to it.

    box: (top, left, bottom, right) in input pixels, half-open, cut to the picture.
    shown_rgb: uint8 (H, W, 3). logit, probability: of the target; for a margin, the difference of the two classes'.
    logit_drop, probability_drop: how much was lost by covering (negative where the answer rose).
    """

    box: tuple[int, int, int, int]
    shown_rgb: NDArray[np.uint8]
    logit: float
    probability: float
    logit_drop: float
    probability_drop: float


def cover(
    classifier: Classifier,
    trace: Trace,
    boxes: Sequence[Box],
    *,
    target: TargetRequest = None,
    fill: Fill = "grey",
) -> tuple[Covered, ...]:
    """Fill each box (top, left, bottom, right; input pixels) of the traced picture, one at a time, and run the network.

    Box edges are rounded to whole pixels and cut to the picture. target: None for the top class, an index, a name, or
    (a, b) for the margin of logits. fill: "grey" (128), "mean" (the picture's mean colour) or "blur".
    The picture whole is the trace's own pass, so n boxes cost n forward passes.
    Raises InvalidOption for a box outside the picture or another fill, UnknownClass for a class that the model lacks.
    """
    if trace.input is None:
        raise InvalidOption("The trace is of a bare tensor, which has no picture to cover: trace a picture.")
    rgb = trace.input.shown_rgb
    resolved = resolve_target(classifier, target, "logit", torch.from_numpy(np.array(trace.logits)))
    cut = [_cut(box, rgb.shape[:2]) for box in boxes]
    pictures = []
    for top, left, bottom, right in cut:
        mask = np.zeros(rgb.shape[:2], dtype=np.bool_)
        mask[top:bottom, left:right] = True
        pictures.append(without(rgb, mask, fill))
    answers = [_read(resolved, row) for row in _logits(classifier, pictures)]
    logit, probability = _read(resolved, np.asarray(trace.logits, dtype=np.float64))
    return tuple(
        Covered(box, picture, z, p, logit - z, probability - p)
        for box, picture, (z, p) in zip(cut, pictures, answers, strict=True)
    )


def square_at(row: float, column: float, side: float, size: tuple[int, int]) -> Box:
    """The square of `side` input pixels centred at (row, column), moved as little as needed to lie in the picture.

    Moved rather than cut, so that squares at the border cover as much as any other.
    """
    side = min(side, *size)
    top, left = (
        min(max(0.0, centre - side / 2), length - side) for centre, length in zip((row, column), size, strict=True)
    )
    return (top, left, top + side, left + side)


def grid_boxes(height: int, width: int, rows: int, columns: int) -> tuple[Box, ...]:
    """A picture cut into rows x columns boxes that cover it without overlap, row by row."""
    if rows < 1 or columns < 1:
        raise InvalidOption(f"A grid needs at least one row and one column, not {rows} x {columns}.")
    return tuple(
        (r * height / rows, c * width / columns, (r + 1) * height / rows, (c + 1) * width / columns)
        for r in range(rows)
        for c in range(columns)
    )


def _cut(box: Box, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    top, left, bottom, right = (round(edge) for edge in box)
    found = (max(0, top), max(0, left), min(size[0], bottom), min(size[1], right))
    if found[0] >= found[2] or found[1] >= found[3]:
        raise InvalidOption(
            f"The box from row {top}, column {left} to row {bottom}, column {right} covers no pixel of a picture of "
            f"{size[0]} x {size[1]}."
        )
    return found


def _read(target: Target, logits: NDArray[np.float64]) -> tuple[float, float]:
    by_probability = Target(target.indices, target.label, "probability")
    return target.value(logits), by_probability.value(logits)


def _logits(classifier: Classifier, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
    """Logits (K,) of each picture, in batches."""
    prepare = classifier.card.preprocessing.from_rgb
    found: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            batch = torch.cat([prepare(picture).tensor for picture in pictures[start : start + _BATCH]])
            found.extend(classifier.module(batch.to(classifier.device)).cpu().double().numpy())
    return found
