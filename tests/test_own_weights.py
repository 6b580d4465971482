"""A user's own weights: any wrapper, any architecture here, class names and normalisation; hostile files refused."""

from __future__ import annotations

import argparse
import codecs
import io
import json
import os
import pickle
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models as tvm
from safetensors.torch import save
from torch import nn

import cnn_core as cc
from cnn_core.__main__ import main
from cnn_core.models import card_of
from cnn_core.models.normalisations import list_normalisations, preprocessing_like
from cnn_core.models.recognise import architecture_keys, architecture_of
from cnn_core.samples import list_samples
from cnn_core.training.data import load_data_set
from cnn_core.training.networks import fresh_network, list_networks
from cnn_core.training.run import rgb_of

COW = next(sample.path for sample in list_samples() if sample.key == "cow")
BUILT = "build:conv8k3s2-bn-relu-conv12-relu-gap-linear"
FLAT = "build:conv4-relu-max2-flatten-linear16-relu-linear"


def seeded(build: Any, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        module: nn.Module = build(**options).eval()
        return module


def saved(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def load(raw: bytes, **options: Any) -> cc.Classifier:
    return cc.load_checkpoint(raw, device="cpu", **options)


@pytest.fixture(scope="module")
def squeeze() -> nn.Module:
    return seeded(tvm.squeezenet1_1, num_classes=3)


X = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))


# --- wrappers, and which architecture it is


def under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPED = {
    "lightning, with a loss that has weights": lambda s: {
        "state_dict": under("model.", s) | {"loss.weight": torch.ones(3)},
        "pytorch-lightning_version": "2.1",
        "hyper_parameters": {"lr": 0.1},
    },
    "a backbone inside": lambda s: under("net.backbone.", s) | {"net.scale": torch.ones(1)},
    "data parallel inside lightning": lambda s: {"state_dict": under("model.module.", s)},
    "torchvision's own scripts": lambda s: {"model": s, "optimizer": {"lr": 0.1}, "epoch": 3},
    "an average beside it": lambda s: {"model": s, "model_ema": under("module.", s)},
}


@pytest.mark.parametrize("form", WRAPPED)
def test_the_network_is_found_inside_any_wrapper(form: str, squeeze: nn.Module) -> None:
    classifier = load(saved(WRAPPED[form](squeeze.state_dict())))  # the architecture is not said
    assert classifier.card.title == "SqueezeNet 1.1, your weights"
    assert torch.equal(classifier.module(X), squeeze(X).detach())


def test_what_the_file_tells_is_used(squeeze: nn.Module) -> None:
    told = {"state_dict": squeeze.state_dict(), "arch": "squeezenet1_1", "class_to_idx": {"b": 1, "a": 0, "c": 2}}
    assert load(saved(told)).class_names == ("a", "b", "c")
    assert load(saved(told), class_names=["x", "y", "z"]).class_names == ("x", "y", "z")
    lies = told | {"arch": "resnet18", "classes": ["only", "two"]}
    found = load(saved(lies | {"class_to_idx": None}))
    assert found.card.title.startswith("SqueezeNet") and found.class_names[0] == "class 0"
    tensors = {name: tensor.contiguous() for name, tensor in squeeze.state_dict().items()}
    named = load(save(tensors, metadata={"class_names": "cow,camel,sheep"}), architecture="squeezenet1_1")
    assert named.class_names == ("cow", "camel", "sheep")
    assert load(save(tensors)).card.title == "SqueezeNet 1.1, your weights"  # such files order their tensors anew


def test_a_network_of_greys_in_an_architecture_of_colours() -> None:
    theirs: Any = seeded(tvm.squeezenet1_1, num_classes=2)
    theirs.features[0] = seeded(nn.Conv2d, in_channels=1, out_channels=64, kernel_size=3, stride=2)
    ours = load(saved(theirs.state_dict()), architecture="squeezenet1_1")
    x = X[:, :1]
    assert torch.equal(ours.module(x), theirs(x).detach())
    assert ours.card.channels == 1 and ours.card.preprocessing.mean == pytest.approx((0.449,))  # of .485, .456, .406
    assert ours.preprocess(COW).tensor.shape == (1, 1, 224, 224)


