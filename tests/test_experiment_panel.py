"""The experiment panel's parts: runs and their numbers, curves, settings, files, first steps, residual blocks."""

from __future__ import annotations

import csv
import io
import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cnn_core as cc
from cnn_core.residual import block_maps, remove_each, residual_blocks
from cnn_core.training.augmented_pictures import augmented_pictures
from cnn_core.training.experiments import experiment_of
from cnn_core.training.first_step import FOLDER, first_steps, load_first_steps
from cnn_core.training.results import Cell
from cnn_core.training.run import parts_of
from cnn_core.training.variants import subset
from ui import experiment_controls as controls
from ui import experiment_results as results
from ui.experiment_lesson import Chart, Line, chart_view
from ui.experiment_records import Missing, Record, Records, Source, listed, own, precomputed, share_words
from ui.experiment_runs import Live, one_run
from ui.experiment_views import Drawn, styles_of, training_views
from ui.instruments.curves import Style
from ui.training import Runs

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
SHORT = {"steps": 12, "n_train": 60, "batch_size": 20}
EXPERIMENT = experiment_of("input_normalisation")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, int], cc.TrainingRun]:
    return {
        (arm, seed): cc.train(EXPERIMENT.key, seed=seed, arm=arm, **SHORT)
        for arm in ("standardised", "raw")
        for seed in (0, 1)
    }


def record(run: cc.TrainingRun, **changes: object) -> Record:
    values = {"test_accuracy": run.test_accuracy, "train_accuracy": run.train_accuracy}
    made = Record(run.arm, run.seed, (), run.state, run.note, run.steps, values, "id")
    return replace(made, **changes)  # type: ignore[arg-type]


def view(views: list[object], key: str) -> object:
    return next(one for one in views if one.key == key)  # type: ignore[attr-defined]


def test_runs_of_one_arm_seed_and_settings_replace_each_other(runs: dict[tuple[str, int], cc.TrainingRun]) -> None:
    kept = Records()
    first, second = record(runs["raw", 0]), record(runs["raw", 0], note="again")
    for one in (first, record(runs["raw", 1]), second, record(runs["raw", 0], settings=(("steps", 5),))):
        kept.add(one)
    assert [(one.seed, one.settings, one.note == "again") for one in kept.all()] == [
        (1, (), False),
        (0, (), True),
        (0, (("steps", 5),), False),
    ]
    assert kept.groups() == ((), (("steps", 5),))
    for seed in range(200):
        kept.add(record(runs["raw", 0], seed=seed))
    assert len(kept.all()) == 40 and kept.all()[-1].seed == 199, "the oldest go"


def test_a_stopped_run_is_no_part_of_a_mean(runs: dict[tuple[str, int], cc.TrainingRun]) -> None:
    both = [record(runs["raw", 0]), record(runs["raw", 1], state="stopped")]
    source = own(both)
    assert source is not None and source.words == "your run, seed 0"
    assert source.cell("raw", "test_accuracy").values == (runs["raw", 0].test_accuracy,)
    with pytest.raises(Missing):
        source.mean("standardised")
    assert own([both[1]]) is None
    source = own([both[0], record(runs["raw", 1]), record(runs["standardised", 1])])
    assert source is not None
    assert source.mean("raw") == pytest.approx((runs["raw", 0].test_accuracy + runs["raw", 1].test_accuracy) / 2)
    assert source.seeds_of("standardised") == (1,) and source.words == "your runs, seeds 0 and 1"


def test_a_diverged_run_counts_and_its_nan_is_not_hidden(runs: dict[tuple[str, int], cc.TrainingRun]) -> None:
    broken = record(runs["raw", 0], state="diverged", values={"largest_loss": math.nan})
    source = own([broken])
    assert source is not None and math.isnan(source.mean("raw", "largest_loss"))
    steps = (*broken.steps[:-1], replace(broken.steps[-1], loss=math.nan))
    drawn = Drawn(EXPERIMENT, EXPERIMENT.arms, None, [replace(broken, steps=steps)], styles_of(EXPERIMENT))
    (line,) = view(training_views(drawn), "loss").series  # type: ignore[attr-defined]
    assert math.isnan(line.y[-1]) and np.isfinite(line.y[:-1]).all() and line.end == "diverged"


