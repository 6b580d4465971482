"""Worksheets about the decision: softmax of a real network's logits, and a class map read and put to the test."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .images import load_image
from .samples import Sample, list_samples
from .worksheets import Grid, Task, Worksheet, WorksheetKind, framed, number, register

if TYPE_CHECKING:
    from .models import Classifier
    from .tracing import Trace

_NETWORK: Final = "mobilenet_v2"
_CLOSE: Final = 6.0  # logits of the first and the fourth class apart, at most: further apart, paper shows 1, 0, 0, 0
# Photographs on which four classes come as close as that (tested), so that there is something to compute.
_UNSURE: Final = ("cat", "chameleon", "crocodile", "horse", "moose", "narwhal", "owl", "pig", "cow", "giraffe")
_CHANNELS: Final = 4


@cache
def _network() -> Classifier:
    """Opened once for all sheets of a class."""
    from .models import load_model

    return load_model(_NETWORK)


def _traced(sample: Sample) -> tuple[Classifier, Trace, NDArray[np.uint8]]:
    """The network, its pass over a picture, and what it saw of it."""
    from .tracing import trace

    classifier = _network()
    seen = classifier.preprocess(load_image(sample.path))
    return classifier, trace(classifier, seen), seen.shown_rgb


def _pick(rng: np.random.Generator, keys: tuple[str, ...] | None = None) -> Sample:
    photographs = [s for s in list_samples() if s.kind == "photo" and (keys is None or s.key in keys)]
    return photographs[int(rng.integers(len(photographs)))]


def softmax_sheet(seed: int) -> Worksheet:
    """Four logits of a real network become shares."""
    rng = np.random.default_rng([seed, 5])
    sample = _pick(rng, _UNSURE)
    classifier, traced, shown = _traced(sample)
    top = traced.top(4)
    rounded = [round(2 * one.logit) / 2 for one in top]
    apart = [value - rounded[0] for value in rounded]
    powers = [round(math.exp(value), 2) for value in apart]
    total = sum(powers)
    header = ("class", "logit", "minus the largest", "e to that", "share of the sum")
    asked = tuple((one.name, number(value, 1), "", "", "") for one, value in zip(top, rounded, strict=True))
    solved = tuple(
        (one.name, number(value, 1), number(below, 1), number(power, 2), f"{100 * power / total:.1f} %")
        for one, value, below, power in zip(top, rounded, apart, powers, strict=True)
    )
    halves = range(2 * math.ceil(_CLOSE) + 1)
    table = (
        ("x", *(number(-half / 2, 1) for half in halves)),
        ("eˣ", *(number(math.exp(-half / 2), 2) for half in halves)),
    )
    own = "; ".join(f"{one.name} {100 * one.probability:.1f} %" for one in top)
    double = [math.exp(value / 2) for value in apart]
    return Worksheet(
        "softmax",
        "From scores to shares",
        f"What {classifier.card.title} answers to this picture: the four classes with the highest logits, rounded to "
        "halves. Softmax turns them into shares: take the largest logit away from each, put e to that power, divide by "
        "the sum.",
        seed,
        (
            Task(
                "Fill the table. The powers of e stand below it.",
                f"The sum is {number(total, 2)}.",
                (
                    Grid("four classes", asked, "output", header=header),
                    Grid("powers of e", table),
                ),
                0,
                (Grid("four classes", solved, "output", header=header),),
            ),
            Task(
                "Add 3 to all four logits. What happens to the shares?",
                "Nothing: the largest grows by 3 as well, and the differences stay.",
                blanks=1,
            ),
            Task(
                "Halve all differences (a temperature of 2). Does the first class gain or lose? Guess, then compute "
                "its share.",
                f"It loses: {100 / sum(double):.1f} % instead of {100 * powers[0] / total:.1f} %.",
                blanks=2,
            ),
            Task(
                "Softmax always adds up to 100 %. What would the network say to a picture of nothing that it knows?",
                "It would still share 100 % among its classes: a high share says “rather this than the others”, not “I "
                f"am sure that it is there”. Over all its {len(classifier.class_names):,} classes the network’s own "
                f"shares here are: {own}.",
                blanks=2,
            ),
        ),
        framed(shown),
        f"{sample.title}, as the network sees it.",
    )


def gradcam_sheet(seed: int) -> Worksheet:
    """A class map: computed at three cells, read as a whole, and tested."""
    from .covering import cover
    from .decision import logit_ledger

    rng = np.random.default_rng([seed, 6])
    sample = _pick(rng)
    classifier, traced, shown = _traced(sample)
    best = traced.top(1)[0]
    ledger = logit_ledger(classifier, traced, best.index)
    assert ledger.cells is not None and ledger.maps is not None
    maps = traced.activation(ledger.maps)
    rows, columns = ledger.cells.shape
    channels = [int(at) for at in ledger.order[:_CHANNELS]]
    weights = [round(float(ledger.weights[at]), 2) for at in channels]
    ranking = ledger.cell_ranking()
    places = [ranking[0], ranking[len(ranking) // 2], ranking[-1]]
    letters = "ABC"
    given = [[round(float(maps[channel][place]), 1) for channel in channels] for place in places]
    sums = [sum(weight * value for weight, value in zip(weights, values, strict=True)) for values in given]
    header = ("cell", *(f"channel {at}" for at in channels), "sum", "after ReLU")
    weighted = ("weight", *(number(weight, 2) for weight in weights), "", "")
    asked = (weighted, *((letters[i], *(number(v, 1) for v in values), "", "") for i, values in enumerate(given)))
    solved = (
        weighted,
        *(
            (letters[i], *(number(v, 1) for v in values), number(sums[i], 2), number(max(0.0, sums[i]), 2))
            for i, values in enumerate(given)
        ),
    )
    positive = np.maximum(ledger.cells, 0)
    levels = np.rint(9 * positive / positive.max()).astype(np.int64)
    whole = tuple(tuple(number(int(level)) for level in row) for row in levels)
    height, width = shown.shape[:2]
    step = (height / rows, width / columns)
    top, left = round(places[0][0] * step[0]), round(places[0][1] * step[1])
    boxes = [(r * step[0], c * step[1], (r + 1) * step[0], (c + 1) * step[1]) for r, c in (places[0], places[1])]
    here, there = cover(classifier, traced, boxes, target=best.index)
    before = here.logit + here.logit_drop
    return Worksheet(
        "gradcam",
        "Where did it look?",
        f"{classifier.card.title} says “{best.name}” with a logit of {number(before, 2)}. In this network Grad-CAM is "
        "a sum over channels: the class’s weight of a channel times the channel’s number in a cell; what is below "
        f"zero is set to zero. Of {maps.shape[0]:,} channels you get the {_CHANNELS} that add most.",
        seed,
        (
            Task(
                "Compute the sums for three cells of the last maps.",
                "The rest of the channels is left out here, so the sums are not the network’s whole evidence.",
                (Grid("numbers of three cells", asked, header=header),),
                0,
                (Grid("numbers of three cells", solved, header=header),),
            ),
            Task(
                f"The whole map with all channels, from 0 to 9. Mark the strongest cell. Each cell stands for "
                f"{step[0]:.0f} × {step[1]:.0f} pixels of the picture: frame its place in the picture.",
                f"The strongest cell is row {places[0][0] + 1}, column {places[0][1] + 1} (cell A): rows {top} to "
                f"{round(top + step[0]) - 1} and columns {left} to {round(left + step[1]) - 1}, of {height} × "
                f"{width} pixels.",
                (Grid("class map", whole, "output"),),
                0,
                (Grid("class map", whole, "output", frozenset({places[0]})),),
            ),
            Task(
                "The map claims that this place matters. Which experiment could show that it does not?",
                "Cover it and ask again, and cover an equal place elsewhere. Grey on cell A: the logit goes from "
                f"{number(before, 2)} to {number(here.logit, 2)}. Grey on cell B, which the map ranks in the middle: "
                f"to {number(there.logit, 2)}.",
                blanks=2,
            ),
            Task(
                "A unit of the last maps sees far more than the pixels of its own cell. What does that mean for the "
                "map?",
                "Evidence in a cell may come from pixels around it: the map says where a number stands, not which "
                "pixels made it.",
                blanks=1,
            ),
        ),
        framed(shown),
        f"{sample.title}, as the network sees it: {height} × {width} pixels.",
    )


register(
    WorksheetKind(
        "softmax",
        "From scores to shares",
        "Four logits of a real network, through softmax by hand.",
        "decision",
        12,
        softmax_sheet,
    )
)
register(
    WorksheetKind(
        "gradcam",
        "Where did it look?",
        "A class map: computed, read, and put to the test.",
        "gradcam",
        15,
        gradcam_sheet,
    )
)
