"""Worksheets about layers: how large an output is, how many parameters make it, how far a unit sees."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from .kernels import output_size
from .worksheets import Grid, Task, Worksheet, WorksheetKind, number, register

_NETWORKS: Final = ("lenet5", "squeezenet1_1", "mobilenet_v2")  # they come with their weights
_DRAWN: Final = 3
_REAL: Final = 3
_INPUT: Final = 224


@cache
def _real_layers() -> tuple[tuple[str, dict[str, int]], ...]:
    """Convolutions of the shipped networks: where each stands, and its numbers."""
    from .models import load_model

    found = []
    for key in _NETWORKS:
        classifier = load_model(key)
        for operation in classifier.network.operations:
            if operation.kind != "conv2d" or operation.attributes["groups"] != 1:
                continue
            about = operation.attributes
            size = classifier.network[operation.inputs[0]].output_shape[1]
            numbers = {
                "size": size,
                "kernel": about["kernel_size"][0],
                "stride": about["stride"][0],
                "padding": about["padding"][0],
                "in": about["in_channels"],
                "out": about["out_channels"],
                "bias": int(about["bias"]),
                "n": operation.n_parameters,
                "output": operation.output_shape[1],
            }
            if numbers["kernel"] > 1:
                found.append((f"{classifier.card.title}, {operation.name}", numbers))
    return tuple(found)


def layers_sheet(seed: int) -> Worksheet:
    """The size of an output and the number of parameters, for layers of real networks and for drawn ones."""
    rng = np.random.default_rng([seed, 3])
    layers = _real_layers()
    chosen = [layers[int(at)] for at in sorted(rng.choice(len(layers), _REAL, replace=False))]
    drawn: list[tuple[int, ...]] = []
    while len(drawn) < _DRAWN:
        size, kernel = int(rng.choice([28, 32, 48, 64, 96, 227])), int(rng.choice([3, 5, 7, 11]))
        stride, padding, dilation = (int(rng.integers(1, 5)), int(rng.integers(0, 4)), int(rng.integers(1, 3)))
        out = output_size(size, kernel, stride=stride, padding=padding, dilation=dilation)
        if out > 1:
            drawn.append((size, kernel, stride, padding, dilation, out))
    real = [
        (about["size"], about["kernel"], about["stride"], about["padding"], 1, about["output"]) for _, about in chosen
    ]
    rows = [*real, *drawn]
    header = ("", "input W", "kernel K", "stride S", "padding P", "dilation D", "output")
    asked = tuple((chr(97 + i), *map(str, row[:5]), "") for i, row in enumerate(rows))
    solved = tuple((chr(97 + i), *map(str, row)) for i, row in enumerate(rows))
    weights = tuple(
        (
            title,
            str(about["in"]),
            str(about["out"]),
            f"{about['kernel']} × {about['kernel']}",
            "yes" if about["bias"] else "no",
            "",
        )
        for title, about in chosen
    )
    numbers = "; ".join(
        f"{about['in']} × {about['kernel']} × {about['kernel']} × {about['out']}"
        + (f" + {about['out']}" if about["bias"] else "")
        + f" = {about['n']:,}"
        for _, about in chosen
    )
    steps = []
    for size, kernel, stride, padding, dilation, out in rows:
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        steps.append(f"⌊{room}/{stride}⌋ + 1 = {out}")
    return Worksheet(
        "layers",
        "How large, how many",
        "The output of a convolution has ⌊(W + 2P − D(K − 1) − 1) / S⌋ + 1 cells along each side; ⌊ ⌋ rounds down. "
        f"Rows a to c are layers of real networks: {', '.join(title for title, _ in chosen)}. The others were drawn.",
        seed,
        (
            Task(
                "Compute the output of each.",
                "; ".join(f"{chr(97 + i)}: {step}" for i, step in enumerate(steps)) + ".",
                (Grid("one side of each", asked, header=header),),
                0,
                (Grid("one side of each", solved, header=header),),
            ),
            Task(
                "How many parameters does each of the three real layers have?",
                f"{numbers}.",
                (
                    Grid(
                        "weights, and a bias for each filter where there is one",
                        weights,
                        header=("layer", "channels in", "filters", "kernel", "bias", "parameters"),
                    ),
                ),
                2,
            ),
            Task(
                "Which padding keeps the size with stride 1 and dilation 1, for a kernel of 3, of 5, of 7?",
                "1, 2 and 3: (K − 1) / 2.",
                blanks=1,
            ),
            Task(
                "Twice as wide and twice as high a picture: what happens to the parameters of a convolution, and to "
                "its multiply-adds?",
                "The parameters stay: the same weights are laid everywhere. The multiply-adds become about four times "
                "as many, since there are four times as many places.",
                blanks=2,
            ),
        ),
    )


def field_sheet(seed: int) -> Worksheet:
    """How many pixels one unit can depend on, layer by layer."""
    import torch

    from .network import build_network
    from .receptive_field import receptive_field

    rng = np.random.default_rng([seed, 4])
    windows: list[tuple[int, int]] = []
    for _ in range(5):
        pooled = bool(rng.random() < 0.35)
        windows.append((2, 2) if pooled else (int(rng.choice([3, 3, 5, 7])), int(rng.choice([1, 1, 2]))))
    stack = torch.nn.Sequential(
        *(
            torch.nn.MaxPool2d(2) if kernel == 2 else torch.nn.Conv2d(1, 1, kernel, stride, kernel // 2)
            for kernel, stride in windows
        )
    )
    network = build_network(stack.eval(), (1, _INPUT, _INPUT))
    layers = [operation for operation in network.operations if operation.kind in ("conv2d", "max_pool2d")]
    fields = [receptive_field(network, operation) for operation in layers]
    names = ["max pooling" if kernel == 2 else "convolution" for kernel, _ in windows]
    header = ("layer", "kind", "kernel", "stride", "sees pixels", "moves by pixels")
    asked = tuple(
        (str(i + 1), name, f"{kernel} × {kernel}", str(stride), "", "")
        for i, (name, (kernel, stride)) in enumerate(zip(names, windows, strict=True))
    )
    solved = tuple(
        (*row[:4], number(field.size[0]), number(field.stride[0])) for row, field in zip(asked, fields, strict=True)
    )
    last = fields[-1]
    side, step = int(last.size[0]), int(last.stride[0])
    three = 3 * 9
    return Worksheet(
        "field",
        "How far one unit sees",
        "Before the first layer a cell is one pixel: it sees 1 and its neighbour lies 1 pixel further. A layer with a "
        "kernel of K adds (K − 1) × (the step so far) to what a cell sees, then multiplies the step by its stride.",
        seed,
        (
            Task(
                "Fill the table from the top.",
                f"A unit of the last layer depends on at most {side} × {side} pixels; its neighbour lies {step} "
                f"{'pixel' if step == 1 else 'pixels'} further.",
                (Grid("five layers on top of each other", asked, header=header),),
                0,
                (Grid("five layers on top of each other", solved, header=header),),
            ),
            Task(
                "All pixels outside the square that the last layer’s unit sees are put in a random order. By how much "
                "does the unit change?",
                f"The square is {side} × {side}. Not at all: no path leads from outside to the unit.",
                blanks=1,
            ),
            Task(
                "How many 3 × 3 convolutions with stride 1 see as far as one of 7 × 7? How many weights do they have "
                "for one channel in and out, against the one?",
                f"Three: 1 + 2 + 2 + 2 = 7. {three} weights against 49, with two more ReLUs between.",
                blanks=2,
            ),
            Task(
                "Which one change makes the last unit see most: a stride of 2 in the first layer, or in the last?",
                "In the first: every later layer then adds twice as many pixels. In the last only the step changes.",
                blanks=1,
            ),
        ),
    )


register(
    WorksheetKind(
        "layers",
        "How large, how many",
        "Sizes of outputs and numbers of parameters, of real layers.",
        "network",
        12,
        layers_sheet,
    )
)
register(
    WorksheetKind(
        "field",
        "How far one unit sees",
        "Five layers, and the pixels that the last one depends on.",
        "depth",
        10,
        field_sheet,
    )
)
