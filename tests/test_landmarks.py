"""The landmarks: published figures, blocks counted by hand, the small networks' accuracy measured anew, and cuts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torchvision.models as tvm
from safetensors.torch import load_file
from torch import nn

import cnn_core as cc
from cnn_core import landmark_blocks as blocks
from cnn_core import landmark_trials as trials
from cnn_core.assets import ASSETS
from cnn_core.landmarks import LANDMARKS, counted, landmark, reported
from cnn_core.models.weights import SMALL, shipped_metadata
from cnn_core.training import landmark_modules
from cnn_core.training.data import data_set, load_data_set, load_fashion
from cnn_core.training.dropout import Dropouts
from cnn_core.training.landmarks import EXPERIMENT, SEED, write
from cnn_core.training.networks import fresh_network
from cnn_core.training.trainer import resume, train
from ui import landmarks_lesson


# Published figures, and how far "about" may be off: half of the last digit that is named.
@pytest.mark.parametrize(
    ("key", "published", "within"),
    [
        ("alexnet", 61e6, 0.5e6),
        ("vgg16", 138e6, 0.5e6),
        ("googlenet", 6.6e6, 0.05e6),
        ("resnet50", 25.6e6, 0.05e6),
        ("lenet5", 60e3, 5e3),
    ],
)
def test_parameters_are_as_published(key: str, published: float, within: float) -> None:
    assert abs(counted(key).n_parameters - published) <= within
    owner = next(entry for entry in LANDMARKS if key in entry.models)
    assert owner.published_parameters == published
    first = landmarks_lesson.published(owner, {owner.models[0]: counted(owner.models[0])})
    assert f"{counted(owner.models[0]).n_parameters:,}" in first


@pytest.mark.parametrize(
    ("key", "layers"),
    [
        ("lenet5", 5),
        ("alexnet", 8),
        ("vgg16", 16),
        ("googlenet", 22),
        ("resnet18", 18),
        ("resnet34", 34),
        ("resnet50", 50),
    ],
)
def test_a_network_has_the_layers_that_its_paper_counts(key: str, layers: int) -> None:
    assert counted(key).layers == layers


@pytest.mark.parametrize("key", ["alexnet", "vgg16", "resnet18", "resnet50"])
def test_counts_are_torchvisions_own_and_the_slabs_add_up(key: str) -> None:
    found, meta = counted(key), tvm.get_model_weights(key).DEFAULT.meta
    assert found.n_parameters == meta["num_params"]
    assert found.macs / 1e9 == pytest.approx(meta["_ops"], abs=5e-4)  # torchvision rounds to three digits
    assert sum(unit.n_parameters for unit in found.units) == found.n_parameters
    assert sum(unit.macs for unit in found.units) == found.macs
    for unit in found.units:
        assert sum(node.n_parameters for node in unit.nodes) == unit.n_parameters
        assert all(source < place for place, node in enumerate(unit.nodes) for source in node.inputs)


def test_shapes_of_the_slabs_are_those_of_a_real_pass() -> None:
    net = tvm.alexnet(weights=None).eval()
    seen: dict[str, tuple[int, ...]] = {}
    for name, part in net.named_modules():
        part.register_forward_hook(lambda m, i, o, name=name: seen.__setitem__(name, tuple(o.shape[1:])))
    with torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    units = counted("alexnet").units
    assert [unit.shape for unit in units[1:]] == [seen[unit.name] for unit in units[1:]]


def test_accuracies_are_the_weights_own() -> None:
    assert [(one.weights, one.top1) for one in reported("resnet50")] == [
        ("IMAGENET1K_V1", 76.13),
        ("IMAGENET1K_V2", 80.858),
    ]
    table = landmarks_lesson.full_table({key: counted(key) for entry in LANDMARKS for key in entry.models})
    table = table.replace("\N{NO-BREAK SPACE}", " ")  # a number and its unit stay on one line
    assert "76.13 % / 80.86 %" in table and "138,357,544" in table and "15.47 billion" in table
    assert reported("lenet5") == ()


def test_an_unknown_landmark_is_answered_with_the_valid_ones() -> None:
    assert landmark("vgg").models == ("vgg16",)
    with pytest.raises(cc.InvalidOption, match="'googlenet'"):
        landmark("googlnet")


def test_the_connection_table_of_1998() -> None:
    # LeCun et al. 1998, section II.B: 1,516 trainable parameters and 151,600 connections (with the 16 biases).
    table, full = blocks.connections()
    assert [len(reads) for reads in blocks.C3_READS] == [3] * 6 + [4] * 9 + [6]
    assert (table.n_parameters, table.macs + 16 * 100) == (1_516, 151_600)
    assert full.n_parameters == 16 * (6 * 25 + 1)
    assert len(set(blocks.C3_READS)) == 16
    assert all(sum(map_ in reads for reads in blocks.C3_READS) == 10 for map_ in range(6))
    assert sum(layer.n_parameters for layer in blocks.lenet_of_1998()) == 60_000


def test_groups_of_alexnet() -> None:
    # Each layer by hand, and the sum that is known of the network of 2012.
    assert [one.grouped.n_parameters for one in blocks.towers()] == [34_944, 307_456, 885_120, 663_936, 442_624]
    assert blocks.alexnet_of_2012(grouped=True) == 60_965_224
    assert blocks.alexnet_of_2012(grouped=False) - 60_965_224 == 307_200 + 663_552 + 442_368
    theirs = [m for m in tvm.alexnet(weights=None).modules() if isinstance(m, nn.Conv2d)]
    assert [one.torchvision.n_weights for one in blocks.towers()] == [m.weight.numel() for m in theirs]
    assert all(m.groups == 1 for m in theirs)


@pytest.mark.parametrize("channels", [64, 256])
def test_stacks_see_as_far_with_fewer_weights(channels: int) -> None:
    five, two, seven, three = blocks.stacks(channels)
    assert (five.sees, two.sees, seven.sees, three.sees) == (5, 5, 7, 7)
    square = channels**2
    assert (five.n_weights, two.n_weights) == (25 * square, 18 * square)
    assert (seven.n_weights, three.n_weights) == (49 * square, 27 * square)
    assert (five.relus, two.relus, three.relus) == (1, 2, 3)
    assert two.macs == 18 * square * 56 * 56


def test_inception_and_residual_blocks_by_hand() -> None:
    one, two, three, four = blocks.inception()
    assert [branch.outputs for branch in (one, two, three, four)] == [64, 128, 32, 32]
    assert two.built.n_weights == 192 * 96 + 96 * 128 * 9 and two.direct is not None
    assert two.direct.n_weights == 192 * 128 * 9 and two.direct.macs == 192 * 128 * 9 * 28 * 28
    assert three.built.n_weights == 192 * 16 + 16 * 32 * 9 and one.direct is None and four.direct is None
    assert [way.n_weights for way in blocks.five_by_five()] == [192 * 16 + 16 * 32 * 25, 192 * 32 * 25]
    basic, bottleneck, wide = blocks.residual_blocks()
    assert basic.n_weights == 2 * 9 * 64**2 and wide.n_weights == 2 * 9 * 256**2
    assert bottleneck.n_weights == 2 * 64 * 256 + 9 * 64**2


# --- the small networks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", SMALL)
def test_the_accuracy_that_is_told_is_the_accuracy_measured_anew(key: str) -> None:
    """With torch alone: the module, the file of weights, and Fashion-MNIST's own mean and standard deviation."""
    module = landmark_modules.build(key)
    module.load_state_dict(load_file(ASSETS / "weights" / f"{key}.safetensors"))
    _, test = load_fashion()
    x = (torch.from_numpy(test.pictures).float()[:, None] / 255 - 0.2860) / 0.3530
    with torch.no_grad():
        named = torch.cat([module.eval()(part).argmax(1) for part in x.split(200)]).numpy()
    right = int((named == test.labels).sum())
    told = shipped_metadata(key)
    # Written with four digits; one picture of 2,000 is 0.0005. Another processor may turn one close call.
    assert abs(float(told["test_accuracy"]) - right / 2000) <= 0.00051
    classifier = cc.load_model(key, device="cpu")
    assert f"{100 * float(told['test_accuracy']):.1f} %" in classifier.card.weights_note
    assert right > 0.8 * 2000  # guessing gives 0.1
    assert classifier.card.n_parameters == classifier.network.n_parameters <= 300_000
    assert classifier.card.macs == classifier.network.macs
    assert classifier.class_names == data_set("fashion").class_names
    # What the catalogue's network sees of a picture is what it learned from: nothing is inverted by mistake.
    number = 208
    rgb = np.repeat(test.pictures[number][..., None], 3, axis=2)
    seen = classifier.card.preprocessing.apply(cc.load_image(ASSETS / "samples" / "clothing_ankle_boot.png"))
    assert torch.allclose(seen.tensor, x[number : number + 1], atol=1e-6)  # one rounding of float32
    assert (seen.shown_rgb == rgb).all()


