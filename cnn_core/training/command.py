"""The command `python -m cnn_core train EXPERIMENT`: progress while it runs, a table of results, a run on disk."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from ..errors import InvalidOption
from .experiment import Arm, ClassicRecipe, Experiment
from .experiments import experiment_of, list_experiments
from .run import Step, TrainingRun
from .strict_json import to_json

_EVERY_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    keys = ", ".join(experiment.key for experiment in list_experiments())
    parser.add_argument("experiment", metavar="EXPERIMENT", help=f"one of {keys}")
    parser.add_argument("--arm", help="one network of the experiment (all of them)")
    parser.add_argument("--seed", type=_seed, default=0, help="decides every random choice (0)")
    parser.add_argument("--seeds", type=_count, default=1, help="how many seeds, from --seed upwards (1)")
    parser.add_argument("--steps", type=_count, help="optimiser steps (the experiment's own)")
    parser.add_argument("--learning-rate", type=float, help="the largest one (the experiment's own)")
    parser.add_argument("-o", "--output", type=Path, help="keep what one arm learned: FILE.safetensors and FILE.json")
    parser.set_defaults(run=run)


def _seed(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 0 up")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 8 and int(text)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 up")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Run the arms and print the result; the exit code is 0. Raises InvalidOption for bad input, before it begins."""
    import torch

    from .results import run_experiment
    from .storage import paths_of, save_run

    experiment = experiment_of(options.experiment)
    arms = None if options.arm is None else [experiment.arm(options.arm).key]
    _check_output(experiment, options)
    torch.set_num_threads(1)  # several threads are slower on networks this small, and sum in another order
    settings: dict[str, Any] = {"steps": options.steps, "learning_rate": options.learning_rate}
    table = run_experiment(
        experiment.key,
        seeds=range(options.seed, options.seed + options.seeds),
        arms=arms,
        on_progress=_Progress(),
        **{name: value for name, value in settings.items() if value is not None},
    )
    written: list[str] = []
    if options.output is not None:
        (only,) = table.runs
        assert isinstance(only, TrainingRun)  # _check_output saw to it
        written = [str(path) for path in save_run(only, paths_of(options.output)[0])]
    notes = [f"{one.arm}, seed {one.seed}: {one.note}" for one in table.runs if isinstance(one, TrainingRun)]
    if options.json:
        told = {
            "experiment": experiment.key,
            "seeds": list(table.seeds),
            "results": [
                {"arm": cell.arm, "measure": cell.measure, "mean": cell.mean, "sd": cell.sd, "n": cell.n,
                 "values": cell.values}
                for cell in table.cells
            ],
            "notes": notes,
            "expected": experiment.expected,
            "source": experiment.source,
            "output": written,
        }  # fmt: skip
        print(to_json(told, indent=2))
        return 0
    print(f"{experiment.title}: {experiment.question}")
    _print_rows(table.rows())
    for note in notes:
        if "Diverged" in note:
            print(note)
    print(f"Expected: {experiment.expected}")
    if written:
        print("written:", ", ".join(written))
    return 0


def _check_output(experiment: Experiment, options: argparse.Namespace) -> None:
    if options.output is None:
        return
    keys = ", ".join(arm.key for arm in experiment.arms)
    if options.arm is None and len(experiment.arms) > 1:
        raise InvalidOption(f"-o keeps one run: choose an arm with --arm ({keys}).")
    if options.seeds > 1:
        raise InvalidOption("-o keeps one run: leave --seeds out.")
    if isinstance(experiment.arm(options.arm).recipe, ClassicRecipe):
        raise InvalidOption(f"{options.arm} is no network, and there is nothing to keep: leave -o out.")
    if not options.output.absolute().parent.is_dir():
        raise InvalidOption(f"There is no folder {str(options.output.absolute().parent)!r} to write to.")


class _Progress:
    """Report on standard error: a moving line on a terminal, a line at the end of each run elsewhere."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __call__(self, arm: Arm, seed: int, step: Step | None) -> None:
        if step is None:
            print(f"{arm.key}, seed {seed}: fitted in one go", file=sys.stderr, flush=True)
            return
        last = step.number == step.of or not math.isfinite(step.loss)
        terminal = sys.stderr.isatty()
        if not last and not (terminal and step.seconds - self._shown >= _EVERY_SECONDS):
            return
        self._shown = 0.0 if last else step.seconds
        line = f"{arm.key}, seed {seed}: step {step.number} of {step.of}, loss {step.loss:.4f}"
        line += f", {step.seconds:.1f} s" if last else f", {step.seconds_left:.0f} s left"
        print(f"\r{line:<78}" if terminal else line, end="\n" if last else "", file=sys.stderr, flush=True)


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
