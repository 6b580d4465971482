"""Eigen-CAM: the direction in which a layer's cells vary most, whatever the class."""

from __future__ import annotations

import torch

from ..passes import activation_of
from ..registry import Evidence, Job, MethodCard, register


@register(
    MethodCard(
        key="eigencam",
        title="Eigen-CAM",
        paper="Muhammad and Yeasin, Eigen-CAM: Class Activation Map using Principal Components, IJCNN 2020 "
        "(arXiv 2008.00299)",
        needs_layer=True,
        cost="1 forward pass",
        formula=r"A = U \Sigma V^{\mathsf{T}}, \quad L = A\,v_1 \quad (A: HW \times C)",
        needs="any layer with spatial maps",
        warning="It does not look at the class: it shows what stands out in the layer, not why the network decided.",
        depends_on_class=False,
    )
)
def eigencam(job: Job) -> Evidence:
    """Equation 4 of the paper: the cells' activations projected on their first right singular vector, not centred.

    A singular vector's sign is arbitrary; here the map's sum is made positive (0 stays). Worked out in float64 from the
    smaller of the two Gram matrices. Values (h, w) are in units of the activation.
    """
    activation = activation_of(job)
    channels, height, width = activation.shape
    with torch.no_grad():
        cells = activation.double().reshape(channels, height * width).T
        if len(cells) <= channels:
            squares, vectors = torch.linalg.eigh(cells @ cells.T)
            values = vectors[:, -1] * squares[-1].clamp(min=0).sqrt()
        else:
            values = cells @ torch.linalg.eigh(cells.T @ cells)[1][:, -1]
        values = values * (-1.0 if values.sum() < 0 else 1.0)
    return job.evidence(
        values.reshape(height, width).to(activation.dtype), note="Eigen-CAM is the same map for every class."
    )
