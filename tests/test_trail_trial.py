"""Covering the end of a trail: values against the module run on a picture covered here, and where squares may lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.errors import InvalidOption
from cnn_core.trail_trial import trail_trial

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("squeezenet1_1", device="cpu")
    return classifier, cc.trace(classifier, SAMPLES / "panda.jpg")


def test_a_class_whose_trail_end_is_covered(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    trail = cc.follow(classifier, trace, classifier.network.output, 388)
    found = trail_trial(classifier, trace, trail, places=[(3.0, 220.0)], n_random=3, seed=1)
    assert found.side == 32  # a seventh of 224: the logit sees everything
    row, column = trail.steps[-1].index[1:]
    top, left, bottom, right = found.end.box
    assert (bottom - top, right - left) == (32, 32)
    assert abs(top + 16 - (row + 0.5)) <= 0.5 and abs(left + 16 - (column + 0.5)) <= 0.5
    assert found.others[0].box == (0, 192, 32, 224), "moved into the picture, not cut"
    assert trace.input is not None
    for one in (found.end, *found.others, *found.random):
        covered = trace.input.shown_rgb.copy()
        top, left, bottom, right = one.box
        covered[top:bottom, left:right] = 128
        np.testing.assert_array_equal(one.shown_rgb, covered)
        mean, std = np.array(trace.input.mean), np.array(trace.input.std)
        tensor = torch.from_numpy(((covered / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
        with torch.no_grad():
            logit = float(classifier.module(tensor)[0, 388])
        # Several pictures in a batch, or one: sums of thousands of float32 differ in their last digits.
        assert one.after == pytest.approx(logit, rel=1e-4)
        assert one.taken == pytest.approx(found.before - one.after)
    assert found.before == float(trace.logits[388])
    taken = [one.taken for one in found.random]
    assert found.random_mean == pytest.approx(np.mean(taken)) and found.random_spread == pytest.approx(
        np.std(taken, ddof=1)
    )
    assert found.n_less == sum(t < found.end.taken for t in taken)


def test_random_squares_lie_where_the_unit_sees_and_apart_from_its_own(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    layer = "features.7.expand3x3"
    index = (5, 10, 20)
    trail = cc.follow(classifier, trace, layer, index)
    found = trail_trial(classifier, trace, trail, n_random=8, seed=3)
    field = cc.receptive_field(classifier, layer).pixel_box(10, 20)
    assert found.side == round(min(field[2] - field[0], field[3] - field[1]) / 7) < 32
    boxes = {one.box for one in found.random}
    assert len(boxes) == 8
    own = found.end.box
    for top, left, bottom, right in boxes:
        assert field[0] <= top and field[1] <= left and bottom <= field[2] and right <= field[3]
        assert bottom <= own[0] or top >= own[2] or right <= own[1] or left >= own[3]
    again = trail_trial(classifier, trace, trail, n_random=8, seed=3)
    assert [one.box for one in again.random] == [one.box for one in found.random]
    other = trail_trial(classifier, trace, trail, n_random=8, seed=4)
    assert {one.box for one in other.random} != boxes
    # A square that the unit does not see takes nothing of it.
    unseen = trail_trial(classifier, trace, trail, places=[(220.0, 4.0)], n_random=0).others[0]
    assert abs(unseen.taken) <= 1e-5 * max(1.0, abs(found.before))
    assert trail_trial(classifier, trace, trail, n_random=0).random_mean == 0.0


def test_taken_is_towards_zero_for_a_negative_number(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    maps = trace.activation("features.6.squeeze")
    index = tuple(int(i) for i in np.unravel_index(int(maps.argmin()), maps.shape))
    assert maps[index] < 0
    found = trail_trial(classifier, trace, cc.follow(classifier, trace, "features.6.squeeze", index), n_random=1)
    assert found.end.taken == pytest.approx(found.end.after - found.before)


def test_a_unit_of_one_pixel_has_no_room_elsewhere(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    trail = cc.follow(classifier, trace, "input", (1, 30, 40))
    found = trail_trial(classifier, trace, trail)
    assert found.random == () and found.side == 1 and found.end.box == (30, 40, 31, 41) and found.n_less == 0


def test_refusals(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    short = cc.follow(classifier, trace, classifier.network.output, 388, steps=2)
    with pytest.raises(InvalidOption, match="does not end at a pixel"):
        trail_trial(classifier, trace, short)
