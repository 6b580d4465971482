"""Options and their limits, several classes at once, fused layers, transformers, progress and stopping."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

import cnn_core as cc
from cnn_core.errors import InvalidLayer, InvalidOption
from cnn_core.saliency import explain, explain_classes, explain_layers, registry, saliency_methods
from cnn_core.saliency.placement import read_at
from cnn_core.saliency.progress import Stopped

from .saliency_networks import (
    ClassMaps,
    Flattened,
    PlainInput,
    Pooled,
    SmallClassifier,
    classifier_of,
    random_weights,
    stirred,
)

SIZE = 32
CARDS = {card.key: card for card in saliency_methods()}
FEW = {"smoothgrad": {"samples": 12}, "integrated_gradients": {"steps": 12}, "rise": {"masks": 12}}


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(stirred(Pooled()), size=SIZE)


X = PlainInput.noise(SIZE, SIZE)


def test_the_issues_methods_are_all_there() -> None:
    assert set(CARDS) == {
        "cam", "gradcam", "gradcampp", "xgradcam", "hirescam", "layercam", "eigencam", "ablationcam", "scorecam",
        "fullgrad", "gradient", "gradient_x_input", "smoothgrad", "integrated_gradients", "guided_backprop",
        "guided_gradcam", "occlusion", "rise",
    }  # fmt: skip
    for card in CARDS.values():
        assert card.title and card.cost and card.formula and card.needs and card.warning
        assert card.family in ("class activation", "gradient", "perturbation")
        assert any(year in card.paper for year in map(str, range(2014, 2022)))
        function = registry._ENTRIES[card.key].function
        named = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        assert [option.name for option in card.options] == named or sorted(o.name for o in card.options) == sorted(
            named
        )
        assert function.__doc__
        for option in card.options:
            option.check(option.default)
            assert option.meaning and option.limits
    assert "edge detector" in CARDS["guided_backprop"].warning and "edge detector" in CARDS["guided_gradcam"].warning
    assert {key for key, card in CARDS.items() if card.is_dear} == {
        "ablationcam", "scorecam", "smoothgrad", "integrated_gradients", "occlusion", "rise",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("smoothgrad", {"samples": 0}, "samples must be a whole number from 1 to 1000, and is 0"),
        ("smoothgrad", {"samples": 2.5}, "whole number"),
        ("smoothgrad", {"noise": 1.5}, "noise must be a number from 0 to 1"),
        ("smoothgrad", {"noise": float("nan")}, "noise must be a number"),
        ("smoothgrad", {"seed": True}, "whole number"),
        ("gradient", {"channels": "red"}, "one of 'absmax', 'sum'"),
        ("integrated_gradients", {"baseline": "snow"}, "one of 'zero', 'black'"),
        ("integrated_gradients", {"steps": 10**9}, "from 2 to 1000"),
        ("occlusion", {"size": 0}, "size must be a whole number from 1"),
        ("occlusion", {"size": (4, 4, 4)}, "one number or"),
        ("occlusion", {"stride": "4"}, "whole number"),
        ("occlusion", {"fill": "sand"}, "one of"),
        ("rise", {"shown": 0.0}, "from 0.01 to 0.99"),
        ("rise", {"relative": 1}, "True or False"),
        ("rise", {"size": 3}, "It takes: 'masks'"),
        ("gradcam", {"fusion": "sum"}, "'mean', 'max', 'product'"),
        ("gradcam", {"batch_size": 0}, "batch_size must be a whole number from 1 up"),
        ("gradcam", {"layer": []}, "At least one layer"),
        ("occlusion", {"layer": "first"}, "reads no layer"),
    ],
)
def test_limits(pooled: SmallClassifier, method: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidOption, match=says):
        explain(pooled, X, method=method, **options)  # type: ignore[arg-type]


# CAM needs pooling + linear.
@pytest.mark.parametrize(
    ("network", "method"),
    [(n, m) for n in (Pooled, ClassMaps, Flattened) for m in CARDS if m != "cam" or n is Pooled],
)
def test_several_classes_at_once_are_each_as_alone(network: type, method: str) -> None:
    classifier = classifier_of(stirred(network()), size=SIZE)
    targets: list[cc.saliency.targets.TargetRequest] = [1, (2, 0), None, 3]  # type: ignore[name-defined]
    together = explain_classes(
        classifier, X, targets, method=method, rectify=False, score="probability", **FEW.get(method, {})
    )  # type: ignore[arg-type]
    for target, found in zip(targets, together, strict=True):
        alone = explain(
            classifier, X, method=method, target=target, rectify=False, score="probability", **FEW.get(method, {})
        )  # type: ignore[arg-type]
        assert found.target == alone.target and found.target_value == alone.target_value
        # Gradients of several targets go back side by side: sums in another order.
        assert np.abs(found.values - alone.values).max() <= 2e-5 * np.abs(alone.values).max()


def test_many_classes_run_the_pictures_once(pooled: SmallClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    run = type(pooled.network).run_from

    def counted(self, values, changed, **options):  # type: ignore[no-untyped-def]
        found = run(self, values, changed, **options)
        passes.append(next(iter(found.values())).shape[0])
        return found

    monkeypatch.setattr(type(pooled.network), "run_from", counted)
    explain_classes(pooled, X, list(range(5)), method="occlusion", size=16, stride=16)
    assert sum(passes) == 1 + 4
    passes.clear()
    explain_classes(pooled, X, list(range(5)), method="gradcam")
    assert sum(passes) == 1  # the closed form needs no second run
    passes.clear()
    explain_classes(pooled, X, list(range(5)), method="ablationcam")
    assert sum(passes) == 1
    for wrong in ([], 3, "class 1"):
        with pytest.raises(InvalidOption, match="list"):
            explain_classes(pooled, X, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [key for key, card in CARDS.items() if card.is_dear])
def test_dear_methods_tell_progress_and_can_be_stopped(method: str) -> None:
    classifier = classifier_of(stirred(Flattened()), size=SIZE)
    told: list[tuple[int, int]] = []
    options = FEW.get(method, {})
    explain(classifier, X, method=method, batch_size=4, on_progress=lambda d, t: told.append((d, t)), **options)  # type: ignore[arg-type]
    total = told[0][1]
    assert len(told) >= 2 and told == sorted(told) and told[-1] == (total, total)
    assert all(later[0] - earlier[0] <= 4 for earlier, later in pairwise(told))  # the batch's bound
    with pytest.raises(Stopped, match="stopped"):
        explain(classifier, X, method=method, batch_size=4, should_stop=lambda: len(told) > 0, **options)  # type: ignore[arg-type]
    layers = ("features.0", "features.1") if CARDS[method].needs_layer else None
    if layers:
        told.clear()
        explain(classifier, X, method=method, layer=layers, on_progress=lambda d, t: told.append((d, t)))
        assert told[-1][0] == told[-1][1] and told == sorted(told)  # two layers, one count


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("fusion", ["mean", "max", "product"])
def test_fused_layers(pooled: SmallClassifier, rectify: bool, fusion: str) -> None:
    layers = ("last", "branch", "first")
    parts = [explain(pooled, X, target=1, layer=layer, rectify=rectify) for layer in layers]
    fused = explain(pooled, X, target=1, layer=layers, rectify=rectify, fusion=fusion)  # type: ignore[arg-type]
    assert fused.values.shape == parts[2].values.shape == (16, 16) and fused.placement == parts[1].placement
    read = np.stack([read_at(p.values / p.limit, p.placement, fused.placement, (16, 16)) for p in parts])
    if fusion == "mean":
        expected = read.mean(axis=0)
    elif fusion == "max":
        expected = np.where(read.max(axis=0) >= -read.min(axis=0), read.max(axis=0), read.min(axis=0))
    else:
        expected = np.cbrt(np.prod(np.maximum(read, 0), axis=0))
    np.testing.assert_allclose(fused.values, expected, rtol=1e-5, atol=1e-6)
    assert fused.layer == "last + branch + first" and fused.details["fusion"] == fusion
    assert "each layer on its own scale" in fused.note
    (one,) = explain_classes(pooled, X, [1], layer=layers, rectify=rectify, fusion=fusion)  # type: ignore[arg-type]
    np.testing.assert_allclose(one.values, fused.values, rtol=1e-6)


def test_a_layer_that_carries_nothing_is_left_out_of_a_fusion() -> None:
    module = stirred(Pooled())
    with torch.no_grad():
        module.last.bias.fill_(-100.0)  # type: ignore[union-attr,operator]
    classifier = classifier_of(module, size=SIZE)
    fused = explain(
        classifier, X, target=1, layer=("relu_1", "first") if "relu_1" in classifier.network else ("last", "first")
    )
    assert fused.is_empty and "Left out" in fused.note and not fused.values.any()


def _vit() -> nn.Module:
    return torchvision.models.VisionTransformer(224, 32, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16)


def _swin() -> nn.Module:
    return torchvision.models.SwinTransformer([4, 4], 16, depths=[1, 1], num_heads=[2, 2], window_size=[7, 7])


@pytest.mark.parametrize("build", [_vit, _swin])
def test_a_transformer_gets_a_sentence(build: Callable[[], nn.Module]) -> None:
    """On the meta device, which holds no numbers: the refusal comes before any pass."""
    from cnn_core.network import build_network

    with torch.device("meta"):
        module = build().eval()
        network = build_network(module, (3, 224, 224))
    template = classifier_of(Pooled(), size=SIZE)
    for name, value in (("module", module), ("network", network)):
        object.__setattr__(template, name, value)
    for method in ("gradcam", "eigencam", "scorecam"):
        with pytest.raises(InvalidLayer, match=r"transformer.*attention.*'occlusion'"):
            explain(template, PlainInput.noise(224, 224), method=method)


def test_a_small_transformer_takes_methods_without_a_layer() -> None:
    sizes = {"image_size": 32, "patch_size": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 16}
    vit = random_weights(lambda weights: torchvision.models.VisionTransformer(**sizes, num_classes=3))
    with torch.no_grad():
        vit.heads.head.weight.normal_(generator=torch.Generator().manual_seed(0))  # type: ignore[union-attr,operator]
    classifier = classifier_of(vit, size=32)
    with pytest.raises(InvalidLayer, match="transformer"):
        explain(classifier, X)
    for method in ("occlusion", "gradient", "integrated_gradients"):
        assert not explain(classifier, X, method=method, target=1, rectify=False).is_empty


def test_batches_of_tensors_are_sent_elsewhere(pooled: SmallClassifier) -> None:
    from dataclasses import replace

    both = replace(X, tensor=torch.cat([X.tensor, X.tensor]))
    with pytest.raises(InvalidOption, match="explain_many"):
        explain(pooled, both)


@pytest.mark.parametrize("network", [Pooled, ClassMaps, Flattened])
@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam", "eigencam"])
def test_several_layers_from_one_pass_are_each_as_alone(
    network: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = classifier_of(stirred(network()), size=SIZE)
    names = [op.name for op in classifier.network.map_layers() if op.kind != "input"]
    alone = [explain(classifier, X, method=method, layer=name, target=(1, 2), rectify=False) for name in names]
    runs: list[object] = []
    run, run_from = type(classifier.network).run, type(classifier.network).run_from
    monkeypatch.setattr(
        type(classifier.network), "run", lambda self, *given, **kept: runs.append(given) or run(self, *given, **kept)
    )
    monkeypatch.setattr(
        type(classifier.network),
        "run_from",
        lambda self, *given, **kept: runs.append(given) or run_from(self, *given, **kept),
    )
    together = explain_layers(classifier, X, [*names, names[0]], method=method, target=(1, 2), rectify=False)
    assert len(runs) <= 4  # with a graph, for what is kept, and a closed head's own: however many layers there are
    assert [made.layer for made in together] == [*names, names[0]]
    for one, expected in zip(together, alone, strict=False):
        assert one.target == expected.target and one.placement == expected.placement
        assert np.abs(one.values - expected.values).max() <= 1e-5 * max(np.abs(expected.values).max(), 1e-9)
    assert all(parameter.grad is None for parameter in classifier.module.parameters())
