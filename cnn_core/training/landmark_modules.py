"""A small member of each landmark family, with what its family is known for: pictures (N, 1, 28, 28) to 10 logits.

None is a copy of the paper's network, which was made for pictures of 224 x 224; each keeps its family's signature at a
size that learns clothing in a minute or two of one core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from .modules import CLASSES, Block, conv3, lenet5_1998, sequence

_DROPPED = 0.5  # Krizhevsky et al. 2012, section 4.2; VGG kept it


def small_lenet(num_classes: int = CLASSES) -> nn.Module:
    """LeNet-5 itself, which was made for this size: tanh, average pooling, three linear layers (LeCun et al. 1998)."""
    return lenet5_1998(num_classes)


def small_alexnet(num_classes: int = CLASSES) -> nn.Module:
    """Large first kernels with a stride, ReLU, overlapping pooling, five convolutions, dropout, wide linear layers.

    Krizhevsky et al. 2012, figure 2, without the two groups: 7x7 kernels with stride 2 stand for 11x11 with stride 4.
    """
    return sequence(
        conv1=nn.Conv2d(1, 16, kernel_size=7, stride=2, padding=4),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(kernel_size=3, stride=2),
        conv2=nn.Conv2d(16, 32, kernel_size=5, padding=2),
        relu2=nn.ReLU(),
        conv3=conv3(32, 40),
        relu3=nn.ReLU(),
        conv4=conv3(40, 40),
        relu4=nn.ReLU(),
        conv5=conv3(40, 32),
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(kernel_size=3, stride=2),
        flatten=nn.Flatten(),
        dropout1=nn.Dropout(_DROPPED),
        fc1=nn.Linear(32 * 3 * 3, 256),
        relu6=nn.ReLU(),
        dropout2=nn.Dropout(_DROPPED),
        fc2=nn.Linear(256, 128),
        relu7=nn.ReLU(),
        fc3=nn.Linear(128, num_classes),
    )


def small_vgg(num_classes: int = CLASSES) -> nn.Module:
    """3x3 convolutions alone, two in a row, widths doubling where the maps halve (Simonyan and Zisserman 2015)."""
    layers: dict[str, nn.Module] = {}
    inputs = 1
    for stage, width in enumerate((12, 24, 48), start=1):
        for place in (1, 2):
            layers[f"conv{stage}_{place}"] = conv3(inputs, width)
            layers[f"relu{stage}_{place}"] = nn.ReLU()
            inputs = width
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return sequence(
        **layers,
        flatten=nn.Flatten(),
        fc1=nn.Linear(inputs * 3 * 3, 128),
        relu4=nn.ReLU(),
        dropout1=nn.Dropout(_DROPPED),
        fc2=nn.Linear(128, 128),
        relu5=nn.ReLU(),
        dropout2=nn.Dropout(_DROPPED),
        fc3=nn.Linear(128, num_classes),
    )


class Inception(nn.Module):
    """Four branches over the same maps, their outputs stacked (Szegedy et al. 2015, figure 2b).

    1x1; 1x1 then 3x3; 1x1 then 5x5; 3x3 max pooling then 1x1. The 1x1 convolutions in front make the maps fewer
    before the costly ones.
    """

    def __init__(
        self, inputs: int, one: int, before_three: int, three: int, before_five: int, five: int, after_pool: int
    ) -> None:
        super().__init__()
        self.branch1 = _with_relu(conv=nn.Conv2d(inputs, one, kernel_size=1))
        self.branch2 = sequence(
            **_layers("reduce", nn.Conv2d(inputs, before_three, kernel_size=1)),
            **_layers("conv", conv3(before_three, three)),
        )
        self.branch3 = sequence(
            **_layers("reduce", nn.Conv2d(inputs, before_five, kernel_size=1)),
            **_layers("conv", nn.Conv2d(before_five, five, kernel_size=5, padding=2)),
        )
        self.branch4 = sequence(
            pool=nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            **_layers("conv", nn.Conv2d(inputs, after_pool, kernel_size=1)),
        )
        self.outputs = one + three + five + after_pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


def _layers(name: str, convolution: nn.Conv2d) -> dict[str, nn.Module]:
    return {name: convolution, f"{name}_relu": nn.ReLU()}


def _with_relu(conv: nn.Conv2d) -> nn.Sequential:
    return sequence(**_layers("conv", conv))


def small_googlenet(num_classes: int = CLASSES) -> nn.Module:
    """A stem, three Inception modules, global average pooling, and a single linear layer (Szegedy et al. 2015).

    Without batch norm, as in the paper; torchvision's GoogLeNet has one after every convolution.
    """
    return sequence(
        conv1=nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),
        relu1=nn.ReLU(),
        conv2=conv3(16, 24),
        relu2=nn.ReLU(),
        inception1=Inception(24, 16, 16, 24, 4, 8, 8),
        pool1=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        inception2=Inception(56, 24, 24, 48, 8, 12, 12),
        inception3=Inception(96, 40, 28, 56, 8, 16, 16),
        global_pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(128, num_classes),
    )


def small_resnet(num_classes: int = CLASSES) -> nn.Module:
    """A stem, six residual blocks of two 3x3 convolutions with batch norm, global average pooling (He et al. 2016).

    14 layers: each stage halves the maps and doubles the widths, and its first shortcut is a 1x1 convolution.
    """
    return sequence(
        conv1=conv3(1, 16, stride=2, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu1=nn.ReLU(),
        block1=Block(16, 16),
        block2=Block(16, 16),
        block3=Block(16, 32, stride=2),
        block4=Block(32, 32),
        block5=Block(32, 64, stride=2),
        block6=Block(64, 64),
        global_pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(64, num_classes),
    )


BUILDERS: Final[dict[str, Callable[[int], nn.Module]]] = {
    "small_lenet": small_lenet,
    "small_alexnet": small_alexnet,
    "small_vgg": small_vgg,
    "small_googlenet": small_googlenet,
    "small_resnet": small_resnet,
}


def build(key: str, num_classes: int = CLASSES) -> nn.Module:
    """The small member of this key, as it begins; KeyError where there is none."""
    return BUILDERS[key](num_classes)
