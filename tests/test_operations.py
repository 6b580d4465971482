"""Every kind of operation, every unit of small activations: the terms give the number that torch computed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from cnn_core.errors import InvalidLayer, InvalidUnit
from cnn_core.operations import UnitExplanation, explain_unit, operation_kinds
from cnn_core.operations.explanation import tex, tex_sum
from cnn_core.tracing import Trace, trace

from .torchvision_networks import MEAN, STD, Bench, bench, noise_picture


class _Then(nn.Module):
    """A function as the operation under test, between an identity and a flattening to logits."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.start, self.function = nn.Identity(), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.start(x)).flatten(1)


def _randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.2, 1.0, generator=generator)  # positive, so that it serves as a variance too
            tensor.data.mul_(1 if tensor.dim() == 1 else torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1)
    return module


def _opened(function: Callable[[Tensor], Tensor], size: tuple[int, int] = (7, 6)) -> tuple[Bench, Trace]:
    module = function if isinstance(function, nn.Module) else _Then(function)
    subject = bench(_randomised(module).eval().requires_grad_(False), (3, *size), 10_000)
    return subject, trace(subject, noise_picture(*size))  # type: ignore[arg-type]


def _explain(subject: Bench, traced: Trace, operation: str, index: Any) -> UnitExplanation:
    return explain_unit(subject, traced, operation, index)  # type: ignore[arg-type]


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "conv": nn.Conv2d(3, 4, 3),
    "conv no bias": nn.Conv2d(3, 4, (3, 2), bias=False),
    "conv padding stride": nn.Conv2d(3, 4, 3, stride=(2, 1), padding=(2, 1)),
    "conv dilation": nn.Conv2d(3, 4, 3, dilation=(2, 1), padding=2),
    "conv groups": nn.Conv2d(3, 6, 3, groups=3, padding=1),
    "conv same even": nn.Conv2d(3, 2, (2, 4), padding="same"),
    "conv valid": nn.Conv2d(3, 2, 2, padding="valid"),
    "conv reflect": nn.Conv2d(3, 2, 3, padding=2, padding_mode="reflect"),
    "conv replicate": nn.Conv2d(3, 2, 3, padding=2, padding_mode="replicate"),
    "conv circular": nn.Conv2d(3, 2, 3, padding=2, padding_mode="circular"),
    "batch_norm": nn.BatchNorm2d(3),
    "batch_norm plain": nn.BatchNorm2d(3, affine=False, eps=0.1),
    "layer_norm all": nn.LayerNorm((3, 7, 6)),
    "layer_norm last": nn.LayerNorm(6),
    "layer_norm plain": nn.LayerNorm((7, 6), elementwise_affine=False),
    "linear last": nn.Linear(6, 4),
    "relu": nn.ReLU(),
    "relu6": lambda x: functional.relu6(x * 7),
    "leaky_relu": nn.LeakyReLU(0.2),
    "leaky_relu function": lambda x: functional.leaky_relu(x, 0.3),
    "elu": nn.ELU(0.7),
    "sigmoid": lambda x: torch.sigmoid(x * 50),
    "sigmoid method": lambda x: x.sigmoid(),
    "tanh": torch.tanh,
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "gelu tanh": nn.GELU("tanh"),
    "gelu function": lambda x: functional.gelu(x, approximate="tanh"),
    "hardsigmoid": lambda x: functional.hardsigmoid(x * 3),
    "hardswish": lambda x: functional.hardswish(x * 3, True),
    "max_pool": nn.MaxPool2d(3, 2),
    "max_pool padding": nn.MaxPool2d((3, 2), 2, padding=1),
    "max_pool ceil": nn.MaxPool2d(3, 2, ceil_mode=True),
    "max_pool dilation": nn.MaxPool2d(3, 1, dilation=2, padding=1),
    "max_pool function": lambda x: functional.max_pool2d(x, 2),
    "avg_pool": nn.AvgPool2d(2),
    "avg_pool padding": nn.AvgPool2d(3, 2, padding=1),
    "avg_pool padding not counted": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
    "avg_pool ceil": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "avg_pool ceil not counted": nn.AvgPool2d((3, 4), (2, 3), padding=1, ceil_mode=True, count_include_pad=False),
    "avg_pool divisor": nn.AvgPool2d(2, divisor_override=3),
    "avg_pool function": lambda x: functional.avg_pool2d(x, (2, 3), 1, 1, False, False),
    "adaptive_avg_pool": nn.AdaptiveAvgPool2d((3, 4)),
    "adaptive_avg_pool wider": nn.AdaptiveAvgPool2d((9, 7)),
    "adaptive_avg_pool one": nn.AdaptiveAvgPool2d((None, 1)),
    "adaptive_max_pool": nn.AdaptiveMaxPool2d((3, 4)),
    "mean": lambda x: x.mean([2, 3]),
    "mean keepdim": lambda x: x.mean(dim=(-1, -2), keepdim=True),
    "mean channels": lambda x: torch.mean(x, 1),
    "add": lambda x: x + x.relu(),
    "add number": lambda x: 0.5 + x,
    "add broadcast": lambda x: x + x.mean((2, 3), keepdim=True),
    "mul": lambda x: x * x.sigmoid(),
    "mul number": lambda x: x * -2.5,
    "mul broadcast": lambda x: x.mean((2, 3), keepdim=True) * x,
    "cat": lambda x: torch.cat([x, x.relu(), x * 2], 1),
    "cat rows": lambda x: torch.cat((x, x.relu()), dim=-2),
    "flatten": nn.Flatten(),
    "flatten rows": lambda x: torch.flatten(x, 2),
    "view": lambda x: x.view(x.shape[0], 3, -1),
    "view like": lambda x: x.relu().reshape(x.size()),
    "unsqueeze": lambda x: x.unsqueeze(2),
    "squeeze": lambda x: x.mean((2, 3), keepdim=True).squeeze(3),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "permute function": lambda x: torch.permute(x, (0, -1, 1, 2)),
    "transpose": lambda x: x.transpose(1, -1),
    "chunk": lambda x: x.chunk(2, 1)[1],
    "split": lambda x: torch.split(x, 2, dim=2)[2],
    "split sizes": lambda x: x.split([1, 4, 2], dim=2)[1],
    "getitem channel": lambda x: x[:, 1],
    "getitem steps": lambda x: x[:, :, 1::2, -3:],
    "dropout": nn.Dropout(0.3),
    "dropout function": lambda x: functional.dropout(x, 0.5, False),
    "stochastic_depth": StochasticDepth(0.4, "row"),
    "identity": nn.Identity(),
    "contiguous": lambda x: x.transpose(2, 3).contiguous(),
    "softmax": lambda x: x.softmax(1),
    "softmax function": lambda x: functional.softmax(x * 30, dim=-1),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", CASES)
