"""One pass, every output: nothing overwritten, nothing patched, the same bits from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from cnn_core.errors import InvalidLayer, InvalidOption
from cnn_core.network import build_network
from cnn_core.preprocessing import ModelInput
from cnn_core.tracing import trace

from .torchvision_networks import Bench, bench, noise_picture, on_meta, with_random_weights

# Each works in place in torchvision: modules (all), functionals (googlenet, densenet121), sums (resnet18), slices.
IN_PLACE_NETS = ("resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5", "convnext_tiny")


def _bench(name: str, size: int = 64) -> Bench:
    return bench(with_random_weights(on_meta(name), size), (3, size, size))


def _trace(subject: Bench, picture: ModelInput) -> Any:
    return trace(subject, picture)  # type: ignore[arg-type]


class _CountedOps(TorchDispatchMode):
    """Counts the tensor operations that really run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", IN_PLACE_NETS)
def test_no_activation_is_overwritten(name: str) -> None:
    network = _bench(name).network
    with torch.no_grad():
        values = network.run(noise_picture(64, 64).tensor, keep="all")
        assert list(values) == [o.name for o in network.operations]
        for operation in network.operations[1:]:
            others = {n: v for n, v in values.items() if n != operation.name}
            again = network.run_from(others, {}, keep=(operation.name,))[operation.name]
            # Had a later operation written into an input, working this one out again would give another result.
            assert torch.equal(again, values[operation.name]), operation


@pytest.mark.parametrize("name", IN_PLACE_NETS)
def test_what_the_trace_works_out_has_the_bits_of_the_pass(name: str) -> None:
    subject, picture = _bench(name), noise_picture(64, 64)
    traced = _trace(subject, picture)
    with torch.no_grad():
        values = subject.network.run(picture.tensor, keep="all")
    at_once = traced.activations(list(values))
    for key, value in values.items():
        assert np.array_equal(traced.activation(key), value[0].numpy()), key
        assert np.array_equal(at_once[key], value[0].numpy()), key
        assert torch.equal(traced.tensor(key), value)
    assert traced.nbytes < 0.6 * sum(v.numel() * 4 for v in values.values())


