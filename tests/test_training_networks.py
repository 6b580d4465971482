"""The small networks: parameters by closed forms, first weights, and that every page can open them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.network import build_network
from cnn_core.training.modules import Block
from cnn_core.training.networks import (
    DEPTHS,
    draw_weights,
    fresh_network,
    list_networks,
    register_network,
    small_network,
)
from cnn_core.training.optimisers import flatten_parameters

KEYS = [network.key for network in list_networks()]


def conv(inputs: int, outputs: int, side: int = 3, bias: bool = True) -> int:
    return outputs * (inputs * side * side + bias)


def linear(inputs: int, outputs: int) -> int:
    return outputs * (inputs + 1)


def bn(channels: int) -> int:
    return 2 * channels


def block(inputs: int, outputs: int, shortcut: int = 0) -> int:
    return conv(inputs, outputs, bias=False) + conv(outputs, outputs, bias=False) + 2 * bn(outputs) + shortcut


def inception(inputs: int, one: int, before: int, three: int, before_five: int, five: int, pooled: int) -> int:
    first = conv(inputs, one, 1) + conv(inputs, before, 1) + conv(inputs, before_five, 1) + conv(inputs, pooled, 1)
    return first + conv(before, three) + conv(before_five, five, 5)


LENET = conv(1, 6, 5) + conv(6, 16, 5) + linear(400, 120) + linear(120, 84) + linear(84, 10)
SMALL = conv(1, 16) + conv(16, 32) + linear(1568, 10)
DEEP = conv(1, 16, bias=False) + 19 * conv(16, 16, bias=False) + linear(784, 10)
PARAMETERS = {
    "lenet5": LENET,
    "lenet5_1998": LENET,
    "mlp": linear(784, 128) + linear(128, 10),
    "cnn": conv(1, 16) + conv(16, 32) + conv(32, 32) + linear(32, 10),
    "six_convolutions": conv(1, 16) + 5 * conv(16, 16) + linear(16, 10),
    "six_convolutions_bn": conv(1, 16, bias=False) + 5 * conv(16, 16, bias=False) + 6 * bn(16) + linear(16, 10),
    "deep_sigmoid": DEEP,
    "deep_tanh": DEEP,
    "deep_relu_xavier": DEEP,
    "deep_relu": DEEP,
    "small_cnn": SMALL,
    "small_cnn_input_bn": SMALL + bn(1),
    "big_cnn": conv(1, 32) + conv(32, 64) + conv(64, 64) + bn(32) + 2 * bn(64) + linear(3136, 128) + linear(128, 10),
    "resnet7": conv(1, 16, bias=False)
    + bn(16)
    + block(16, 16)
    + block(16, 32, shortcut=conv(16, 32, 1, bias=False))
    + block(32, 32)
    + linear(32, 10),
    "small_lenet": LENET,
    "small_alexnet": conv(1, 16, 7)
    + conv(16, 32, 5)
    + conv(32, 40)
    + conv(40, 40)
    + conv(40, 32)
    + linear(288, 256)
    + linear(256, 128)
    + linear(128, 10),
    "small_vgg": conv(1, 12)
    + conv(12, 12)
    + conv(12, 24)
    + conv(24, 24)
    + conv(24, 48)
    + conv(48, 48)
    + linear(432, 128)
    + linear(128, 128)
    + linear(128, 10),
    "small_googlenet": conv(1, 16, 5)
    + conv(16, 24)
    + inception(24, 16, 16, 24, 4, 8, 8)
    + inception(56, 24, 24, 48, 8, 12, 12)
    + inception(96, 40, 28, 56, 8, 16, 16)
    + linear(128, 10),
    "small_resnet": conv(1, 16, bias=False)
    + bn(16)
    + 2 * block(16, 16)
    + block(16, 32, shortcut=conv(16, 32, 1, bias=False))
    + block(32, 32)
    + block(32, 64, shortcut=conv(32, 64, 1, bias=False))
    + block(64, 64)
    + linear(64, 10),
} | {
    f"{kind}_{depth}": conv(1, 16, 5, bias=False) + bn(16) + (depth - 2) // 2 * block(16, 16) + linear(64, 10)
    for kind in ("plain", "residual")
    for depth in DEPTHS
}


def test_every_network_is_counted() -> None:
    assert set(PARAMETERS) == set(KEYS)
    # As published, or as measured in the laboratory.
    assert PARAMETERS["cnn"] == 14_378 and PARAMETERS["mlp"] == 101_770 and PARAMETERS["lenet5"] == 61_706
    assert round(PARAMETERS["small_cnn"], -3) == 20_000 and round(PARAMETERS["big_cnn"], -3) == 459_000


@pytest.mark.parametrize("key", KEYS)
def test_parameters_shape_and_graph(key: str) -> None:
    module = fresh_network(key, 0)
    assert sum(p.numel() for p in module.parameters()) == PARAMETERS[key]
    assert all(p.requires_grad and p.isfinite().all() for p in module.parameters()) and module.training
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    module.eval()
    with torch.no_grad():
        logits = module(x)
    network = build_network(module, (1, 28, 28))
    assert logits.shape == (2, 10) and network.n_parameters == PARAMETERS[key]
    assert "other" not in {operation.kind for operation in network.operations}
    # The graph's own run does the same operations in the same order.
    with torch.no_grad():
        assert torch.equal(network.run(x)[network.output], logits)


@pytest.mark.parametrize("depth", DEPTHS)
def test_depth_counts_the_layers_on_the_way(depth: int) -> None:
    for kind in ("plain", "residual"):
        layers = [m for m in fresh_network(f"{kind}_{depth}", 0).modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert len(layers) == depth


def test_the_first_weights_depend_on_the_seed_alone_and_on_nothing_global() -> None:
    before = torch.get_rng_state()
    first, again, other = (fresh_network("cnn", seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("plain_44", "residual_44", 43),
        ("plain_8", "plain_44", 7),
        ("six_convolutions", "six_convolutions_bn", 6),
        ("deep_sigmoid", "deep_relu_xavier", 20),
        ("lenet5", "lenet5_1998", 5),
        ("small_cnn", "small_cnn_input_bn", 3),
    ],
)
def test_compared_networks_begin_with_the_same_weights(one: str, other: str, shared: int) -> None:
    a, b = (
        {
            name: m.weight
            for name, m in fresh_network(key, 3).named_modules()
            if isinstance(m, (nn.Conv2d, nn.Linear)) and m.weight is not None
        }
        for key in (one, other)
    )
    same = [name for name in a if name in b and a[name].shape == b[name].shape]
    assert len(same) >= shared and all(torch.equal(a[name], b[name]) for name in same)


@pytest.mark.parametrize(("scheme", "variance"), [("torch", 1 / 3), ("he", 2.0), ("xavier", None)])
def test_first_weights_have_the_spread_of_their_scheme(scheme: str, variance: float | None) -> None:
    layer = nn.Conv2d(64, 128, 3).requires_grad_(False)
    draw_weights(layer, 0, scheme)  # type: ignore[arg-type]
    fan_in, fan_out = 64 * 9, 128 * 9
    expected = 2 / (fan_in + fan_out) if variance is None else variance / fan_in
    # 73,728 draws: the sample variance is within 2 % (its standard error is below 1 %)
    assert float(layer.weight.detach().var()) == pytest.approx(expected, rel=0.02)
    if scheme == "torch":
        assert layer.weight.abs().max() <= fan_in**-0.5 and layer.bias.abs().max() <= fan_in**-0.5
        reference = nn.Conv2d(64, 128, 3).requires_grad_(False)  # torch's own beginning, from the global generator
        assert float(reference.weight.var()) == pytest.approx(float(layer.weight.var()), rel=0.03)
        assert float(layer.bias.std()) == pytest.approx(float(reference.bias.std()), rel=0.2)
    else:
        assert not layer.bias.any()


def test_a_residual_block_begins_as_the_identity() -> None:
    block_ = next(m for m in fresh_network("residual_8", 0).modules() if isinstance(m, Block)).eval()
    # only the last scale is 0: with an earlier one, too, no gradient would ever reach the block
    assert torch.equal(block_.bn1.weight, torch.ones(16)) and not block_.bn2.weight.any()
    x = torch.rand(1, 16, 7, 7)
    with torch.no_grad():
        assert torch.equal(block_(x), x)
    plain = next(m for m in fresh_network("plain_8", 0).modules() if isinstance(m, Block))
    assert torch.equal(plain.bn2.weight, torch.ones(16))


def test_flat_parameters_are_the_parameters() -> None:
    module = fresh_network("lenet5", 0)
    copies = [p.detach().clone() for p in module.parameters()]
    flat = flatten_parameters(list(module.parameters()))
    with torch.no_grad():
        flat.mul_(2)
    assert all(torch.equal(p, 2 * q) for p, q in zip(module.parameters(), copies, strict=True))
    assert math.prod(flat.shape) == LENET


def test_keys_are_unique_and_unknown_ones_are_said() -> None:
    with pytest.raises(ValueError, match="already"):
        register_network(small_network("cnn"))
    with pytest.raises(cc.InvalidOption, match="resnet7"):
        small_network("resnet8")
    with pytest.raises(TypeError, match="PReLU"):
        draw_weights(nn.Sequential(nn.PReLU()), 0, "torch")
