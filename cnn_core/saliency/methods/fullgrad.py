"""Full-Grad: the input's gradient and every bias's, which together make up the score completely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..batch import ordinary
from ..explaining import placement_of
from ..masking import scores
from ..options import Option
from ..placement import draw_aligned, draw_stretched, spread
from ..registry import Evidence, Job, MethodCard, as_array, register

if TYPE_CHECKING:
    from ...network import Operation

# f(tx) = t f(x) for t > 0: these add nothing of their own.
_HOMOGENEOUS: Final = frozenset(
    {
        "input", "relu", "leaky_relu", "prelu", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d",
        "adaptive_max_pool2d", "mean", "cat", "flatten", "view", "permute", "chunk", "split", "getitem", "dropout",
        "stochastic_depth", "identity",
    }
)  # fmt: skip

_ELEMENTWISE: Final = frozenset(
    {"relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "elu", "mish", "softplus"}
)


@register(
    MethodCard(
        key="fullgrad",
        title="Full-Grad",
        paper="Srinivas and Fleuret, Full-Gradient Representation for Neural Network Visualization, NeurIPS 2019 "
        "(arXiv 1905.00780)",
        needs_layer=False,
        cost="1 forward and 1 backward pass, with every layer's output kept",
        formula=r"y = x \cdot \nabla_x y + \sum_l b_l \cdot \nabla_{b_l} y, \quad "
        r"M = \psi(x \odot \nabla_x y) + \sum_l \sum_c \psi\big(b_{l} \odot \nabla_{b_l} y\big)_c",
        needs="any network",
        family="gradient",
        options=(
            Option(
                "parts",
                "magnitude",
                "“magnitude” is the paper's: absolute values, each layer scaled to 0 to 1. “signed” adds the parts as "
                "they are, so that the map and what has no place sum to the score.",
                choices=("magnitude", "signed"),
            ),
            Option("aligned", True, "Put each layer's cells at their receptive fields' centres; False stretches them."),
        ),
        warning="Each layer is scaled to 0 to 1 before they are added, so a layer that matters little is as bright as "
        "one that matters much; “signed” does not scale.",
    )
)
def fullgrad(job: Job, *, parts: str = "magnitude", aligned: bool = True) -> Evidence:
    """Equation 2 (the decomposition) and equation 7 (the map) of the paper. Values (h, w), one for each input pixel.

    Complete: the biases of convolutions and linear layers, what batch norms add once folded (beta - mu gamma / sigma),
    and, for whatever else is not homogeneous (ReLU6, SiLU, GELU, sigmoid gates, layer norms), the implicit bias f(u) -
    J u of the paper's section 3. Biases of vectors have no place: they count in the sum and not in the map. details
    holds the parts' "sum", "input_part", "placed", "unplaced" and "completeness_error", |sum - y| / max(1, |y|).
    Departure: layers are placed at their receptive fields' centres unless aligned=False.
    """
    found = _decompose(job)
    size = (job.x.shape[-2], job.x.shape[-1])
    drawn = _magnitude(job, found, size, aligned) if parts == "magnitude" else _signed(job, found, size, aligned)
    y = float(scores(job.target, job.logits[None])[0])
    input_part = float(found.at_input.double().sum())
    placed = input_part + sum(float(part.double().sum()) for part in found.placed.values())
    total = placed + found.unplaced
    error = abs(total - y) / max(1.0, abs(y))
    return job.evidence(
        torch.from_numpy(drawn).to(found.at_input.dtype),
        note=f"All parts sum to {total:.4g} and the score is {y:.4g}; {found.unplaced:.4g} of it has no place in the "
        "picture.".replace("-", "−"),
        details={
            "sum": total, "input_part": input_part, "placed": placed, "unplaced": found.unplaced,
            "completeness_error": error,
        },
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Parts:
    """at_input: x * dy/dx (C, h, w); placed: by operation, the bias's part of y in each cell (C, H, W); unplaced: the
    sum of the parts of vectors, and of the target's own curvature (probability)."""

    at_input: torch.Tensor
    placed: dict[str, torch.Tensor]
    unplaced: float


def _decompose(job: Job) -> _Parts:
    network, target = job.classifier.network, job.target
    adding = [o for o in _leading_to_output(job) if o.kind not in _HOMOGENEOUS and not _is_plain_sum(o)]
    read = {name for o in adding if _bias(job, o) is None for name in o.inputs}
    with torch.enable_grad():
        leaf = ordinary(job.x.detach()).requires_grad_(True)
        outputs = network.run(leaf, keep={*(o.name for o in adding), *read, network.output})
        y = target.values(outputs[network.output]).sum()
        sources = [outputs[o.name] for o in adding]
        at_x, *gradients = torch.autograd.grad(y, [leaf, *sources], allow_unused=True)
    logits = outputs[network.output].detach()
    cotangent = target.cotangent(logits[0])
    unplaced = float(y.detach() - (cotangent * logits[0]).sum())  # 0 unless y is a probability
    placed: dict[str, torch.Tensor] = {}
    for operation, gradient in zip(adding, gradients, strict=True):
        if gradient is None:
            continue
        bias = _bias(job, operation)
        own = bias if bias is not None else _implicit_bias(job, operation, outputs)
        part = (gradient * own).detach()[0]
        if operation.has_maps:
            placed[operation.name] = part
        else:
            unplaced += float(part.double().sum())
    return _Parts((at_x * leaf).detach()[0], placed, unplaced)


