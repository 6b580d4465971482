"""Dropout whose choices depend on the seed and the step alone: a stopped run continues as if it had not stopped."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .seeds import derived_seed


class Dropout(nn.Dropout):
    """Sets each value to 0 with probability p while it learns, the others times 1 / (1 - p) (Srivastava et al. 2014).

    What torch's own draws from the global generator is drawn here from one of its own: see `reseed_dropout`.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.generator = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.p
        return x * kept / (1 - self.p)


def reseed_dropout(module: nn.Module, seed: int, step: int) -> None:
    """To be called before each step: every dropout layer then drops what this step of this run drops."""
    for name, part in module.named_modules():
        if isinstance(part, Dropout):
            part.generator.manual_seed(derived_seed(seed, "dropout", name, step))


class Dropouts:
    """The dropout layers of a module that is about to learn, `nn.Dropout` of torch among them."""

    def __init__(self, module: nn.Module, seed: int) -> None:
        """Puts a `Dropout` in the place of each `nn.Dropout`; no parameter changes its name."""
        self._module, self._seed = module, seed
        for path, part in list(module.named_modules()):
            if isinstance(part, nn.Dropout) and not isinstance(part, Dropout):
                module.set_submodule(path, Dropout(part.p).train(part.training))

    def begin(self, step: int) -> None:
        """What is dropped in step 0, 1, ... follows from the seed and the layers' paths."""
        reseed_dropout(self._module, self._seed, step)
