"""What pooling does to a map that moved or became noisy, measured with real forward passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidOption

if TYPE_CHECKING:
    from .images import ModelInput
    from .models import Classifier
    from .network import Operation

DIRECTIONS: tuple[tuple[str, int, int], ...] = (("up", 1, 0), ("down", -1, 0), ("left", 0, 1), ("right", 0, -1))
"""Which way the picture's content moves, and by how much the crop moves for it: (row, column) in input pixels."""
NOISE_STANDARD_DEVIATION = 0.05
"""Of the light's range from 0 to 1: about 13 of 255 levels."""
NOISE_SEEDS = (0, 1, 2, 3)


@dataclass(frozen=True)
class PoolingRule:
    """A pooling layer's settings, pairs as (rows, columns)."""

    kind: Literal["max", "average"]
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("max", "average"):
            raise InvalidOption(f"kind must be 'max' or 'average', not {self.kind!r}.")
        if min(*self.kernel_size, *self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise InvalidOption("kernel_size, stride and dilation must be at least 1, padding at least 0.")

    def apply(self, maps: torch.Tensor) -> torch.Tensor:
        """Pool maps (N, C, H, W) with torch."""
        if self.kind == "max":
            return F.max_pool2d(
                maps, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode
            )
        return F.avg_pool2d(maps, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


def pooling_rule(operation: Operation) -> PoolingRule:
    """The settings of one of a network's own pooling layers. Raises InvalidLayer for any other operation."""
    if operation.kind not in ("max_pool2d", "avg_pool2d"):
        raise InvalidLayer(f"{operation.name!r} is no pooling layer with a window, but {operation.title}.")
    read = operation.attributes
    if read.get("divisor_override") is not None:
        raise InvalidLayer(f"{operation.name!r} divides by a number of its own, which this lesson does not show.")
    return PoolingRule(
        kind="max" if operation.kind == "max_pool2d" else "average",
        kernel_size=read["kernel_size"],
        stride=read["stride"],
        padding=read["padding"],
        dilation=read["dilation"],
        ceil_mode=read["ceil_mode"],
        count_include_pad=read.get("count_include_pad", True),
    )


def liveliest_channel(maps: NDArray[np.float32]) -> int:
    """The channel of maps (C, H, W) whose values vary most; the first of equals."""
    return int(maps.reshape(len(maps), -1).std(axis=1).argmax())


def most_divided_channel(maps: NDArray[np.float32]) -> int:
    """The channel of maps (C, H, W) with the most on both sides of zero: the largest mean(x+²) · mean(x−²)."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    above, below = ((np.maximum(side, 0) ** 2).mean(axis=1) for side in (flat, -flat))
    return int((above * below).argmax())


def share_of_zeros(maps: NDArray[np.float32]) -> float:
    """The share of values that are exactly zero, 0 to 1."""
    return float(np.mean(maps == 0))


@dataclass(frozen=True)
class Change:
    """How much maps changed: |f(moved) − f(as it was)| / |f(as it was)| over all channels and cells (L2 norms)."""

    key: str
    title: str
    shifts: tuple[float, ...]
    """One for each of `DIRECTIONS`; 0 is no change, 1 a change as large as the maps themselves."""
    noises: tuple[float, ...]
    """One for each of `NOISE_SEEDS`."""

    @property
    def shift(self) -> float:
        """The mean over the four directions."""
        return float(np.mean(self.shifts))

    @property
    def noise(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.noises))


@dataclass(frozen=True)
class PoolingTrial:
    """The same maps unpooled, thinned out, max pooled and average pooled, when the picture moves or gets noisy."""

    operation: str
    window: int
    stride: int
    before: Change
    thinned: Change
    """Every stride-th cell kept and nothing pooled: the control, which has as few numbers as the pooled maps."""
    maximum: Change
    average: Change

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.before, self.thinned, self.maximum, self.average


def pooling_trial(
    classifier: Classifier, model_input: ModelInput, operation: str | Operation, *, window: int = 2, stride: int = 2
) -> PoolingTrial:
    """Move the picture by one input pixel in four directions and add Gaussian noise; compare the operation's maps.

    Moving shifts the crop on the resized picture, so that real pixels come in at the edge (its last row or column is
    repeated where there are no more). The noise has a standard deviation of 0.05 of the range of light and is added
    to the tensor, unclipped. Raises InvalidLayer where the operation has no maps (C, H, W), or none as large as the
    window; InvalidOption for a window or stride below 1.
    """
    name = operation if isinstance(operation, str) else operation.name
    found = classifier.network[name]
    if not found.has_maps or min(found.output_shape[1:]) < window:
        raise InvalidLayer(
            f"{found.name!r} has no maps of at least {window} × {window} cells: choose an earlier layer."
        )
    rules = {kind: PoolingRule(kind, (window, window), (stride, stride)) for kind in ("max", "average")}
    inputs = [model_input.tensor, *shifted_inputs(classifier, model_input), *noisy_inputs(model_input)]
    with torch.inference_mode():
        batch = torch.cat(inputs).to(classifier.device)
        maps = classifier.network.run(batch, keep={found.name})[found.name].double()
        variants: tuple[tuple[str, str, Callable[[torch.Tensor], torch.Tensor]], ...] = (
            ("before", "Before pooling", lambda t: t),
            ("thinned", f"One cell in {stride}, not pooled", lambda t: t[:, :, ::stride, ::stride]),
            ("max", f"Max pooling {window} × {window}", rules["max"].apply),
            ("average", f"Average pooling {window} × {window}", rules["average"].apply),
        )
        before, thinned, maximum, average = (_change(key, title, view(maps)) for key, title, view in variants)
    return PoolingTrial(found.name, window, stride, before, thinned, maximum, average)


def shifted_inputs(classifier: Classifier, model_input: ModelInput) -> tuple[torch.Tensor, ...]:
    """The input with its content moved by one pixel, one tensor (1, C, h, w) for each of `DIRECTIONS`."""
    top, left, height, width = model_input.crop
    framed = np.pad(model_input.resized_rgb, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return tuple(
        classifier.card.preprocessing.from_rgb(
            np.ascontiguousarray(framed[top + 1 + row :, left + 1 + column :][:height, :width])
        ).tensor
        for _, row, column in DIRECTIONS
    )


def noisy_inputs(model_input: ModelInput) -> tuple[torch.Tensor, ...]:
    """The input with Gaussian noise on its light, one tensor (1, C, h, w) for each of `NOISE_SEEDS`."""
    spread = torch.tensor(model_input.std, dtype=torch.float32).view(1, -1, 1, 1)
    made = []
    for seed in NOISE_SEEDS:
        noise = torch.randn(model_input.tensor.shape, generator=torch.Generator().manual_seed(seed))
        made.append(model_input.tensor + NOISE_STANDARD_DEVIATION * noise / spread)
    return tuple(made)


def _change(key: str, title: str, maps: torch.Tensor) -> Change:
    """maps (1 + directions + seeds, C, H, W): the first is the one that all others are compared with."""
    size = maps[0].norm()
    if not size > 0:
        raise InvalidLayer("All maps of this layer are zero on this picture, so no change can be measured.")
    relative = ((maps[1:] - maps[0]).flatten(1).norm(dim=1) / size).tolist()
    return Change(key, title, tuple(relative[: len(DIRECTIONS)]), tuple(relative[len(DIRECTIONS) :]))
