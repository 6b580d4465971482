"""The graph of a network: names, kinds, shapes, counts, heads, and running it again in part."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
import torchvision.models as tvm
from torch import Tensor, nn
from torch.nn import functional

from cnn_core.errors import InvalidLayer
from cnn_core.network import Attributes, Network, build_network
from cnn_core.operations import get_kind, operation_kinds
from cnn_core.operations.registry import Kind, register

from .torchvision_networks import EVERY_CNN, on_meta, with_random_weights


def _network(name: str, size: int = 224) -> Network:
    return build_network(on_meta(name), (3, size, size))  # without weights: only the graph is looked at


@pytest.fixture(scope="module")
def resnet() -> Network:
    return build_network(with_random_weights(on_meta("resnet18"), 64), (3, 64, 64))


def _default_weights(name: str) -> Any:
    return tvm.get_model_weights(name).DEFAULT


@pytest.mark.parametrize("name", EVERY_CNN)
def test_every_graph_is_whole(name: str) -> None:
    module = on_meta(name)
    weights = _default_weights(name)
    crop = weights.transforms().crop_size[0]
    network = build_network(module, (3, crop, crop))
    seen: set[str] = set()
    for operation in network.operations:
        assert operation.name not in seen
        assert seen.issuperset(operation.inputs)  # topological
        assert len(operation.axes) == len(operation.output_shape)
        assert operation.title and operation.short_title
        assert operation.kind in operation_kinds()
        seen.add(operation.name)
    assert network.operations[0].name == "input" and network.operations[-1].name == "softmax"
    assert {o.module_path for o in network.operations} - {""} <= {path for path, _ in module.named_modules()}
    assert not [o.name for o in network.operations if o.kind == "other"]
    # Nothing dangles: every output is read, up to the last one.
    assert all(network.consumers(o.name) for o in network.operations[:-1])

    outside = sum(p.numel() for path, p in module.named_parameters() if path.lower().startswith("aux"))
    assert network.n_parameters == sum(p.numel() for p in module.parameters()) - outside
    assert network.n_parameters == sum(o.n_parameters for o in network.operations)
    # The weights' own figure: 10^9 multiply-adds of convolutions and linear layers at this crop, without auxiliary
    # heads. It is rounded to three decimals, hence the absolute tolerance; 1 % allows for what else may be counted.
    assert network.macs / 1e9 == pytest.approx(weights.meta["_ops"], rel=0.01, abs=0.0006)

    stages = [o.group[0] for o in network.operations]
    runs = [a for a, b in zip(stages, [*stages[1:], ""], strict=True) if a != b]
    assert len(runs) == len(set(runs)), "a stage is one run of operations"
    assert runs[0] == "Input" and runs[-1] == "Classifier"
    assert network[network.default_layer()].is_spatial


LINEAR_HEADS = {
    "resnet18": ("layer4.1.relu:2", "avgpool", "fc"),
    "mobilenet_v2": ("features.18.2", "adaptive_avg_pool2d", "classifier.1"),
    "densenet121": ("relu", "adaptive_avg_pool2d", "classifier"),
    "googlenet": ("inception5b.cat", "avgpool", "fc"),
    "inception_v3": ("Mixed_7c.cat:3", "avgpool", "fc"),
    "efficientnet_b0": ("features.8.2", "avgpool", "classifier.1"),
    "mnasnet0_5": ("layers.16", "mean", "classifier.1"),
    "shufflenet_v2_x0_5": ("conv5.2", "mean", "fc"),
    "regnet_y_400mf": ("trunk_output.block4.block4-5.activation", "avgpool", "fc"),
}


@pytest.mark.parametrize("name", LINEAR_HEADS)
def test_linear_heads(name: str) -> None:
    size = 128 if name == "inception_v3" else 64
    network = build_network(with_random_weights(on_meta(name), size), (3, size, size))
    head = network.linear_head()
    assert head is not None
    assert (head.maps, head.pooling, head.linear) == LINEAR_HEADS[name]
    assert head.maps == network.default_layer()
    values = network.run(torch.rand(2, 3, size, size), keep=(head.maps, network.output))
    assert head.bias is not None
    logits = values[head.maps].mean(dim=(2, 3)) @ head.weight.T + head.bias
    # Another order of the same float32 sums: relative to the largest logit, 1e-5.
    scale = float(values[network.output].abs().max())
    assert float((logits - values[network.output]).abs().max()) <= 1e-5 * max(1.0, scale)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vgg16", "features.30"),
        ("alexnet", "features.12"),
        ("squeezenet1_1", "features.12.cat"),
        ("convnext_tiny", "features.7.2.add"),
        ("mobilenet_v3_small", "features.12.2"),
    ],
)
def test_other_heads(name: str, layer: str) -> None:
    network = _network(name)
    assert network.linear_head() is None
    assert network.default_layer() == layer


class _Pooled(nn.Module):
    def __init__(self, pool: nn.Module, between: nn.Module | None = None) -> None:
        super().__init__()
        self.conv, self.pool, self.between, self.fc = (
            nn.Conv2d(3, 4, 3),
            pool,
            between or nn.Identity(),
            nn.Linear(4, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.between(self.pool(self.conv(x)).flatten(1)))


def test_which_poolings_make_a_linear_head() -> None:
    def head(pool: nn.Module, between: nn.Module | None = None) -> bool:
        return build_network(_Pooled(pool, between).eval(), (3, 8, 8)).linear_head() is not None

    assert head(nn.AdaptiveAvgPool2d(1))
    assert head(nn.AvgPool2d(6))  # covers the whole 6x6 map
    assert head(nn.AdaptiveAvgPool2d(1), nn.Dropout(0.3))
    assert not head(nn.AvgPool2d(5))  # leaves a row and a column out
    assert not head(nn.AvgPool2d(6, divisor_override=3))
    assert not head(nn.AdaptiveMaxPool2d(1))
    assert not head(nn.AdaptiveAvgPool2d(1), nn.ReLU())
    assert not head(nn.AdaptiveAvgPool2d(1), nn.LayerNorm(4))


def test_names_and_lookups(resnet: Network) -> None:
    assert resnet["layer1.0.relu"].inputs == ("layer1.0.bn1",)
    assert resnet["layer1.0.relu:2"].inputs == ("layer1.0.add",)
    assert resnet["layer1.0.add"].module_path == ""
    assert resnet["layer1.0.relu:2"].module_path == "layer1.0.relu"
    assert resnet["layer4"] is resnet["layer4.1.relu:2"]
    assert resnet["layer2.0.downsample"].name == "layer2.0.downsample.1"
    assert "layer1.0.add" in resnet and "layer9" not in resnet
    assert resnet.consumers("maxpool") == ("layer1.0.conv1", "layer1.0.add")
    assert resnet.output == "fc"
    assert len(resnet) == len(list(resnet)) == len(resnet.operations)
    assert all(o.is_spatial and o.has_maps for o in resnet.map_layers())
    with pytest.raises(InvalidLayer, match=r"layer4\.1\.relu"):
        resnet["layer4.1.rely"]
    with pytest.raises(InvalidLayer):
        resnet[""]


def test_what_an_operation_says() -> None:
    network = _network("mobilenet_v2")
    conv = network["features.0.0"]
    assert (conv.title, conv.short_title) == ("Convolution 3×3, 32 filters, stride 2", "Conv 3×3 /2")
    assert conv.attributes["kernel_size"] == (3, 3) and conv.attributes["stride"] == (2, 2)
    assert conv.n_parameters == 3 * 32 * 9
    assert conv.macs == 32 * 112 * 112 * 27
    assert network["features.1.conv.0.0"].title == "Depthwise convolution 3×3, 32 channels"
    assert conv.group == ("Stage 1 · 112×112", "features.0 · Conv2dNormActivation")
    # A block that halves the maps belongs to the stage that it leads to, its first layers too.
    expand = network["features.2.conv.0.0"]
    assert expand.output_shape == (96, 112, 112)
    assert expand.group == ("Stage 2 · 56×56", "features.2 · InvertedResidual")
    assert network["classifier.1"].group == ("Classifier", "")
    assert network["features.3.add"].title == "Add (skip connection)"
    assert network["adaptive_avg_pool2d"].title == "Global average pooling"
    assert pickle.loads(pickle.dumps(conv)) == conv
    with pytest.raises(TypeError):
        conv.attributes["stride"] = (1, 1)  # type: ignore[index]
    assert Attributes({"a": 1}) == {"a": 1}


def test_squeeze_and_excitation_and_layouts() -> None:
    network = _network("efficientnet_b0")
    scale = network["features.2.0.block.2.mul"]
    assert scale.title == "Multiply by channel weights (squeeze-and-excitation)"
    inside = network["features.2.0.block.2.fc1"]
    assert inside.output_shape[1:] == (1, 1) and not inside.is_spatial
    assert inside.group == scale.group  # a side path of its block, not the classifier
    convnext = _network("convnext_tiny")
    assert convnext["features.1.0.block.3"].axes == ("row", "column", "channel")
    assert not convnext["features.1.0.block.3"].has_maps
    assert convnext["features.1.0.add"].has_maps
    assert convnext["features.1.0.mul"].title == "Multiply by a learned scale"
    shuffle = _network("shufflenet_v2_x0_5")
    assert shuffle["stage2.0.transpose"].axes == ("channel", "group", "row", "column")
    assert shuffle["stage2.0.view:2"].has_maps
    assert shuffle["stage2.1.getitem:2"].title == "Part 2 of 2, 24 channels"
    assert _network("densenet121")["features.denseblock1.denselayer2.cat"].group[1].endswith("· DenseLayer")
    assert _network("regnet_x_400mf")["trunk_output.block1"].group[1].endswith("· ResBottleneckBlock")


class _Counting(nn.Module):
    """Counts its own calls, to see what a partial run really runs."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.side, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 3)
        for name, part in self.named_children():
            part.register_forward_pre_hook(lambda *_, name=name: self.calls.append(name))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.second(functional.relu(self.first(x)))) + self.side(x)
        return self.fc(y.mean((2, 3)))


