"""Interventions against hooks on a copied module and the ledger; undo, threads, and refusals."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.decision import logit_ledger
from cnn_core.errors import InvalidLayer, InvalidOption, InvalidUnit
from cnn_core.interventions import (
    ChangePicture,
    EditBias,
    EditKernel,
    SabotagePreprocessing,
    SwitchOff,
    intervene,
)
from cnn_core.picture_changes import change_picture, list_picture_kinds
from cnn_core.preprocessing_trials import preprocessing_trials

from .saliency_networks import Flattened, PlainInput, SmallClassifier, classifier_of

PANDA = Path(__file__).resolve().parent.parent / "assets" / "samples" / "panda.jpg"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    return classifier, cc.trace(classifier, PANDA)


def logits_of(module: nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return module(x)[0].numpy()


def with_hook(
    module: nn.Module, path: str, x: torch.Tensor, edit: Callable[[torch.Tensor], torch.Tensor]
) -> np.ndarray:
    """The logits of a deep copy of the module, in which one layer's output is edited by a forward hook."""
    module = copy.deepcopy(module)
    module.get_submodule(path).register_forward_hook(lambda _m, _i, output: edit(output.clone()))
    return logits_of(module, x)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_switching_off_is_the_ledgers_entry(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    head = classifier.network.linear_head()
    assert head is not None
    for class_index in (388, 7):
        ledger = logit_ledger(classifier, trace, class_index)
        for channel in (*map(int, ledger.order[:4]), *map(int, ledger.against[:2])):
            found = intervene(classifier, trace, [SwitchOff(head.maps, (channel,))])
            drop = float(found.logits_before[class_index]) - float(found.logits_after[class_index])
            # Entries of 0.1 to 3; the two logits' float32 rounding is some 1e-6.
            assert drop == pytest.approx(ledger.contributions[channel], rel=1e-4)
    # Any number of channels at once is their entries' sum; float32 sums over 1280 channels.
    many = tuple(range(0, 1280, 7))
    found = intervene(classifier, trace, [SwitchOff(head.maps, many)])
    assert found.logits_before[7] - found.logits_after[7] == pytest.approx(
        ledger.contributions[list(many)].sum(), rel=1e-4, abs=1e-4
    )


def test_switching_off_twice_or_in_two_steps_is_the_same(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    together = intervene(classifier, trace, [SwitchOff("features.6.conv.3", (3, 5))])
    apart = intervene(classifier, trace, [SwitchOff("features.6.conv.3", (5,)), SwitchOff("features.6.conv.3", (3, 3))])
    np.testing.assert_array_equal(together.logits_after, apart.logits_after)
    assert together.changed == ("features.6.conv.3",)
    assert not together.values_after("features.6.conv.3")[[3, 5]].any()


@pytest.mark.parametrize("to", ["zero", "mean"])
def test_switching_off_is_a_hook_that_replaces(panda: tuple[cc.Classifier, cc.Trace], to: str) -> None:
    classifier, trace = panda

    def edit(output: torch.Tensor) -> torch.Tensor:
        for channel in (1, 9):
            output[:, channel] = 0.0 if to == "zero" else float(output[0, channel].double().mean())
        return output

    expected = with_hook(classifier.module, "features.8.conv.1.2", trace.input.tensor, edit)
    found = intervene(classifier, trace, [SwitchOff("features.8.conv.1.2", (1, 9), to)])  # type: ignore[arg-type]
    # The same layers on the same numbers; the means may differ in their last bit.
    np.testing.assert_allclose(found.logits_after, expected, atol=1e-4)
    assert np.abs(found.logits_after - found.logits_before).max() > 1e-2
    assert float(found.probabilities_after.sum()) == pytest.approx(1, abs=1e-5)


def test_a_pooled_head_reads_nothing_but_means(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    """Setting a map of the last layer to its own mean changes no logit of a pooling + linear head."""
    classifier, trace = panda
    found = intervene(classifier, trace, [SwitchOff("features.18.2", tuple(range(50)), "mean")])
    np.testing.assert_allclose(found.logits_after, found.logits_before, atol=1e-4)


def test_an_edited_kernel_is_an_edited_module_and_undo_is_exact(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    before = state_of(classifier.module)
    rng = np.random.default_rng(0)
    kernel, row = rng.normal(size=(3, 3)), rng.normal(size=1280)
    changes = (
        EditKernel("features.0.0", (4, 1), kernel),
        EditKernel("features.5.conv.1.0", (17, 0, 2, 1), 0.75),
        EditKernel("classifier.1", (388,), row),
        EditBias("classifier.1", 7, 3.5),
    )
    edited = copy.deepcopy(classifier.module)
    with torch.no_grad():
        edited.get_submodule("features.0.0").weight[4, 1] = torch.from_numpy(kernel).float()
        edited.get_submodule("features.5.conv.1.0").weight[17, 0, 2, 1] = 0.75
        edited.get_submodule("classifier.1").weight[388] = torch.from_numpy(row).float()
        edited.get_submodule("classifier.1").bias[7] = 3.5
    found = intervene(classifier, trace, changes)
    np.testing.assert_array_equal(found.logits_after, logits_of(edited, trace.input.tensor))
    assert found.changed == ("features.0.0", "features.5.conv.1.0", "classifier.1")
    assert not np.array_equal(found.logits_after, found.logits_before)
    # Undo: the same without the changes. Bit for bit, and the parameters were never written.
    undone = intervene(classifier, trace, ())
    np.testing.assert_array_equal(undone.logits_after, trace.logits)
    np.testing.assert_array_equal(undone.probabilities_after, trace.probabilities)
    assert undone.changed == () and undone.same_winner
    own = classifier.network.parameters("features.0.0")["weight"][4, 1].numpy()
    same = intervene(classifier, trace, [EditKernel("features.0.0", (4, 1), own)])
    np.testing.assert_array_equal(same.logits_after, trace.logits)
    after = state_of(classifier.module)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in classifier.module.parameters())
    np.testing.assert_array_equal(logits_of(classifier.module, trace.input.tensor), trace.logits)


def test_all_kinds_of_change_at_once(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    edited = copy.deepcopy(classifier.module)
    with torch.no_grad():
        edited.get_submodule("features.0.0").weight[2] *= -1
    weights = -classifier.network.parameters("features.0.0")["weight"][2]
    changes = (
        SwitchOff("features.0.0", (9,)),
        ChangePicture("flip"),
        EditKernel("features.0.0", (2,), weights),
        SwitchOff("features.3", (1,)),
    )
    found = intervene(classifier, trace, changes, k=3)
    flipped = classifier.card.preprocessing.from_rgb(trace.input.shown_rgb[:, ::-1])

    def off(channel: int) -> Callable[..., torch.Tensor]:
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
            return output.index_fill(1, torch.tensor([channel]), 0.0)

        return hook

    edited.get_submodule("features.0.0").register_forward_hook(off(9))
    edited.get_submodule("features.3").register_forward_hook(off(1))
    expected = logits_of(edited, flipped.tensor)
    np.testing.assert_allclose(found.logits_after, expected, atol=1e-5)
    np.testing.assert_array_equal(found.shown_rgb, trace.input.shown_rgb[:, ::-1])
    assert found.changed[:2] == ("input", "features.0.0") and len(found.changed) == 3
    assert [p.index for p in found.after] == list(np.argsort(-expected, kind="stable")[:3])
    assert {c.index for c in found.classes()} == {p.index for p in (*found.before, *found.after)}
    one = found.class_change(388)
    assert (one.logit_before, one.logit_after) == (trace.logits[388], found.logits_after[388])
    np.testing.assert_array_equal(found.values_before("features.3"), trace.activation("features.3"))


def test_another_thread_sees_the_unedited_model(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    stop = threading.Event()
    seen: list[bool] = []
    failures: list[BaseException] = []

    def visitor() -> None:
        torch.set_num_threads(1)
        try:
            while not stop.is_set() or not seen:
                seen.append(np.array_equal(logits_of(classifier.module, trace.input.tensor), trace.logits))
                seen.append(np.array_equal(cc.trace(classifier, trace.input).logits, trace.logits))
        except BaseException as error:
            failures.append(error)

    expected = [
        intervene(classifier, trace, [EditKernel("features.0.0", (c,), np.zeros((3, 3, 3)))]).logits_after
        for c in range(4)
    ]
    visitors = [threading.Thread(target=visitor) for _ in range(2)]
    for thread in visitors:
        thread.start()
    try:
        for n in range(12):
            change = EditKernel("features.0.0", (n % 4,), np.zeros((3, 3, 3)))
            found = intervene(classifier, trace, [change])
            np.testing.assert_array_equal(found.logits_after, expected[n % 4])
    finally:
        stop.set()
        for thread in visitors:
            thread.join()
    assert not failures
    assert len(seen) >= 4 and all(seen)


class _Odd(nn.Module):
    """Paddings of every mode, an even kernel with padding="same", groups, dilation, and one layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.even = nn.Conv2d(3, 4, (4, 2), padding="same")
            self.circular = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular", groups=2)
            self.reflect = nn.Conv2d(4, 4, 3, padding=(2, 1), dilation=2, padding_mode="reflect", stride=2)
            self.twice = nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.valid = nn.Conv2d(4, 6, 2, padding="valid", stride=3)
            self.linear = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.reflect(self.circular(self.even(x)))
        x = self.twice(torch.tanh(self.twice(x)))
        return self.linear(self.valid(x).mean((2, 3)))


@pytest.mark.parametrize("path", ["even", "circular", "reflect", "twice", "valid", "linear"])
@pytest.mark.parametrize("size", [(17, 22), (21, 13)])
def test_every_padding_and_shared_layers(path: str, size: tuple[int, int]) -> None:
    module = _Odd().eval()
    classifier = classifier_of(module, size=17)
    trace = cc.trace(classifier, PlainInput.noise(*size))  # type: ignore[arg-type]
    edited = copy.deepcopy(module)
    weight = edited.get_submodule(path).weight
    with torch.no_grad():
        weight[1] = torch.linspace(-1, 1, weight[1].numel()).view(weight[1].shape)
    found = intervene(classifier, trace, [EditKernel(path, (1,), weight[1].detach().numpy())])  # type: ignore[arg-type]
    # The same sums, but that torch pads "same" itself: at most another order of float32 sums.
    np.testing.assert_allclose(found.logits_after, logits_of(edited, trace.input.tensor), atol=1e-6)
    assert not np.array_equal(found.logits_after, found.logits_before)
    assert len(found.changed) == (2 if path == "twice" else 1)


def test_a_vector_can_lose_a_number() -> None:
    classifier: SmallClassifier = classifier_of(Flattened(), size=32)
    trace = cc.trace(classifier, PlainInput.noise(32, 32))  # type: ignore[arg-type]
    expected = with_hook(
        classifier.module, "hidden", trace.input.tensor, lambda y: y.index_fill(1, torch.tensor([4, 8]), 0.0)
    )
    found = intervene(classifier, trace, [SwitchOff("hidden", (4, 8))])  # type: ignore[arg-type]
    np.testing.assert_allclose(found.logits_after, expected, atol=1e-6)
    with pytest.raises(InvalidOption, match="its own mean"):
        intervene(classifier, trace, [SwitchOff("hidden", (4,), "mean")])  # type: ignore[arg-type]


def test_a_channel_that_lies_last() -> None:
    """ConvNeXt's blocks compute on (row, column, channel)."""
    classifier = cc.load_model("convnext_tiny", weights="random", device="cpu")
    name = next(o.name for o in classifier.network if o.kind == "linear" and len(o.output_shape) == 3)
    trace = cc.trace(classifier, classifier.card.preprocessing.from_rgb(PlainInput.noise(64, 64).shown_rgb))
    found = intervene(classifier, trace, [SwitchOff(name, (2,))])
    after = found.values_after(name)
    assert after.shape[-1] == classifier.network[name].output_shape[-1] != after.shape[0]
    assert not after[..., 2].any()
    np.testing.assert_array_equal(np.delete(after, 2, -1), np.delete(found.values_before(name), 2, -1))


def test_sabotaged_preprocessing_is_the_trials_number(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    picture = cc.load_image(PANDA)
    trials = preprocessing_trials(classifier, picture, trace.input)
    for key in ("bgr", "levels", "quarter_turn"):
        found = intervene(classifier, trace, [SabotagePreprocessing(key, picture)])
        # One picture alone against a batch: other kernels, float32 rounding through 50 layers.
        assert found.logits_after[trials.target_index] == pytest.approx(trials[key].target_logit, abs=1e-3)
        np.testing.assert_array_equal(found.shown_rgb, trials[key].read_rgb)


@pytest.mark.parametrize("kind", [k.key for k in list_picture_kinds()])
def test_every_picture_change(kind: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (40, 57, 3), dtype=np.uint8)
    kept = rgb.copy()
    changed = change_picture(rgb, kind, seed=2)
    assert changed.shape == rgb.shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(rgb, kept)
    assert not np.array_equal(changed, rgb)
    np.testing.assert_array_equal(changed, change_picture(rgb, kind, seed=2))


def test_picture_changes_by_hand() -> None:
    rgb = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    np.testing.assert_array_equal(change_picture(rgb, "flip"), np.fliplr(rgb))
    np.testing.assert_array_equal(change_picture(rgb, "upside_down"), np.flipud(rgb))
    right = change_picture(rgb, "shift", 2)
    np.testing.assert_array_equal(right[:, 2:], rgb[:, :3])
    np.testing.assert_array_equal(right[:, :2], np.repeat(rgb[:, :1], 2, axis=1))
    up = change_picture(rgb, "shift_down", -1)
    np.testing.assert_array_equal(up, np.concatenate([rgb[1:], rgb[-1:]]))
    np.testing.assert_array_equal(change_picture(rgb, "brightness", 250), np.minimum(rgb.astype(int) + 250, 255))
    np.testing.assert_array_equal(change_picture(rgb, "contrast", 1), rgb)
    assert np.ptp(change_picture(rgb, "contrast", 0), axis=(0, 1)).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(change_picture(rgb, "rotate", 180), rgb[::-1, ::-1])
    np.testing.assert_array_equal(change_picture(rgb, "blur", 0), rgb)


def test_refusals(panda: tuple[cc.Classifier, cc.Trace]) -> None:
    classifier, trace = panda
    wrong = {
        InvalidLayer: [
            SwitchOff("no.such", (0,)),
            SwitchOff("softmax", (0,)),
            EditKernel("features.0.1", (0,), 1.0),
            EditBias("features.0.2", 0, 1.0),
        ],
        InvalidUnit: [
            SwitchOff("features.0.0", (32,)),
            SwitchOff("features.0.0", (-1,)),
            EditKernel("features.0.0", (32, 0), np.zeros((3, 3))),
            EditKernel("features.0.0", (0, 0, 0, 0, 0), 1.0),
            EditKernel("features.0.0", (), 1.0),
            EditBias("features.0.0", 0, 1.0),
            EditBias("classifier.1", 1000, 1.0),
        ],
        InvalidOption: [
            SwitchOff("features.0.0", (0,), "one"),  # type: ignore[arg-type]
            EditKernel("features.0.0", (0, 0), np.zeros((3, 2))),
            EditKernel("features.0.0", (0, 0, 0, 0), float("nan")),
            ChangePicture("melt"),
            ChangePicture("blur", -1),
            ChangePicture("blur", float("inf")),
            SabotagePreprocessing("no such", cc.load_image(PANDA)),
        ],
    }
    for error, changes in wrong.items():
        for change in changes:
            with pytest.raises(error):
                intervene(classifier, trace, [change])
    with pytest.raises(InvalidOption, match="numbers"):
        EditKernel("features.0.0", (0, 0), [[1.0], [2.0, 3.0]])
    with pytest.raises(InvalidOption, match="choose one"):
        intervene(classifier, trace, [ChangePicture("flip"), SabotagePreprocessing("bgr", cc.load_image(PANDA))])


def test_changes_can_be_keys() -> None:
    first = EditKernel("a", (0, 1), np.eye(2))
    assert first == EditKernel("a", (0, 1), [[1, 0], [0, 1]]) and len({first, EditKernel("a", (0, 1), np.eye(2))}) == 1
    assert first.values == ((1.0, 0.0), (0.0, 1.0))
