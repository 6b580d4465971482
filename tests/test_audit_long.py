"""What an audit promises and takes minutes to show: twenty verdicts, a cluster's rows, a kill in the middle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import cnn_core as cc
from benchmarks import audit as benchmark
from cnn_core.bias.herds import ground_names, herd_names, herd_regions, write_herd
from cnn_core.training.cow_camel import draw_herd

pytestmark = pytest.mark.long

# (arm of the experiment, seed): trained where the ground matches in so many per cent.
NETWORKS = (("at_95", 0), ("at_98", 0), ("at_100", 0), ("at_50", 0), ("at_50", 1))
# (seed, side, textures, correlation, whether the grounds are tagged): folders that nothing was trained on.
FOLDERS = ((301, 48, "usual", 1.0, False), (302, 64, "tufts", 0.95, False), (303, 96, "smooth", 0.9, False),
           (304, 72, "tufts", 0.5, True))  # fmt: skip
N = 24


@cache
def trained(arm: str, seed: int) -> cc.Classifier:
    run = cc.train("cow_grass", seed=seed, arm=arm, evaluate_every=0)
    assert isinstance(run, cc.TrainingRun)
    return run.classifier()


def test_nineteen_of_twenty_verdicts_are_right(tmp_path: Path, say: Callable[[str], None]) -> None:
    right = 0
    told = []
    for place, (seed, side, textures, correlation, tagged) in enumerate(FOLDERS):
        herd = draw_herd(N, seed=seed, correlation=correlation, side=side, textures=textures)
        folder = tmp_path / str(place)
        write_herd(folder, herd)
        tags = dict(zip(herd_names(herd), ground_names(herd), strict=True)) if tagged else None
        for arm, own in NETWORKS:
            report = cc.audit(trained(arm, own), folder, boxes=herd_regions(herd), tags=tags, clusters=0)
            expected = "not_supported" if arm == "at_50" else "supported"
            right += report.verdict.key == expected
            if report.verdict.key != expected:
                told.append(f"{arm}, seed {own}, folder {place}: {report.verdict.sentence}")
    say(f"audit: {right} of {len(FOLDERS) * len(NETWORKS)} verdicts right; wrong: {told or 'none'}")
    assert len(FOLDERS) * len(NETWORKS) == 20 and right >= 19, told


def test_four_boxed_pictures_are_too_few_for_any_network(tmp_path: Path) -> None:
    herd = draw_herd(N, seed=305)
    write_herd(tmp_path, herd)
    regions = dict(list(herd_regions(herd).items())[:4])
    assert cc.audit(trained("at_100", 0), tmp_path, boxes=regions, clusters=0).verdict.key == "too_few"


def test_ray_gives_the_same_rows(tmp_path: Path) -> None:
    """A local cluster; rows, maps and thumbnails are equal bit for bit, since batches and threads are the same."""
    folder = tmp_path / "pictures"
    write_herd(folder, draw_herd(150, seed=306))
    (folder / "cow" / "broken.png").write_bytes(b"?")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        classifier = cc.load_model("squeezenet1_1", weights="random", device="cpu")
        local = cc.audit(classifier, folder, clusters=0)
        ray = cc.audit(classifier, folder, clusters=0, engine="ray")
    finally:
        torch.set_num_threads(threads)
    assert ray.run.engine == "ray" and ray.run.n_computed == 151
    assert ray.rows == local.rows and ray.bad_files == local.bad_files
    for row in local.rows:
        assert np.array_equal(ray.map(row.index), local.map(row.index))
        assert ray.thumbnail(row.index) == local.thumbnail(row.index)


def test_memory_throughput_and_a_kill_in_the_middle(say: Callable[[str], None]) -> None:
    """Of 320 pictures; `python -m benchmarks audit` does the same with 10,000."""
    (report,) = benchmark.measure(quick=True)
    for row in report.rows:
        say(f"audit: {row.cells[0]}: {row.value:.2f} {row.cells[1]}")
    assert report.within, report.text()
