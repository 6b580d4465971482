"""Cow and camel: exact masks, grounds that follow the correlation alone, and the same pictures for a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.training.cow_camel import CLASSES, KINDS, correlation_of, cow_camel_data_set, draw_herd, trial_herd
from cnn_core.training.data import data_set, load_data_set
from cnn_core.training.measuring import to_tensor
from cnn_core.training.run import preprocessing_of


def test_a_seed_gives_the_same_pictures_and_another_one_others() -> None:
    first, again, other = (draw_herd(6, seed=seed, correlation=0.5) for seed in (3, 3, 4))
    assert np.array_equal(first.pictures, again.pictures) and not np.array_equal(first.pictures, other.pictures)
    assert np.array_equal(draw_herd(3, seed=3, correlation=0.5).pictures, first.pictures[:3])


def test_outside_the_mask_is_the_ground_and_inside_is_not() -> None:
    herd = draw_herd(20, seed=1)
    outside, inside = herd.masks == 0, herd.masks == 1
    assert np.array_equal(herd.pictures[outside], herd.empty[outside])
    apart = np.abs(herd.pictures[inside].astype(int) - herd.empty[inside].astype(int)).max(-1)
    assert (apart > 10).mean() > 0.9
    # The animal covers part of the picture, all of it in the frame's neighbourhood of the middle.
    assert 0.05 < herd.masks.mean() < 0.25 and (herd.masks.max((1, 2)) == 1).all()


def test_the_correlation_moves_grounds_and_nothing_else() -> None:
    bound, loose = (draw_herd(200, seed=5, correlation=c) for c in (1.0, 0.7))
    assert np.array_equal(bound.grounds, bound.labels)
    matching = (loose.grounds == loose.labels).mean()
    # 200 draws at 0.7: 4 standard errors.
    assert matching == pytest.approx(0.7, abs=4 * (0.7 * 0.3 / 200) ** 0.5)
    same = loose.grounds == bound.grounds
    assert np.array_equal(loose.pictures[same], bound.pictures[same])
    # On the other ground it is the same animal, but for a few that the ground would hide.
    alike = [np.array_equal(a, b) for a, b in zip(loose.masks[~same], bound.masks[~same], strict=True)]
    assert np.mean(alike) > 0.8


def test_the_three_trials_show_the_same_animals() -> None:
    herds = {kind: trial_herd(kind, 40) for kind in KINDS}
    assert np.array_equal(herds["counter"].grounds, 1 - herds["biased"].grounds)
    assert (herds["neutral"].grounds == -1).all()
    alike = [np.array_equal(a, b) for a, b in zip(herds["biased"].masks, herds["counter"].masks, strict=True)]
    assert np.mean(alike) > 0.8


def test_it_is_a_data_set_of_any_correlation() -> None:
    entry = data_set("cow_camel:80")
    train, test = load_data_set("cow_camel:80")
    assert (len(train), len(test)) == (entry.n_train, entry.n_test) and entry.class_names == CLASSES
    assert train.pictures.shape == (400, 48, 48, 3) and not train.pictures.flags.writeable
    assert (np.bincount(train.labels) == 200).all()
    assert train.pictures.mean() / 255 == pytest.approx(entry.mean, abs=0.01)
    assert train.pictures.std() / 255 == pytest.approx(entry.std, abs=0.01)
    assert not {p.tobytes() for p in train.pictures} & {p.tobytes() for p in test.pictures}
    assert cow_camel_data_set("cow_camel").key == "cow_camel:100" and correlation_of("cow_camel:50") == 50


@pytest.mark.parametrize("key", ["cow_camel:", "cow_camel:49", "cow_camel:101", "cow_camel:9x", "cow_camel:1e2"])
def test_a_correlation_that_is_none_is_said(key: str) -> None:
    with pytest.raises(cc.InvalidOption, match="cow_camel"):
        data_set(key)


def test_colours_reach_the_network_as_the_classifier_sees_them() -> None:
    run = cc.train(
        "build", seed=0, network="build:conv4k3s2-relu-gap-linear", data="cow_camel:100", n_train=40, batch_size=20,
        steps=2, evaluate_every=0,
    )  # fmt: skip
    preprocessing = preprocessing_of(run.recipe)
    pictures = load_data_set("cow_camel:100")[1].pictures[:3]
    together = to_tensor(pictures, preprocessing)
    assert together.shape == (3, 3, 48, 48)
    for picture, tensor in zip(pictures, together, strict=True):
        assert torch.equal(preprocessing.from_rgb(picture).tensor[0], tensor)
    assert np.array_equal(run.example(1).shown_rgb, pictures[1])
    assert preprocessing.channels == 3 and not preprocessing.invert_light_background
