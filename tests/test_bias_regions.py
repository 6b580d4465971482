"""Regions, evidence inside them, and the exact split of a margin, against sums by hand and by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.bias.region_evidence import cell_shares, evidence, margin_split, split_values
from cnn_core.bias.regions import MOST_BOXES, Box, Region
from cnn_core.errors import InvalidOption
from cnn_core.preprocessing import Preprocessing
from cnn_core.receptive_field import ReceptiveField, receptive_field
from cnn_core.saliency.placement import Placement
from cnn_core.samples import SAMPLES_FOLDER

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(height: int, width: int, seed: int = 0) -> cc.Picture:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cc.load_image(Image.fromarray(rgb))


@pytest.mark.parametrize(
    "edges", [(0, 0, 0, 5), (4, 0, 3, 5), (0, 5, 5, 5), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)], ids=str
)
def test_a_box_that_encloses_nothing_is_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidOption, match="box"):
        Box(*edges)


@pytest.mark.parametrize("edges", [(-2, 0, 5, 5), (0, 0, 12, 5), (0, 0, 5, 22), (50, 50, 60, 60)], ids=str)
def test_a_box_outside_of_the_picture_is_refused_in_a_sentence(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidOption, match=r"does not lie in the picture of 10 × 20 pixels"):
        Region((Box(*edges),)).mask_of(10, 20)


def test_a_box_that_was_rounded_over_the_edge_is_cut() -> None:
    assert Region((Box(-0.5, 0, 10.6, 20),)).mask_of(10, 20).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Region(),
        lambda: Region((), np.zeros((4, 4), bool)),
        lambda: Region((), np.ones((4, 4), np.uint8)),  # type: ignore[arg-type]
        lambda: Region(tuple(Box(0, 0, 1, 1) for _ in range(MOST_BOXES + 1))),
        lambda: Region((), np.ones((4, 4), bool)).mask_of(5, 4),
    ],
)
def test_a_region_of_nothing_or_of_the_wrong_size_is_refused(make: object) -> None:
    with pytest.raises(InvalidOption):
        make()  # type: ignore[operator]


def test_area_counts_what_boxes_share_once() -> None:
    assert Region((Box(0, 0, 4, 4), Box(2, 2, 6, 6.5))).area == pytest.approx(16 + 18 - 4)
    mask = np.zeros((8, 8), bool)
    mask[0, 0] = mask[7, 7] = True
    assert Region((Box(0, 0, 0.5, 2),), mask).area == pytest.approx(2 + 0.5)


def test_mask_of_takes_pixel_centres_and_never_nothing() -> None:
    found = Region((Box(0.6, 1.4, 3.5, 2.6),)).mask_of(5, 5)
    by_hand = np.array([[0.6 <= r + 0.5 < 3.5 and 1.4 <= c + 0.5 < 2.6 for c in range(5)] for r in range(5)])
    assert np.array_equal(found, by_hand)
    assert Region((Box(2.1, 3.1, 2.3, 3.3),)).mask_of(5, 5).nonzero() == (np.array([2]), np.array([3]))


@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 61), (24, 24), (20, 700)])
def test_in_input_is_the_region_through_resize_and_crop(height: int, width: int) -> None:
    preprocessing = Preprocessing(32, 28, MEAN, STD)
    seen = preprocessing.apply(noise(height, width))
    left = width / 2 - 9
    region = Region(
        (Box(height * 0.3, left, height * 0.8, left + 12.5), Box(height * 0.5, left + 5, height * 0.9, left + 15))
    )
    share = region.in_input(seen)
    # By brute force: many points in each pixel of the input, carried back through the crop and the resize.
    full = (32, int(32 * width / height)) if height <= width else (int(32 * height / width), 32)
    fine = (np.arange(28 * 40) + 0.5) / 40
    rows = (fine + round((full[0] - 28) / 2)) * height / full[0]
    columns = (fine + round((full[1] - 28) / 2)) * width / full[1]
    inside = np.zeros((len(fine), len(fine)), bool)
    for box in region.boxes:
        inside |= ((rows >= box.top) & (rows < box.bottom))[:, None] & ((columns >= box.left) & (columns < box.right))
    points = inside.reshape(28, 40, 28, 40).mean(axis=(1, 3))
    # 40 points a side miss an edge by at most a fortieth of a pixel on each of up to four edges.
    assert np.abs(share - points).max() <= 4 / 40
    assert share.sum() == pytest.approx(points.sum(), rel=0.01)


def test_in_input_lies_where_the_picture_shows_it() -> None:
    rgb = np.zeros((90, 150, 3), np.uint8)
    rgb[20:70, 50:90] = 255
    region = Region((Box(20, 50, 70, 90),))
    seen = Preprocessing(64, 56, MEAN, STD).apply(cc.load_image(Image.fromarray(rgb)))
    white = seen.shown_rgb[..., 0] / 255
    # The resize smooths the edges over a pixel or two; everywhere else both agree.
    assert np.abs(region.in_input(seen) - white).mean() < 0.02
    by_mask = Region((), region.mask_of(90, 150)).in_input(seen)
    assert np.abs(by_mask - region.in_input(seen)).max() < 1e-5


def test_a_picture_of_the_models_own_size_maps_one_to_one() -> None:
    seen = Preprocessing(32, 28, MEAN, STD).from_rgb(noise(28, 28).rgb)
    share = Region((Box(3, 4, 10, 12),)).in_input(seen)
    expected = np.zeros((28, 28))
    expected[3:10, 4:12] = 1
    assert np.abs(share - expected).max() < 1e-6


def test_values_are_shared_out_exactly() -> None:
    values = np.array([[1.0, 3.0], [-5.0, 4.0]])
    placement = Placement((2.0, 2.0), (4.0, 4.0), (8, 8))
    share = np.zeros((8, 8))
    share[:, 4:] = 1
    inside, outside, enrichment, area = split_values(values, placement, share)
    assert inside + outside == pytest.approx(8)  # what is positive, none of it lost
    assert area == 0.5
    assert enrichment == pytest.approx(inside / 8 / 0.5)
    assert inside > outside
    assert split_values(np.zeros((2, 2)), placement, share)[2] is None
    even = split_values(np.ones((2, 2)), placement, share)
    assert even[2] == pytest.approx(1)


def test_cells_stand_for_the_pixels_that_are_nearest_to_them() -> None:
    field = ReceptiveField((11, 11), (4, 4), (0.5, 0.5), False, (4, 4), (16, 16))
    share = np.random.default_rng(0).random((16, 16))
    found = cell_shares(share, field, (4, 4))
    # Centres at 0.5, 4.5, 8.5, 12.5: the borders between them at 2.5, 6.5, 10.5 cut through a pixel each.
    fine = np.repeat(np.repeat(share, 2, 0), 2, 1)
    edges = [0, 5, 13, 21, 32]
    for i in range(4):
        for j in range(4):
            part = fine[edges[i] : edges[i + 1], edges[j] : edges[j + 1]]
            assert found[i, j] == pytest.approx(part.mean())


def networks() -> list[tuple[cc.Classifier, cc.Picture]]:
    """MobileNetV2, SqueezeNet (one map a class) and a trained small ResNet with its clothing."""
    return [
        (cc.load_model(key), cc.load_image(SAMPLES_FOLDER / file))
        for key, file in (
            ("mobilenet_v2", "cow.jpg"),
            ("squeezenet1_1", "dog.jpg"),
            ("small_resnet", "clothing_bag.png"),
        )
    ]


def test_inside_outside_and_bias_are_the_margin() -> None:
    for classifier, picture in networks():
        trace = cc.trace(classifier, classifier.preprocess(picture))
        height, width = picture.height, picture.width
        region = Region((Box(0.31 * height, 0.33 * width, 0.82 * height, 0.71 * width),))
        a, b = (prediction.index for prediction in trace.top(2))
        split = margin_split(classifier, trace, region, a, b)
        true = float(trace.logits[a]) - float(trace.logits[b])
        assert split.matches
        assert split.inside + split.outside + split.bias == pytest.approx(true, rel=1e-4)
        # The same from the maps and the footprints, cell by cell.
        share = region.in_input(trace.input)  # type: ignore[arg-type]
        shares = cell_shares(share, receptive_field(classifier, split.ledger.maps or ""), split.ledger.cells.shape)  # type: ignore[union-attr, arg-type]
        assert split.inside == pytest.approx(float((split.ledger.cells * shares).sum()))
        everything = margin_split(classifier, trace, np.ones_like(share), a, b)
        assert abs(everything.outside) < 1e-12
        assert everything.inside + everything.bias == pytest.approx(true, rel=1e-4)
        alone = margin_split(classifier, trace, region, a)
        assert alone.computed == pytest.approx(float(trace.logits[a]), rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("correlation", [50, 100])
def test_the_split_is_exact_on_networks_trained_on_cows_and_camels(correlation: int) -> None:
    from cnn_core.training.cow_camel import trial_herd

    run = cc.train("cow_grass", seed=0, arm=f"at_{correlation}")
    classifier, herd = run.classifier(), trial_herd("counter", 8)
    for picture, mask in zip(herd.pictures, herd.masks, strict=True):
        seen = classifier.card.preprocessing.from_rgb(picture)
        trace = cc.trace(classifier, seen)
        split = margin_split(classifier, trace, mask, 0, 1)
        true = float(trace.logits[0]) - float(trace.logits[1])
        assert split.computed == pytest.approx(true, rel=1e-4, abs=1e-6)


def test_a_head_that_mixes_its_cells_is_told() -> None:
    classifier = cc.load_model("lenet5")
    trace = cc.trace(classifier, cc.load_image(SAMPLES_FOLDER / "digit_3.png"))
    with pytest.raises(InvalidOption, match="mixes its cells"):
        margin_split(classifier, trace, np.ones((28, 28)), 3)


def test_evidence_is_the_maps_own() -> None:
    classifier, picture = networks()[0]
    seen = classifier.preprocess(picture)
    trace = cc.trace(classifier, seen)
    region = Region((Box(140, 115, 345, 460),))
    found = evidence(classifier, seen, region, 345, 690, trace=trace)
    values = cc.explain(classifier, seen, method="gradcam", target=(345, 690), trace=trace).values
    assert found.inside + found.outside == pytest.approx(float(values.sum()), rel=1e-5)
    assert found.area == pytest.approx(float(region.in_input(seen).mean()))
    whole = evidence(classifier, seen, np.ones((224, 224)), 345, trace=trace)
    assert (whole.outside, whole.enrichment) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    with pytest.raises(InvalidOption, match="cropped away"):
        evidence(classifier, seen, Region((Box(0, 0, 10, 10),)), 345, trace=trace)
