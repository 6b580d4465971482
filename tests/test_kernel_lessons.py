"""The kernel page's guess and its two tests, on pictures whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.errors import InvalidOption
from cnn_core.kernel_lessons import (
    candidate_places,
    likeness_of_noise,
    move_picture,
    neighbour_likeness,
    shuffle_pixels,
)
from cnn_core.kernels import convolve, kernel_preset

EDGE = np.array(kernel_preset("horizontal-edge").weights)


def test_the_strongest_place_holds_the_edge() -> None:
    picture = np.zeros((48, 48))
    picture[30:, 26:36] = 1  # its upper side is a level edge, in the square of rows 25 to 36 and columns 25 to 36
    picture += np.random.default_rng(0).normal(0, 0.01, picture.shape)
    places = candidate_places(picture, EDGE)
    best = max(places, key=lambda place: place.strength)
    assert (best.top, best.left, best.side) == (25, 25, 12)
    answers = np.abs(convolve(picture, EDGE, padding=1))
    for place in places:
        part = answers[place.top : place.top + place.side, place.left : place.left + place.side]
        assert place.strength == pytest.approx(part.mean())
    assert [(p.top, p.left) for p in places] == sorted((p.top, p.left) for p in places)


@pytest.mark.parametrize("picture", [np.full((48, 48), 0.5), np.zeros((1, 1)), np.ones((6, 200)), np.eye(8)])
def test_no_guess_where_there_is_nothing_to_guess(picture: np.ndarray) -> None:
    assert candidate_places(picture, EDGE) == ()


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize(("pixels", "stride"), [(1, 1), (4, 1), (4, 2), (6, 3)])
def test_the_map_moves_with_the_picture(pixels: int, stride: int, padding: int, dilation: int) -> None:
    picture = np.random.default_rng(1).random((30, 26))
    moved = move_picture(picture, EDGE, pixels, 0.3, stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_array_equal(moved.picture[pixels:, pixels:], picture[:-pixels, :-pixels])
    assert moved.exact and moved.shift == pixels // stride
    assert moved.compared >= 30 and moved.largest_answer > 1
    # The same products in the same order, so the same float64 numbers.
    assert moved.largest_difference == 0


def test_a_move_between_two_stops_is_seen() -> None:
    picture = np.random.default_rng(1).random((30, 30))
    moved = move_picture(picture, EDGE, 3, stride=2)
    assert not moved.exact and moved.largest_difference > 0.1


def test_the_comparison_leaves_out_what_the_border_changes() -> None:
    """With cells at the border included the maps would differ: the interior is not chosen too small or too large."""
    picture = np.random.default_rng(2).random((12, 12))
    moved = move_picture(picture, EDGE, 2, padding=1)
    # Windows of 3 rows inside the first 10 of 12 rows: 8 positions on each axis.
    assert moved.compared == 8 * 8
    one_more = np.abs(moved.before[1:10, 1:10] - moved.after[3:12, 3:12]).max()
    assert one_more > 0.01


@pytest.mark.parametrize("pixels", [0, 12, -1])
def test_a_move_out_of_the_picture_is_refused(pixels: int) -> None:
    with pytest.raises(InvalidOption, match="pixels"):
        move_picture(np.ones((12, 12)), EDGE, pixels)


def test_a_shuffled_picture_keeps_its_pixels_and_loses_its_pattern() -> None:
    rows, columns = np.mgrid[0:48, 0:48]
    picture = 0.5 + 0.5 * np.sin(rows / 4) * np.cos(columns / 6)
    shuffled = shuffle_pixels(picture, EDGE, seed=3)
    np.testing.assert_array_equal(np.sort(shuffled.picture.ravel()), np.sort(picture.ravel()))
    assert shuffled.likeness_before > 0.9
    # Overlap alone: [1, 2, 1] with itself moved by one gives 4/6 along a row, [-1, 0, 1] gives 0 along a column.
    assert shuffled.likeness_of_noise == pytest.approx(1 / 3)
    # Some 2,000 pairs: a correlation's standard error is about 0.02, neighbours share pixels, so five times that.
    assert shuffled.likeness_after == pytest.approx(1 / 3, abs=0.1)
    assert abs(shuffled.same_map) < 0.1


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (3, 1), (7, 3)])
@pytest.mark.parametrize("key", ["blur", "corner", "identity"])
def test_likeness_of_noise_is_what_noise_shows(key: str, stride: int, dilation: int) -> None:
    kernel = kernel_preset(key).weights
    noise = np.random.default_rng(5).random((400, 400))
    measured = neighbour_likeness(convolve(noise, kernel, stride=stride, dilation=dilation))
    # At least 55 x 55 cells, so 6,000 pairs: three standard errors of a correlation are 0.04.
    assert likeness_of_noise(kernel, stride=stride, dilation=dilation) == pytest.approx(measured, abs=0.04)


def test_likeness_by_hand() -> None:
    assert neighbour_likeness(np.array([[0.0, 1], [1, 2]])) == pytest.approx(
        np.corrcoef([0, 1, 0, 1], [1, 2, 1, 2])[0, 1]
    )
    assert neighbour_likeness(np.ones((5, 5))) == 0
    assert neighbour_likeness(np.zeros((0, 0))) == 0
