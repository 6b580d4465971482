"""What every method of the CAM family starts from: a layer's activation, and the target's gradient there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .layers import LayerFacts, layer_facts
from .registry import Job
from .targets import Target

if TYPE_CHECKING:
    from ..network import LinearHead, Operation


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
        facts = layer_facts(job.classifier.network, job.maps_layer)
        return _through_graph(job, facts) if facts.pooled_by is None else _closed_form(job, facts.pooled_by)


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
        cotangent = target.cotangent(logits)
        spoken = cotangent.nonzero()[:, 0]  # one class or two, but for a probability
        shares = cotangent[spoken] @ head.weight[spoken]
        cells = activation.shape[1] * activation.shape[2]
        gradient = (shares / cells)[:, None, None].expand_as(activation)
    return LayerPass(activation, gradient, logits, target)


def _through_graph(job: Job, facts: LayerFacts) -> LayerPass:
    found = activations(job, facts.needed)
    leaf = found[facts.operation.name].detach().requires_grad_(True)
    found[facts.operation.name] = leaf
    if facts.scored_by is None:
        gradient, logits, target = _backward(job, facts.operation.name, found)
    else:
        gradient, logits, target = _through_class_maps(job, facts.operation.name, facts.scored_by, found)
    return LayerPass(leaf.detach()[0], gradient[0], logits, target)


def _backward(job: Job, name: str, values: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, Target]:
    """From the leaf values[name] forward to the logits with a graph, and back: dy/d(leaf) (1, ...), logits (K,), y."""
    network, leaf = job.classifier.network, values[name]
    with torch.enable_grad():
        logits = network.run_from(values, {name: leaf}, keep={network.output})[network.output]
    spoken = logits.detach()[0]
    target = job.target(spoken)
    (gradient,) = torch.autograd.grad(logits, leaf, grad_outputs=target.cotangent(spoken)[None])
    return gradient, spoken, target


def _through_class_maps(
    job: Job, layer: str, scoring: Operation, values: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, Target]:
    """The same through a 1 x 1 convolution S_k = sum_c W_kc X_c + b_k that gives each class its map.

    dy/dX_c = sum_k W_kc dy/dS_k, and dy/dS_k is zero but for the classes that y speaks of: leaving out the others
    spares a backward pass through all K, an eighth of SqueezeNet's forward pass.
    """
    network, source = job.classifier.network, scoring.inputs[0]
    with torch.enable_grad():
        x = network.run_from(values, {layer: values[layer]}, keep={source})[source]
    if job.trace is not None:
        scores = activations(job, frozenset({scoring.name}))[scoring.name]
    else:
        with torch.no_grad():
            scores = network.run_from({}, {source: x.detach()}, keep={scoring.name})[scoring.name]
    at_scores, logits, target = _backward(job, scoring.name, {scoring.name: scores.detach().requires_grad_(True)})
    spoken = at_scores[0].flatten(1).any(dim=1).nonzero()[:, 0]
    with torch.no_grad():
        weight = network.parameters(scoring.name)["weight"][spoken, :, 0, 0]
        at_x = torch.einsum("khw,kc->chw", at_scores[0, spoken], weight)[None]
    if x is values[layer]:
        return at_x, logits, target
    (gradient,) = torch.autograd.grad(x, values[layer], grad_outputs=at_x)
    return gradient, logits, target


def _ordinary(tensor: torch.Tensor) -> torch.Tensor:
    """Tensors made under inference_mode cannot enter a graph; their copies can."""
    return tensor.clone() if tensor.is_inference() else tensor
