"""The answers about networks that learn: from the shipped tables of numbers, or from a network trained in the test."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.bias.ground_report import ground_trial
from cnn_core.bias.mystery import BIASED_FALL, open_suspect, suspect_of_case, suspects
from cnn_core.training import benchmark
from cnn_core.training.data import load_data_set
from cnn_core.training.measuring import to_tensor
from tests.answers import ROOT, answers, choose, finish, judged, offered, said_numbers
from tests.test_pages import open_page
from ui import cached


@cache
def precomputed(experiment: str) -> dict[tuple[str, str], list[float]]:
    """The numbers that were computed once, by arm and measure, read from the file as it lies there."""
    told = json.loads((ROOT / "assets" / "bands" / f"{experiment}.json").read_text(encoding="utf-8"))
    return {(cell["arm"], cell["measure"]): [float(value) for value in cell["values"]] for cell in told["cells"]}


def mean(experiment: str, arm: str, measure: str = "test_accuracy") -> float:
    return float(np.mean(precomputed(experiment)[arm, measure]))


@answers("machines_shift", "machines_shuffle", "machines_few", "machines_explode")
def test_three_machines() -> None:
    at = open_page("machines")
    kinds = ("hog_svm", "mlp", "cnn")
    assert set(offered(at, "machines_shift")) == set(kinds)
    moved = {kind: mean("three_machines", kind, "shift_4") for kind in kinds}
    lost = {kind: mean("three_machines", kind) - mean("three_machines", f"{kind}_shuffled") for kind in kinds}
    few = {kind: mean("three_machines", f"{kind}_100") for kind in kinds}
    # The answers to the first two come once both are guessed.
    survives = max(moved, key=moved.__getitem__)
    at.button(key=f"cl_guess_machines_shift_button_{survives}").click().run()
    said = choose(at, "machines_shuffle", min(lost, key=lost.__getitem__))
    judged(at, "machines_shift", True)
    assert all(f"{100 * moved[kind]:.1f}" in said for kind in kinds)
    said = choose(at, "machines_few", max(few, key=few.__getitem__))
    assert all(f"{100 * few[kind]:.1f}" in said for kind in kinds)
    small, large = (inputs * 128 + 128 + 128 * 10 + 10 for inputs in (28 * 28, 3 * 224 * 224))
    right = min(("8", "64", "190"), key=lambda times: abs(np.log(large / small / float(times))))
    assert f"{large:,}" in choose(at, "machines_explode", right)


@answers("resnet_degradation", "insights_relu", "insights_bn", "insights_input", "insights_augmentation")
@answers("insights_clothes")
def test_precomputed_experiments() -> None:
    shallow, deep = (mean("degradation", arm, "train_accuracy") for arm in ("plain_8", "plain_44"))
    at = open_page("resnet")
    right = "same" if abs(shallow - deep) <= 0.05 else "shallow" if shallow > deep else "deep"
    said = choose(at, "resnet_degradation", right)
    assert f"{100 * shallow:.1f}" in said and f"{100 * deep:.1f}" in said
    reaching = float(np.median(precomputed("activation_depth")["sigmoid", "gradient_reaching_first_layer"]))
    at = open_page("insights", section="relu")
    choose(at, "insights_relu", "tenth" if reaching > 0.1 else "some" if reaching >= 1e-6 else "none")
    learned = [rate for rate in ("0.003", "0.01", "0.03", "0.1", "0.3") if mean("batch_norm", f"plain_{rate}") > 0.9]
    at = open_page("insights", section="batch_norm")
    said = choose(at, "insights_bn", "none" if not learned else "some" if len(learned) < 3 else "most")
    assert f"{len(learned)} of 5" in said
    fine, raw = (mean("input_normalisation", arm) for arm in ("standardised", "raw"))
    at = open_page("insights", section="normalise")
    said = choose(at, "insights_input", "same" if raw > fine - 0.02 else "worse" if raw > 0.5 else "nothing")
    assert f"{100 * raw:.1f}" in said
    small = mean("augmentation", "small")
    gains = {
        "copies": mean("augmentation", "small_augmented") - small,
        "big": mean("augmentation", "big") - small,
        "resnet": mean("augmentation", "resnet7") - small,
    }
    at = open_page("insights", section="augmentation")
    said = choose(at, "insights_augmentation", max(gains, key=gains.__getitem__))
    assert all(f"{100 * gain:+.1f}" in said for gain in gains.values())
    gain = mean("augmentation", "fashion_augmented") - mean("augmentation", "fashion")
    choose(at, "insights_clothes", "helps" if gain > 0.01 else "hurts" if gain < -0.01 else "nothing")


def named_right(network: torch.nn.Module, pictures: torch.Tensor, labels: np.ndarray) -> float:
    with torch.no_grad():
        return float((network(pictures).argmax(1).numpy() == labels).mean())


@pytest.mark.parametrize("n", [200, pytest.param(2_000, marks=pytest.mark.long)])
@answers("imagenet_size", "imagenet_moved")
def test_our_own_benchmark(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the page, every network and machine that learned from clothing; in the gate fewer pictures are asked about."""
    _, whole = load_data_set("fashion")
    test = replace(whole, pictures=whole.pictures[:n], labels=whole.labels[:n])
    monkeypatch.setattr(benchmark, "load_data_set", lambda data: (None, test))
    # What is computed from a few pictures must not be kept for other tests.
    monkeypatch.setattr(cached, "memo", lambda kind, key, make, nbytes: make())
    networks = {
        card.key: cc.load_model(card.key, device="cpu")
        for card in cc.list_models()
        if card.channels == 1 and card.weights_available and card.key != "lenet5"
    }
    from cnn_core.training.machines import shipped_machines
    from cnn_core.training.variants import shift

    moved_pictures = shift(test.pictures, 2, 2)
    assert np.array_equal(moved_pictures[:, 2:, 2:], test.pictures[:, :-2, :-2])
    errors, moved, sizes = {}, {}, {}
    for key, one in networks.items():
        module = one.module
        for kept, pictures in ((errors, test.pictures), (moved, moved_pictures)):
            kept[one.key] = 1 - named_right(module, to_tensor(pictures, one.card.preprocessing), test.labels)
        sizes[one.key] = sum(parameter.numel() for parameter in module.parameters())
        assert key
    for machine in shipped_machines("fashion"):
        key = f"fashion:{machine.key}"
        errors[key] = float((machine.scores(test.pictures).argmax(1) != test.labels).mean())
        moved[key] = float((machine.scores(moved_pictures).argmax(1) != test.labels).mean())
        sizes[key] = machine.n_parameters
    at = open_page("imagenet")
    right = "yes" if min(errors, key=errors.__getitem__) == max(sizes, key=sizes.__getitem__) else "no"
    at.button(key=f"cl_guess_imagenet_size_button_{right}").click().run()
    finish(at, lambda: "imagenet_size" in at.session_state["cl_progress"].answers)
    judged(at, "imagenet_size", True)
    asked = offered(at, "imagenet_moved")
    worst = max(asked, key=lambda one: moved[one] - errors[one])
    at.button(key=f"cl_guess_imagenet_moved_button_{worst}").click().run()
    finish(at, lambda: "imagenet_moved" in at.session_state["cl_progress"].answers)
    judged(at, "imagenet_moved", True)


