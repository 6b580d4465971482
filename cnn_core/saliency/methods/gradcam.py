"""Grad-CAM and its gradient-weighted relatives: a layer's maps, weighted by how much the target rises with them."""

from __future__ import annotations

import torch

from ..passes import layer_pass, mean_gradients, weighted_maps
from ..registry import Evidence, Job, MethodCard, register

_COST = "1 forward pass, and backward from the logits to the layer"
_NEEDS = "any layer with spatial maps"


@register(
    MethodCard(
        key="gradcam",
        title="Grad-CAM",
        paper="Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, "
        "ICCV 2017 (arXiv 1610.02391)",
        needs_layer=True,
        cost=_COST,
        formula=r"L = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \quad "
        r"\alpha_k = \frac{1}{HW}\sum_{i,j}\frac{\partial y}{\partial A_{k,ij}}",
        needs=_NEEDS,
        warning="Averaging the gradient over a map can mark places that the target does not read, where the layer is "
        "not pooled right after.",
    )
)
def gradcam(job: Job) -> Evidence:
    """Equations 1 and 2 of the paper, before the ReLU: sum_k alpha_k A_k with alpha_k the gradient's mean over cells.

    Values (h, w) are in units of the target (logits, or probability) for each cell. Where the layer is globally pooled
    and read by one linear layer, the sum over all cells is the part of the target's logit that is not its bias.
    """
    batch, name = job.batch, job.maps_layer.name

    def all_rows() -> torch.Tensor:
        with torch.no_grad():
            return weighted_maps(batch, name, mean_gradients(batch, name))

    return job.evidence(batch.once(("gradcam", name), all_rows)[job.row])


@register(
    MethodCard(
        key="gradcampp",
        title="Grad-CAM++",
        paper="Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional "
        "Networks, WACV 2018 (arXiv 1710.11063)",
        needs_layer=True,
        cost=_COST,
        formula=r"L = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big), \quad w_k = \sum_{i,j} "
        r"\frac{\mathrm{ReLU}(g_{k,ij})}{2 + g_{k,ij} \sum_{a,b} A_{k,ab}}, \quad "
        r"g = \frac{\partial y}{\partial A}",
        needs="any layer with spatial maps; the derivation assumes maps that are nowhere negative (after a ReLU)",
        warning="Its weights keep only what raises the target, so a class that is never in the picture gets a bright "
        "map too.",
    )
)
def gradcampp(job: Job) -> Evidence:
    """Equations 7, 10 and 19 of the paper, before the ReLU, for Y = exp(y) and y linear from piece to piece.

    There alpha = g^2 / (2 g^2 + S g^3) = 1 / (2 + S g) wherever g is not 0, S being the map's sum. Written so, nothing
    small is divided by something small, and no epsilon is needed. The factor exp(y), which is the same for all maps, is
    left out. A cell where 2 + S g is 0 (only maps with negative cells have any) counts for nothing.
    """
    found = layer_pass(job)
    with torch.no_grad():
        gradient, activation = found.gradient, found.activation
        denominator = 2 + gradient * activation.sum(dim=(1, 2), keepdim=True)
        share = torch.where((gradient > 0) & (denominator != 0), gradient / denominator, torch.zeros_like(gradient))
        return job.evidence(torch.einsum("k,khw->hw", share.sum(dim=(1, 2)), activation))


@register(
    MethodCard(
        key="xgradcam",
        title="XGrad-CAM",
        paper="Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, BMVC 2020 "
        "(arXiv 2008.02312)",
        needs_layer=True,
        cost=_COST,
        formula=r"L = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \quad \alpha_k = \sum_{i,j} "
        r"\frac{A_{k,ij}}{\sum_{a,b} A_{k,ab}} \frac{\partial y}{\partial A_{k,ij}}",
        needs=_NEEDS,
        warning="A map whose cells cancel has a sum near 0, and then an arbitrarily large weight: prefer a layer after "
        "a ReLU.",
    )
)
def xgradcam(job: Job) -> Evidence:
    """Equation 8 of the paper, before the ReLU: the gradient's mean, weighted by the map itself.

    The sum over all cells equals HiResCAM's: the paper's axiom of conservation. A map whose sum is 0 gets weight 0.
    """
    found = layer_pass(job)
    with torch.no_grad():
        total = found.activation.sum(dim=(1, 2))
        weighted = (found.gradient * found.activation).sum(dim=(1, 2))
        alpha = torch.where(total != 0, weighted / total, torch.zeros_like(total))
        return job.evidence(torch.einsum("k,khw->hw", alpha, found.activation))


@register(
    MethodCard(
        key="hirescam",
        title="HiResCAM",
        paper="Draelos and Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural "
        "networks, 2020 (arXiv 2011.08891)",
        needs_layer=True,
        cost=_COST,
        formula=r"L_{ij} = \mathrm{ReLU}\Big(\sum_k \frac{\partial y}{\partial A_{k,ij}} A_{k,ij}\Big)",
        needs=_NEEDS,
        warning="Its sum is the logit less the bias only where one linear layer (pooled or not) follows the layer.",
    )
)
def hirescam(job: Job) -> Evidence:
    """Equation 5 of the paper, before the ReLU: gradient times activation in each cell, summed over channels."""
    found = layer_pass(job)
    with torch.no_grad():
        return job.evidence((found.gradient * found.activation).sum(dim=0))


@register(
    MethodCard(
        key="layercam",
        title="LayerCAM",
        paper="Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, "
        "IEEE Transactions on Image Processing 2021",
        needs_layer=True,
        cost=_COST,
        formula=r"L_{ij} = \mathrm{ReLU}\Big(\sum_k \mathrm{ReLU}\Big(\frac{\partial y}{\partial A_{k,ij}}\Big) "
        r"A_{k,ij}\Big)",
        needs=_NEEDS,
        warning="Evidence against the target is dropped, so the map of “a rather than b” is not a difference of maps.",
    )
)
def layercam(job: Job) -> Evidence:
    """Equations 5 and 6 of the paper, before the outer ReLU: each cell weighted by its own positive gradient."""
    found = layer_pass(job)
    with torch.no_grad():
        return job.evidence((found.gradient.clamp(min=0) * found.activation).sum(dim=0))