def test_only_what_depends_is_run_again() -> None:
    module = _Counting().eval().requires_grad_(False)
    network = build_network(module, (3, 6, 6))
    assert module.calls == [], "the graph is made without running a layer"
    x = torch.rand(1, 3, 6, 6)
    values = network.run(x, keep="all")
    assert module.calls == ["first", "second", "side", "fc"]

    module.calls.clear()
    changed = values["second"] + 1
    again = network.run_from(values, {"second": changed}, keep=("second", "relu", "add", "fc"))
    assert module.calls == ["fc"]
    assert torch.equal(again["second"], changed)
    assert again["relu"] is values["relu"]
    expected = functional.relu(changed) + values["side"]
    assert torch.equal(again["add"], expected)
    assert torch.equal(again["fc"], module.fc(expected.mean((2, 3))))

    module.calls.clear()
    assert set(network.run(x, keep=("side",))) == {"side"}
    assert module.calls == ["side"], "nothing that the kept operation does not need"

    module.calls.clear()
    assert network.needed(("second",)) == {"side"}
    network.run_from({"side": values["side"]}, {"second": changed})
    assert module.calls == ["fc"]

    module.calls.clear()
    part = network.run_from({"input": x}, {"second": changed}, keep=("fc",))["fc"]
    assert module.calls == ["side", "fc"], "what is missing is worked out from what is there"
    assert torch.equal(part, again["fc"])
    with pytest.raises(ValueError, match="input"):
        network.run_from({}, {"second": changed})
    with pytest.raises(InvalidLayer):
        network.run(x, keep=("nothing",))
    with pytest.raises(TypeError):
        network.run(x, keep="fc")  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", ["layer4.1.relu:2", "layer3.0.conv1", "layer3.0.add", "fc"])
