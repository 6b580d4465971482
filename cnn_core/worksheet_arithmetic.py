"""Worksheets that need pencil and paper only: a kernel by hand, ReLU and pooling by hand; from the shipped pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .images import load_image
from .kernels import KernelPreset, Region, convolve, kernel_preset, luminance
from .samples import Sample, list_samples
from .worksheets import Grid, Task, Worksheet, WorksheetKind, cells_of, empty, framed, number, register

_BY_HAND: Final = ("vertical-edge", "horizontal-edge", "laplacian", "emboss", "sharpen")
_CELLS: Final = 24
_LEVELS: Final = 9
_DRAWS: Final = 12


def _patch(rng: np.random.Generator, side: int) -> tuple[Sample, NDArray[np.uint8], NDArray[np.int64], Region]:
    """A square of a photograph in whole numbers 0 (black) to 9 (white), the liveliest of some drawn at random."""
    photographs = [sample for sample in list_samples() if sample.kind == "photo"]
    sample = photographs[int(rng.integers(len(photographs)))]
    rgb = load_image(sample.path).rgb
    whole = Region.centred(rgb.shape[0], rgb.shape[1], _CELLS)
    grey = np.rint(_LEVELS * whole.values(luminance(rgb))).astype(np.int64)
    corners = [(int(rng.integers(whole.rows - side)), int(rng.integers(whole.columns - side))) for _ in range(_DRAWS)]
    row, column = max(corners, key=lambda at: grey[at[0] : at[0] + side, at[1] : at[1] + side].std())
    zoom = whole.zoom
    region = Region(whole.top + row * zoom, whole.left + column * zoom, side, side, zoom)
    return sample, rgb, grey[row : row + side, column : column + side], region


def _box(region: Region) -> tuple[int, int, int, int]:
    height, width = region.rows * region.zoom, region.columns * region.zoom
    return region.top, region.left, region.top + height, region.left + width


def _kernel_grid(preset: KernelPreset) -> Grid:
    return Grid(f"kernel “{preset.title.lower()}”", cells_of(np.array(preset.weights)), "kernel")


def _where(row: int, column: int) -> str:
    return f"row {row + 1}, column {column + 1}"


def kernel_sheet(seed: int) -> Worksheet:
    """One kernel laid on a square of 5 × 5 numbers of a photograph."""
    rng = np.random.default_rng([seed, 1])
    sample, rgb, values, region = _patch(rng, 5)
    preset = kernel_preset(_BY_HAND[int(rng.integers(len(_BY_HAND)))])
    weights = np.array(preset.weights).astype(np.int64)
    answers = np.rint(convolve(values, weights)).astype(np.int64)
    row, column = (int(at) for at in rng.integers(0, 3, 2))
    window = values[row : row + 3, column : column + 3]
    marked = frozenset((row + i, column + j) for i in range(3) for j in range(3))
    places = np.argwhere(np.abs(answers) == np.abs(answers).max()).tolist()
    even = int(rng.integers(2, 9))
    total = int(weights.sum())
    products = " + ".join(f"({number(one)})" if one < 0 else number(one) for one in (window * weights).ravel().tolist())
    return Worksheet(
        "kernel",
        "One kernel, by hand",
        "The framed square of the picture, in brightness from 0 (black) to 9 (white), and a kernel. Lay the kernel on "
        "a window, multiply cell by cell, and add the nine products up: one number of the map.",
        seed,
        (
            Task(
                "The window with the frame: write down the nine products, and their sum.",
                f"{products} = {number(int(answers[row, column]))}",
                (
                    Grid("picture", cells_of(values), "input", marked),
                    _kernel_grid(preset),
                    Grid("products", empty(3, 3)),
                ),
                1,
                (Grid("products", cells_of(window * weights)),),
            ),
            Task(
                "Guess first: which cell of the map will be largest in size? Mark it. Then compute all nine.",
                f"Largest in size: {number(int(np.abs(answers).max()))}, at "
                + " and ".join(_where(*place) for place in places)
                + ".",
                (Grid("map", empty(3, 3), "output"),),
                0,
                (Grid("map", cells_of(answers), "output"),),
            ),
            Task(
                f"Now every cell of the picture is {even}. What does the kernel answer, everywhere?",
                f"{even} × (sum of the weights) = {even} × {number(total)} = {number(even * total)}.",
                blanks=1,
            ),
            Task(
                "Say in one sentence what this kernel looks for.",
                preset.meaning,
                blanks=2,
            ),
        ),
        framed(rgb, _box(region)),
        f"{sample.title}; the frame holds 5 × 5 cells of {region.zoom} × {region.zoom} pixels each.",
    )


def pooling_sheet(seed: int) -> Worksheet:
    """A map of 4 × 4 answers through ReLU, max pooling and average pooling."""
    rng = np.random.default_rng([seed, 2])
    sample, rgb, values, region = _patch(rng, 6)
    preset = kernel_preset(_BY_HAND[int(rng.integers(len(_BY_HAND)))])
    answers = np.rint(convolve(values, np.array(preset.weights))).astype(np.int64)
    kept = np.maximum(answers, 0)
    windows = kept.reshape(2, 2, 2, 2).swapaxes(1, 2).reshape(2, 2, 4)
    largest, means = windows.max(axis=2), windows.mean(axis=2)
    zeros = int((kept == 0).sum())
    return Worksheet(
        "pooling",
        "ReLU and pooling, by hand",
        f"What the kernel “{preset.title.lower()}” answers on the framed part of the picture, a number for each place. "
        "ReLU keeps what is above zero; pooling makes one number of each window of 2 × 2.",
        seed,
        (
            Task(
                "Apply ReLU to each cell. How many of the 16 are zero then?",
                f"{zeros} of 16 are zero.",
                (Grid("map", cells_of(answers), "output"), Grid("after ReLU", empty(4, 4), "output")),
                1,
                (Grid("after ReLU", cells_of(kept), "output"),),
            ),
            Task(
                "Pool what ReLU left, in windows of 2 × 2 that do not overlap: once by the largest, once by the mean.",
                "16 numbers became 4.",
                (Grid("max pooling", empty(2, 2), "output"), Grid("average pooling", empty(2, 2), "output")),
                0,
                (
                    Grid("max pooling", cells_of(largest), "output"),
                    Grid("average pooling", cells_of(means, 2), "output"),
                ),
            ),
            Task(
                "In the upper left window, two neighbouring cells change places. Which of the two pooled maps changes?",
                "Neither: the largest and the mean of the window stay as they are. Pooling forgets where in its window "
                "something was.",
                blanks=1,
            ),
            Task(
                "Could pooling come before ReLU with the same result? Try it in one window for each kind.",
                "For max pooling yes: the largest of numbers that were cut at zero is their largest, cut at zero. For "
                "average pooling no, as soon as a window holds numbers of both signs.",
                blanks=2,
            ),
        ),
        framed(rgb, _box(region)),
        f"{sample.title}; the frame holds 6 × 6 cells, which give 4 × 4 answers.",
    )


register(
    WorksheetKind(
        "kernel",
        "One kernel, by hand",
        "Nine products and their sum, on a square of a photograph.",
        "kernel",
        12,
        kernel_sheet,
    )
)
register(
    WorksheetKind(
        "pooling",
        "ReLU and pooling, by hand",
        "A map of 4 × 4 answers, cut at zero, then pooled.",
        "pooling",
        10,
        pooling_sheet,
    )
)
