"""Each saliency method against captum, grad-cam where it is right, or the method written out in plain torch."""

from __future__ import annotations

import captum.attr
import numpy as np
import pytest
import torch
from pytorch_grad_cam import EigenCAM, HiResCAM, LayerCAM, XGradCAM
from torch import nn
from torch.nn import functional

from cnn_core.errors import InvalidLayer
from cnn_core.saliency.masking import as_read
from cnn_core.saliency.methods.rise import _Masks
from cnn_core.saliency.placement import Placement, draw_stretched
from cnn_core.saliency.removal import substitute

from .saliency_networks import (
    Flattened,
    PlainInput,
    Pooled,
    SmallClassifier,
    classifier_of,
    doubled,
    evidence_of,
    hooked,
    stirred,
)

SIZE = 32
# float64 on both sides: sums of some thousand terms, some of which cancel
EXACT = 1e-10


class Chain(nn.Module):
    """Convolutions with a ReLU module each, as captum needs them, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.features = nn.Sequential(
                nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU()
            )
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 8, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


@pytest.fixture(scope="module")
def chain() -> SmallClassifier:
    return classifier_of(stirred(Chain()), size=SIZE, double=True)


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(stirred(Pooled()), size=SIZE, double=True)


X = doubled(PlainInput.noise(SIZE, SIZE))
WIDE = doubled(PlainInput.noise(SIZE, 48))


def assert_equal(found: np.ndarray, expected: object, tolerance: float = EXACT) -> None:
    wanted = expected.detach().numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    assert found.shape == wanted.shape and np.abs(wanted).max() > 0
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


# --- gradients ---


@pytest.mark.parametrize("target", [0, 3])
def test_gradient_equals_captum(chain: SmallClassifier, target: int) -> None:
    theirs = captum.attr.Saliency(chain.module).attribute(X.tensor.clone(), target=target)[0]
    assert_equal(evidence_of(chain, X, "gradient", target).values, theirs.amax(dim=0))
    summed = captum.attr.Saliency(chain.module).attribute(X.tensor.clone(), target=target, abs=False)[0].sum(dim=0)
    assert_equal(evidence_of(chain, X, "gradient", target, channels="sum").values, summed)


def test_gradient_x_input_equals_captum(chain: SmallClassifier) -> None:
    theirs = captum.attr.InputXGradient(chain.module).attribute(X.tensor.clone(), target=1)[0].sum(dim=0)
    assert_equal(evidence_of(chain, X, "gradient_x_input", 1).values, theirs)


def test_smoothgrad_written_out(chain: SmallClassifier) -> None:
    generator = torch.Generator().manual_seed(3)
    sigma = 0.2 * float(X.tensor.max() - X.tensor.min())
    total = torch.zeros(3, SIZE, SIZE, dtype=torch.float64)
    for _ in range(5):
        noisy = X.tensor + sigma * torch.randn(X.tensor.shape, generator=generator).double()
        noisy.requires_grad_(True)
        total += torch.autograd.grad(chain.module(noisy)[0, 1], noisy)[0][0]
    for size in (2, 5):  # the samples do not depend on how many are run at once
        found = evidence_of(chain, X, "smoothgrad", 1, samples=5, noise=0.2, seed=3, batch_size=size)
        assert_equal(found.values, (total / 5).abs().amax(dim=0))
    other = evidence_of(chain, X, "smoothgrad", 1, samples=5, noise=0.2, seed=4)
    assert (other.values != found.values).any()
    still = evidence_of(chain, X, "smoothgrad", 1, samples=3, noise=0.0)
    assert_equal(still.values, evidence_of(chain, X, "gradient", 1).values)


def test_guided_backpropagation_equals_captum(chain: SmallClassifier) -> None:
    theirs = captum.attr.GuidedBackprop(classifier_of(stirred(Chain()), size=SIZE, double=True).module)
    expected = theirs.attribute(X.tensor.clone().requires_grad_(True), target=2)[0]
    assert_equal(evidence_of(chain, X, "guided_backprop", 2).values, expected.abs().amax(dim=0))
    assert_equal(evidence_of(chain, X, "guided_backprop", 2, channels="sum").values, expected.sum(dim=0))


class _GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient.clamp(min=0) * (x > 0)


def test_guided_backpropagation_through_reused_and_functional_relus(pooled: SmallClassifier) -> None:
    """captum's hooks cannot reach these; here the network is written once more with a guided ReLU of its own."""
    m, relu = pooled.module, _GuidedRelu.apply
    x = WIDE.tensor.clone().requires_grad_(True)
    first = relu(m.first(x))
    second = relu(first + m.norm(m.branch(first)))
    logits = m.linear(torch.flatten(m.pool(relu(m.last(second))), 1))
    (expected,) = torch.autograd.grad(logits[0, 1] - logits[0, 3], x)
    assert_equal(evidence_of(pooled, WIDE, "guided_backprop", (1, 3)).values, expected[0].abs().amax(dim=0))
    assert not any(part._forward_hooks or part._backward_hooks for part in m.modules())


