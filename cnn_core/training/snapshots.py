"""What can be watched while a network learns: the first layer's kernels, and which class is taken for which."""

from __future__ import annotations

from typing import Final

import numpy as np
from torch import Tensor, nn

MOST_KERNELS: Final = 16


def first_convolution(module: nn.Module) -> nn.Conv2d | None:
    """The layer that reads the picture, where it is a convolution; None for one that reads pixels as a list."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            return part
        if isinstance(part, nn.Linear):
            return None
    return None


def first_kernels(module: nn.Module) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Weights of the first convolution's first 16 filters, flat, and their shape (filters, channels, rows, columns).

    Both are empty for a network that begins with no convolution.
    """
    layer = first_convolution(module)
    if layer is None:
        return (), ()
    weights = layer.weight.detach()[:MOST_KERNELS]
    return tuple(weights.flatten().tolist()), tuple(weights.shape)


def confusion_of(predicted: Tensor, labels: Tensor, classes: int) -> tuple[tuple[int, ...], ...]:
    """How many pictures of class (row) were taken for class (column); a prediction of -1 (no finite logits) counts in
    no column."""
    named = predicted >= 0
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels[named].numpy(), predicted[named].numpy()), 1)
    return tuple(tuple(row) for row in counts.tolist())
