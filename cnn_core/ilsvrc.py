"""ILSVRC classification, year by year: what was measured, by whom it was published, and which lesson explains it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_HISTORY: Final = "Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, IJCV 115"
_RESNET: Final = "He et al. 2016, Deep residual learning for image recognition, CVPR"
_SENET: Final = "Hu et al. 2018, Squeeze-and-excitation networks, CVPR"


@dataclass(frozen=True)
class Entry:
    """One entry of the challenge's classification task."""

    year: int
    name: str
    short: str
    """The name where room is scarce."""
    error: float
    """Top-5 error on the challenge's test pictures, 0 to 1, without other training data."""
    source: str
    """Where the number was published."""
    idea: str
    """What was new in it, in a sentence."""
    paper: str
    """Where the idea is described."""
    opens: tuple[tuple[str, str], ...]
    """Lessons that let you try the idea: (page, what you will see there); the first one explains the step best."""
    is_winner: bool = True

    @property
    def key(self) -> str:
        """What an address calls it: "2012-alexnet"."""
        return f"{self.year}-{self.short.lower()}"


ENTRIES: Final[tuple[Entry, ...]] = (
    Entry(
        2010,
        "NEC-UIUC",
        "NEC-UIUC",
        0.282,
        _HISTORY,
        "Descriptors that people designed (SIFT and LBP), coded, and a linear SVM on top.",
        f"{_HISTORY}, section 5.1",
        (("machines", "HOG and a linear SVM against two networks"),),
    ),
    Entry(
        2011,
        "XRCE",
        "XRCE",
        0.258,
        _HISTORY,
        "Fisher vectors of designed descriptors, and one linear SVM for each class.",
        "Perronnin et al. 2010, Improving the Fisher kernel, ECCV",
        (("machines", "what designed features can and cannot do"),),
    ),
    Entry(
        2012,
        "SuperVision (AlexNet)",
        "AlexNet",
        0.164,
        _HISTORY,
        "A deep convolutional network learned from the pixels: ReLU, dropout, two graphics cards.",
        "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks, NIPS",
        (
            ("landmarks", "AlexNet opened, and a small one on your picture"),
            ("insights", "why ReLU: gradients through 20 layers"),
            ("machines", "learned against designed features"),
        ),
    ),
    Entry(
        2012,
        "ISI",
        "ISI",
        0.262,
        _HISTORY,
        "Second place: Fisher vectors again, the way of the years before.",
        _HISTORY,
        (("machines", "what designed features can and cannot do"),),
        is_winner=False,
    ),
    Entry(
        2013,
        "Clarifai",
        "Clarifai",
        0.117,
        _HISTORY,
        "Convolutional networks whose shapes were chosen by looking at their feature maps.",
        "Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, ECCV",
        (
            ("features", "all feature maps of a layer"),
            ("channel", "what one channel answers to"),
            ("landmarks", "the networks of these years, opened"),
        ),
    ),
    Entry(
        2014,
        "GoogLeNet",
        "GoogLeNet",
        0.067,
        _HISTORY,
        "Inception modules: four branches side by side, made cheap by 1 × 1 convolutions; 22 layers.",
        "Szegedy et al. 2015, Going deeper with convolutions, CVPR",
        (("landmarks", "an Inception module opened in numbers"), ("network", "its graph, operation by operation")),
    ),
    Entry(
        2014,
        "VGG",
        "VGG",
        0.073,
        _HISTORY,
        "Second place: nothing but 3 × 3 kernels, 16 to 19 layers deep.",
        "Simonyan and Zisserman 2015, Very deep convolutional networks, ICLR",
        (("landmarks", "two 3 × 3 kernels against one of 5 × 5"), ("depth", "how the receptive field grows")),
        is_winner=False,
    ),
    Entry(
        2015,
        "ResNet (ensemble)",
        "ResNet",
        0.0357,
        _RESNET,
        "Shortcuts let networks of up to 152 layers be trained.",
        _RESNET,
        (("resnet", "plain and residual networks of 8 to 44 layers, trained live"), ("landmarks", "a block opened")),
    ),
    Entry(
        2016,
        "Trimps-Soushen",
        "Trimps-Soushen",
        0.0299,
        _SENET,
        "An ensemble of several networks of the years before.",
        _SENET,
        (("landmarks", "the families that it joined"), ("resnet", "why depth could be used")),
    ),
    Entry(
        2017,
        "SENet",
        "SENet",
        0.0225,
        _SENET,
        "Each channel is weighted by what the whole picture shows.",
        _SENET,
        (("interventions", "weight channels yourself: switch them off"), ("channel", "what one channel answers to")),
    ),
)
"""By year; within a year the winner first."""


@dataclass(frozen=True)
class Person:
    """One trained person on the challenge's pictures."""

    name: str
    error: float
    """Top-5 error, 0 to 1."""
    n_pictures: int
    n_practice: int
    """Pictures that the person trained on before."""
    source: str


# Section 6.4: the second person, who had trained less, was measured on fewer pictures.
PEOPLE: Final = (
    Person("annotator A1", 0.051, 1_500, 500, _HISTORY),
    Person("annotator A2", 0.120, 258, 100, _HISTORY),
)


def winners() -> tuple[Entry, ...]:
    """The best entry of each year."""
    return tuple(entry for entry in ENTRIES if entry.is_winner)


def drops() -> dict[int, tuple[float, float]]:
    """How far the best error fell in each year but the first: the difference, and as a share of the error before."""
    best = winners()
    return {
        after.year: (before.error - after.error, 1 - after.error / before.error) for before, after in pairwise(best)
    }


def largest_drop(*, relative: bool = False) -> int:
    """The year in which the error fell farthest: in points, or as a share of what was left."""
    return max(drops().items(), key=lambda item: item[1][relative])[0]


def first_below(error: float) -> Entry | None:
    """The first winner with a smaller error; None where there is none."""
    return next((entry for entry in winners() if entry.error < error), None)


def interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval (1927) of a share (0 to 1) that was measured on n pictures; z = 1.96 for 95 %."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half
