"""Activation maximisation: a picture made by gradient ascent, so that a channel or a class answers strongly to it.

Erhan, Bengio, Courville and Vincent, "Visualizing Higher-Layer Features of a Deep Network", 2009; Simonyan, Vedaldi and
Zisserman, ICLR workshop 2014 (class logits, L2); Mahendran and Vedaldi, CVPR 2015 (total variation, jitter); Yosinski
et al., ICML workshop 2015 (blur); Olah, Mordvintsev and Schubert, Distill 2017 (frequencies). One such picture is an
example of what excites the unit, not all that does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidOption, InvalidUnit
from .library import ShouldStop

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Operation

_SIDE: Final = 128  # large enough for a few objects, small enough for a CPU
_GREY: Final = 0.5
_START_NOISE: Final = 0.02
_EPS: Final = 1e-6
# Constant, with a gradient of 0, on part of their range.
_RECTIFIERS: Final = frozenset({"relu", "relu6", "hardswish", "hardsigmoid"})


@dataclass(frozen=True)
class MaximiseSettings:
    """How the picture is made; its numbers lie between 0 and 1.

    steps: gradient steps. step_size: how far a step moves a typical number: the gradient of the value is scaled to a
    root mean square of 1, so that the same settings serve every layer. jitter: before each step the picture is rolled
    by up to so many pixels, at random, both ways. total_variation, l2: weights of the penalties' gradients: the length
    of the differences between neighbouring pixels, and the distance from mid-grey. blur, blur_every: a Gaussian blur of
    this standard deviation (pixels) after every so many steps; 0 for none. smoothness: the gradient's spatial
    frequencies f are divided by f to this power, so that broad shapes grow before fine grain; 0 leaves it as it is.
    side: of the square picture in pixels; None for 128 or the network's own, whichever is less. seed: of the start's
    noise and of the jitter.
    """

    steps: int = 64
    step_size: float = 0.05
    jitter: int = 8
    total_variation: float = 0.25
    l2: float = 0.1
    blur: float = 0.5
    blur_every: int = 4
    side: int | None = None
    smoothness: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = (self.step_size, self.total_variation, self.l2, self.blur, self.smoothness)
        if not all(math.isfinite(n) and n >= 0 for n in numbers) or self.step_size == 0:
            raise InvalidOption("step_size must be above 0, and total_variation, l2, blur and smoothness at least 0.")
        if self.steps < 1 or self.jitter < 0 or self.blur_every < 1 or (self.side is not None and self.side < 8):
            raise InvalidOption("steps and blur_every must be at least 1, jitter at least 0, and side at least 8.")


@dataclass(frozen=True, eq=False)
class MaximiseStep:
    """Where the ascent stands: step (from 1) of steps, the value that this step started from, and the picture now."""

    step: int
    steps: int
    value: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Maximised:
    """A picture that excites a channel or a class, with how it came about.

    rgb: uint8 (side, side, 3). start_value, end_value: the network's own answers to the noise at the start and to `rgb`
    as it is, unrolled and with 256 levels. values: float64 (steps done,), before each step, on the rolled picture.
    label: what was maximised, for people. was_stopped: should_stop() ended it early. peak: for a channel, the largest
    number of its map on `rgb`; None for a class.
    """

    rgb: NDArray[np.uint8]
    label: str
    start_value: float
    end_value: float
    values: NDArray[np.float64]
    settings: MaximiseSettings
    was_stopped: bool
    peak: float | None = None


Value = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
"""From an input (1, C, h, w) to what is maximised, and what stands in for it where it has no gradient."""
OnStep = Callable[[MaximiseStep], None]


def maximise_channel(
    classifier: Classifier,
    operation: str | Operation,
    channel: int,
    *,
    settings: MaximiseSettings | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> Maximised:
    """A picture on which the mean of one channel's map is large; only the network up to that layer is run.

    on_step is told after each step; should_stop() is asked before each, and what is made by then comes back. The same
    settings give the same picture, bit for bit, on the same machine with the same number of threads; nothing global is
    drawn from. Where an activation function holds the whole map at a constant (ReLU: 0), so that no step can be told
    from it, the step follows the map in front of that function instead.
    Raises InvalidLayer for an operation without maps, InvalidUnit for no such channel, InvalidOption for a side that
    the network cannot take.
    """
    layer = classifier.network[operation if isinstance(operation, str) else operation.name]
    if not layer.has_maps or layer.kind == "input":
        raise InvalidLayer(f"{layer.name} ({layer.title}) has no maps (channel, row, column) to excite.")
    if not 0 <= channel < layer.output_shape[0]:
        raise InvalidUnit(f"{layer.name} has channels 0 to {layer.output_shape[0] - 1}; there is no channel {channel}.")

    before = classifier.network[layer.inputs[0]]
    names = (layer.name, before.name) if layer.kind in _RECTIFIERS else (layer.name,)

    def value(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = classifier.network.run(x, keep=names)
        return tuple(outputs[name][0, channel].mean() for name in names)

    label = f"channel {channel} of {layer.name}"
    made = _ascend(classifier, value, label, settings or MaximiseSettings(), on_step, should_stop)
    seen = classifier.card.preprocessing.from_rgb(made.rgb).tensor.to(classifier.device)
    with torch.no_grad():
        found = classifier.network.run(seen, keep=(layer.name,))[layer.name][0, channel]
    return replace(made, peak=float(found.max()))


def maximise_class(
    classifier: Classifier,
    target: int | str,
    *,
    settings: MaximiseSettings | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
) -> Maximised:
    """A picture to which the network gives a large logit for one class, by name or index.

    Other classes' logits may rise with it, even above it: nothing holds them down. Otherwise as `maximise_channel`.
    Raises UnknownClass, and InvalidOption for a side that the network cannot take.
    """
    index = classifier.class_index(target)

    def value(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (classifier.network.run(x)[classifier.network.output][0, index],)

    label = f"class {classifier.class_names[index]}"
    return _ascend(classifier, value, label, settings or MaximiseSettings(), on_step, should_stop)


def _ascend(
    classifier: Classifier,
    value: Value,
    label: str,
    settings: MaximiseSettings,
    on_step: OnStep | None,
    should_stop: ShouldStop | None,
) -> Maximised:
    preprocessing = classifier.card.preprocessing
    side = min(_SIDE, preprocessing.crop) if settings.side is None else settings.side
    random = torch.Generator().manual_seed(settings.seed)
    noise = torch.randn(1, preprocessing.channels, side, side, generator=random)
    x = (_GREY + _START_NOISE * noise).clamp(0, 1)

    def answer(rgb: NDArray[np.uint8]) -> float:
        with torch.no_grad():
            return float(value(preprocessing.from_rgb(rgb).tensor.to(classifier.device))[0])

    try:
        start_value = answer(_as_rgb(x))
    except RuntimeError as error:  # the size does not fit a layer: torch's own message names the layer's shapes
        raise InvalidOption(f"This network cannot take a picture of {side} × {side} pixels: {error}") from error
    values: list[float] = []
    was_stopped = False
    for step in range(1, settings.steps + 1):
        if should_stop is not None and should_stop():
            was_stopped = True
            break
        reach = settings.jitter
        shift = [int(n) for n in torch.randint(-reach, reach + 1, (2,), generator=random)]
        found, direction = _direction(classifier, value, x.roll(shift, dims=(2, 3)), settings)
        values.append(found)
        x = (x + settings.step_size * direction.roll([-n for n in shift], dims=(2, 3))).clamp(0, 1)
        if settings.blur > 0 and step % settings.blur_every == 0:
            x = _blurred(x, settings.blur)
        if on_step is not None:
            on_step(MaximiseStep(step, settings.steps, found, _as_rgb(x)))
    rgb = _as_rgb(x)
    return Maximised(rgb, label, start_value, answer(rgb), np.array(values), settings, was_stopped)


def _direction(
    classifier: Classifier, value: Value, picture: torch.Tensor, settings: MaximiseSettings
) -> tuple[float, torch.Tensor]:
    """The value on a picture (1, C, h, w) from 0 to 1, and where to go: up in value, down in both penalties."""
    mean, std = (
        torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1)
        for v in (classifier.card.preprocessing.mean, classifier.card.preprocessing.std)
    )
    # A caller's inference_mode or no_grad would leave no graph to go back through.
    with torch.inference_mode(False), torch.enable_grad():
        leaf = picture.clone().requires_grad_()
        found = value(((leaf - mean) / std).to(classifier.device))
        up = torch.zeros_like(leaf)
        for driver in found:
            if not up.any():
                (up,) = torch.autograd.grad(driver, leaf, retain_graph=True)
        (variation,) = torch.autograd.grad(_total_variation(leaf), leaf)
    up = _smooth_first(up, settings.smoothness)
    size = float(up.square().mean().sqrt())
    direction = up / size if size > 0 else torch.zeros_like(up)
    direction = direction - settings.total_variation * variation - settings.l2 * 2 * (picture - _GREY)
    return float(found[0].detach()), direction


def _smooth_first(gradient: torch.Tensor, power: float) -> torch.Tensor:
    """The gradient with each spatial frequency f divided by f ** power: broad shapes grow before fine grain."""
    height, width = gradient.shape[2:]
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :]
    frequency = (rows.square() + columns.square()).sqrt().clamp(min=1 / max(height, width))
    return torch.fft.irfft2(torch.fft.rfft2(gradient) / frequency**power, s=(height, width))


def _total_variation(x: torch.Tensor) -> torch.Tensor:
    """The sum over pixels and colours of the length of (difference to the right, difference downwards)."""
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    right, down = padded[..., :-1, 1:] - x, padded[..., 1:, :-1] - x
    return (right.square() + down.square() + _EPS).sqrt().sum()


def _blurred(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian blur with the edge's pixels repeated."""
    radius = max(1, min(math.ceil(3 * sigma), x.shape[-1] - 1))
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    line = (line / line.sum()).expand(x.shape[1], 1, -1)
    x = F.pad(x, (radius,) * 4, mode="replicate")
    x = F.conv2d(x, line.unsqueeze(2), groups=x.shape[1])
    return F.conv2d(x, line.unsqueeze(3), groups=x.shape[1])


def _as_rgb(x: torch.Tensor) -> NDArray[np.uint8]:
    levels = (x[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels)
