"""Guided backpropagation and guided Grad-CAM: gradients that are cut where they are negative at each ReLU."""

from __future__ import annotations

from typing import Final

import torch

from ...errors import InvalidLayer
from ..batch import ordinary
from ..explaining import placement_of
from ..options import Option
from ..passes import layer_pass
from ..placement import aligned_weights
from ..registry import Evidence, Job, MethodCard, register
from .gradients import CHANNELS_OPTION, one_channel

_RECTIFIERS: Final = ("relu", "relu6")
_OTHERS: Final = ("silu", "gelu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "leaky_relu", "elu", "mish")
_WARNING: Final = (
    "It passes for an edge detector: with random weights it shows nearly the same picture (Adebayo et al., Sanity "
    "Checks for Saliency Maps, NeurIPS 2018). Put it to the sanity check before believing it."
)


@register(
    MethodCard(
        key="guided_backprop",
        title="Guided backpropagation",
        paper="Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR Workshop 2015 "
        "(arXiv 1412.6806)",
        needs_layer=False,
        cost="1 forward and 1 backward pass",
        formula=r"\text{at each ReLU } z = \max(0, u): \quad R_u = [u > 0]\,[R_z > 0]\,R_z",
        needs="a network with ReLUs",
        family="gradient",
        options=(CHANNELS_OPTION,),
        warning=_WARNING,
    )
)
def guided_backprop(job: Job, *, channels: str = "absmax") -> Evidence:
    """Figure 1 of the paper: backward, each ReLU lets through only what is positive, above and below. ReLU6 is treated
    alike; other activation functions keep their own derivative. Values (h, w), one for each input pixel.

    Raises InvalidLayer where the network has no ReLU.
    """
    return job.evidence(one_channel(_guided(job), channels), note=_note(job))


@register(
    MethodCard(
        key="guided_gradcam",
        title="Guided Grad-CAM",
        paper="Selvaraju et al., Grad-CAM, ICCV 2017, section 3.2 (arXiv 1610.02391)",
        needs_layer=True,
        cost="2 forward and 2 backward passes",
        formula=r"M = \text{guided} \odot \mathrm{Up}(L_{\text{Grad-CAM}})",
        needs="a network with ReLUs, and any layer with spatial maps",
        family="gradient",
        options=(
            CHANNELS_OPTION,
            Option("aligned", True, "Put each cell of the Grad-CAM at its receptive field's centre; False stretches."),
        ),
        warning=_WARNING,
    )
)
def guided_gradcam(job: Job, *, channels: str = "absmax", aligned: bool = True) -> Evidence:
    """Guided backpropagation times the rectified Grad-CAM of the layer, drawn at the input's size: values (h, w), one
    for each input pixel. Raises InvalidLayer where the network has no ReLU."""
    found = layer_pass(job)
    with torch.no_grad():
        cam = torch.einsum("k,khw->hw", found.gradient.mean(dim=(1, 2)), found.activation).clamp(min=0)
        size = (job.x.shape[-2], job.x.shape[-1])
        if aligned:
            place = placement_of(job.classifier, job.maps_layer, size)
            rows, columns = (torch.from_numpy(w).to(cam) for w in aligned_weights(place, cam.shape, size))
            drawn = rows @ cam @ columns.T
        else:
            drawn = torch.nn.functional.interpolate(cam[None, None], size=size, mode="bilinear")[0, 0]
        values = one_channel(_guided(job), channels) * drawn
    return job.evidence(values, placement=placement_of(job.classifier, None, size), note=_note(job))


def _guided(job: Job) -> torch.Tensor:
    """The guided gradient of this row's target, (C, h, w).

    The outputs of the ReLUs are tensors of this pass alone, and the cut is made on them: the model has no part in it.
    """
    network, target = job.classifier.network, job.target
    names = [operation.name for operation in network.operations if operation.kind in _RECTIFIERS]
    if not names:
        raise InvalidLayer(
            f"Guided backpropagation changes how gradients pass ReLUs, and {job.classifier.card.title} has none: use "
            "'gradient', 'smoothgrad' or 'integrated_gradients'."
        )
    with torch.enable_grad():
        leaf = ordinary(job.x.detach()).requires_grad_(True)
        outputs = network.run(leaf, keep=(*names, network.output))
        for name in names:
            if outputs[name].requires_grad:
                outputs[name].register_hook(_positive_part)
        (found,) = torch.autograd.grad(target.values(outputs[network.output]).sum(), leaf)
    return found[0]


def _positive_part(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.clamp(min=0)


def _note(job: Job) -> str:
    kinds = sorted({o.kind for o in job.classifier.network.operations if o.kind in _OTHERS})
    others = f" This network also has {', '.join(kinds)}, which keep their own derivative." if kinds else ""
    return f"Passes for an edge detector: put it to the sanity check.{others}"
