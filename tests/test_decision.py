"""Heads, ledgers and softmax against torch's own numbers and hand-worked examples."""

from __future__ import annotations

import copy
import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.decision import head_of, logit_ledger, made_by, softmax_table, without_cells
from cnn_core.errors import InvalidOption, InvalidUnit, UnknownClass
from cnn_core.images import load_image
from cnn_core.nearest import feature_library
from cnn_core.saliency import cam_all
from cnn_core.samples import list_samples

# Logits are float32 sums of up to some thousand products, here summed again in float64: the project's own bound.
CLOSE = 1e-4

KINDS = {
    "mobilenet_v2": "pool+linear",
    "squeezenet1_1": "class maps",
    "lenet5": "flatten+linear",
    "alexnet": "flatten+linear",
    "resnet18": "pool+linear",
    "densenet121": "pool+linear",
    "googlenet": "pool+linear",
    "shufflenet_v2_x0_5": "pool+linear",
    "efficientnet_b0": "pool+linear",
    "mobilenet_v3_small": "pool+layers",
    "convnext_tiny": "pool+layers",
}
SHIPPED = ("mobilenet_v2", "squeezenet1_1", "lenet5")


@cache
def subject(key: str) -> tuple[cc.Classifier, cc.Trace]:
    """A model, and its trace of a picture of smooth noise, which is like no class more than another."""
    classifier = cc.load_model(key, weights="default" if key in SHIPPED else "random")
    coarse = np.random.default_rng(3).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    picture = cc.load_image(_png(np.kron(coarse, np.ones((29, 29, 1), dtype=np.uint8))))
    return classifier, cc.trace(classifier, picture)


def _png(rgb: np.ndarray) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(("key", "kind"), KINDS.items())
def test_heads_are_told_apart(key: str, kind: str) -> None:
    classifier, _ = subject(key)
    head = head_of(classifier.network)
    assert head.kind == kind
    assert head.steps[0] == head.maps and head.steps[-1] == "softmax" and head.steps[-2] == head.logits
    network = classifier.network
    for before, after in zip(head.steps, head.steps[1:], strict=False):
        assert network[after].inputs == (before,)
    assert head.maps is not None
    channels, height, width = network[head.maps].output_shape
    assert height * width > 1
    assert str(channels) in head.sentence and f"{height} × {width}" in head.sentence


@pytest.mark.parametrize("key", KINDS)
def test_the_ledger_adds_up_to_torchs_logit(key: str) -> None:
    classifier, trace = subject(key)
    with torch.no_grad():
        logits = classifier.module(trace.input.tensor.to(classifier.device))[0].cpu().numpy()
    for index in (0, int(logits.argmax()), len(logits) - 1):
        ledger = logit_ledger(classifier, trace, index)
        assert ledger.label == classifier.class_names[index]
        parts = ledger.bias + float(np.sum(ledger.features * ledger.weights))
        assert abs(parts - logits[index]) <= CLOSE * max(1.0, abs(logits[index]))
        assert ledger.computed == pytest.approx(parts, abs=1e-12)
        assert ledger.matches and ledger.relative_error <= CLOSE
        if ledger.cells is not None:
            # Sums of the same float32 maps in another order, both in float64: only the features' own rounding differs.
            assert abs(ledger.bias + ledger.cells.sum() - logits[index]) <= CLOSE * max(1.0, abs(logits[index]))


def test_cells_are_cam_divided_by_their_number() -> None:
    classifier, trace = subject("mobilenet_v2")
    ledger = logit_ledger(classifier, trace, 7)
    cam = cam_all(classifier, trace, [7])[0]
    assert ledger.cells is not None
    # cam_all sums 1280 products in float32.
    np.testing.assert_allclose(ledger.cells, cam / cam.size, atol=1e-5 * np.abs(cam).max())
    ranking = ledger.cell_ranking()
    assert len(ranking) == cam.size == len(set(ranking))
    assert ledger.cells[ranking[0]] == ledger.cells.max() and ledger.cells[ranking[-1]] == ledger.cells.min()


