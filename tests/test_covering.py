"""Covering parts of a picture, and pointing at a map, against plain torch and hand-worked examples."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.covering import cover, grid_boxes, square_at
from cnn_core.errors import InvalidOption, InvalidUnit
from cnn_core.pointing import point_at
from cnn_core.saliency import SaliencyMap, Target
from cnn_core.saliency.placement import Placement

PANDA = Path(__file__).resolve().parent.parent / "assets" / "samples" / "panda.jpg"


@cache
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2")
    return classifier, cc.trace(classifier, PANDA)


def test_cover_is_a_real_forward_pass_of_the_changed_picture() -> None:
    classifier, trace = panda()
    (found,) = cover(classifier, trace, [(30.4, 40.0, 61.6, 72.0)], target=388)
    assert found.box == (30, 40, 62, 72)
    changed = np.array(trace.input.shown_rgb)
    changed[30:62, 40:72] = 128
    np.testing.assert_array_equal(found.shown_rgb, changed)
    mean, std = (np.array(v, dtype=np.float32) for v in (trace.input.mean, trace.input.std))
    x = torch.from_numpy(((changed.astype(np.float32) / 255 - mean) / std).transpose(2, 0, 1))[None]
    with torch.no_grad():
        logits = classifier.module(x)[0].double()
    # Another batch size takes other kernels: float32 rounding through 50 layers.
    assert found.logit == pytest.approx(float(logits[388]), abs=1e-3)
    assert found.probability == pytest.approx(float(torch.softmax(logits, 0)[388]), abs=1e-4)
    assert found.logit_drop == pytest.approx(float(trace.logits[388]) - found.logit, abs=1e-9)
    assert found.probability_drop == pytest.approx(float(trace.probabilities[388]) - found.probability, abs=1e-6)


def test_cover_of_a_margin_and_of_many_boxes() -> None:
    classifier, trace = panda()
    boxes = grid_boxes(224, 224, 3, 3)
    first, second = (cover(classifier, trace, boxes, target=index) for index in (388, 294))
    margin = cover(classifier, trace, boxes, target=(388, 294))
    assert len(margin) == 9
    for a, b, both in zip(first, second, margin, strict=True):
        assert both.logit == pytest.approx(a.logit - b.logit, abs=1e-9)
        assert both.probability == pytest.approx(a.probability - b.probability, abs=1e-9)
    assert cover(classifier, trace, []) == ()


def test_covering_nothing_of_it_and_wrong_fills_are_refused() -> None:
    classifier, trace = panda()
    with pytest.raises(InvalidOption, match="no pixel"):
        cover(classifier, trace, [(300, 0, 320, 20)])
    with pytest.raises(InvalidOption, match="fill"):
        cover(classifier, trace, [(0, 0, 20, 20)], fill="red")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="at least one"):
        grid_boxes(10, 10, 0, 2)


def test_grids_cover_each_pixel_once() -> None:
    classifier, trace = panda()
    count = np.zeros((224, 224), dtype=int)
    for one in cover(classifier, trace, grid_boxes(224, 224, 3, 5)):
        top, left, bottom, right = one.box
        count[top:bottom, left:right] += 1
    assert (count == 1).all()


@pytest.mark.parametrize(
    ("centre", "expected"),
    [((50, 60), (34, 44, 66, 76)), ((0.5, 0.5), (0, 0, 32, 32)), ((223, 100), (192, 84, 224, 116))],
)
def test_squares_are_moved_into_the_picture(centre: tuple[float, float], expected: tuple[int, ...]) -> None:
    assert square_at(*centre, 32, (224, 224)) == expected


def test_a_square_is_never_larger_than_the_picture() -> None:
    assert square_at(5, 5, 99, (20, 30)) == (0, 0, 20, 20)


def _map(values: list[list[float]], *, is_empty: bool = False) -> SaliencyMap:
    array = np.array(values, dtype=np.float32)
    return SaliencyMap(
        values=array,
        target=Target((0,), "thing"),
        target_value=1.0,
        layer="features",
        layer_title="ReLU",
        method="gradcam",
        rectified=True,
        raw_range=(float(array.min()), float(array.max())),
        is_empty=is_empty,
        note="",
        shown_rgb=np.zeros((20, 30, 3), dtype=np.uint8),
        placement=Placement((5.0, 5.0), (10.0, 10.0), (20, 30)),
        model_key="tiny",
        seconds=0.0,
    )


def test_pointing_by_hand() -> None:
    """Cells of 10 x 10 pixels centred at 5, 15, 25."""
    found = point_at(_map([[0, 1, 2], [3, 4, 9]]), 15.0, 22.0)
    assert found.cell == (1, 2) and found.value == 9.0 and found.rank == 1 and found.n_cells == 6
    assert found.distance == pytest.approx(3.0)
    lowest = point_at(_map([[0, 1, 2], [3, 4, 9]]), 0.0, 0.0)
    assert lowest.cell == (0, 0) and lowest.rank == 6 and lowest.percentile == 0.0
    assert lowest.distance == pytest.approx(np.hypot(15, 25))


def test_equal_cells_share_the_best_rank() -> None:
    found = point_at(_map([[1, 1, 0], [0, 0, 0]]), 5.0, 15.0)
    assert found.rank == 1
    assert point_at(_map([[1, 1, 0], [0, 0, 0]]), 15.0, 5.0).rank == 3


def test_percentile_is_the_share_of_lower_cells() -> None:
    chosen = _map([[0, 1, 2], [3, 3, 9]])
    assert point_at(chosen, 15, 25).percentile == pytest.approx(5 / 6)
    # The two cells of 3 stand above three others, and not above each other.
    assert point_at(chosen, 15, 5).percentile == point_at(chosen, 15, 15).percentile == pytest.approx(3 / 6)


def test_an_empty_map_points_nowhere_and_outside_is_refused() -> None:
    assert point_at(_map([[0, 0, 0], [0, 0, 0]], is_empty=True), 20.0, 30.0).distance is None
    with pytest.raises(InvalidUnit, match="outside"):
        point_at(_map([[0, 1, 2], [3, 4, 9]]), 20.5, 3.0)
