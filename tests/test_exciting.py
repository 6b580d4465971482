"""Patches, likeness of channels, first filters and nearest pictures, against loops over plain torch with hooks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest
import torch

import cnn_core as cc
from cnn_core.errors import InvalidLayer, InvalidOption, InvalidUnit
from cnn_core.exciting import first_filters, survey
from cnn_core.library import LibraryPicture, library, passes
from cnn_core.nearest import feature_library
from cnn_core.receptive_field import receptive_field

from .saliency_networks import ClassMaps, PlainInput, Pooled, SmallClassifier, classifier_of

LAYER = "features.3.conv.1.2"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def pictures(classifier: cc.Classifier) -> tuple[LibraryPicture, ...]:
    return library(classifier)


def maps_of(classifier: cc.Classifier, path: str, pictures: tuple[LibraryPicture, ...]) -> np.ndarray:
    """(pictures, C, H, W) by a hook, one picture at a time."""
    seen: list[torch.Tensor] = []
    handle = classifier.module.get_submodule(path).register_forward_hook(lambda _m, _i, y: seen.append(y.clone()))
    try:
        with torch.no_grad():
            for picture in pictures:
                classifier.module(picture.model_input.tensor)
    finally:
        handle.remove()
    return torch.cat(seen).numpy()


def small_pictures(n: int, side: int = 32) -> list[LibraryPicture]:
    return [LibraryPicture(f"p{i}", f"Picture {i}", PlainInput.noise(side, side, seed=i), i % 2 == 0) for i in range(n)]


def test_the_library_suits_the_network(classifier: cc.Classifier, pictures: tuple[LibraryPicture, ...]) -> None:
    assert len(pictures) == 24 and all(p.is_sample and p.model_input.tensor.shape[1] == 3 for p in pictures)
    lenet = cc.load_model("lenet5", device="cpu")
    extra = cc.load_image(PIL.Image.new("RGB", (50, 60), "red"), name="mine.png")
    digits = library(lenet, [extra])
    assert [p.key for p in digits] == [*(f"digit_{i}" for i in range(10)), "mine.png"]
    assert not digits[-1].is_sample and digits[-1].model_input.tensor.shape == (1, 1, 28, 28)


def test_the_patches_are_where_the_maps_are_highest(
    classifier: cc.Classifier, pictures: tuple[LibraryPicture, ...]
) -> None:
    chosen = pictures[:10]
    told: list[tuple[int, int]] = []
    found = survey(classifier, LAYER, pictures=chosen, on_progress=lambda done, total: told.append((done, total)))
    maps = maps_of(classifier, LAYER, chosen)
    assert told == [(8, 10), (10, 10)] and found.is_complete and found.n_channels == maps.shape[1]
    # A batch may take other kernels than one picture: rounding of float32.
    np.testing.assert_allclose(found.maxima, maps.max(axis=(2, 3)), atol=1e-4)
    np.testing.assert_allclose(found.means, maps.mean(axis=(2, 3)), atol=1e-5)
    field = receptive_field(classifier, LAYER)
    for channel in (0, 17, 60):
        patches = found.patches(channel, 4)
        expected = np.argsort(-maps[:, channel].max(axis=(1, 2)), kind="stable")[:4]
        assert [p.picture for p in patches] == [chosen[i].key for i in expected]
        for patch, number in zip(patches, expected, strict=True):
            assert maps[number, channel][patch.cell] == pytest.approx(patch.value, abs=1e-4)
            assert patch.value == pytest.approx(maps[number, channel].max(), abs=1e-4)
            top, left, bottom, right = patch.box
            assert patch.full_box == field.box(*patch.cell)
            assert 0 <= top < bottom <= 224 and 0 <= left < right <= 224
            assert top == max(0, patch.full_box[0]) and right == min(224, patch.full_box[3])
            np.testing.assert_array_equal(patch.rgb, chosen[number].model_input.shown_rgb[top:bottom, left:right])


def test_a_patch_alone_gives_the_value(classifier: cc.Classifier, pictures: tuple[LibraryPicture, ...]) -> None:
    """Everything but the patch replaced by grey: the unit's value stays, so the patch is what excited it."""
    patch = survey(classifier, LAYER, pictures=pictures[:6]).patches(40, 1)[0]
    source = next(p for p in pictures if p.key == patch.picture)
    alone = np.full_like(source.model_input.shown_rgb, 128)
    top, left, bottom, right = patch.box
    alone[top:bottom, left:right] = patch.rgb
    tensor = classifier.card.preprocessing.from_rgb(alone).tensor
    with torch.no_grad():
        value = classifier.network.run(tensor, keep=(LAYER,))[LAYER][(0, 40, *patch.cell)]
    assert patch.value == pytest.approx(float(value), abs=1e-4)