def test_class_maps_have_their_cells_as_parts() -> None:
    classifier, trace = subject("squeezenet1_1")
    ledger = logit_ledger(classifier, trace, 11)
    own = trace.activation("classifier.2")[11].astype(np.float64)
    assert ledger.cells is not None
    np.testing.assert_allclose(ledger.cells, own / own.size, rtol=1e-12)
    assert ledger.bias == 0.0 and ledger.maps == ledger.source == "classifier.2"


def test_a_margin_is_the_difference_of_two_ledgers() -> None:
    for key in SHIPPED:
        classifier, trace = subject(key)
        first, second = logit_ledger(classifier, trace, 1), logit_ledger(classifier, trace, 2)
        margin = logit_ledger(classifier, trace, 1, 2)
        assert margin.label == f"{first.label} rather than {second.label}"
        assert margin.logit == pytest.approx(first.logit - second.logit, abs=1e-6)
        np.testing.assert_allclose(margin.contributions, first.contributions - second.contributions, atol=1e-9)
        assert margin.matches


def test_order_rest_and_against() -> None:
    classifier, trace = subject("mobilenet_v2")
    ledger = logit_ledger(classifier, trace, 0)
    sizes = np.abs(ledger.contributions[ledger.order])
    assert (np.diff(sizes) <= 0).all() and sorted(ledger.order) == list(range(1280))
    shown = ledger.contributions[ledger.order[:10]].sum()
    assert shown + ledger.rest(10) + ledger.bias == pytest.approx(ledger.computed, abs=1e-9)
    against = ledger.contributions[ledger.against]
    assert (against < 0).all() and (np.diff(against) >= 0).all()
    assert len(against) == int((ledger.contributions < 0).sum())


def test_refusals() -> None:
    classifier, trace = subject("lenet5")
    with pytest.raises(InvalidOption, match="two classes"):
        logit_ledger(classifier, trace, 3, 3)
    with pytest.raises(UnknownClass):
        logit_ledger(classifier, trace, 10)
    with pytest.raises(UnknownClass):
        logit_ledger(classifier, trace, 3, 99)


@pytest.mark.parametrize(
    ("key", "expected"), [("lenet5", "linear"), ("squeezenet1_1", "conv2d"), ("alexnet", "linear")]
)
def test_a_feature_is_followed_to_the_sum_that_made_it(key: str, expected: str) -> None:
    classifier, trace = subject(key)
    ledger = logit_ledger(classifier, trace, 0)
    index = (0, 4, 5) if ledger.cells is not None else (5,)
    found = made_by(classifier.network, ledger.source, index)
    assert found is not None
    operation, place = found
    assert operation.kind == expected and place == index
    unit = cc.explain_unit(classifier, trace, operation, place)
    assert unit.matches
    # Between the sum and the feature stand only a ReLU and dropout.
    assert max(0.0, unit.value) == pytest.approx(float(trace.activation(ledger.source)[index]), abs=1e-6)


def test_a_flattened_feature_finds_its_channel_and_cell() -> None:
    """LeNet-5 flattens pool2; a pooling is no sum, so the way ends there."""
    classifier, _ = subject("lenet5")
    network = classifier.network
    flat = next(operation for operation in network.operations if operation.kind == "flatten")
    assert made_by(network, flat.name, (7,)) is None
    # AlexNet's features before the pooling end in a ReLU over a convolution.
    alexnet = subject("alexnet")[0].network
    found = made_by(alexnet, "features.11", (3, 2, 1))
    assert found is not None and found[0].name == "features.10" and found[1] == (3, 2, 1)


def test_softmax_by_hand() -> None:
    """Logits 2, 1, 0 at T = 1: e^0, e^-1, e^-2 over their sum."""
    table = softmax_table(np.array([0.0, 2.0, 1.0], dtype=np.float32), ("a", "b", "c"), n=2)
    total = 1 + math.exp(-1) + math.exp(-2)
    assert [row.name for row in table.rows] == ["b", "c"]
    assert [row.scaled_logit for row in table.rows] == [0.0, -1.0]
    assert [row.exp_logit for row in table.rows] == pytest.approx([1.0, math.exp(-1)])
    assert table.total == pytest.approx(total)
    assert [row.probability for row in table.rows] == pytest.approx([1 / total, math.exp(-1) / total])
    assert table.rest_probability == pytest.approx(math.exp(-2) / total)
    assert table.n_classes == 3


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_softmax_equals_torchs(temperature: float) -> None:
    classifier, trace = subject("mobilenet_v2")
    expected = torch.softmax(torch.from_numpy(np.array(trace.logits, dtype=np.float64)) / temperature, dim=0).numpy()
    table = softmax_table(trace.logits, classifier.class_names, temperature=temperature, n=1000)
    for row in table.rows:
        # Both in float64; a few roundings of 1e-16 each.
        assert row.probability == pytest.approx(expected[row.index], rel=1e-12, abs=1e-300)
        assert row.probability == pytest.approx(row.exp_logit / table.total, rel=1e-15)
    assert table.rest_probability == pytest.approx(0.0, abs=1e-12)


