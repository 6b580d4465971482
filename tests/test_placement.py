"""A map's cells lie at their receptive fields' centres, and drawing them never invents a value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnn_core.saliency.placement import Placement, draw_aligned, draw_stretched

maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(-1e3, 1e3, width=32),
)


def test_worked_example() -> None:
    """Stride 4, first centre at 1.5 (the middle of pixel 1): cells 0 and 8 lie at pixels 1 and 5."""
    placement = Placement(offset=(1.5, 1.5), stride=(4.0, 4.0), input_size=(8, 8))
    drawn = draw_aligned(np.array([[0.0, 8.0], [0.0, 8.0]], dtype=np.float32), placement, (8, 8))
    # Pixel centres 0.5, 1.5, ... are -0.25, 0, 0.25, ... cells from the first centre; beyond the centres: the cell.
    expected = [0, 0, 2, 4, 6, 8, 8, 8]
    assert drawn.tolist() == [expected] * 8
    assert drawn.dtype == np.float32


def test_rows_and_columns_are_not_confused() -> None:
    placement = Placement(offset=(0.5, 2.5), stride=(1.0, 2.0), input_size=(2, 8))
    drawn = draw_aligned(np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32), placement, (2, 8))
    assert drawn.tolist() == [
        [1, 1, 1, 1.5, 2, 2, 2, 2],
        [3, 3, 3, 3.5, 4, 4, 4, 4],
    ]
    assert placement.centre(1, 1) == (1.5, 4.5)


@settings(max_examples=60, deadline=None)
@given(maps, st.integers(1, 40), st.integers(1, 40), st.floats(-20, 20), st.floats(0.5, 32))
def test_no_overshoot_and_constants_stay(
    values: np.ndarray, height: int, width: int, offset: float, stride: float
) -> None:
    placement = Placement((offset, offset / 2), (stride, stride), (height, width))
    for drawn in (draw_aligned(values, placement, (height, width)), draw_stretched(values, (height, width))):
        assert drawn.shape == (height, width)
        assert drawn.min() >= values.min() and drawn.max() <= values.max()
    flat = np.full(values.shape, values.flat[0])
    assert (draw_aligned(flat, placement, (height, width)) == flat.flat[0]).all()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((7, 7), (224, 224)), ((1, 1), (5, 9)), ((6, 11), (96, 160)), ((3, 5), (7, 6)), ((8, 8), (8, 8))],
)
def test_stretched_is_torch_interpolate(shape: tuple[int, int], size: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None].double(), size=size, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    # Both are computed in float64 and ours is rounded to float32 at the end: half a unit in the last place of 3.
    np.testing.assert_allclose(draw_stretched(values, size), theirs, atol=2e-7)


def test_every_centre_shows_its_own_cell() -> None:
    """Odd stride and offset on a pixel's middle: the pixel at a cell's centre has exactly the cell's value."""
    values = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    placement = Placement((3.5, 2.5), (7.0, 5.0), (32, 32))
    drawn = draw_aligned(values, placement, (32, 32))
    for row, column in np.ndindex(4, 6):
        at_row, at_column = placement.centre(row, column)
        assert drawn[int(at_row), int(at_column)] == values[row, column]


def test_aligned_where_stretching_happens_to_be_right() -> None:
    values = np.random.default_rng(2).normal(size=(7, 7)).astype(np.float32)
    placement = Placement((16.0, 16.0), (32.0, 32.0), (224, 224))
    assert placement.shift((7, 7)) == (0.0, 0.0)
    # The two write the same positions with different rounding in float64.
    np.testing.assert_allclose(
        draw_aligned(values, placement, (224, 224)), draw_stretched(values, (224, 224)), atol=1e-6
    )


def test_a_larger_view_of_the_same_picture_keeps_the_places() -> None:
    """At three times the size, the middle one of each three pixels lies where the original pixel does."""
    values = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
    placement = Placement((0.5, 4.5), (6.0, 6.0), (30, 24))
    small = draw_aligned(values, placement, (30, 24))
    large = draw_aligned(values, placement, (90, 72))
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-6)


def test_a_shift_says_how_far_stretching_is_off() -> None:
    """ResNet's last stage at 224 x 224: the first cell is centred on pixel 0, and stretching draws it at 16."""
    assert Placement((0.5, 0.5), (32.0, 32.0), (224, 224)).shift((7, 7)) == (15.5, 15.5)
