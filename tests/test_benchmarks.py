"""The benchmark command runs, prints ratios, and its summary is arithmetic that can be checked."""

from __future__ import annotations

import json
import time

import pytest
import torch

from benchmarks import inference
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.report import Report, Row
from benchmarks.timing import take_turns, threads


def test_the_command_prints_ratios(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds of one network: the numbers mean little, the table is all there."""
    monkeypatch.setattr(inference, "MODELS", (("squeezenet1_1", "random", "features"),))
    monkeypatch.setattr(inference, "QUICK_ROUNDS", 2)
    assert main(["inference", "--quick", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (report,) = printed["reports"]
    measured = {row["what"]: row for row in report["rows"]}
    assert measured[inference.FORWARD]["ratio"] == 1.0
    assert {name: measured[name]["bound"] for name in inference.BOUNDS} == {
        inference.TRACE: 1.3,
        inference.GRADCAM: 1.15,
    }
    assert all(0 < row["ratio"] < 1000 and float(row["ms"]) > 0 for row in report["rows"])
    # captum and grad-cam are development requirements, so their rows are there too
    assert {"captum LayerGradCam", "grad-cam GradCAM"} <= set(measured)
    assert "preprocess" in " ".join(report["notes"]) and "torch" in printed["machine"]


def test_each_named_benchmark_can_be_imported() -> None:
    from importlib import import_module

    for name in BENCHMARKS:
        assert callable(import_module(f"benchmarks.{name}").measure)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["speed"])
    assert refused.value.code == 2
    assert "'speed' is none of: inference" in capsys.readouterr().err


def test_ratios_are_taken_within_a_round() -> None:
    """Sleeping twice as long costs twice the time; sleep itself is off by well under a millisecond in ten."""
    timings = take_turns({"one": lambda: time.sleep(0.01), "two": lambda: time.sleep(0.02)}, "one", rounds=5, warm_up=0)
    assert timings["one"].ratio == timings["one"].ratio_low == timings["one"].ratio_high == 1.0
    assert 1.5 < timings["two"].ratio < 2.5  # a busy machine may delay either
    assert timings["one"].milliseconds >= 10


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_report_says_which_bounds_are_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (Row(("net", "1.0"), 1.05, 1.15), Row(("net", "2.0"), 1.25, 1.15), Row(("net", "9.0"), 9.0))
    report = Report("inference", "A table", ("model", "ms"), "ratio", rows, ("A note.",))
    assert [row.within for row in rows] == [True, False, None] and not report.within
    text = report.text()
    assert "1.05     1.15   yes" in text and "1.25     1.15    NO" in text and "A note." in text

    monkeypatch.setattr(inference, "measure", lambda *, quick: report)
    assert main(["inference"]) == 0 and main(["inference", "--check"]) == 1
    assert "1.25" in capsys.readouterr().out
