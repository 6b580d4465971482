"""Data sets, and what is done to their pictures before a run: checked against plain numpy and PIL."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import cnn_core as cc
from cnn_core.training.augmentation import AUGMENTATIONS, Augmentation, augment, augmentation
from cnn_core.training.data import Split, data_set, list_data_sets, load_data_set, load_digits, register_data_set
from cnn_core.training.experiments import experiment_of
from cnn_core.training.measuring import to_tensor
from cnn_core.training.run import preprocessing_of
from cnn_core.training.variants import pixel_permutation, shift, shuffle_pixels, subset

KEYS = [entry.key for entry in list_data_sets()]


@pytest.mark.parametrize("key", KEYS)
def test_a_data_set_is_what_its_entry_says(key: str) -> None:
    entry = data_set(key)
    train, test = load_data_set(key)
    assert (len(train), len(test)) == (entry.n_train, entry.n_test)
    for part in (train, test):
        assert part.pictures.shape == (len(part), entry.side, entry.side) and part.pictures.dtype == np.uint8
        assert set(np.unique(part.labels)) == set(range(len(entry.class_names)))
        assert not part.pictures.flags.writeable
        # light on black: the border is darker than the middle
        assert part.pictures[:, 0].mean() < part.pictures[:, 10:18, 10:18].mean() / 2
    # The published statistics are of the whole set; this part of it comes close.
    assert train.pictures.mean() / 255 == pytest.approx(entry.mean, abs=0.005)
    assert train.pictures.std() / 255 == pytest.approx(entry.std, abs=0.005)


@pytest.mark.parametrize("key", KEYS)
def test_no_test_picture_is_learned_from(key: str) -> None:
    train, test = ({picture.tobytes() for picture in part.pictures} for part in load_data_set(key))
    assert not train & test


def test_the_digits_are_still_split_as_ever() -> None:
    for mine, other in zip(load_data_set("digits"), load_digits(), strict=True):
        assert np.array_equal(mine.indices, other.indices) and np.array_equal(mine.pictures, other.pictures)


def test_keys_are_unique_and_unknown_ones_are_said() -> None:
    with pytest.raises(ValueError, match="already"):
        register_data_set(data_set("digits"))
    with pytest.raises(cc.InvalidOption, match="'digits'"):
        data_set("digit")


@given(size=st.integers(1, 8_000), seed=st.integers(0, 5))
def test_a_subset_is_balanced_as_far_as_it_can_be(size: int, seed: int) -> None:
    train, _ = load_data_set("digits")
    found = subset(train, size, seed)
    counts = np.bincount(found.labels, minlength=10)
    available = np.bincount(train.labels, minlength=10)
    assert len(found) == size == len(set(found.indices))
    # A class has fewer than the others only where it has no more to give.
    short = counts < counts.max() - 1
    assert np.array_equal(counts[short], available[short])
    assert np.array_equal(found.pictures[0], train.pictures[list(train.indices).index(found.indices[0])])


def test_a_subset_depends_on_its_seed_alone_and_grows_by_adding() -> None:
    train, _ = load_data_set("fashion")
    first, again, other, larger = (subset(train, n, seed) for n, seed in ((200, 3), (200, 3), (200, 4), (500, 3)))
    assert np.array_equal(first.indices, again.indices) and not np.array_equal(first.indices, other.indices)
    assert set(first.indices) < set(larger.indices)
    assert np.array_equal(np.bincount(first.labels), [20] * 10)


@pytest.mark.parametrize("size", [0, -1, 8_001])
def test_a_subset_of_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(cc.InvalidOption, match="between 1 and 8,000"):
        subset(load_data_set("digits")[0], size, 0)


def test_the_shuffle_is_one_permutation_that_can_be_undone() -> None:
    pictures = load_data_set("digits")[1].pictures[:5]
    order = pixel_permutation(28)
    shuffled = shuffle_pixels(pictures)
    assert sorted(order) == list(range(784)) and np.count_nonzero(order != np.arange(784)) > 700
    for before, after in zip(pictures, shuffled, strict=True):
        assert [before.flat[i] for i in order] == list(after.flat)
    assert np.array_equal(shuffle_pixels(pictures), shuffled)
    with pytest.raises(cc.InvalidOption, match="square"):
        shuffle_pixels(np.zeros((1, 4, 5), np.uint8))


@given(rows=st.integers(-6, 6), columns=st.integers(-6, 6))
def test_a_shift_moves_each_pixel_and_lets_black_in(rows: int, columns: int) -> None:
    pictures = np.arange(1, 2 * 7 * 7 + 1, dtype=np.uint8).reshape(2, 7, 7)
    moved = shift(pictures, rows, columns)
    for row in range(7):
        for column in range(7):
            inside = 0 <= row - rows < 7 and 0 <= column - columns < 7
            expected = pictures[:, row - rows, column - columns] if inside else 0
            assert np.all(moved[:, row, column] == expected)


def test_a_shift_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(cc.InvalidOption, match="28 × 28"):
        shift(load_data_set("digits")[1].pictures[:1], 28, 0)


def changed(picture: torch.Tensor, kind: Augmentation, seed: int) -> torch.Tensor:
    return augment(picture, kind, torch.Generator().manual_seed(seed))


def test_augmentation_depends_on_its_generator_alone() -> None:
    pictures = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    kind = augmentation("affine")
    before = torch.get_rng_state()
    assert torch.equal(changed(pictures, kind, 1), changed(pictures, kind, 1))
    assert not torch.equal(changed(pictures, kind, 1), changed(pictures, kind, 2))
    assert torch.equal(before, torch.get_rng_state())


def test_no_change_leaves_the_picture_as_it_was() -> None:
    pictures = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    still = Augmentation("still", "", degrees=0, shift=0, scale=0, shear=0, flip=False)
    # float32 coordinates of the grid are off by some 1e-7 of the side
    assert torch.allclose(changed(pictures, still, 0), pictures, atol=1e-4)


def test_a_mirror_is_a_mirror() -> None:
    pictures = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    mirror = Augmentation("mirror", "", degrees=0, shift=0, scale=0, shear=0, flip=True)
    found = changed(pictures, mirror, 0)
    same = [torch.allclose(a, b, atol=1e-4) for a, b in zip(found, pictures, strict=True)]
    flipped = [torch.allclose(a, b.flip(-1), atol=1e-4) for a, b in zip(found, pictures, strict=True)]
    assert all(a != b for a, b in zip(same, flipped, strict=True)) and 10 < sum(flipped) < 30


def test_a_shift_by_augmentation_stays_within_its_limit() -> None:
    """A dot in the middle, moved by at most a tenth of 28 pixels in each direction."""
    pictures = torch.zeros(200, 1, 28, 28)
    pictures[:, :, 13:15, 13:15] = 1
    found = changed(pictures, Augmentation("move", "", degrees=0, shift=0.1, scale=0, shear=0, flip=False), 0)[:, 0]
    places = torch.arange(28) + 0.5
    mass = found.sum((1, 2))
    off = torch.stack([(found.sum(2) @ places) / mass, (found.sum(1) @ places) / mass]) - 14
    assert off.abs().max() < 2.8 + 1e-3
    assert off.abs().amax(1).min() > 2.5 and off.min() < -2 and off.max() > 2


def test_a_turn_agrees_with_pillow() -> None:
    """With turning alone, each picture is one that Pillow turns, by an angle within the limit."""
    picture = load_data_set("digits")[1].pictures[3]
    turn = Augmentation("turn", "", degrees=15, shift=0, scale=0, shear=0, flip=False)
    pictures = torch.from_numpy(picture.copy()).float()[None, None].expand(6, 1, 28, 28)
    angles = torch.rand(6, 6, generator=torch.Generator().manual_seed(5))[0] * 30 - 15
    for mine, angle in zip(changed(pictures, turn, 5), angles, strict=True):
        # Pillow turns the picture against the clock; both read it bilinearly, Pillow in steps of 1/65536 pixel.
        other = Image.fromarray(picture.astype(np.float32)).rotate(float(angle), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(other) - mine[0].numpy())[2:-2, 2:-2].max() < 0.01 * 255


def test_unknown_augmentation_is_said() -> None:
    with pytest.raises(cc.InvalidOption, match="affine, affine_flip"):
        augmentation("cutmix")
    used = {arm.recipe.augmentation for arm in experiment_of("augmentation").arms}
    assert used == {"none", *AUGMENTATIONS}


@pytest.mark.parametrize("arm", ["standardised", "raw"])
def test_a_run_sees_what_the_classifier_will_see(arm: str) -> None:
    recipe = experiment_of("input_normalisation").arm(arm).recipe
    preprocessing = preprocessing_of(recipe)
    pictures = load_data_set("digits")[1].pictures[:4]
    together = to_tensor(pictures, preprocessing)
    for picture, tensor in zip(pictures, together, strict=True):
        assert torch.equal(preprocessing.from_rgb(np.repeat(picture[..., None], 3, axis=2)).tensor[0], tensor)
    mean, std = (0.1307, 0.3081) if arm == "standardised" else (0.0, 1 / 255)
    assert together.numpy()[:, 0] == pytest.approx((pictures / 255 - mean) / std, abs=1e-4)


def test_a_split_knows_its_length() -> None:
    assert len(Split(np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.int64), np.arange(3))) == 3
