"""Grad-CAM and CAM against closed forms, an independent implementation with hooks, captum and grad-cam."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torchvision

import cnn_core as cc
from cnn_core.errors import InvalidOption
from cnn_core.saliency import cam_all, explain
from cnn_core.saliency.batch import Batch
from cnn_core.saliency.targets import Target

from .saliency_networks import (
    ClassMaps,
    Flattened,
    PlainInput,
    Pooled,
    RedPatch,
    SmallClassifier,
    classifier_of,
    random_weights,
    reference_gradcam,
)

# Two float32 computations of the same sum over some hundred channels differ by rounding alone, about 1e-6 of the
# map's largest value; the acceptance criterion is 1e-5.
CLOSE = 1e-5
SIZE = 32


def assert_same_map(found: np.ndarray, expected: np.ndarray, tolerance: float = CLOSE) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    assert np.abs(expected).max() > 0


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(Pooled(), size=SIZE)


@pytest.fixture(scope="module")
def flattened() -> SmallClassifier:
    return classifier_of(Flattened(), size=SIZE)


# --- the numbers ---


@pytest.mark.parametrize("layer", ["first", "branch", "norm", "last"])
@pytest.mark.parametrize("class_index", [0, 3])
def test_gradcam_equals_the_hooked_reference(pooled: SmallClassifier, layer: str, class_index: int) -> None:
    """'branch' and 'norm' lie beside a skip connection, which must count as a constant."""
    model_input = PlainInput.noise(SIZE, SIZE)
    found = explain(pooled, model_input, target=class_index, layer=layer, rectify=False)
    part = pooled.module.get_submodule(layer)
    assert_same_map(found.values, reference_gradcam(pooled.module, part, model_input.tensor, lambda z: z[class_index]))


def test_flattened_heads(flattened: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    found = explain(flattened, model_input, target=2, rectify=False)
    assert found.layer == "features.1"
    part = flattened.module.features
    assert_same_map(found.values, reference_gradcam(flattened.module, part, model_input.tensor, lambda z: z[2]))


@pytest.mark.parametrize("layer", ["features.0", "features.2", "features.3", "classifier.0", "classifier.1"])
@pytest.mark.parametrize("score", ["logit", "probability", "centred"])
def test_class_map_heads(layer: str, score: str) -> None:
    """SqueezeNet's kind of head is entered by hand where the target speaks of few classes; before, at and after it."""
    classifier = classifier_of(ClassMaps(), size=SIZE)
    model_input = PlainInput.noise(SIZE, SIZE)
    part = classifier.module.get_submodule(layer)
    for target in (1, (3, 1)):
        asked = Target(target if isinstance(target, tuple) else (target,), "", score)  # type: ignore[arg-type]
        expected = reference_gradcam(
            classifier.module, part, model_input.tensor, lambda z, y=asked: y.values(z[None])[0]
        )
        found = explain(classifier, model_input, target=target, layer=layer, score=score, rectify=False)  # type: ignore[arg-type]
        assert_same_map(found.values, expected)


def test_both_calls_of_a_reused_relu(pooled: SmallClassifier) -> None:
    """The reference runs the rest of the network by hand from each of the two outputs of the one ReLU module."""
    module, model_input = pooled.module, PlainInput.noise(SIZE, SIZE)
    with torch.no_grad():
        first = torch.relu(module.first(model_input.tensor))
        second = torch.relu(first + module.norm(module.branch(first)))

    def rest(x: torch.Tensor) -> torch.Tensor:
        return module.linear(torch.relu(module.last(x)).mean(dim=(2, 3)))[0, 1]

    def whole(x: torch.Tensor) -> torch.Tensor:
        return rest(torch.relu(x + module.norm(module.branch(x))))

    for name, activation, after in (("relu", first, whole), ("relu:2", second, rest)):
        leaf = activation.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(after(leaf), leaf)
        expected = (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1)[0].numpy()
        assert_same_map(explain(pooled, model_input, target=1, layer=name, rectify=False).values, expected)


