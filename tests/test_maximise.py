"""Activation maximisation: it rises, the seed repeats it bit for bit, and nothing global or shared is touched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.errors import InvalidLayer, InvalidOption, InvalidUnit, UnknownClass
from cnn_core.maximise import (
    MaximiseSettings,
    MaximiseStep,
    _blurred,
    _smooth_first,
    _total_variation,
    maximise_channel,
    maximise_class,
)

from .saliency_networks import classifier_of

QUICK = MaximiseSettings(steps=16, side=64, jitter=4)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


def answer(classifier: cc.Classifier, rgb: np.ndarray, layer: str) -> torch.Tensor:
    name = classifier.network[layer].name
    with torch.no_grad():
        return classifier.network.run(classifier.card.preprocessing.from_rgb(rgb).tensor, keep=(name,))[name][0]


@pytest.mark.parametrize(("layer", "channel"), [("features.3.conv.1.2", 20), ("features.7", 10), ("features.14", 3)])
def test_a_channel_rises(classifier: cc.Classifier, layer: str, channel: int) -> None:
    found = maximise_channel(classifier, layer, channel, settings=QUICK)
    value = float(answer(classifier, found.rgb, layer)[channel].mean())
    assert found.end_value == pytest.approx(value, abs=1e-6)
    assert found.peak == pytest.approx(float(answer(classifier, found.rgb, layer)[channel].max()), abs=1e-6)
    # At least twice its start, and by a clear amount; measured 2.5 to 7 times after 16 steps.
    assert found.end_value > max(2 * found.start_value, found.start_value + 0.1)
    assert found.values.shape == (16,) and found.values[-1] > found.values[0]
    assert found.rgb.shape == (64, 64, 3) and found.rgb.dtype == np.uint8 and not found.was_stopped


def test_a_class_rises_to_the_top(classifier: cc.Classifier) -> None:
    found = maximise_class(classifier, "lemon", settings=MaximiseSettings(steps=40, side=96))
    lemon = classifier.class_index("lemon")
    logits = answer(classifier, found.rgb, classifier.network.output)
    assert int(logits.argmax()) == lemon and found.end_value == pytest.approx(float(logits[lemon]), abs=1e-5)
    # Measured: from 0.05 to 40.
    assert found.end_value > found.start_value + 10 and "lemon" in found.label and found.peak is None


def test_a_channel_that_is_off_at_the_start_is_reached(classifier: cc.Classifier) -> None:
    """ReLU6 holds the whole map at 0 on noise, where it has no gradient."""
    found = maximise_channel(classifier, "features.18.2", 100, settings=QUICK)
    assert found.start_value == 0.0 and found.end_value > 0.5


def test_the_seed_repeats_the_picture(classifier: cc.Classifier) -> None:
    settings = MaximiseSettings(steps=4, side=48)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    grads = [p.grad for p in classifier.module.parameters()]
    first = maximise_channel(classifier, "features.7", 10, settings=settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert grads == [p.grad for p in classifier.module.parameters()] == [None] * len(grads)
    torch.manual_seed(8)
    with torch.no_grad():
        again = maximise_channel(classifier, "features.7", 10, settings=settings)
    np.testing.assert_array_equal(first.rgb, again.rgb)
    np.testing.assert_array_equal(first.values, again.values)
    other = maximise_channel(classifier, "features.7", 10, settings=MaximiseSettings(steps=4, side=48, seed=1))
    assert not np.array_equal(first.rgb, other.rgb)


def test_progress_and_stop(classifier: cc.Classifier) -> None:
    told: list[MaximiseStep] = []
    found = maximise_channel(
        classifier,
        "features.3.conv.1.2",
        1,
        settings=MaximiseSettings(steps=9, side=32),
        on_step=told.append,
        should_stop=lambda: len(told) == 3,
    )
    assert found.was_stopped and [s.step for s in told] == [1, 2, 3] and told[0].steps == 9
    assert [s.value for s in told] == found.values.tolist()
    np.testing.assert_array_equal(told[-1].rgb, found.rgb)


def test_a_grey_network() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    found = maximise_class(lenet, 3, settings=MaximiseSettings(steps=32, jitter=2))
    assert found.rgb.shape == (28, 28, 3) and (found.rgb == found.rgb[..., :1]).all()
    assert int(answer(lenet, found.rgb, lenet.network.output).argmax()) == 3


class _Red(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)
        self.linear = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, -1.0]]).view(2, 3, 1, 1))
            self.conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.conv(x).mean((2, 3)))


def test_known_answers() -> None:
    """A channel that reads red makes a red picture, and leaves green and blue near grey; L2 pulls towards grey."""
    classifier = classifier_of(_Red(), size=16)
    free = MaximiseSettings(steps=40, l2=0, total_variation=0, blur=0, side=16, jitter=0)
    red = maximise_channel(classifier, "conv", 0, settings=free)  # type: ignore[arg-type]
    assert (red.rgb[..., 0] == 255).all() and np.abs(red.rgb[..., 1:].astype(int) - 128).max() < 40
    assert red.end_value == pytest.approx(1)
    dark = maximise_channel(classifier, "conv", 1, settings=free)  # type: ignore[arg-type]
    assert (dark.rgb[..., 2] == 0).all()
    held = maximise_channel(classifier, "conv", 0, settings=MaximiseSettings(steps=40, l2=20, side=16, step_size=0.02))  # type: ignore[arg-type]
    assert held.end_value < 0.7


def test_penalties_and_filters() -> None:
    x = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    by_hand = 0.0
    for plane in x[0].double().numpy():
        down, right = np.diff(plane, axis=0, append=plane[-1:]), np.diff(plane, axis=1, append=plane[:, -1:])
        by_hand += float(np.sqrt(down**2 + right**2 + 1e-6).sum())
    assert float(_total_variation(x)) == pytest.approx(by_hand, rel=1e-5)
    flat = torch.full((1, 3, 9, 9), 0.3)
    torch.testing.assert_close(_blurred(flat, 0.7), flat)
    blurred = _blurred(x, 1.0)
    assert blurred.shape == x.shape and float(_total_variation(blurred)) < float(_total_variation(x))
    torch.testing.assert_close(_smooth_first(x, 0.0), x)
    waves = [torch.cos(2 * np.pi * k * torch.arange(16) / 16).expand(1, 1, 16, 16) for k in (1, 4)]
    slow, fast = (_smooth_first(w, 1.0).abs().max() for w in waves)
    # Frequencies 1/16 and 4/16: divided by themselves.
    assert float(slow / fast) == pytest.approx(4, rel=1e-5)


def test_refusals(classifier: cc.Classifier) -> None:
    for settings in (
        {"steps": 0},
        {"step_size": 0.0},
        {"l2": -1.0},
        {"blur": float("nan")},
        {"side": 4},
        {"jitter": -1},
    ):
        with pytest.raises(InvalidOption):
            MaximiseSettings(**settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidLayer):
        maximise_channel(classifier, "classifier.1", 0, settings=QUICK)
    with pytest.raises(InvalidUnit):
        maximise_channel(classifier, "features.3", 999, settings=QUICK)
    with pytest.raises(UnknownClass):
        maximise_class(classifier, "no such class", settings=QUICK)
    lenet = cc.load_model("lenet5", device="cpu")
    with pytest.raises(InvalidOption, match="40 × 40"):
        maximise_class(lenet, 3, settings=MaximiseSettings(side=40))
