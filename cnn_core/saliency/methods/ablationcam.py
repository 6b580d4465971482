"""Ablation-CAM: a layer's maps, each weighted by what the target loses when the map is set to zero."""

from __future__ import annotations

import torch

from ...network import LinearHead
from ..layers import layer_facts
from ..masking import answers, scores
from ..passes import activation_of
from ..registry import Evidence, Job, MethodCard, register

_CHANNELS = 256  # rows of logits at once in the closed form: 1 MB at 1000 classes


@register(
    MethodCard(
        key="ablationcam",
        title="Ablation-CAM",
        paper="Desai and Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free "
        "Localization, WACV 2020",
        needs_layer=True,
        cost="1 forward pass where the head pools the layer into one linear layer; otherwise one run of the head for "
        "each channel",
        formula=r"L = \mathrm{ReLU}\Big(\sum_k (y - y_k) A_k\Big), \quad y_k: \text{the target with } A_k = 0",
        needs="any layer with spatial maps",
        warning="A layer without one of its maps is a state that the network was never trained in.",
        is_dear=True,
    )
)
def ablationcam(job: Job) -> Evidence:
    """Equations 4 and 5 of the paper, before the ReLU, with the drop y - y_k as it is.

    The paper divides the drop by y, which is the same number for all maps: it changes the scale and, where y is
    negative, the sign, so that evidence for the target would be drawn as evidence against it. Where the layer is pooled
    and read by one linear layer, y_k follows from the logits alone: z - W_k mean(A_k). Elsewhere the head is run again,
    `batch_size` channels at a time; channels that are 0 everywhere are not run, as they lose nothing.
    """
    name = job.maps_layer.name
    activation = activation_of(job)
    head = layer_facts(job.classifier.network, name).pooled_by
    with torch.no_grad():
        # One run answers for every class, so the drops of all of this picture's targets are made together.
        drops = job.batch.once(
            ("ablation", name, job.image),
            lambda: _in_closed_form(job, activation, head) if head is not None else _by_running(job, activation),
        )
        return job.evidence(torch.einsum("k,khw->hw", drops[job.sibling], activation))


def _in_closed_form(job: Job, activation: torch.Tensor, head: LinearHead) -> torch.Tensor:
    """Drops (targets, channels)."""
    logits = job.logits.to(activation.dtype)
    means, weight = activation.mean(dim=(1, 2)), head.weight.to(activation.dtype)
    targets = job.siblings()
    if job.batch.score != "probability":  # y is linear in the logits
        cotangents = torch.stack([target.cotangent(logits) for target in targets])
        spoken = cotangents.any(dim=0).nonzero()[:, 0]
        return (cotangents[:, spoken] @ weight[spoken]) * means
    found = []
    for part in torch.arange(len(means), device=means.device).split(_CHANNELS):
        without = logits - (weight[:, part] * means[part]).T
        found.append(torch.stack([scores(t, logits[None]) - scores(t, without) for t in targets]))
    return torch.cat(found, dim=1)


def _by_running(job: Job, activation: torch.Tensor) -> torch.Tensor:
    """Drops (targets, channels)."""
    name = job.maps_layer.name
    whole = job.batch.outputs((name,))[name][job.image : job.image + 1]
    channels = activation.flatten(1).any(dim=1).nonzero()[:, 0]

    def make(part: slice) -> torch.Tensor:
        without = whole.repeat(len(channels[part]), 1, 1, 1)
        without[torch.arange(len(without), device=without.device), channels[part]] = 0
        return without

    drops = activation.new_zeros((len(job.siblings()), len(activation)))
    if len(channels):
        logits = answers(job, len(channels), make, layer=name)
        for row, target in enumerate(job.siblings()):
            drops[row, channels] = (scores(target, job.logits[None]) - scores(target, logits)).to(drops.dtype)
    return drops