def test_closed_form_equals_the_graph(pooled: SmallClassifier) -> None:
    """Pooling + linear heads skip autograd: the layer that is pooled, with every kind of target, by both ways."""
    x = PlainInput.noise(SIZE, SIZE)
    # The layer that is pooled is a functional ReLU, out of a hook's reach: pool's input is the same tensor.
    module = pooled.module
    with torch.no_grad():
        maps = torch.relu(
            module.last(torch.relu((a := torch.relu(module.first(x.tensor))) + module.norm(module.branch(a))))
        )
    for target in (0, 4, (2, 1)):
        for score in ("logit", "probability", "centred"):
            leaf = maps.clone().requires_grad_(True)
            logits = module.linear(module.pool(leaf).flatten(1))
            spoken = Target(target if isinstance(target, tuple) else (target,), "", score)
            (gradient,) = torch.autograd.grad(spoken.values(logits)[0], leaf)
            expected = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].numpy()
            found = explain(pooled, x, target=target, score=score, rectify=False)
            # Nothing but the order of float32 sums differs: 1e-6 of the largest value.
            assert_same_map(found.values, expected, tolerance=2e-6)


def test_cam_is_gradcam_times_its_number_of_cells(pooled: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, 48)
    for target in (0, 3, (1, 2)):
        for score in ("logit", "probability", "centred"):
            one = explain(pooled, model_input, method="cam", target=target, score=score, rectify=False)
            other = explain(pooled, model_input, method="gradcam", target=target, score=score, rectify=False)
            assert one.values.shape == (8, 12)
            assert_same_map(one.values, other.values * 8 * 12, tolerance=2e-6)