def test_guided_gradcam_equals_captum(chain: SmallClassifier) -> None:
    other = classifier_of(stirred(Chain()), size=SIZE, double=True).module
    method = captum.attr.GuidedGradCam(other, other.features[2])
    theirs = method.attribute(X.tensor.clone().requires_grad_(True), target=2, interpolate_mode="bilinear")[0]
    found = evidence_of(chain, X, "guided_gradcam", 2, layer="features.2", aligned=False)
    assert_equal(found.values, theirs.abs().amax(dim=0))
    aligned = evidence_of(chain, X, "guided_gradcam", 2, layer="features.2")
    assert aligned.placement == Placement((0.5, 0.5), (1.0, 1.0), (SIZE, SIZE))
    assert np.abs(aligned.values - found.values).max() > 0.1 * found.values.max()  # stride 4: 1.5 pixels apart


def test_guided_backpropagation_needs_a_relu() -> None:
    smooth = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(InvalidLayer, match="has none: use 'gradient'"):
        evidence_of(classifier_of(smooth, size=8), PlainInput.noise(8, 8), "guided_backprop")


# --- the CAM family at a layer that is not pooled ---


@pytest.mark.parametrize("layer", ["features.1", "features.2", "features.3"])
def test_cam_family_equals_grad_cam(chain: SmallClassifier, layer: str) -> None:
    """grad-cam's own formulas, on activations and gradients found by a hook. Its XGrad-CAM adds 1e-7 to sums of 1."""
    activation, gradient = hooked(chain.module, chain.module.get_submodule(layer), X.tensor, lambda z: z[1])
    a, g = activation.numpy()[None], gradient.numpy()[None]
    expected = HiResCAM.get_cam_image(None, None, None, None, a, g, False)[0]
    assert_equal(evidence_of(chain, X, "hirescam", 1, layer=layer).values, expected)
    assert_equal(
        evidence_of(chain, X, "layercam", 1, layer=layer).values,
        LayerCAM.get_cam_image(None, None, None, None, a, g, False)[0],
    )
    weights = XGradCAM.get_cam_weights(None, None, None, None, a, g)[0]
    cam = (weights[:, None, None] * a[0]).sum(axis=0)
    assert_equal(evidence_of(chain, X, "xgradcam", 1, layer=layer).values, cam, 1e-4 if layer != "features.2" else 1e-2)
    # Grad-CAM++ by the paper's equation 19 as it stands, without anyone's epsilon
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = g**2 / (2 * g**2 + a.sum(axis=(2, 3), keepdims=True) * g**3)
    alpha = np.where(g != 0, alpha, 0)
    weights = (np.maximum(g, 0) * alpha).sum(axis=(2, 3))[0]
    expected = (weights[:, None, None] * a[0]).sum(axis=0)
    assert_equal(evidence_of(chain, X, "gradcampp", 1, layer=layer).values, expected)


@pytest.mark.parametrize("layer", ["features.1", "features.3"])
def test_eigencam_by_singular_values(chain: SmallClassifier, layer: str) -> None:
    """6 channels of 256 cells, and 8 of 64. grad-cam centres the cells first, which the paper does not."""
    activation, _ = hooked(chain.module, chain.module.get_submodule(layer), X.tensor, lambda z: z[1])
    channels, height, width = activation.shape
    cells = activation.numpy().reshape(channels, -1).T
    _, _, directions = np.linalg.svd(cells, full_matrices=False)
    expected = (cells @ directions[0]).reshape(height, width)
    expected *= np.sign(expected.sum())
    found = evidence_of(chain, X, "eigencam", 1, layer=layer).values
    assert_equal(found, expected)
    theirs = EigenCAM.get_cam_image(None, None, None, None, activation.numpy()[None].copy(), None, False)[0]
    centred = cells - cells.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    again = (centred @ directions[0]).reshape(height, width)
    assert min(np.abs(theirs - s * again).max() for s in (1, -1)) < 1e-5 * np.abs(again).max()
    assert min(np.abs(theirs - s * expected).max() for s in (1, -1)) > 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("layer", ["features.1", "features.2"])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_ablationcam_written_out(chain: SmallClassifier, layer: str, score: str) -> None:
    module, at = chain.module, int(layer[-1]) + 1
    with torch.no_grad():
        activation = module.features[:at](X.tensor)

        def y(maps: torch.Tensor) -> torch.Tensor:
            logits = module.head(module.features[at:](maps))[0]
            return torch.softmax(logits, 0)[1] if score == "probability" else logits[1]

        expected = torch.zeros(activation.shape[2:], dtype=torch.float64)
        for k in range(activation.shape[1]):
            without = activation.clone()
            without[:, k] = 0
            expected += (y(activation) - y(without)) * activation[0, k]
    for size in (1, 5):
        found = evidence_of(chain, X, "ablationcam", 1, layer=layer, score=score, batch_size=size)
        assert_equal(found.values, expected)


