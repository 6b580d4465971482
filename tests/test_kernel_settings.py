"""What the kernel page accepts from a browser or an address, and what it makes of odd pictures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

import cnn_core as cc
from cnn_core.training.data import load_digits
from ui import session
from ui.instruments.convolution import default_settings, digits, read_settings, working_picture
from ui.kernel_lesson import kernel_to_text

RGB = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)


def sent(**changes: Any) -> dict[str, Any]:
    return asdict(default_settings(RGB)) | changes


def test_what_the_component_sends_is_read_back() -> None:
    assert read_settings(sent(), RGB) == default_settings(RGB)
    five = read_settings(sent(kernel=[0.5] * 25, preset="", source="digit", digit=9, bias=-2, stride=8), RGB)
    assert five is not None and five.weights.shape == (5, 5) and five.values(RGB).shape == (28, 28)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "text",
        {},
        sent(kernel=[1.0] * 8),
        sent(kernel=[1.0] * 10_000),
        sent(kernel=[float("nan")] * 9),
        sent(kernel=[1e300] * 9),
        sent(kernel="123456789"),
        sent(bias=float("inf")),
        sent(bias=None),
        sent(stride=0),
        sent(padding=9),
        sent(dilation=10**9),
        sent(digit=10),
        sent(source="/etc/passwd"),
        sent(region={"top": 0, "left": 0, "rows": 48, "columns": 48, "zoom": 5}),
        sent(region={"top": -1, "left": 0, "rows": 8, "columns": 8, "zoom": 1}),
        sent(region={"top": 0, "left": 0, "rows": 0, "columns": 8, "zoom": 1}),
        sent(region={"top": 0, "left": 0, "rows": 120, "columns": 120, "zoom": 1}),
        sent(region={"top": 0}),
    ],
)
def test_what_it_never_sends_is_refused(wrong: Any) -> None:
    assert read_settings(wrong, RGB) is None


def test_an_unknown_preset_becomes_ones_own_kernel() -> None:
    settings = read_settings(sent(preset="<b>"), RGB)
    assert settings is not None and settings.preset == ""


def test_a_kernel_in_the_address() -> None:
    assert kernel_to_text(default_settings(RGB, "corner")) == "corner"
    own = read_settings(sent(kernel=[-1, 0.5, 1 / 3, 0, 0, 0, 0, 0, 9], preset=""), RGB)
    assert own is not None and kernel_to_text(own) == "weights:-1:0.5:0.333333:0:0:0:0:0:9"
    long = read_settings(sent(kernel=[-123.456] * 25, preset=""), RGB)
    assert long is not None and kernel_to_text(long) == "weights" + 25 * ":-123.456"
    for settings in (own, long):
        text = kernel_to_text(settings)
        assert text is not None and session.PARAMETERS["kernel"].parse(text) == text
    tiny = read_settings(sent(kernel=[1e-9] * 9, preset=""), RGB)
    assert tiny is not None and kernel_to_text(tiny) is None


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4000), (4000, 3), (341, 512), (20, 900)])
def test_any_picture_gives_a_region(height: int, width: int) -> None:
    from PIL import Image

    rgb = working_picture(cc.load_image(Image.new("RGB", (width, height), "teal")))
    assert max(rgb.shape[:2]) <= 256 and min(rgb.shape[:2]) >= 1
    settings = default_settings(rgb)
    assert settings.values(rgb).shape == (settings.region.rows, settings.region.columns)


def test_the_digits_are_one_of_each() -> None:
    assert digits().shape == (10, 28, 28) and digits().dtype == np.uint8
    _, test = load_digits()
    for digit, picture in enumerate(digits()):
        assert (test.pictures[test.labels == digit] == picture).all(axis=(1, 2)).any()
