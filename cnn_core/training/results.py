"""Run the arms of an experiment over several seeds, and put the results into one table with their spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InvalidOption
from .classic import fit_classic
from .experiment import Arm, ClassicRecipe, Experiment
from .experiments import experiment_of
from .measures import MEASURES, AnyRun
from .run import Step, TrainingRun
from .trainer import check_seed, recipe_of, train


@dataclass(frozen=True)
class Cell:
    """One number of one arm, over all seeds."""

    arm: str
    measure: str
    values: tuple[float, ...]
    """One for each seed, in their order; NaN where the run diverged into it."""

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation of the sample (divided by n - 1); None for one seed, which has no spread."""
        if self.n < 2:
            return None
        return statistics.stdev(self.values) if all(map(math.isfinite, self.values)) else math.nan


@dataclass(frozen=True, eq=False)
class ResultTable:
    """What came out: for each arm and measure its values over the seeds."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    runs: tuple[AnyRun, ...]
    """Arm by arm, seed by seed."""
    states: tuple[str, ...]
    """Of each run: "finished", "diverged" or "fitted"."""
    stopped: bool
    """True where somebody stopped it: arms and seeds that were not run to their end are left out."""

    def cell(self, arm: str, measure: str) -> Cell | None:
        """None where this arm has no such number."""
        return next((cell for cell in self.cells if (cell.arm, cell.measure) == (arm, measure)), None)

    def rows(self) -> list[tuple[str, ...]]:
        """For people: a row for each arm, mean ± standard deviation; the first row heads the columns."""
        shown = [key for key in self.experiment.measures if any(cell.measure == key for cell in self.cells)]
        table = [("arm", "n", *(MEASURES[key].title for key in shown))]
        for arm in self.arms:
            found = [self.cell(arm.key, key) for key in shown]
            n = max((cell.n for cell in found if cell is not None), default=0)
            if n:
                table.append((arm.key, str(n), *(words_of(cell) for cell in found)))
        return table


def words_of(cell: Cell | None) -> str:
    """For people: mean ± standard deviation with its unit; a dash where there is no such number."""
    if cell is None:
        return "–"
    measure = MEASURES[cell.measure]
    mean = measure.format(cell.mean)
    if cell.sd is None or len(set(cell.values)) == 1:
        return mean
    spread = f"{100 * cell.sd:.1f} %" if measure.unit == "share" else measure.format(cell.sd)
    return f"{mean.removesuffix(' %').removesuffix(' s')} ± {spread}"


OnProgress = Callable[[Arm, int, Step | None], None]


def run_experiment(
    key: str,
    *,
    seeds: Sequence[int],
    arms: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] | None = None,
    evaluate_every: int | None = None,
    **settings: Any,
) -> ResultTable:
    """Run arms of an experiment (all, where none are named), each with every seed.

    Arms of one seed learn from the same pictures in the same order, and begin with the same weights where layers have
    one name and shape. on_progress: called with arm, seed and step (None for a machine that is fitted in one go).
    should_stop: asked before every step. settings: change every arm alike, see `train`; a classic machine takes those
    that concern its data. Raises InvalidOption as `train` does, before anything is run.
    """
    experiment = experiment_of(key)
    chosen = experiment.arms if arms is None else tuple(experiment.arm(arm) for arm in arms)
    if not chosen or not seeds or len(set(seeds)) < len(seeds) or len(set(chosen)) < len(chosen):
        raise InvalidOption("Name at least one arm and one seed, and none twice.")
    for seed in seeds:
        check_seed(seed)
    for arm in chosen:
        if not isinstance(arm.recipe, ClassicRecipe):
            recipe_of(experiment, arm, settings)
    runs: list[tuple[Arm, AnyRun]] = []
    stopped = False
    for arm in chosen:
        for seed in seeds:
            stopped = stopped or (should_stop is not None and should_stop())
            if stopped:
                break
            run = _run_arm(experiment, arm, seed, on_progress, should_stop, evaluate_every, settings)
            if isinstance(run, TrainingRun) and run.state == "stopped":
                stopped = True
            else:
                runs.append((arm, run))
    return ResultTable(
        experiment=experiment,
        arms=chosen,
        seeds=tuple(seeds),
        cells=_cells(experiment, chosen, runs),
        runs=tuple(run for _, run in runs),
        states=tuple(run.state if isinstance(run, TrainingRun) else "fitted" for _, run in runs),
        stopped=stopped,
    )


def _run_arm(
    experiment: Experiment,
    arm: Arm,
    seed: int,
    on_progress: OnProgress | None,
    should_stop: Callable[[], bool] | None,
    evaluate_every: int | None,
    settings: dict[str, Any],
) -> AnyRun:
    if isinstance(arm.recipe, ClassicRecipe):
        if on_progress is not None:
            on_progress(arm, seed, None)
        return fit_classic(adapt_classic(arm.recipe, settings), seed)
    return train(
        experiment.key,
        seed=seed,
        arm=arm.key,
        on_step=None if on_progress is None else lambda step: on_progress(arm, seed, step),
        should_stop=should_stop,
        evaluate_every=evaluate_every,
        **settings,
    )


def adapt_classic(recipe: ClassicRecipe, settings: dict[str, Any]) -> ClassicRecipe:
    own = {field.name for field in fields(ClassicRecipe)}
    values = {field.name: getattr(recipe, field.name) for field in fields(ClassicRecipe)}
    return ClassicRecipe(**values | {name: value for name, value in settings.items() if name in own})


def _cells(experiment: Experiment, arms: Sequence[Arm], runs: Sequence[tuple[Arm, AnyRun]]) -> tuple[Cell, ...]:
    cells = []
    for arm in arms:
        own = [run for other, run in runs if other is arm]
        for key in experiment.measures:
            values = [MEASURES[key].read(run) for run in own]
            if own and None not in values:
                cells.append(Cell(arm.key, key, tuple(float(value) for value in values if value is not None)))
    return tuple(cells)


@dataclass(frozen=True)
class Comparison:
    """What two or more runs share and where they differ."""

    differences: dict[str, tuple[Any, ...]]
    """Field of the recipe, or "seed" and "steps_done", to each run's value; only those that differ."""
    fair: bool
    """Same data, same pictures, same number of steps done of the same batches."""
    warning: str
    """What is unequal, in a sentence; "" where the comparison is fair."""
    test_accuracies: tuple[float, ...]
    train_accuracies: tuple[float, ...]


_EQUAL_TERMS = ("data", "n_train", "steps", "batch_size", "seed", "steps_done", "shuffled_pixels")


def compare_runs(*runs: TrainingRun) -> Comparison:
    """What differs between runs, and whether that is a fair comparison. Raises InvalidOption for fewer than two."""
    if len(runs) < 2:
        raise InvalidOption("A comparison needs at least two runs.")
    told = [{**run.recipe.to_dict(), "seed": run.seed, "steps_done": run.steps_done} for run in runs]
    differences = {name: values for name in told[0] if len(set(values := tuple(one[name] for one in told))) > 1}
    unequal = [name for name in _EQUAL_TERMS if name in differences]
    warning = f"Not on equal terms: the runs differ in {', '.join(unequal)}." if unequal else ""
    return Comparison(
        differences=differences,
        fair=not unequal,
        warning=warning,
        test_accuracies=tuple(run.test_accuracy for run in runs),
        train_accuracies=tuple(run.train_accuracy for run in runs),
    )
