"""A user's own weights: read without running code, fitted exactly, refused with the reason."""

from __future__ import annotations

import io
import os
import random
import re
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision.models as tvm
from safetensors.torch import save

import cnn_core as cc
from cnn_core.models.architectures import build_architecture
from cnn_core.models.lenet5 import LeNet5
from cnn_core.models.state_dicts import fit, read_state_dict

State = dict[str, torch.Tensor]


def seeded(build: object, **options: object) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return build(**options).eval()  # type: ignore[operator]


@pytest.fixture(scope="module")
def lenet() -> torch.nn.Module:
    return seeded(LeNet5, num_classes=4)


def saved(value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def load(raw: bytes | str | Path, **options: object) -> cc.Classifier:
    return cc.load_checkpoint(raw, architecture="lenet5", device="cpu", **options)  # type: ignore[arg-type]


DIGITS = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))


# What training scripts write: the name of the case -> the file's content for a state dict.
FORMS = {
    "state dict": lambda s: saved(s),
    "old torch format": lambda s: saved(s, _use_new_zipfile_serialization=False),
    "safetensors": lambda s: save({k: v.contiguous() for k, v in s.items()}),
    "nested": lambda s: saved({"epoch": 3, "state_dict": s, "optimizer": {"lr": 0.1}}),
    "model entry": lambda s: saved({"model": s, "epoch": 3}),
    "data parallel": lambda s: saved({f"module.{k}": v for k, v in s.items()}),
    "compiled and parallel": lambda s: saved({f"_orig_mod.module.{k}": v for k, v in s.items()}),
    "lightning": lambda s: saved({"state_dict": {f"model.{k}": v for k, v in s.items()}}),
    "double precision": lambda s: saved({k: v.double() for k, v in s.items()}),
    "parameters": lambda s: saved({k: torch.nn.Parameter(v) for k, v in s.items()}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_gives_the_trained_network(form: str, lenet: torch.nn.Module, tmp_path: Path) -> None:
    raw = FORMS[form](lenet.state_dict())
    path = tmp_path / "weights.bin"
    path.write_bytes(raw)
    for source in (raw, path, str(path)):
        classifier = load(source)
        assert torch.equal(classifier.module(DIGITS), lenet(DIGITS).detach())
        assert classifier.class_names == ("class 0", "class 1", "class 2", "class 3")
    assert classifier.card.n_classes == 4 and classifier.weights == "checkpoint"
    assert classifier.card.n_parameters == 61_706 - 6 * 85  # six classes fewer, each of 84 weights and a bias
    assert "weights.bin" in classifier.weights_note
    assert not any(p.requires_grad for p in classifier.module.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(dtype: torch.dtype, lenet: torch.nn.Module) -> None:
    half = {name: tensor.to(dtype) for name, tensor in lenet.state_dict().items()}
    classifier = load(saved(half))
    for name, tensor in classifier.module.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, half[name].float())


def test_class_names(lenet: torch.nn.Module) -> None:
    raw = saved(lenet.state_dict())
    named = load(raw, class_names=["cow", "camel", "sheep", "goat"])
    assert named.class_index("camel") == 1
    assert named.key != load(raw).key == load(raw).key
    with pytest.raises(cc.InvalidOption, match="4 classes, and 3 class names"):
        load(raw, class_names=["a", "b", "c"])
    with pytest.raises(cc.InvalidOption, match="one string"):
        load(raw, class_names="abcd")
    assert load(saved(LeNet5().state_dict())).class_names[7] == "7"  # as many as the architecture has


def test_a_name_that_two_classes_have_is_not_guessed(lenet: torch.nn.Module) -> None:
    classifier = load(saved(lenet.state_dict()), class_names=["crane", "3", "Crane", "crane"])
    with pytest.raises(
        cc.UnknownClass, match=r"Several classes fit 'crane': 'crane' \(0\), 'Crane' \(2\), 'crane' \(3\)"
    ):
        classifier.class_index("crane")
    assert classifier.class_index("Crane") == 2
    assert (classifier.class_index("3"), classifier.class_index(3), classifier.class_index("2")) == (1, 3, 2)
    with pytest.raises(TypeError):
        classifier.class_index(1.5)  # type: ignore[arg-type]


def test_the_key_tells_weights_apart(lenet: torch.nn.Module) -> None:
    changed = {name: tensor.clone() for name, tensor in lenet.state_dict().items()}
    changed["fc3.bias"][0] += 1e-3
    assert load(saved(changed)).key != load(saved(lenet.state_dict())).key
    assert load(save(lenet.state_dict())).key == load(saved(lenet.state_dict())).key


@pytest.mark.parametrize(
    ("architecture", "build"),
    [
        ("mobilenet_v2", tvm.mobilenet_v2),  # head: linear in a Sequential
        ("squeezenet1_1", tvm.squeezenet1_1),  # head: a 1x1 convolution
        ("shufflenet_v2_x0_5", tvm.shufflenet_v2_x0_5),  # head: fc
        ("densenet121", tvm.densenet121),  # head: classifier
        ("mnasnet0_5", tvm.mnasnet0_5),  # its layout has versions
    ],
)
def test_any_architecture_with_any_number_of_classes(architecture: str, build: object) -> None:
    theirs = seeded(build, num_classes=3)
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    # safetensors carries no version of the layout.
    raw = save({name: tensor.contiguous() for name, tensor in theirs.state_dict().items()})
    ours = cc.load_checkpoint(raw, architecture=architecture, device="cpu")
    assert len(ours.class_names) == 3
    assert torch.equal(ours.module(x), theirs(x).detach())


@pytest.mark.parametrize(("architecture", "build"), [("googlenet", tvm.googlenet), ("inception_v3", tvm.inception_v3)])
def test_heads_that_only_training_uses_are_left_out_and_the_input_is_converted(
    architecture: str, build: object
) -> None:
    theirs = seeded(build, num_classes=5, init_weights=False, aux_logits=True, transform_input=True)
    module = build_architecture(architecture, n_classes=5, trained=True)
    fit(module, theirs.state_dict())
    assert not any("aux" in name.lower() for name, _ in module.named_parameters())
    x = torch.randn(1, 3, 299, 299, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(module(x), theirs(x))


def test_the_names_of_densenets_published_files_are_understood() -> None:
    theirs = seeded(tvm.densenet121)
    old = OrderedDict(
        (
            name.replace("norm1", "norm.1")
            .replace("norm2", "norm.2")
            .replace("conv1", "conv.1")
            .replace("conv2", "conv.2"),
            v,
        )
        if "denselayer" in name
        else (name, v)
        for name, v in theirs.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    module = build_architecture("densenet121", trained=True)
    fit(module, old)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(module(x), theirs(x))


# --- refused -----------------------------------------------------------------------------------------------------


class Touch:
    """Unpickling this would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (self.path, os.O_CREAT)


def test_code_in_a_file_is_never_run(tmp_path: Path, lenet: torch.nn.Module) -> None:
    trap = tmp_path / "was run"
    with pytest.raises(cc.InvalidCheckpoint, match=r"Python objects.*state_dict\(\)"):
        load(saved({"fc3.weight": Touch(str(trap))}))
    assert not trap.exists()
    with pytest.raises(cc.InvalidCheckpoint, match=r"Python objects.*state_dict\(\)"):
        load(saved(lenet))  # a whole pickled module


def changed(state: State, **changes: torch.Tensor | None) -> bytes:
    result = {**state, **{name.replace("__", "."): tensor for name, tensor in changes.items()}}
    return saved({name: tensor for name, tensor in result.items() if tensor is not None})


def test_what_does_not_fit_is_named(lenet: torch.nn.Module) -> None:
    state = lenet.state_dict()
    with pytest.raises(cc.InvalidCheckpoint, match=r"missing conv2\.bias\."):
        load(changed(state, conv2__bias=None))
    with pytest.raises(cc.InvalidCheckpoint, match=r"unexpected conv9\.bias\."):
        load(changed(state, conv9__bias=torch.zeros(1)))
    with pytest.raises(cc.InvalidCheckpoint, match=r"conv1\.weight has the shape \(6, 1, 3, 3\), and \(6, 1, 5, 5\)"):
        load(changed(state, conv1__weight=torch.zeros(6, 1, 3, 3)))
    with pytest.raises(cc.InvalidCheckpoint, match=r"conv1\.bias holds int64"):
        load(changed(state, conv1__bias=torch.zeros(6, dtype=torch.long)))
    with pytest.raises(cc.InvalidCheckpoint, match=r"fc1\.bias holds infinite numbers or NaN"):
        load(changed(state, fc1__bias=torch.full((120,), float("nan"))))


def test_many_names_are_cut_short() -> None:
    state = {f"layer{i}.weight": torch.zeros(1) for i in range(50)} | {"fc3.weight": torch.zeros(4, 84)}
    with pytest.raises(cc.InvalidCheckpoint) as caught:
        load(saved(state))
    assert "and 6 more" in str(caught.value) and "and 47 more" in str(caught.value)  # 10 - 1 - 3 and 50 - 3
    assert len(str(caught.value)) < 300


def test_another_architecture_is_recognised_by_its_last_layer(lenet: torch.nn.Module) -> None:
    with pytest.raises(cc.InvalidCheckpoint, match=r"ResNet-18: its last layer fc\.weight is missing.*conv1\.weight"):
        cc.load_checkpoint(saved(lenet.state_dict()), architecture="resnet18")
    with pytest.raises(cc.UnknownModel):
        cc.load_checkpoint(saved(lenet.state_dict()), architecture="lenet6")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"not a weights file at all", "neither a state dict"),
        (b"\x80\x04broken", "Python objects|damaged"),
        (b"PK\x03\x04 nothing more", "neither a state dict|damaged"),
        (saved([1, 2, 3]), "no weights by name"),
        (saved({}), "no weights by name"),
        (saved({"epoch": 3, "fc3.weight": torch.zeros(1)}), "'epoch', which is no tensor"),
        (saved({"fc3.weight": torch.tensor(1.0)}), r"shape \(\)"),
        (saved({"fc3.weight": torch.zeros(0, 84)}), r"shape \(0, 84\)"),
        (save({"a": torch.zeros(100)})[:-30], "damaged"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_line(raw: bytes, words: str) -> None:
    with pytest.raises(cc.InvalidCheckpoint, match=words) as caught:
        load(raw)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_file_is_refused(share: float, lenet: torch.nn.Module) -> None:
    raw = saved(lenet.state_dict())
    with pytest.raises(cc.InvalidCheckpoint):
        load(raw[: int(len(raw) * share)])


def test_files_that_contradict_themselves_are_refused() -> None:
    small = {"fc3.weight": torch.zeros(2, 84)}
    archive = bytearray(saved(small))
    archive[archive.rindex(b"PK\x06\x07") + 16] = 9  # claims to be one of nine disks
    with pytest.raises(cc.InvalidCheckpoint, match="damaged or cut short"):
        load(bytes(archive))
    old = saved(small, _use_new_zipfile_serialization=False)
    key = re.search(rb"X(.)\0\0\0(\d{6,})q", old)  # the name of the tensor's storage, which stands there twice
    assert key is not None and old.count(key[2]) == 2
    with pytest.raises(cc.InvalidCheckpoint, match="damaged"):
        load(old.replace(key[2], b"0" * len(key[2]), 1))


@pytest.mark.filterwarnings("ignore")  # torch warns of pickle protocols that nobody knows
@pytest.mark.parametrize("form", ["state dict", "old torch format", "safetensors"])
def test_damaged_bytes_are_read_or_refused_and_nothing_else(form: str) -> None:
    raw = FORMS[form]({"fc3.weight": torch.zeros(2, 84), "fc3.bias": torch.zeros(2)})
    dice = random.Random(5)
    refused = 0
    for _ in range(400):
        damaged = bytearray(raw)
        for _ in range(dice.randint(1, 6)):
            # Mostly the beginning, where the structure is.
            damaged[dice.randrange(min(len(raw), dice.choice([100, 300, len(raw)])))] = dice.randrange(256)
        try:
            state = read_state_dict(bytes(damaged), 2**24)
        except cc.InvalidCheckpoint as error:
            refused += 1
            assert str(error).endswith(".") and "\n" not in str(error)
        else:
            assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert refused > 100


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    with pytest.raises(cc.InvalidCheckpoint, match="no file"):
        load(tmp_path / "absent.pth")
    with pytest.raises(cc.InvalidCheckpoint, match="cannot be read"):
        load(tmp_path)


def test_size_is_limited_before_anything_is_read(lenet: torch.nn.Module, tmp_path: Path) -> None:
    raw = saved(lenet.state_dict())
    assert load(raw, max_bytes=len(raw) + 1000).card.n_classes == 4
    with pytest.raises(cc.InvalidCheckpoint, match="larger than"):
        load(raw, max_bytes=len(raw) - 1)
    sparse = tmp_path / "huge.pth"
    with sparse.open("wb") as file:
        file.truncate(2**40)  # a terabyte of nothing, which takes no room on the disk
    with pytest.raises(cc.InvalidCheckpoint, match="larger than 1024 MB"):
        load(sparse)


def test_a_packed_bomb_is_refused_before_it_unpacks() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"")
        archive.writestr("archive/data/0", bytes(30_000_000))
    raw = buffer.getvalue()
    assert len(raw) < 100_000
    with pytest.raises(cc.InvalidCheckpoint, match="unpacks to more than"):
        load(raw, max_bytes=10_000_000)


def test_a_tensor_that_claims_a_huge_shape_allocates_nothing(lenet: torch.nn.Module) -> None:
    huge = torch.zeros(1).expand(10**9, 84)  # one number, claimed 84 billion times
    with pytest.raises(cc.InvalidCheckpoint, match="no usable number of classes"):
        load(changed(lenet.state_dict(), fc3__weight=huge))
    with pytest.raises(cc.InvalidCheckpoint, match="shape"):
        load(changed(lenet.state_dict(), fc1__weight=torch.zeros(1).expand(10**6, 10**6)))
    # A head that only training uses is never looked at, however large it claims to be.
    assert load(changed(lenet.state_dict(), aux1__x=torch.zeros(1).expand(10**6, 10**6))).card.n_classes == 4
