"""Precomputed spreads: `python -m cnn_core.training.bands EXPERIMENT --seeds 10` makes one, pages read them.

It is written after each seed, and seeds that are there already are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..assets import ASSETS
from ..errors import ConvLensError, InvalidOption
from .experiment import Arm
from .experiments import experiment_of
from .results import Cell, ResultTable, run_experiment
from .run import Step, TrainingRun
from .strict_json import from_words, to_json

FOLDER: Final = ASSETS / "bands"
# A float32 network's accuracy and loss have no more meaning than this.
_DIGITS: Final = 5


@dataclass(frozen=True)
class Band:
    """One curve over the steps of a run: at each step the mean, the lowest and the highest value of all seeds."""

    steps: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Bands:
    """What `python -m cnn_core.training.bands` once computed for an experiment."""

    experiment: str
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    curves: Mapping[str, Mapping[str, Band]]
    """By arm, then "loss", "train_accuracy" and "test_accuracy" (the latter two of the first 300 pictures)."""
    made_with: str
    current: bool
    """False where the table's recipes have changed since: then it must be made again."""

    @property
    def label(self) -> str:
        """What a page says beside it."""
        return f"precomputed, {len(self.seeds)} seeds" if len(self.seeds) > 1 else "precomputed, one seed: no spread"


def load_bands(experiment: str, folder: Path = FOLDER) -> Bands | None:
    """The bands of an experiment that come with ConvLens; None where none were made."""
    known = experiment_of(experiment)
    path = folder / f"{known.key}.json"
    if not path.is_file():
        return None
    told = from_words(json.loads(path.read_text(encoding="utf-8")))
    arms = {arm.key: asdict(arm.recipe) for arm in known.arms}
    return Bands(
        experiment=known.key,
        seeds=tuple(told["seeds"]),
        cells=tuple(Cell(cell["arm"], cell["measure"], tuple(map(float, cell["values"]))) for cell in told["cells"]),
        curves={
            arm: {name: Band(**{key: tuple(values) for key, values in band.items()}) for name, band in curves.items()}
            for arm, curves in told["curves"].items()
        },
        made_with=told["made_with"],
        current=all(arms.get(arm) == recipe for arm, recipe in told["recipes"].items()),
    )


def summarise(table: ResultTable) -> dict[str, Any]:
    """A result table as plain values for JSON: every single value, and each arm's curves."""
    import torch

    runs: dict[str, list[TrainingRun]] = {}
    for run in table.runs:
        if isinstance(run, TrainingRun):
            runs.setdefault(run.arm, []).append(run)
    return {
        "experiment": table.experiment.key,
        "seeds": list(table.seeds),
        "made_with": f"torch {torch.__version__.split('+')[0]}, one thread",
        "recipes": {arm.key: asdict(arm.recipe) for arm in table.arms},
        "cells": [
            {"arm": cell.arm, "measure": cell.measure, "values": [_rounded(value) for value in cell.values]}
            for cell in table.cells
            if cell.measure != "core_seconds"  # a time belongs to the machine, and to what else it did
        ],
        "curves": {arm: _curves(own) for arm, own in runs.items()},
    }


def _curves(runs: Sequence[TrainingRun]) -> dict[str, Any]:
    shortest = min(len(run.steps) for run in runs)  # a run that diverged has no curve from there on
    steps = [step.number for step in runs[0].steps[:shortest] if step.evaluation is not None]
    read = {
        "loss": lambda run, number: float(run.losses[max(0, number - 10) : number].mean()),
        "train_accuracy": lambda run, number: _evaluation(run.steps[number - 1]).train_accuracy,
        "test_accuracy": lambda run, number: _evaluation(run.steps[number - 1]).test_accuracy,
    }
    curves = {}
    for name, value in read.items():
        values = np.array([[value(run, number) for number in steps] for run in runs])
        spread = {"mean": values.mean(0), "low": values.min(0), "high": values.max(0)}
        curves[name] = {"steps": steps} | {key: [_rounded(v) for v in found] for key, found in spread.items()}
    return curves


def joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Two of what `summarise` gives, of the same recipes and different seeds, as one."""
    n, m = len(earlier["seeds"]), len(later["seeds"])
    more = {(cell["arm"], cell["measure"]): cell["values"] for cell in later["cells"]}
    cells = [
        {**cell, "values": [*cell["values"], *more[cell["arm"], cell["measure"]]]}
        for cell in earlier["cells"]
        if (cell["arm"], cell["measure"]) in more
    ]
    curves = {
        arm: {name: _joined_band(own[name], later["curves"][arm][name], n, m) for name in own}
        for arm, own in earlier["curves"].items()
    }
    return {**earlier, "seeds": [*earlier["seeds"], *later["seeds"]], "cells": cells, "curves": curves}


def _joined_band(one: Mapping[str, Any], other: Mapping[str, Any], n: int, m: int) -> dict[str, Any]:
    steps = [step for step in one["steps"] if step in other["steps"]]  # a run that diverged has fewer
    first, second = (
        {key: np.array([band[key][band["steps"].index(step)] for step in steps]) for key in ("mean", "low", "high")}
        for band in (one, other)
    )
    spread = {
        "mean": (n * first["mean"] + m * second["mean"]) / (n + m),
        "low": np.minimum(first["low"], second["low"]),
        "high": np.maximum(first["high"], second["high"]),
    }
    return {"steps": steps} | {key: [_rounded(value) for value in values] for key, values in spread.items()}


def _evaluation(step: Step) -> Any:
    return step.evaluation


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _make(key: str, seeds: int, arms: Sequence[str] | None, output: Path) -> dict[str, Any]:
    """Run the seeds that the file does not have yet, and write it after each."""
    told: dict[str, Any] | None = None
    if output.is_file():
        told = from_words(json.loads(output.read_text(encoding="utf-8")))
    for seed in range(seeds):
        if told is not None and seed in told["seeds"]:
            continue
        new = summarise(run_experiment(key, seeds=[seed], arms=arms, on_progress=_say))
        same = told is not None and all(told[name] == new[name] for name in ("recipes", "made_with"))
        told = joined(told, new) if told is not None and same else new
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(to_json(told) + "\n", encoding="utf-8")
    assert told is not None
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cnn_core.training.bands", description=__doc__)
    parser.add_argument("experiment", metavar="EXPERIMENT")
    parser.add_argument("--seeds", type=int, default=10, help="how many: 0, 1, ... (10)")
    parser.add_argument("--arms", help="only these, with commas between (all)")
    parser.add_argument("-o", "--output", type=Path, help="where to write the JSON (assets/bands/EXPERIMENT.json)")
    options = parser.parse_args(arguments)

    import torch

    torch.set_num_threads(1)  # several threads are slower on networks this small, and sum in another order
    try:
        key = experiment_of(options.experiment).key
        output: Path = options.output or FOLDER / f"{key}.json"
        if options.seeds < 1:
            raise InvalidOption("Name at least one seed.")
        told = _make(key, options.seeds, options.arms.split(",") if options.arms else None, output)
    except ConvLensError as error:
        print("error:", error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 2
    for cell in told["cells"]:
        print(f"{cell['arm']}  {cell['measure']}  {np.mean(cell['values']):.4g}")
    print(f"{len(told['seeds'])} seeds -> {output}")
    return 0


def _say(arm: Arm, seed: int, step: Step | None) -> None:
    if step is None or step.number == step.of:
        loss = "" if step is None else f", loss {step.loss:.3g} after {step.cpu_seconds:.1f} s of a core"
        print(f"{arm.key}, seed {seed}{loss}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
