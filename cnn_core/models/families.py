"""The families of convolutional classifiers: one row each, with title, year and source; no torch here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Family:
    """Architectures that one paper introduced."""

    title: str
    year: int
    """The year in which the paper was first made public."""
    source: str
    """Authors, title, where it was published."""
    pattern: re.Pattern[str]
    """Matches torchvision's keys of this family, and no others."""
    name: Callable[[re.Match[str]], str]
    """A key's title for people, from the match of `pattern`."""
    transforms_input: bool = field(default=False)
    """Its trained weights expect values in [-1, 1], and the module itself converts them (`transform_input`)."""


def _row(
    title: str,
    year: int,
    source: str,
    pattern: str,
    name: Callable[[re.Match[str]], str],
    *,
    transforms_input: bool = False,
) -> Family:
    return Family(title, year, source, re.compile(pattern), name, transforms_input)


def _small(match: re.Match[str]) -> str:
    """The members for pictures of 28 x 28 that this project trained (`training.landmark_modules`)."""
    return "Small " if match[1] else ""


def _flops(text: str) -> str:
    """The multiply-adds that name a RegNet: "1_6gf" is "1.6 GF" and "400mf" is "400 MF"."""
    return f"{text[:-2].replace('_', '.')} {text[-2:].upper()}"


FAMILIES: Final[tuple[Family, ...]] = (
    _row(
        "LeNet",
        1998,
        "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. "
        "Proceedings of the IEEE 86, 1998",
        r"lenet5|small_lenet",
        lambda m: "LeNet-5" if m[0] == "lenet5" else "Small LeNet",
    ),
    _row(
        "AlexNet",
        2012,
        "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks. NeurIPS 2012; "
        "torchvision follows the one-tower variant of Krizhevsky: One weird trick, arXiv 1404.5997, 2014",
        r"(small_)?alexnet",
        lambda m: f"{_small(m)}AlexNet",
    ),
    _row(
        "VGG",
        2014,
        "Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition. ICLR 2015",
        r"small_vgg|vgg(\d+)(_bn)?",
        lambda m: f"VGG-{m[1]}" + (" with batch norm" if m[2] else "") if m[1] else "Small VGG",
    ),
    _row(
        "GoogLeNet",
        2014,
        "Szegedy et al.: Going deeper with convolutions. CVPR 2015",
        r"(small_)?googlenet",
        lambda m: f"{_small(m)}GoogLeNet",
        transforms_input=True,
    ),
    _row(
        "Inception v3",
        2015,
        "Szegedy et al.: Rethinking the Inception architecture for computer vision. CVPR 2016",
        r"inception_v3",
        lambda m: "Inception v3",
        transforms_input=True,
    ),
    _row(
        "ResNet",
        2015,
        "He, Zhang, Ren, Sun: Deep residual learning for image recognition. CVPR 2016",
        r"small_resnet|resnet(\d+)",
        lambda m: f"ResNet-{m[1]}" if m[1] else "Small ResNet",
    ),
    _row(
        "SqueezeNet",
        2016,
        "Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters. arXiv 1602.07360, 2016",
        r"squeezenet(\d)_(\d)",
        lambda m: f"SqueezeNet {m[1]}.{m[2]}",
    ),
    _row(
        "Wide ResNet",
        2016,
        "Zagoruyko, Komodakis: Wide residual networks. BMVC 2016",
        r"wide_resnet(\d+)_(\d)",
        lambda m: f"Wide ResNet-{m[1]}-{m[2]}",
    ),
    _row(
        "DenseNet",
        2016,
        "Huang, Liu, van der Maaten, Weinberger: Densely connected convolutional networks. CVPR 2017",
        r"densenet(\d+)",
        lambda m: f"DenseNet-{m[1]}",
    ),
    _row(
        "ResNeXt",
        2016,
        "Xie, Girshick, Dollár, Tu, He: Aggregated residual transformations for deep neural networks. CVPR 2017",
        r"resnext(\d+)_(\d+)x(\d+)d",
        lambda m: f"ResNeXt-{m[1]} {m[2]}×{m[3]}d",
    ),
    _row(
        "MobileNetV2",
        2018,
        "Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: Inverted residuals and linear bottlenecks. CVPR 2018",
        r"mobilenet_v2",
        lambda m: "MobileNetV2",
    ),
    _row(
        "ShuffleNet V2",
        2018,
        "Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical guidelines for efficient CNN architecture design. ECCV 2018",
        r"shufflenet_v2_x(\d)_(\d)",
        lambda m: f"ShuffleNet V2 ×{m[1]}.{m[2]}",
    ),
    _row(
        "MnasNet",
        2018,
        "Tan et al.: MnasNet: Platform-aware neural architecture search for mobile. CVPR 2019",
        r"mnasnet(\d)_(\d+)",
        lambda m: f"MnasNet {m[1]}.{m[2]}",
    ),
    _row(
        "MobileNetV3",
        2019,
        "Howard et al.: Searching for MobileNetV3. ICCV 2019",
        r"mobilenet_v3_(small|large)",
        lambda m: f"MobileNetV3 {m[1]}",
    ),
    _row(
        "EfficientNet",
        2019,
        "Tan, Le: EfficientNet: Rethinking model scaling for convolutional neural networks. ICML 2019",
        r"efficientnet_b(\d)",
        lambda m: f"EfficientNet-B{m[1]}",
    ),
    _row(
        "RegNet",
        2020,
        "Radosavovic, Kosaraju, Girshick, He, Dollár: Designing network design spaces. CVPR 2020",
        r"regnet_([xy])_(\w+)",
        lambda m: f"RegNet{m[1].upper()} {_flops(m[2])}",
    ),
    _row(
        "EfficientNetV2",
        2021,
        "Tan, Le: EfficientNetV2: Smaller models and faster training. ICML 2021",
        r"efficientnet_v2_([sml])",
        lambda m: f"EfficientNetV2-{m[1].upper()}",
    ),
    _row(
        "ConvNeXt",
        2022,
        "Liu et al.: A ConvNet for the 2020s. CVPR 2022",
        r"convnext_(\w+)",
        lambda m: f"ConvNeXt-{m[1].capitalize()}",
    ),
)


def family_of(key: str) -> tuple[Family, str] | None:
    """The family of a key and the key's title, or None where no row matches (a transformer, for example)."""
    for family in FAMILIES:
        if match := family.pattern.fullmatch(key):
            return family, family.name(match)
    return None
