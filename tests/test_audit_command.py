"""`python -m cnn_core audit`: the verdict on the screen, reports on disk, one line for bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import cnn_core as cc
from cnn_core.__main__ import main
from cnn_core.bias import command
from cnn_core.bias.annotations import write_annotations
from tests.audit_world import network, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 pictures, boxes.json and tags.csv beside them; the network is the one that looks at the ground."""
    regions, grounds = write(tmp_path / "pictures", 24, balanced=True)
    (tmp_path / "boxes.json").write_bytes(coco(regions))
    with (tmp_path / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("picture", "ground"), *grounds.items()])
    monkeypatch.setattr(command, "open_network", lambda options: network("ground"))
    return tmp_path


def coco(regions: dict) -> bytes:
    return write_annotations(regions, dict.fromkeys(regions, (32, 32)), "coco")[0]


def test_the_command_says_the_verdict_and_writes_reports(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["audit", str(folder / "pictures"), "--boxes", str(folder / "boxes.json")]
    arguments += ["--tags", str(folder / "tags.csv"), "--clusters", "0"]
    outputs = [folder / f"report.{kind}" for kind in ("html", "csv", "json")]
    for path in outputs:
        arguments += ["-o", str(path)]
    (folder / "pictures" / "cyan" / "broken.png").write_bytes(b"?")
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Supported: it relies on the background.")
    assert "worst group" in printed.out and "cyan/broken.png" in printed.out and "24 read; 1 skipped" in printed.out
    assert "Reading the pictures: 25 of 25" in printed.err and "Swapping backgrounds" in printed.err
    found = json.loads(outputs[2].read_text())
    assert found["verdict"]["key"] == "supported" and len(found["rows"]) == 24
    assert "relies on the background" in outputs[0].read_text(encoding="utf-8")
    assert len(outputs[1].read_text(encoding="utf-8").splitlines()) == 25
    # The store lies beside the first output, and a second run goes through the network with nothing.
    assert (folder / "report.audit").is_dir()
    assert main([*arguments, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["run"]["n_computed"] == 0
    del again["run"], found["run"]
    assert again == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There is no folder"),
        (["pictures", "-o", "report.pdf"], "must end in .html, .csv or .json"),
        (["pictures", "-o", "no/report.html"], "There is no folder"),
        (["pictures", "--boxes", "none.json"], "There is no file"),
        (["pictures", "--tags", "boxes.json"], "needs a line of headings"),
        (["pictures", "--tags", "tags.csv", "--propose-tags", "2"], "contradict each other"),
        (["pictures", "--label", "cyan"], "--label takes LABEL=CLASS"),
        (["pictures", "--donors", "many"], "not a whole number"),
        (["pictures", "--engine", "spark"], "There is no engine"),
        (["pictures", "--boxes", "tags.csv"], ""),
    ],
)
def test_bad_input_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(["audit", *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("error:")]
    assert len(errors) == 1 and message in errors[0]


def test_tags_name_pictures_of_the_folder(tmp_path: Path) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("Image,Background\na/1.png,grass\n\na/2.png,\n", encoding="utf-8-sig")
    assert command.read_tags(table, ["a/1.png", "a/2.png"]) == {"a/1.png": "grass"}
    with pytest.raises(cc.InvalidOption, match=r"Line 2 .* which is not in the folder"):
        command.read_tags(table, ["a/2.png"])