def test_all_five_were_trained_with_equal_budget() -> None:
    told = [shipped_metadata(key) for key in SMALL]
    assert len({(one["recipe"], one["n_train"], one["n_test"], one["data"], one["epochs"]) for one in told}) == 1


def test_each_small_network_has_its_familys_signature() -> None:
    built = {key: list(landmark_modules.build(key).modules()) for key in SMALL}

    def of(key: str, kind: type[nn.Module]) -> list[nn.Module]:
        return [part for part in built[key] if isinstance(part, kind)]

    assert of("small_lenet", nn.Tanh) and of("small_lenet", nn.AvgPool2d)
    pools = of("small_alexnet", nn.MaxPool2d)
    assert all(pool.kernel_size > pool.stride for pool in pools) and len(of("small_alexnet", nn.Dropout)) == 2
    assert of("small_alexnet", nn.Conv2d)[0].kernel_size == (7, 7)
    assert {part.kernel_size for part in of("small_vgg", nn.Conv2d)} == {(3, 3)}
    assert len(of("small_googlenet", landmark_modules.Inception)) == 3 and len(of("small_googlenet", nn.Linear)) == 1
    classifier = cc.load_model("small_resnet", device="cpu")
    assert len(trials.residual_blocks(classifier.network)) == 6 and of("small_resnet", nn.BatchNorm2d)


