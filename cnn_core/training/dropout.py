"""Dropout whose choice of values depends on the seed and the step alone, and draws from nothing global."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .seeds import derived_seed


class SeededDropout(nn.Module):
    """`nn.Dropout` (Srivastava et al. 2014, scaled when training) that draws from a generator of its own."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(x.shape, generator=self.generator, dtype=x.dtype) >= self.p
        return x * kept / (1 - self.p) if self.p < 1 else x * 0


class Dropouts:
    """Every dropout layer of a module that is about to learn; torch's own would draw from the global generator."""

    def __init__(self, module: nn.Module, seed: int) -> None:
        """Replaces each `nn.Dropout` in `module` by a seeded one; no parameter changes its name."""
        self._seed = seed
        self._layers: dict[str, SeededDropout] = {}
        for path, part in list(module.named_modules()):
            if isinstance(part, nn.Dropout):
                self._layers[path] = SeededDropout(part.p).train(part.training)
                module.set_submodule(path, self._layers[path])

    def begin(self, step: int) -> None:
        """What is dropped in step 0, 1, ... follows from the seed and the layer's path, so that a run can continue."""
        for path, layer in self._layers.items():
            layer.generator.manual_seed(derived_seed(self._seed, "dropout", path, step))
