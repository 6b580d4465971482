"""A run on disk: continued in another process it ends where the uninterrupted run ends; a broken file is said."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import cnn_core as cc
from cnn_core.training.storage import paths_of
from cnn_core.training.strict_json import from_words, to_json

ROOT = Path(__file__).resolve().parent.parent


def half_and_whole(key: str, arm: str, **settings: object) -> tuple[cc.TrainingRun, cc.TrainingRun]:
    """A run that was stopped half way, and the one that was not."""
    steps = 0

    def count(_: cc.Step) -> None:
        nonlocal steps
        steps += 1

    options = {"seed": 7, "arm": arm, "evaluate_every": 0, "steps": 20, **settings}
    half = cc.train(key, on_step=count, should_stop=lambda: steps == 10, **options)  # type: ignore[arg-type]
    return half, cc.train(key, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "arm"),
    [
        pytest.param("augmentation", "small_augmented", id="Adam, one cycle, augmentation"),
        pytest.param("batch_norm", "bn_0.03", id="SGD, cosine, batch norm", marks=pytest.mark.long),
    ],
)
def test_a_run_continued_in_a_new_process_ends_where_the_uninterrupted_one_does(
    key: str, arm: str, tmp_path: Path
) -> None:
    half, whole = half_and_whole(key, arm, n_train=200)
    half.save(tmp_path / "half")
    code = "import sys, cnn_core as cc; cc.resume(cc.load_run(sys.argv[1])).save(sys.argv[2])"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "half"), str(tmp_path / "ended")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=120,
    )
    ended = cc.load_run(tmp_path / "ended")
    assert (half.state, half.steps_done, ended.state, ended.steps_done) == ("stopped", 10, "finished", 20)
    assert ended.losses == pytest.approx(whole.losses, abs=1e-6)
    for name, tensor in whole.weights.items():
        assert torch.allclose(ended.weights[name].double(), tensor.double(), rtol=0, atol=1e-6), name
    assert ended.test_accuracy == whole.test_accuracy


@pytest.fixture(scope="module")
def run() -> cc.TrainingRun:
    return cc.train("lenet", seed=0, steps=4, n_train=100)


def test_a_loaded_run_is_the_saved_run(run: cc.TrainingRun, tmp_path: Path) -> None:
    tensors, text = run.save(tmp_path / "my.run")
    assert (tensors.name, text.name) == ("my.run.safetensors", "my.run.json")
    for given in (tensors, text, tmp_path / "my.run"):
        loaded = cc.load_run(given)
        assert loaded.digest == run.digest and loaded.steps == run.steps and loaded.recipe == run.recipe
        assert (loaded.state, loaded.note, loaded.title) == (run.state, run.note, run.title)
        assert (loaded.train_accuracy, loaded.test_accuracy) == (run.train_accuracy, run.test_accuracy)
    assert cc.load_run(tensors).classifier().key == run.classifier().key
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.run.json", "my.run.safetensors"]


def test_numbers_that_are_not_finite_survive(run: cc.TrainingRun, tmp_path: Path) -> None:
    losses = (math.nan, math.inf, -math.inf, 2.5)
    steps = tuple(replace(step, loss=loss) for step, loss in zip(run.steps, losses, strict=True))
    _, text = replace(run, steps=steps, state="diverged").save(tmp_path / "run")
    json.loads(text.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert np.array_equal(cc.load_run(text).losses, losses, equal_nan=True)
    assert from_words(json.loads(to_json({"a": (1.5, -math.inf)}))) == {"a": [1.5, -math.inf]}


def test_weights_without_their_text_or_of_another_run_are_refused(run: cc.TrainingRun, tmp_path: Path) -> None:
    tensors, text = run.save(tmp_path / "run")
    with pytest.raises(cc.InvalidCheckpoint, match="cannot be read: No such file"):
        cc.load_run(tmp_path / "nothing")
    state = load_file(tensors)
    state["weights.conv1.bias"] += 1
    save_file(state, tensors)
    with pytest.raises(cc.InvalidCheckpoint, match="does not belong"):
        cc.load_run(text)
    tensors.unlink()
    with pytest.raises(cc.InvalidCheckpoint, match="No such file"):
        cc.load_run(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "not a training run"),
        ({"recipe": {}}, "cannot be read as a training run"),
        ({"steps": [{"number": 1}]}, "cannot be read as a training run"),
        ({"steps": []}, "do not fit"),
        ({"state": "asleep"}, "finished, stopped or diverged"),
        ({"recipe": {"network": "mlp"}}, "do not fit"),
        ({"recipe": {"network": "vgg"}}, "vgg"),
        ({"recipe": {"optimiser": "sgd"}}, "do not fit"),
        ({"recipe": {"steps": 2}}, "not the first ones"),
    ],
)
def test_a_changed_text_is_refused_in_one_sentence(
    run: cc.TrainingRun, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    _, text = run.save(tmp_path / "run")
    told = json.loads(text.read_text())
    for name, value in change.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) and value else value
    text.write_text(json.dumps(told))
    with pytest.raises(cc.InvalidCheckpoint, match=said):
        cc.load_run(text)


def test_a_run_that_was_stopped_before_its_first_step_is_kept_too(tmp_path: Path) -> None:
    run = cc.train("lenet", seed=0, steps=4, n_train=100, should_stop=lambda: True)
    loaded = cc.load_run(run.save(tmp_path / "run")[0])
    assert loaded.steps_done == 0 and cc.resume(loaded, evaluate_every=0).steps_done == 4


def test_text_that_is_no_json_is_refused(run: cc.TrainingRun, tmp_path: Path) -> None:
    _, text = run.save(tmp_path / "run")
    for content in ("{", "[]", '"run"', "null", "é"):
        text.write_bytes(content.encode("latin-1"))
        with pytest.raises(cc.InvalidCheckpoint, match="cannot be read as a training run"):
            cc.load_run(text)


def test_a_write_that_fails_leaves_nothing(run: cc.TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        run.save(tmp_path / "no" / "folder")
    assert not list(tmp_path.iterdir())
    assert paths_of("a/b.json") == (Path("a/b.safetensors"), Path("a/b.json"))
