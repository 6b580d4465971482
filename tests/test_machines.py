"""The three machines that come with ConvLens against independent arithmetic, and what they look with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.feature import hog
from torch import nn

import cnn_core as cc
from cnn_core.training import machines
from cnn_core.training.data import load_data_set
from cnn_core.training.experiments import experiment_of
from cnn_core.training.machine_views import look_inside
from cnn_core.training.modules import cnn, mlp
from cnn_core.training.variants import pixel_permutation

N = 300
"""Test digits: an accuracy of them is right to 1.7 points (one standard error at 90 %)."""


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    _, test = load_data_set("digits")
    return test.pictures[:N], test.labels[:N]


@pytest.mark.parametrize("name", ["digits", "shuffled"])
def test_what_came_along_does_what_the_lesson_says(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures, labels = digits
    found = {one.key: one for one in machines.shipped_machines(name)}
    assert list(found) == ["hog_svm", "mlp", "cnn"]
    assert {one.shuffled for one in found.values()} == {name == "shuffled"}
    accuracies = {key: one.accuracy(pictures, labels) for key, one in found.items()}
    # The experiment's own figures, with two standard errors of 300 pictures.
    least = {"digits": (0.90, 0.88, 0.92), "shuffled": (0.5, 0.88, 0.83)}[name]
    assert all(accuracies[key] > low for key, low in zip(accuracies, least, strict=True))
    if name == "digits":
        moved = np.zeros_like(pictures)
        moved[:, 4:, 4:] = pictures[:, :-4, :-4]
        assert found["mlp"].accuracy(moved, labels) < 0.15 < 0.60 < found["cnn"].accuracy(moved, labels)


def test_scores_are_the_machines_own_sums(digits: tuple[np.ndarray, np.ndarray]) -> None:
    pictures = digits[0][:8]
    order = pixel_permutation(28)
    for name in ("digits", "shuffled"):
        seen = pictures if name == "digits" else pictures.reshape(8, -1)[:, order].reshape(8, 28, 28)
        svm, dense, shared = machines.shipped_machines(name)
        features = np.stack(
            [
                hog(p / 255, orientations=9, pixels_per_cell=(7, 7), cells_per_block=(2, 2), block_norm="L2-Hys")
                for p in seen
            ]
        )
        planes = features @ svm.weights["weights"].numpy().T + svm.weights["thresholds"].numpy()
        np.testing.assert_allclose(svm.scores(pictures), planes, atol=1e-4)  # float32 features
        x = torch.tensor((seen[:, None] / 255 - 0.1307) / 0.3081, dtype=torch.float32)
        for machine, build in ((dense, mlp), (shared, cnn)):
            module: nn.Module = build()
            module.load_state_dict(dict(machine.weights))
            with torch.no_grad():
                np.testing.assert_allclose(machine.scores(pictures), module.eval()(x).numpy(), rtol=1e-4, atol=1e-4)


def test_everywhere_is_every_place(digits: tuple[np.ndarray, np.ndarray]) -> None:
    dense = machines.shipped_machines("digits")[1]
    digit = digits[0][5]
    found = dense.everywhere(digit)
    assert found.shape == (17, 17, 10)
    for down, right in ((0, 0), (8, -8), (-3, 5)):
        rolled = np.roll(digit, (down, right), axis=(0, 1))
        # What leaves at one side does not come in at the other.
        rolled[: max(0, down)] = rolled[28 + min(0, down) :] = 0
        rolled[:, : max(0, right)] = rolled[:, 28 + min(0, right) :] = 0
        np.testing.assert_allclose(found[8 + down, 8 + right], dense.scores(rolled[None])[0], rtol=1e-5, atol=1e-5)


def test_parameters_and_multiply_adds_are_those_of_the_layers() -> None:
    svm, dense, shared = machines.shipped_machines("digits")
    assert (svm.n_parameters, dense.n_parameters, shared.n_parameters) == (3_250, 101_770, 14_378)
    assert (svm.macs, dense.macs) == (3_240, 784 * 128 + 1_280)
    assert shared.macs == 784 * 16 * 9 + 196 * 32 * 16 * 9 + 49 * 32 * 32 * 9 + 320
    assert machines.parameters_by_side(28) == (dense.n_parameters, shared.n_parameters)
    for side, channels in ((32, 3), (224, 3), (64, 1)):
        with torch.device("meta"):
            layers = nn.Sequential(nn.Linear(side * side * channels, 128), nn.Linear(128, 10))
            first = nn.Conv2d(channels, 16, 3)
        shape = sum(p.numel() for p in layers.parameters())
        change = sum(p.numel() for p in first.parameters()) - 160
        assert machines.parameters_by_side(side, channels) == (shape, 14_378 + change)
    assert machines.parameters_by_side(224, 3)[0] == 19_269_002


def test_what_each_looks_with(digits: tuple[np.ndarray, np.ndarray]) -> None:
    picture = digits[0][8]
    for name in ("digits", "shuffled"):
        trio = machines.shipped_machines(name)
        found = look_inside(*trio, picture, n_units=128)
        seen = picture if name == "digits" else picture.reshape(-1)[pixel_permutation(28)].reshape(28, 28)
        np.testing.assert_array_equal(found.seen, seen)
        _, drawn = hog(
            seen / 255,
            orientations=9,
            pixels_per_cell=(7, 7),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            visualize=True,
        )
        np.testing.assert_allclose(found.hog, drawn, atol=1e-6)
        # All units together, and the threshold, are the logit itself.
        logits = trio[1].scores(picture[None])[0]
        assert found.said == logits.argmax()
        total = found.shares.sum() + float(trio[1].weights["fc2.bias"][found.said])
        assert total == pytest.approx(float(logits.max()), rel=1e-4)
        assert (np.diff(found.shares) <= 0).all()
        x = torch.tensor((seen[None, None] / 255 - 0.1307) / 0.3081, dtype=torch.float32)
        with torch.no_grad():
            maps = trio[2].module.relu1(trio[2].module.conv1(x))[0]
        np.testing.assert_allclose(found.maps, maps.numpy(), atol=1e-5)
        np.testing.assert_array_equal(found.kernels, trio[2].weights["conv1.weight"][:, 0].numpy())
    with pytest.raises(cc.InvalidOption, match="did not learn from the same pixels"):
        look_inside(trio[0], machines.shipped_machines("digits")[1], trio[2], picture)
    with pytest.raises(cc.InvalidOption, match="in this order"):
        look_inside(trio[1], trio[0], trio[2], picture)


def test_a_run_of_the_experiment_becomes_a_machine(digits: tuple[np.ndarray, np.ndarray]) -> None:
    known = experiment_of(machines.EXPERIMENT)
    for arm in known.arms:
        assert machines.kind_of(arm.key) in ("hog_svm", "mlp", "cnn")
    small = machines.fit(known.arm("mlp_100"), 3, steps=20)
    run = cc.train(machines.EXPERIMENT, seed=3, arm="mlp_100", steps=20, evaluate_every=0)
    with torch.no_grad():
        x = torch.tensor((digits[0][:4, None] / 255 - 0.1307) / 0.3081, dtype=torch.float32)
        np.testing.assert_allclose(small.scores(digits[0][:4]), run.module()(x).numpy(), rtol=1e-4, atol=1e-4)
    assert (small.key, small.title, small.seed) == ("mlp", "MLP 784-128-10", 3)
    svm = machines.fit(known.arm("hog_svm_100"), 0)
    assert svm.recipe.n_train == 100 and svm.accuracy(*digits) > 0.7
    with pytest.raises(cc.InvalidOption, match="no network"):
        _ = svm.module
    with pytest.raises(cc.InvalidOption, match="no machines"):
        machines.shipped_machines("nobody")
