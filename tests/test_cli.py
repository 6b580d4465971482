"""The command line: the library's own numbers on standard output, and bad input answered in one line."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.__main__ import main
from cnn_core.models import fetch as fetch_module
from cnn_core.models import weights as weights_module
from cnn_core.samples import list_samples

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = {sample.key: str(sample.path) for sample in list_samples()}
PANDA = SAMPLES["panda"]
load_once = functools.cache(cc.load_model)


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has downloaded before, the tests see only what comes with ConvLens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("CONVLENS_WEIGHTS", raising=False)
    # A classifier never changes, so that one for all tests is as good as a new one for each, and quicker.
    monkeypatch.setattr(cc, "load_model", load_once)


@pytest.fixture(scope="module")
def mobilenet() -> cc.Classifier:
    return load_once("mobilenet_v2", weights="default", device="cpu")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must succeed and say nothing on standard error; its standard output."""

    def succeed(*arguments: str) -> str:
        code = main(arguments)
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return succeed


def values_of(table: str) -> dict[str, str]:
    """The rows of a two-column table: its first column, and the rest of the line."""
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in table.splitlines()[1:]}


# --- models ------------------------------------------------------------------------------------------------------


def test_models_lists_every_card(run: Callable[..., str]) -> None:
    lines = run("models").splitlines()
    cards = cc.list_models()
    assert lines[0].split() == ["model", "title", "year", "parameters", "weights"]
    assert [line.split()[0] for line in lines[1:]] == [card.key for card in cards]
    for line, card in zip(lines[1:], cards, strict=True):
        assert card.title in line and str(card.year) in line
        assert line.endswith("on this machine" if card.weights_available else f"{card.download_megabytes:.0f} MB")
    # Those that come with ConvLens: two with ImageNet weights, and the small ones that it trained.
    assert sum(line.endswith("on this machine") for line in lines) == 2 + len(weights_module.OWN)


def test_models_as_json_equals_the_cards(run: Callable[..., str]) -> None:
    rows = json.loads(run("models", "--json"))
    assert [row["key"] for row in rows] == [card.key for card in cc.list_models()]
    for row, card in zip(rows, cc.list_models(), strict=True):
        assert row == {key: getattr(card, key) for key in row}
    assert {"n_parameters", "macs", "year", "weights_available", "source", "title"} <= set(rows[0])


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnn_core", "models", "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["key"] for row in json.loads(done.stdout)] == [card.key for card in cc.list_models()]


# --- predict -----------------------------------------------------------------------------------------------------


