"""`python -m cnn_core train`: the library's own numbers, a run on disk, and bad input answered in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_core as cc
from cnn_core.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("train", "augmentation", "--arm", "small", "--steps", "6")


def test_the_table_holds_the_librarys_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--seed", "3", "--seeds", "2"]) == 0
    out, err = capsys.readouterr()
    table = cc.run_experiment("augmentation", seeds=(3, 4), arms=["small"], steps=6, evaluate_every=0)
    lines = out.splitlines()
    assert lines[1].split()[:3] == ["arm", "n", "test"]
    test, training = (table.cell("small", key) for key in ("test_accuracy", "train_accuracy"))
    assert test is not None and training is not None and test.sd is not None and training.sd is not None
    shown = f"small  2  {100 * test.mean:.1f} ± {100 * test.sd:.1f} %  {100 * training.mean:.1f}"
    assert " ".join(lines[2].split()).startswith(" ".join(shown.split())) and "20,490" in lines[2]
    assert any(line.startswith("Expected") for line in lines)
    assert [line.split(":")[0] for line in err.splitlines()] == ["small, seed 3", "small, seed 4"]
    assert "step 6 of 6, loss" in err


def test_json_and_the_run_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--json", "-o", str(tmp_path / "run.safetensors")]) == 0
    told = json.loads(capsys.readouterr().out)
    run = cc.load_run(tmp_path / "run")
    assert run.digest == cc.train("augmentation", seed=0, arm="small", steps=6).digest
    results = {result["measure"]: result for result in told["results"]}
    assert results["test_accuracy"] == {
        "arm": "small",
        "measure": "test_accuracy",
        "mean": run.test_accuracy,
        "sd": None,
        "n": 1,
        "values": [run.test_accuracy],
    }
    assert told["output"] == [str(tmp_path / "run.safetensors"), str(tmp_path / "run.json")]


def test_divergence_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "batch_norm", "--arm", "plain_0.3", "--steps", "20", "--learning-rate", "1e6"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "Diverged at step" in out and err.endswith("\n")
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert "Diverged" in told["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "EXPERIMENT"),
        (["train", "lenets"], "'lenet'"),
        (["train", "lenet", "--arm", "rel"], "'relu'"),
        (["train", "lenet", "--seed", "-1"], "--seed"),
        (["train", "lenet", "--seed", "half"], "from 0 up"),
        (["train", "lenet", "--seeds", "0"], "from 1 up"),
        (["train", "lenet", "--steps", "0"], "from 1 up"),
        (["train", "lenet", "--learning-rate", "-1"], "above 0"),
        (["train", "lenet", "-o", "x"], "choose an arm"),
        (["train", "lenet", "--arm", "relu", "--seeds", "2", "-o", "x"], "one run"),
        (["train", "lenet", "--arm", "relu", "-o", "/no/such/folder/x"], "no folder"),
        (["train", "three_machines", "--arm", "hog_svm", "-o", "x"], "no network"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.startswith("error: ") and err.count("\n") == 1


def test_the_list_of_experiments_needs_no_torch() -> None:
    code = "import sys, cnn_core as cc; assert len(cc.list_experiments()) > 6; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