DEEPER = ("_20", "_32", "_44")  # the same as plain_8 and residual_8, only more of it


@pytest.mark.parametrize("key", [network.key for network in list_networks() if not network.key.endswith(DEEPER)])
def test_every_small_network_loads_with_any_number_of_classes(key: str) -> None:
    theirs = fresh_network(key, 5).eval()
    ours = load(saved(theirs.state_dict()), architecture=key)
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.equal(ours.module(x), theirs(x))
    assert ours.card.input_size == (28, 28) and ours.card.n_classes == 10
    state = theirs.state_dict()
    weight = list(state)[-2]
    three = load(saved({**state, weight: state[weight][:3], list(state)[-1]: torch.zeros(3)}), architecture=key)
    assert three.class_names == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("key", "data", "shape"),
    [(BUILT, "cow_camel:95", (3, 48)), (FLAT, "cow_camel:95", (3, 48)), (BUILT, "digits", (1, 28))],
)
def test_a_built_network_loads_by_its_specification(key: str, data: str, shape: tuple[int, int]) -> None:
    theirs = fresh_network(key, 5, data).eval()
    ours = load(saved({"state_dict": theirs.state_dict(), "architecture": key}))
    fed = ours.card.preprocessing
    assert (fed.channels, fed.crop) == shape
    x = torch.randn(1, shape[0], shape[1], shape[1], generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.equal(ours.module(x), theirs(x))


def test_a_run_saved_by_the_app_opens_with_the_same_answers(tmp_path: Path) -> None:
    run = cc.train("lenet", seed=1, steps=3, n_train=64)
    tensors, _ = run.save(tmp_path / "run")
    ours = cc.load_checkpoint(tensors, architecture=run.recipe.network, device="cpu")
    seen = ours.card.preprocessing.from_rgb(rgb_of(load_data_set("digits")[1].pictures[0]))
    assert np.array_equal(cc.trace(ours, seen).logits, cc.trace(run.classifier(), run.example(0)).logits)


def test_several_that_fit_are_named_and_none_is_guessed() -> None:
    raw = saved(fresh_network("plain_8", 1).state_dict())
    with pytest.raises(cc.InvalidCheckpoint, match=r"several architectures.*\[plain_8\].*\[residual_8\].*Choose one"):
        load(raw)
    with pytest.raises(cc.InvalidCheckpoint, match="fit none of the architectures"):
        load(saved({"a.weight": torch.zeros(3, 4), "a.bias": torch.zeros(3)}))
    with pytest.raises(cc.UnknownModel, match=r"no architecture 'resnet19'.*resnet18"):
        load(raw, architecture="resnet19")
    with pytest.raises(cc.InvalidOption, match="Layer 2"):
        load(raw, architecture="build:conv8-nonsense-linear")


def test_the_wrong_architecture_is_refused_with_the_first_misfits_and_the_right_one(squeeze: nn.Module) -> None:
    raw = saved(squeeze.state_dict())
    with pytest.raises(
        cc.InvalidCheckpoint, match=r"do not fit SqueezeNet 1\.0: missing .* and 9 more.*They fit SqueezeNet 1\.1"
    ):
        load(raw, architecture="squeezenet1_0")
    with pytest.raises(cc.InvalidCheckpoint, match=r"ResNet-18: its last layer fc\.weight is missing.*SqueezeNet 1\.1"):
        load(raw, architecture="resnet18")
    cut = {name: t[:, :1] if name == "features.3.squeeze.weight" else t for name, t in squeeze.state_dict().items()}
    with pytest.raises(
        cc.InvalidCheckpoint, match=r"squeeze\.weight has the shape \(16, 1, 1, 1\), and \(16, 64, 1, 1\)"
    ):
        load(saved(cut), architecture="squeezenet1_1")


def test_every_architecture_has_a_key_of_its_own() -> None:
    keys = architecture_keys()
    assert len(set(keys)) == len(keys) > 90
    assert architecture_of("mlp", {}).title == "MLP 784-128-10"


# --- class names


@pytest.mark.parametrize(
    "text",
    [
        "cow\ncamel\n\n",
        "\ufeffcow\r\ncamel",
        '["cow", "camel"]',
        '{"0": "cow", "1": "camel"}',
        '{"camel": 1, "cow": 0}',
        '{"0": ["n01", "cow"], "1": ["n02", "camel"]}',
        '{"id2label": {"0": "cow", "1": "camel"}, "model_type": "resnet"}',
        '{"classes": ["cow", "camel"]}',
    ],
)
def test_class_names_from_every_usual_file(text: str, tmp_path: Path) -> None:
    assert cc.read_class_names(text.encode()) == ("cow", "camel")
    path = tmp_path / "names"
    path.write_bytes(text.encode())
    assert cc.read_class_names(path) == ("cow", "camel")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 names"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b'["cow", ', "begins like JSON but is none"),
        (b'{"0": "cow", "2": "camel"}', "from 0 to 1, each once; 1 is missing"),
        (b'{"cow": "camel"}', "neither the keys nor the values"),
        (b'["cow", {}]', "class 1 is no text"),
        (b'["cow", ""]', "class 1, '', is empty"),
        (json.dumps(["x" * 300]).encode(), "longer than 200"),
        (b"[" * 100_000, "nested too deeply|begins like JSON"),
        (b"a\n" * 3_000_000, "at most 4 MB"),
        (b"a\n" * 100_001, "100,001 names"),
    ],
)
def test_what_gives_no_class_names_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(cc.InvalidOption, match=words):
        cc.read_class_names(content)


