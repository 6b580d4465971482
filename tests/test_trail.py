"""Trails against products worked out by torch, by hand, and against their own links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnn_core as cc
from cnn_core.errors import InvalidLayer, InvalidOption, InvalidUnit
from cnn_core.trail import SHOWN, Trail, follow

from .saliency_networks import PlainInput, classifier_of
from .torchvision_networks import Bench, bench, least_size, noise_picture, on_meta, with_random_weights

PANDA = Path(__file__).resolve().parent.parent / "assets" / "samples" / "panda.jpg"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    return classifier, cc.trace(classifier, PANDA)


def check(trail: Trail, network: cc.Network, trace: cc.Trace) -> None:
    """Each step reads the next one, and every number is the network's own."""
    for step in trail.steps:
        assert step.matches, step
        assert step.value == float(trace.activation(step.operation)[step.index])
    for step, following in zip(trail.steps, trail.steps[1:], strict=False):
        assert following.operation in network[step.operation].inputs
        assert step.contribution is not None
        assert step.share is None or 0 <= step.share <= 1
        if step.combine in ("copy", "max", "function") and step.kind != "softmax":
            assert step.contribution == pytest.approx(following.value, abs=1e-6)
        if step.combine in ("copy", "max"):
            assert step.value == following.value
    assert trail.steps[-1].contribution is None