def test_gradient_stops_at_the_layer_and_is_autograds(resnet: Network, layer: str) -> None:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        values = resnet.run(x, keep="all")
    found = resnet.gradient(values, layer, lambda logits: logits[:, 7])
    # Reference: the whole network with gradients recorded from the input on.
    whole = resnet.run(x.clone().requires_grad_(), keep=(layer, "fc"))
    (expected,) = torch.autograd.grad(whole["fc"][:, 7].sum(), whole[layer])
    assert found.shape == values[layer].shape
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-9)
    assert found.abs().sum() > 0
    assert not resnet.gradient(values, "softmax", lambda logits: logits[:, 7]).any()
    kept = {name: values[name] for name in (*resnet.needed((layer,)), layer)}
    assert torch.equal(resnet.gradient(kept, layer, lambda logits: logits[:, 7]), found)


def test_several_pictures_at_once(resnet: Network) -> None:
    x = torch.rand(3, 3, 64, 64)
    together = resnet.run(x, keep="all")
    alone = resnet.run(x[1:2], keep="all")
    for name, value in alone.items():
        # Batches take another path through torch's kernels: float32 sums in another order.
        assert torch.allclose(together[name][1:2], value, rtol=1e-4, atol=1e-4), name
    module = with_random_weights(on_meta("shufflenet_v2_x0_5"), 64)
    assert torch.allclose(build_network(module, (3, 64, 64)).run(x)["fc"], module(x), atol=1e-5)


