"""One channel on trial: changed pictures, answers against plain torch with a hook, and the channel switched off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnn_core as cc
from cnn_core.channel_bench import (
    ChannelTaste,
    Variant,
    channel_taste,
    patch_side,
    shuffle_patches,
    to_grey,
    turn_hue,
    without_channel,
)

ROOT = Path(__file__).resolve().parent.parent
LAYER, CHANNEL = "features.6.conv.3", 5  # the batch normalisation that ends block 6: signed maps


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def trace(classifier: cc.Classifier) -> cc.Trace:
    return cc.trace(classifier, cc.load_image(ROOT / "assets" / "samples" / "scarlet_macaw.jpg"))


def hooked(classifier: cc.Classifier, rgb: np.ndarray, edit: Callable[[torch.Tensor], torch.Tensor] | None = None):
    """The layer's output and the logits by a forward hook on the module itself, one picture at a time."""
    seen: list[torch.Tensor] = []

    def hook(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        seen.append(output.clone())
        return output if edit is None else edit(output.clone())

    handle = classifier.module.get_submodule(LAYER).register_forward_hook(hook)
    try:
        with torch.no_grad():
            logits = classifier.module(classifier.card.preprocessing.from_rgb(rgb).tensor)
    finally:
        handle.remove()
    return seen[0][0].numpy(), logits[0]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)


def test_grey_is_pillows_luma(picture: np.ndarray) -> None:
    expected = np.asarray(Image.fromarray(picture).convert("L")).astype(int)
    grey = to_grey(picture).astype(int)
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey[..., 0] - expected).max() <= 1  # Pillow rounds in fixed point


