"""An audit says what is true of networks whose eyes are known, and keeps what it had when it is interrupted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.bias import store as stores
from cnn_core.bias.items import Item, items_of
from cnn_core.bias.ray_engine import ShardWorker, from_bytes, parts_of
from cnn_core.bias.result import AuditProgress, AuditReport
from cnn_core.saliency.explaining import Request
from tests.audit_world import CLASSES, OBJECT, SIDE, network, write

AREA = OBJECT**2 / SIDE**2


@pytest.fixture(scope="module")
def biased_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    folder = tmp_path_factory.mktemp("world")
    return (folder, *write(folder, 24))


@pytest.fixture(scope="module")
def balanced_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, dict]:
    folder = tmp_path_factory.mktemp("balanced")
    return (folder, *write(folder, 24, balanced=True))


def test_a_network_that_looks_at_the_ground_is_caught(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, _ = biased_folder
    report = cc.audit(network("ground"), folder, boxes=regions, clusters=0)
    assert report.accuracy is not None and report.accuracy.right.share == 1.0  # no accuracy gives it away
    assert report.accuracy.confusion == ((12, 0, 0), (0, 12, 0)) and report.accuracy.labels == ("cyan", "magenta")
    swap = report.swap
    assert swap is not None and swap.n == swap.n_boxed == 24
    # The ground is the other class's in every swap, and the object does not matter, there or away.
    assert (swap.same, swap.other, swap.removed.count) == (0.0, 1.0, 0)
    assert all(row.n_same == row.n_other == 5 and row.difference == 1.0 for row in swap.rows)
    assert report.verdict.key == "supported" and "n = 24" in report.verdict.sentence
    # Cells are pixels here and read nothing but themselves, so no evidence at all lies in the box.
    assert all(row.evidence is not None and row.evidence.share == 0.0 for row in report.rows)
    assert report.boxes is not None and report.boxes.mean_area == pytest.approx(AREA, abs=1e-6)


def test_a_network_that_looks_at_the_object_is_not(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, _ = biased_folder
    report = cc.audit(network("object"), folder, boxes=regions, clusters=0)
    assert report.swap is not None and (report.swap.same, report.swap.other) == (0.0, 0.0)
    assert report.verdict.key == "not_supported"
    # Without their objects all look empty, which is called magenta: the 12 cyan ones flip.
    assert report.swap.removed.count == 12 and report.swap.removed.n == 24
    for row in report.rows:
        assert row.evidence is not None
        assert row.evidence.share == pytest.approx(1.0, abs=1e-6)
        assert row.evidence.enrichment == pytest.approx(1 / AREA, rel=1e-5)
        parts = (row.evidence.margin_inside, row.evidence.margin_outside, row.evidence.margin_bias)
        assert row.evidence.margin == pytest.approx(row.logit - row.second_logit, rel=1e-4)
        assert sum(part or 0.0 for part in parts) == pytest.approx(row.evidence.margin, rel=1e-4)


def test_examples_are_the_composites_that_were_judged(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, _ = biased_folder
    report = cc.audit(network("ground"), folder, boxes=regions, clusters=0)
    assert report.swap is not None
    examples = report.swap.examples
    assert len(examples) == 24 and {example.arm for example in examples} == {"same", "other", "removed"}
    for example in examples:
        own = report.row(example.index)
        donor = own if example.donor is None else report.row(example.donor)
        assert (donor.label == own.label) is (example.arm != "other")
        assert example.predicted_name == donor.label and example.flipped is (example.arm == "other")


def test_where_every_class_stands_on_both_grounds_tags_find_what_labels_cannot(
    balanced_folder: tuple[Path, dict, dict],
) -> None:
    folder, regions, grounds = balanced_folder
    unaware = cc.audit(network("ground"), folder, boxes=regions, clusters=0)
    assert unaware.settings.by == "label" and unaware.verdict.key != "supported"
    assert any("tag the backgrounds by hand" in limit for limit in unaware.limits)
    aware = cc.audit(network("ground"), folder, boxes=regions, tags=grounds, clusters=0)
    assert aware.settings.by == "tag" and aware.verdict.key == "supported" and "another kind" in aware.verdict.sentence
    assert aware.groups is not None and aware.groups.worst is not None
    # It answers by the ground: right where that is the label's own, wrong elsewhere.
    assert {(g.label, g.tag): g.right.share for g in aware.groups.groups} == {
        ("cyan", "grass"): 0.0, ("cyan", "sand"): 1.0, ("magenta", "grass"): 1.0, ("magenta", "sand"): 0.0,
    }  # fmt: skip
    assert aware.groups.worst.right.share == 0.0 and aware.groups.association == pytest.approx(0.0, abs=1e-9)


def test_proposed_tags_are_the_grounds(balanced_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, grounds = balanced_folder
    for boxes in (regions, None):
        report = cc.audit(network("object"), folder, boxes=boxes, tags=2, clusters=0)
        assert report.groups is not None and report.groups.origin == "proposed"
        pairs = {(grounds[row.name], row.tag) for row in report.rows}
        assert len(pairs) == 2 and len({tag for _, tag in pairs}) == 2
        # A guess decides no swap.
        assert report.settings.by == "label"


def test_four_boxes_are_too_few(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, _ = biased_folder
    report = cc.audit(network("ground"), folder, boxes=dict(list(regions.items())[:4]), clusters=0)
    assert report.verdict.key == "too_few" and report.verdict.n == 4 and "at least 10" in report.verdict.sentence
    nothing = cc.audit(network("ground"), folder, clusters=0)
    assert nothing.verdict.key == "too_few" and nothing.swap is None and nothing.boxes is None


def test_bad_files_are_listed_and_nothing_else_is_lost(tmp_path: Path) -> None:
    write(tmp_path, 12)
    whole = cc.audit(network("object"), tmp_path, clusters=0)
    (tmp_path / "cyan" / "000.png").write_bytes(b"no picture")
    (tmp_path / "magenta" / "999.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not asked for")
    report = cc.audit(network("object"), tmp_path, clusters=0)
    assert [bad.name for bad in report.bad_files] == ["cyan/000.png", "magenta/999.jpg"]
    assert all(bad.reason.endswith(".") for bad in report.bad_files)
    assert [replace(row, index=0) for row in report.rows] == [replace(row, index=0) for row in whole.rows]
    assert report.rows[0].index == 1 and report.row(1).name == "cyan/001.png"
    with pytest.raises(KeyError):
        report.thumbnail(0)


def test_the_numbers_are_those_of_trace_and_explain() -> None:
    classifier = cc.load_model("squeezenet1_1", weights="random")
    samples = sorted((Path(__file__).parent.parent / "assets" / "samples").glob("*.jpg"))[:3]
    report = cc.audit(classifier, samples, clusters=0, batch_size=2)
    for row, path in zip(report.rows, samples, strict=True):
        seen = classifier.preprocess(path)
        trace = cc.trace(classifier, seen)
        first, second = trace.top(2)
        # The pass runs a folded copy in another memory layout: float32 sums in another order.
        assert (row.name, row.predicted, row.second) == (path.name, first.index, second.index)
        assert row.logit == pytest.approx(first.logit, rel=1e-4) and row.size == cc.load_image(path).rgb.shape[:2]
        assert row.probability == pytest.approx(first.probability, rel=1e-3)
        found = cc.explain(classifier, seen, target=row.predicted)
        assert np.allclose(report.map(row.index), found.values, atol=1e-4 * found.limit)
        small = Image.fromarray(report.overlay(row.index))
        assert max(small.size) == 128
        assert row.label is None and row.right is None and row.digest == cc.load_image(path).digest


def test_an_interrupted_audit_goes_on_where_it_stopped(
    biased_folder: tuple[Path, dict, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SHARD", 8)
    folder, regions, _ = biased_folder
    classifier = network("object")
    whole = cc.audit(classifier, folder, boxes=regions, batch_size=3, store=tmp_path / "whole")
    steps: list[AuditProgress] = []
    with pytest.raises(cc.ConvLensError, match="goes on from there"):
        cc.audit(
            classifier, folder, boxes=regions, batch_size=3, store=tmp_path / "half", on_progress=steps.append,
            should_stop=lambda: steps[-1].done >= 11,
        )  # fmt: skip
    # What a kill leaves: a file that is half written.
    (stray,) = (tmp_path / "half").iterdir()
    (stray / "x.parquet.1.half").write_bytes(b"PAR1")
    again = cc.audit(classifier, folder, boxes=regions, batch_size=3, store=tmp_path / "half")
    assert (again.run.n_kept, again.run.n_computed) == (8, 16)
    assert _facts(again) == _facts(whole)
    assert not list(stray.glob("*.half"))
    # Other boxes ask nothing new of the network; a changed picture is computed anew, with the rest of its file.
    assert cc.audit(classifier, folder, store=tmp_path / "half", batch_size=3).run.n_computed == 0
    os.utime(folder / "magenta" / "022.png", ns=(1, 1))
    changed = cc.audit(classifier, folder, store=tmp_path / "half", batch_size=3)
    assert changed.run.n_computed == 8 and len(list(stray.glob("*.parquet"))) == 3


def test_a_worker_of_the_cluster_computes_the_same_rows(biased_folder: tuple[Path, dict, dict], tmp_path: Path) -> None:
    """What Ray runs, without Ray: the classifier is built again from what can travel, and the tables are equal."""
    folder, _, _ = biased_folder
    classifier = network("ground")
    report = cc.audit(classifier, folder, clusters=0)
    asked = Request("gradcam", None, batch_size=16)
    worker = ShardWorker(parts_of(classifier), asked, None, report.store.key, 1)
    items = items_of(folder)
    row = {"number": 0, "names": [i.name for i in items], "paths": [str(i.path) for i in items]}
    table = from_bytes(worker(row)["table"])
    assert table.equals(report.store.read(0, table.column_names))


def test_labels_are_matched_to_classes_by_name_or_as_told(tmp_path: Path) -> None:
    write(tmp_path, 12)
    (tmp_path / "cyan").rename(tmp_path / "Blue_green")
    report = cc.audit(network("object"), tmp_path, clusters=0)
    assert report.accuracy is not None and report.accuracy.right.n == 6
    assert any("“Blue_green”" in limit for limit in report.limits)
    told = cc.audit(network("object"), tmp_path, clusters=0, classes={"Blue_green": "cyan"})
    assert told.accuracy is not None and told.accuracy.right.n == 12 and told.accuracy.right.share == 1.0
    with pytest.raises(cc.InvalidOption, match=r"'teal'.*which no picture has"):
        cc.audit(network("object"), tmp_path, classes={"teal": 0})


def test_bad_arguments_are_refused_before_a_picture_is_read(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, regions, _ = biased_folder
    classifier = network("object")
    region = next(iter(regions.values()))
    wrong: list[tuple[dict, str]] = [
        ({"method": "gradients"}, "No saliency method"),
        ({"method": "occlusion"}, "reads no layer"),
        ({"donors": 0}, "donors must be a whole number from 1"),
        ({"engine": "spark"}, "There is no engine 'spark'"),
        ({"boxes": {"nobody.png": region}}, "'nobody.png', which is not among"),
        ({"tags": {"cyan/001.png": " "}}, "is empty"),
        ({"target": "yellow"}, "There is no class 'yellow'"),
    ]
    for arguments, message in wrong:
        with pytest.raises(cc.ConvLensError, match=message):
            cc.audit(classifier, folder, should_stop=lambda: pytest.fail("it began"), **arguments)
    with pytest.raises(cc.InvalidOption, match="There is no folder"):
        cc.audit(classifier, folder / "nowhere")
    outside = {name: replace_box(one) for name, one in regions.items()}
    with pytest.raises(cc.InvalidOption, match=r"001\.png.*does not lie in the picture"):
        cc.audit(classifier, folder, boxes=outside, clusters=0)


def replace_box(region: cc.bias.Region) -> cc.bias.Region:
    (box,) = region.boxes
    return replace(region, boxes=(replace(box, bottom=box.bottom + 100),))


def test_a_folder_is_its_pictures_and_links_are_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(inside, 2)
    write(outside, 2)
    (inside / "link").symlink_to(outside)
    (inside / "cyan" / "link.png").symlink_to(outside / "cyan" / "001.png")
    (inside / ".hidden").mkdir()
    (inside / ".hidden" / "a.png").write_bytes(b"")
    assert [(item.name, item.label) for item in items_of(inside)] == [
        ("cyan/001.png", "cyan"), ("magenta/000.png", "magenta"),
    ]  # fmt: skip
    with pytest.raises(cc.InvalidOption, match="Two pictures are called"):
        items_of([Item("a", inside), Item("a", outside)])
    with pytest.raises(cc.InvalidOption, match="holds no pictures"):
        (tmp_path / "empty").mkdir()
        items_of(tmp_path / "empty")


def _facts(report: AuditReport) -> dict:
    found = report.to_dict()
    del found["run"]
    return found


def test_the_world_is_what_it_is_taken_for(biased_folder: tuple[Path, dict, dict]) -> None:
    folder, _, _ = biased_folder
    for kind in ("ground", "object"):
        classifier = network(kind)
        for name, label in (("magenta/000.png", "magenta"), ("cyan/001.png", "cyan")):
            trace = cc.trace(classifier, folder / name)
            assert CLASSES[int(trace.logits.argmax())] == label and np.ptp(trace.logits) > 0.5
