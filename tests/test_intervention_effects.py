"""What an intervention did, against torch and the ledger: forecasts, layers, random channels, bits, the table."""

from __future__ import annotations

import copy
import csv
import io
import math
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cnn_core as cc
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from cnn_core.decision import logit_ledger
from cnn_core.errors import InvalidOption
from cnn_core.intervention_effects import (
    change_by_layer,
    changed_channels,
    foretell,
    random_channels,
    report,
    same_bits,
)
from cnn_core.interventions import intervene, unfit
from cnn_core.tracing import Trace

from .torchvision_networks import EVERY_CNN, Bench, bench, least_size, noise_picture, on_meta, with_random_weights

PANDA = Path(__file__).resolve().parent.parent / "assets" / "samples" / "panda.jpg"
LAST = "features.18.2"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def panda(key: str = "mobilenet_v2") -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model(key, device="cpu")
    return classifier, cc.trace(classifier, PANDA)


def measured(changes: tuple[Change, ...], index: int, key: str = "mobilenet_v2") -> float:
    found = intervene(*panda(key), changes)
    return float(found.logits_after[index]) - float(found.logits_before[index])


OTHER_HEADS = ("alexnet", "vgg", "squeezenet", "mobilenet_v3", "convnext")  # flattened, class maps, or several layers
POOLED = [name for name in EVERY_CNN if not name.startswith(OTHER_HEADS)]
WHOLE = ["densenet121", "efficientnet_b0", "googlenet", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5"]


def is_the_ledgers_entry(subject: Bench, found: Trace) -> None:
    """The strongest channels of the last maps and a few others switched off; the entries are worked out here."""
    head = subject.network.linear_head()
    assert head is not None
    maps = found.activation(head.maps).astype(np.float64)
    for class_index in (int(found.logits.argmax()), 3):
        entries = maps.mean(axis=(1, 2)) * head.weight[class_index].double().numpy()
        order = np.argsort(-np.abs(entries))
        for channels in ((int(order[0]),), (int(order[1]),), tuple(map(int, order[2::9]))):
            changes = (SwitchOff(head.maps, channels),)
            after = intervene(subject, found, changes).logits_after[class_index]  # type: ignore[arg-type]
            change, entry = float(after) - float(found.logits[class_index]), float(entries[list(channels)].sum())
            # Relative to the sum that it is an entry of, too: both logits are rounded as float32 sums of that size.
            assert change == pytest.approx(-entry, rel=1e-4, abs=1e-6 * float(np.abs(entries).sum()))
            told = foretell(subject, found, changes, class_index, change)  # type: ignore[arg-type]
            assert told is not None and told.matches
            assert told.change == pytest.approx(-entry, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", POOLED)
def test_a_channel_off_is_the_ledgers_entry_in_every_network(name: str) -> None:
    """All with global pooling and one linear layer; only the head has numbers, and reads maps drawn at random."""
    generator = torch.Generator().manual_seed(0)
    size = least_size(name)
    module = on_meta(name)
    for layer in module.modules():
        if isinstance(layer, nn.Linear) and layer.out_features == 1000:
            layer.weight = nn.Parameter(torch.randn(layer.weight.shape, generator=generator) / 30, requires_grad=False)
            layer.bias = nn.Parameter(torch.randn(1000, generator=generator), requires_grad=False)
    subject = bench(module, (3, size, size))
    head = subject.network.linear_head()
    assert head is not None
    channels = subject.network[head.maps].output_shape[0]
    maps = torch.randn(1, channels, 7, 7, generator=generator).relu()
    found = Trace(subject.key, None, subject.network, {head.maps: maps}, subject.class_names, 0.0)
    is_the_ledgers_entry(subject, found)


@pytest.mark.parametrize("name", WHOLE)
def test_a_channel_off_is_the_ledgers_entry_on_a_picture(name: str) -> None:
    """Whole networks with random weights, one of each family."""
    size = least_size(name)
    subject = bench(with_random_weights(on_meta(name), size), (3, size, size))
    is_the_ledgers_entry(subject, cc.trace(subject, noise_picture(size, size, 5)))  # type: ignore[arg-type]


def test_the_ledger_foretells_edits_of_its_own_layer() -> None:
    classifier, trace = panda()
    row = np.random.default_rng(0).normal(size=1280)
    cases: list[tuple[Change, ...]] = [
        (EditKernel("classifier.1", (388, 43), 0.25),),
        (EditKernel("classifier.1", (388,), row), EditBias("classifier.1", 388, -1.5)),
        (EditBias("classifier.1", 7, 4.0),),
        (SwitchOff(LAST, (43, 74)), SwitchOff(LAST, (74, 5), "mean"), EditKernel("classifier.1", (388, 5), 0.0)),
        (SwitchOff(LAST, (43,), "mean"),),
    ]
    for changes in cases:
        for index in (388, 7):
            told = foretell(classifier, trace, changes, index, measured(changes, index))
            assert told is not None and told.matches, (changes, index, told)
    assert foretell(classifier, trace, (SwitchOff("features.3", (1,)),), 388, 0.0) is None
    assert foretell(classifier, trace, (ChangePicture("flip"),), 388, 0.0) is None
    assert foretell(classifier, trace, (), 388, 0.0) is None
    # A wrong forecast is said to be wrong.
    wrong = foretell(classifier, trace, cases[0], 388, measured(cases[0], 388) + 0.01)
    assert wrong is not None and not wrong.matches


def test_a_class_map_takes_its_whole_logit_along() -> None:
    classifier, trace = panda("squeezenet1_1")
    changes = (SwitchOff("classifier.2", (388, 12)),)
    for index in (388, 12, 3):
        change = measured(changes, index, "squeezenet1_1")
        told = foretell(classifier, trace, changes, index, change)
        assert told is not None and told.matches
        # Only the two classes lose theirs, and they lose all of it.
        assert change == pytest.approx(-float(trace.logits[index]) if index != 3 else 0.0, abs=1e-5)


def test_layers_move_as_a_changed_module_moves() -> None:
    classifier, trace = panda()
    changes = (EditKernel("features.3.conv.1.0", (5, 0), np.zeros((3, 3))),)
    found = intervene(classifier, trace, changes)
    rows = {row.name: row for row in change_by_layer(classifier, trace, found)}
    order = list(rows)
    assert order[0] == "input" and order[-1] == "softmax"
    assert [name for name, row in rows.items() if row.edited] == ["features.3.conv.1.0"]
    at = order.index("features.3.conv.1.0")
    assert all(rows[name].relative == 0 for name in order[:at])
    before: dict[str, torch.Tensor] = {}
    after: dict[str, torch.Tensor] = {}
    edited = copy.deepcopy(classifier.module)
    with torch.no_grad():
        edited.get_submodule("features.3.conv.1.0").weight[5] = 0
    for module, kept in ((classifier.module, before), (edited, after)):
        for path in ("features.3.conv.1.0", "features.18.0"):
            hook = module.get_submodule(path).register_forward_hook
            handle = hook(lambda _m, _i, y, path=path, kept=kept: kept.update({path: y.clone()}))
            with torch.no_grad():
                module(trace.input.tensor)
            handle.remove()
    for path in before:
        if path in rows:
            expected = float((after[path] - before[path]).double().norm() / before[path].double().norm())
            assert rows[path].relative == pytest.approx(expected, rel=1e-5), path
    own = changed_channels(classifier, found, "features.3.conv.1.0")
    assert own.channels == (5,) and (own.moved > 0).sum() == 1
    assert not own.after.any() and own.before.any()
    np.testing.assert_array_equal(own.before[0], before["features.3.conv.1.0"][0, 5].numpy())
    assert changed_channels(classifier, found, "softmax").before.shape[1:] == (1, 1)


def test_what_was_nothing_before_moves_infinitely() -> None:
    classifier, trace = panda()
    off = tuple(range(32))
    base = intervene(classifier, trace, (SwitchOff("features.0.2", off),))
    assert not base.values_after("features.0.2").any()
    rows = change_by_layer(classifier, trace, base)
    assert next(r for r in rows if r.name == "features.0.2").relative == 1.0
    assert all(math.isfinite(r.relative) for r in rows)


def test_random_channels_are_others_and_seeded() -> None:
    classifier, trace = panda()
    ledger = logit_ledger(classifier, trace, 388)
    strongest = tuple(map(int, ledger.order[:4]))
    changes = (SwitchOff(LAST, strongest), ChangePicture("flip"))
    change = measured(changes, 388)
    drawn = random_channels(classifier, trace, changes, 388, change, draws=3)
    again = random_channels(classifier, trace, changes, 388, change, draws=3)
    assert drawn == again and drawn is not None
    assert drawn != random_channels(classifier, trace, changes, 388, change, draws=3, seed=1)
    for effect, ((layer, channels),) in zip(drawn.changes, drawn.draws, strict=True):
        assert layer == LAST and len(set(channels)) == 4 and not set(channels) & set(strongest)
        assert effect == pytest.approx(measured((SwitchOff(LAST, channels), ChangePicture("flip")), 388), abs=1e-6)
    assert drawn.mean == pytest.approx(np.mean(drawn.changes))
    assert drawn.spread == pytest.approx(np.std(drawn.changes, ddof=1))
    assert random_channels(classifier, trace, (ChangePicture("flip"),), 388, 0.0) is None
    assert random_channels(classifier, trace, (SwitchOff("features.0.2", tuple(range(17))),), 388, 0.0) is None


def test_the_report_and_its_table() -> None:
    classifier, trace = panda()
    changes = (SwitchOff(LAST, (43, 74)), ChangePicture("blur", 2))
    found = report(classifier, trace, changes)
    direct = intervene(classifier, trace, changes)
    np.testing.assert_array_equal(found.logits_after, direct.logits_after)
    assert found.same_bits == same_bits(classifier, trace) == 1000
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == 1000 and rows[388]["class"] == "giant panda"
    for row in (rows[0], rows[388], rows[999]):
        i = int(row["class_index"])
        # Nine digits tell float32 numbers apart.
        assert np.float32(row["logit_after"]) == found.logits_after[i]
        assert np.float32(row["probability_before"]) == found.probabilities_before[i]
        assert float(row["logit_change"]) == pytest.approx(found.change(i), rel=1e-7)
    assert found.threshold() == pytest.approx(0.1 * float(trace.logits.std()))
    assert found.verdict(388) == ("fall" if found.change(388) < 0 else "rise")
    assert report(classifier, trace, ()).verdict(388) == "stay"


def test_changes_that_do_not_fit_are_told_apart() -> None:
    classifier, _ = panda()
    picture = cc.load_image(PANDA)
    changes = (
        SwitchOff(LAST, (3,)),
        SwitchOff("conv1", (0,)),
        SabotagePreprocessing("bgr", picture),
        ChangePicture("flip"),
        EditKernel("features.0.0", (0, 9), np.zeros((3, 3))),
        EditBias("classifier.1", 3, float("nan")),
    )
    reasons = unfit(classifier, changes)
    assert sorted(reasons) == [1, 3, 4, 5]
    assert "choose one" in reasons[3] and all(reason.endswith((".", "?")) for reason in reasons.values())
    assert unfit(classifier, (ChangePicture("flip"), ChangePicture("blur"))) == {}
    assert list(unfit(classifier, (ChangePicture("flip"), SabotagePreprocessing("bgr", picture)))) == [1]
    # Nothing that fits is refused when it is done.
    intervene(*panda(), [c for i, c in enumerate(changes) if i not in reasons])
    with pytest.raises(InvalidOption, match="the picture itself"):
        intervene(*panda(), [SabotagePreprocessing("bgr")])


def test_two_visitors_reports_do_not_meet() -> None:
    classifier, trace = panda()
    cases = [(EditKernel("features.0.0", (c,), np.zeros((3, 3, 3))),) for c in range(3)] + [()]
    expected = [report(classifier, trace, case).logits_after for case in cases]
    wrong: list[int] = []

    def visitor(k: int) -> None:
        torch.set_num_threads(1)
        for _ in range(2):
            found = report(classifier, trace, cases[k])
            if not np.array_equal(found.logits_after, expected[k]) or found.same_bits != 1000:
                wrong.append(k)

    threads = [threading.Thread(target=visitor, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(expected[3], trace.logits)
