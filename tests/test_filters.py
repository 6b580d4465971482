"""One filter and one input channel's worth, on a small network against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.filters import filter_of, pointwise_followers, remove_channel


@pytest.fixture(scope="module")
def lenet() -> cc.Classifier:
    return cc.load_model("lenet5", weights="random")


@pytest.fixture(scope="module")
def trace(lenet: cc.Classifier) -> cc.Trace:
    picture = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    return cc.trace(lenet, lenet.card.preprocessing.from_rgb(picture))


def second_convolution(lenet: cc.Classifier) -> cc.Operation:
    return [operation for operation in lenet.network if operation.kind == "conv2d"][1]


def test_removing_a_channel_lowers_the_value_by_its_contribution(lenet: cc.Classifier, trace: cc.Trace) -> None:
    layer = second_convolution(lenet)
    index = (5, 4, 6)
    source = trace.tensor(layer.inputs[0]).clone()
    module = lenet.module.get_submodule(layer.module_path)
    for channel in range(source.shape[1]):
        result = remove_channel(lenet, trace, layer, index, channel)
        changed = source.clone()
        changed[:, channel] = 0
        with torch.inference_mode():
            by_hand = float(module(changed)[(0, *index)])
        # The same module on the same numbers; two kernels of the same library may differ in the last bits.
        assert result.after == pytest.approx(by_hand, rel=1e-5, abs=1e-6)
        assert result.before == pytest.approx(float(trace.activation(layer.name)[index]))
        assert result.matches
        assert result.drop == pytest.approx(result.contribution, abs=1e-5)
    # The trace is shared between visitors: the experiment must not have touched it.
    assert torch.equal(trace.tensor(layer.inputs[0]), source)


def test_the_filter_is_the_modules(lenet: cc.Classifier) -> None:
    layer = second_convolution(lenet)
    module = lenet.module.get_submodule(layer.module_path)
    found = filter_of(lenet, layer.name, 7)
    np.testing.assert_array_equal(found.weights, module.weight[7].numpy())
    assert found.bias == pytest.approx(float(module.bias[7]))
    assert found.first_channel == 0 and list(found.channels) == list(range(module.in_channels))


def test_refusals(lenet: cc.Classifier, trace: cc.Trace) -> None:
    layer = second_convolution(lenet)
    with pytest.raises(cc.InvalidUnit, match="no channel 99"):
        filter_of(lenet, layer, 99)
    with pytest.raises(cc.InvalidUnit, match="reads the input channels"):
        remove_channel(lenet, trace, layer, (0, 0, 0), 99)
    with pytest.raises(cc.InvalidLayer, match="no convolution"):
        filter_of(lenet, "input", 0)


def test_groups_and_followers() -> None:
    model = cc.load_model("mobilenet_v2", weights="random")
    depthwise = next(o for o in model.network if o.kind == "conv2d" and o.attributes["groups"] > 1)
    found = filter_of(model, depthwise, 9)
    assert found.weights.shape == (1, 3, 3) and list(found.channels) == [9] and found.bias is None
    chain = pointwise_followers(model.network, depthwise.name)
    assert [operation.kind for operation in chain] == ["batch_norm2d", "relu6"]
    # The value before a skip connection is read by two operations: the chain ends there.
    last = pointwise_followers(model.network, "features.3.conv.2")
    assert [operation.kind for operation in last] == ["batch_norm2d"]
