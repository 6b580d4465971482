"""CAM, the original: the pooled layer's maps weighted by the class's own weights, read off without any gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InvalidLayer
from ..passes import mean_gradients, weighted_maps
from ..registry import Evidence, Job, MethodCard, register

if TYPE_CHECKING:
    from ...models import Classifier
    from ...network import LinearHead
    from ...tracing import Trace


@register(
    MethodCard(
        key="cam",
        title="CAM",
        paper="Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016 (arXiv 1512.04150)",
        needs_layer=True,
        cost="1 forward pass",
        formula=r"L = \sum_k w_{ck} A_k, \quad z_c = \frac{1}{HW}\sum_{i,j} L_{ij} + b_c",
        needs="a network that ends in global average pooling and one linear layer",
        warning="It exists for one layer only, whose cells see large parts of the picture.",
    )
)
def cam(job: Job) -> Evidence:
    """Equation 2 of the paper: M_c = sum_k w_ck A_k at the layer that the head pools.

    Its mean over cells, plus the bias, is the logit exactly, so values (h, w) are in logits, H W times Grad-CAM's.
    For other targets w_c is replaced by sum_j w_j dy/dz_j: the difference of two classes' weights for a margin.
    Raises InvalidLayer where the head is not pooling + linear, or where another layer is asked for.
    """
    head = linear_head(job.classifier)
    if job.maps_layer.name != head.maps:
        raise InvalidLayer(
            f"CAM reads the layer that is pooled before the classifier, {head.maps!r}, and not "
            f"{job.maps_layer.name!r}; the method 'gradcam' reads any layer with maps."
        )
    batch = job.batch

    def all_rows() -> torch.Tensor:
        with torch.no_grad():
            # The gradient of a pooled head is weight / (H W), the same number at every cell.
            maps = batch.outputs((head.maps, batch.classifier.network.output))[head.maps]
            n_cells = maps.shape[2] * maps.shape[3]
            return weighted_maps(batch, head.maps, mean_gradients(batch, head.maps) * n_cells)

    return job.evidence(batch.once("cam", all_rows)[job.row])


def cam_all(classifier: Classifier, trace: Trace, classes: Sequence[int | str] | None = None) -> NDArray[np.float32]:
    """The CAM of every class (or of the chosen ones, in their order) from one finished forward pass.

    Returns float32 (K, h, w), signed, in logits: [c].mean() + bias_c is class c's logit. Raises InvalidLayer where the
    head is not pooling + linear, UnknownClass for a class that the model lacks.
    """
    head = linear_head(classifier)
    weight = head.weight
    if classes is not None:
        weight = weight[[classifier.class_index(chosen) for chosen in classes]]
    with torch.inference_mode():
        maps = trace.tensor(head.maps)[0].to(weight.device)
        return np.asarray(torch.einsum("ck,khw->chw", weight, maps).cpu().numpy(), dtype=np.float32)


def linear_head(classifier: Classifier) -> LinearHead:
    """The pooling + linear head of a classifier. Raises InvalidLayer, with the way out, where there is none."""
    head = classifier.network.linear_head()
    if head is None:
        raise InvalidLayer(
            "CAM needs a network that ends in global average pooling and one linear layer, and "
            f"{classifier.card.title} does not; the method 'gradcam' works on any layer with maps."
        )
    return head
