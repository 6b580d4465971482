"""The trial: regions of equal area, honest removal, and a verdict that follows from the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from cnn_core.errors import InvalidOption
from cnn_core.saliency import explain, on_trial
from cnn_core.saliency.removal import edge_strength, gaussian_blur, moved_region, substitute, top_region, without

from .saliency_networks import PlainInput, RedPatch, classifier_of

RANDOM = np.random.default_rng(0)
SIZE = 32


def red_patch_picture(*, textured: bool) -> np.ndarray:
    """A red square of 8 x 8 pixels on grey; `textured` adds strong black and white stripes elsewhere."""
    rgb = np.full((SIZE, SIZE, 3), 90, dtype=np.uint8)
    if textured:
        rgb[20:30, ::2] = 0
        rgb[20:30, 1::2] = 255
    rgb[4:12, 6:14] = (250, 90, 90)
    return rgb


def test_top_region_takes_exactly_n_and_the_largest() -> None:
    values = RANDOM.normal(size=(13, 17))
    mask = top_region(values, 40)
    assert mask.sum() == 40
    assert values[mask].min() > values[~mask].max()
    assert top_region(np.zeros((3, 3)), 4).sum() == 4  # equal values: still exactly n


def test_moved_region_keeps_area_and_is_repeatable() -> None:
    for shape in ((32, 32), (20, 33)):
        mask = np.zeros(shape, dtype=bool)
        mask[3:9, 4:12] = True
        moved = [moved_region(mask, seed) for seed in range(20)]
        assert all(m.shape == shape and m.sum() == mask.sum() for m in moved)
        assert len({m.tobytes() for m in moved}) > 15
        assert (moved_region(mask, 7) == moved[7]).all()
        # Compactness: the border between in and out, around the torus, is as long as before.
        border = lambda m: sum((m != np.roll(m, 1, axis)).sum() for axis in (0, 1))  # noqa: E731
        assert {border(m) for m in moved} == {border(mask)}


def test_edges_are_sobel() -> None:
    rgb = RANDOM.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    grey = torch.from_numpy(rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))[None, None]
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
    padded = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across, down = (functional.conv2d(padded, k[None, None]) for k in (kernel, kernel.T))
    # float64 on both sides, sums of six products up to 1020
    np.testing.assert_allclose(edge_strength(rgb, sigma=0), torch.hypot(across, down)[0, 0], atol=1e-10)


def test_blur_is_a_mean() -> None:
    assert np.allclose(gaussian_blur(np.full((9, 5), 3.0), 2.0), 3.0)
    spike = np.zeros((41, 41))
    spike[20, 20] = 1.0
    blurred = gaussian_blur(spike, 2.0)
    rows = np.arange(41) - 20
    assert blurred.sum() == pytest.approx(1.0) and blurred[20, 20] == blurred.max()
    assert (blurred.sum(axis=1) * rows**2).sum() == pytest.approx(4.0, rel=1e-3)  # variance = sigma squared


@pytest.mark.parametrize("fill", ["mean", "blur", "grey", "noise"])
def test_only_the_region_changes(fill: str) -> None:
    rgb = RANDOM.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    mask = np.zeros((20, 24), dtype=bool)
    mask[5:10, 5:10] = True
    removed = without(rgb, mask, fill)  # type: ignore[arg-type]
    assert (removed[~mask] == rgb[~mask]).all() and removed.dtype == np.uint8
    if fill == "grey":
        assert (removed[mask] == 128).all()
    elif fill == "mean":
        assert (removed[mask] == np.round(rgb.mean(axis=(0, 1)))).all()
    elif fill == "noise":
        assert (without(rgb, mask, "noise") == removed).all() and (without(rgb, mask, "noise", seed=1) != removed).any()
        whole = substitute(rgb, "noise").astype(float)
        # 480 samples of a normal distribution cut at 0 and 255: the mean within 5 standard errors
        assert np.abs(whole.mean(axis=(0, 1)) - rgb.mean(axis=(0, 1))).max() < 5 * rgb.std() / np.sqrt(480)
    else:
        assert removed[mask].std() < rgb[mask].std() / 4


def test_the_red_square_is_found_and_the_trial_supports_it() -> None:
    """The network's logit is 10 x the mean of relu(red - green): what each removal must cost is known by hand."""
    classifier = classifier_of(RedPatch(), size=SIZE)
    model_input = PlainInput.of(red_patch_picture(textured=True))
    found = explain(classifier, model_input, target="red")
    # Stripes are grey, so all the evidence lies on the square, and 10 % of the picture asks for more than there is.
    trial = on_trial(classifier, model_input, found, fraction=0.1, fill="grey")
    assert (trial.marked.mask == (found.values > 0)).all()
    assert trial.area == 64 / SIZE**2
    before = 10 * 64 * (160 / 255) / SIZE**2
    assert trial.before.logit == pytest.approx(before, rel=1e-5)  # float32 sums of 1024 cells
    assert trial.marked.logit == pytest.approx(0.0, abs=1e-6)
    for reading in (*trial.random, trial.edges):
        left = (found.values[~reading.mask] > 0).sum() / 64
        assert reading.logit == pytest.approx(before * left, rel=1e-5, abs=1e-6)
    assert trial.rest.logit == pytest.approx(before, rel=1e-5)  # the square alone is enough
    assert trial.verdict == "supported" and "supports the map" in trial.sentence
    assert len(trial.random) == 5 and [r.seed for r in trial.random] == [0, 1, 2, 3, 4]
    assert trial.random_logit_mean == pytest.approx(np.mean([r.logit for r in trial.random]))
    assert trial.random_logit_spread == pytest.approx(np.std([r.logit for r in trial.random], ddof=1))
    assert trial.before.probability == pytest.approx(1 / (1 + np.exp(-before)), rel=1e-5)


