"""Receptive fields against closed forms, hand recursion and the support of the gradient."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from cnn_core.errors import InvalidLayer
from cnn_core.network import Network, Operation, build_network
from cnn_core.receptive_field import ReceptiveField, receptive_field

from .torchvision_networks import EVERY_CNN, on_meta


def _network(name: str, size: int = 224) -> Network:
    return build_network(on_meta(name), (3, size, size))


def test_it_needs_no_torch() -> None:
    code = "import sys; import cnn_core.receptive_field; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vgg16_by_the_recursion() -> None:
    network = _network("vgg16")
    size, stride = 1, 1
    for operation in network.operations[1:]:
        if operation.name == "avgpool":
            break
        kernel = {"conv2d": 3, "max_pool2d": 2}.get(operation.kind, 1)
        size += (kernel - 1) * stride
        stride *= 2 if operation.kind == "max_pool2d" else 1
        field = receptive_field(network, operation)
        assert field.size == (size, size) and field.stride == (stride, stride), operation.name
        # Every convolution is centred, every pooling takes whole pairs: the centre stays the middle of the stride.
        assert field.offset == (stride / 2, stride / 2)
        assert not field.sees_everything
    # Araujo et al. 2019, table: 212 pixels for the last maps of VGG-16.
    assert size == 212 and stride == 32


# How far a map's middle is misplaced when the map is stretched over a picture of 224 x 224 (stretched minus true).
# Squeezenet and AlexNet: (224 - 1) / 2 + 0.5 against 111.5; GoogLeNet: its 3x3 poolings shift by +1, +2, +4 (and the
# first convolution by 0.5, the 2x2 pooling by 8) input pixels: 0.5 + 2 + 4 + 8 + 8 + 3 * 32 = 118.5 against 112.
SHIFTS = {
    "resnet18": 15.5,
    "resnet50": 15.5,
    "mobilenet_v2": 15.5,
    "efficientnet_b0": 15.5,
    "googlenet": -6.5,
    "densenet121": 1.5,
    "squeezenet1_1": 0.5,
    "alexnet": 0.5,
    "vgg16": 0.0,
    "convnext_tiny": 0.0,
}


@pytest.mark.parametrize("name", SHIFTS)
def test_how_far_stretching_misplaces(name: str) -> None:
    network = _network(name)
    field = receptive_field(network, network.default_layer())
    assert field.naive_shift == (SHIFTS[name], SHIFTS[name])


def test_the_convention_of_coordinates() -> None:
    network = _network("resnet18")
    pixel = receptive_field(network, "input")
    assert (pixel.size, pixel.stride, pixel.offset) == ((1, 1), (1, 1), (0.5, 0.5))
    assert pixel.box(3, 5) == (3, 5, 4, 6) and pixel.centre(3, 5) == (3.5, 5.5)
    first = receptive_field(network, "conv1")  # 7x7, stride 2, padding 3
    assert first.box(0, 0) == (-3, -3, 4, 4)
    assert first.clipped_box(0, 0) == (0, 0, 4, 4)
    assert first.box(1, 2) == (-1, 1, 6, 8)
    assert first.offset == (0.5, 0.5)
    last = receptive_field(network, "layer4")
    assert last.cells == (7, 7) and last.input_size == (224, 224)
    assert last.offset == (0.5, 0.5) and last.stride == (32, 32)  # a stretched map would put it at 16


def test_global_branches_see_everything() -> None:
    network = _network("efficientnet_b0")
    assert not receptive_field(network, "features.1.0.block.0").sees_everything
    for layer in ("features.1.0.block.1.mul", "features.2.0", "features.8.2"):
        assert receptive_field(network, layer).sees_everything
    # The local path beside it is what it would be without the side branch.
    before = receptive_field(network, "features.1.0.block.0")
    scaled = receptive_field(network, "features.1.0.block.1.mul")
    assert (scaled.size, scaled.offset, scaled.stride) == (before.size, before.offset, before.stride)
    pooled = receptive_field(network, "features.1.0.block.1.avgpool")
    assert pooled.sees_everything and pooled.cells == (1, 1)
    assert pooled.clipped_box() == (0, 0, 224, 224)
    for layer in ("avgpool", "flatten", "classifier.1", "softmax"):
        assert receptive_field(network, layer).sees_everything
        assert receptive_field(network, layer).clipped_box() == (0, 0, 224, 224)
    resnet = _network("resnet18")
    assert not any(receptive_field(resnet, o).sees_everything for o in resnet.map_layers())
    assert receptive_field(resnet, "fc").sees_everything
    convnext = _network("convnext_tiny")  # its layer norms and linear layers work at each position alone
    assert not receptive_field(convnext, "features.7").sees_everything
    with pytest.raises(InvalidLayer):
        receptive_field(convnext, "features.99")


class _Averaged(nn.Module):
    """Takes the place of max pooling: the same windows, but every cell of them reaches the output."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x)


