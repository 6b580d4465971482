"""A subject cut out of its surroundings, and a picture's edges, against drawn shapes and torch's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.samples import list_samples
from cnn_core.silhouettes import (
    Foreground,
    _reached,
    edges_only,
    silhouette,
    subject_by_brightness,
    subject_by_colour,
    subject_of,
)


def drawn(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A noisy red shape on noisy green, and its true mask."""
    rows, columns = np.mgrid[:120, :160]
    truth = {
        "disc": (rows - 60) ** 2 + (columns - 80) ** 2 < 40**2,
        "off the middle": (rows - 70) ** 2 / 30**2 + (columns - 60) ** 2 / 40**2 < 1,
        "bar": (abs(rows - 60) < 18) & (abs(columns - 80) < 62),
    }[kind]
    rgb = np.where(truth[..., None], [190, 60, 50], [60, 140, 70]).astype(float)
    return np.clip(rgb + np.random.default_rng(seed).normal(0, 15, rgb.shape), 0, 255).astype(np.uint8), truth


@pytest.mark.parametrize("kind", ["disc", "off the middle", "bar"])
def test_a_drawn_shape_is_found(kind: str) -> None:
    rgb, truth = drawn(kind)
    found = subject_by_colour(rgb)
    overlap = (found.mask & truth).sum() / (found.mask | truth).sum()
    # The smoothing rounds corners; measured .93 to .98.
    assert overlap > 0.9 and found.is_clear
    assert found.share == pytest.approx(found.mask.mean())
    np.testing.assert_array_equal(found.mask, subject_by_colour(rgb).mask)


def test_holes_are_filled_and_far_pieces_dropped() -> None:
    rgb, truth = drawn("disc")
    holed = rgb.copy()
    holed[48:72, 90:112] = [60, 140, 70]
    holed[4:16, 4:16] = [190, 60, 50]
    mask = subject_by_colour(holed).mask
    assert mask[60, 101] and not mask[:18, :18].any()
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_a_flat_picture_is_not_called_clear() -> None:
    assert not Foreground(np.zeros((9, 9), bool), "").is_clear
    assert not Foreground(np.ones((9, 9), bool), "").is_clear
    flat = subject_by_colour(np.full((40, 40, 3), 90, np.uint8))
    assert flat.mask.shape == (40, 40) and np.isfinite(flat.share)
    assert subject_by_colour(np.full((1, 1, 3), 90, np.uint8)).mask.shape == (1, 1)


def test_every_sample_has_a_subject() -> None:
    model = cc.load_model("mobilenet_v2", device="cpu")
    shares = [
        subject_of(model.preprocess(cc.load_image(s.path)).shown_rgb, light_on_dark=False).share
        for s in list_samples()
        if s.kind == "photo"
    ]
    assert len(shares) == 24 and min(shares) > 0.1 and max(shares) < 0.7


def test_brightness_is_cut_where_otsu_cuts() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    rgb[8:20, 8:30] //= 4
    grey = np.round(rgb @ [0.299, 0.587, 0.114])
    spread = []
    for threshold in range(256):  # the definition: the largest variance between the two classes
        low, high = grey[grey <= threshold], grey[grey > threshold]
        both = len(low) and len(high)
        spread.append(len(low) * len(high) * (low.mean() - high.mean()) ** 2 if both else 0)
    np.testing.assert_array_equal(subject_by_brightness(rgb).mask, grey > int(np.argmax(spread)))


def test_edges_are_sobels() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (21, 17, 3), dtype=np.uint8)
    luma = torch.tensor(rgb @ np.array([0.299, 0.587, 0.114]))[None, None]
    padded = torch.nn.functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
    across, down = (torch.nn.functional.conv2d(padded, k[None, None])[0, 0] for k in (kernel, kernel.T))
    size = (across**2 + down**2).sqrt().numpy()
    expected = np.clip(size / np.percentile(size, 99), 0, 1)
    light, dark = edges_only(rgb, light_on_dark=True), edges_only(rgb)
    assert np.abs(light[..., 0] - 255 * expected).max() <= 0.5 + 1e-6  # rounded to levels
    assert np.abs(255 - dark.astype(int) - light).max() <= 1
    assert (light == light[..., :1]).all()
    assert (edges_only(np.full((8, 8, 3), 50, np.uint8)) == 255).all()


def test_silhouettes_are_two_tones() -> None:
    mask = np.eye(6, dtype=bool)
    assert (silhouette(mask)[mask] == 0).all() and (silhouette(mask)[~mask] == 255).all()
    np.testing.assert_array_equal(silhouette(mask, light_on_dark=True), 255 - silhouette(mask))


def test_reaching_is_by_steps_inside() -> None:
    within = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0]], bool)
    start = np.zeros_like(within)
    start[0, 0] = True
    expected = within.copy()
    expected[:2, 3] = False  # a corner is no way through
    np.testing.assert_array_equal(_reached(start, within), expected)
