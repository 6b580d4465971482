"""Grad-CAM: a layer's maps, each weighted by how much the target rises with the map's mean."""

from __future__ import annotations

import torch

from ..passes import layer_pass
from ..registry import Evidence, Job, MethodCard, register


@register(
    MethodCard(
        key="gradcam",
        title="Grad-CAM",
        paper="Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, "
        "ICCV 2017 (arXiv 1610.02391)",
        needs_layer=True,
        cost="1 forward pass, and backward from the logits to the layer",
        formula=r"L = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \quad "
        r"\alpha_k = \frac{1}{HW}\sum_{i,j}\frac{\partial y}{\partial A_{k,ij}}",
        needs="any layer with spatial maps",
    )
)
def gradcam(job: Job) -> Evidence:
    """Equations 1 and 2 of the paper, before the ReLU: sum_k alpha_k A_k with alpha_k the gradient's mean over cells.

    Values (h, w) are in units of the target (logits, or probability) for each cell. Where the layer is globally pooled
    and read by one linear layer, the sum over all cells is the part of the target's logit that is not its bias.
    """
    found = layer_pass(job)
    with torch.no_grad():
        alpha = found.gradient.mean(dim=(1, 2))
        values = torch.einsum("k,khw->hw", alpha, found.activation)
    return Evidence(values.cpu().numpy(), found.target, found.logits.cpu().numpy())