class _Odd(nn.Module):
    """Operations that are not among the known kinds, and tuples of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.shuffle, self.pool = nn.Conv2d(3, 8, 3), nn.PixelShuffle(2), nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.clamp(self.shuffle(self.conv(x)), -1, 1)
        largest, _ = torch.max(y, dim=1, keepdim=True)
        low, high = torch.split(y - largest, [1, 1], dim=1)
        return self.fc(self.pool(torch.cat([high, low], 1)).view(x.shape[0], -1))


def test_unknown_operations_are_shown_as_what_they_are() -> None:
    module = _Odd().eval().requires_grad_(False)
    network = build_network(module, (3, 6, 6))
    x = torch.rand(2, 3, 6, 6)
    assert torch.equal(network.run(x)[network.output], module(x))
    assert network["shuffle"].kind == "other"
    assert network["shuffle"].title == "PixelShuffle (arithmetic not opened)"
    assert network["shuffle"].has_maps
    assert network["clamp"].short_title == "clamp"
    assert network["getitem"].kind == "other" and network["getitem"].inputs == ("clamp",)
    assert network["split"].kind == "chunk"
    assert network["getitem:2"].title == "Part 1 of 2, 1 channels" or network["getitem:2"].kind == "getitem"
    assert network.n_parameters == sum(p.numel() for p in module.parameters())


def test_modules_that_cannot_be_opened_are_refused() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    with pytest.raises(ValueError, match="depends on values"):
        build_network(Branching().eval(), (3, 4, 4))
    with pytest.raises(ValueError, match="more than one"):
        build_network(Two().eval(), (3, 4, 4))
    with pytest.raises(ValueError, match="training mode"):
        build_network(nn.Conv2d(3, 3, 1), (3, 4, 4))
    with pytest.raises(ValueError, match="without the batch axis"):
        build_network(nn.Conv2d(3, 3, 1).eval(), (1, 3, 4, 4))


def test_the_registry_refuses_duplicates_and_lists_its_keys() -> None:
    relu = get_kind("relu")
    with pytest.raises(ValueError, match="relu"):
        register(relu)
    with pytest.raises(ValueError, match="ReLU"):
        register(Kind("new", "", relu.title, relu.short_title, relu.explain, modules={nn.ReLU: dict}))
    with pytest.raises(KeyError, match="conv2d"):
        get_kind("convolution")
    assert "new" not in operation_kinds()


class _Overlapping(nn.Module):
    """What a careless in-place ReLU or sum would spoil: views and second readers of the same tensor, broadcasting."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.norm, self.nothing, self.relu = nn.BatchNorm2d(3), nn.Identity(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(x)
        turned = one.permute(0, 1, 3, 2)  # shows the same numbers, and is read after the ReLU
        two = self.relu(one) + turned
        three = self.nothing(self.norm(self.second(two)))
        four = functional.relu(three) + three.mean(dim=(2, 3), keepdim=True)  # the mean reads what was there before
        five = self.third(four)
        six = five.mean(dim=(2, 3), keepdim=True) + five  # a sum larger than its first part
        return torch.flatten(self.relu(six + six), 1)


def test_nothing_that_is_still_read_is_overwritten() -> None:
    """Without a graph, ReLUs and sums write over what nobody reads later; with one, nothing does. All bits agree."""
    torch.manual_seed(0)
    module = _Overlapping().eval()
    network, x = build_network(module, (3, 6, 6)), torch.randn(2, 3, 6, 6)
    before = x.clone()
    careful = network.run(x, keep="all")  # with a graph
    with torch.no_grad():
        assert torch.equal(network.run(x)[network.output], module(x))
        assert torch.equal(module(x), careful[network.output]) and torch.equal(x, before)
        for operation in network.operations:  # each alone, and each as the given value from which the rest follows
            (found,) = network.run(x, keep=(operation.name,)).values()
            assert torch.equal(found, careful[operation.name]), operation.name
            given = careful[operation.name].detach().clone()
            again = network.run_from({"input": x}, {operation.name: given}, keep=(network.output,))
            assert torch.equal(again[network.output], careful[network.output])
            assert torch.equal(given, careful[operation.name])


def test_most_activations_are_written_over_their_inputs(resnet: Network) -> None:
    """17 ReLUs and 8 sums: torchvision's own forward pass writes over as many."""
    plan = resnet._program.plan(changed=("input",), known=(), keep=(resnet.output,))
    assert len(plan.overwriting) == 17 + 8