# --- preprocessing


def test_the_tensor_is_normalised_as_was_asked() -> None:
    raw = saved(fresh_network(BUILT, 5, "cow_camel:95").state_dict())
    picture = cc.load_image(COW)
    for preset in list_normalisations():
        seen = load(raw, architecture=BUILT, preprocessing=preset.key).preprocess(picture)
        mean, std = (torch.tensor(v if len(v) == 3 else v * 3).view(3, 1, 1) for v in (preset.mean, preset.std))
        pixels = torch.from_numpy(seen.shown_rgb.copy()).permute(2, 0, 1) / 255
        # Two roundings of float32 apart.
        assert torch.allclose(seen.tensor[0], (pixels - mean) / std, rtol=1e-5, atol=1e-5)
    own = load(raw, architecture=BUILT)
    small = load(raw, architecture=BUILT, preprocessing=lambda like: preprocessing_like(like, "bytes", side=96))
    assert small.preprocess(picture).tensor.shape == (1, 3, 96, 96)
    assert len({own.key, small.key, load(raw, architecture=BUILT, preprocessing="bytes").key}) == 3


def test_a_new_side_keeps_the_share_that_the_crop_takes() -> None:
    base = card_of("resnet18").preprocessing
    assert (base.resize, base.crop) == (256, 224)
    assert preprocessing_like(base, side=96).resize == 110 == round(96 * 256 / 224)
    assert preprocessing_like(base) == base


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"normalisation": "imagnet"}, "Did you mean 'imagenet'"),
        ({"side": 4}, "8 to 1024 pixels, not 4"),
        ({"side": 96, "resize": 64}, "between the side"),
        ({"std": [0.0]}, "larger than 0"),
        ({"mean": [float("nan")]}, "finite"),
        ({"mean": [0.1, 0.2]}, "one for each of the 3"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    base = card_of("squeezenet1_1").preprocessing
    with pytest.raises(cc.InvalidOption, match=words):
        preprocessing_like(base, **options)


def test_a_size_that_the_network_cannot_read_is_refused(squeeze: nn.Module) -> None:
    raw = saved(squeeze.state_dict())
    with pytest.raises(cc.InvalidOption, match=r"SqueezeNet 1\.1 cannot read pictures of 10 × 10 pixels"):
        load(raw, architecture="squeezenet1_1", preprocessing=lambda own: preprocessing_like(own, side=10))
    lenet = saved(fresh_network("lenet5", 1).state_dict())
    with pytest.raises(cc.InvalidOption, match="LeNet-5 cannot read pictures of 32 × 32"):
        load(lenet, architecture="lenet5", preprocessing=lambda own: preprocessing_like(own, side=32))


# --- hostile files


class Call:
    """Unpickling this would call a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize("form", ["new", "old", "pickle 0", "pickle 2", "pickle 4", "hidden"])
def test_code_in_a_pickle_is_named_and_never_run(form: str, tmp_path: Path) -> None:
    trap = tmp_path / "was run"
    evil = {"fc3.weight": Call(os.open, str(trap), os.O_CREAT)}
    raw = {
        "new": lambda: saved(evil),
        "old": lambda: saved(evil, _use_new_zipfile_serialization=False),
        "hidden": lambda: saved({"state_dict": {"fc3.weight": torch.zeros(2, 3)}, "x": evil}),
    }.get(form, lambda: pickle.dumps(evil, protocol=int(form[-1])))()
    with pytest.raises(cc.InvalidCheckpoint, match=r"Python objects besides tensors \(posix\.open\).*state_dict\(\)"):
        load(raw)
    assert not trap.exists()


@pytest.mark.parametrize(
    "call", [Call(bytearray, 4 * 10**9), Call(codecs.encode, Call(codecs.encode, b"aa", "hex_codec"), "hex_codec")]
)
def test_what_torch_allows_and_fills_the_memory_is_refused(call: Call) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        with pytest.raises(cc.InvalidCheckpoint, match=r"Python objects.*(bytearray|_codecs\.encode)"):
            load(saved({"fc3.weight": call}, **options))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB, where 4 GB were asked for


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (COW.read_bytes(), "is a JPEG picture, not weights"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a PNG picture"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "Keras"),
        (b"\x1f\x8b" + bytes(50), "packed archive"),
        (saved({"state_dict": {}, "args": argparse.Namespace(lr=1)}), r"argparse\.Namespace"),
        (saved(nn.Conv2d(1, 1, 1)), r"torch\.nn\.modules\.conv\.Conv2d"),
    ],
)
def test_another_file_under_the_name_of_weights_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(cc.InvalidCheckpoint, match=words):
        load(raw)


def test_archives_that_are_no_weights_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("cow.jpg", COW.read_bytes())
    with pytest.raises(cc.InvalidCheckpoint, match="zip archive without weights"):
        load(packed.getvalue())
    script = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), script)
    with pytest.raises(cc.InvalidCheckpoint, match="TorchScript"):
        load(script.getvalue())


def test_tensors_without_their_numbers_are_refused(squeeze: nn.Module) -> None:
    state = squeeze.state_dict()
    empty = {**state, "features.0.bias": torch.empty(64, device="meta")}
    with pytest.raises(cc.InvalidCheckpoint, match="a shape and no numbers"):
        load(saved(empty), architecture="squeezenet1_1")
    claims = {**state, "classifier.1.weight": torch.zeros(1).expand(90_000, 512, 1, 1)}
    with pytest.raises(cc.InvalidCheckpoint, match="no usable number of classes"):
        load(saved(claims), architecture="squeezenet1_1")


# --- the command line


def test_the_command_line_takes_a_checkpoint(
    squeeze: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, names = tmp_path / "mine.pt", tmp_path / "names.txt"
    torch.save(squeeze.state_dict(), weights)
    names.write_text("cow\ncamel\nsheep\n")
    own = ["--checkpoint", str(weights), "--classes", str(names), "--normalisation", "minus_one_to_one", "--side", "96"]
    assert main(["predict", str(COW), *own, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    expected = load(
        weights.read_bytes(),
        architecture="squeezenet1_1",
        preprocessing=lambda like: preprocessing_like(like, "minus_one_to_one", side=96),
    )
    logits = cc.trace(expected, expected.preprocess(COW)).logits
    assert {one["class"]: one["logit"] for one in told["predictions"]} == dict(
        zip(("cow", "camel", "sheep"), map(float, logits), strict=True)
    )
    for arguments, words in (
        (["--checkpoint", str(COW)], "JPEG picture"),
        (["--side", "96"], "--side belongs to --checkpoint"),
        (["--checkpoint", str(weights), "--weights", "random"], "contradict"),
        (["--checkpoint", str(weights), "--model", "resnet18"], "They fit SqueezeNet 1.1"),
        (["--checkpoint", str(weights), "--classes", str(weights)], "no text in UTF-8"),
    ):
        assert main(["predict", str(COW), *arguments]) == 2
        assert words in capsys.readouterr().err
