"""The small networks themselves: plain torch modules for pictures float32 (N, 1, 28, 28) that give 10 logits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

CLASSES: Final = 10
SIDE: Final = 28

# So that the running averages have caught up after the 50 to 400 steps of these runs; torch's own 0.1 has not.
_BN_MOMENTUM: Final = 0.2


def sequence(**layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, each with a name that the pages can show."""
    return nn.Sequential(OrderedDict(layers))


def conv3(inputs: int, outputs: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=bias)


def lenet5_1998(num_classes: int = CLASSES) -> nn.Module:
    """LeNet-5 with the tanh and the average pooling of 1998 (LeCun et al. 1998, section II.B).

    As in `models.lenet5`, every filter of the second convolution reads all six maps and a linear layer ends it.
    """
    return sequence(
        conv1=nn.Conv2d(1, 6, kernel_size=5, padding=2),
        tanh1=nn.Tanh(),
        pool1=nn.AvgPool2d(2),
        conv2=nn.Conv2d(6, 16, kernel_size=5),
        tanh2=nn.Tanh(),
        pool2=nn.AvgPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(400, 120),
        tanh3=nn.Tanh(),
        fc2=nn.Linear(120, 84),
        tanh4=nn.Tanh(),
        fc3=nn.Linear(84, num_classes),
    )


def mlp() -> nn.Module:
    """784-128-10: every pixel has its own weight to every unit, wherever its neighbours are."""
    return sequence(
        flatten=nn.Flatten(),
        fc1=nn.Linear(SIDE * SIDE, 128),
        relu1=nn.ReLU(),
        fc2=nn.Linear(128, CLASSES),
    )


def cnn() -> nn.Module:
    """Three convolutions with 16, 32 and 32 filters, then the largest value of each map wherever it stands."""
    return sequence(
        conv1=conv3(1, 16),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=conv3(16, 32),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv3=conv3(32, 32),
        relu3=nn.ReLU(),
        global_pool=nn.AdaptiveMaxPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(32, CLASSES),
    )


def six_convolutions(*, batch_norm: bool, width: int = 16) -> nn.Module:
    """Six convolutions, pooled after the first and the third; with batch norm the convolutions need no bias."""
    layers: dict[str, nn.Module] = {}
    for i in range(1, 7):
        layers[f"conv{i}"] = conv3(1 if i == 1 else width, width, bias=not batch_norm)
        if batch_norm:
            layers[f"bn{i}"] = nn.BatchNorm2d(width, momentum=_BN_MOMENTUM)
        layers[f"relu{i}"] = nn.ReLU()
        if i in (1, 3):
            layers[f"pool{i}"] = nn.MaxPool2d(2)
    return sequence(**layers, global_pool=nn.AdaptiveMaxPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(width, CLASSES))


def deep_stack(activation: Callable[[], nn.Module], *, depth: int = 20, width: int = 16) -> nn.Module:
    """`depth` convolutions without bias or normalisation on pictures shrunk to 7 x 7, each with an activation."""
    layers: dict[str, nn.Module] = {"shrink": nn.AvgPool2d(4)}
    for i in range(1, depth + 1):
        layers[f"conv{i}"] = conv3(1 if i == 1 else width, width, bias=False)
        layers[f"act{i}"] = activation()
    return sequence(**layers, flatten=nn.Flatten(), fc=nn.Linear(width * 7 * 7, CLASSES))


def small_cnn(*, input_bn: bool = False) -> nn.Module:
    """Two convolutions and one linear layer over all 32 maps of 7 x 7; with `input_bn`, batch norm on the picture."""
    before: dict[str, nn.Module] = {"bn0": nn.BatchNorm2d(1, momentum=_BN_MOMENTUM)} if input_bn else {}
    return sequence(
        **before,
        conv1=conv3(1, 16),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=conv3(16, 32),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(32 * 7 * 7, CLASSES),
    )


def big_cnn() -> nn.Module:
    """Three wide convolutions with batch norm and two linear layers: 22 times the parameters of the small one."""
    return sequence(
        conv1=conv3(1, 32),
        bn1=nn.BatchNorm2d(32),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=conv3(32, 64),
        bn2=nn.BatchNorm2d(64),
        relu2=nn.ReLU(),
        conv3=conv3(64, 64),
        bn3=nn.BatchNorm2d(64),
        relu3=nn.ReLU(),
        pool3=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(64 * 7 * 7, 128),
        relu4=nn.ReLU(),
        fc2=nn.Linear(128, CLASSES),
    )


class Block(nn.Module):
    """Two convolutions with batch norm; a residual block adds its input to them before the last ReLU.

    He et al. 2016, figure 2 and equation 1; where the shape changes, a 1x1 convolution brings the input to it
    (option B). Without `skip` it is the plain counterpart, with the same convolutions under the same names.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, skip: bool = True) -> None:
        super().__init__()
        self.conv1 = conv3(inputs, outputs, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3(outputs, outputs, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.skip = skip
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False) if skip and not same else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + self.shortcut(x)) if self.skip else self.relu2(y)


def deep_network(depth: int, *, residual: bool, width: int = 16) -> nn.Module:
    """A stem to 7 x 7, then (depth - 2) / 2 blocks of two convolutions, then a linear layer over 2 x 2 cells."""
    blocks = {f"block{i}": Block(width, width, skip=residual) for i in range(1, (depth - 2) // 2 + 1)}
    return sequence(
        conv0=nn.Conv2d(1, width, kernel_size=5, stride=2, padding=2, bias=False),
        bn0=nn.BatchNorm2d(width),
        relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(2),
        **blocks,
        pool=nn.AdaptiveMaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(width * 4, CLASSES),
    )


def resnet7() -> nn.Module:
    """A residual network with seven convolutions on the way from picture to logits."""
    return sequence(
        conv0=conv3(1, 16, bias=False),
        bn0=nn.BatchNorm2d(16),
        relu0=nn.ReLU(),
        pool0=nn.MaxPool2d(2),
        block1=Block(16, 16),
        block2=Block(16, 32, stride=2),
        block3=Block(32, 32),
        global_pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(32, CLASSES),
    )


@torch.no_grad()
def start_as_identity(module: nn.Module) -> None:
    """Set the last batch norm's scale of each residual block to 0: the block then passes its input on unchanged.

    Goyal et al. 2017, section 5.1.
    """
    for block in module.modules():
        if isinstance(block, Block) and block.skip:
            block.bn2.weight.zero_()
