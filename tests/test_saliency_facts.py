"""Facts that any correct implementation satisfies, in float64, on networks of six families."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from cnn_core.saliency import explain, explain_many
from cnn_core.saliency.methods import ablationcam

from .saliency_networks import (
    PlainInput,
    Pooled,
    SmallClassifier,
    classifier_of,
    doubled,
    evidence_of,
    hooked,
    random_weights,
    reference_gradcam,
    stirred,
)

# Sums of some thousand float64 terms: 1e-16 each, 1e-13 together; ten times that for terms that cancel.
EXACT = 1e-12
SIZE = (64, 96)

# Networks that end in global pooling and one linear layer, and the module whose maps are pooled.
POOLED = {
    "resnet18": "layer4",
    "mobilenet_v2": "features",
    "googlenet": "inception5b",
    "shufflenet_v2_x0_5": "conv5",
    "efficientnet_b0": "features",
    "pooled": "last",  # functional ReLU after it: facts that need the pooled maps take their own
}
TORCHVISION = [name for name in POOLED if name != "pooled"]


@cache
def network(name: str, double: bool = True) -> SmallClassifier:
    if name == "pooled":
        module: nn.Module = Pooled()
    elif name == "convnext":  # two stages of it, with its layer norms, GELUs and layer scales
        blocks = [CNBlockConfig(16, 24, 1), CNBlockConfig(24, None, 1)]
        module = random_weights(lambda weights: ConvNeXt(blocks, num_classes=5))
    else:
        options = {"aux_logits": True, "transform_input": True, "init_weights": False} if name == "googlenet" else {}
        module = random_weights(getattr(torchvision.models, name), **options)
    return classifier_of(stirred(module), size=64, double=double)


@cache
def picture(double: bool = True):  # type: ignore[no-untyped-def]
    made = PlainInput.noise(*SIZE)
    return doubled(made) if double else made


def signed(name: str, method: str, target: object = 3, **options: object) -> np.ndarray:
    found = evidence_of(network(name), picture(), method, target, **options)  # type: ignore[arg-type]
    assert found.values.dtype == np.float64
    return found.values


def assert_equal(found: np.ndarray, expected: np.ndarray, tolerance: float = EXACT) -> None:
    assert found.shape == expected.shape and np.abs(expected).max() > 0
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("name", TORCHVISION)
def test_pooling_and_one_linear_layer(name: str) -> None:
    """dy_c / dA_k = w_ck / (H W) at every cell, found by a hook and the network's own backward pass; hence
    Grad-CAM = HiResCAM = XGrad-CAM = CAM / (H W), Grad-CAM++ weighs by H W relu(g) / (2 + g S_k), and the sum over all
    cells of HiResCAM is the logit without its bias (Selvaraju 2017; Draelos 2011.08891; Chattopadhay 2018)."""
    classifier = network(name)
    module = classifier.module
    activation, gradient = hooked(module, module.get_submodule(POOLED[name]), picture().tensor, lambda z: z[3])
    linear = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
    cells = activation.shape[1] * activation.shape[2]
    weight = linear.weight[3].detach()
    np.testing.assert_allclose(gradient.numpy(), (weight / cells)[:, None, None].expand_as(gradient), rtol=1e-10)

    cam = torch.einsum("k,khw->hw", weight, activation).numpy()
    assert_equal(signed(name, "cam"), cam)
    for method in ("gradcam", "hirescam"):
        assert_equal(signed(name, method), cam / cells)
    # XGrad-CAM divides by each map's sum, which can be small beside its cells where the maps are signed.
    assert_equal(signed(name, "xgradcam"), cam / cells, 1e-9)

    g, total = weight / cells, activation.sum(dim=(1, 2))
    weights = cells * g.clamp(min=0) / (2 + g * total)
    assert_equal(signed(name, "gradcampp"), torch.einsum("k,khw->hw", weights, activation).numpy())
    positive = torch.einsum("k,khw->hw", g.clamp(min=0), activation).numpy()
    assert_equal(signed(name, "layercam"), positive)

    with torch.no_grad():
        logit = float(module(picture().tensor)[0, 3])
    assert signed(name, "hirescam").sum() == pytest.approx(logit - float(linear.bias[3]), rel=1e-10, abs=1e-12)


class FlatLinear(nn.Module):
    """One linear layer reads the flattened maps, each cell with a weight of its own."""

    def __init__(self, channels: int, kernel: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.features = nn.Sequential(nn.Conv2d(3, channels, kernel, stride=kernel), nn.ReLU())
            self.linear = nn.Linear(channels * (32 // kernel) ** 2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.flatten(self.features(x), 1))


@pytest.mark.parametrize(("channels", "kernel"), [(3, 4), (5, 8), (2, 2), (7, 4), (4, 16)])
def test_hirescam_sums_to_the_logit_where_gradcam_does_not(channels: int, kernel: int) -> None:
    classifier = classifier_of(FlatLinear(channels, kernel, seed=channels), size=32, double=True)
    x = doubled(PlainInput.noise(32, 32))
    with torch.no_grad():
        expected = float(classifier.module(x.tensor)[0, 2] - classifier.module.linear.bias[2])
    assert evidence_of(classifier, x, "hirescam", 2).values.sum() == pytest.approx(expected, rel=1e-12)
    # XGrad-CAM's axiom of conservation: its sum is HiResCAM's
    assert evidence_of(classifier, x, "xgradcam", 2).values.sum() == pytest.approx(expected, rel=1e-10)
    assert abs(evidence_of(classifier, x, "gradcam", 2).values.sum() - expected) > 0.01 * abs(expected)


@pytest.mark.parametrize("name", TORCHVISION)
def test_ablation_on_pooling_and_linear_needs_no_further_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """y - y_k = w_k mean(A_k), and the same by zeroing each channel and running the head again."""
    classifier, x = network(name), picture()
    activation, _ = hooked(classifier.module, classifier.module.get_submodule(POOLED[name]), x.tensor, lambda z: z[3])
    linear = [part for part in classifier.module.modules() if isinstance(part, nn.Linear)][-1]
    means = activation.mean(dim=(1, 2))
    drops = linear.weight[3].detach() * means
    assert_equal(signed(name, "ablationcam"), torch.einsum("k,khw->hw", drops, activation).numpy())
    with torch.no_grad():  # the head by hand, row k without channel k
        whole, without = linear(means), linear(means - torch.diag(means))
    for score, y in (("probability", lambda z: torch.softmax(z, -1)[..., 3]), ("logit", lambda z: z[..., 3])):
        expected = torch.einsum("k,khw->hw", y(whole) - y(without), activation).detach().numpy()
        # differences of nearly equal numbers: 1e-16 of a probability of 1e-3 beside drops of 1e-9 and more
        assert_equal(signed(name, "ablationcam", score=score), expected, 1e-7)
    if name == "shufflenet_v2_x0_5":
        run = ablationcam._by_running
        monkeypatch.setattr(ablationcam, "_in_closed_form", lambda job, found, head: run(job, found))
        by_running = signed(name, "ablationcam", batch_size=100)
        assert_equal(by_running, torch.einsum("k,khw->hw", drops, activation).numpy(), 1e-7)


@pytest.mark.parametrize("name", list(POOLED))
def test_gradcam_is_linear_in_the_target_and_layercam_is_not(name: str) -> None:
    module = network(name).module
    part = module.get_submodule(POOLED[name])
    a, b = (signed(name, "gradcam", index, layer=POOLED[name]) for index in (3, 1))
    combined = reference_gradcam(module, part, picture().tensor, lambda z: 2 * z[3] - z[1])
    assert_equal(2 * a - b, combined)
    assert_equal(signed(name, "gradcam", (3, 1), layer=POOLED[name]), a - b)
    a, b = (signed(name, "layercam", index, layer=POOLED[name]) for index in (3, 1))
    margin = signed(name, "layercam", (3, 1), layer=POOLED[name])
    assert np.abs(margin - (a - b)).max() > 0.1 * np.abs(margin).max()


@pytest.mark.parametrize("name", list(POOLED))
def test_the_probabilitys_map_follows_from_the_logits_maps(name: str) -> None:
    """p_c (CAM_c - sum_j p_j CAM_j): CAM is linear, so the sum over classes is the map of the target sum_j p_j z_j."""
    module = network(name).module
    with torch.no_grad():
        p = torch.softmax(module(picture().tensor)[0], 0)
    mean = reference_gradcam(module, module.get_submodule(POOLED[name]), picture().tensor, lambda z: (p * z).sum())
    one = signed(name, "gradcam", 3, layer=POOLED[name])
    assert_equal(signed(name, "gradcam", 3, layer=POOLED[name], score="probability"), float(p[3]) * (one - mean), 1e-9)


@pytest.mark.parametrize("name", list(POOLED))
def test_the_margin_does_not_hear_what_all_classes_share(name: str) -> None:
    """The same vector added to every class's weights changes the map of a logit, and not that of a margin."""
    classifier = network(name)
    before = [signed(name, "gradcam", target) for target in (3, (3, 1))]
    linear = [part for part in classifier.module.modules() if isinstance(part, nn.Linear)][-1]
    kept = linear.weight.detach().clone()
    try:
        with torch.no_grad():
            linear.weight += torch.linspace(-1, 1, linear.in_features, dtype=torch.float64)
        logit, margin = (signed(name, "gradcam", target) for target in (3, (3, 1)))
    finally:
        with torch.no_grad():
            linear.weight.copy_(kept)
    assert_equal(margin, before[1])
    assert np.abs(logit - before[0]).max() > 0.1 * np.abs(before[0]).max()


