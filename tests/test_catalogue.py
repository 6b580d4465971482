"""The catalogue: every convolutional classifier of torchvision with true figures, and nothing built to list it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torchvision.models as tvm
from torch import nn

import cnn_core as cc
from cnn_core.models.architectures import build_architecture
from cnn_core.models.catalogue import card_of, model_keys
from cnn_core.models.families import FAMILIES, family_of
from cnn_core.models.weights import OWN, SMALL

TRANSFORMERS = ("vit_", "swin_", "maxvit_")


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has downloaded before, the tests see only what comes with ConvLens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("CONVLENS_WEIGHTS", raising=False)


def test_the_list_has_every_cnn_of_torchvision_and_our_own_and_no_transformer() -> None:
    keys = [card.key for card in cc.list_models()]
    theirs = {key for key in tvm.list_models(module=tvm) if not key.startswith(TRANSFORMERS)}
    assert set(keys) == theirs | set(OWN) and len(keys) == len(set(keys))


def test_the_list_begins_with_what_comes_along_and_goes_on_by_year() -> None:
    cards = cc.list_models()
    assert [card.key for card in cards[:8]] == ["mobilenet_v2", "squeezenet1_1", "lenet5", *SMALL]
    assert [card.weights_available for card in cards[:9]] == [True] * 8 + [False]
    assert [card.year for card in cards[3:8]] == [1998, 2012, 2014, 2014, 2015]
    order = [(card.year, card.family, card.n_parameters) for card in cards[8:]]
    assert order == sorted(order)
    assert cards[8].key == "alexnet" and cards[-1].key == "convnext_large"


def test_listing_builds_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in (nn.Conv2d, nn.Linear):
        monkeypatch.setattr(layer, "__init__", lambda *a, **k: pytest.fail("a layer was built"))
    cc.list_models()
    begin = time.thread_time()
    cc.list_models()
    # 0.05 s of this thread's own time: ten times that leaves room for slow machines, not for building 80 networks.
    assert time.thread_time() - begin < 0.5


def test_every_card_is_complete_and_readable() -> None:
    cards = cc.list_models()
    assert len({card.title for card in cards}) == len(cards)
    for card in cards:
        assert card.title and card.source and 1998 <= card.year <= 2022, card
        assert card.weights_note.endswith("."), card.weights_note
        assert card.channels == (1 if card.key in OWN else 3)
        assert card.n_classes == (10 if card.key in OWN else 1000)
        assert bool(card.classes_note) == (card.key in OWN)


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("vgg16_bn", "VGG-16 with batch norm"),
        ("vgg16", "VGG-16"),
        ("small_vgg", "Small VGG"),
        ("small_lenet", "Small LeNet"),
        ("small_googlenet", "Small GoogLeNet"),
        ("resnet18", "ResNet-18"),
        ("alexnet", "AlexNet"),
        ("resnext101_32x8d", "ResNeXt-101 32×8d"),
        ("wide_resnet50_2", "Wide ResNet-50-2"),
        ("regnet_x_1_6gf", "RegNetX 1.6 GF"),
        ("regnet_y_400mf", "RegNetY 400 MF"),
        ("efficientnet_v2_s", "EfficientNetV2-S"),
        ("efficientnet_b0", "EfficientNet-B0"),
        ("mnasnet0_75", "MnasNet 0.75"),
        ("shufflenet_v2_x0_5", "ShuffleNet V2 ×0.5"),
        ("mobilenet_v3_small", "MobileNetV3 small"),
        ("convnext_tiny", "ConvNeXt-Tiny"),
    ],
)
def test_titles(key: str, title: str) -> None:
    assert card_of(key).title == title


def test_no_key_belongs_to_two_families() -> None:
    for key in model_keys():
        assert sum(family.pattern.fullmatch(key) is not None for family in FAMILIES) == 1, key
    assert family_of("vit_b_16") is None


@pytest.mark.parametrize("key", model_keys())
def test_the_card_counts_the_parameters_of_the_network_that_runs(key: str) -> None:
    module = build_architecture(key, trained=True)
    assert sum(p.numel() for p in module.parameters()) == card_of(key).n_parameters
    assert not module.training
    assert not any(getattr(part, "inplace", False) for part in module.modules())


@pytest.mark.parametrize("key", ["resnet50", "efficientnet_b1", "inception_v3"])
def test_the_card_has_torchvisions_own_figures(key: str) -> None:
    card, entry = card_of(key), tvm.get_model_weights(key).DEFAULT
    transforms = entry.transforms()
    assert card.weights_name == entry.name
    assert card.macs == round(entry.meta["_ops"] * 1e9)
    assert card.download_megabytes == entry.meta["_file_size"]
    assert card.preprocessing.resize == transforms.resize_size[0]
    assert card.input_size == (transforms.crop_size[0],) * 2
    assert f"{entry.meta['_metrics']['ImageNet-1K']['acc@1']:.1f} %" in card.weights_note


def test_an_unknown_model_is_answered_with_close_keys() -> None:
    with pytest.raises(cc.UnknownModel, match=r"no model 'resnet19'.*Did you mean.*'resnet18'"):
        cc.load_model("resnet19")
    with pytest.raises(cc.UnknownModel, match="Valid names: 'mobilenet_v2'"):
        cc.load_model("zzzzzz")
    with pytest.raises(cc.UnknownModel):  # a transformer of torchvision is no convolutional network
        cc.load_model("vit_b_16", weights="random")
    with pytest.raises(cc.InvalidOption, match="'default' or 'random'"):
        cc.load_model("lenet5", weights="best")
