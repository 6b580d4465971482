"""Two packages' Grad-CAM++ beside the paper's: where they differ, by how much, and which side the paper is on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from pytorch_grad_cam import GradCAMPlusPlus
from torchcam.methods import GradCAMpp

from cnn_core.saliency import explain

from .saliency_networks import PlainInput, classifier_of, hooked, random_weights

Case = tuple[np.ndarray, torch.Tensor, torch.Tensor, Callable[[], torch.nn.Module]]


@pytest.fixture(scope="module")
def case() -> Case:
    """Our map, activation and gradient of resnet18's last stage, and a module that packages may hook."""
    classifier = classifier_of(random_weights(torchvision.models.resnet18), size=224)
    x = PlainInput.noise(224, 224)
    activation, gradient = hooked(classifier.module, classifier.module.layer4, x.tensor, lambda z: z[7])
    ours = explain(classifier, x, method="gradcampp", target=7, layer="layer4", rectify=False).values
    return ours, activation, gradient, lambda: random_weights(torchvision.models.resnet18).eval()


def paper(activation: torch.Tensor, gradient: torch.Tensor) -> np.ndarray:
    """Equations 10 and 19 in float64, as they are printed: 49 cells of one gradient g each give H W g / (2 + g S)."""
    a, g = activation.double().numpy(), gradient.double().numpy()
    alpha = g**2 / (2 * g**2 + a.sum(axis=(1, 2), keepdims=True) * g**3)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(1, 2))
    return (weights[:, None, None] * a).sum(axis=0)


def off(found: np.ndarray, expected: np.ndarray) -> float:
    """How far two maps are apart whatever their scales: both divided by their own largest value."""
    return float(np.abs(found / found.max() - expected / expected.max()).max())


def test_ours_is_the_papers(case: Case) -> None:
    ours, activation, gradient, _ = case
    assert off(ours, paper(activation, gradient)) < 1e-5
    np.testing.assert_allclose(ours, paper(activation, gradient), rtol=1e-4)  # the scale too; float32 against float64


def test_torchcam_writes_its_correction_into_a_copy(case: Case) -> None:
    """`alpha[mask].div_(denominator[mask])` divides a copy: what is left is alpha = g^2, weights sum g^2 relu(g)."""
    _, activation, gradient, make = case
    module = make()
    with GradCAMpp(module, "layer4") as method:
        scores = module(PlainInput.noise(224, 224).tensor.requires_grad_(True))
        (theirs,) = method._get_weights(7, scores)
    uncorrected = (gradient**2 * gradient.clamp(min=0)).sum(dim=(1, 2))
    torch.testing.assert_close(theirs.detach()[0].float(), uncorrected, rtol=1e-3, atol=0)
    found = torch.einsum("k,khw->hw", theirs.detach()[0], activation).numpy()
    assert 0.02 < off(found, paper(activation, gradient)) < 1


def test_the_epsilon_of_grad_cam_is_as_large_as_its_denominator(case: Case) -> None:
    """1e-6 is added to 2 g^2 + S g^3, and g is about 1e-3 / 2 where 49 cells share a weight of 0.02."""
    _, activation, gradient, _ = case
    a, g = activation.numpy()[None].astype(np.float64), gradient.numpy()[None].astype(np.float64)
    denominator = 2 * g**2 + a.sum(axis=(2, 3), keepdims=True) * g**3
    assert 0.1 < 1e-6 / np.median(denominator[g > 0]) < 10
    theirs = GradCAMPlusPlus.get_cam_weights(None, None, None, None, a, g)[0]
    alpha = g**2 / (denominator + 1e-6)
    np.testing.assert_allclose(theirs, (np.maximum(g, 0) * alpha).sum(axis=(2, 3))[0], rtol=1e-6)
    expected = paper(activation, gradient)
    found = (theirs[:, None, None] * a[0]).sum(axis=0)
    assert np.abs(found - expected).max() > 0.1 * expected.max()  # smaller by the epsilon's share
    # The same formula without the epsilon is the paper's map: nothing else is at fault.
    alpha = g**2 / denominator
    weights = (np.maximum(g, 0) * alpha).sum(axis=(2, 3))[0]
    np.testing.assert_allclose((weights[:, None, None] * a[0]).sum(axis=0), expected, rtol=1e-9)
