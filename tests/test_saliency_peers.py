"""The shipped networks on photographs: Grad-CAM against captum and grad-cam, CAM against the logits, known offsets."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import cnn_core as cc
from cnn_core.saliency import cam_all, on_trial

from .test_saliency import assert_same_map

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"

# Module paths that each run once in a forward pass, so that captum's hooks see one output.
LAYERS = {
    "mobilenet_v2": ("features", "features.14", "features.7.conv.1"),
    "squeezenet1_1": ("features.12", "features.5", "classifier.1"),
    "lenet5": ("conv1", "conv2", "pool2"),
}
CASES = [(key, layer) for key, layers in LAYERS.items() for layer in layers]


@cache
def model(key: str, weights: str = "default") -> cc.Classifier:
    return cc.load_model(key, weights=weights, device="cpu")


def photo(classifier: cc.Classifier, name: str = "panda.jpg") -> cc.ModelInput:
    return classifier.preprocess(SAMPLES / name)


@pytest.mark.parametrize(("key", "layer"), CASES)
@pytest.mark.parametrize("rectify", [False, True])
def test_gradcam_equals_captum(key: str, layer: str, rectify: bool) -> None:
    """Within 1e-5 of the map's largest value, at three layers of each network, with and without the ReLU."""
    classifier = model(key)
    model_input = photo(classifier)
    for index in (int(classifier.module(model_input.tensor).argmax()), 3):
        method = LayerGradCam(classifier.module, classifier.module.get_submodule(layer))
        theirs = method.attribute(model_input.tensor, target=index, relu_attributions=rectify)[0, 0].detach().numpy()
        ours = cc.explain(classifier, model_input, target=index, layer=layer, rectify=rectify)
        if theirs.any():
            assert_same_map(ours.values, theirs)
        else:
            assert ours.is_empty and not ours.values.any()


def test_gradcam_equals_grad_cam() -> None:
    """The numbers before that package stretches and normalises them."""
    classifier = model("mobilenet_v2")
    model_input = photo(classifier)
    # It needs gradients of parameters, so it gets a module of its own.
    module = cc.load_model("mobilenet_v2", device="cpu").module.requires_grad_(True)
    layer = module.features[14]
    with GradCAM(model=module, target_layers=[layer]) as theirs:
        outputs = theirs.activations_and_grads(model_input.tensor)
        outputs[0, 388].backward()
        activations, gradients = (kept[0].detach().numpy() for kept in _kept(theirs))
        targets = [ClassifierOutputTarget(388)]
        image = theirs.get_cam_image(model_input.tensor, layer, targets, activations, gradients, False)
    ours = cc.explain(classifier, model_input, target=388, layer="features.14", rectify=False)
    assert_same_map(ours.values, image[0])


def _kept(method: GradCAM) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    return method.activations_and_grads.activations, method.activations_and_grads.gradients


def test_cam_of_the_panda() -> None:
    classifier = model("mobilenet_v2")
    model_input = photo(classifier)
    trace = cc.trace(classifier, model_input)
    maps = cam_all(classifier, trace)
    bias = classifier.network.linear_head().bias.numpy()  # type: ignore[union-attr]
    # float32 sums of 1280 products for each of 49 cells, against one product of means
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, trace.logits, atol=1e-4)
    cam = cc.explain(classifier, model_input, method="cam", target="giant panda", rectify=False, trace=trace)
    gradcam = cc.explain(classifier, model_input, target="giant panda", rectify=False)
    assert_same_map(cam.values, gradcam.values * 49)
    assert cam.target.indices == (388,) and cam.layer == gradcam.layer == classifier.network.default_layer()


def test_the_panda_is_put_on_trial() -> None:
    """What the map marks costs more than equal areas elsewhere: the claim holds on a picture that everyone knows."""
    classifier = model("mobilenet_v2")
    model_input = photo(classifier)
    trial = on_trial(classifier, model_input, cc.explain(classifier, model_input), fraction=0.2)
    with torch.no_grad():
        logits = classifier.module(model_input.tensor)[0]
    assert trial.before.logit == pytest.approx(float(logits.max()), rel=1e-5)
    assert trial.before.probability == pytest.approx(float(torch.softmax(logits, 0).max()), rel=1e-5)
    removed = classifier.card.preprocessing.from_rgb(trial.marked.shown_rgb)
    with torch.no_grad():
        without = classifier.module(removed.tensor)[0, 388]
    assert trial.marked.logit == pytest.approx(
        float(without), rel=1e-4
    )  # a batch sums in another order than one picture
    assert trial.marked.mask.mean() == pytest.approx(0.2, abs=1e-4)
    assert trial.verdict == "supported"


def test_a_flattened_head_has_no_cam() -> None:
    for key in ("squeezenet1_1", "lenet5"):
        classifier = model(key)
        with pytest.raises(cc.InvalidLayer, match=f"{classifier.card.title} does not.*'gradcam'"):
            cc.explain(classifier, photo(classifier), method="cam")


def test_module_paths_and_pictures_are_taken() -> None:
    classifier = model("squeezenet1_1")
    picture = cc.load_image(SAMPLES / "panda.jpg")
    from_picture = cc.explain(classifier, picture, layer="features")
    from_input = cc.explain(classifier, classifier.preprocess(picture), layer="features.12.cat")
    from_trace = cc.explain(classifier, picture, layer="features", trace=cc.trace(classifier, picture))
    assert from_picture.layer == from_input.layer == from_trace.layer == "features.12.cat"
    assert (from_picture.values == from_input.values).all() and (from_picture.values == from_trace.values).all()
    assert (from_picture.shown_rgb == classifier.preprocess(picture).shown_rgb).all()
    assert from_picture.model_key == classifier.key and from_picture.seconds > 0