@pytest.mark.parametrize("name", [*POOLED, "squeezenet1_1", "mobilenet_v3_small", "convnext"])
def test_full_grad_is_complete(name: str) -> None:
    """f = x . grad + sum of b . grad_b f, with batch norms folded, and the implicit biases of ReLU6, SiLU, hardswish,
    GELU, sigmoid gates and layer norms; float64 leaves 1e-14 on resnet18 and as much on all."""
    found = evidence_of(network(name), picture(), "fullgrad", 3, parts="signed")
    details = found.details
    with torch.no_grad():
        logit = float(network(name).module(picture().tensor)[0, 3])
    assert details["sum"] == pytest.approx(logit, rel=1e-12, abs=1e-13)
    assert details["completeness_error"] <= (1e-14 if name == "resnet18" else 1e-12)
    # The map holds all that has a place, and no more.
    assert found.values.sum() + details["unplaced"] == pytest.approx(logit, rel=1e-10, abs=1e-11)
    assert abs(details["input_part"] - logit) > 1e-3 * abs(logit)  # without the biases it is not the logit
    probability = evidence_of(network(name), picture(), "fullgrad", 3, score="probability", parts="signed").details
    assert probability["completeness_error"] <= 1e-12


@pytest.mark.parametrize("name", list(POOLED))
def test_integrated_gradients_sum_to_the_difference(name: str) -> None:
    """Up to an error that is reported; 10 steps across the many kinks of these paths leave less than 20 %."""
    found = evidence_of(network(name), picture(), "integrated_gradients", 3, steps=10)
    with torch.no_grad():
        module, x = network(name).module, picture().tensor
        difference = float(module(x)[0, 3] - module(torch.zeros_like(x))[0, 3])
    assert found.details["difference"] == pytest.approx(difference, rel=1e-6)
    assert found.values.sum() == pytest.approx(found.details["sum"], rel=1e-9)
    error = abs(found.values.sum() - difference) / abs(difference)
    assert found.details["completeness_error"] == pytest.approx(error, rel=1e-4)
    assert f"{error:.2%} off at 10 steps" in found.note
    assert error < 0.2


