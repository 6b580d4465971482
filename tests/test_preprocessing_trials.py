"""Sabotaged preprocessing: the wrong tensors against torchvision's transforms, the answers against a plain pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as tv

import cnn_core as cc
from cnn_core import preprocessing_trials as module
from cnn_core.preprocessing_trials import PreprocessingTrials, list_sabotages, preprocessing_trials

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("squeezenet1_1", device="cpu")


@pytest.fixture(scope="module")
def picture() -> cc.Picture:
    return cc.load_image(SAMPLES / "dog.jpg")


@pytest.fixture(scope="module")
def results(classifier: cc.Classifier, picture: cc.Picture) -> PreprocessingTrials:
    return preprocessing_trials(classifier, picture)


def cropped(image: Image.Image) -> Image.Image:
    return tv.center_crop(tv.resize(image, 256, tv.InterpolationMode.BILINEAR), 224)


def finished(image: Image.Image) -> torch.Tensor:
    return tv.normalize(tv.to_tensor(image), MEAN, STD)


# What each mistake is, written once more with torchvision and Pillow.
INDEPENDENT: dict[str, Callable[[Image.Image], torch.Tensor]] = {
    "bgr": lambda image: tv.normalize(tv.to_tensor(cropped(image)).flip(0), MEAN, STD),
    "levels": lambda image: tv.pil_to_tensor(cropped(image)).float(),
    "not_normalised": lambda image: tv.to_tensor(cropped(image)),
    "other_mean_std": lambda image: tv.normalize(tv.to_tensor(cropped(image)), [0.5] * 3, [0.5] * 3),
    "twice": lambda image: tv.normalize(finished(cropped(image)), MEAN, STD),
    "quarter_turn": lambda image: finished(cropped(image.transpose(Image.Transpose.ROTATE_90))),
    "squeezed": lambda image: finished(image.resize((224, 224), Image.Resampling.BILINEAR)),
    "not_resized": lambda image: finished(tv.center_crop(image, [224, 224])),
    "layout": lambda image: tv.normalize(
        torch.from_numpy(np.array(cropped(image))).view(3, 224, 224).float() / 255, MEAN, STD
    ),
    "other_interpolation": lambda image: finished(
        tv.center_crop(tv.resize(image, 256, tv.InterpolationMode.BICUBIC), 224)
    ),
}


def test_every_colour_mistake_has_an_independent_twin(classifier: cc.Classifier) -> None:
    assert {entry.key for entry in list_sabotages(classifier.card.preprocessing)} == set(INDEPENDENT)


@pytest.mark.parametrize("key", INDEPENDENT)
def test_wrong_tensors_are_what_they_say(classifier: cc.Classifier, picture: cc.Picture, key: str) -> None:
    preprocessing = classifier.card.preprocessing
    (entry,) = (entry for entry in list_sabotages(preprocessing) if entry.key == key)
    made = entry.make(preprocessing, picture, preprocessing.apply(picture))
    # Values reach 255 and are rounded in float32 in another order: a few units of the 24th bit.
    torch.testing.assert_close(made[0], INDEPENDENT[key](Image.fromarray(picture.rgb)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", ["levels", "quarter_turn", "layout"])
def test_answers_are_the_networks_own(
    classifier: cc.Classifier, picture: cc.Picture, results: PreprocessingTrials, key: str
) -> None:
    with torch.no_grad():
        logits = classifier.module(INDEPENDENT[key](Image.fromarray(picture.rgb))[None])[0].double()
    trial = results[key]
    # Alone or in a batch the convolutions sum in another order; logits are of the order of 100 for raw bytes.
    assert trial.target_logit == pytest.approx(float(logits[results.target_index]), rel=1e-4, abs=1e-3)
    assert trial.top_index == int(logits.argmax())
    assert trial.target_probability == pytest.approx(float(logits.softmax(0)[results.target_index]), abs=1e-3)
    assert trial.top_name == classifier.class_names[trial.top_index]


def test_done_right_is_the_trace(classifier: cc.Classifier, picture: cc.Picture, results: PreprocessingTrials) -> None:
    seen = classifier.preprocess(picture)
    top = cc.trace(classifier, seen).top(1)[0]
    assert (results.target_index, results.target_name) == (top.index, top.name)
    assert results.right.target_probability == pytest.approx(top.probability, abs=1e-5)  # batch of 11 against 1
    assert results.right.drop == 0 and results.right.unchanged
    np.testing.assert_array_equal(results.right.read_rgb, seen.shown_rgb)


def test_drop_and_order(results: PreprocessingTrials) -> None:
    for trial in results.trials:
        assert trial.drop == results.right.target_probability - trial.target_probability
        assert trial.target_probability == pytest.approx(np.exp(trial.target_log_probability), rel=1e-12)
        assert trial.read_rgb.shape == (224, 224, 3) and trial.read_rgb.dtype == np.uint8
    probabilities = [trial.target_probability for trial in results.ranked]
    assert probabilities == sorted(probabilities)
    assert {trial.key for trial in results.ranked} == {trial.key for trial in results.trials}


def test_a_grey_picture_has_no_red_and_blue_to_swap(classifier: cc.Classifier, picture: cc.Picture) -> None:
    grey = cc.load_image(Image.fromarray(picture.rgb).convert("L"))
    results = preprocessing_trials(classifier, grey)
    assert results["bgr"].unchanged and results["bgr"].drop == pytest.approx(0, abs=1e-6)
    assert not results["levels"].unchanged


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (224, 224)])
def test_odd_pictures(classifier: cc.Classifier, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    picture = cc.load_image(Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)))
    results = preprocessing_trials(classifier, picture)
    assert all(np.isfinite(trial.target_log_probability) for trial in results.trials)


def test_a_grey_network_has_its_own_mistakes() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    results = preprocessing_trials(lenet, cc.load_image(SAMPLES / "koala.jpg"))
    keys = {trial.key for trial in results.trials}
    assert "swapped_light" in keys and not keys & {"bgr", "layout"}
    side = lenet.card.preprocessing.crop
    assert results["swapped_light"].read_rgb.shape == (side, side, 3)
    light = results.right.read_rgb.astype(int) + results["swapped_light"].read_rgb
    assert (light == 255).all()


def test_an_unknown_trial_names_the_valid_ones(results: PreprocessingTrials) -> None:
    with pytest.raises(cc.InvalidOption, match="bgr"):
        results["no such mistake"]


def test_the_registry_refuses_a_duplicate(classifier: cc.Classifier) -> None:
    entry = list_sabotages(classifier.card.preprocessing)[0]
    with pytest.raises(ValueError, match=entry.key):
        module._register(entry)