@pytest.mark.long
@answers("landmarks_cut")
def test_a_skip_or_a_block_is_cut() -> None:
    classifier = cc.load_model("small_resnet", device="cpu")
    _, test = load_data_set("fashion")
    pictures = to_tensor(test.pictures, classifier.card.preprocessing)
    blocks = [block for name, block in classifier.module.named_children() if name.startswith("block")]
    whole = named_right(classifier.module, pictures, test.labels)
    drops = {"shortcut": [], "bn2": []}
    for block in blocks:
        for part, kept in drops.items():
            inner = block.get_submodule(part)
            hook = inner.register_forward_hook(lambda _module, _inputs, output: torch.zeros_like(output))
            kept.append(whole - named_right(classifier.module, pictures, test.labels))
            hook.remove()
    skip, block_off = (float(np.mean(drops[part])) for part in ("shortcut", "bn2"))
    at = open_page("landmarks")
    right = "same" if abs(skip - block_off) <= 0.05 else "skip" if skip > block_off else "block"
    at.button(key=f"cl_guess_landmarks_cut_button_{right}").click().run()
    next(button for button in at.button if button.label.startswith("Cut each part")).click().run()
    finish(at, lambda: "landmarks_cut" in at.session_state["cl_progress"].answers)
    judged(at, "landmarks_cut", True)


def share_on(network: cc.Classifier, kind: Literal["biased", "counter"]) -> float:
    """Share of 200 drawn animals on one kind of ground that a network names right, counted here."""
    herd = ground_trial(network, kind).herd
    x = torch.cat([network.card.preprocessing.from_rgb(rgb).tensor for rgb in herd.pictures])
    return named_right(network.module, x, herd.labels)