@pytest.mark.parametrize("name", ("mobilenet_v2", "efficientnet_b0"))
def test_the_number_of_threads_changes_no_bit_of_what_is_worked_out(name: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        subject, picture = _bench(name, 96), noise_picture(96, 96)
        names = [o.name for o in subject.network.operations]
        with torch.no_grad():
            values = subject.network.run(picture.tensor, keep="all")
            recorded = subject.network.record(picture.tensor)
        torch.set_num_threads(3)
        with torch.no_grad():
            again = subject.network.run_from(recorded, {}, keep=names)
    finally:
        torch.set_num_threads(before)
    assert len(recorded) < len(names) / 2
    assert all(torch.equal(again[key], value) for key, value in values.items())


@pytest.mark.parametrize("name", ("resnet18", "densenet121", "googlenet"))
def test_eight_threads_on_one_network(name: str) -> None:
    subject = _bench(name)
    pictures = [noise_picture(64, 64, seed) for seed in range(8)]
    names = [o.name for o in subject.network.operations]
    alone = [_trace(subject, p).activations(names) for p in pictures]
    found: dict[int, list[dict[str, np.ndarray]]] = {i: [] for i in range(8)}
    ready = threading.Barrier(8)

    def work(i: int) -> None:
        ready.wait()
        for _ in range(3):
            found[i].append(_trace(subject, pictures[i]).activations(names))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        assert len(found[i]) == 3
        for together in found[i]:
            for key, value in alone[i].items():
                # The split of a sum over torch's own threads may differ under load: 1e-5 relative, not bits.
                assert np.abs(together[key] - value).max() <= 1e-5 * max(1.0, float(np.abs(value).max())), key
    # The pictures differ, so a mixed-up activation could not have passed.
    assert all(np.abs(alone[0]["softmax"] - alone[i]["softmax"]).max() > 1e-6 for i in range(1, 8))


@pytest.mark.parametrize("name", ("resnet18", "googlenet"))
def test_a_trace_runs_no_more_than_the_module(name: str) -> None:
    module = with_random_weights(on_meta(name), 64)
    subject, x = bench(module, (3, 64, 64)), noise_picture(64, 64).tensor
    with torch.no_grad():
        with _CountedOps() as plain:
            module(x)
        with _CountedOps() as recorded:
            subject.network.record(x)
    # Both sum and rectify in place here and there (add_, relu_), the graph only where nobody reads what was there.
    out_of_place = [[n.replace("_.", ".").removesuffix("_") for n in counted.names] for counted in (plain, recorded)]
    assert out_of_place[1] == [*out_of_place[0], "aten::_softmax"]


def test_nothing_is_left_on_the_module() -> None:
    module = with_random_weights(on_meta("resnet18"), 64)
    subject = bench(module, (3, 64, 64))
    state = {k: v.clone() for k, v in module.state_dict().items()}
    rng = torch.get_rng_state()
    _trace(subject, noise_picture(64, 64))
    for part in module.modules():
        assert not part._forward_hooks and not part._forward_pre_hooks and not part._backward_hooks
        assert not getattr(part, "inplace", False)
    assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(torch.get_rng_state(), rng)


def test_reading_a_trace() -> None:
    subject, picture = _bench("squeezenet1_1"), noise_picture(64, 64)
    traced = _trace(subject, picture)
    assert traced.input is picture
    assert traced.classifier_key == "bench"
    assert traced.seconds > 0
    assert traced.logits.shape == traced.probabilities.shape == (1000,)
    assert traced.probabilities.sum() == pytest.approx(1, abs=1e-5)  # 1000 float32 roundings of at most 6e-8
    top = traced.top(3)
    assert [p.index for p in top] == list(np.argsort(-traced.logits)[:3])
    assert [p.name for p in top] == [f"class {p.index}" for p in top]
    assert [p.probability for p in top] == sorted((p.probability for p in top), reverse=True)
    assert top[0].logit == traced.logits.max()
    assert traced.activation("features").shape == subject.network["features.12.cat"].output_shape
    with pytest.raises(ValueError, match="read-only"):
        traced.activation("features.0")[0, 0, 0] = 1
    with pytest.raises(InvalidLayer, match=r"features\.0"):
        traced.activation("feature.0")


def test_other_sizes_than_the_one_the_graph_was_made_for() -> None:
    module = with_random_weights(on_meta("mobilenet_v2"), 64)
    subject, picture = bench(module, (3, 224, 224)), noise_picture(70, 133)
    traced = _trace(subject, picture)
    with torch.no_grad():
        assert np.array_equal(traced.logits, module(picture.tensor)[0].numpy())
    assert traced.activation("features.18").shape == (1280, 3, 5)


def test_a_batch_is_refused() -> None:
    subject, picture = _bench("squeezenet1_1"), noise_picture(64, 64)
    two = ModelInput(**{**vars(picture), "tensor": picture.tensor.repeat(2, 1, 1, 1)})
    with pytest.raises(InvalidOption, match="one picture"):
        _trace(subject, two)


class _Careless(nn.Module):
    """Overwrites tensors in every way that torch offers, and reads them afterwards."""

    def __init__(self, step: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.act = nn.ReLU(inplace=True)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self.conv(x), self.act).flatten(1)


def _functional(y: Tensor, act: nn.Module) -> Tensor:
    return functional.relu(y, inplace=True) + y


def _positional(y: Tensor, act: nn.Module) -> Tensor:
    return functional.relu(y, True) + y


def _discarded(y: Tensor, act: nn.Module) -> Tensor:
    functional.hardswish(y, inplace=True)
    return y * 2


def _module(y: Tensor, act: nn.Module) -> Tensor:
    act(y)
    return y + 1


def _augmented(y: Tensor, act: nn.Module) -> Tensor:
    z = y * 1
    z += y
    z *= z
    return z


def _methods(y: Tensor, act: nn.Module) -> Tensor:
    y.add_(1.0)
    y.mul_(y)
    return torch.relu_(y) + y


STEPS = (_functional, _positional, _discarded, _module, _augmented, _methods)


@pytest.mark.parametrize("step", STEPS, ids=[s.__name__.strip("_") for s in STEPS])
def test_in_place_code_keeps_its_meaning(step: Callable[[Tensor, nn.Module], Tensor]) -> None:
    module = _Careless(step).eval().requires_grad_(False)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = module(x)
    network = build_network(module, (3, 8, 8))
    values = network.run(x, keep="all")
    assert torch.equal(values[network.output], expected)
    assert values["conv"].min() < 0  # the convolution's own output is still there, negative numbers and all
    assert torch.equal(values["conv"], module.conv(x))