def test_every_unit_of_every_kind(case: str) -> None:
    subject, traced = _opened(_Then(CASES[case]))
    for operation in subject.network.operations[:-1]:
        assert operation.kind != "other", operation
        activation = traced.activation(operation.name)
        assert activation.shape == operation.output_shape
        for index in itertools.product(*(range(n) for n in activation.shape)):
            explained = _explain(subject, traced, operation.name, index)
            assert explained.value == activation[index]
            # Some hundred float32 products at most: 1e-5 is ten times stricter than the page's own tick.
            assert explained.relative_error <= 1e-5, (operation, explained)
            assert explained.checked and explained.matches
            _check_terms(explained, traced)


def _check_terms(explained: UnitExplanation, traced: Trace) -> None:
    """What each term says of itself holds: where it comes from, and what it contributes."""
    terms = list(explained.terms)
    values = [t.value for t in terms]
    if explained.combine in ("sum", "mean"):
        assert sum(values) + (explained.bias or 0) == pytest.approx(explained.computed, rel=1e-9, abs=1e-9)
    elif explained.combine == "max":
        assert max(values) == explained.computed
    elif explained.combine == "product":
        assert np.prod(values) == pytest.approx(explained.computed)
    elif explained.combine == "copy":
        assert values == [explained.computed]
    for term in terms:
        source = traced.activation(term.source)
        assert len(term.source_index) == source.ndim
        if term.window is not None and term.weights is not None:
            # float32 copies of the numbers: 1e-5 relative
            assert float((term.window.astype(float) * term.weights).sum()) == pytest.approx(
                term.value, rel=1e-5, abs=1e-5
            )
        if explained.kind == "input":
            continue
        if term.window is None or term.window.size == 1:
            inside = all(0 <= i < n for i, n in zip(term.source_index, source.shape, strict=True))
            read = source[term.source_index] if inside else None
            if explained.combine in ("max", "copy") or explained.kind == "add":
                assert read == np.float32(term.value)
            elif term.window is not None and term.padded is None:
                assert read == term.window[0, 0]
    assert explained.formula.count("{") == explained.formula.count("}")


