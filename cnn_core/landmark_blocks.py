"""What each landmark is known for, in numbers: the same place built in several ways, each counted from a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import torch
from torch import nn

from .network import build_network
from .receptive_field import receptive_field

# LeCun et al. 1998, table I: which of S2's six maps each of C3's sixteen maps reads. The first six read three maps in a
# row, the next six four in a row, three read four with a gap, the last one all.
C3_READS: Final[tuple[tuple[int, ...], ...]] = (
    *(tuple(sorted((first + step) % 6 for step in range(3))) for first in range(6)),
    *(tuple(sorted((first + step) % 6 for step in range(4))) for first in range(6)),
    *(tuple(sorted((first + step) % 6 for step in (0, 1, 3, 4))) for first in range(3)),
    tuple(range(6)),
)
C3_CELLS: Final = 10 * 10
"""Places at which C3 is computed: its maps are 10 x 10."""
LENET_KERNEL: Final = 5


@dataclass(frozen=True)
class Way:
    """One way to build a place in a network, counted from its module."""

    key: str
    title: str
    n_parameters: int
    n_weights: int
    """Without biases and batch norm."""
    macs: int
    sees: int | None = None
    """Side of the receptive field, in cells of what it reads."""
    relus: int | None = None


def _count(
    key: str, title: str, module: nn.Module, shape: tuple[int, ...], *, sees: bool = False, relus: bool = False
) -> Way:
    network = build_network(module.eval(), shape)
    weights = sum(part.weight.numel() for part in module.modules() if isinstance(part, (nn.Conv2d, nn.Linear)))
    last = network.operations[-2] if network.operations[-1].kind == "softmax" else network.operations[-1]
    return Way(
        key,
        title,
        network.n_parameters,
        weights,
        network.macs,
        int(receptive_field(network, last).size[0]) if sees else None,
        sum(isinstance(part, nn.ReLU) for part in module.modules()) if relus else None,
    )


def _meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):  # shapes are all that is counted
        return build()


@cache
def connections() -> tuple[Way, Way]:
    """LeNet-5's C3 with the connection table of 1998, and with every map reading all six."""
    area = LENET_KERNEL**2
    pairs = sum(len(reads) for reads in C3_READS)
    table = Way("table", "The table of 1998", pairs * area + len(C3_READS), pairs * area, pairs * area * C3_CELLS)
    full = _count("full", "Every map reads all six", _meta(lambda: nn.Conv2d(6, 16, LENET_KERNEL)), (6, 14, 14))
    return table, full


@dataclass(frozen=True)
class Layer1998:
    """A layer of LeNet-5 as it was published; LeCun et al. 1998, section II.B."""

    name: str
    what: str
    n_parameters: int


def lenet_of_1998() -> tuple[Layer1998, ...]:
    """The trained numbers of every layer: 60,000 in all.

    A subsampling map has one factor and one bias. The output compares with fixed drawings of the digits (radial basis
    functions), which are not trained.
    """
    area, c3 = LENET_KERNEL**2, connections()[0].n_parameters
    return (
        Layer1998("C1", "6 maps, 5×5", 6 * (area + 1)),
        Layer1998("S2", "6 maps, averages of 2×2", 6 * 2),
        Layer1998("C3", "16 maps, 5×5, by the table", c3),
        Layer1998("S4", "16 maps, averages of 2×2", 16 * 2),
        Layer1998("C5", "120 units, 5×5 on all 16 maps", 120 * (16 * area + 1)),
        Layer1998("F6", "84 units, fully connected", 84 * (120 + 1)),
        Layer1998("Output", "10 distances to fixed drawings", 0),
    )


@dataclass(frozen=True)
class Towers:
    """One convolution of AlexNet: in the paper's two groups, without groups, and torchvision's."""

    name: str
    grouped: Way
    whole: Way
    torchvision: Way


# Krizhevsky et al. 2012, section 3.5: inputs, filters, side of the kernel, groups, side of the maps it reads,
# padding, stride.
_ALEXNET_2012: Final = (
    (3, 96, 11, 1, 227, 0, 4),
    (96, 256, 5, 2, 27, 2, 1),
    (256, 384, 3, 1, 13, 1, 1),
    (384, 384, 3, 2, 13, 1, 1),
    (384, 256, 3, 2, 13, 1, 1),
)


@cache
def towers() -> tuple[Towers, ...]:
    """The five convolutions of AlexNet with groups as in the paper, with none, and as torchvision has them."""
    from .models.architectures import build_architecture

    theirs = [part for part in build_architecture("alexnet", trained=False).modules() if isinstance(part, nn.Conv2d)]
    found = []
    for place, (row, part) in enumerate(zip(_ALEXNET_2012, theirs, strict=True), start=1):
        inputs, filters, kernel, groups, side = row[:5]

        def build(groups: int, row: tuple[int, ...] = row) -> nn.Module:
            return _meta(lambda: nn.Conv2d(row[0], row[1], row[2], stride=row[6], padding=row[5], groups=groups))

        shape = (inputs, side, side)
        own_side = 224 if place == 1 else side
        found.append(
            Towers(
                f"conv{place}",
                _count("grouped", f"{kernel}×{kernel}, {inputs} to {filters}, {groups} groups", build(groups), shape),
                _count("whole", f"{kernel}×{kernel}, {inputs} to {filters}", build(1), shape),
                _count(
                    "torchvision",
                    f"{kernel}×{kernel}, {part.in_channels} to {part.out_channels}",
                    part,
                    (part.in_channels, own_side, own_side),
                ),
            )
        )
    return tuple(found)


