"""What the training pages show before anything runs: activation functions, first steps by layer, augmented pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_core.training.first_step import FirstStep, load_first_steps
from ui import cached
from ui.instruments.curves import Series, Style, View, curves

Floats = NDArray[np.float64]
FUNCTIONS: Final[dict[str, tuple[Style, Callable[[Floats], Floats], Callable[[Floats], Floats]]]] = {
    "Sigmoid": (
        Style("input", "solid", "none"),
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
    ),
    "Tanh": (Style("kernel", "dash", "none"), np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "ReLU": (Style("output", "solid", "none"), lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(np.float64)),
}


def activation_functions(*, key: str) -> None:
    """The three functions and their slopes, with a ruler."""
    x = np.round(np.linspace(-6, 6, 121), 10)
    # At 0 ReLU's slope jumps: the place stands twice, so that the line goes straight up.
    twice = np.insert(x, 60, 0.0)
    jumps = (np.arange(len(twice)) > 60).astype(np.float64)

    def lines(slope: bool) -> tuple[Series, ...]:
        found = []
        for name, (style, function, derivative) in FUNCTIONS.items():
            if not slope:
                found.append(Series(name, style, "own", x, function(x), note="exact"))
            elif name == "ReLU":
                found.append(Series(name, style, "own", twice, jumps, note="exact; torch takes 0 at 0"))
            else:
                found.append(Series(name, style, "own", x, derivative(x), note="exact"))
        return tuple(found)

    views = [
        View(
            "slope",
            "Slope",
            "number that comes in",
            "slope: what the gradient is multiplied by",
            lines(True),
            note="On the way back, the gradient is multiplied by this slope once for each layer.",
            guide=(0.25, "1/4"),
        ),
        View(
            "function",
            "Function",
            "number that comes in",
            "number that comes out",
            lines(False),
            note="ReLU goes on beyond this picture: what comes in is what comes out.",
        ),
    ]
    curves(views, key=key, file="activations", label="Activation functions")


def first(experiment: str) -> Mapping[str, FirstStep] | None:
    """The precomputed first steps of an experiment's arms."""
    return cached.memo(
        "first_steps",
        (experiment,),
        lambda: load_first_steps(experiment),
        lambda made: 1 if made is None else sum(one.nbytes for one in made.values()),
    )


def gradient_view(experiment: str, arms: Mapping[str, tuple[str, Style]], *, note: str = "") -> list[View]:
    """The gradient's norm by layer at the first step, from the output back; none where nothing was precomputed."""
    found = first(experiment)
    if found is None:
        return []
    series = [
        _layers(title, style, found[arm].gradient_norms[:, ::-1], found[arm].layers[::-1], found[arm].seeds)
        for arm, (title, style) in arms.items()
        if arm in found
    ]
    n = len(next(iter(found.values())).seeds)
    return [
        View(
            "first_gradients",
            "Gradient by layer",
            "layers back from the output",
            "L2 norm of the weights’ gradient",
            tuple(series),
            y_log=True,
            note=f"The very first step, before anything is learned; precomputed, median and range of {n} seeds. Log "
            f"scale. {note}",
        )
    ]


def spread_view(experiment: str, arms: Mapping[str, tuple[str, Style]], *, note: str = "") -> list[View]:
    """The activations' standard deviation by layer at the first step, from the picture on."""
    found = first(experiment)
    if found is None:
        return []
    series = [
        _layers(title, style, found[arm].activation_std, found[arm].activations, found[arm].seeds)
        for arm, (title, style) in arms.items()
        if arm in found
    ]
    n = len(next(iter(found.values())).seeds)
    return [
        View(
            "first_spread",
            "Spread by layer",
            "activation layers from the picture on",
            "standard deviation of the activations",
            tuple(series),
            y_log=True,
            note=f"The first batch, before anything is learned; precomputed, median and range of {n} seeds. Log scale. "
            f"{note}",
        )
    ]


def _layers(title: str, style: Style, values: Floats, names: Sequence[str], seeds: Sequence[int]) -> Series:
    return Series(
        title,
        style,
        "precomputed",
        np.arange(1.0, len(names) + 1),
        np.median(values, axis=0),
        values.min(axis=0),
        values.max(axis=0),
        note=f"precomputed, median of {len(seeds)} seeds",
        labels=tuple(names),
    )


def mosaic(pictures: NDArray[np.uint8], *, zoom: int, gap: int = 1) -> NDArray[np.uint8]:
    """Pictures uint8 (rows, columns, side, side) as one picture, each pixel a square of `zoom`, gaps of mid grey."""
    rows, columns, side, _ = pictures.shape
    step = side + gap
    sheet = np.full((rows * step - gap, columns * step - gap), 128, np.uint8)
    for row in range(rows):
        for column in range(columns):
            sheet[row * step : row * step + side, column * step : column * step + side] = pictures[row, column]
    return sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)


def augmented(arm: str, *, title: str, seed: int) -> None:
    """Some training pictures of an arm of the augmentation experiment, each with changed copies."""
    found = cached.memo("augmented", (arm, seed), lambda: _augmented(arm, seed), lambda made: made.nbytes)
    with st.container(width=600):
        st.image(
            mosaic(found, zoom=5),
            caption=f"{title} First column: the picture. The others: copies, changed as in training, seed {seed}.",
            width="stretch",
            alt="Training pictures, each in a row with its changed copies",
        )


def _augmented(arm: str, seed: int) -> NDArray[np.uint8]:
    from cnn_core.training.augmented_pictures import augmented_pictures

    return augmented_pictures("augmentation", arm, seed=seed, originals=4, copies=7)
