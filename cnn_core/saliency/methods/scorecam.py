"""Score-CAM: a layer's maps, each weighted by how well the picture does when it is seen through that map alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..explaining import placement_of
from ..masking import answers, scores
from ..options import Option
from ..passes import activation_of
from ..placement import aligned_weights
from ..registry import Evidence, Job, MethodCard, register


@register(
    MethodCard(
        key="scorecam",
        title="Score-CAM",
        paper="Wang et al., Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks, "
        "CVPR Workshops 2020 (arXiv 1910.01279)",
        needs_layer=True,
        cost="1 forward pass for each channel that is not constant (for all classes together)",
        formula=r"L = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \quad "
        r"\alpha = \mathrm{softmax}_k\, y(x \odot s(\mathrm{Up}(A_k))), \quad s: \text{ to } [0, 1]",
        needs="any layer with spatial maps",
        options=(
            Option("aligned", True, "Put each cell of a mask at its receptive field's centre; False stretches it."),
        ),
        warning="Its weights are a softmax over the maps: when the scores differ by several logits, one map takes all.",
        is_dear=True,
    )
)
def scorecam(job: Job, *, aligned: bool = True) -> Evidence:
    """Algorithm 1 of the paper, before the ReLU. The weights sum to 1, and adding a constant to all logits (or taking
    the baseline's score off each) leaves them as they are, so the baseline is not run.

    Constant maps have no mask: they let the picture through nowhere (the paper's 0 / 0), and one blank picture answers
    for all of them. Departure: masks are placed at the receptive fields' centres unless aligned=False.
    """
    name = job.maps_layer.name
    activation = activation_of(job)
    with torch.no_grad():
        logits = job.batch.once(("scorecam", name, job.image, aligned), lambda: _logits(job, activation, aligned))
        weights = torch.softmax(scores(job.target, logits), dim=0).to(activation.dtype)
        return job.evidence(
            torch.einsum("k,khw->hw", weights, activation),
            details={"largest_weight": float(weights.max()), "n_masks": len(logits)},
        )


def _logits(job: Job, activation: torch.Tensor, aligned: bool) -> torch.Tensor:
    """The logits (C, K) of the picture seen through each map."""
    x = job.x
    size = (x.shape[-2], x.shape[-1])
    flat = activation.flatten(1)
    varied = (flat.amax(dim=1) > flat.amin(dim=1)).nonzero()[:, 0]
    blank = len(varied) < len(activation)
    rows, columns = aligned_weights(placement_of(job.classifier, job.maps_layer, size), activation.shape[1:], size)
    across, down = (torch.from_numpy(w).to(activation) for w in (columns, rows))

    def make(part: slice) -> torch.Tensor:
        chosen = activation[varied[part]]
        if aligned:
            masks = down @ chosen @ across.T
        else:
            masks = F.interpolate(chosen[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        low = masks.amin(dim=(1, 2), keepdim=True)
        spread = masks.amax(dim=(1, 2), keepdim=True) - low
        masks = torch.where(spread > 0, (masks - low) / spread, torch.zeros_like(masks))
        seen = x * masks[:, None].to(x.dtype)
        is_last = blank and part.stop == len(varied) + 1
        return torch.cat([seen, torch.zeros_like(x)]) if is_last else seen

    found = answers(job, len(varied) + blank, make)
    logits = found[-1:].expand(len(activation), -1).clone()
    logits[varied] = found[: len(varied)]
    return logits
