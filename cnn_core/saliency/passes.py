"""What every method of the CAM family starts from: a layer's activation, and the target's gradient there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import torch

from .batch import Batch, ordinary
from .layers import LayerFacts, layer_facts
from .registry import Job
from .targets import Target

if TYPE_CHECKING:
    from ..network import LinearHead, Operation

# Gradients of so many targets at once, each of the size of the head's activations.
_TARGETS: Final = 16
_HALF: Final = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, eq=False)
class LayerPass:
    """activation A and gradient dy/dA, both (C, H, W); logits (K,); the target y. Detached, on the model's device."""

    activation: torch.Tensor
    gradient: torch.Tensor
    logits: torch.Tensor
    target: Target


def layer_pass(job: Job) -> LayerPass:
    """One forward pass (none where there is a trace), then the head alone once more, and backward through it alone.

    The forward pass builds no graph; the layer's activation becomes a leaf, and only what depends on it is computed
    again with a graph. No hook is placed, no parameter's gradient is computed and no mode is changed, so that threads
    can share the model. Works with frozen parameters, and inside `no_grad` and `inference_mode`. All pictures, or all
    targets, of the job's batch are done in one go. Half precisions are passed on as float32.
    """
    name = job.maps_layer.name
    gradient = layer_gradients(job.batch, name)[job.row]
    activation = job.batch.outputs((name,))[name][job.image]
    return LayerPass(_full(activation), _full(gradient), job.logits, job.target)


def layer_gradients(batch: Batch, name: str) -> torch.Tensor:
    """dy/dA at one operation ("input" too) for every row of a batch, (R, C, H, W)."""

    def make() -> torch.Tensor:
        facts = layer_facts(batch.classifier.network, name)
        return _through_graph(batch, facts) if facts.pooled_by is None else _closed_form(batch, facts.pooled_by)

    return batch.once(("gradients", name), make)


def share_gradients(batch: Batch, names: Sequence[str]) -> None:
    """Find dy/dA at several operations, for a batch of one row, by one pass forward with a graph and one back.

    Pooled heads are left to their closed form. What is found here, `layer_gradients` hands out.
    """
    network = batch.classifier.network
    wanted = [name for name in dict.fromkeys(names) if layer_facts(network, name).pooled_by is None]
    if len(batch.rows) != 1 or len(wanted) < 2:
        return
    with torch.enable_grad():
        leaf = ordinary(batch.x.detach()).requires_grad_(True)
        outputs = network.run(leaf, keep={*names, network.output})
    batch.remember(outputs)
    logits = outputs[network.output]
    found = torch.autograd.grad(logits, [outputs[name] for name in wanted], batch.cotangents().to(logits.dtype))
    for name, gradient in zip(wanted, found, strict=True):
        batch.once(("gradients", name), partial(torch.Tensor.detach, gradient))


def mean_gradients(batch: Batch, name: str) -> torch.Tensor:
    """The mean over cells of each row's gradient at one operation, (R, C), in at least float32."""
    gradients = layer_gradients(batch, name)
    if gradients.stride()[2:] == (0, 0):  # a pooled head's: one number for all cells
        return _full(gradients[:, :, 0, 0])
    return _full(gradients).mean(dim=(2, 3))


def weighted_maps(batch: Batch, name: str, weights: torch.Tensor) -> torch.Tensor:
    """sum_k w_rk A_k for every row r at one operation: weights (R, C) -> (R, H, W)."""
    maps = _full(batch.outputs((name,))[name])
    if batch.is_one_picture:
        return (weights @ maps[0].flatten(1)).reshape(len(weights), *maps.shape[2:])
    return torch.einsum("rk,rkhw->rhw", weights, maps)


def activation_of(job: Job) -> torch.Tensor:
    """The layer's activation (C, H, W) of this job's picture, in at least float32; no gradient is computed."""
    name = job.maps_layer.name
    job.batch.outputs((name, job.classifier.network.output))  # both from one pass
    return _full(job.batch.outputs((name,))[name][job.image])