def test_the_mean_of_a_cam_plus_the_bias_is_the_logit(pooled: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    trace = cc.trace(pooled, model_input)
    maps = cam_all(pooled, trace)
    assert maps.shape == (5, 8, 8) and maps.dtype == np.float32
    logits = maps.mean(axis=(1, 2)) + pooled.module.linear.bias.numpy()
    np.testing.assert_allclose(logits, trace.logits, rtol=1e-5, atol=1e-6)
    for index in range(5):
        single = explain(pooled, model_input, method="cam", target=index, rectify=False, trace=trace)
        assert_same_map(maps[index], single.values, tolerance=2e-6)
    chosen = cam_all(pooled, trace, ["class 3", 1])
    assert_same_map(chosen[0], maps[3], tolerance=2e-6)
    assert_same_map(chosen[1], maps[1], tolerance=2e-6)


@pytest.mark.parametrize("layer", [None, "branch"])
def test_linear_in_the_target(pooled: SmallClassifier, layer: str | None) -> None:
    def signed(target: object, score: str = "logit") -> np.ndarray:
        return explain(pooled, x, target=target, layer=layer, score=score, rectify=False).values.astype(np.float64)

    x = PlainInput.noise(SIZE, SIZE)
    logit = np.stack([signed(index) for index in range(5)])
    p = torch.softmax(pooled.module(x.tensor)[0].double(), 0).numpy()
    assert_same_map(signed((2, 4)), logit[2] - logit[4])
    assert_same_map(signed(2, "centred"), logit[2] - logit.mean(axis=0))
    assert_same_map(signed((2, 4), "centred"), logit[2] - logit[4])
    assert_same_map(signed(2, "probability"), p[2] * (logit[2] - np.tensordot(p, logit, 1)))
    assert_same_map(signed((2, 4), "probability"), signed(2, "probability") - signed(4, "probability"))


def test_target_cotangent_is_the_derivative_of_its_value() -> None:
    logits = torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    for indices in ((3,), (0, 6)):
        for score in ("logit", "probability", "centred"):
            target = Target(indices, "", score)
            (gradient,) = torch.autograd.grad(target.values(logits[None])[0], logits)
            torch.testing.assert_close(target.cotangent(logits.detach()), gradient, rtol=1e-12, atol=1e-14)


def test_rectified_is_the_positive_part(pooled: SmallClassifier) -> None:
    x = PlainInput.noise(SIZE, SIZE)
    signed, rectified = (explain(pooled, x, layer="first", rectify=r) for r in (False, True))
    assert (rectified.values == np.maximum(signed.values, 0)).all()
    assert rectified.raw_range == signed.raw_range == (float(signed.values.min()), float(signed.values.max()))
    assert signed.raw_range[0] < 0 < signed.raw_range[1]


def test_target_and_its_number(pooled: SmallClassifier) -> None:
    x = PlainInput.noise(SIZE, SIZE)
    logits = pooled.module(x.tensor)[0].double()
    top = int(logits.argmax())
    found = explain(pooled, x)
    assert found.target == Target((top,), f"class {top}", "logit")
    assert found.target_value == pytest.approx(float(logits[top]), rel=1e-6)
    probability = explain(pooled, x, target="class 2", score="probability")
    assert probability.target_value == pytest.approx(float(torch.softmax(logits, 0)[2]), rel=1e-5)
    assert probability.target.title == "probability of class 2"
    margin = explain(pooled, x, target=(np.int64(1), "class 2"))
    assert margin.target_value == pytest.approx(float(logits[1] - logits[2]), rel=1e-5)
    assert margin.target.label == "class 1 rather than class 2" and margin.target.is_margin


# --- odd networks and inputs ---


@pytest.mark.parametrize("layer", ["inception3b", "inception4c", "inception5b", "inception5b.branch3.1"])
def test_googlenet_with_functional_relus_and_auxiliary_heads(layer: str) -> None:
    googlenet = classifier_of(
        random_weights(torchvision.models.googlenet, aux_logits=True, transform_input=True, init_weights=False), size=96
    )
    model_input = PlainInput.noise(64, 96)
    found = explain(googlenet, model_input, target=5, layer=layer, rectify=False)
    part = googlenet.module.get_submodule(layer)
    assert_same_map(found.values, reference_gradcam(googlenet.module, part, model_input.tensor, lambda z: z[5]))


@pytest.mark.parametrize("layer", ["layer4", "layer4.1.bn2", "layer4.0.downsample.0", "layer2", "conv1", "maxpool"])
def test_resnet_with_reused_relus_on_a_wide_picture(layer: str) -> None:
    resnet = classifier_of(random_weights(torchvision.models.resnet18), size=64)
    model_input = PlainInput.noise(64, 160)
    found = explain(resnet, model_input, target=7, layer=layer, rectify=False)
    part = resnet.module.get_submodule(layer)
    assert_same_map(found.values, reference_gradcam(resnet.module, part, model_input.tensor, lambda z: z[7]))
    assert found.input_size == (64, 160) and found.upsampled().shape == (64, 160)


def test_a_map_of_negative_evidence_says_that_it_is_empty() -> None:
    module = RedPatch()
    with torch.no_grad():
        module.linear.weight.neg_()
    classifier = classifier_of(module, size=SIZE)
    rgb = np.full((SIZE, SIZE, 3), 60, dtype=np.uint8)
    rgb[2:6, 2:6, 0] = 255
    for method in ("cam", "gradcam"):
        rectified = explain(classifier, PlainInput.of(rgb), method=method, target="red")
        assert rectified.is_empty and "No cell speaks for red" in rectified.note
        assert not rectified.values.any() and rectified.raw_range[0] < 0
        signed = explain(classifier, PlainInput.of(rgb), method=method, target="red", rectify=False)
        assert not signed.is_empty and signed.values.min() < 0


def test_a_flat_picture_gives_a_map_that_says_nothing() -> None:
    classifier = classifier_of(RedPatch(), size=SIZE)
    rgb = np.full((SIZE, SIZE, 3), (200, 50, 50), dtype=np.uint8)
    found = explain(classifier, PlainInput.of(rgb), target="red")
    assert found.is_empty and "All cells are equal" in found.note


def test_an_image_in_a_batch_is_not_needed_to_change_the_map(pooled: SmallClassifier) -> None:
    """In eval mode the map of one picture does not depend on what was explained before it."""
    first, second = PlainInput.noise(SIZE, SIZE, 1), PlainInput.noise(SIZE, SIZE, 2)
    before = explain(pooled, first, layer="first").values
    explain(pooled, second, layer="first")
    assert (explain(pooled, first, layer="first").values == before).all()


# --- nothing is left behind, whatever the surroundings ---


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("layer", [None, "first"])
def test_works_anywhere_and_leaves_nothing(frozen: bool, layer: str | None) -> None:
    classifier = classifier_of(Pooled(), size=SIZE, frozen=frozen)
    model_input = PlainInput.noise(SIZE, SIZE)
    state = {name: value.clone() for name, value in classifier.module.state_dict().items()}
    expected = explain(classifier, model_input, layer=layer, target=1, rectify=False).values
    with torch.no_grad():
        assert (explain(classifier, model_input, layer=layer, target=1, rectify=False).values == expected).all()
    with torch.inference_mode():
        trace = cc.trace(classifier, model_input)
        assert (explain(classifier, model_input, layer=layer, target=1, rectify=False).values == expected).all()
        again = explain(classifier, model_input, layer=layer, target=1, rectify=False, trace=trace)
        assert (again.values == expected).all()
    for parameter in classifier.module.parameters():
        assert parameter.grad is None and parameter.requires_grad is not frozen
    for part in classifier.module.modules():
        assert not part.training and not part._forward_hooks and not part._backward_hooks
    assert not model_input.tensor.requires_grad and model_input.tensor.grad is None
    assert all((value == state[name]).all() for name, value in classifier.module.state_dict().items())
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("layer", [None, "branch"])
def test_a_trace_spares_the_forward_pass(
    pooled: SmallClassifier, layer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    expected = explain(pooled, model_input, layer=layer)
    trace = cc.trace(pooled, model_input)

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a forward pass was run")

    monkeypatch.setattr(Batch, "x", property(refuse))
    found = explain(pooled, model_input, layer=layer, trace=trace)
    assert (found.values == expected.values).all() and found.target == expected.target


def test_a_trace_of_something_else_is_refused(pooled: SmallClassifier, flattened: SmallClassifier) -> None:
    one, other = PlainInput.noise(SIZE, SIZE, 1), PlainInput.noise(SIZE, SIZE, 2)
    with pytest.raises(InvalidOption, match="another picture"):
        explain(pooled, one, trace=cc.trace(pooled, other))
    with pytest.raises(InvalidOption, match="another model"):
        explain(pooled, one, trace=cc.trace(flattened, one))


def test_eight_threads_on_one_model_give_the_maps_of_one_thread() -> None:
    resnet = classifier_of(random_weights(torchvision.models.resnet18), size=64)
    jobs = [
        (PlainInput.noise(64, 64, seed), layer, target, method)
        for seed in range(4)
        for target in (1, (2, 3))
        for layer, method in (("layer4", "gradcam"), ("layer2", "gradcam"), ("layer1.0.relu", "gradcam"), (None, "cam"))
    ]

    def run(job: tuple) -> np.ndarray:  # type: ignore[type-arg]
        model_input, layer, target, method = job
        return explain(resnet, model_input, layer=layer, target=target, method=method, rectify=False).values

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that sums are split alike in every run, and maps can be compared bit by bit
    try:
        alone = [run(job) for job in jobs]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(run, jobs * 2))
    finally:
        torch.set_num_threads(n_threads)
    assert all((found == alone[i % len(jobs)]).all() for i, found in enumerate(together))
    assert all(parameter.grad is None for parameter in resnet.module.parameters())