def test_turned_hues_keep_brightness_and_turn_back(picture: np.ndarray) -> None:
    calm = (96 + picture // 4).astype(np.uint8)  # far enough from 0 and 255 that nothing is cut
    turned = turn_hue(calm)
    luma = np.array([0.299, 0.587, 0.114])
    assert np.abs(turned @ luma - calm @ luma).max() <= 0.5  # the rounding of the channels
    assert np.abs(turn_hue(turned).astype(int) - calm).max() <= 2
    assert turn_hue(np.array([[[200, 40, 40]]], np.uint8))[0, 0].argmin() == 0  # red turns to cyan


@pytest.mark.parametrize("patch", [2, 7, 28])
def test_shuffling_moves_patches_whole(picture: np.ndarray, patch: int) -> None:
    shuffled = shuffle_patches(picture, patch, seed=1)

    def patches(rgb: np.ndarray) -> list[bytes]:
        rows, columns = rgb.shape[0] // patch, rgb.shape[1] // patch
        return sorted(
            rgb[i * patch : (i + 1) * patch, j * patch : (j + 1) * patch].tobytes()
            for i in range(rows)
            for j in range(columns)
        )

    assert patches(shuffled) == patches(picture)
    edge = (picture.shape[0] // patch * patch, picture.shape[1] // patch * patch)
    assert np.array_equal(shuffled[edge[0] :], picture[edge[0] :])
    assert np.array_equal(shuffled[:, edge[1] :], picture[:, edge[1] :])
    assert np.array_equal(shuffled, shuffle_patches(picture, patch, seed=1))
    if patch == 2:
        assert not np.array_equal(shuffled, picture)


def test_patches_are_smaller_than_the_window() -> None:
    assert [patch_side(size) for size in (1, 3, 11, 40, 299)] == [2, 2, 5, 20, 28]


def test_answers_are_the_modules_own(classifier: cc.Classifier, trace: cc.Trace) -> None:
    taste = channel_taste(classifier, trace, LAYER, CHANNEL)
    assert list(taste.variants) == ["picture", "grey", "hue", "shuffled"]
    assert np.array_equal(taste.variants["picture"].shown_rgb, trace.input.shown_rgb)
    plain = hooked(classifier, trace.input.shown_rgb)[0][CHANNEL]
    for variant in taste.variants.values():
        expected = hooked(classifier, variant.shown_rgb)[0][CHANNEL]
        # A batch of four may be summed in another order than one picture: float32 rounding.
        np.testing.assert_allclose(variant.map, expected, rtol=1e-4, atol=1e-4)
        assert variant.mean == pytest.approx(float(expected.mean()), abs=1e-4)
        change = (float(expected.mean()) - float(plain.mean())) / float(np.abs(plain).mean())
        assert variant.change == pytest.approx(change, abs=1e-3)
    assert taste.variants["picture"].change == 0


def taste_with(grey: float, hue: float, shuffled: float) -> ChannelTaste:
    blank = np.zeros((2, 2), np.float32)
    changes = {"picture": 0.0, "grey": grey, "hue": hue, "shuffled": shuffled}
    return ChannelTaste(
        "a", 0, 4, {k: Variant(k, k, np.zeros((2, 2, 3), np.uint8), blank, 0, c) for k, c in changes.items()}
    )


@pytest.mark.parametrize(
    ("grey", "hue", "shuffled", "verdict"),
    [
        (-0.6, -0.1, 0.2, "colour"),
        (0.05, -0.7, -0.3, "colour"),
        (0.1, 0.2, -0.4, "shape"),
        (0.05, -0.09, 0.02, "neither"),
    ],
)
def test_the_verdict_is_the_larger_change(grey: float, hue: float, shuffled: float, verdict: str) -> None:
    assert taste_with(grey, hue, shuffled).verdict == verdict


def test_switching_off_is_what_a_hook_does(classifier: cc.Classifier, trace: cc.Trace) -> None:
    def zero(output: torch.Tensor) -> torch.Tensor:
        output[:, CHANNEL] = 0
        return output

    off = without_channel(classifier, trace, LAYER, CHANNEL)
    expected = torch.softmax(hooked(classifier, trace.input.shown_rgb, zero)[1].double(), 0)
    assert [p.index for p in off.before] == [p.index for p in trace.top(5)]
    assert [p.index for p in off.after] == expected.topk(5).indices.tolist()
    np.testing.assert_allclose(off.kept, [float(expected[p.index]) for p in off.before], atol=1e-5)  # float32 pass
    for prediction in off.after:
        assert prediction.probability == pytest.approx(float(expected[prediction.index]), abs=1e-5)
        assert prediction.name == classifier.class_names[prediction.index]
    # The shared trace is as it was.
    np.testing.assert_array_equal(trace.activation(LAYER), cc.trace(classifier, trace.input).activation(LAYER))


def test_at_a_linear_head_the_loss_is_the_channels_share(classifier: cc.Classifier, trace: cc.Trace) -> None:
    """Before global pooling and one linear layer, a channel's worth is its weight times its mean (SALIENCY: CAM)."""
    head = classifier.network.linear_head()
    assert head is not None
    maps = trace.activation(head.maps)
    channel = int(maps.mean(axis=(1, 2)).argmax())
    off = without_channel(classifier, trace, head.maps, channel, k=3)
    for before in off.before:
        after = {p.index: p.logit for p in without_channel(classifier, trace, head.maps, channel, k=1000).after}
        share = float(head.weight[before.index, channel]) * float(maps[channel].mean(dtype=np.float64))
        # float32 sums of 1280 terms of size up to 1.
        assert before.logit - after[before.index] == pytest.approx(share, abs=2e-5)


def test_refusals(classifier: cc.Classifier, trace: cc.Trace) -> None:
    with pytest.raises(cc.InvalidLayer, match="no maps"):
        channel_taste(classifier, trace, "classifier.1", 0)
    with pytest.raises(cc.InvalidUnit, match="channels 0 to"):
        channel_taste(classifier, trace, LAYER, 10_000)
    with pytest.raises(cc.InvalidUnit):
        without_channel(classifier, trace, LAYER, -1)
    with pytest.raises(cc.InvalidLayer):
        without_channel(classifier, trace, "no.such.layer", 0)


def test_a_dead_channel_has_no_taste(classifier: cc.Classifier, trace: cc.Trace) -> None:
    """A grey network on a black picture: all-zero maps give no division by zero."""
    lenet = cc.load_model("lenet5", device="cpu")
    dark = cc.trace(lenet, cc.load_image(Image.new("RGB", (28, 28))))
    layer = lenet.network.map_layers()[1]
    taste = channel_taste(lenet, dark, layer.name, 0)
    assert all(np.isfinite(variant.change) for variant in taste.variants.values())
    assert taste.verdict == "neither"