def test_ablation_beside_a_skip_connection(pooled: SmallClassifier) -> None:
    """'branch' lies beside a skip connection whose value must be kept for every one of the batch."""
    m = pooled.module
    with torch.no_grad():
        first = torch.relu(m.first(WIDE.tensor))
        branch = m.branch(first)

        def y(maps: torch.Tensor) -> torch.Tensor:
            x = torch.relu(first + m.norm(maps))
            return m.linear(torch.relu(m.last(x)).mean(dim=(2, 3)))[0, 4]

        expected = torch.zeros(branch.shape[2:], dtype=torch.float64)
        for k in range(branch.shape[1]):
            without = branch.clone()
            without[:, k] = 0
            expected += (y(branch) - y(without)) * branch[0, k]
    assert_equal(evidence_of(pooled, WIDE, "ablationcam", 4, layer="branch", batch_size=3).values, expected)


def test_scorecam_written_out(chain: SmallClassifier) -> None:
    """Masks stretched by torch's own interpolate, one picture at a time; dead channels show nothing."""
    with torch.no_grad():
        activation = chain.module.features(X.tensor)[0].clone()
        scores = []
        for channel in activation:
            mask = functional.interpolate(channel[None, None], size=(SIZE, SIZE), mode="bilinear")[0, 0]
            span = mask.max() - mask.min()
            mask = (mask - mask.min()) / span if span > 0 else torch.zeros_like(mask)
            scores.append(chain.module(X.tensor * mask)[0, 2])
        weights = torch.softmax(torch.stack(scores), 0)
        expected = (weights[:, None, None] * activation).sum(dim=0)
        for size in (1, 3, 16):
            found = evidence_of(chain, X, "scorecam", 2, aligned=False, batch_size=size)
            assert_equal(found.values, expected)
    assert found.details["largest_weight"] == pytest.approx(float(weights.max()))
    assert not np.allclose(evidence_of(chain, X, "scorecam", 2).values, found.values)
    # The weights do not hear a constant that is added to every logit.
    other = classifier_of(stirred(Chain()), size=SIZE, double=True)
    with torch.no_grad():
        other.module.head[3].bias += 7.0
    assert_equal(evidence_of(other, X, "scorecam", 2, aligned=False).values, found.values)


def test_a_dead_channel_in_scorecam() -> None:
    module = stirred(Chain())
    with torch.no_grad():
        module.features[2].bias[:3] = -100.0  # type: ignore[index,union-attr,operator]
    classifier = classifier_of(module, size=SIZE, double=True)
    with torch.no_grad():
        activation = module.features(X.tensor)[0]
        assert int((activation.flatten(1).amax(dim=1) == 0).sum()) >= 3
        masks = functional.interpolate(activation[None], size=(SIZE, SIZE), mode="bilinear")[0]
        low, high = masks.amin(dim=(1, 2), keepdim=True), masks.amax(dim=(1, 2), keepdim=True)
        masks = torch.where(high > low, (masks - low) / (high - low), torch.zeros_like(masks))
        weights = torch.softmax(module(X.tensor * masks[:, None])[:, 0], 0)
    expected = (weights[:, None, None] * activation).sum(dim=0)
    for size in (1, 4, 6, 8):
        assert_equal(evidence_of(classifier, X, "scorecam", 0, aligned=False, batch_size=size).values, expected)


# --- perturbation ---


@pytest.mark.parametrize(("window", "stride", "fill"), [(8, 4, "grey"), ((6, 9), (5, 4), "mean"), (32, 32, "blur")])
def test_occlusion_equals_captum(chain: SmallClassifier, window: object, stride: object, fill: str) -> None:
    """captum spreads each drop over its window and averages where windows overlap; ours is put through the same."""
    found = evidence_of(chain, X, "occlusion", 1, size=window, stride=stride, fill=fill, batch_size=5)
    (h, w), (down, across) = found.details["window"], found.details["stride"]
    filled = as_read(chain, X, substitute(X.shown_rgb, fill))
    theirs = captum.attr.Occlusion(chain.module).attribute(
        X.tensor, (3, h, w), (3, down, across), baselines=filled, target=1
    )[0, 0]
    total, count = np.zeros((2, SIZE, SIZE))
    for (i, j), drop in np.ndenumerate(found.values):
        place = np.s_[i * down : i * down + h, j * across : j * across + w]
        total[place] += drop
        count[place] += 1
    assert (count > 0).all()
    assert_equal(total / count, theirs, 1e-6)  # captum computes in float32 here
    assert found.placement == Placement((h / 2, w / 2), (float(down), float(across)), (SIZE, SIZE))