def test_channels_that_fire_alike() -> None:
    classifier = classifier_of(Pooled(), size=32)
    module = classifier.module
    with torch.no_grad():
        # The scale and an offset do not count for a correlation; the sign does.
        module.first.weight[5], module.first.bias[5] = 2 * module.first.weight[1], module.first.bias[1] + 100
        module.first.weight[6], module.first.bias[6] = -module.first.weight[1], -module.first.bias[1]
        module.first.weight[7], module.first.bias[7] = 0, 3.7
    pictures = small_pictures(11)
    found = survey(classifier, "first", pictures=pictures)  # type: ignore[arg-type]
    with torch.no_grad():
        maps = module.first(torch.cat([p.model_input.tensor for p in pictures])).double().numpy()
    expected = np.corrcoef(maps.transpose(1, 0, 2, 3).reshape(8, -1)[:7])
    # Centred products of float32 maps: channel 5 lies at 100 and varies by less than 1.
    np.testing.assert_allclose(found.correlations[:7, :7], expected, atol=1e-4)
    assert np.isnan(found.correlations[7]).all() and np.isnan(found.correlations[:, 7]).all()
    alike = found.alike(1)
    assert alike[0].channel == 5 and alike[0].correlation == pytest.approx(1, abs=1e-4)
    assert alike[-1].channel == 6 and alike[-1].correlation == pytest.approx(-1, abs=1e-4)
    assert [a.channel for a in alike] == [c for c in np.argsort(-expected[1], kind="stable") if c not in (1, 7)]
    assert found.alike(7) == () and len(found.alike(1, 3)) == 3
    assert found.cells == maps.shape[2] * maps.shape[3]


def test_the_least_and_the_blind_patches() -> None:
    classifier = classifier_of(Pooled(), size=32)
    pictures = small_pictures(19)
    found = survey(classifier, "first", pictures=pictures)  # type: ignore[arg-type]
    maps = maps_of(classifier, "first", pictures)  # type: ignore[arg-type]
    least = found.least(2, 4)
    expected = np.argsort(maps[:, 2].max(axis=(1, 2)), kind="stable")[:4]
    assert [p.picture for p in least] == [pictures[i].key for i in expected]
    np.testing.assert_allclose([p.value for p in least], maps[expected, 2].max(axis=(1, 2)), atol=1e-5)
    blind = found.random(2, 10)
    numbers = [int(p.picture[1:]) for p in blind]
    assert len(set(numbers)) == 10
    for number, patch in zip(numbers, blind, strict=True):
        assert patch.value == pytest.approx(float(maps[number, 2][patch.cell]), abs=1e-5)
    # The places are drawn once for all channels, with a seed, and are not all one place.
    assert [p.cell for p in found.random(5, 10)] == [p.cell for p in blind] and len({p.cell for p in blind}) > 5
    again = survey(classifier, "first", pictures=pictures, likeness=False)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.drawn_places, found.drawn_places)
    np.testing.assert_array_equal(again.maxima, found.maxima)
    assert again.alike(2) == () and again.nbytes < found.nbytes


