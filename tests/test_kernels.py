"""Kernels: the presets, the output's size and the reference convolution, against torch and against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core.errors import InvalidOption
from cnn_core.kernels import (
    Region,
    convolve,
    kernel_preset,
    list_presets,
    luminance,
    output_size,
    torch_convolve,
)

# float32 sums of at most 25 products of numbers up to 1 and weights up to 5: some 1e-6 at most.
FLOAT32 = 1e-5


def preset(key: str) -> np.ndarray:
    return np.array(kernel_preset(key).weights, dtype=np.float64)


def test_the_nine_presets_by_name() -> None:
    keys = [entry.key for entry in list_presets()]
    assert keys == [
        "identity", "blur", "sharpen", "vertical-edge", "horizontal-edge", "laplacian", "emboss", "corner", "texture",
    ]  # fmt: skip
    assert all(np.shape(entry.weights) == (3, 3) and entry.meaning.endswith(".") for entry in list_presets())


def test_unknown_preset_lists_close_names() -> None:
    with pytest.raises(InvalidOption, match="vertical-edge"):
        kernel_preset("vertical_edge")


def test_what_the_presets_claim() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((9, 11))
    flat, slope = np.full((7, 7), 0.6), np.tile(np.arange(7) / 6, (7, 1))
    upright = np.tile([0.0, 0, 0, 1, 1, 1, 1], (7, 1))
    np.testing.assert_allclose(convolve(picture, preset("identity")), picture[1:-1, 1:-1], rtol=0, atol=1e-15)
    means = np.lib.stride_tricks.sliding_window_view(picture, (3, 3)).mean(axis=(2, 3))
    np.testing.assert_allclose(convolve(picture, preset("blur")), means, rtol=0, atol=1e-15)
    for key in ("vertical-edge", "horizontal-edge", "laplacian", "corner", "texture"):
        np.testing.assert_allclose(convolve(flat, preset(key)), 0, atol=1e-12)
    for key in ("blur", "sharpen", "identity", "emboss"):
        np.testing.assert_allclose(convolve(flat, preset(key)), 0.6, atol=1e-12)
    assert convolve(upright, preset("vertical-edge")).max() == 4  # 1 + 2 + 1, dark left and bright right
    assert convolve(upright[:, ::-1], preset("vertical-edge")).min() == -4
    for still in (upright, upright.T, slope):
        np.testing.assert_allclose(convolve(still, preset("texture")), 0, atol=1e-12)
    np.testing.assert_allclose(convolve(upright, preset("horizontal-edge")), 0, atol=1e-12)
    # Of all pictures with numbers 0 to 1, the upper left corner of something bright gives the corner kernel its most.
    bright = np.zeros((3, 3))
    bright[1:, 1:] = 1
    weights = preset("corner")
    assert convolve(bright, weights)[0, 0] == weights[weights > 0].sum()


def test_by_hand() -> None:
    values = [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]
    kernel = [[1.0, 0], [0, -2]]
    # 1 - 10, 2 - 12; 4 - 16, 5 - 18; plus 0.5. The kernel is not flipped.
    np.testing.assert_array_equal(convolve(values, kernel, 0.5), [[-8.5, -9.5], [-11.5, -12.5]])
    # Padding 1, stride 2: windows begin at rows and columns -1 and 1.
    np.testing.assert_array_equal(convolve(values, kernel, stride=2, padding=1), [[-2, -6], [-14, 5 - 18]])
    # Dilation 2: the corners of the whole grid.
    np.testing.assert_array_equal(convolve(values, kernel, dilation=2), [[1 - 18]])


sizes = st.integers(1, 14)
slides = st.fixed_dictionaries(
    {"stride": st.integers(1, 4), "padding": st.integers(0, 4), "dilation": st.integers(1, 4)}
)


@settings(deadline=None, max_examples=60)
@given(rows=sizes, columns=sizes, k=st.integers(1, 5), slide=slides, seed=st.integers(0, 99))
def test_equal_to_torch(rows: int, columns: int, k: int, slide: dict[str, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, kernel = rng.random((rows, columns)), rng.normal(size=(k, k))
    expected_shape = tuple(output_size(n, k, **slide) for n in (rows, columns))
    ours = convolve(values, kernel, 0.25, **slide)
    assert ours.shape == expected_shape
    x, w = torch.from_numpy(values)[None, None], torch.from_numpy(kernel)[None, None]
    if 0 in expected_shape:
        with pytest.raises(RuntimeError):
            torch.nn.functional.conv2d(x, w, **slide)
        assert torch_convolve(values, kernel, 0.25, **slide).shape == expected_shape
        return
    bias = torch.tensor([0.25], dtype=torch.float64)
    theirs = torch.nn.functional.conv2d(x, w, bias, **slide)[0, 0].numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)  # both in float64
    np.testing.assert_allclose(torch_convolve(values, kernel, 0.25, **slide), ours, rtol=0, atol=FLOAT32)


def test_output_size_by_counting() -> None:
    for size in range(1, 12):
        for k in range(1, 5):
            for stride in (1, 2, 3):
                for padding in (0, 1, 3):
                    for dilation in (1, 2):
                        last = size + 2 * padding - dilation * (k - 1) - 1
                        stops = len(range(0, last + 1, stride))  # where the window's first cell may stand
                        assert output_size(size, k, stride=stride, padding=padding, dilation=dilation) == stops
    assert output_size(48, 3) == 46
    assert output_size(224, 7, stride=2, padding=3) == 112  # the first layer of ResNet


@pytest.mark.parametrize(
    ("name", "value"), [("size", 0), ("kernel_size", 0), ("stride", 0), ("padding", -1), ("dilation", 0)]
)
def test_output_size_refuses(name: str, value: int) -> None:
    arguments = {"size": 5, "kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1, name: value}
    with pytest.raises(InvalidOption, match=name):
        output_size(arguments.pop("size"), arguments.pop("kernel_size"), **arguments)


def test_luminance() -> None:
    rgb = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    np.testing.assert_allclose(luminance(rgb), [[1, 0, 0.299, 0.587, 0.114]], rtol=0, atol=1e-15)


@settings(deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), cells=st.integers(1, 64))
def test_centred_region_always_fits(height: int, width: int, cells: int) -> None:
    region = Region.centred(height, width, cells)
    assert region.fits(height, width)
    assert region.values(np.zeros((height, width))).shape == (region.rows, region.columns)
    # A picture that is large enough is used to within one cell's pixels less than half of its shorter side.
    if min(height, width) >= cells:
        assert region.rows == region.columns == cells and 2 * cells * region.zoom > min(height, width)


def test_region_takes_means_and_refuses_to_leave_the_picture() -> None:
    grey = np.arange(24.0).reshape(4, 6)
    np.testing.assert_array_equal(Region(0, 2, 2, 2, 2).values(grey), [[5.5, 7.5], [17.5, 19.5]])
    with pytest.raises(InvalidOption, match="inside"):
        Region(1, 2, 2, 2, 2).values(grey)
