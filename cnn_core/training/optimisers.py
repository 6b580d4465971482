"""SGD and Adam on one flat vector of all parameters, and the learning rate of each step as a plain function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from .recipe import Recipe

_BETAS: Final = (0.9, 0.999)
_EPSILON: Final = 1e-8
# One cycle (Smith 2018), with the proportions that torch's OneCycleLR has.
_WARM_UP: Final = 0.3
_FIRST: Final = 1 / 25
_LAST: Final = 1e-4
_MOMENTA: Final = (0.95, 0.85)


@dataclass(frozen=True)
class Pace:
    """Learning rate and momentum (Adam: its first beta) of one step."""

    learning_rate: float
    momentum: float


def pace(recipe: Recipe, step: int) -> Pace:
    """The pace of step 0, 1, ... of `recipe.steps`; it depends on nothing else, so that a run continues from there.

    "cosine": half a cosine from the full rate towards 0 (Loshchilov and Hutter 2017, equation 5, one period).
    "one_cycle": up from 1/25 of the rate for 30 % of the steps, then down to 1/250,000, the momentum against it.
    """
    peak = recipe.learning_rate
    momentum = recipe.momentum if recipe.optimiser == "sgd" else _BETAS[0]
    if recipe.schedule == "constant":
        return Pace(peak, momentum)
    if recipe.schedule == "cosine":
        return Pace(peak * (1 + math.cos(math.pi * step / recipe.steps)) / 2, momentum)
    top, end = _WARM_UP * recipe.steps - 1, recipe.steps - 1
    if step <= top:
        part, rates, momenta = step / top if top > 0 else 1.0, (peak * _FIRST, peak), _MOMENTA
    else:
        part = (step - top) / (end - top)
        rates, momenta = (peak, peak * _FIRST * _LAST), _MOMENTA[::-1]
    return Pace(_along(part, *rates), _along(part, *momenta))


def _along(part: float, begin: float, end: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * part)) / 2


class Optimiser:
    """Changes one flat vector of parameters in place; its state is a few vectors of the same length."""

    def __init__(self, recipe: Recipe, parameters: Tensor, state: Mapping[str, Tensor] | None = None) -> None:
        """state: as `state` gave it, to continue an earlier run; None begins anew. It is copied."""
        self._recipe = recipe
        self._parameters = parameters
        names = ("velocity",) if recipe.optimiser == "sgd" else ("mean", "square")
        self.state: dict[str, Tensor] = {
            name: torch.zeros_like(parameters) if state is None else state[name].clone() for name in names
        }

    @torch.no_grad()
    def step(self, number: int, gradient: Tensor) -> Pace:
        """Do step 0, 1, ... and return its pace. gradient: a flat vector, which is overwritten."""
        now = pace(self._recipe, number)
        if self._recipe.weight_decay:
            gradient.add_(self._parameters, alpha=self._recipe.weight_decay)
        if self._recipe.optimiser == "sgd":
            self._sgd(now, gradient)
        else:
            self._adam(now, gradient, number + 1)
        return now

    def _sgd(self, now: Pace, gradient: Tensor) -> None:
        """velocity = momentum * velocity + gradient; parameters -= learning rate * velocity (heavy ball)."""
        velocity = self.state["velocity"]
        velocity.mul_(now.momentum).add_(gradient)
        self._parameters.add_(velocity, alpha=-now.learning_rate)

    def _adam(self, now: Pace, gradient: Tensor, count: int) -> None:
        """Kingma and Ba 2015, algorithm 1; weight decay, where there is any, is part of the gradient."""
        mean, square = self.state["mean"], self.state["square"]
        mean.lerp_(gradient, 1 - now.momentum)
        square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        step_size = now.learning_rate / (1 - now.momentum**count)
        scale = square.sqrt().div_(math.sqrt(1 - _BETAS[1] ** count)).add_(_EPSILON)
        self._parameters.addcdiv_(mean, scale, value=-step_size)


def flatten_parameters(parameters: list[torch.nn.Parameter]) -> Tensor:
    """One flat vector with all values; each parameter becomes a view of its part, so that both change together."""
    flat = torch.cat([parameter.detach().flatten() for parameter in parameters])
    begin = 0
    for parameter in parameters:
        end = begin + parameter.numel()
        parameter.data = flat[begin:end].view(parameter.shape)
        begin = end
    return flat