def test_stopping_gives_what_was_done() -> None:
    classifier = classifier_of(Pooled(), size=32)
    stops = iter([False, True])
    found = survey(classifier, "last", pictures=small_pictures(20), should_stop=lambda: next(stops))  # type: ignore[arg-type]
    assert len(found.pictures) == 8 == len(found.maxima) and not found.is_complete
    with pytest.raises(InvalidOption, match="No picture"):
        survey(classifier, "last", pictures=small_pictures(2), should_stop=lambda: True)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="No picture"):
        feature_library(classifier, pictures=[])  # type: ignore[arg-type]


def test_one_pass_only_as_far_as_the_layer() -> None:
    classifier = classifier_of(Pooled(), size=32)
    calls: list[int] = []
    classifier.module.linear.register_forward_hook(lambda *_: calls.append(1))
    survey(classifier, "last", pictures=small_pictures(3))  # type: ignore[arg-type]
    assert not calls
    list(passes(classifier, small_pictures(3), {classifier.network.output}))  # type: ignore[arg-type]
    assert calls == [1]


def test_refusals() -> None:
    classifier: SmallClassifier = classifier_of(Pooled(), size=32)
    with pytest.raises(InvalidLayer, match="no maps"):
        survey(classifier, "linear", pictures=small_pictures(1))  # type: ignore[arg-type]
    found = survey(classifier, "first", pictures=small_pictures(1))  # type: ignore[arg-type]
    for channel in (-1, 8):
        with pytest.raises(InvalidUnit):
            found.patches(channel)
        for ask in (found.alike, found.least, found.random):
            with pytest.raises(InvalidUnit):
                ask(channel)
    mixed = [*small_pictures(1), *small_pictures(1, side=33)]
    with pytest.raises(InvalidOption, match="one size"):
        survey(classifier, "first", pictures=mixed)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["mobilenet_v2", "lenet5"])
def test_first_filters_share_one_limit(key: str) -> None:
    found = first_filters(cc.load_model(key, device="cpu"))
    assert found.limit == np.abs(found.weights).max()
    n, depth, height, width = found.weights.shape
    assert found.rgb.shape == (n, height, width, 3) and found.rgb.dtype == np.uint8
    # Back from the picture to the weight: half a level of 255 either way.
    back = (found.rgb.astype(float) / 127.5 - 1) * found.limit
    expected = np.repeat(found.weights, 3, axis=1) if depth == 1 else found.weights
    np.testing.assert_allclose(back.transpose(0, 3, 1, 2), expected, atol=found.limit / 127.5 * 0.51)
    assert {int(found.rgb.min()), int(found.rgb.max())} & {0, 255}


def test_nearest_pictures(classifier: cc.Classifier, pictures: tuple[LibraryPicture, ...]) -> None:
    chosen = pictures[:9]
    found = feature_library(classifier, pictures=chosen)
    maps = maps_of(classifier, "features.18.2", chosen)
    features = maps.mean(axis=(2, 3), dtype=np.float64)
    np.testing.assert_allclose(found.features, features, atol=1e-4)
    trace = cc.trace(classifier, chosen[4].model_input)
    neighbours = found.nearest(trace, 9)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit[4]
    assert [n.picture.key for n in neighbours] == [chosen[i].key for i in np.argsort(-cosines)]
    np.testing.assert_allclose([n.cosine for n in neighbours], np.sort(cosines)[::-1], atol=1e-5)
    assert neighbours[0].is_same and neighbours[0].cosine == pytest.approx(1, abs=1e-6)
    assert not any(n.is_same for n in neighbours[1:])
    own = trace.top(1)[0]
    assert neighbours[0].prediction.index == own.index
    assert neighbours[0].prediction.probability == pytest.approx(own.probability, abs=1e-4)
    assert len(found.nearest(trace, 3)) == 3
    other = classifier_of(ClassMaps(), size=32)
    with pytest.raises(InvalidOption, match="another network"):
        found.nearest(cc.trace(other, PlainInput.noise(32, 32)))  # type: ignore[arg-type]


def test_heads_without_pooling_use_the_last_maps() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    found = feature_library(lenet)
    assert found.layer == lenet.network.default_layer() and len(found.pictures) == 10
    trace = cc.trace(lenet, found.pictures[3].model_input)
    assert found.nearest(trace, 1)[0].is_same