def test_from_a_class_to_a_pixel(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    trail = follow(classifier, trace, "softmax", 388)
    check(trail, classifier.network, trace)
    assert trail.end == "input" and trail.steps[-1].operation == "input" and "picture" in trail.sentence
    assert [s.operation for s in trail.steps[:2]] == ["softmax", "classifier.1"]
    # The logit's largest product of 1280, by torch.
    weight = classifier.network.parameters("classifier.1")["weight"][388]
    products = weight * trace.tensor("classifier.0")[0]
    logit = trail.steps[1]
    channel = int(products.abs().argmax())
    assert trail.steps[2].index == (channel,)
    assert logit.contribution == pytest.approx(float(products[channel]), rel=1e-6)
    bias = classifier.network.parameters("classifier.1")["bias"][388]
    assert logit.share == pytest.approx(float(products[channel].abs() / (products.abs().sum() + bias.abs())), rel=1e-4)
    assert logit.n_parts == 1280
    # The mean's largest cell.
    mean = next(s for s in trail.steps if s.combine == "mean")
    cells = trace.activation("features.18.2")[channel]
    at = trail.steps[trail.steps.index(mean) + 1]
    assert at.index == (channel, *np.unravel_index(cells.argmax(), cells.shape))
    assert mean.contribution == pytest.approx(cells.max() / cells.size, rel=1e-5)


def test_every_convolution_goes_to_its_largest_product(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    trail = follow(classifier, trace, "features.18.2", (100, 3, 3))
    found = 0
    for step, following in zip(trail.steps, trail.steps[1:], strict=False):
        if step.kind != "conv2d":
            continue
        found += 1
        a = classifier.network[step.operation].attributes
        k, row, column = step.index
        weight = classifier.network.parameters(step.operation)["weight"][k]
        start = k // (a["out_channels"] // a["groups"]) * len(weight)
        x = trace.tensor(classifier.network[step.operation].inputs[0])[0, start : start + len(weight)]
        # torch's own windows: unfold pads with zeros, whose products are 0.
        columns = F.unfold(x[None], a["kernel_size"], a["dilation"], a["padding"], a["stride"])[0]
        width = classifier.network[step.operation].output_shape[2]
        products = columns[:, row * width + column] * weight.reshape(-1)
        best = int(products.abs().argmax())
        assert step.contribution == pytest.approx(float(products[best]), rel=1e-5)
        channel, i, j = (int(n) for n in np.unravel_index(best, weight.shape))
        place = (
            start + channel,
            row * a["stride"][0] - a["padding"][0] + i,
            column * a["stride"][1] - a["padding"][1] + j,
        )
        assert following.index == place
    assert found > 10 and trail.end == "input"


@pytest.mark.parametrize(
    "name", ["googlenet", "densenet121", "shufflenet_v2_x0_5", "mobilenet_v3_small", "convnext_tiny", "squeezenet1_0"]
)
def test_branches_gates_shuffles_and_norms(name: str) -> None:
    size = least_size(name)
    subject = bench(with_random_weights(on_meta(name), size), (3, size, size))
    trace = cc.trace(subject, noise_picture(size, size))  # type: ignore[arg-type]
    for choose in ("most", "for"):
        trail = follow(subject, trace, subject.network.output, 7, choose=choose)  # type: ignore[arg-type]
        check(trail, subject.network, trace)
        # With random weights a way can end where ReLUs left only zeros.
        assert trail.end == "input" or _reads_zeros(subject, trace, trail)
        text = trail.to_text()
        assert len(text) < 80
        again = Trail.from_text(subject, trace, text)  # type: ignore[arg-type]
        assert [(s.operation, s.index) for s in again.steps] == [(s.operation, s.index) for s in trail.steps]
        for step, following in zip(trail.steps, trail.steps[1:], strict=False):
            read = subject.network[step.operation]
            if step.kind == "mul" and len(read.inputs) == 2:
                assert subject.network[following.operation].output_shape == read.output_shape  # the map, not its gate
            if step.kind == "add" and len(read.inputs) == 2:
                both = [float(trace.activation(n)[step.index]) for n in read.inputs]
                score = (
                    [abs(v) for v in both] if choose == "most" else [v * (1 if step.value >= 0 else -1) for v in both]
                )
                assert following.operation == read.inputs[int(np.argmax(score))]


def _reads_zeros(subject: Bench, trace: cc.Trace, trail: Trail) -> bool:
    unit = cc.explain_unit(subject, trace, trail.steps[-1].operation, trail.steps[-1].index)  # type: ignore[arg-type]
    return trail.end == "nothing" and not any(term.value for term in unit.terms)


class _Hand(nn.Module):
    """Known weights: one dilated convolution without bias, max pooling, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 2, dilation=2, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(1, 2)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 1] = torch.tensor([[1.0, 0.0], [0.0, -3.0]])
            self.linear.weight.copy_(torch.tensor([[2.0], [0.0]]))
            self.linear.bias.copy_(torch.tensor([1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.flatten(self.pool(self.conv(x)), 1))


def hand() -> tuple[cc.Classifier, cc.Trace]:
    classifier = classifier_of(_Hand(), size=4)
    rgb = np.zeros((4, 4, 3), dtype=np.uint8)
    rgb[0, 1, 1], rgb[2, 3, 1] = 255, 51  # 1.0 and 0.2 in green
    return classifier, cc.trace(classifier, PlainInput.of(rgb))  # type: ignore[return-value, arg-type]


def test_by_hand() -> None:
    """conv at (0, 1) = 1 * 1.0 - 3 * 0.2 = 0.4, which wins the pooling; logit 0 = 2 * 0.4 + 1 = 1.8."""
    classifier, trace = hand()
    trail = follow(classifier, trace, "linear", 0)
    assert [(s.operation, s.index) for s in trail.steps] == [
        ("linear", (0,)),
        ("flatten", (0,)),
        ("pool", (0, 0, 0)),
        ("conv", (0, 0, 1)),
        ("input", (1, 0, 1)),
    ]
    assert [s.contribution for s in trail.steps[:-1]] == pytest.approx([0.8, 0.4, 0.4, 1.0])
    assert trail.steps[0].share == pytest.approx(0.8 / 1.8) and trail.steps[3].share == pytest.approx(1.0 / 1.6)
    assert trail.steps[2].n_parts == 4 and trail.steps[2].share is None and trail.steps[3].n_parts == 12
    turned = follow(classifier, trace, "linear", 0, turns={3: (0, (1, 2, 3))})
    assert turned.steps[-1].index == (1, 2, 3) and turned.steps[3].contribution == pytest.approx(-0.6)
    assert turned.steps[3].turned and not trail.steps[3].turned
    assert turned.to_text() == "most~all~linear~0~3-0-1.2.3"
    again = Trail.from_text(classifier, trace, turned.to_text())
    assert [s.index for s in again.steps] == [s.index for s in turned.steps]
    short = follow(classifier, trace, "linear", [0], steps=2, choose="for")
    assert len(short.steps) == 3 and short.end == "steps" and short.to_text() == "for~2~linear~0"
    assert "2 steps" in short.sentence


@pytest.mark.parametrize(("operation", "index"), [("classifier.1", 388), ("features.8.conv.0.2", (12, 4, 9))])
def test_a_short_trail_begins_as_the_whole_one(
    panda: tuple[cc.Classifier, cc.Trace], operation: str, index: int | tuple[int, ...]
) -> None:
    classifier, trace = panda
    whole = follow(classifier, trace, operation, index)
    for steps in (1, 2, 5):
        short = follow(classifier, trace, operation, index, steps=steps)
        assert [vars(step) for step in short.steps[:-1]] == [vars(step) for step in whole.steps[:steps]]
        assert short.end == "steps" and short.steps[-1].value == whole.steps[steps].value


def test_the_parts_told_of_and_the_rest_make_the_whole(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    trail = follow(classifier, trace, classifier.network.output, 388)
    summed = 0
    for step, following in zip(trail.steps, trail.steps[1:], strict=False):
        assert len(step.contributors) + step.n_rest == step.n_parts
        (followed,) = [one for one in step.contributors if one.followed]
        assert (followed.operation, followed.index) == (following.operation, following.index)
        assert (followed.value, followed.share) == (step.contribution, step.share)
        assert followed.operation == classifier.network[step.operation].inputs[followed.input_number]
        if step.combine not in ("sum", "mean"):
            assert step.rest is None
            continue
        summed += 1
        sizes = [abs(one.value) for one in step.contributors]
        assert sizes == sorted(sizes, reverse=True) and len(sizes) <= SHOWN
        assert step.rest is not None
        whole = sum(one.value for one in step.contributors) + step.rest + (step.bias or 0.0)
        assert whole == pytest.approx(step.computed, rel=1e-9, abs=1e-9)
    assert summed > 40
    last = trail.steps[-1]
    assert last.contributors == () and last.n_rest == 0


def test_a_weak_part_that_was_chosen_by_hand_is_told_of_as_well() -> None:
    classifier, trace = hand()
    # Of the twelve products ten are 0: the last of them is not among the strongest.
    turned = follow(classifier, trace, "linear", 0, turns={3: (0, (2, 2, 3))})
    step = turned.steps[3]
    assert [one.value for one in step.contributors[:2]] == pytest.approx([1.0, -0.6])
    assert len(step.contributors) == SHOWN + 1 and step.n_rest == 12 - SHOWN - 1
    chosen = step.contributors[-1]
    assert chosen.followed and chosen.index == (2, 2, 3) and chosen.value == 0 and chosen.share == 0
    assert step.rest == 0 and step.bias is None
    pooled = turned.steps[2]
    assert pooled.contributors[0].value == pytest.approx(0.4) and pooled.contributors[0].share is None


def test_nothing_made_it() -> None:
    classifier, trace = hand()
    trail = follow(classifier, trace, "linear", 1)
    # Its only weight is 0.
    assert trail.end == "nothing" and len(trail.steps) == 1 and "is 0" in trail.sentence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "most",
        "most~all~linear",
        "best~all~linear~0",
        "most~some~linear~0",
        "most~all~linear~zero",
        "most~all~linear~-1",
        "most~all~linear~9",
        "most~all~linear~0.0",
        "most~all~no.such~0",
        "most~0~linear~0",
        "most~all~linear~0~3-0",
        "most~all~linear~0~3-0-1.3.3",  # not in the window
        "most~all~linear~0~3-1-1.2.3",  # there is one input
        "most~all~linear~0~9-0-1.2.3",  # the trail is shorter
        "most~all~linear~0~" + "3-0-1.2.3~" * 300,
        "most~all~<b>~0",
    ],
)
def test_a_wrong_link_is_an_invalid_unit(text: str) -> None:
    classifier, trace = hand()
    with pytest.raises(InvalidUnit):
        Trail.from_text(classifier, trace, text)


def test_refusals() -> None:
    classifier, trace = hand()
    with pytest.raises(InvalidLayer):
        follow(classifier, trace, "no.such", 0)
    with pytest.raises(InvalidOption):
        follow(classifier, trace, "linear", 0, choose="least")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption):
        follow(classifier, trace, "linear", 0, steps=0)
    with pytest.raises(InvalidUnit):
        follow(classifier, trace, "linear", (0, 0))