@pytest.mark.parametrize("name", list(POOLED))
def test_eigencam_does_not_change_with_the_class_and_gradcam_does(name: str) -> None:
    assert (signed(name, "eigencam", 1) == signed(name, "eigencam", 4)).all()
    one, other = signed(name, "gradcam", 1), signed(name, "gradcam", 4)
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


@pytest.mark.parametrize("name", [*POOLED, "squeezenet1_1"])
@pytest.mark.parametrize("method", ["gradcam", "layercam", "gradient_x_input"])
def test_a_picture_in_a_batch_has_the_map_that_it_has_alone(name: str, method: str) -> None:
    """In float32, as visitors run it: batches and single pictures take other paths through the convolutions."""
    classifier = network(name, double=False)
    pictures = [PlainInput.noise(64, 64, seed) for seed in range(3)]
    layer = None if method == "gradient_x_input" else classifier.network.map_layers()[-4].name
    targets = [1, (2, 0), 3]
    same = {"method": method, "layer": layer, "rectify": False}
    together = list(explain_many(classifier, pictures, targets=targets, workers=0, **same))  # type: ignore[arg-type]
    for model_input, target, found in zip(pictures, targets, together, strict=True):
        alone = explain(classifier, model_input, target=target, **same)  # type: ignore[arg-type]
        assert found.target == alone.target
        assert_equal(found.values, alone.values, 1e-5)
