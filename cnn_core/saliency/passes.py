"""What every method of the CAM family starts from: a layer's activation, and the target's gradient there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .registry import Job
from .targets import Target

if TYPE_CHECKING:
    from ..network import LinearHead


@dataclass(frozen=True, eq=False)
class LayerPass:
    """activation A and gradient dy/dA, both (C, H, W); logits (K,); the target y. Detached, on the model's device."""

    activation: torch.Tensor
    gradient: torch.Tensor
    logits: torch.Tensor
    target: Target


def layer_pass(job: Job) -> LayerPass:
    """One forward pass (none where the job has a trace), then the head alone once more, and backward through it alone.

    The forward pass builds no graph; the layer's activation becomes a leaf, and only what depends on it is computed
    again with a graph. No hook is placed, no parameter's gradient is computed and no mode is changed, so that threads
    can share the model. Works with frozen parameters, and inside `no_grad` and `inference_mode`.
    """
    # A caller's inference_mode would make tensors that no graph can hold: leave it for the length of this pass.
    with torch.inference_mode(False):
        head = pooled_head(job)
        return _through_graph(job) if head is None else _closed_form(job, head)


def pooled_head(job: Job) -> LinearHead | None:
    """The global pooling + linear head, where the job's layer is the one that it pools; otherwise None."""
    head = job.classifier.network.linear_head()
    return head if head is not None and head.maps == job.maps_layer.name else None


def activations(job: Job, names: frozenset[str]) -> dict[str, torch.Tensor]:
    """The outputs of these operations with their batch axis, from the trace or else from one pass without a graph."""
    if job.trace is not None:
        found = {name: job.trace.tensor(name).to(job.classifier.device) for name in names}
    else:
        with torch.no_grad():
            x = job.model_input.tensor.to(job.classifier.device)
            found = dict(job.classifier.network.run(x, keep=set(names)))
    return {name: _ordinary(tensor) for name, tensor in found.items()}


def _closed_form(job: Job, head: LinearHead) -> LayerPass:
    """y = v . (W mean(A) + b) for the logits' cotangent v, so dy/dA_k = (W^T v)_k / (H W) at every cell."""
    final = job.classifier.network.output
    found = activations(job, frozenset({head.maps, final}))
    activation, logits = found[head.maps][0], found[final][0]
    target = job.target(logits)
    with torch.no_grad():
        shares = head.weight.T @ target.cotangent(logits)
        cells = activation.shape[1] * activation.shape[2]
        gradient = (shares / cells)[:, None, None].expand_as(activation)
    return LayerPass(activation, gradient, logits, target)


def _through_graph(job: Job) -> LayerPass:
    network, layer = job.classifier.network, job.maps_layer.name
    final = network.output
    found = activations(job, network.needed({layer}) | {layer})
    leaf = found.pop(layer).detach().requires_grad_(True)
    with torch.enable_grad():
        logits = network.run_from({**found, layer: leaf}, {layer: leaf}, keep={final})[final]
    target = job.target(logits.detach()[0])
    cotangent = target.cotangent(logits.detach()[0])
    (gradient,) = torch.autograd.grad(logits, leaf, grad_outputs=cotangent[None])
    return LayerPass(leaf.detach()[0], gradient[0], logits.detach()[0], target)


def _ordinary(tensor: torch.Tensor) -> torch.Tensor:
    """Tensors made under inference_mode cannot enter a graph; their copies can."""
    return tensor.clone() if tensor.is_inference() else tensor
