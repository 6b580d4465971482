"""The parts of an audit, each against another source: scipy, hand-worked sums, maps whose groups are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap

import cnn_core as cc
from cnn_core.bias.passing import Seen, batched, read_ahead, scatter_of
from cnn_core.bias.statistics import paired_bootstrap, rate
from cnn_core.bias.swap_result import Interval, SwapTest
from cnn_core.bias.verdict import LEAST_PICTURES, verdict_of
from tests.audit_world import OBJECT, network, write


def test_the_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(3)
    control, treated = rng.random(30) * 0.2, rng.random(30)
    own = paired_bootstrap(control, treated, resamples=20_000, seed=1)
    theirs = bootstrap((treated - control,), np.mean, n_resamples=20_000, method="percentile", rng=5)
    assert own.estimate == pytest.approx(float((treated - control).mean()))
    # Quantiles of 20,000 resamples: their own spread is a few thousandths of the interval's length.
    length = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert own.low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * length)
    assert own.high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * length)
    assert own == paired_bootstrap(control, treated, resamples=20_000, seed=1)
    with pytest.raises(cc.InvalidOption):
        paired_bootstrap([0.0], [])


def test_wilsons_interval() -> None:
    """0 of 10 at 95 %: z^2 / (n + z^2) = 3.8415 / 13.8415."""
    found = rate(0, 10)
    assert (found.low, found.share) == (0.0, 0.0) and found.high == pytest.approx(0.27753, abs=1e-5)
    assert rate(0, 0).share is None


@pytest.mark.parametrize(
    ("values", "scatter"),
    [
        (np.ones((4, 4)), 0.5),  # everywhere: half of the cells hold half
        (np.eye(4)[:1], 0.125),  # one cell of four, and half of it is enough
        (np.array([[3.0, 1.0, 0.0, 0.0]]), 2 / 3 / 4),  # 2 of 4 in all are two thirds of the first cell
        (np.array([[1.0, 1.0, 2.0, -5.0]]), 0.25),  # what speaks against the class does not count
        (np.zeros((2, 2)), None),
    ],
)
def test_scatter(values: np.ndarray, scatter: float | None) -> None:
    assert scatter_of(values) == (None if scatter is None else pytest.approx(scatter))


def _swap(n: int, low: float, estimate: float, high: float) -> SwapTest:
    return SwapTest(
        n, n, 0.05, 0.05 + estimate, rate(1, 10), Interval(estimate, low, high, 0.95), (), (), (), "One left."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("swap", "key"),
    [
        (None, "too_few"),
        (_swap(LEAST_PICTURES - 1, 0.8, 0.9, 1.0), "too_few"),
        (_swap(LEAST_PICTURES, 0.8, 0.9, 1.0), "supported"),
        (_swap(40, 0.01, 0.05, 0.09), "not_supported"),  # surely there, and too small to matter
        (_swap(40, -0.02, 0.0, 0.02), "not_supported"),
        (_swap(12, -0.05, 0.2, 0.45), "too_few"),  # it could be nothing, and it could be much
    ],
)
def test_the_verdict_follows_from_the_swaps(swap: SwapTest | None, key: str) -> None:
    found = verdict_of(swap)
    assert found.key == key and found.sentence.endswith(".") and found.next_step.endswith(".")
    if swap is not None and swap.n >= LEAST_PICTURES:
        assert f"n = {swap.n}" in found.sentence and "95 % interval" in found.sentence


def test_a_negative_bound_has_a_true_minus() -> None:
    assert "from \N{MINUS SIGN}2 to 2 points" in verdict_of(_swap(40, -0.02, 0.0, 0.02)).sentence


def test_maps_are_grouped_by_where_they_lie(tmp_path: Path) -> None:
    """Objects in three places; the network that looks at them has maps there and nowhere else."""
    places = ((1, 1), (1, 19), (19, 10))
    write(tmp_path, 36, at=places)
    report = cc.audit(network("object"), tmp_path)
    assert [one.n for one in report.clusters] == [12, 12, 12]  # their number, too, was found
    where = {name.name: places[(int(name.name[-7:-4]) // 2) % 3] for name in report.rows}
    for one in report.clusters:
        (place,) = {where[report.row(index).name] for index in one.indices}
        inside = np.zeros(one.mean_map.shape, bool)
        inside[place[0] : place[0] + OBJECT, place[1] : place[1] + OBJECT] = True
        assert one.mean_map[inside].sum() == pytest.approx(1.0, abs=1e-5) and not one.mean_map[~inside].any()
        pictures = [np.asarray(cc.load_image(report.thumbnail(index)).rgb, float) for index in one.indices]
        assert np.abs(one.mean_picture - np.mean(pictures, axis=0)).max() <= 0.51  # rounded to whole levels
        assert one.right.share == 1.0 and dict(one.labels) == {"magenta": 6, "cyan": 6}
    assert all(row.cluster is not None for row in report.rows)
    assert len(cc.audit(network("object"), tmp_path, clusters=2).clusters) == 2


def test_few_or_empty_maps_are_in_no_group(tmp_path: Path) -> None:
    write(tmp_path, 6)
    assert cc.audit(network("object"), tmp_path).clusters == ()


def test_pieces_hold_a_batch_of_readable_pictures_and_order_is_kept() -> None:
    kinds = [True, False, True, True, False, True, False]
    pictures = [Seen(None, object() if good else None) for good in kinds]  # type: ignore[arg-type]
    assert [len(piece) for piece in batched(pictures, 2)] == [3, 3, 1]
    assert [one for piece in batched(pictures, 2) for one in piece] == pictures
    started: list[int] = []

    def double(n: int) -> int:
        started.append(n)
        return 2 * n

    with_threads = read_ahead(double, range(100), workers=3, ahead=5)
    assert [next(with_threads) for _ in range(10)] == list(range(0, 20, 2))
    with_threads.close()
    assert len(started) <= 15  # no more is read than was asked for and what lies ahead


def test_a_class_named_by_the_visitor_is_explained_everywhere(tmp_path: Path) -> None:
    write(tmp_path, 12)
    report = cc.audit(network("object"), tmp_path, target="cyan", clusters=0)
    assert report.settings.target == "cyan"
    # No magenta square speaks for cyan: those maps hold nothing.
    assert {row.label for row in report.rows if row.scatter is None} == {"magenta"}
    assert all(not report.map(row.index).any() for row in report.rows if row.label == "magenta")


def test_another_network_shares_the_store_and_mixes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "pictures", 8)
    first = cc.audit(network("object"), tmp_path / "pictures", store=tmp_path / "store", clusters=0)
    second = cc.audit(network("ground"), tmp_path / "pictures", store=tmp_path / "store", clusters=0)
    assert second.run.n_kept == 0
    assert not np.array_equal(first.map(0), second.map(0))
    assert replace(first.rows[0], logit=0) != replace(second.rows[0], logit=0)
    again = cc.audit(network("object"), tmp_path / "pictures", store=tmp_path / "store", clusters=0)
    assert again.run.n_computed == 0 and again.rows == first.rows
