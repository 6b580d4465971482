"""Every convolutional classifier of torchvision: the trace is the module's own output, and its numbers come apart."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from cnn_core.operations import explain_units
from cnn_core.tracing import trace

from .torchvision_networks import EVERY_CNN, TWENTY, bench, least_size, noise_picture, on_meta, with_random_weights

N_UNITS = 20
"""Random units of every operation."""


@pytest.fixture(autouse=True)
def one_thread_and_tidy() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    gc.collect()  # the largest of these networks has 2.6 GB of weights


def test_none_is_left_out() -> None:
    assert len(EVERY_CNN) >= 68 and set(EVERY_CNN) >= IN_THE_GATE
    families = "alexnet convnext densenet efficientnet googlenet inception mnasnet mobilenet regnet resnet resnext"
    for family in [*families.split(), "shufflenet", "squeezenet", "vgg", "wide_resnet"]:
        assert any(name.startswith(family) for name in EVERY_CNN)


# One or two of each family in the gate, all of them in the long run.
IN_THE_GATE = frozenset([*TWENTY, "vgg11_bn", "wide_resnet50_2"])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_THE_GATE else pytest.mark.long) for name in EVERY_CNN]
)
def test_trace_and_arithmetic(name: str, say: Callable[[str], None]) -> None:
    size = least_size(name)
    module = with_random_weights(on_meta(name), size)
    picture = noise_picture(size, size)
    with torch.no_grad():
        expected = module(picture.tensor)[0].numpy()  # before the graph is built: still in place where torchvision is
    subject = bench(module, (3, size, size))
    traced = trace(subject, picture)  # type: ignore[arg-type]
    # The same functions on the same numbers, so equal bits are expected; 1e-5 allows for another order of sums.
    assert np.abs(traced.logits - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max()))

    operations = subject.network.operations
    assert [o.name for o in operations if o.kind == "other"] == []
    rng = np.random.default_rng(0)
    activations = traced.activations([o.name for o in operations])
    alive, units, worst = 0, 0, 0.0
    for operation in operations:
        activation = activations[operation.name]
        assert activation.shape == operation.output_shape
        indices = [tuple(int(rng.integers(n)) for n in activation.shape) for _ in range(N_UNITS)]
        for index, explained in zip(indices, explain_units(subject, traced, operation, indices), strict=True):  # type: ignore[arg-type]
            assert explained.index == index and explained.value == activation[index]
            # 1e-4 is the promise to the visitor: float32 sums of up to 25,088 products against float64 ones.
            assert explained.checked and explained.relative_error <= 1e-4, (operation, explained)
            assert explained.matches
            alive += explained.value != 0
            units += 1
            worst = max(worst, explained.relative_error)
    assert units == N_UNITS * len(operations)
    # ReLUs make half of some operations' values zero; with fewer alive the test would compare zeros with zeros.
    assert alive >= 0.6 * units
    spread = [float(activations[o.name].std()) for o in operations if o.kind in ("conv2d", "add", "batch_norm2d")]
    assert min(spread) > 1e-3
    assert max(spread) < 1e6
    say(f"arithmetic of {name} at {size} x {size}: {len(operations)} operations, {units} units, worst {worst:.1e}")
