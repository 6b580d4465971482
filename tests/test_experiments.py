"""The table of experiments, results over seeds, the classic machine, precomputed bands."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core as cc
from cnn_core.training import bands
from cnn_core.training.classic import ClassicRun, fit_classic, hog_features, hog_picture
from cnn_core.training.data import data_set, load_data_set
from cnn_core.training.experiment import Arm, ClassicRecipe, Experiment
from cnn_core.training.experiments import experiment_of, register_experiment
from cnn_core.training.measures import MEASURES
from cnn_core.training.networks import small_network
from cnn_core.training.results import Cell
from cnn_core.training.variants import shuffle_pixels, subset

EXPERIMENTS = cc.list_experiments()
CHEAP: dict[str, Any] = {"steps": 4, "n_train": 64, "batch_size": 16, "evaluate_every": 0}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.key)
def test_every_entry_is_complete_and_can_run(experiment: Experiment) -> None:
    for text in (experiment.title, experiment.question, experiment.compares, experiment.expected, experiment.source):
        assert len(text) > 10 and "MEASURE" not in text
    assert experiment.question.endswith("?")
    assert all(key in MEASURES for key in experiment.measures)
    for arm in experiment.arms:
        if not isinstance(arm.recipe, ClassicRecipe):
            small_network(arm.recipe.network)
        assert arm.recipe.n_train <= data_set(arm.recipe.data).n_train


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.key)
def test_arms_of_one_group_have_equal_terms(experiment: Experiment) -> None:
    groups: dict[str, list[Arm]] = {}
    for arm in experiment.arms:
        groups.setdefault(arm.group, []).append(arm)
    for arms in groups.values():
        # Of drawn animals, how their grounds go with them is what is compared; they are the same animals.
        data = {
            arm.recipe.data.split(":")[0] if arm.recipe.data.startswith("cow_camel") else arm.recipe.data
            for arm in arms
        }
        assert len(data) == 1
        terms = {(arm.recipe.n_train, arm.recipe.shuffled_pixels) for arm in arms}
        budgets = {(a.recipe.steps, a.recipe.batch_size) for a in arms if not isinstance(a.recipe, ClassicRecipe)}
        # More pictures of one kind may be what is compared, and the entry says so.
        assert len(terms) == 1 or "5 to 160 more pictures" in experiment.compares
        # The two LeNets are the one pair with unequal budgets, and the entry says so.
        assert len(budgets) == 1 or "three passes against four" in experiment.compares


def test_every_experiment_of_the_issue_is_there() -> None:
    assert [experiment.key for experiment in EXPERIMENTS] == [
        "lenet",
        "three_machines",
        "activation_depth",
        "batch_norm",
        "input_normalisation",
        "augmentation",
        "degradation",
        "landmarks",
        "build",
        "cow_grass",
        "cow_repair",
    ]
    with pytest.raises(ValueError, match="already"):
        register_experiment(EXPERIMENTS[0])
    with pytest.raises(ValueError, match="keys of their own"):
        replace(EXPERIMENTS[0], arms=EXPERIMENTS[0].arms * 2)


# --- results over seeds ------------------------------------------------------------------------------------------


def test_a_table_holds_every_seed_with_mean_and_spread() -> None:
    seen: list[tuple[str, int, int]] = []
    table = cc.run_experiment(
        "input_normalisation",
        seeds=(3, 5),
        arms=["standardised", "raw"],
        on_progress=lambda arm, seed, step: seen.append((arm.key, seed, step.number if step else 0)),
        **CHEAP,
    )
    assert seen == [(arm, seed, n) for arm in ("standardised", "raw") for seed in (3, 5) for n in (1, 2, 3, 4)]
    alone = [cc.train("input_normalisation", seed=seed, arm="raw", **CHEAP) for seed in (3, 5)]
    cell = table.cell("raw", "test_accuracy")
    assert cell is not None and cell.values == tuple(run.test_accuracy for run in alone) and cell.n == 2
    assert cell.mean == pytest.approx(sum(cell.values) / 2) and cell.sd == pytest.approx(statistics.stdev(cell.values))
    largest = table.cell("raw", "largest_loss")
    assert largest is not None and largest.values == tuple(max(step.loss for step in run.steps) for run in alone)
    header, *rows = table.rows()
    assert header[:3] == ("arm", "n", "test") and [row[:2] for row in rows] == [("standardised", "2"), ("raw", "2")]
    assert rows[1][2] == f"{100 * cell.mean:.1f} ± {100 * cell.sd:.1f} %" and rows[1][4] == "20,490"
    assert table.states == ("finished",) * 4 and not table.stopped


def test_one_seed_has_no_spread_and_what_is_no_number_stays_visible() -> None:
    assert Cell("a", "test_accuracy", (0.5,)).sd is None
    broken = Cell("a", "largest_loss", (1.0, math.nan))
    assert math.isnan(broken.mean) and broken.sd is not None and math.isnan(broken.sd)


def test_a_stopped_experiment_keeps_the_runs_that_ended() -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    table = cc.run_experiment("lenet", seeds=(0, 1), on_progress=count, should_stop=lambda: steps == 6, **CHEAP)
    assert table.stopped and len(table.runs) == 1
    assert [row[:2] for row in table.rows()[1:]] == [("relu", "1")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": ()}, "at least one"),
        ({"seeds": (1, 1)}, "twice"),
        ({"seeds": (0,), "arms": []}, "at least one"),
        ({"seeds": (0,), "arms": ["rulu"]}, "'relu'"),
        ({"seeds": (-1,)}, "whole number"),
        ({"seeds": (0,), "stepz": 3}, "'steps'"),
    ],
)
def test_bad_input_is_said_before_anything_runs(options: dict[str, Any], said: str) -> None:
    with pytest.raises(cc.InvalidOption, match=said):
        cc.run_experiment("lenet", on_progress=lambda *_: pytest.fail("it ran"), **options)


def test_a_comparison_says_what_differs_and_whether_it_is_fair() -> None:
    run, other, longer = (
        cc.train("lenet", seed=0, arm=arm, **(CHEAP | {"steps": steps}))
        for arm, steps in (("relu", 4), ("tanh", 4), ("relu", 5))
    )
    fair = cc.compare_runs(run, other)
    assert fair.differences == {"network": ("lenet5", "lenet5_1998")} and fair.fair and not fair.warning
    assert fair.test_accuracies == (run.test_accuracy, other.test_accuracy)
    unfair = cc.compare_runs(run, longer)
    assert set(unfair.differences) == {"steps", "steps_done"} and not unfair.fair and "steps" in unfair.warning
    with pytest.raises(cc.InvalidOption, match="two runs"):
        cc.compare_runs(run)


def test_a_shifted_accuracy_is_that_of_the_shifted_pictures() -> None:
    run = cc.train("three_machines", seed=0, arm="mlp", steps=40, evaluate_every=0)
    _, test = load_data_set("digits")
    moved = np.pad(test.pictures, ((0, 0), (3, 0), (3, 0)))[:, :28, :28]
    classifier = run.classifier()
    sample = range(0, 2000, 100)
    found = [
        cc.trace(classifier, classifier.card.preprocessing.from_rgb(np.repeat(moved[i][..., None], 3, 2))).top(1)[0]
        for i in sample
    ]
    x = (moved / 255 - 0.1307) / 0.3081
    first, second = (run.weights[f"fc{i}.weight"].double().numpy() for i in (1, 2))
    biases = [run.weights[f"fc{i}.bias"].double().numpy() for i in (1, 2)]
    logits = np.maximum(x.reshape(2000, -1) @ first.T + biases[0], 0) @ second.T + biases[1]
    share = float((logits.argmax(1) == test.labels).mean())
    # float32 against float64: a picture on the edge of two classes may fall either way
    assert MEASURES["shift_3"].read(run) == pytest.approx(share, abs=1e-3)
    assert [p.index for p in found] == list(logits.argmax(1)[list(sample)])
    assert MEASURES["shift_0"].read(run) == run.test_accuracy


# --- HOG and a linear SVM ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine() -> ClassicRun:
    return fit_classic(ClassicRecipe(data="digits", n_train=300), seed=0)


def test_the_classic_machine_learns_by_a_plane_for_each_class(machine: ClassicRun) -> None:
    # 3 x 3 blocks of 2 x 2 cells with 9 orientations
    assert machine.weights.shape == (10, 3 * 3 * 2 * 2 * 9) and machine.n_parameters == 10 * 325
    _, test = load_data_set("digits")
    some = test.pictures[:200]
    scores = hog_features(some, machine.recipe).astype(np.float64) @ machine.weights.T + machine.thresholds
    assert np.allclose(machine.scores(some), scores)
    assert machine.accuracy(some, test.labels[:200]) == (scores.argmax(1) == test.labels[:200]).mean()
    assert machine.test_accuracy > 0.85 and machine.cpu_seconds > 0


def test_the_svm_is_at_its_optimum(machine: ClassicRun) -> None:
    """The gradient of one half |w|² + C Σ max(0, 1 - y f)² vanishes there, for each class against the rest."""
    train = subset(load_data_set("digits")[0], 300, 0)
    features = np.hstack([hog_features(train.pictures, machine.recipe), np.ones((300, 1))]).astype(np.float64)
    for digit in range(10):
        plane = np.append(machine.weights[digit], machine.thresholds[digit])
        sign = np.where(train.labels == digit, 1.0, -1.0)
        slack = np.maximum(0, 1 - sign * (features @ plane))
        gradient = plane - 2 * machine.recipe.penalty * (sign * slack) @ features
        start = 2 * machine.recipe.penalty * sign @ features
        # the solver's own tolerance is 1e-4 of the gradient it began with, give or take the share of the smaller class
        assert np.linalg.norm(gradient) < 1e-2 * np.linalg.norm(start)


def test_hog_counts_the_directions_of_edges() -> None:
    """A picture of one vertical edge: all strength in one orientation, and nothing where nothing is."""
    picture = np.zeros((28, 28), np.uint8)
    picture[:, 14:] = 255
    recipe = ClassicRecipe(data="digits", n_train=1)
    blocks = hog_features(picture[None], recipe)[0].reshape(3, 3, 2, 2, 9)
    strength = blocks.sum((0, 1, 2, 3))
    assert strength.argmax() == 0 and strength[1:].max() < 1e-5 * strength[0]
    assert not blocks[:, 0, :, 0].any() and blocks[:, 1].any()
    drawn = hog_picture(picture, recipe)
    assert drawn.shape == (28, 28) and drawn.any() and not drawn[:, :6].any()


def test_the_classic_machine_is_shuffled_too(machine: ClassicRun) -> None:
    shuffled = fit_classic(replace(machine.recipe, shuffled_pixels=True), seed=0)
    _, test = load_data_set("digits")
    some = shuffle_pixels(test.pictures[:300])
    # designed for edges, of which a shuffled picture has none that mean anything
    assert shuffled.accuracy(some, test.labels[:300]) < machine.test_accuracy - 0.1
    assert MEASURES["shift_4"].read(shuffled) is None


def test_a_classic_arm_stands_in_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    # nine shifts of 2,000 pictures would take HOG a dozen seconds
    few = replace(experiment_of("three_machines"), measures=("test_accuracy", "shift_4"))
    monkeypatch.setitem(_registry(), "three_machines", few)
    table = cc.run_experiment("three_machines", seeds=(0,), arms=["hog_svm_100", "mlp_shuffled"], steps=4)
    classic = table.cell("hog_svm_100", "test_accuracy")
    assert classic is not None and classic.mean > 0.6 and table.states == ("fitted", "finished")
    assert table.cell("mlp_shuffled", "shift_4") is None and table.rows()[2][-1] == "–"


# --- precomputed bands -------------------------------------------------------------------------------------------


def test_the_script_makes_bands_that_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cheap = replace(experiment_of("lenet").arms[0].recipe, steps=12, n_train=64, batch_size=16)
    experiment = replace(experiment_of("lenet"), arms=(Arm("relu", "ReLU", cheap),))
    monkeypatch.setitem(_registry(), "lenet", experiment)
    output = tmp_path / "lenet.json"
    assert bands.main(["lenet", "--seeds", "2", "-o", str(output)]) == 0
    monkeypatch.setattr(bands, "run_experiment", _only_seed(2))  # the two that are there are not run again
    assert bands.main(["lenet", "--seeds", "3", "-o", str(output)]) == 0
    monkeypatch.undo()
    monkeypatch.setitem(_registry(), "lenet", experiment)
    whole = bands.summarise(cc.run_experiment("lenet", seeds=(0, 1, 2)))
    assert json.loads(output.read_text())["cells"] == whole["cells"]
    found = cc.load_bands("lenet", tmp_path)
    assert found is not None and found.seeds == (0, 1, 2) and found.current and found.label == "precomputed, 3 seeds"
    runs = [cc.train("lenet", seed=seed) for seed in found.seeds]
    accuracies = [run.test_accuracy for run in runs]
    cell = next(cell for cell in found.cells if cell.measure == "test_accuracy")
    assert cell.values == pytest.approx(accuracies, rel=1e-4)  # five digits are kept
    curve = found.curves["relu"]["test_accuracy"]
    last = [run.steps[-1].evaluation for run in runs]
    values = [evaluation.test_accuracy for evaluation in last if evaluation is not None]
    assert curve.steps[0] == 1 and curve.steps[-1] == 12
    assert (curve.mean[-1], curve.low[-1], curve.high[-1]) == pytest.approx(
        (statistics.fmean(values), min(values), max(values)), rel=1e-4
    )
    monkeypatch.setitem(_registry(), "lenet", replace(experiment, arms=(Arm("relu", "", replace(cheap, steps=13)),)))
    again = cc.load_bands("lenet", tmp_path)
    assert again is not None and not again.current
    capsys.readouterr()
    assert bands.main(["lenett", "--seeds", "1"]) == 2 and "no experiment" in capsys.readouterr().err
    assert bands.main(["lenet", "--seeds", "0"]) == 2


def _only_seed(seed: int) -> Callable[..., cc.ResultTable]:
    def run(key: str, *, seeds: list[int], **options: Any) -> cc.ResultTable:
        assert seeds == [seed]
        return cc.run_experiment(key, seeds=seeds, **options)

    return run


def _registry() -> dict[str, Experiment]:
    from cnn_core.training import experiments

    return experiments._EXPERIMENTS


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.key)
def test_bands_that_come_along_belong_to_the_table_as_it_is(experiment: Experiment) -> None:
    found = cc.load_bands(experiment.key)
    if found is None:
        assert not (bands.FOLDER / f"{experiment.key}.json").exists()
        return
    assert found.current and all(cell.n == len(found.seeds) for cell in found.cells)
    told = json.loads((bands.FOLDER / f"{experiment.key}.json").read_text())
    assert told["recipes"].items() <= {arm.key: asdict(arm.recipe) for arm in experiment.arms}.items()
    assert (bands.FOLDER / f"{experiment.key}.json").stat().st_size < 100_000