@pytest.mark.parametrize(
    ("values", "words"),
    [((0.5,), "50.0 %"), ((0.4, 0.6), "50.0 ± 14.1 %"), ((0.1, 0.1, 0.4), "20.0 ± 17.3 %")],
)
def test_shares_in_words(values: tuple[float, ...], words: str) -> None:
    assert share_words(values) == words
    assert listed((2, 0, 1)) == "0 to 2" and listed((0, 3, 7)) == "0, 3 and 7" and listed((4,)) == "4"


def test_seeds_make_a_band_and_a_partial_run_a_line_of_its_own(runs: dict[tuple[str, int], cc.TrainingRun]) -> None:
    half = record(runs["raw", 0], seed=7, state="stopped", steps=runs["raw", 0].steps[:6])
    records = [record(runs["raw", 0]), record(runs["raw", 1]), half, record(runs["standardised", 0])]
    views = training_views(Drawn(EXPERIMENT, EXPERIMENT.arms, None, records, styles_of(EXPERIMENT)))
    lines = view(views, "test_accuracy").series  # type: ignore[attr-defined]
    assert [line.note for line in lines] == ["your run, seed 0", "your run, seed 7", "your runs, seeds 0 and 1"]
    told = np.array([[s.evaluation.test_accuracy for s in runs["raw", seed].steps if s.evaluation] for seed in (0, 1)])
    np.testing.assert_allclose(lines[2].y, told.mean(0))
    np.testing.assert_allclose(lines[2].low, told.min(0))
    np.testing.assert_allclose(lines[2].high, told.max(0))
    assert lines[1].end == "stopped" and lines[1].x[-1] <= 6
    losses = view(views, "loss").series[2]  # type: ignore[attr-defined]
    raw = np.array([[step.loss for step in runs["raw", seed].steps] for seed in (0, 1)])
    assert losses.y[-1] == pytest.approx(raw[:, 2:].mean(), rel=1e-6), "the mean of the last ten batches"
    gradients = view(views, "gradients")
    line = gradients.series[0]  # type: ignore[attr-defined]
    assert line.labels == ("fc", "conv2", "conv1"), "from the output back"
    last = runs["standardised", 0].steps[-1].gradient_norms
    np.testing.assert_allclose(line.y[-1], [last[name] for name in line.labels])
    assert gradients.frames[-1] == 12 and set(line.steps) <= set(gradients.frames)  # type: ignore[attr-defined]


def test_precomputed_bands_are_drawn_only_while_their_recipes_hold() -> None:
    bands = cc.load_bands("lenet")
    assert bands is not None and bands.current
    lenet = experiment_of("lenet")
    views = training_views(Drawn(lenet, lenet.arms, bands, [], styles_of(lenet)))
    line = view(views, "test_accuracy").series[0]  # type: ignore[attr-defined]
    band = bands.curves["relu"]["test_accuracy"]
    assert line.kind == "precomputed" and tuple(line.y) == band.mean and tuple(line.high) == band.high
    assert [one.key for one in views] == ["test_accuracy", "train_accuracy", "loss"], "no view without a number"
    assert precomputed(replace(bands, current=False)) is None
    source = precomputed(bands)
    assert source is not None and source.words == f"precomputed, {len(bands.seeds)} seeds"