def _leading_to_output(job: Job) -> tuple[Operation, ...]:
    network = job.classifier.network
    wanted = {network.output}
    for operation in reversed(network.operations):
        if operation.name in wanted:
            wanted.update(operation.inputs)
    return tuple(operation for operation in network.operations if operation.name in wanted)


def _is_plain_sum(operation: Operation) -> bool:
    return operation.kind == "add" and len(operation.inputs) == 2


def _bias(job: Job, operation: Operation) -> torch.Tensor | None:
    """What an affine operation adds, shaped to its output; None where it has to be worked out from its input."""
    if operation.kind not in ("conv2d", "linear", "batch_norm2d"):
        return None
    own = job.classifier.network.parameters(operation.name)
    if operation.kind == "batch_norm2d":
        if "running_mean" not in own:
            return None
        scale = (own["running_var"] + operation.attributes["eps"]).rsqrt() * own.get("weight", 1.0)
        bias = own.get("bias", 0.0) - own["running_mean"] * scale
    elif "bias" in own:
        bias = own["bias"]
    else:
        bias = next(iter(own.values())).new_zeros(operation.output_shape[0])
    shape = (1, -1, 1, 1) if operation.has_maps else (1,) * len(operation.output_shape) + (-1,)
    return bias.detach().reshape(shape)


def _implicit_bias(job: Job, operation: Operation, outputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """f(u) - J u for an operation z = f(u), of z's shape: zero exactly where f is homogeneous of degree 1.

    J u comes from two backward passes (the gradient of v . f(u) with respect to v along u), because forward-mode
    differentiation keeps a level for the whole process, which threads must not share.
    """
    network = job.classifier.network
    with torch.enable_grad():
        names = tuple(dict.fromkeys(operation.inputs))
        inputs = [outputs[name].detach().requires_grad_(True) for name in names]
        changed = dict(zip(names, inputs, strict=True))
        if operation.kind in _ELEMENTWISE:  # J is diagonal, and some of these cannot be differentiated twice
            z = network.run_from({}, changed, keep={operation.name})[operation.name]
            (slope,) = torch.autograd.grad(z.sum(), inputs)
            return (z - slope * inputs[0]).detach()
        z = network.run_from({}, changed, keep={operation.name})[operation.name]
        dummy = torch.zeros_like(z, requires_grad=True)
        pulled = torch.autograd.grad(z, inputs, dummy, create_graph=True)
        linear = [(p, u.detach()) for p, u in zip(pulled, inputs, strict=True) if p.requires_grad]
        if not linear:
            return z.detach()
        (along,) = torch.autograd.grad([p for p, _ in linear], dummy, [u for _, u in linear])
    return (z - along).detach()


def _magnitude(job: Job, found: _Parts, size: tuple[int, int], aligned: bool) -> NDArray[np.float64]:
    total = _scaled(found.at_input)
    for name, part in found.placed.items():
        if part.shape[1] * part.shape[2] > 1:
            cells, place = _scaled(part), placement_of(job.classifier, job.classifier.network[name], size)
            total = total + (draw_aligned(cells, place, size) if aligned else draw_stretched(cells, size))
    return total


def _scaled(part: torch.Tensor) -> NDArray[np.float64]:
    """psi of the paper: absolute values of (C, H, W) brought to 0 to 1 together; then the sum over channels."""
    values = np.abs(as_array(part).astype(np.float64))
    low, high = values.min(), values.max()
    return np.asarray(((values - low) / (high - low) if high > low else np.zeros_like(values)).sum(axis=0))


def _signed(job: Job, found: _Parts, size: tuple[int, int], aligned: bool) -> NDArray[np.float64]:
    total = as_array(found.at_input).astype(np.float64).sum(axis=0)
    for name, part in found.placed.items():
        operation = job.classifier.network[name]
        cells = as_array(part).astype(np.float64).sum(axis=0)
        place = placement_of(job.classifier, operation if operation.is_spatial and aligned else None, size)
        if not (operation.is_spatial and aligned):
            stride = (size[0] / cells.shape[0], size[1] / cells.shape[1])
            place = type(place)((stride[0] / 2, stride[1] / 2), stride, size)
        total = total + spread(cells, place, size)
    return total
