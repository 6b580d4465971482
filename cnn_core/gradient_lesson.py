"""How much of the gradient reaches each of twenty layers, with sigmoid, tanh or ReLU between them: really computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from .errors import InvalidOption
from .training.data import load_digits

DEPTH: Final = 20
CHANNELS: Final = 16
SEEDS: Final = (0, 1, 2, 3, 4)
PICTURES: Final = 16


@dataclass(frozen=True)
class DeepStack:
    """One kind of deep network: its activation, and how its weights are drawn."""

    key: str
    title: str
    activation: Callable[[torch.Tensor], torch.Tensor]
    he: bool
    """Variance 2 / fan_in (He et al. 2015, made for ReLU); else 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""


STACKS: Final = (
    DeepStack("sigmoid", "Sigmoid, Xavier initialisation", torch.sigmoid, he=False),
    DeepStack("tanh", "Tanh, Xavier initialisation", torch.tanh, he=False),
    DeepStack("relu_xavier", "ReLU, Xavier initialisation", torch.relu, he=False),
    DeepStack("relu", "ReLU, He initialisation", torch.relu, he=True),
)


@dataclass(frozen=True, eq=False)
class GradientNorms:
    """L2 norms of the loss's gradient with respect to each layer's weights."""

    key: str
    title: str
    norms: NDArray[np.float64]
    """(seeds, depth); column 0 is the layer next to the picture."""
    seeds: tuple[int, ...]

    @property
    def median(self) -> NDArray[np.float64]:
        """(depth,): the median over the seeds."""
        return np.median(self.norms, axis=0)

    @property
    def low(self) -> NDArray[np.float64]:
        return self.norms.min(axis=0)

    @property
    def high(self) -> NDArray[np.float64]:
        return self.norms.max(axis=0)

    @property
    def reaching(self) -> float:
        """The share of the last layer's gradient norm that reaches the first layer: the median over the seeds."""
        return float(np.median(self.norms[:, 0] / self.norms[:, -1]))


def gradient_norms(
    *,
    depth: int = DEPTH,
    channels: int = CHANNELS,
    seeds: Sequence[int] = SEEDS,
    stacks: Sequence[DeepStack] = STACKS,
) -> tuple[GradientNorms, ...]:
    """One forward and one backward pass through each random network, on the same 16 digits.

    A network is `depth` convolutions 3 × 3 with `channels` channels, no bias and no normalisation, each followed by
    the activation; then global average pooling, one linear layer and the cross-entropy of the right digits. The
    digits are 14 × 14 pixels, with mean 0 and standard deviation 1. Computed in float64, so that a vanishing
    gradient is small because of the network and not because the numbers run out. The global random state is not
    touched. Raises InvalidOption for a depth, number of channels or number of seeds below 1.
    """
    if depth < 1 or channels < 1 or len(seeds) < 1:
        raise InvalidOption("depth, channels and the number of seeds must be at least 1.")
    # The caller may have switched gradients off.
    with torch.inference_mode(False), torch.enable_grad():
        pictures, labels = _digits()
        return tuple(
            GradientNorms(
                stack.key,
                stack.title,
                np.array([_one_network(stack, depth, channels, seed, pictures, labels) for seed in seeds]),
                tuple(seeds),
            )
            for stack in stacks
        )


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    train, _ = load_digits()
    pictures = torch.from_numpy(train.pictures[:PICTURES]).double()[:, None]
    pictures = F.avg_pool2d(pictures, 2)
    return (pictures - pictures.mean()) / pictures.std(), torch.from_numpy(train.labels[:PICTURES])


def _one_network(
    stack: DeepStack, depth: int, channels: int, seed: int, pictures: torch.Tensor, labels: torch.Tensor
) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for layer in range(depth):
        weight = torch.empty(channels, 1 if layer == 0 else channels, 3, 3, dtype=torch.float64)
        if stack.he:
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        else:
            nn.init.xavier_normal_(weight, generator=generator)
        weights.append(weight.requires_grad_())
    head = torch.empty(10, channels, dtype=torch.float64)
    nn.init.xavier_normal_(head, generator=generator)
    x = pictures
    for weight in weights:
        x = stack.activation(F.conv2d(x, weight, padding=1))
    loss = F.cross_entropy(x.mean(dim=(2, 3)) @ head.T, labels)
    return [float(gradient.norm()) for gradient in torch.autograd.grad(loss, weights)]
