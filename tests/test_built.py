"""Built networks: shapes, parameters and costs against torch, words where they fail, and code that runs alone."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import cnn_core as cc
from cnn_core.training.built import (
    KINDS,
    LIMITS,
    MAX_PARAMETERS,
    PREFIX,
    PRESETS,
    Layer,
    examine,
    parse,
    plan,
    tidy,
    write,
)
from cnn_core.training.built_modules import export_zip, module_of
from cnn_core.training.data import Form, data_set, load_data_set
from cnn_core.training.measuring import to_tensor
from cnn_core.training.networks import fresh_network
from cnn_core.training.report import REMOVABLE, report_on, shared_beginning, without
from cnn_core.training.run import preprocessing_of

DIGITS = Form(1, 28, 10)
COLOURS = Form(3, 48, 2)
CHEAP = {"n_train": 200, "batch_size": 20, "steps": 12, "learning_rate": 3e-3}
EVERYTHING = "conv6k5s2p1-bn-tanh-avg2-res8-drop30-conv8k2p1-sigmoid-res12s2-relu-max3s2-flatten-linear20-relu-linear"


def counted(module: nn.Module, form: Form) -> list[tuple[str, tuple[int, ...], int, int]]:
    """(name, output shape, parameters, multiply-adds) of each direct child, as torch itself runs it."""
    found: list[tuple[str, tuple[int, ...], int, int]] = []
    x = torch.zeros(1, form.channels, form.side, form.side)
    for name, child in module.eval().named_children():
        macs: list[int] = []

        def note(layer: nn.Module, _: object, out: torch.Tensor, macs: list[int] = macs) -> None:
            macs.append(out[0].numel() * layer.weight[0].numel())  # type: ignore[union-attr, operator]

        hooks = [m.register_forward_hook(note) for m in child.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        x = child(x)
        for hook in hooks:
            hook.remove()
        found.append((name, tuple(x.shape[1:]), sum(p.numel() for p in child.parameters()), sum(macs)))
    return found


@pytest.mark.parametrize("form", [DIGITS, COLOURS], ids=["digits", "colours"])
@pytest.mark.parametrize("text", [*(text for _, text in PRESETS.values()), EVERYTHING])
def test_each_step_is_what_torch_does(text: str, form: Form) -> None:
    found = plan(parse(text), form)
    measured = counted(module_of(found), form)
    if any(step.layer.kind in ("gap", "gmp") for step in found.steps):
        # One card, two modules: the pooled maps are 1 x 1, and flatten makes them a list.
        place = next(i for i, row in enumerate(measured) if row[0] == "global_pool")
        measured[place] = ("global_pool", *measured[place + 1][1:])
        del measured[place + 1]
    assert measured == [(s.name, s.output_shape, s.n_parameters, s.macs) for s in found.steps]
    assert found.steps[-1].output_shape == (form.classes,)


numbers = {key: st.integers(*limits) for key, limits in LIMITS.items()}


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    kind = draw(st.sampled_from(sorted(KINDS)))
    words = kind
    for name, letter in (
        ("units", ""),
        ("kernel", "" if kind in ("max", "avg") else "k"),
        ("stride", "s"),
        ("padding", "p"),
    ):
        if (kind, name) in numbers:
            words += f"{letter}{draw(numbers[kind, name])}"
    return parse(words)[0]


@given(st.lists(layers(), max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_row_of_layers_is_written_read_and_judged(row: list[Layer]) -> None:
    """Reading what was written gives the same; what is said to fit runs in torch, what is not has one sentence."""
    assert parse(write(row)) == tuple(row)
    found = examine(row, Form(1, 12, 3))
    if found.problem:
        assert len(found.problem) > 20 and found.problem.endswith((".", "linear."))
        with pytest.raises(cc.InvalidOption):
            module_of(found)
    else:
        with torch.device("meta"):
            module = module_of(found)
        assert module.eval()(torch.zeros(2, 1, 12, 12, device="meta")).shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv16-linear", "Layer 2, linear, needs a list of numbers, but 16 maps of 28 × 28 come in"),
        ("gap-bn-linear", "Layer 2, bn, needs maps, but a list of 1 numbers comes in"),
        ("max8-max8-flatten-linear", "Layer 2, max8, has a window of 8 × 8, but maps of 3 × 3 come in"),
        ("max8-conv4k9p1-flatten-linear", "3 × 3, 5 × 5 with its padding,"),
        ("conv16-relu-gap", "The last layer is gap. The last one must be linear"),
        ("", "There is no layer yet"),
        ("flatten-linear10", "write linear without a number"),
        ("flatten-linear-relu-linear", "needs a number of units, such as linear64"),
        ("conv64-flatten-linear64-linear", f"more than the {MAX_PARAMETERS:,}"),
        ("conv128-conv128-gap-linear", "multiply-adds for one picture are more"),
    ],
)
def test_what_does_not_fit_is_said(text: str, words: str) -> None:
    try:
        said = examine(parse(text), DIGITS).problem
    except cc.InvalidOption as error:
        said = str(error)
    assert words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv", "such as conv16"),
        ("convv16-linear", "Did you mean 'conv'"),
        ("conv999", "between 1 and 128, not 999"),
        ("conv9999999999999999", "between 1 and 128"),
        ("conv8s0", "stride must lie between 1 and 4"),
        ("conv8k3k5", "takes no kernel there"),
        ("relu3", "relu takes no number"),
        ("conv8x", "is no layer"),
        ("bn--relu", "is no layer"),
        ("-".join(["relu"] * 49), "at most 48 layers"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(cc.InvalidOption) as caught:
        parse(text)
    assert words in str(caught.value)


def test_the_classes_decide_the_last_layer() -> None:
    row = [Layer("flatten"), Layer("linear"), Layer("relu"), Layer("linear", 7)]
    assert [layer.text for layer in tidy(row)] == ["flatten", "linear64", "relu", "linear"]
    assert plan(parse("flatten-linear"), COLOURS).steps[-1].output_shape == (2,)


def test_a_built_lenet_is_lenet_and_trains_like_it() -> None:
    """The same names and shapes, so the same first weights and the same run, bit for bit."""
    key = PREFIX + PRESETS["lenet"][1]
    ours, theirs = (fresh_network(name, 3).state_dict() for name in (key, "lenet5"))
    assert list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)
    built, known = (cc.train("lenet", seed=3, network=name, **CHEAP) for name in (key, "lenet5"))
    assert np.array_equal(built.losses, known.losses)
    assert all(torch.equal(built.weights[name], known.weights[name]) for name in known.weights)


def test_a_built_run_stops_goes_on_is_saved_and_opens_like_any_other(tmp_path: Path) -> None:
    text = "conv6k3s2-bn-relu-res6-drop25-max2-gmp-linear"
    run = cc.train("build", seed=1, network=PREFIX + text, **CHEAP)
    seen = iter([False] * 5)
    part = cc.train("build", seed=1, network=PREFIX + text, should_stop=lambda: next(seen, True), **CHEAP)
    part.save(tmp_path / "part")
    rest = cc.resume(cc.load_run(tmp_path / "part"))
    assert part.steps_done == 5 and rest.digest == run.digest, "dropout drops the same in each step"
    last = rest.steps[-1].evaluation
    assert last is not None and last.kernel_shape == (6, 1, 3, 3)
    assert np.allclose(np.reshape(last.kernels, last.kernel_shape), run.weights["conv1.weight"].numpy())
    assert cc.load_run(run.save(tmp_path / "run")[0]).steps == run.steps
    classifier = run.classifier()
    trace = cc.trace(classifier, run.example(0))
    assert trace.logits.shape == (10,) and classifier.network.n_parameters == run.n_parameters
    unit = cc.explain_unit(classifier, trace, "conv1", (2, 5, 5))
    assert unit.matches


def test_a_network_of_another_form_is_refused_in_a_sentence() -> None:
    with pytest.raises(cc.InvalidOption, match="greys of 28 × 28"):
        cc.train("lenet", seed=0, data="cow_camel:90", n_train=100)


def test_exported_code_runs_alone_and_says_the_same(tmp_path: Path) -> None:
    cases = {
        "greys": ("fashion", EVERYTHING),
        "colours": ("cow_camel:90", "conv8k5s2-bn-relu-res8-avg2-res8s2-drop20-gap-linear12-tanh-linear"),
    }
    expected, classes = {}, {}
    for name, (data, text) in cases.items():
        run = cc.train(
            "build", seed=2, network=PREFIX + text, data=data, evaluate_every=0,
            **{**CHEAP, "n_train": 60, "steps": 3},
        )  # fmt: skip
        packed = export_zip(run)
        assert packed == export_zip(run)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            assert sorted(archive.namelist()) == ["network.py", "run.json", "weights.safetensors"]
            archive.extractall(tmp_path / name)
        told = json.loads((tmp_path / name / "run.json").read_text())
        assert told["test_accuracy"] == run.test_accuracy and told["recipe"]["network"] == PREFIX + text
        pictures = load_data_set(data)[1].pictures[:6]
        np.save(tmp_path / name / "pictures.npy", pictures)
        expected[name] = run.module()(to_tensor(pictures, preprocessing_of(run.recipe))).numpy()
        classes[name] = list(data_set(data).class_names)
    code = (
        "import sys, json, numpy, torch, importlib\n"
        "told = {}\n"
        "for name in ('greys', 'colours'):\n"
        "    network = importlib.import_module(name + '.network')\n"
        "    x = network.preprocess(torch.from_numpy(numpy.load(name + '/pictures.npy')))\n"
        "    numpy.save(name + '/logits.npy', network.load()(x).detach().numpy())\n"
        "    told[name] = network.CLASSES\n"
        "assert not any(name.startswith(('cnn_core', 'streamlit')) for name in sys.modules)\n"
        "print(json.dumps(told))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == classes
    for name, logits in expected.items():
        # The same float32 operations but for the order in which mean and deviation are rounded: a few last places.
        assert np.allclose(np.load(tmp_path / name / "logits.npy"), logits, rtol=1e-4, atol=1e-5)


def test_code_is_only_written_for_what_was_built() -> None:
    run = cc.train("lenet", seed=0, evaluate_every=0, **{**CHEAP, "steps": 1})
    with pytest.raises(cc.InvalidOption, match="built layer by layer"):
        export_zip(run)


def test_a_report_counts_every_test_picture_and_shows_the_worst() -> None:
    run = cc.train("build", seed=0, evaluate_every=0, **{**CHEAP, "steps": 40, "learning_rate": 1e-2})
    found = report_on(run, worst=10)
    _, test = load_data_set("digits")
    with torch.no_grad():
        logits = run.module()(to_tensor(test.pictures, preprocessing_of(run.recipe))).double()
    named, own = logits.argmax(1).numpy(), torch.softmax(logits, 1).numpy()[np.arange(2_000), test.labels]
    expected = np.zeros((10, 10), int)
    for label, other in zip(test.labels, named, strict=True):
        expected[label, other] += 1
    assert np.array_equal(found.confusion, expected) and found.n_test == 2_000
    assert found.confusion.trace() / 2_000 == pytest.approx(run.test_accuracy)
    wrong = np.flatnonzero(named != test.labels)
    assert [m.index for m in found.mistakes] == wrong[np.argsort(own[wrong])][:10].tolist()
    assert np.array_equal(found.pictures[0], test.pictures[found.mistakes[0].index])
    off = expected - np.diag(np.diag(expected))
    assert found.most_confused is not None and found.most_confused[2] == off.max()


def test_a_twin_begins_with_the_same_weights() -> None:
    whole = parse("conv8k3-bn-relu-conv8k3-relu-max2-flatten-linear16-relu-linear")
    plain = without(whole, "activations")
    assert [layer.kind for layer in plain] == ["conv", "bn", "conv", "max", "flatten", "linear", "linear"]
    same, count = shared_beginning(write(whole), write(plain), "digits", 5)
    assert same == count == sum(p.numel() for p in fresh_network(write(plain), 5).parameters())
    # Without batch norm the convolution before it has a bias of its own: 8 weights that the whole one does not have.
    same, count = shared_beginning(write(whole), write(without(whole, "bn")), "digits", 5)
    assert count - same == 8
    assert all(set(kinds) <= set(KINDS) for kinds, _ in REMOVABLE.values())