def _closed_form(batch: Batch, head: LinearHead) -> torch.Tensor:
    """y = v . (W mean(A) + b) for the logits' cotangent v, so dy/dA_k = (W^T v)_k / (H W) at every cell."""
    final = batch.classifier.network.output
    maps = batch.outputs((head.maps, final))[head.maps]
    with torch.no_grad():
        cotangents = batch.cotangents()
        spoken = cotangents.any(dim=0).nonzero()[:, 0]  # a class or two for each row, but for a probability
        shares = cotangents[:, spoken] @ head.weight[spoken].to(cotangents.dtype)
        cells = maps.shape[2] * maps.shape[3]
        return (shares / cells)[:, :, None, None].expand(-1, -1, *maps.shape[2:])


def _through_graph(batch: Batch, facts: LayerFacts) -> torch.Tensor:
    name = facts.operation.name
    found = dict(batch.outputs(facts.needed))
    leaf = found[name].detach().requires_grad_(True)
    found[name] = leaf
    if facts.scored_by is None:
        return _backward(batch, name, found)
    return _through_class_maps(batch, name, facts.scored_by, found)


def _backward(batch: Batch, name: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """From the leaf values[name] forward to the logits with a graph, and back: dy/d(leaf) for every row."""
    network, leaf = batch.classifier.network, values[name]
    with torch.enable_grad():
        logits = network.run_from(values, {name: leaf}, keep={network.output})[network.output]
    batch.heard(logits)
    return pulled_back(batch, logits, leaf, batch.cotangents().to(logits.dtype))


def pulled_back(batch: Batch, output: torch.Tensor, leaf: torch.Tensor, cotangents: torch.Tensor) -> torch.Tensor:
    """Each row's cotangent at an output, (R, ...), pulled back to a leaf: (R, ...).

    A picture for each row: one backward pass for all. Several rows of one picture: their cotangents go back side by
    side through the one graph, a few at a time so that memory stays bounded.
    """
    if len(cotangents) == len(output):
        (gradient,) = torch.autograd.grad(output, leaf, grad_outputs=cotangents)
        return gradient
    found = []
    for start in range(0, len(cotangents), _TARGETS):
        (part,) = torch.autograd.grad(
            output, leaf, cotangents[start : start + _TARGETS, None], retain_graph=True, is_grads_batched=True
        )
        found.append(part[:, 0])
    return torch.cat(found)


def _through_class_maps(
    batch: Batch, layer: str, scoring: Operation, values: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """The same through a 1 x 1 convolution S_k = sum_c W_kc X_c + b_k that gives each class its map.

    dy/dX_c = sum_k W_kc dy/dS_k, and dy/dS_k is zero but for the classes that y speaks of: leaving out the others
    spares a backward pass through all K, an eighth of SqueezeNet's forward pass.
    """
    network, source = batch.classifier.network, scoring.inputs[0]
    with torch.enable_grad():
        x = network.run_from(values, {layer: values[layer]}, keep={source})[source]
    if batch.trace is not None:
        scores = batch.outputs((scoring.name,))[scoring.name]
    else:
        with torch.no_grad():
            scores = network.run_from({}, {source: x.detach()}, keep={scoring.name})[scoring.name]
    at_scores = _backward(batch, scoring.name, {scoring.name: scores.detach().requires_grad_(True)})
    spoken = at_scores.flatten(2).any(dim=2).any(dim=0).nonzero()[:, 0]
    with torch.no_grad():
        weight = network.parameters(scoring.name)["weight"][spoken, :, 0, 0]
        at_x = torch.einsum("rkhw,kc->rchw", at_scores[:, spoken], weight)
    if x is values[layer]:
        return at_x
    return pulled_back(batch, x, values[layer], at_x)


def _full(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in _HALF else tensor