@pytest.mark.long
@pytest.mark.parametrize("case", [0, 3])
@answers("grass_mystery")
def test_a_mystery_network(case: int) -> None:
    network = open_suspect(suspect_of_case(case).key)
    usual, other = share_on(network, "biased"), share_on(network, "counter")
    right = "ground" if usual - other > BIASED_FALL else "animal"
    at = open_page("grass", section="mystery", case=str(case))
    finish(at, lambda: any(button.label == "It goes by the ground" for button in at.button))
    at.button(key=f"cl_grass_verdict_{right}").click().run()
    said = judged(at, "grass_mystery", True)
    assert f"{100 * other:.1f} %" in said


@pytest.mark.long
@answers("grass_bias", "grass_repair")
def test_a_network_that_goes_by_the_ground_and_its_repair() -> None:
    at = open_page("grass", correlation="100", seed="1")
    shares = []
    for experiment, arm in (("cow_grass", "at_100"), ("cow_repair", "swap")):
        run = cc.train(experiment, arm=arm, seed=1, evaluate_every=0)
        shares.append(share_on(run.classifier(), "counter"))
    biased, repaired = shares
    right = "none" if biased < 0.1 else "few" if biased < 0.5 else "many" if biased < 0.9 else "all"
    at.button(key=f"cl_guess_grass_bias_button_{right}").click().run()
    at.button(key="cl_grass_train").click().run()
    finish(at, lambda: "grass_bias" in at.session_state["cl_progress"].answers)
    assert said_numbers(judged(at, "grass_bias", True))[0] == pytest.approx(100 * biased, abs=0.05)
    at = open_page("grass", section="repair", repair="swap", seed="1")
    right = "no" if repaired < 0.1 else "partly" if repaired < 0.8 else "yes"
    at.button(key=f"cl_guess_grass_repair_button_{right}").click().run()
    at.button(key="cl_grass_repair_train").click().run()
    finish(at, lambda: "grass_repair" in at.session_state["cl_progress"].answers)
    assert said_numbers(judged(at, "grass_repair", True))[0] == pytest.approx(100 * repaired, abs=0.05)


@pytest.mark.long
@answers("build", "build_without")
def test_a_built_network_and_its_twin() -> None:
    layers, settings = "conv4k3s2-relu-flatten-linear", {"epochs": 1, "n_train": 600, "learning_rate": 0.01}
    at = open_page(
        "build", layers=layers, recipe=",".join(f"{name}~{value}" for name, value in settings.items()), seed="3"
    )
    _, test = load_data_set("digits")
    shares = []
    for spec in (layers, layers.replace("-relu", "")):
        run = cc.train("build", seed=3, arm="own", network=f"build:{spec}", evaluate_every=0, **settings)
        network = run.classifier()
        shares.append(named_right(network.module, to_tensor(test.pictures, network.card.preprocessing), test.labels))
    whole, without = shares
    right = "low" if whole < 0.6 else "middle" if whole < 0.9 else "high" if whole < 0.97 else "top"
    at.button(key=f"cl_guess_build_button_{right}").click().run()
    at.button(key="cl_build_train").click().run()
    finish(at, lambda: "build" in at.session_state["cl_progress"].answers)
    assert f"{100 * whole:.1f} %" in judged(at, "build", True)
    change = without - whole
    right = "same" if abs(change) <= 0.01 else "better" if change > 0 else "worse"
    at.button(key=f"cl_guess_build_without_button_{right}").click().run()
    at.button(key="cl_build_twin").click().run()
    finish(at, lambda: "build_without" in at.session_state["cl_progress"].answers)
    assert f"{100 * without:.1f} % against {100 * whole:.1f} %" in judged(at, "build_without", True)


@pytest.mark.long
@answers("audit")
def test_an_audit_of_a_network_that_goes_by_the_ground() -> None:
    truth = max(suspects(), key=lambda one: one.fall)  # counted in `test_a_mystery_network`
    assert truth.fall > 0.5
    at = open_page("audit")

    def press(label: str) -> None:
        finish(at, lambda: any(button.label.startswith(label) for button in at.button))
        next(button for button in at.button if button.label.startswith(label)).click().run()

    press("40 drawn cows and camels")
    at.button(key="cl_guess_audit_button_supported").click().run()
    for label in ("Look at the 40 pictures", "3 Box", "Use the boxes that come along", "Run the swaps with 40"):
        press(label)
    finish(at, lambda: "audit" in at.session_state["cl_progress"].answers)
    judged(at, "audit", True)