def test_a_chart_has_mean_and_range_of_each_point() -> None:
    source = Source("own", [Cell("a", "m", (0.2, 0.4)), Cell("b", "m", (0.9,))], (0, 1))
    chart = Chart("c", "C", "x", "y", (Line("L", Style(), ((1.0, "a", "m"), (2.0, "b", "m"), (3.0, "gone", "m"))),))
    (series,) = chart_view(chart, [source]).series
    assert list(series.x) == [1, 2] and list(series.y) == pytest.approx([0.3, 0.9])
    assert list(series.low) == pytest.approx([0.2, 0.9]) and list(series.high) == pytest.approx([0.4, 0.9])


def test_settings_differ_from_the_declared_ones_or_are_left_out() -> None:
    declared = EXPERIMENT.arm("raw").recipe
    changed = replace(declared, learning_rate=0.1, optimiser="adam")
    settings = controls.changed_settings(declared, changed)  # type: ignore[arg-type]
    assert settings == (("learning_rate", 0.1), ("optimiser", "adam"))
    assert controls.settings_words(settings) == "learning rate 0.1, optimiser Adam"
    assert controls.settings_words(()) == "as declared"
    read = controls.read_setting
    assert read("learning_rate", "0.1") == 0.1 and read("steps", "200") == 200 and read("optimiser", "sgd") == "sgd"
    for name, text in (("learning_rate", "-1"), ("steps", "2e9"), ("steps", "x"), ("optimiser", "y"), ("seed", "1")):
        assert read(name, text) is None
    assert read("learning_rate", "nan") is None


def test_steps_as_csv_and_the_table_as_json(runs: dict[tuple[str, int], cc.TrainingRun]) -> None:
    records = [record(run) for run in runs.values()]
    rows = list(csv.DictReader(io.StringIO(results.steps_csv(EXPERIMENT, records))))
    assert len(rows) == 4 * SHORT["steps"]
    run = runs["raw", 1]
    row = next(row for row in rows if (row["arm"], row["seed"], row["step"]) == ("raw", "1", "12"))
    assert float(row["loss"]) == run.steps[-1].loss and row["settings"] == "as declared"
    assert float(row["gradient_norm:conv1"]) == run.steps[-1].gradient_norms["conv1"]
    source = own(records)
    assert source is not None
    told = json.loads(results.table_json(EXPERIMENT, [source], records))
    cell = next(c for c in told["tables"][0]["cells"] if (c["arm"], c["measure"]) == ("raw", "test_accuracy"))
    assert cell["values"] == [runs["raw", 0].test_accuracy, run.test_accuracy] and cell["n"] == 2
    assert [one["state"] for one in told["runs"]] == ["finished"] * 4


def test_first_steps_are_what_training_meets_at_its_first_step() -> None:
    found = first_steps(EXPERIMENT.key, arms=["raw"], seeds=[3])["raw"]
    step = cc.train(EXPERIMENT.key, seed=3, arm="raw", steps=1).steps[0]
    assert dict(zip(found.layers, found.gradient_norms[0], strict=True)) == pytest.approx(dict(step.gradient_norms))
    assert found.losses[0] == pytest.approx(step.loss)


@pytest.mark.parametrize("key", ["activation_depth", "input_normalisation", "batch_norm", "degradation"])
def test_precomputed_first_steps_are_those_of_the_table(key: str, tmp_path: Path) -> None:
    shipped = load_first_steps(key)
    assert shipped is not None and set(shipped) == {arm.key for arm in experiment_of(key).arms}
    arm = experiment_of(key).arms[1].key
    fresh = first_steps(key, arms=[arm], seeds=[4])[arm]
    # Another machine sums in another order, and twenty layers carry that along.
    np.testing.assert_allclose(shipped[arm].gradient_norms[4], fresh.gradient_norms[0], rtol=2e-2)
    stale = (FOLDER / f"{key}.json").read_text(encoding="utf-8").replace('"batch_size": 64', '"batch_size": 65')
    (tmp_path / f"{key}.json").write_text(stale, encoding="utf-8")
    assert load_first_steps(key, tmp_path) is None
    assert load_first_steps(key, tmp_path / "nothing") is None


