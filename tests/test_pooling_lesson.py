"""Pooling put to the test: windows against plain loops, and the measured changes against passes through the module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnn_core as cc
from cnn_core.pooling_lesson import (
    NOISE_STANDARD_DEVIATION,
    PoolingRule,
    liveliest_channel,
    most_divided_channel,
    noisy_inputs,
    pooling_rule,
    pooling_trial,
    share_of_zeros,
    shifted_inputs,
)

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("squeezenet1_1", device="cpu")


@pytest.fixture(scope="module")
def seen(classifier: cc.Classifier) -> cc.ModelInput:
    return classifier.preprocess(SAMPLES / "panda.jpg")


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_rule_equals_plain_loops(kind: str, window: int, stride: int) -> None:
    maps = np.random.default_rng(1).normal(size=(2, 7, 9)).astype(np.float32)
    rule = PoolingRule(kind, (window, window), (stride, stride))  # type: ignore[arg-type]
    take = np.max if kind == "max" else np.mean
    rows, columns = (7 - window) // stride + 1, (9 - window) // stride + 1
    wanted = [
        [
            [take(m[i * stride : i * stride + window, j * stride : j * stride + window]) for j in range(columns)]
            for i in range(rows)
        ]
        for m in maps
    ]
    # float32 sums of at most nine numbers of order one
    np.testing.assert_allclose(rule.apply(torch.from_numpy(maps)[None])[0].numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_rule_of_the_networks_own_layers(classifier: cc.Classifier, seen: cc.ModelInput) -> None:
    trace = cc.trace(classifier, seen)
    own = [o for o in classifier.network.map_layers() if o.kind == "max_pool2d"]
    assert len(own) == 3
    for operation in own:
        pooled = pooling_rule(operation).apply(trace.tensor(operation.inputs[0]))
        np.testing.assert_array_equal(pooled[0].numpy(), trace.activation(operation.name))


def test_no_rule_for_other_operations(classifier: cc.Classifier) -> None:
    with pytest.raises(cc.InvalidLayer, match="no pooling layer"):
        pooling_rule(classifier.network["features.0"])


@pytest.mark.parametrize("bad", [{"kind": "median"}, {"stride": (0, 1)}, {"kernel_size": (0, 0)}, {"padding": (-1, 0)}])
def test_rules_are_checked(bad: dict[str, object]) -> None:
    settings: dict[str, object] = {"kind": "max", "kernel_size": (2, 2), "stride": (2, 2)}
    with pytest.raises(cc.InvalidOption):
        PoolingRule(**(settings | bad))  # type: ignore[arg-type]


def test_shifts_move_the_content_by_one_pixel(classifier: cc.Classifier, seen: cc.ModelInput) -> None:
    up, down, left, right = shifted_inputs(classifier, seen)
    x = seen.tensor
    assert torch.equal(up[:, :, :-1], x[:, :, 1:]) and torch.equal(down[:, :, 1:], x[:, :, :-1])
    assert torch.equal(left[..., :-1], x[..., 1:]) and torch.equal(right[..., 1:], x[..., :-1])
    # Real pixels come in: the row under the crop on the resized picture.
    top, column, height, width = seen.crop
    below = seen.resized_rgb[top + height, column : column + width]
    entered = classifier.card.preprocessing.from_rgb(below[None]).tensor
    assert torch.equal(up[:, :, -1:], entered)


def test_a_crop_at_the_pictures_edge_repeats_it(classifier: cc.Classifier) -> None:
    whole = classifier.card.preprocessing.from_rgb(np.asarray(Image.open(SAMPLES / "panda.jpg"))[:224, :224])
    up, *_ = shifted_inputs(classifier, whole)
    assert torch.equal(up[:, :, -1], whole.tensor[:, :, -1])


def test_noise_has_the_stated_size_and_seeds(seen: cc.ModelInput) -> None:
    first, again = noisy_inputs(seen), noisy_inputs(seen)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    light = (first[0] - seen.tensor) * torch.tensor(seen.std).view(1, 3, 1, 1)
    # 150,528 draws: the standard deviation is known to 0.2 %; 1 % is five of these.
    assert float(light.std()) == pytest.approx(NOISE_STANDARD_DEVIATION, rel=0.01)


def test_changes_equal_passes_through_the_module(classifier: cc.Classifier, seen: cc.ModelInput) -> None:
    trial = pooling_trial(classifier, seen, "features.1", window=3, stride=2)
    front = classifier.module.get_submodule("features")[:2]

    def maps(x: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return front(x)[0].double().numpy()

    def relative(moved: np.ndarray, still: np.ndarray) -> float:
        return float(np.linalg.norm(moved - still) / np.linalg.norm(still))

    still = maps(seen.tensor)
    rule = PoolingRule("max", (3, 3), (2, 2))

    def pooled(a: np.ndarray) -> np.ndarray:
        return rule.apply(torch.from_numpy(a)[None])[0].numpy()

    moved = [maps(x) for x in shifted_inputs(classifier, seen)]
    noisy = [maps(x) for x in noisy_inputs(seen)]
    # One picture or nine at once: float32 convolutions sum in another order.
    close = {"rel": 1e-4}
    assert trial.before.shifts == pytest.approx([relative(m, still) for m in moved], **close)
    assert trial.before.noises == pytest.approx([relative(m, still) for m in noisy], **close)
    assert trial.maximum.shifts == pytest.approx([relative(pooled(m), pooled(still)) for m in moved], **close)
    thin = [relative(m[:, ::2, ::2], still[:, ::2, ::2]) for m in moved]
    assert trial.thinned.shifts == pytest.approx(thin, **close)
    assert trial.before.shift == pytest.approx(np.mean(trial.before.shifts))


def test_a_picture_of_one_colour_does_not_move(classifier: cc.Classifier) -> None:
    flat = classifier.preprocess(cc.load_image(Image.new("RGB", (300, 260), (90, 140, 60))))
    trial = pooling_trial(classifier, flat, "features.1")
    for change in trial.changes:
        assert change.shifts == (0, 0, 0, 0)
        assert min(change.noises) > 0


def test_layers_without_room_for_a_window_are_refused(classifier: cc.Classifier, seen: cc.ModelInput) -> None:
    with pytest.raises(cc.InvalidLayer, match="earlier layer"):
        pooling_trial(classifier, seen, "features.1", window=200)
    with pytest.raises(cc.InvalidLayer, match="no maps"):
        pooling_trial(classifier, seen, "softmax")


def test_choosing_channels() -> None:
    maps = np.zeros((3, 2, 2), dtype=np.float32)
    maps[1] = [[5, 5], [5, 9]]  # varies most, all above zero
    maps[2] = [[1, -1], [1, -1]]  # on both sides of zero
    assert liveliest_channel(maps) == 1
    assert most_divided_channel(maps) == 2
    assert share_of_zeros(maps) == pytest.approx(4 / 12)