def test_all_registered_kinds_are_tested_here() -> None:
    tested: set[str] = set()
    for function in CASES.values():
        tested |= {o.kind for o in _opened(_Then(function))[0].network.operations}
    # batch_norm1d and other have tests of their own below.
    assert set(operation_kinds()) - tested == {"batch_norm1d", "other"}


def test_a_convolution_by_hand() -> None:
    conv = nn.Conv2d(3, 1, 2, padding=1)
    subject, traced = _opened(conv, (2, 2))
    pixels = traced.activation("input")
    with torch.no_grad():
        weights, bias = conv.weight[0].numpy().astype(float), float(conv.bias[0])  # type: ignore[index]
    # The window of the output's corner lies in the padding but for its last cell, which holds pixel (0, 0).
    explained = _explain(subject, traced, subject.network.operations[1].name, (0, 0, 0))
    expected = [float(pixels[c, 0, 0]) * weights[c, 1, 1] for c in range(3)]
    assert [t.value for t in explained.terms] == pytest.approx(expected)
    assert explained.computed == pytest.approx(sum(expected) + bias)
    assert explained.bias == pytest.approx(bias)
    term = explained.terms[2]
    assert (term.label, term.source, term.source_index) == ("channel 2", "input", (2, -1, -1))
    assert term.padded is not None and term.padded.tolist() == [[True, True], [True, False]]
    assert term.window is not None and term.window.tolist() == [[0, 0], [0, float(pixels[2, 0, 0])]]
    assert np.array_equal(np.asarray(term.weights), conv.weight[0, 2].detach().numpy())
    assert explained.note == (
        "12 products from 3 input channels; 3 of the window's 4 cells lie in the padding and count as 0."
    )
    shown = " ".join(tex(v) for v in expected)
    assert all(number.lstrip("-") in explained.formula for number in shown.split())
    assert explained.formula.startswith(r"y_{0,\,0,\,0} = \sum_{c=0}^{2} \sum_{i,j} w_{0,\,c,\,i,\,j}\, x_{c,\,-1+i,")