def test_a_map_that_points_elsewhere_is_not_supported() -> None:
    """A map of the wrong class: 'grey' is the other logit, and falls nowhere by removing the red square."""
    classifier = classifier_of(RedPatch(), size=SIZE)
    model_input = PlainInput.of(red_patch_picture(textured=False))
    right = explain(classifier, model_input, target="red")
    values = np.array(right.values[::-1, ::-1])  # the square's mirror image: background
    trial = on_trial(classifier, model_input, replace(right, values=values), fill="grey")
    assert trial.marked.logit == pytest.approx(trial.before.logit)
    assert trial.verdict == "not supported" and "cost nothing" in trial.sentence


def test_an_edge_detector_that_does_as_well_takes_the_credit() -> None:
    """A map that is nothing but edges: it finds the one square on flat ground, and so does the edge detector."""
    classifier = classifier_of(RedPatch(), size=SIZE)
    rgb = np.full((SIZE, SIZE, 3), 90, dtype=np.uint8)
    rgb[15:18, 15:18] = (250, 90, 90)
    model_input = PlainInput.of(rgb)
    right = explain(classifier, model_input, target="red")
    edges = edge_strength(rgb, sigma=0.5).astype(np.float32)  # half of the map's stride of 1
    mask = top_region(edges, round(0.04 * edges.size))
    elsewhere = [seed for seed in range(20) if not moved_region(mask, seed)[15:18, 15:18].all()][:5]
    trial = on_trial(classifier, model_input, replace(right, values=edges), fraction=0.04, seeds=elsewhere)
    assert trial.marked.mask[15:18, 15:18].all() and trial.edges.mask[15:18, 15:18].all()
    assert trial.marked.logit == trial.edges.logit < min(reading.logit for reading in trial.random)
    assert trial.verdict == "no better than edges" and "no credit of its own" in trial.sentence


def test_margins_and_probabilities_are_read_alike() -> None:
    classifier = classifier_of(RedPatch(), size=SIZE)
    model_input = PlainInput.of(red_patch_picture(textured=True))
    found = explain(classifier, model_input, target=("red", "grey"))
    trial = on_trial(classifier, model_input, found, seeds=[0], fill="mean")
    one = on_trial(classifier, model_input, explain(classifier, model_input, target="red"), seeds=[0], fill="mean")
    assert trial.before.logit == pytest.approx(one.before.logit)  # the other logit is 0
    assert trial.before.probability == pytest.approx(2 * one.before.probability - 1)  # p - (1 - p)
    assert trial.random_logit_spread == 0.0
    assert "red rather than grey" in trial.sentence and "margin" in trial.sentence


def test_refusals() -> None:
    classifier = classifier_of(RedPatch(), size=SIZE)
    model_input = PlainInput.of(red_patch_picture(textured=True))
    found = explain(classifier, model_input, target="red")
    for options in ({"fraction": 0.0}, {"fraction": 1.0}, {"seeds": []}, {"fill": "sand"}):
        with pytest.raises(InvalidOption):
            on_trial(classifier, model_input, found, **options)  # type: ignore[arg-type]
    grey = PlainInput.of(np.full((SIZE, SIZE, 3), 90, dtype=np.uint8))
    with pytest.raises(InvalidOption, match="another picture"):
        on_trial(classifier, grey, found)
    with pytest.raises(InvalidOption, match="no claim"):
        on_trial(classifier, grey, explain(classifier, grey, target="red"))