def test_the_script_trains_what_it_writes(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_rng_state()
    settings = {"n_train": 100, "steps": 3}
    run = train(EXPERIMENT, seed=SEED, arm="small_alexnet", evaluate_every=0, **settings)
    again = train(EXPERIMENT, seed=SEED, arm="small_alexnet", evaluate_every=0, **settings)
    assert torch.equal(torch.get_rng_state(), before), "dropout draws from nothing global"
    assert run.digest == again.digest
    path = write(run, tmp_path)  # type: ignore[arg-type]
    kept = load_file(path)
    assert all(torch.equal(kept[name], tensor) for name, tensor in run.weights.items())
    classifier = cc.load_checkpoint(path, architecture="small_alexnet", device="cpu")
    assert classifier.network.n_parameters == run.n_parameters


def test_a_stopped_run_with_dropout_continues_as_if_it_had_not_stopped() -> None:
    settings = {"n_train": 100, "steps": 4, "evaluate_every": 0}
    whole = train(EXPERIMENT, seed=1, arm="small_vgg", **settings)
    asked = iter([False, False, True])
    part = train(EXPERIMENT, seed=1, arm="small_vgg", should_stop=lambda: next(asked), **settings)
    assert (part.state, part.steps_done) == ("stopped", 2)
    end = resume(part, evaluate_every=0)
    for name, tensor in whole.weights.items():
        assert torch.allclose(tensor, end.weights[name], atol=1e-6), name


def test_dropout_drops_what_the_seed_and_the_step_say() -> None:
    module = fresh_network("small_alexnet", 0)
    dropouts = Dropouts(module, 0)
    layer, x = module.get_submodule("dropout1"), torch.ones(8, 1000)
    seen = []
    for step in (0, 1, 0):
        dropouts.begin(step)
        seen.append(layer(x))
    assert torch.equal(seen[0], seen[2]) and not torch.equal(seen[0], seen[1])
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    assert float(seen[0].mean()) == pytest.approx(1, abs=0.05)  # 8,000 draws: standard error 0.011
    assert torch.equal(layer.eval()(x), x)


# --- cuts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few() -> int:
    return 200


def _use_few(monkeypatch: pytest.MonkeyPatch, few: int) -> tuple[torch.Tensor, np.ndarray]:
    train_part, test = load_data_set("fashion")
    part = dataclasses.replace(test, pictures=test.pictures[:few], labels=test.labels[:few], indices=test.indices[:few])
    monkeypatch.setattr(trials, "load_data_set", lambda key: (train_part, part))
    x = (torch.from_numpy(part.pictures.copy()).float()[:, None] / 255 - 0.2860) / 0.3530
    return x, part.labels


def test_a_cut_skip_is_a_network_without_it(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    x, labels = _use_few(monkeypatch, few)
    classifier = cc.load_model("small_resnet", device="cpu")
    cuts = trials.cuts_of(classifier)
    assert [cut.key for cut in cuts[:2]] == ["skip:block1", "block:block1"] and len(cuts) == 12
    done: list[tuple[int, int]] = []
    trial = trials.measure(classifier, cuts[4:6], on_progress=lambda *now: done.append(now))
    assert trial is not None and done[-1] == (few, few)
    # By hand, on a module of its own: block3 with y alone, then with its shortcut alone.
    module = landmark_modules.build("small_resnet").eval()
    module.load_state_dict(load_file(ASSETS / "weights" / "small_resnet.safetensors"))
    block = module.get_submodule("block3")
    with torch.no_grad():
        whole = module(x).argmax(1).numpy()
        block.forward = lambda x: block.relu2(block.bn2(block.conv2(block.relu1(block.bn1(block.conv1(x))))))
        without_skip = module(x).argmax(1).numpy()
        block.forward = lambda x: block.relu2(block.shortcut(x))
        without_block = module(x).argmax(1).numpy()
    assert trial.right == int((whole == labels).sum())
    assert [one.right for one in trial.results] == [
        int((without_skip == labels).sum()),
        int((without_block == labels).sum()),
    ]


def test_a_silent_branch_is_a_network_without_its_weights(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    x, labels = _use_few(monkeypatch, few)
    classifier = cc.load_model("small_googlenet", device="cpu")
    cuts = trials.cuts_of(classifier)
    assert len(cuts) == 12 and {cut.where for cut in cuts} == {"inception1", "inception2", "inception3"}
    chosen = next(cut for cut in cuts if cut.operation.startswith("inception2.branch2."))
    trial = trials.measure(classifier, (chosen,))
    module = landmark_modules.build("small_googlenet").eval()
    state = load_file(ASSETS / "weights" / "small_googlenet.safetensors")
    for name in ("weight", "bias"):
        state[f"inception2.branch2.conv.{name}"].zero_()
    module.load_state_dict(state)
    with torch.no_grad():
        assert trial is not None and trial.results[0].right == int((module(x).argmax(1).numpy() == labels).sum())
    assert trials.measure(classifier, (chosen,), should_stop=lambda: True) is None
    assert trials.cuts_of(cc.load_model("small_vgg", device="cpu")) == ()


def test_the_next_divided_picture(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    x, labels = _use_few(monkeypatch, few)
    networks = tuple(cc.load_model(key, device="cpu") for key in ("small_lenet", "small_vgg"))
    with torch.no_grad():
        votes = np.stack([(network.module(x).argmax(1).numpy() == labels) for network in networks])
    divided = [int(n) for n in np.flatnonzero(votes.any(0) & ~votes.all(0))]
    assert trials.next_divided(networks, divided[0]) == divided[1]
    assert trials.next_divided(networks, divided[-1]) == divided[0], "round the end"
    assert trials.next_divided(networks[:1], 0) is None, "one network is never divided"
    with pytest.raises(cc.InvalidOption, match="0 to 199"):
        trials.test_picture(few)