def alexnet_of_2012(*, grouped: bool) -> int:
    """Parameters of AlexNet as published: five convolutions in groups (or with none), and three linear layers."""
    convolutions = sum((row.grouped if grouped else row.whole).n_parameters for row in towers())
    widths = (256 * 6 * 6, 4096, 4096, 1000)
    return convolutions + sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


@cache
def stacks(channels: int = 64, side: int = 56) -> tuple[Way, ...]:
    """One 5x5 against two 3x3, and one 7x7 against three, `channels` in and out on maps of side x side."""

    def stack(kernel: int, depth: int) -> nn.Module:
        layers = [
            layer
            for _ in range(depth)
            for layer in (nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False), nn.ReLU())
        ]
        return nn.Sequential(*layers)

    return tuple(
        _count(
            f"{depth}x{kernel}",
            title,
            _meta(lambda kernel=kernel, depth=depth: stack(kernel, depth)),  # type: ignore[misc]
            (channels, side, side),
            sees=True,
            relus=True,
        )
        for kernel, depth, title in (
            (5, 1, "One 5×5"),
            (3, 2, "Two 3×3"),
            (7, 1, "One 7×7"),
            (3, 3, "Three 3×3"),
        )
    )


@dataclass(frozen=True)
class Branch:
    """One of an Inception module's four branches: with its 1x1 convolution as built, and without."""

    name: str
    title: str
    outputs: int
    built: Way
    direct: Way | None
    """The same outputs straight from all inputs; None where there is no bottleneck to leave out."""


@cache
def inception() -> tuple[Branch, ...]:
    """torchvision's inception3a: its four branches as they are, and what two of them would cost without the 1x1.

    torchvision's third branch has 3x3 kernels where the paper has 5x5: a slip that its trained weights keep. The
    direct way counts the kernel that torchvision has.
    """
    from .models.architectures import build_architecture

    module = build_architecture("googlenet", trained=False).get_submodule("inception3a")
    side, inputs = 28, next(part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d))
    titles = ("1×1", "1×1, then 3×3", "1×1, then 3×3 (5×5 in the paper)", "3×3 max pooling, then 1×1")
    found = []
    for place, title in enumerate(titles, start=1):
        branch = module.get_submodule(f"branch{place}")
        last = [part for part in branch.modules() if isinstance(part, nn.Conv2d)][-1]
        direct = None
        if place in (2, 3):
            kernel, outputs = last.kernel_size[0], last.out_channels
            direct = _count(
                "direct",
                f"{kernel}×{kernel} straight from {inputs} channels",
                _meta(lambda k=kernel, o=outputs: nn.Conv2d(inputs, o, k, padding=k // 2, bias=False)),  # type: ignore[misc]
                (inputs, side, side),
            )
        found.append(
            Branch(
                f"branch{place}",
                title,
                last.out_channels,
                _count("built", title, branch, (inputs, side, side)),
                direct,
            )
        )
    return tuple(found)


@cache
def five_by_five() -> tuple[Way, Way]:
    """The third branch of inception3a with the paper's 5x5 kernel: through 16 channels, and straight from 192."""
    through = _meta(
        lambda: nn.Sequential(nn.Conv2d(192, 16, 1, bias=False), nn.Conv2d(16, 32, 5, padding=2, bias=False))
    )
    straight = _meta(lambda: nn.Conv2d(192, 32, 5, padding=2, bias=False))
    shape = (192, 28, 28)
    return (
        _count("through", "1×1 to 16 channels, then 5×5", through, shape),
        _count("straight", "5×5 straight from 192 channels", straight, shape),
    )


@cache
def residual_blocks() -> tuple[Way, ...]:
    """The basic block of torchvision's ResNet-18, the bottleneck of its ResNet-50, and the basic block as wide as that.

    Each reads and gives maps of 56 x 56 without a change of shape: 64 channels for the basic block, 256 for the others.
    """
    from torchvision.models.resnet import BasicBlock

    from .models.architectures import build_architecture

    basic = build_architecture("resnet18", trained=False).get_submodule("layer1.0")
    bottleneck = build_architecture("resnet50", trained=False).get_submodule("layer1.1")
    wide = _meta(lambda: BasicBlock(256, 256))
    return (
        _count("basic", "Basic block, 64 channels: two 3×3", basic, (64, 56, 56)),
        _count("bottleneck", "Bottleneck, 256 channels: 1×1 to 64, 3×3, 1×1 back", bottleneck, (256, 56, 56)),
        _count("wide", "Basic block, 256 channels: two 3×3", wide, (256, 56, 56)),
    )
