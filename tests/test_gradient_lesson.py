"""Gradients through twenty layers: against networks built of modules, and against finite steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.gradient_lesson import STACKS, DeepStack, _digits, gradient_norms

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "relu_xavier": nn.ReLU}


def usual_network(stack: DeepStack, depth: int, channels: int, seed: int) -> nn.Sequential:
    """The same network as modules, its weights drawn in the same order."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for layer in range(depth):
        convolution = nn.Conv2d(1 if layer == 0 else channels, channels, 3, padding=1, bias=False, dtype=torch.float64)
        fan_in, fan_out = convolution.weight[0].numel(), 9 * channels
        variance = 2 / fan_in if stack.he else 2 / (fan_in + fan_out)
        with torch.no_grad():
            convolution.weight.normal_(0, variance**0.5, generator=generator)
        layers += [convolution, ACTIVATIONS[stack.key]()]
    head = nn.Linear(channels, 10, bias=False, dtype=torch.float64)
    with torch.no_grad():
        head.weight.normal_(0, (2 / (channels + 10)) ** 0.5, generator=generator)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.key)
def test_norms_equal_backward_through_modules(stack: DeepStack) -> None:
    (result,) = gradient_norms(depth=3, channels=4, seeds=(0, 7), stacks=(stack,))
    for row, seed in zip(result.norms, (0, 7), strict=True):
        network = usual_network(stack, 3, 4, seed)
        pictures, labels = _digits()
        nn.functional.cross_entropy(network(pictures), labels).backward()
        wanted = [float(m.weight.grad.norm()) for m in network if isinstance(m, nn.Conv2d)]
        np.testing.assert_allclose(row, wanted, rtol=1e-10)  # float64, the same operations


def test_a_gradient_equals_finite_steps() -> None:
    stack = STACKS[1]  # tanh: smooth, so that steps of both signs meet no corner
    (result,) = gradient_norms(depth=2, channels=2, seeds=(3,), stacks=(stack,))
    network = usual_network(stack, 2, 2, 3)
    pictures, labels = _digits()
    weight = network[0].weight.detach()
    step, slopes = 1e-6, []
    with torch.no_grad():
        for index in np.ndindex(*weight.shape):
            losses = []
            for sign in (1, -1):
                network[0].weight[index] += sign * step
                losses.append(float(nn.functional.cross_entropy(network(pictures), labels)))
                network[0].weight[index] -= sign * step
            slopes.append((losses[0] - losses[1]) / (2 * step))
    # Central differences in float64: error about step² + 1e-16 / step.
    assert result.norms[0, 0] == pytest.approx(float(np.linalg.norm(slopes)), rel=1e-6)


def test_the_full_experiment_shows_what_the_lesson_says() -> None:
    results = {result.key: result for result in gradient_norms(seeds=(0, 1))}
    assert set(results) == {stack.key for stack in STACKS}
    for result in results.values():
        assert result.norms.shape == (2, 20) and (result.norms > 0).all()
        assert (result.low <= result.median).all() and (result.median <= result.high).all()
    # Each sigmoid's slope is at most 1/4: twenty of them leave under 1e-12 where weights do not make up for it.
    assert results["sigmoid"].reaching < 1e-9
    assert results["relu"].reaching > 1e-3 and results["tanh"].reaching > 1e-3


def test_the_global_random_state_is_left_alone_and_results_repeat() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (gradient_norms(depth=2, channels=2, seeds=(0,)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.norms, other.norms)


def test_it_works_where_gradients_are_switched_off() -> None:
    with torch.inference_mode():
        (result,) = gradient_norms(depth=2, channels=2, seeds=(0,), stacks=STACKS[:1])
    assert (result.norms > 0).all()


@pytest.mark.parametrize("bad", [{"depth": 0}, {"channels": 0}, {"seeds": ()}])
def test_sizes_are_checked(bad: dict[str, object]) -> None:
    with pytest.raises(cc.InvalidOption):
        gradient_norms(**bad)  # type: ignore[arg-type]