def test_softmax_never_overflows_and_refuses_a_temperature_of_zero() -> None:
    table = softmax_table(np.array([1e4, -1e4], dtype=np.float32), ("a", "b"))
    assert [row.probability for row in table.rows] == [1.0, 0.0]
    with pytest.raises(InvalidOption, match="above 0"):
        softmax_table(np.zeros(2, dtype=np.float32), ("a", "b"), temperature=0.0)


@pytest.mark.parametrize("key", ["mobilenet_v2", "resnet18", "squeezenet1_1"])
@pytest.mark.parametrize("rival", [None, 5])
def test_a_cell_without_its_numbers_takes_its_share_away(key: str, rival: int | None) -> None:
    """Against a plain hook on the module that writes zeros into the cell."""
    classifier, trace = subject(key)
    ledger = logit_ledger(classifier, trace, 11, rival)
    assert ledger.cells is not None and ledger.maps is not None
    cells = [ledger.cell_ranking()[0], (0, 1), ledger.cell_ranking()[-1]]
    found = without_cells(classifier, trace, ledger, cells)
    head = classifier.network[ledger.maps]
    for (row, column), logit in zip(cells, found, strict=True):
        # Up to float32 sums of some thousand products.
        assert ledger.logit - logit == pytest.approx(ledger.cells[row, column], rel=CLOSE, abs=CLOSE)

        def off(_m: object, _i: object, y: torch.Tensor, row: int = row, column: int = column) -> torch.Tensor:
            y = y.clone()
            y[:, :, row, column] = 0
            return y

        if head.name == head.module_path:  # a module that is called once, so that a hook is the same thing
            module = copy.deepcopy(classifier.module)
            module.get_submodule(head.module_path).register_forward_hook(off)
            with torch.no_grad():
                logits = module(trace.input.tensor)[0].double()
            expected = float(logits[11]) - (0.0 if rival is None else float(logits[rival]))
            assert logit == pytest.approx(expected, abs=1e-5)
    with pytest.raises(InvalidUnit, match="none is at"):
        without_cells(classifier, trace, ledger, [(99, 0)])


def test_a_head_that_mixes_its_cells_has_none_to_take_away() -> None:
    classifier, trace = subject("lenet5")
    with pytest.raises(InvalidOption, match="mixes its cells"):
        without_cells(classifier, trace, logit_ledger(classifier, trace, 1), [(0, 0)])


def test_nearest_in_pixels_by_hand() -> None:
    classifier, _ = subject("lenet5")
    digits = [load_image(sample.path) for sample in list_samples() if sample.kind == "digit"]
    found = feature_library(classifier, extra=[cc.load_image(_png(digits[3].rgb[::-1]))])
    asked = cc.trace(classifier, digits[7])
    near = found.nearest_in_pixels(asked, 20)
    assert len(near) == len(found.pictures) - 1  # the picture itself is left out
    assert [far for _, far in near] == sorted(far for _, far in near)

    def coarse(rgb: np.ndarray) -> np.ndarray:
        edges = np.linspace(0, rgb.shape[0], 17).astype(int)
        cells = [[rgb[a:b, c:d].mean(axis=(0, 1)) for c, d in pairwise(edges)] for a, b in pairwise(edges)]
        return np.array(cells)

    for picture, far in near:
        difference = coarse(picture.model_input.shown_rgb.astype(float)) - coarse(asked.input.shown_rgb.astype(float))
        assert far == pytest.approx(float(np.sqrt((difference**2).mean())), rel=1e-12)
    assert found.nbytes > sum(p.model_input.tensor.nbytes for p in found.pictures)