def test_occlusion_by_default() -> None:
    found = evidence_of(classifier_of(Flattened(), size=SIZE), PlainInput.noise(SIZE, SIZE), "occlusion")
    assert found.details["window"] == (5, 5) and found.details["stride"] == (2, 2)
    assert found.values.shape == (15, 15)  # starts 0, 2, ..., 28: the last window sticks out by one pixel


@pytest.mark.parametrize("relative", [True, False])
def test_rise_written_out(chain: SmallClassifier, relative: bool) -> None:
    options = {"masks": 30, "cells": 4, "shown": 0.4, "seed": 2}
    drawn = _Masks(30, 4, 0.4, (SIZE, SIZE), 2)
    masks = torch.cat([drawn.of(slice(i, i + 1)) for i in range(30)]).double()
    with torch.no_grad():
        y = torch.stack([chain.module(X.tensor * mask)[0, 3] for mask in masks])
    y = y - y.mean() if relative else y
    expected = sum(float(score) * mask for score, mask in zip(y, masks, strict=True)) / (30 * 0.4)
    for size in (7, 30):
        found = evidence_of(chain, X, "rise", 3, relative=relative, batch_size=size, **options)
        assert_equal(found.values, expected)


def test_the_masks_of_rise() -> None:
    drawn = _Masks(400, 7, 0.3, (40, 61), 0)
    masks = drawn.of(slice(0, 400)).numpy()
    assert masks.shape == (400, 40, 61) and masks.min() >= 0 and masks.max() <= 1
    # Bernoulli cells of 0.3: the mean over 400 masks of about 49 cells lies within 5 standard errors
    assert abs(masks.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / (400 * 49))
    # and every pixel is shown about as often, the corners too: 0.3 +- 5 standard errors of 400 masks
    assert np.abs(masks.mean(axis=0) - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 400)
    grid = draw_stretched(drawn.grids[0], drawn.large)
    row, column = drawn.shifts[0]
    np.testing.assert_allclose(masks[0], grid[row : row + 40, column : column + 61], atol=1e-5)


def test_full_grad_map_written_out(pooled: SmallClassifier) -> None:
    """The paper's map: absolute parts of each layer scaled to 0 to 1 together, stretched, summed; by explicit biases
    that are made leaves of a network written once more with its batch norm folded."""
    m = pooled.module
    x = WIDE.tensor.clone().requires_grad_(True)
    scale = m.norm.weight / torch.sqrt(m.norm.running_var + m.norm.eps)
    folded = m.norm.bias - scale * m.norm.running_mean
    leaves: list[torch.Tensor] = []

    def plus(maps: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        leaves.append(bias.detach()[:, None, None].expand(maps.shape[1:]).clone().requires_grad_(True))
        return maps + leaves[-1]

    def conv(layer: nn.Conv2d, values: torch.Tensor) -> torch.Tensor:
        return plus(functional.conv2d(values, layer.weight, None, layer.stride, layer.padding), layer.bias)

    first = torch.relu(conv(m.first, x))
    branch = conv(m.branch, first)
    second = torch.relu(first + plus(branch * scale[:, None, None], folded))
    last = torch.relu(conv(m.last, second))
    y = m.linear(last.mean(dim=(2, 3)))[0, 2]
    gradients = torch.autograd.grad(y, [x, *leaves])
    parts = [x[0] * gradients[0][0], *(b * g for b, g in zip(leaves, gradients[1:], strict=True))]
    expected = np.zeros((SIZE, 48))
    for part in parts:
        values = part.detach().abs()
        values = ((values - values.min()) / (values.max() - values.min())).sum(dim=0)
        expected += functional.interpolate(values[None, None], (SIZE, 48), mode="bilinear")[0, 0].numpy()
    found = evidence_of(pooled, WIDE, "fullgrad", 2, aligned=False)
    assert_equal(found.values, expected, 1e-6)  # stretched maps are drawn in float32
    total = sum(float(part.detach().sum()) for part in parts) + float(m.linear.bias[2])
    assert found.details["sum"] == pytest.approx(total, rel=1e-12)
    assert found.details["unplaced"] == pytest.approx(float(m.linear.bias[2]), rel=1e-12)
