"""Models load with the weights, preprocessing and class names that they should."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torchvision.models as tvm
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import cnn_core as cc
from cnn_core.assets import ASSETS
from cnn_core.models.catalogue import card_of
from cnn_core.models.initialise import initialise
from cnn_core.models.weights import find, shipped_metadata
from cnn_core.samples import list_samples
from cnn_core.training.data import load_digits
from cnn_core.training.lenet5 import accuracy, to_tensors, train

PHOTOS = {sample.key: sample.path for sample in list_samples()}


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has downloaded before, the tests see only what comes with ConvLens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("CONVLENS_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def mobilenet() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


# --- the weights that come along ---------------------------------------------------------------------------------

EXPECTED = {
    "panda": "giant panda",
    "polar_bear": "ice bear",
    "scarlet_macaw": "macaw",
    "dog": "German shepherd",
    "koala": "koala",
    "bison": "bison",
}


@pytest.mark.parametrize(("photo", "name"), EXPECTED.items())
def test_mobilenet_recognises_the_shipped_animals(mobilenet: cc.Classifier, photo: str, name: str) -> None:
    top = cc.trace(mobilenet, mobilenet.preprocess(PHOTOS[photo])).top(1)[0]
    assert top.name == name and top.probability >= 0.9


@pytest.mark.parametrize("key", ["mobilenet_v2", "squeezenet1_1"])
def test_shipped_weights_give_torchvisions_numbers(key: str) -> None:
    theirs = getattr(tvm, key)(weights=None).eval()
    state = {name: tensor.float() for name, tensor in load_file(ASSETS / "weights" / f"{key}_fp16.safetensors").items()}
    result = theirs.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in result.missing_keys)
    transforms = tvm.get_model_weights(key).IMAGENET1K_V1.transforms()
    with Image.open(PHOTOS["panda"]) as image:
        expected = theirs(transforms(image)[None])[0].detach()
    ours = cc.load_model(key, device="cpu")
    seen = ours.preprocess(PHOTOS["panda"])
    # Equal weights and equal input in equal operations: every bit agrees.
    assert torch.equal(ours.module(seen.tensor)[0], expected)
    assert ours.class_names[int(expected.argmax())] == "giant panda"


@pytest.mark.parametrize("key", ["mobilenet_v2", "squeezenet1_1", "lenet5"])
def test_a_loaded_model_is_frozen_float32_and_in_eval_mode(key: str) -> None:
    classifier = cc.load_model(key, device="cpu")
    assert not any(part.training for part in classifier.module.modules())
    assert not any(p.requires_grad or p.dtype != torch.float32 or p.is_meta for p in classifier.module.parameters())
    assert not any(getattr(part, "inplace", False) for part in classifier.module.modules())
    assert len(classifier.class_names) == classifier.card.n_classes
    assert classifier.network.n_parameters == classifier.card.n_parameters
    assert classifier.weights == "default" and classifier.key.startswith(key + ":default")


def test_the_card_of_lenet5_states_the_measured_accuracy() -> None:
    _, test = load_digits()
    measured = accuracy(cc.load_model("lenet5", device="cpu").module, *to_tensors(test))
    # Written with four digits after the point; one digit of 2,000 is 0.0005.
    assert float(shipped_metadata("lenet5")["test_accuracy"]) == pytest.approx(measured, abs=5e-5)
    assert measured > 0.97
    assert f"{measured * 100:.1f} % of 2,000" in card_of("lenet5").weights_note


def test_lenet5_was_tested_on_digits_that_it_never_saw() -> None:
    train_split, test_split = load_digits()
    assert (len(train_split.labels), len(test_split.labels)) == (8000, 2000)
    assert not {p.tobytes() for p in test_split.pictures} & {p.tobytes() for p in train_split.pictures}
    assert set(test_split.labels) == set(range(10))


def test_lenet5_counts_of_the_card_are_those_of_its_graph() -> None:
    classifier = cc.load_model("lenet5", device="cpu")
    # By hand: 6*26 + 16*151 + 120*401 + 84*121 + 10*85, and 784*150 + 100*2400 + 48000 + 10080 + 840.
    assert classifier.card.n_parameters == classifier.network.n_parameters == 61_706
    assert classifier.card.macs == classifier.network.macs == 416_520


@pytest.mark.parametrize("inverted", [False, True])
def test_lenet5_reads_the_sample_digits_light_on_dark_and_dark_on_light(inverted: bool) -> None:
    classifier = cc.load_model("lenet5", device="cpu")
    for sample in (s for s in list_samples() if s.kind == "digit"):
        rgb = cc.load_image(sample.path).rgb
        picture = cc.load_image(Image.fromarray(255 - rgb if inverted else rgb).resize((140, 140)))
        assert cc.trace(classifier, classifier.preprocess(picture)).top(1)[0].name == sample.key[-1], sample.key


def test_training_lenet5_is_deterministic_and_draws_from_nothing_global() -> None:
    split, _ = load_digits()
    pictures, labels = to_tensors(split)
    before = torch.get_rng_state()
    first, second = (train(pictures[:256], labels[:256]).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)


# --- random weights ----------------------------------------------------------------------------------------------


def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (
        cc.load_model("shufflenet_v2_x0_5", weights="random", device="cpu", seed=s) for s in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), before)
    weights = [dict(c.module.state_dict()) for c in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["fc.weight"], weights[2]["fc.weight"])
    assert (first.weights, first.key) == ("random", "shufflenet_v2_x0_5:random:3") and other.key != first.key
    assert "learned nothing" in first.weights_note


@pytest.mark.parametrize("key", ["squeezenet1_0", "shufflenet_v2_x0_5"])  # without and with batch norms to measure
def test_random_models_built_side_by_side_equal_one_built_alone(key: str) -> None:
    def build() -> dict[str, torch.Tensor]:
        return cc.load_model(key, weights="random", device="cpu").module.state_dict()

    alone = build()
    with ThreadPoolExecutor(2) as pool:
        built = [future.result() for future in [pool.submit(build) for _ in range(2)]]
    assert all(torch.equal(state[name], alone[name]) for state in built for name in alone)


RANDOM = [
    "resnet50",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "densenet121",
    "regnet_y_400mf",
    "convnext_tiny",
    "shufflenet_v2_x0_5",
    "mnasnet0_5",
    "vgg11",
]


@pytest.mark.parametrize("key", RANDOM)
def test_activations_of_random_weights_neither_explode_nor_vanish(key: str) -> None:
    classifier = cc.load_model(key, weights="random", device="cpu")
    logits = classifier.module(classifier.preprocess(PHOTOS["panda"]).tensor)[0]
    # Untreated, the deep ones of these give logits of 10^-14 or 10^7.
    assert 1e-2 < float(logits.std()) < 1e2
    assert not any(part.training or getattr(part, "inplace", False) for part in classifier.module.modules())
    assert not any(p.requires_grad or p.is_meta for p in classifier.module.parameters())
    assert not logits.requires_grad


def test_he_initialisation_has_the_variance_of_its_paper() -> None:
    module = nn.Sequential(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Linear(1000, 500))
    initialise(module, torch.Generator().manual_seed(0))
    conv, linear = module[0], module[2]
    # 73,728 and 500,000 draws: the standard deviation is known to 0.3 %; 2 % is far outside chance.
    assert conv.weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.02)
    assert linear.weight.var().item() == pytest.approx(1 / 1000, rel=0.02)
    assert conv.bias.abs().max().item() == linear.bias.abs().max().item() == 0.0


def test_measured_batch_norms_give_normalised_maps_on_the_pictures_that_were_measured() -> None:
    from cnn_core.models.loading import _pictures

    classifier = cc.load_model("resnet18", weights="random", device="cpu")
    maps = classifier.module.bn1(classifier.module.conv1(_pictures(classifier.card)))
    # Biased against unbiased variance (n = 50,176) and BatchNorm's epsilon: both far below 1e-3.
    assert float(maps.mean(dim=(0, 2, 3)).abs().max()) < 1e-3
    assert float((maps.var(dim=(0, 2, 3)) - 1).abs().max()) < 1e-3
    assert not classifier.module.bn1.training and classifier.module.bn1.momentum == 0.1


# --- weights on this machine -------------------------------------------------------------------------------------


def torchvision_state(key: str) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return tvm.get_model(key, weights=None).state_dict()


def put(folder: Path, entry: tvm.WeightsEnum, state: dict[str, torch.Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / entry.url.rsplit("/", 1)[-1]
    torch.save(state, path)
    return path


@pytest.mark.parametrize("place", ["torch", "own"])
def test_weights_are_found_where_torch_keeps_them_and_in_a_folder_of_ones_own(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, entry = "shufflenet_v2_x0_5", tvm.ShuffleNet_V2_X0_5_Weights.DEFAULT
    assert not card_of(key).weights_available
    state = torchvision_state(key)
    if place == "torch":
        put(tmp_path / "torch" / "hub" / "checkpoints", entry, state)
    else:
        monkeypatch.setenv("CONVLENS_WEIGHTS", str(tmp_path / "own"))
        put(tmp_path / "own", entry, state)
    assert card_of(key).weights_available and "Found on this machine" in card_of(key).weights_note
    classifier = cc.load_model(key, device="cpu")
    theirs = tvm.shufflenet_v2_x0_5(weights=None).eval()
    theirs.load_state_dict(state)
    seen = classifier.preprocess(PHOTOS["cow"])
    assert torch.equal(classifier.module(seen.tensor), theirs(seen.tensor).detach())


def test_a_folder_of_ones_own_goes_before_torchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_WEIGHTS", str(tmp_path / "own"))
    entry = tvm.ShuffleNet_V2_X0_5_Weights.DEFAULT
    put(tmp_path / "torch" / "hub" / "checkpoints", entry, {})
    own = put(tmp_path / "own", entry, {})
    found = find("shufflenet_v2_x0_5")
    assert found is not None and found.path == own
    own.unlink()
    own.mkdir()  # a folder of that name is no file of weights
    found = find("shufflenet_v2_x0_5")
    assert found is not None and found.path.parent.name == "checkpoints"


def test_an_older_entry_brings_its_own_preprocessing(tmp_path: Path) -> None:
    entries = tvm.RegNet_Y_400MF_Weights
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    put(folder, entries.IMAGENET1K_V1, torchvision_state("regnet_y_400mf"))
    card = card_of("regnet_y_400mf")
    assert (card.weights_name, card.preprocessing.resize) == ("IMAGENET1K_V1", 256)
    put(folder, entries.IMAGENET1K_V2, {})
    card = card_of("regnet_y_400mf")
    assert (card.weights_name, card.preprocessing.resize) == ("IMAGENET1K_V2", 232)


def test_weights_without_a_classifier_are_not_taken(tmp_path: Path) -> None:
    put(tmp_path / "torch" / "hub" / "checkpoints", tvm.VGG16_Weights.IMAGENET1K_FEATURES, {})
    assert find("vgg16") is None


def test_absent_weights_name_the_choices() -> None:
    with pytest.raises(cc.WeightsUnavailable) as caught:
        cc.load_model("resnet18")
    message = str(caught.value)
    for word in ("cnn_core fetch resnet18", "45 MB", "CONVLENS_WEIGHTS", "resnet18-f37072fd.pth", 'weights="random"'):
        assert word in message


def test_a_damaged_download_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    path = put(folder, tvm.ResNet18_Weights.DEFAULT, {"fc.weight": torch.zeros(2)})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(cc.WeightsUnavailable, match=r"resnet18-f37072fd\.pth cannot be used \(.*\)\. Delete that file"):
        cc.load_model("resnet18")


# --- the classifier ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "index"),
    [
        (388, 388),
        ("giant panda", 388),
        ("Giant Panda", 388),
        (" giant p ", 388),
        ("388", 388),
        ("German shep", 235),
        ("cardigan", 474),  # the garment
        ("Cardigan", 264),  # the dog
    ],
)
def test_classes_by_name_beginning_or_index(mobilenet: cc.Classifier, target: int | str, index: int) -> None:
    assert mobilenet.class_index(target) == index


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (1000, "0 to 999"),
        (-1, "0 to 999"),
        ("gaint panda", "Did you mean 'giant panda'"),
        ("retriever", "'golden retriever'"),
        ("black", "Several classes fit 'black'"),
        ("CARDIGAN", "Several classes"),
        ("", "no class ''"),
        ("<script>alert(1)</script>", "no class"),
    ],
)
def test_unknown_classes(mobilenet: cc.Classifier, target: int | str, words: str) -> None:
    with pytest.raises(cc.UnknownClass, match=words):
        mobilenet.class_index(target)


def test_digits_are_found_by_name() -> None:
    assert cc.load_model("lenet5", device="cpu").class_index("7") == 7


def test_devices() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    classifier = cc.load_model("lenet5")
    assert classifier.device.type == expected
    assert next(classifier.module.parameters()).device.type == expected
    assert cc.load_model("lenet5", device="cpu").device_note == "CPU"
    for wrong in ("tpu", "cuda:99", "meta", ""):
        with pytest.raises(cc.InvalidOption, match="device"):
            cc.load_model("lenet5", device=wrong)


def test_preprocess_takes_every_kind_of_picture_and_input(mobilenet: cc.Classifier) -> None:
    path = PHOTOS["panda"]
    seen = mobilenet.preprocess(path)
    assert mobilenet.preprocess(seen) is seen
    for source in (str(path), path.read_bytes(), cc.load_image(path)):
        assert torch.equal(mobilenet.preprocess(source).tensor, seen.tensor)
    with pytest.raises(cc.InvalidImage):
        mobilenet.preprocess(b"no picture")


@pytest.mark.parametrize("shape", [(1, 1), (5000, 1), (1, 5000)])
@pytest.mark.parametrize("key", ["mobilenet_v2", "lenet5"])
def test_the_oddest_pictures_get_a_prediction(key: str, shape: tuple[int, int]) -> None:
    classifier = cc.load_model(key, device="cpu")
    trace = cc.trace(classifier, classifier.preprocess(Image.new("RGB", shape, (200, 30, 90))))
    assert float(trace.probabilities.sum()) == pytest.approx(1.0, abs=1e-5)