def test_depthwise_and_grouped_terms_come_from_their_own_channels() -> None:
    subject, traced = _opened(nn.Conv2d(3, 6, 3, groups=3))
    name = subject.network.operations[1].name
    for channel in range(6):
        (term,) = _explain(subject, traced, name, (channel, 1, 2)).terms
        assert term.source_index == (channel // 2, 1, 2)
        assert np.array_equal(np.asarray(term.window), traced.activation("input")[channel // 2, 1:4, 2:5])


def test_a_pixel_is_opened_too() -> None:
    picture = noise_picture(7, 6)
    subject, traced = _opened(nn.Conv2d(3, 1, 1))
    explained = _explain(subject, traced, "input", (2, 3, 4))
    byte = int(picture.shown_rgb[3, 4, 2])
    assert explained.computed == pytest.approx((byte / 255 - MEAN[2]) / STD[2])
    assert explained.matches and rf"\tfrac{{{byte}}}{{255}}" in explained.formula


def test_batch_norm1d_and_a_long_softmax() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.norm = nn.Linear(3 * 42, 5), nn.BatchNorm1d(5)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.fc(x.flatten(1))) * 100  # logits so far apart that exp alone would overflow

    subject, traced = _opened(Head())
    assert traced.logits.max() > 89  # where float32's exp ends
    for name in ("norm", "fc", "softmax"):
        for k in range(5):
            explained = _explain(subject, traced, name, k)
            assert explained.matches and explained.index == (k,)
    explained = _explain(subject, traced, "fc", (2,))
    assert len(explained.terms) == 126
    assert explained.terms[7].source_index == (7,) and explained.terms[-1].label == "input 125"
    probability = _explain(subject, traced, "softmax", (1,))
    assert probability.computed == pytest.approx(
        probability.terms[1].value / sum(t.value for t in probability.terms), rel=1e-12
    )


def test_ranked_terms_and_the_rest() -> None:
    subject, traced = _opened(nn.AvgPool2d((7, 6)))
    explained = _explain(subject, traced, subject.network.operations[1].name, (1, 0, 0))
    top, count, rest = explained.ranked(5)
    assert count == 37
    assert [abs(t.value) for t in top] == sorted((abs(t.value) for t in explained.terms), reverse=True)[:5]
    assert sum(t.value for t in top) + rest == pytest.approx(explained.computed)
    everything, none, nothing = explained.ranked(100)
    assert (len(everything), none, nothing) == (42, 0, 0.0)


@pytest.mark.parametrize("index", [(0, 0), (0, 0, 7), (-1, 0, 0), (4, 0, 0), (0.5, 0, 0), "abc", 3, None])
def test_units_that_are_not_there(index: Any) -> None:
    subject, traced = _opened(nn.Conv2d(3, 4, 3))
    with pytest.raises(InvalidUnit, match="4×5×4"):
        _explain(subject, traced, subject.network.operations[1].name, index)


def test_indices_may_be_numpy_integers_and_operations_may_be_objects() -> None:
    subject, traced = _opened(nn.Conv2d(3, 4, 3))
    operation = subject.network.operations[1]
    index = np.unravel_index(37, operation.output_shape)
    explained = explain_unit(subject, traced, operation, index)  # type: ignore[arg-type]
    assert explained.matches and all(type(i) is int for i in explained.index)
    with pytest.raises(InvalidLayer):
        _explain(subject, traced, "nowhere", (0, 0, 0))


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "pixel_unshuffle": nn.PixelUnshuffle(1),
    "subtraction": lambda x: x - x.relu(),
    "add with alpha": lambda x: torch.add(x, x, alpha=2),
    "largest": lambda x: torch.max(x, dim=1, keepdim=True)[0],
    "norm of the batch": nn.BatchNorm2d(3, track_running_stats=False),
    "indexed by a tensor": lambda x: x[:, torch.tensor([2, 0])],
    "convolution with computed weights": lambda x: functional.conv2d(x, x[:, :, :2, :2]),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_not_known_is_not_ticked(case: str) -> None:
    subject, traced = _opened(_Then(OTHERS[case]))
    unknown = [o for o in subject.network.operations if o.kind == "other"]
    if case == "indexed by a tensor":
        assert not unknown, "a constant index is a plain copy"
        return
    (operation,) = unknown
    explained = _explain(subject, traced, operation.name, tuple(0 for _ in operation.output_shape))
    assert explained.value == explained.computed == traced.activation(operation.name).flat[0]
    assert not explained.checked and not explained.matches
    assert "does not open" in explained.note and explained.terms == ()
    assert operation.inputs, "it still says what it reads"


def test_numbers_in_latex() -> None:
    assert [tex(v) for v in (0.71921, -0.0, 12345.678, -3.14159e-7, 1.0, float("nan"), float("inf"))] == [
        "0.7192", "0", r"1.235\cdot 10^{4}", r"-3.142\cdot 10^{-7}", "1", r"\mathrm{NaN}", r"\infty",
    ]  # fmt: skip
    assert tex_sum(np.array([1.0, -2.0, 3.0])) == "1 - 2 + 3"
    assert tex_sum(np.array([-1.0, 2.0]), -0.5) == "-1 + 2 - 0.5"
    assert tex_sum(np.array([0.1, 5.0, -7.0, 0.2, 3.0])) == r"-7 + 5 + 3 + \cdots"
