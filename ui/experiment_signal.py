"""Training insights about what passes through a network: why ReLU, and why batch norm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import streamlit as st

from ui import experiment_exhibits
from ui.experiment_lesson import Chart, Line, Question, panel
from ui.experiment_records import Source
from ui.instruments.curves import Style, curves

SIGMOID: Final = Style("input", "solid", "circle")
TANH: Final = Style("kernel", "dash", "square")
XAVIER: Final = Style("quiet", "dot", "triangle")
RELU: Final = Style("output", "solid", "diamond")
WITHOUT: Final = Style("kernel", "dash", "square")
WITH: Final = Style("output", "solid", "circle")
_RATES: Final = (0.003, 0.01, 0.03, 0.1, 0.3)
_LEARNED: Final = 0.9  # accuracy from which a network is said to have learned the digits


def power(value: float) -> str:
    """A number for a sentence in Markdown: 0.71, or 2.1 · 10 to the power of −13."""
    if value == 0 or 0.01 <= abs(value) < 10_000 or not math.isfinite(value):
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"${mantissa} \\cdot 10^{{{int(exponent)}}}$"


def _reaching(numbers: Source, arm: str) -> float:
    return float(np.median(numbers.cell(arm, "gradient_reaching_first_layer").values))


_STACKS: Final = {
    "sigmoid": ("Sigmoid, Xavier weights", SIGMOID),
    "tanh": ("Tanh, Xavier weights", TANH),
    "relu_xavier": ("ReLU, Xavier weights", XAVIER),
    "relu": ("ReLU, He weights", RELU),
}


def _relu_answer(numbers: Source) -> tuple[str, str]:
    share = _reaching(numbers, "sigmoid")
    others = (
        f"with tanh {power(_reaching(numbers, 'tanh'))}, with ReLU and He weights {power(_reaching(numbers, 'relu'))}"
    )
    key = "tenth" if share > 0.1 else "some" if share >= 1e-6 else "none"
    return key, f"With sigmoids {power(share)} of the last convolution’s gradient arrives; {others}."


def _relu_says(numbers: Source) -> str:
    best = max(_STACKS, key=lambda arm: numbers.mean(arm))
    told = ", ".join(f"{title} {numbers.percent(arm)}" for arm, (title, _) in _STACKS.items())
    return (
        f"Test accuracy after a short training: {told}. {_STACKS[best][0]} is ahead. A gradient that arrives is not "
        "enough: with Xavier weights ReLU passes it on, but halves what goes forward at every layer (see “Spread by "
        "layer”), and He weights make up for that."
    )


def relu() -> None:
    panel(
        "activation_depth",
        question=Question(
            "insights_relu",
            "Twenty convolutions in a row, with a sigmoid after each. How much of the last one’s gradient reaches the "
            "first?",
            {"tenth": "More than a tenth", "some": "A tenth to a millionth", "none": "Less than a millionth"},
            _relu_answer,
        ),
        says=_relu_says,
        views=[
            *experiment_exhibits.gradient_view(
                "activation_depth", _STACKS, note="A straight line down is a constant factor at every layer."
            ),
            *experiment_exhibits.spread_view("activation_depth", _STACKS),
        ],
        styles={arm: style for arm, (_, style) in _STACKS.items()},
        chosen=("sigmoid", "relu"),
        exhibit=lambda: experiment_exhibits.activation_functions(key="insights_functions"),
    )


def _plain(rate: float) -> str:
    return f"plain_{rate:g}"


def _with(rate: float) -> str:
    return f"bn_{rate:g}"


def _rates_learned(numbers: Source, arm: Callable[[float], str]) -> list[float]:
    return [rate for rate in _RATES if numbers.mean(arm(rate)) > _LEARNED]


def _bn_answer(numbers: Source) -> tuple[str, str]:
    without, with_bn = (_rates_learned(numbers, arm) for arm in (_plain, _with))
    key = "none" if not without else "some" if len(without) < 3 else "most"
    return key, (
        f"Without it {len(without)} of {len(_RATES)} learning rates end above 90 % on average, with it {len(with_bn)}. "
        f"At 0.03: {numbers.percent(_plain(0.03))} against {numbers.percent(_with(0.03))}."
    )


def _bn_says(numbers: Source) -> str:
    told = []
    for rate in _RATES:
        if numbers.find(_plain(rate), "test_accuracy") and numbers.find(_with(rate), "test_accuracy"):
            told.append(f"at {rate:g} {numbers.percent(_plain(rate))} without and {numbers.percent(_with(rate))} with")
    if not told:
        return f"At 0.03: {numbers.percent(_plain(0.03))} without, {numbers.percent(_with(0.03))} with."
    return (
        f"Test accuracy {'; '.join(told)}. Batch norm is no guarantee: look at how wide its range is at the largest "
        f"rates."
    )


def batch_norm() -> None:
    pair = {"plain_0.03": ("Without batch norm", WITHOUT), "bn_0.03": ("With batch norm", WITH)}
    spread = experiment_exhibits.spread_view(
        "batch_norm", pair, note="Batch norm brings every layer back to the same spread; without it the signal fades."
    )

    def before() -> None:
        if spread:
            st.markdown("**Before anything is learned:** how far the numbers in each of six layers spread.")
            curves(spread, key="insights_spread", file="batch_norm", label="Six convolutions before training")

    panel(
        "batch_norm",
        question=Question(
            "insights_bn",
            "The network without batch norm is tried with five learning rates, from 0.003 to 0.3. With how many does "
            "it "
            "get above 90 %?",
            {"none": "With none", "some": "With one or two", "most": "With three or more"},
            _bn_answer,
        ),
        says=_bn_says,
        chosen=("plain_0.03", "bn_0.03"),
        exhibit=before,
        charts=[
            Chart(
                "rates",
                "Accuracy by learning rate",
                "learning rate",
                "accuracy on test pictures",
                (
                    Line("Without batch norm", WITHOUT, tuple((r, _plain(r), "test_accuracy") for r in _RATES)),
                    Line("With batch norm", WITH, tuple((r, _with(r), "test_accuracy") for r in _RATES)),
                ),
                x_log=True,
                x_names=tuple((rate, f"{rate:g}") for rate in _RATES),
                note="Mean and range over the seeds, whole test part. Log scale of learning rates.",
            )
        ],
        views=experiment_exhibits.gradient_view("batch_norm", pair),
    )
