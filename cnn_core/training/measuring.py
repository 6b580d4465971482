"""What is read off a network while it learns: accuracy, and what its activations look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..preprocessing import Preprocessing

# Small enough that a batch's maps stay in a core's cache.
_BATCH = 100


@dataclass(frozen=True)
class ActivationStatistics:
    """The outputs of one activation layer over a few training pictures, the network as it would be used."""

    mean: float
    std: float
    flat: float
    """Share of the values where the activation hardly passes any gradient on: ReLU where it gives 0, sigmoid and tanh
    where their slope is below 1 % of its largest."""


def to_tensor(pictures: NDArray[np.uint8], preprocessing: Preprocessing) -> Tensor:
    """Pictures uint8 (N, H, W) of greys or (N, H, W, 3) of colours as the network sees them: float32 (N, C, H, W),
    bit for bit as `preprocessing` does."""
    mean, std = (
        torch.tensor(value, dtype=torch.float32).view(-1, 1, 1) for value in (preprocessing.mean, preprocessing.std)
    )
    first = pictures[:, None] if pictures.ndim == 3 else pictures.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.array(first, order="C")).to(torch.float32).div_(255).sub_(mean).div_(std)


def accuracy(module: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    """The share of pictures whose largest logit is the label's, 0 to 1; logits that are not finite are never right."""
    return float((predict(module, pictures) == labels).to(torch.float64).mean())


@torch.no_grad()
def predict(module: nn.Module, pictures: Tensor) -> Tensor:
    """The class with the largest logit, int64 (N,); -1 where the logits are not finite. The mode is left as it was."""
    training = module.training
    module.eval()
    found = []
    for batch in pictures.split(_BATCH):
        logits = module(batch)
        found.append(torch.where(logits.isfinite().all(1), logits.argmax(1), -1))
    module.train(training)
    return torch.cat(found)


@torch.no_grad()
def activation_statistics(module: nn.Module, pictures: Tensor) -> dict[str, ActivationStatistics]:
    """Statistics of every ReLU, sigmoid and tanh layer of a module that nobody else uses, by the layer's path."""
    found: dict[str, ActivationStatistics] = {}
    handles = []
    for name, part in module.named_modules():
        if isinstance(part, (nn.ReLU, nn.Sigmoid, nn.Tanh)):

            def read(layer: nn.Module, _: object, output: Tensor, name: str = name) -> None:
                found[name] = ActivationStatistics(
                    float(output.mean()), float(output.std()), float(_is_flat(layer, output).to(torch.float32).mean())
                )

            handles.append(part.register_forward_hook(read))
    training = module.training
    module.eval()
    try:
        module(pictures)
    finally:
        for handle in handles:
            handle.remove()
        module.train(training)
    return found


def _is_flat(layer: nn.Module, output: Tensor) -> Tensor:
    if isinstance(layer, nn.ReLU):
        return output == 0
    slope = output * (1 - output) * 4 if isinstance(layer, nn.Sigmoid) else 1 - output**2
    return slope < 0.01
