"""The benchmark command runs, prints ratios, and its summary is arithmetic that can be checked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

import cnn_core as cc
from benchmarks import folder, inference, peak_memory, peers, saliency
from benchmarks.__main__ import BEGIN, BENCHMARKS, END, main
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
    """Sleeping twice as long costs twice the time; what a busy machine adds is some milliseconds in a tenth."""
    timings = take_turns({"one": lambda: time.sleep(0.1), "two": lambda: time.sleep(0.2)}, "one", rounds=5, warm_up=0)
    assert timings["one"].ratio == timings["one"].ratio_low == timings["one"].ratio_high == 1.0
    assert 1.5 < timings["two"].ratio < 2.5  # a busy machine may delay either
    assert timings["one"].milliseconds >= 100


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
    assert "1.05  ≤ 1.15   yes" in text and "1.25  ≤ 1.15    NO" in text and "A note." in text

    monkeypatch.setattr(inference, "measure", lambda *, quick: (report,))
    assert main(["inference"]) == 0 and main(["inference", "--check"]) == 1
    assert "1.25" in capsys.readouterr().out
    assert main(["inference", "--markdown"]) == 0
    assert (
        "| model | ms | promised | ratio | kept |\n| --- | --- | ---: | ---: | ---: |\n| net | 1.0 | ≤ 1.15 | 1.05 |"
        in (capsys.readouterr().out)
    )
    same = Report(
        "a",
        "A table",
        ("model", "batch", "ms"),
        "ratio",
        (*[Row(("net", b, "5"), v, 2.0) for b, v in (("1", 3.0), ("2", 1.0))],),
    )
    assert same.markdown().splitlines()[2:] == ["| net | 5 | ≤ 2.00 | 1.00 to 3.00 | 1 of 2 |"]
    assert Report("a", "A table", ("model", "ms"), "ratio", rows[2:]).markdown().splitlines()[2:] == [
        "| net | 9.0 | 9.00 |"
    ]
    least = [Row(("net", "1.0"), value, 3.0, at_least=True) for value in (2.9, 3.0)]
    assert [row.within for row in least] == [False, True]
    assert "2.90  ≥ 3.00    NO" in Report("a", "A table", ("model", "ms"), "times", tuple(least)).text()
    assert "bound" not in Report("a", "A table", ("model", "ms"), "times", rows[2:]).text()


def test_the_readme_quotes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report("inference", "A table", ("model", "ms"), "ratio", (Row(("net", "9.0"), 9.0),))
    monkeypatch.setattr(inference, "measure", lambda *, quick: (report,))
    readme = tmp_path / "README.md"
    readme.write_text(f"Before\n\n{BEGIN}\nold\n{END}\nAfter\n")
    for _ in range(2):  # again and again
        assert main(["inference", "--readme", str(readme)]) == 0
        lines = readme.read_text().splitlines()
        assert lines[:4] == ["Before", "", BEGIN, ""] and lines[-2:] == [END, "After"] and "old" not in lines
        assert "| net | 9.0 | 9.00 |" in lines and any(line.startswith("Measured on: ") for line in lines)
    readme.write_text("Nothing")
    with pytest.raises(SystemExit, match="needs one line"):
        main(["inference", "--readme", str(readme)])
    own = (Path(__file__).parents[1] / "README.md").read_text()
    assert own.count(BEGIN) == own.count(END) == 1


def test_time_is_bounded() -> None:
    """After the time is up no round is begun, but there are at least as many as asked for."""
    timings = take_turns({"one": lambda: time.sleep(0.002)}, "one", rounds=50, warm_up=0, seconds=0.0, least=3)
    assert len(timings["one"].times) == 3 and timings["one"].over(timings["one"]) == 1.0


@pytest.mark.long
def test_saliency_beside_its_peers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One network on small pictures: every contestant runs, and each promise has its row, its bound and its verdict."""
    monkeypatch.setattr(saliency, "NETWORKS", ("resnet18",))
    monkeypatch.setattr(saliency, "BATCHES", (1, 2))
    monkeypatch.setattr(saliency, "LEAN_BATCH", 2)
    monkeypatch.setattr(saliency, "INPUT_SIZE", 64)
    monkeypatch.setattr(saliency, "THREADS", 1)
    monkeypatch.setattr(saliency, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(folder, "BATCH", 1)
    monkeypatch.setattr(saliency, "N_PHOTOGRAPHS", 50)  # a tenth of them in quick mode
    # 512 passes each, and processes of their own: dear, and arithmetic is all that is looked at here.
    ways = {peers.FORWARD: 0.001, peers.CONVLENS: 0.001, peers.GRAD_CAM: 0.004}
    monkeypatch.setattr(
        peers.Contest, "dear", lambda self, method: {n: lambda s=s: time.sleep(s) for n, s in ways.items()}
    )
    monkeypatch.setattr(peak_memory, "growth", lambda name, network, batch: 100.0 * len(name))

    assert main(["saliency", "--quick", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "benchmarks.json").read_text()) == printed
    table, promises = printed["reports"]
    assert [(row["network"], row["batch"]) for row in table["rows"]] == [("resnet18", "1"), ("resnet18", "2")]
    for row in table["rows"]:
        assert 0.5 < row["ConvLens"] < 50 and all(
            0.5 < float(row[name]) < 50 for name in ("captum", "torchcam", "grad-cam")
        )
    found = {(row["what"], row["where"], row["against"]): row for row in promises["rows"]}
    assert len(found) == len(promises["rows"])
    bounds = [(row["bound"], row["at_least"]) for row in promises["rows"] if row["bound"] is not None]
    assert bounds == [
        *[(1.08, False), (1.12, False), (3.0, True), (1.08, False), (3.0, True)],  # batch 1 with ten classes, batch 2
        *[(6.0, True), (100.0, True), (2.5, True), (0.5, False), (0.85, True), (0.85, True)],
    ]
    share = found["Peak memory, share", "vgg16, batch 4", "grad-cam"]
    assert share["measured"] == pytest.approx(len("ConvLens") / len("grad-cam")) and not share["within"]
    assert found["Score-CAM, times faster", "resnet18, batch 1", "grad-cam"]["measured"] > 1.5
    drawn = ElementTree.parse(tmp_path / "saliency.svg").getroot()
    assert drawn.tag.endswith("svg") and not (tmp_path / "saliency_bounds.svg").exists()


def test_all_contestants_make_the_same_map() -> None:
    """What is timed is the same work: each package's map is a positive multiple of ConvLens's."""
    contest = peers.Contest("resnet18", size=96)
    made = {name: run() for name, run in contest.candidates(2).items()}
    theirs = made[peers.CAPTUM].relu()[:, 0].detach()
    for ours, other, cam in zip(made[peers.CONVLENS], theirs, made[peers.TORCHCAM][0], strict=True):
        ours = torch.from_numpy(ours.values.copy())
        assert ours.max() > 0
        # captum leaves out nothing; torchcam scales each map to [0, 1]
        assert (ours - other).abs().max() <= 1e-5 * ours.max()
        scaled = (ours - ours.min()) / (ours.max() - ours.min())
        assert (scaled - cam).abs().max() <= 1e-4
    assert made[peers.GRAD_CAM].shape == (2, 96, 96)
    dear = contest.dear("ablationcam")
    assert set(dear) == {peers.FORWARD, peers.CONVLENS, peers.GRAD_CAM}
    assert isinstance(dear[peers.CONVLENS](), cc.SaliencyMap)


def test_the_bare_loop_sees_what_explain_many_sees(tmp_path: Path) -> None:
    """The same pictures, prepared the same: bit for bit, read by threads or not."""
    paths = folder.photographs(tmp_path, 26)
    assert len({path.read_bytes() for path in paths}) == 26
    assert all(Image.open(path).format == "JPEG" and min(Image.open(path).size) >= 0.69 * 253 for path in paths)
    classifier = cc.load_model(folder.NETWORK, device="cpu")
    bare = folder.Bare(classifier)
    for workers in (0, 2):
        batches = list(bare._batches(paths, workers))
        assert [len(batch) for batch in batches] == [folder.BATCH, 26 - folder.BATCH]
        for row, path in zip(torch.cat(batches), paths, strict=True):
            assert torch.equal(row[None], classifier.preprocess(path).tensor)


def test_peak_memory_counts_what_a_contestant_needs() -> None:
    """A block of 64 MB that was held for a moment only is seen; the passes of a small network need less than 200."""
    before = peak_memory._start()
    block = torch.ones(16 * 2**20)
    del block
    assert 60 <= (peak_memory._peak() - before) / 2**20 <= 80
    assert 0 <= peak_memory.grown(peers.CONVLENS, "resnet18", 1) < 200