def test_augmented_pictures_begin_with_the_picture_itself() -> None:
    found = augmented_pictures("augmentation", "small_augmented", seed=5, originals=3, copies=2)
    assert found.shape == (3, 3, 28, 28) and found.dtype == np.uint8
    recipe = experiment_of("augmentation").arm("small_augmented").recipe
    np.testing.assert_array_equal(found[:, 0], subset(parts_of(recipe)[0], 100, 5).pictures[:3])
    assert all((found[:, copy] != found[:, 0]).any() for copy in (1, 2))
    assert (found[:, 1] != found[:, 2]).any()
    with pytest.raises(cc.InvalidOption):
        augmented_pictures("augmentation", "small", seed=0, originals=1, copies=1)


def test_residual_blocks_of_three_families() -> None:
    mobile = cc.load_model("mobilenet_v2").network
    assert len(residual_blocks(mobile)) == 10 and all(block.is_identity for block in residual_blocks(mobile))
    blocks = residual_blocks(cc.load_model("resnet18", weights="random").network)
    assert [block.is_identity for block in blocks] == [True, True, False, True, False, True, False, True]
    assert blocks[2].branch == "layer2.0.bn2" and blocks[2].skip == "layer2.0.downsample.1"
    assert not residual_blocks(cc.load_model("squeezenet1_1").network)


def test_a_block_taken_out_is_the_network_without_its_layers() -> None:
    classifier = cc.load_model("mobilenet_v2")
    trace = cc.trace(classifier, SAMPLES / "panda.jpg")
    blocks = residual_blocks(classifier.network)
    for block in blocks:
        maps = block_maps(trace, block)
        assert maps.error < 1e-6
        np.testing.assert_allclose(maps.x + maps.change, maps.y, rtol=1e-5, atol=1e-5)
    found = remove_each(classifier, trace.input, trace, blocks[-2:])
    assert found is not None
    # Independently: torch's own modules one after the other, the block's left out.
    with torch.inference_mode():
        for removed, place in zip(found, (15, 16), strict=True):
            x = trace.input.tensor
            for i, part in enumerate(classifier.module.features):
                x = x if i == place else part(x)
            logits = classifier.module.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))[0]
            assert removed.probability == pytest.approx(float(logits.softmax(0)[388]), rel=1e-3)
            assert removed.top == classifier.class_names[int(logits.argmax())]
    assert remove_each(classifier, trace.input, trace, blocks, should_stop=lambda: True) is None


class FakeJob:
    """What a run asks of its job: it is stopped after some steps."""

    def __init__(self, steps: int) -> None:
        self.stop, self.left, self._steps = threading.Event(), False, steps
        self.told: list[Live] = []

    def progress(self, done: int, total: int, detail: Live) -> None:
        self.told.append(detail)
        if len(detail.steps) >= self._steps:
            self.stop.set()


def test_a_stopped_run_is_kept_and_goes_on_to_the_same_end(
    runs: dict[tuple[str, int], cc.TrainingRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_TRAINING", "thread")
    networks, settings = Runs(), tuple(SHORT.items())
    live = Live(EXPERIMENT.arm("raw"), 1, settings, 1, 1)
    job = FakeJob(5)
    half = one_run(job, EXPERIMENT, live, networks, None)  # type: ignore[arg-type]
    assert half is not None and half.state == "stopped" and len(half.steps) == 5 and not half.counts
    assert job.told[-1].first == 1 and job.told[-1].began > 0
    whole = one_run(FakeJob(99), EXPERIMENT, live, networks, half)  # type: ignore[arg-type]
    assert whole is not None and whole.state == "finished" and whole.counts
    want = runs["raw", 1]
    assert [step.loss for step in whole.steps] == pytest.approx([step.loss for step in want.steps], rel=1e-6)
    assert whole.values["test_accuracy"] == want.test_accuracy
    assert whole.run_id is not None and networks.get(whole.run_id) is not None