def _evenly(conv: nn.Conv2d) -> Callable[[Tensor], Tensor]:
    """A convolution whose weights are all 1 / (channels in a group x kernel area), as it can be worked out quickly.

    All products of a channel have one factor, so the channels of a group are added first; without biases it is exactly
    what the convolution gives, and even the largest networks take seconds.
    """
    groups, per_group = conv.groups, conv.out_channels // conv.groups
    kernel = torch.full((groups, 1, *conv.kernel_size), 1 / math.prod(conv.kernel_size), dtype=torch.float64)

    def forward(x: Tensor) -> Tensor:
        means = x.unflatten(1, (groups, -1)).mean(2)
        out = nn.functional.conv2d(means, kernel, None, conv.stride, conv.padding, conv.dilation, groups)
        return out.repeat_interleave(per_group, 1)

    return forward


def _all_positive(module: nn.Module) -> nn.Module:
    """Weights of one sign that average: no product is zero and none cancels, so the gradient's support is the field.

    The input is tiny (1e-9), so that no ReLU6 or hard function is cut off; float64 keeps even products of 60 ninths.
    Side branches that see everything, and norms over the channels of one place, give way to the identity.
    """
    for path, part in list(module.named_modules()):
        if isinstance(part, (nn.MaxPool2d, SqueezeExcitation, nn.LayerNorm)):
            parent, _, child = path.rpartition(".")
            fresh = _Averaged(part) if isinstance(part, nn.MaxPool2d) else nn.Identity()
            setattr(module.get_submodule(parent), child, fresh)
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            value = 1 / parameter[0].numel() if name == "weight" and parameter.dim() > 1 else float(name != "bias")
            # One number, seen as many: the largest network would need 5 GB.
            even = torch.tensor(value, dtype=torch.float64).expand(parameter.shape)
            setattr(part, name, nn.Parameter(even, False))
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = torch.zeros(part.num_features, dtype=torch.float64)
            part.running_var = torch.ones(part.num_features, dtype=torch.float64)
        if isinstance(part, nn.Conv2d):
            part.forward = _evenly(part)  # type: ignore[method-assign]
    return module


def test_even_convolutions_are_convolutions() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 12, 17, 19, dtype=torch.float64, generator=generator)
    for groups, stride, dilation in ((1, 1, 1), (3, 2, 1), (12, 1, 2)):
        conv = nn.Conv2d(12, 24, (3, 5), stride, (1, 2), dilation, groups, dtype=torch.float64).requires_grad_(False)
        conv.weight.fill_(1 / conv.weight[0].numel())
        conv.bias.zero_()  # type: ignore[union-attr]
        torch.testing.assert_close(_evenly(conv)(x), conv(x))


