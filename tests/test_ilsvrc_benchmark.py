"""The challenge's figures, the small benchmark's counting, and how far its order can be trusted, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core as cc
from cnn_core import ilsvrc
from cnn_core.training import benchmark
from cnn_core.training.data import load_data_set
from cnn_core.training.machines import shipped_machines


def test_every_figure_has_a_source_and_a_lesson_that_exists() -> None:
    from ui import shell

    pages = {lesson.key for lesson in shell.PAGES}
    for entry in ilsvrc.ENTRIES:
        assert entry.source and entry.paper and entry.idea and entry.opens
        assert {page for page, _ in entry.opens} <= pages
    years = [entry.year for entry in ilsvrc.winners()]
    assert years == list(range(2010, 2018))
    assert len({entry.key for entry in ilsvrc.ENTRIES}) == len(ilsvrc.ENTRIES)
    # Russakovsky et al. 2015, He et al. 2016, Hu et al. 2018.
    errors = [entry.error for entry in ilsvrc.winners()]
    assert errors == [0.282, 0.258, 0.164, 0.117, 0.067, 0.0357, 0.0299, 0.0225]


def test_drops_and_the_human_line() -> None:
    assert ilsvrc.largest_drop() == 2012
    assert ilsvrc.largest_drop(relative=True) == 2015
    points, share = ilsvrc.drops()[2012]
    assert points == pytest.approx(0.258 - 0.164) and share == pytest.approx(0.094 / 0.258)
    below = ilsvrc.first_below(ilsvrc.PEOPLE[0].error)
    assert below is not None and below.year == 2015
    assert ilsvrc.first_below(0.01) is None


@pytest.mark.parametrize(("hits", "n"), [(76, 1_500), (0, 20), (13, 258)])
def test_wilsons_interval_is_where_the_score_test_just_rejects(hits: int, n: int) -> None:
    low, high = ilsvrc.interval(hits / n, n)
    for edge in (low, high):
        if edge > 1e-12:
            # The definition: the measured share is 1.96 standard errors, of the edge itself, away from the edge.
            assert abs(hits / n - edge) == pytest.approx(1.96 * np.sqrt(edge * (1 - edge) / n))


def test_first_and_first_three_guesses_are_counted_by_rank() -> None:
    scores = np.array([[5, 4, 3, 2, 1], [1, 5, 4, 3, 2], [2, 2, 1, 0, 0], [np.nan, 9, 1, 1, 1]], dtype=np.float32)
    found = benchmark.score(scores, np.array([0, 3, 1, 1]))
    # Right; third of five; tied for the first place, so not first; not a number, so never right.
    assert found.top1.tolist() == [True, False, False, False]
    assert found.top3.tolist() == [True, True, True, False]
    assert (found.error1, found.error3) == (0.75, 0.25)


def test_a_machine_is_asked_about_the_same_pictures_as_anyone() -> None:
    mlp = shipped_machines("fashion")[1]
    _, test = load_data_set("fashion")
    found = benchmark.evaluate(mlp, "fashion")
    assert found.n == len(test) == 2_000
    # By hand, in float64: two layers and a ReLU on the normalised pixels.
    weights = {name: tensor.double().numpy() for name, tensor in mlp.weights.items()}
    x = (test.pictures.reshape(2_000, -1) / 255 - 0.2860) / 0.3530
    hidden = np.maximum(x @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    logits = hidden @ weights["fc2.weight"].T + weights["fc2.bias"]
    ranks = (-logits).argsort(1)
    assert found.top1.mean() == pytest.approx((ranks[:, 0] == test.labels).mean(), abs=1e-3)  # a tie in float32
    assert found.top3.mean() == pytest.approx((ranks[:, :3] == test.labels[:, None]).any(1).mean(), abs=1e-3)
    moved = benchmark.evaluate(mlp, "fashion", moved=2)
    rolled = np.zeros_like(test.pictures)
    rolled[:, 2:, 2:] = test.pictures[:, :-2, :-2]
    assert moved.top1.mean() == mlp.accuracy(rolled, test.labels) < found.top1.mean() - 0.1


def test_what_learned_something_else_is_refused_in_a_sentence() -> None:
    mlp = shipped_machines("digits")[1]
    with pytest.raises(cc.InvalidOption, match="learned from handwritten digits; this table compares"):
        benchmark.evaluate(mlp, "fashion")
    shuffled = shipped_machines("shuffled")[1]
    assert "shuffled pixels" in benchmark.belongs(shuffled, "digits")
    lenet = cc.load_model("lenet5")
    assert benchmark.belongs(lenet, "digits") == ""
    assert "names other classes than clothing" in benchmark.belongs(lenet, "fashion")


def test_the_bootstrap_is_the_binomials_and_knows_a_sure_order() -> None:
    generator = np.random.default_rng(1)
    right = generator.random((1, 2_000)) < 0.9
    noise = benchmark.bootstrap(right, draws=4_000)
    p = right.mean()
    # One machine's draws are binomial: 1.96 standard errors, to 8 % (the quantile of 4,000 draws).
    assert noise.high[0] - noise.low[0] == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 2_000), rel=0.08)
    assert noise.first.tolist() == [1] and noise.same_order == 1
    few = benchmark.bootstrap(right, n=100, draws=4_000)
    assert few.high[0] - few.low[0] == pytest.approx(np.sqrt(20) * (noise.high[0] - noise.low[0]), rel=0.1)
    # One is right wherever the other is, and more often: whatever is drawn, it leads or ties.
    worse = right[0] & (generator.random(2_000) < 0.8)
    sure = benchmark.bootstrap(np.stack([worse, right[0]]))
    assert sure.first[1] > 0.999 and sure.same_order == 1
    # Two that are right equally often, on other pictures, share the lead.
    half = np.arange(1_000) % 2 == 0
    assert benchmark.bootstrap(np.stack([half, ~half])).first == pytest.approx([0.5, 0.5], abs=0.04)
    with pytest.raises(cc.InvalidOption):
        benchmark.bootstrap(np.zeros((0, 10), dtype=bool))
