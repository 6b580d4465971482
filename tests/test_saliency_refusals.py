"""What `explain` refuses, in words that say what would be right; and how a new method is added."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision

import cnn_core as cc
from cnn_core.errors import InvalidLayer, InvalidOption, UnknownClass, UnknownMethod
from cnn_core.saliency import cam_all, explain, registry, saliency_methods
from cnn_core.saliency.registry import Evidence, Job, MethodCard, register

from .saliency_networks import Flattened, PlainInput, Pooled, SmallClassifier, classifier_of, random_weights

SIZE = 32


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(Pooled(), size=SIZE)


@pytest.fixture(scope="module")
def flattened() -> SmallClassifier:
    return classifier_of(Flattened(), size=SIZE)


@pytest.mark.parametrize("layer", ["linear", "pool", "flatten", "softmax"])
def test_a_layer_without_maps_is_refused_with_layers_that_would_do(pooled: SmallClassifier, layer: str) -> None:
    with pytest.raises(InvalidLayer, match=r"no spatial maps .* Layers with maps: 'relu_1|relu"):
        explain(pooled, PlainInput.noise(SIZE, SIZE), layer=layer)


def test_channels_last_maps_are_refused() -> None:
    """ConvNeXt computes on (H, W, C) between its permutes."""
    convnext = classifier_of(random_weights(torchvision.models.convnext_tiny), size=64)
    permuted = next(op for op in convnext.network.operations if op.kind == "permute" and not op.has_maps)
    with pytest.raises(InvalidLayer, match="no spatial maps"):
        explain(convnext, PlainInput.noise(64, 64), layer=permuted.name)
    assert explain(convnext, PlainInput.noise(64, 64)).values.shape == (2, 2)


def test_cam_needs_pooling_and_linear(pooled: SmallClassifier, flattened: SmallClassifier) -> None:
    x = PlainInput.noise(SIZE, SIZE)
    with pytest.raises(InvalidLayer, match=r"global average pooling.*Flattened does not.*'gradcam'"):
        explain(flattened, x, method="cam")
    with pytest.raises(InvalidLayer, match="'gradcam'"):
        cam_all(flattened, cc.trace(flattened, x))
    with pytest.raises(InvalidLayer, match=r"not 'first'.*'gradcam'"):
        explain(pooled, x, method="cam", layer="first")


def test_other_refusals(pooled: SmallClassifier) -> None:
    x = PlainInput.noise(SIZE, SIZE)
    with pytest.raises(UnknownMethod, match="gradcam"):
        explain(pooled, x, method="grad_cam")
    with pytest.raises(InvalidLayer):
        explain(pooled, x, layer="nowhere")
    with pytest.raises(InvalidOption, match="'logit', 'probability', 'centred'"):
        explain(pooled, x, score="loss")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match=r"no option 'steps'\. It takes none"):
        explain(pooled, x, steps=3)
    with pytest.raises(InvalidOption, match="itself"):
        explain(pooled, x, target=(1, "class 1"))
    with pytest.raises(InvalidOption, match="two classes, and 3"):
        explain(pooled, x, target=(1, 2, 3))  # type: ignore[arg-type]
    for nonsense in (9, "cow", 1.5, True, (1, None)):
        with pytest.raises(UnknownClass):
            explain(pooled, x, target=nonsense)  # type: ignore[arg-type]


def test_the_registry() -> None:
    cards = {card.key: card for card in saliency_methods()}
    assert {"cam", "gradcam"} <= set(cards)
    for card in cards.values():
        assert card.title and card.paper and card.cost and card.formula and card.needs
    with pytest.raises(ValueError, match="already"):
        register(cards["cam"])(lambda job: None)


def test_a_new_method_is_one_entry(pooled: SmallClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))

    @register(MethodCard("sum", "Sum", "none", False, "1 forward pass", "x", "anything"))
    def brightness(job: Job, *, factor: float = 1.0) -> Evidence:
        values = job.model_input.tensor[0].sum(dim=0).numpy() * factor
        logits = torch.zeros(5)
        return Evidence(values, job.target, logits.numpy())

    x = PlainInput.noise(SIZE, SIZE)
    found = explain(pooled, x, method="sum", factor=2.0)
    np.testing.assert_allclose(found.values, 2 * x.tensor[0].sum(dim=0).numpy())
    np.testing.assert_allclose(found.upsampled(), found.values, rtol=1e-6)  # one cell for each pixel
    assert found.layer is None
    with pytest.raises(InvalidOption, match="reads no layer"):
        explain(pooled, x, method="sum", layer="first")
    with pytest.raises(InvalidOption, match="It takes: 'factor'"):
        explain(pooled, x, method="sum", gain=2.0)
