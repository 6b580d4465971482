"""Random weights that keep activations in range, drawn from one generator and from nothing global."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every convolution, linear layer and normalisation of a module with fresh weights, in the module's order.

    Convolutions and hidden linear layers: normal with variance 2 / fan_in (He et al. 2015, equation 10, made for
    ReLU), biases 0. The last linear layer: variance 1 / fan_in, since no ReLU follows it. Normalisations: scale 1,
    shift 0, mean 0, variance 1. Parameters that other modules own (ConvNeXt's layer scale) keep their value.
    """
    weighted = [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for layer in weighted:
        fan_in = layer.weight[0].numel()
        gain = 1.0 if layer is weighted[-1] else 2.0
        layer.weight.normal_(0.0, (gain / fan_in) ** 0.5, generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()
    for norm in module.modules():
        if isinstance(norm, (nn.BatchNorm2d, nn.LayerNorm)):
            norm.reset_parameters()


@torch.no_grad()
def measure_batch_norms(module: nn.Module, pictures: Callable[[], Tensor]) -> None:
    """Set each BatchNorm's mean and variance to what arrives there from a batch of pictures, as training would.

    Without it a deep residual network's sums grow with every block (ResNet-152: logits of 10^8), since a BatchNorm
    that has seen nothing normalises nothing. pictures: gives float32 (N, C, H, W), normalised; it is asked only where
    there is a BatchNorm. The module is in eval mode afterwards.
    """
    module.eval()
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # a plain average over all that was seen, which is this one batch
    module(pictures())
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