def _support(gradient: Tensor) -> tuple[int, int, int, int]:
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    return (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _boxes_are_the_support(network: Network, layers: list[Operation], size: int, *, n_cells: int = 3) -> int:
    """Compare box and support at the first, the middle and the last cell of each layer, or at one of these in turn."""
    x = torch.full((1, 3, size, size), 1e-9, dtype=torch.float64, requires_grad=True)
    values = network.run(x, keep=[o.name for o in layers])
    compared = 0
    for turn, operation in enumerate(layers):
        field = receptive_field(network, operation)
        at = {axis: i + 1 for i, axis in enumerate(operation.axes)}
        sides = dict(zip(operation.axes, operation.output_shape, strict=True))
        height, width = field.cells
        assert (sides["row"], sides["column"]) == (height, width)
        cells = [(0, 0), (height // 2, width // 2), (height - 1, width - 1)]
        for row, column in set(cells) if n_cells == 3 else {cells[turn % 3]}:
            unit = (
                values[operation.name].select(at["row"], row).select(at["column"] - (at["column"] > at["row"]), column)
            )
            (gradient,) = torch.autograd.grad(unit.sum(), x, retain_graph=True)
            support, box = _support(gradient), field.clipped_box(row, column)
            assert support[:2] == box[:2], (operation.name, row, column)
            # Where strides leave remainders over, boxes near the far edges count pixels that no earlier cell read.
            far = row == height - 1 or field.box(row, column)[2] > size
            assert all(s <= b and (far or s == b) for s, b in zip(support[2:], box[2:], strict=True))
            assert all(b - s < 2 * field.stride[0] for s, b in zip(support[2:], box[2:], strict=True))
            compared += 1
    return compared


# One network of each way of looking, at ten depths and three places: plain, strided, residual, dense, with branches,
# grouped, shuffled, depthwise, channels last. The others at six depths, one place each.
CLOSELY = {
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5",
    "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1", "vgg11_bn",
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY_CNN)
def test_the_box_is_the_support_of_the_gradient(name: str, say: Callable[[str], None]) -> None:
    size = 131  # odd and prime: nothing divides evenly
    options = {"transform_input": False} if name in ("googlenet", "inception_v3") else {}
    network = build_network(_all_positive(on_meta(name, **options)), (3, size, size))
    kinds = ("conv2d", "add", "cat", "avg_pool2d", "max_pool2d")
    places = {"channel", "row", "column"}
    layers = [o for o in network.operations if o.kind in kinds and places == set(o.axes) and min(o.output_shape) > 1]
    # Evenly over the layers whose boxes are smaller than the picture, and over all of them, the last among them.
    narrow = [o for o in layers if receptive_field(network, o).size[0] < size]
    n = 5 if name in CLOSELY else 3
    picked = [some[round(i * (len(some) - 1) / (n - 1))] for some in (narrow, layers) for i in range(n)]
    assert not any(receptive_field(network, o).sees_everything for o in picked)
    picked = list(dict.fromkeys(picked))
    n_places = _boxes_are_the_support(network, picked, size, n_cells=3 if name in CLOSELY else 1)
    say(f"receptive fields of {name}: the gradient's support at {n_places} places in {len(picked)} operations")


def test_dilation_branches_and_oblong_kernels() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Conv2d(3, 2, (1, 7), padding=(0, 3))
            self.far = nn.Conv2d(3, 2, 3, dilation=(4, 2), padding=(4, 2))
            self.shifted = nn.Conv2d(3, 2, (2, 3), padding=(1, 1))
            self.pool = nn.AvgPool2d((2, 3), (2, 3), ceil_mode=True)

        def forward(self, x: Tensor) -> Tensor:
            y = torch.cat([self.wide(x), self.far(x), self.shifted(x)[:, :, :40]], 1)
            return self.pool(y)

    module = _all_positive(Branches().eval())
    network = build_network(module, (3, 40, 40))
    wide, far, both = (receptive_field(network, n) for n in ("wide", "far", "cat"))
    assert (wide.size, far.size) == ((1, 7), (9, 5))
    assert both.box() == (-4, -3, 5, 4)  # the box around all three
    _boxes_are_the_support(network, [network[n] for n in ("wide", "far", "cat", "pool")], 40)


@pytest.mark.parametrize(("size", "out"), [(12, 4), (13, 4), (7, 7), (5, 9)])
def test_adaptive_pooling_is_contained(size: int, out: int) -> None:
    network = build_network(
        _all_positive(nn.Sequential(nn.AdaptiveAvgPool2d(out), nn.Conv2d(3, 1, 1)).eval()), (3, size, size)
    )
    field = receptive_field(network, "0")
    assert field.stride == (size / out, size / out)
    for cell in range(out):
        top, _, bottom, _ = field.box(cell, cell)
        # torch's windows are uneven where the sizes do not divide: one box size must hold all of them, and not more
        assert top <= cell * size // out + 1e-9 and bottom >= math.ceil((cell + 1) * size / out) - 1e-9
    edges = [(c * size // out - c * size / out, math.ceil((c + 1) * size / out) - c * size / out) for c in range(out)]
    assert field.size[0] == pytest.approx(max(e for _, e in edges) - min(s for s, _ in edges))


def test_max_pooling_stays_inside_its_box() -> None:
    """With max pooling the support depends on the picture: contained always, and filled over many pictures."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.MaxPool2d(3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)
    ).eval()
    network = build_network(module.requires_grad_(False), (3, 40, 40))
    field: ReceptiveField = receptive_field(network, "3")
    seen = torch.zeros(1, 3, 40, 40)
    for _ in range(40):
        x = torch.randn(1, 3, 40, 40, requires_grad=True)
        (gradient,) = torch.autograd.grad(network.run(x, keep=("3",))["3"][0, :, 5, 4].sum(), x)
        top, left, bottom, right = _support(gradient)
        box = field.clipped_box(5, 4)
        assert top >= box[0] and left >= box[1] and bottom <= box[2] and right <= box[3]
        seen += gradient.abs()
    assert _support(seen) == field.clipped_box(5, 4)