def test_predict_prints_the_traces_numbers(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    top = cc.trace(mobilenet, PANDA).top(3)
    rows = [line.split() for line in run("predict", PANDA, "--top", "3", "--device", "cpu").splitlines()[-3:]]
    assert [" ".join(row[:-3]) for row in rows] == [p.name for p in top]
    assert [row[-3:] for row in rows] == [[str(p.index), f"{p.logit:.4f}", f"{p.probability:.4f}"] for p in top]
    assert top[0].name == "giant panda"


def test_predict_as_json_equals_the_library(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    seen = mobilenet.preprocess(PANDA)
    answer = json.loads(run("predict", PANDA, "--json", "--device", "cpu"))
    assert answer["predictions"] == [
        {"index": p.index, "class": p.name, "logit": p.logit, "probability": p.probability}
        for p in cc.trace(mobilenet, seen).top(5)
    ]
    assert answer["notes"] == list(seen.notes) and seen.notes
    assert (answer["image"], answer["model"], answer["device"]) == (PANDA, mobilenet.key, "cpu")


def test_predict_asks_for_no_more_classes_than_there_are(run: Callable[..., str]) -> None:
    answer = json.loads(run("predict", SAMPLES["digit_7"], "--model", "lenet5", "-k", "50", "--json"))
    assert len(answer["predictions"]) == 10 and answer["predictions"][0]["class"] == "7"
    assert sum(p["probability"] for p in answer["predictions"]) == pytest.approx(1.0, abs=1e-6)


def test_random_weights_say_that_they_are_random(run: Callable[..., str]) -> None:
    arguments = ("predict", SAMPLES["digit_7"], "--model", "lenet5", "--weights", "random")
    assert "learned nothing" in run(*arguments)
    classifier = cc.load_model("lenet5", weights="random", device="cpu")
    answer = json.loads(run(*arguments, "--json"))
    assert answer["model"] == "lenet5:random:0"
    assert answer["predictions"][0]["logit"] == pytest.approx(
        float(cc.trace(classifier, SAMPLES["digit_7"]).logits.max()), rel=1e-6
    )


# --- explain -----------------------------------------------------------------------------------------------------


def test_explain_as_json_equals_the_library(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    answer = json.loads(run("explain", PANDA, "--json", "--device", "cpu"))
    ours = cc.explain(mobilenet, PANDA)
    assert answer["values"] == ours.values.tolist()
    assert (answer["method"], answer["layer"], answer["target"]) == ("gradcam", ours.layer, ours.target.title)
    assert answer["value"] == ours.target_value and answer["range"] == list(ours.raw_range)
    assert answer["cells"] == [7, 7] and answer["output"] is None
    row, column = answer["peak"]["cell"]
    assert answer["values"][row][column] == answer["peak"]["value"] == max(map(max, answer["values"]))
    assert answer["seconds"] > 0


def test_explain_takes_its_options_to_the_library(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    options = ("--layer", "features.14", "--class", "brown bear", "--rather-than", "296", "--signed")
    answer = json.loads(run("explain", PANDA, *options, "--score", "centred", "--json", "--device", "cpu"))
    ours = cc.explain(mobilenet, PANDA, layer="features.14", target=("brown bear", 296), score="centred", rectify=False)
    assert answer["values"] == ours.values.tolist() and answer["layer"] == ours.layer
    assert answer["target"] == ours.target.title and "rather than" in answer["target"]
    assert min(map(min, answer["values"])) < 0  # --signed keeps what speaks against the class
    # A margin's gradient knows no mean logit, so that only the number of the target could show the score.
    assert answer["value"] == ours.target_value


def test_explain_by_another_method(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    answer = json.loads(run("explain", PANDA, "--method", "cam", "--class", "388", "--json", "--device", "cpu"))
    ours = cc.explain(mobilenet, PANDA, method="cam", target=388)
    assert answer["method"] == "cam" and answer["values"] == ours.values.tolist()


def test_explain_takes_a_methods_own_options(capsys: pytest.CaptureFixture[str], mobilenet: cc.Classifier) -> None:
    arguments = ["--method", "occlusion", "--option", "size=112x96", "--option", "stride=112", "--option", "fill=grey"]
    assert main(["explain", PANDA, *arguments, "--json", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    ours = cc.explain(mobilenet, PANDA, method="occlusion", size=(112, 96), stride=112, fill="grey")
    answer = json.loads(out)
    np.testing.assert_allclose(answer["values"], ours.values, rtol=1e-5)
    assert answer["layer"] is None and answer["details"]["window"] == [112, 96]
    assert err.splitlines()[-1] == "Occlusion: 6 passes of 6 passes (100 %)"  # it takes a while: progress is told
    table = ["explain", PANDA, "--method", "gradient", "--option", "channels=sum", "--device", "cpu"]
    assert main(table) == 0
    assert values_of(capsys.readouterr().out)["layer"].startswith("the picture, 224 x 224 cells")


def test_explain_fuses_layers(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    answer = json.loads(run("explain", PANDA, "--layer", "features.18, features.13", "--json", "--device", "cpu"))
    ours = cc.explain(mobilenet, PANDA, layer=("features.18", "features.13"))
    assert answer["layer"] == ours.layer and answer["cells"] == [14, 14]
    np.testing.assert_allclose(answer["values"], ours.values, rtol=1e-5, atol=1e-7)


def test_explain_tells_people_the_same(run: Callable[..., str], mobilenet: cc.Classifier) -> None:
    ours = cc.explain(mobilenet, PANDA)
    peak = ours.peak()
    assert peak is not None
    lines = values_of(run("explain", PANDA, "--device", "cpu"))
    assert lines["target"] == f"{ours.target.title} = {ours.target_value:.4f}"
    assert lines["layer"].startswith(f"{ours.layer} (") and lines["layer"].endswith("7 x 7 cells")
    assert lines["peak"].startswith(f"{peak.value:.4g} at cell {peak.cell}")
    assert lines["note"] == ours.note and lines["written"].startswith("nothing")


def test_explain_writes_a_picture(run: Callable[..., str], mobilenet: cc.Classifier, tmp_path: Path) -> None:
    path = tmp_path / "map.PNG"
    assert str(path) in run("explain", PANDA, "-o", str(path), "--device", "cpu")
    ours = cc.explain(mobilenet, PANDA)
    with Image.open(path) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), ours.overlay())
    assert (ours.overlay() != ours.shown_rgb).any()


def test_explain_writes_the_numbers(run: Callable[..., str], mobilenet: cc.Classifier, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    run("explain", PANDA, "-o", str(path), "--device", "cpu")
    ours = cc.explain(mobilenet, PANDA)
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["values"], ours.values)
        assert file["values"].dtype == np.float32
        np.testing.assert_array_equal(file["shown_rgb"], ours.shown_rgb)
        assert (str(file["layer"]), str(file["method"])) == (ours.layer, "gradcam")
        assert file["target_indices"].tolist() == [388]


def test_a_digit_can_be_named_as_a_class(run: Callable[..., str]) -> None:
    answer = json.loads(run("explain", SAMPLES["digit_7"], "--model", "lenet5", "--class", "3", "--json"))
    assert answer["target"] == cc.explain(cc.load_model("lenet5"), SAMPLES["digit_7"], target="3").target.title


# --- fetch -------------------------------------------------------------------------------------------------------


def test_fetching_what_comes_along_needs_no_network(run: Callable[..., str]) -> None:
    answer = json.loads(run("fetch", "mobilenet_v2", "lenet5", "--json"))
    assert {key: Path(path).name for key, path in answer.items()} == {
        "mobilenet_v2": "mobilenet_v2_fp16.safetensors",
        "lenet5": "lenet5.safetensors",
    }
    assert all(Path(path).is_file() for path in answer.values())
    assert "lenet5.safetensors" in run("fetch", "lenet5")


def offer(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let resnet18's weights entry name another address."""
    real = weights_module.preferred_entry("resnet18")

    class Entry:
        url, meta, name, transforms = address, real.meta, real.name, real.transforms

    monkeypatch.setattr(fetch_module, "preferred_entry", lambda key: Entry)


def test_fetch_shows_progress_and_says_where_the_file_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 8000  # 2,048,000 bytes
    name = f"w-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (tmp_path / name).write_bytes(content)
    offer(monkeypatch, (tmp_path / name).as_uri())
    assert main(["fetch", "resnet18", "--json"]) == 0
    out, err = capsys.readouterr()
    stored = Path(json.loads(out)["resnet18"])
    assert stored == tmp_path / "torch" / "hub" / "checkpoints" / name and stored.read_bytes() == content
    lines = err.splitlines()
    # 8 chunks of 256 KiB: 12, 25, 38, 51, 64, 76, 89 and 100 %, each in another tenth.
    assert len(lines) == 8 and lines[-1] == "ResNet-18: 2.0 MB of 2.0 MB (100 %)"


def test_all_names_are_checked_before_the_first_byte_moves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cc, "fetch_weights", lambda *a, **k: pytest.fail("began to fetch"))
    assert main(["fetch", "resnet18", "resnet19"]) == 2
    assert "no model 'resnet19'" in capsys.readouterr().err


# --- bad input ---------------------------------------------------------------------------------------------------

PICTURE = "PICTURE"  # stands for the panda
BAD: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "COMMAND"),
    "no such command": (["paint"], "paint"),
    "no picture": (["predict"], "IMAGE"),
    "no value": (["explain", PICTURE, "--layer"], "expected one argument"),
    "no such option": (["predict", PICTURE, "--colour", "red"], "--colour"),
    "no such file": (["predict", "nowhere.jpg"], "There is no file 'nowhere.jpg'"),
    "not a picture": (["predict", __file__], "not a picture"),
    "a folder": (["explain", str(ROOT)], "cannot be read"),
    "model": (["predict", PICTURE, "--model", "resnet19"], "'resnet18'"),
    "weights": (["predict", PICTURE, "--weights", "best"], "'random'"),
    "device": (["predict", PICTURE, "--device", "cuda:99"], "cuda:99"),
    "top": (["predict", PICTURE, "-k", "0"], "'0' is not a whole number from 1"),
    "top in words": (["predict", PICTURE, "-k", "many"], "'many' is not a whole number from 1"),
    "method": (["explain", PICTURE, "--method", "gradcan"], "'gradcam'"),
    "option": (["explain", PICTURE, "--method", "rise", "--option", "steps=3"], "It takes: 'masks'"),
    "option without value": (["explain", PICTURE, "--method", "rise", "--option", "masks"], "NAME=VALUE"),
    "option's value": (["explain", PICTURE, "--method", "rise", "--option", "masks=many"], "whole number from 2"),
    "option's limit": (["explain", PICTURE, "--method", "rise", "--option", "masks=1"], "whole number from 2"),
    "score": (["explain", PICTURE, "--score", "rank"], "'probability'"),
    "class": (["explain", PICTURE, "--class", "unicorn"], "There is no class 'unicorn'"),
    "class index": (["explain", PICTURE, "--class", "1000"], "0 to 999"),
    "endless class index": (["explain", PICTURE, "--class", "9" * 5000], "There is no class '999"),
    "ambiguous class": (["explain", PICTURE, "--class", "black"], "'black swan' (100)"),
    "rival alone": (["explain", PICTURE, "--rather-than", "koala"], "--class"),
    "rival of itself": (["explain", PICTURE, "--class", "koala", "--rather-than", "105"], "two classes"),
    "layer": (["explain", PICTURE, "--layer", "features.99"], "'features.99'"),
    "layer without maps": (["explain", PICTURE, "--layer", "classifier.1"], "no spatial maps"),
    "ending": (["explain", PICTURE, "-o", "map.jpg"], "must end in .png or .npz"),
    "output folder": (["explain", PICTURE, "-o", "no/such/folder/map.png"], "No such file or directory"),
    "weights not there": (["predict", PICTURE, "--model", "resnet18"], "python -m cnn_core fetch resnet18"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_answered_in_one_line(
    case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD[case]
    code = main([PANDA if argument is PICTURE else argument for argument in arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert words in err
    assert len(err) < 400  # also where what was typed is longer
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_fails_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, (tmp_path / "absent-12345678.pth").as_uri())
    assert main(["fetch", "resnet18"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "could not be fetched" in err


def test_a_line_break_in_a_name_makes_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["predict", PANDA, "--a\nb"],
        ["predict", "no\nwhere.jpg"],
        ["predict", PANDA, "--model", "a\nb"],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "cnn_core", "fetch", "mobilenet_v2"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupt_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cc, "list_models", interrupt)
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "error: stopped.\n"


@pytest.mark.parametrize("command", [[], ["models"], ["predict"], ["explain"], ["fetch"]])
def test_help_names_every_option(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    wanted = {
        "": ["models", "predict", "explain", "fetch"],
        "models": ["--json"],
        "predict": ["IMAGE", "--top", "--model", "--weights", "--device", "--json"],
        "explain": [
            "IMAGE",
            "--method",
            "scorecam",
            "--option",
            "--layer",
            "--class",
            "--rather-than",
            "--score",
            "--signed",
        ],
        "fetch": ["MODEL", "--json"],
    }
    assert [word for word in wanted["".join(command)] if word not in text] == []
