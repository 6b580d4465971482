"""A visitor's own machines beside those that came along, and own runs in the small benchmark's table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from cnn_core.training.classic import fit_classic
from ui import imagenet_scores, machines_fitted
from ui.experiment_records import Record, Records


def train(arm: str, **settings: Any) -> cc.TrainingRun:
    return cc.train("three_machines", seed=4, arm=arm, steps=2, evaluate_every=0, **settings)


def record(arm: str, seed: int, run_id: str | None, state: str = "finished") -> Record:
    return Record(arm, seed, (), state, "", (), {}, run_id)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, cc.TrainingRun]:
    """What the visitor has trained, by id."""
    kept: dict[str, cc.TrainingRun] = {}
    for module in (machines_fitted, imagenet_scores):
        monkeypatch.setattr(module.training, "run_of", lambda name: kept.get(name))
    monkeypatch.setattr(imagenet_scores.training, "runs", lambda: kept)
    return kept


def test_a_whole_trio_of_one_seed_takes_the_place_of_the_shipped_one(
    monkeypatch: pytest.MonkeyPatch, runs: dict[str, cc.TrainingRun]
) -> None:
    records = Records()
    monkeypatch.setattr(machines_fitted, "records_of", lambda key: records)
    monkeypatch.setattr(machines_fitted, "classic", lambda recipe, seed: fit_classic(replace(recipe, n_train=50), seed))
    assert machines_fitted.own() is None
    runs["a"], runs["b"] = train("mlp"), train("cnn")
    records.add(record("hog_svm", 4, None, "fitted"))
    records.add(record("mlp", 4, "a"))
    records.add(record("cnn", 5, "b"))
    assert machines_fitted.own() is None, "three machines of two seeds are no fair trio"
    records.add(record("cnn", 4, "b", "stopped"))
    assert machines_fitted.own() is None, "a stopped one has not had the same budget"
    records.add(record("cnn", 4, "b"))
    mine = machines_fitted.own()
    assert mine is not None and [one.key for one in mine.plain] == list(machines_fitted.KINDS)
    assert mine.plain[1].weights["fc1.weight"].equal(runs["a"].weights["fc1.weight"])
    assert {one.shuffled for one in mine.shuffled} == {True}
    assert mine.whose == "yours (in order seed 4, shuffled: the shipped ones)"
    assert mine.key != machines_fitted.shipped().key
    del runs["b"]
    assert machines_fitted.own() is None, "a network that is not kept any more cannot answer"


def test_own_runs_stand_in_the_table_of_what_they_learned_from(
    monkeypatch: pytest.MonkeyPatch, runs: dict[str, cc.TrainingRun]
) -> None:
    monkeypatch.setattr(imagenet_scores.st, "session_state", {})
    runs["digits"], runs["clothes"] = train("mlp"), train("mlp", data="fashion")
    runs["shuffled"] = train("mlp_shuffled")
    assert imagenet_scores.add("digits", "digits") == ""
    assert imagenet_scores.add("digits", "digits") == "" and list(imagenet_scores.added("digits")) == ["digits"]
    assert "learned from clothing" in imagenet_scores.add("clothes", "digits")
    assert "learned from handwritten digits" in imagenet_scores.add("digits", "fashion")
    assert "shuffled pixels" in imagenet_scores.add("shuffled", "digits")
    assert "not kept" in imagenet_scores.add("gone", "digits")
    own = [one for one in imagenet_scores.entrants("digits") if one.own]
    assert [one.title for one in own] == ["MLP 784-128-10, seed 4"]
    found = imagenet_scores._result(own[0], "digits", 0)
    assert 1 - found.score.error1 == pytest.approx(runs["digits"].test_accuracy)
    assert (found.parameters, found.macs) == (101_770, 101_632)
    imagenet_scores.remove("digits", "digits")
    assert not imagenet_scores.added("digits")


@pytest.mark.parametrize("data", ["fashion", "digits"])
def test_a_run_is_added_by_a_click_and_one_of_other_pictures_refused(
    runs: dict[str, cc.TrainingRun], data: str
) -> None:
    def page(data: str) -> None:
        from ui import imagenet_benchmark

        imagenet_benchmark._own_runs(data)

    runs["learned"] = train("mlp", data="fashion")
    at = AppTest.from_function(page, args=(data,)).run()
    at.button[0].click().run()
    if data == "fashion":
        assert at.button[0].label == "Remove MLP 784-128-10, seed 4" and not at.warning
        at.button[0].click().run()
    else:
        assert "learned from clothing" in at.warning[0].value
        at.run()
        assert not at.warning, "told once"
    assert at.button[0].label == "Add MLP 784-128-10, seed 4"
