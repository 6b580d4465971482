"""From runs and precomputed bands to curves: loss, accuracy, gradients, activations and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.training.experiment import Arm
from ui.experiment_records import Record, listed
from ui.instruments.curves import Dash, Role, Series, Style, Symbol, View

_ROLES: Final[dict[int, tuple[Role, ...]]] = {
    1: ("output",),
    2: ("kernel", "output"),
    3: ("input", "kernel", "output"),
    4: ("input", "kernel", "quiet", "output"),
}
_MANY: Final[tuple[Role, ...]] = ("input", "kernel", "output", "quiet", "accent", "wrong")
_DASHES: Final[tuple[Dash, ...]] = ("solid", "dash", "dot", "dashdot")
_SYMBOLS: Final[tuple[Symbol, ...]] = ("circle", "square", "diamond", "triangle")
_POINTS: Final = 150  # of a loss curve: more than a screen shows apart
_SMOOTHED: Final = 10  # losses whose mean is one point, as in the precomputed bands
Floats = NDArray[np.float64]


def styles_of(experiment: cc.Experiment) -> dict[str, Style]:
    """A style for each arm: its colour from its place in its group, dash and mark from the group's place."""
    groups: dict[str, list[Arm]] = {}
    for arm in experiment.arms:
        groups.setdefault(arm.group, []).append(arm)
    styles = {}
    for g, members in enumerate(groups.values()):
        roles = _ROLES.get(len(members), _MANY)
        for i, arm in enumerate(members):
            mark = _SYMBOLS[(i if len(groups) == 1 else g) % len(_SYMBOLS)]
            styles[arm.key] = Style(roles[i % len(roles)], _DASHES[g % len(_DASHES)], mark)
    return styles


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is to be drawn of an experiment."""

    experiment: cc.Experiment
    arms: Sequence[Arm]
    bands: cc.Bands | None
    records: Sequence[Record]
    """With the run that is under way, if any, as the last one, its state "running"."""
    styles: Mapping[str, Style]

    def of(self, arm: Arm) -> list[Record]:
        return [record for record in self.records if record.arm == arm.key and record.steps]


def training_views(drawn: Drawn) -> list[View]:
    """The views of a training run that have numbers; the first three with the precomputed bands under them."""
    bands = drawn.bands
    pale = ""
    if bands is not None and any(arm.key in bands.curves for arm in drawn.arms):
        several = len(bands.seeds) > 1
        pale = f"Thin line and pale band: {bands.label}, mean and range. " if several else f"Thin line: {bands.label}. "
    n = "the first 300 pictures of each part"
    chance = (0.1, "chance, 10 %")
    views = [
        View(
            "test_accuracy",
            "Test accuracy",
            "step",
            "accuracy on test pictures",
            _curves(drawn, "test_accuracy", _evaluated("test_accuracy")),
            share=True,
            note=f"{pale}Thick: your runs. While it trains, accuracy is of {n}; the table has all of them.",
            guide=chance,
            empty="No curve yet: run one now.",
        ),
        View(
            "train_accuracy",
            "Training accuracy",
            "step",
            "accuracy on training pictures",
            _curves(drawn, "train_accuracy", _evaluated("train_accuracy")),
            share=True,
            note=f"{pale}Thick: your runs. While it trains, accuracy is of {n}; the table has all of them.",
            guide=chance,
            empty="No curve yet: run one now.",
        ),
        View(
            "loss",
            "Loss",
            "step",
            "cross-entropy",
            _curves(drawn, "loss", _losses),
            y_log=True,
            note=f"{pale}Thick: your runs. Each point is the mean of the last {_SMOOTHED} batches. Log scale.",
            guide=(float(np.log(10)), "guessing, ln 10"),
            empty="No curve yet: run one now.",
        ),
        _layers(
            drawn,
            "gradients",
            "Gradients",
            "L2 norm of the weights’ gradient",
            lambda step: list(step.gradient_norms.items())[::-1],
            backwards=True,
            y_log=True,
            note="Each layer’s weight gradient at one step, from the output back to the picture, as the gradient goes.",
        ),
        _layers(
            drawn,
            "flat",
            "Activations at rest",
            "share that passes no gradient",
            lambda step: [(name, found.flat) for name, found in step.evaluation.activations.items()],
            share=True,
            note="Share of 64 pictures’ activations where the slope is (nearly) nothing: ReLU at 0; sigmoid and tanh "
            "where the slope is below 1 % of its largest.",
        ),
        _layers(
            drawn,
            "spread",
            "Activations’ spread",
            "standard deviation",
            lambda step: [(name, found.std) for name, found in step.evaluation.activations.items()],
            y_log=True,
            note="Standard deviation of each activation layer’s numbers over 64 training pictures.",
        ),
        View(
            "rate",
            "Learning rate",
            "step",
            "learning rate",
            tuple(
                _line(drawn, arm, record, np.array([s.number for s in record.steps]), _read(record, "learning_rate"))
                for arm in drawn.arms
                for record in drawn.of(arm)[-1:]
            ),
            note="What the schedule gave at each step.",
        ),
    ]
    # What has no numbers yet is no choice, but for one place that says where they will come from.
    return [view for view in views if view.series] or views[:1]


def _read(record: Record, name: str) -> Floats:
    return np.array([getattr(step, name) for step in record.steps], dtype=np.float64)


def _evaluated(name: str) -> Callable[[Record], tuple[Floats, Floats]]:
    def read(record: Record) -> tuple[Floats, Floats]:
        found = [(step.number, getattr(step.evaluation, name)) for step in record.steps if step.evaluation is not None]
        x, y = zip(*found, strict=True)
        return np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)

    return read


def _losses(record: Record) -> tuple[Floats, Floats]:
    losses = _read(record, "loss")
    every = max(1, len(losses) // _POINTS)
    at = sorted({*range(1, len(losses) + 1, every), len(losses)})
    return np.array(at, dtype=np.float64), np.array([losses[max(0, i - _SMOOTHED) : i].mean() for i in at])


def _curves(drawn: Drawn, name: str, read: Callable[[Record], tuple[Floats, Floats]]) -> tuple[Series, ...]:
    found: list[Series] = []
    for arm in drawn.arms:
        band = None if drawn.bands is None else drawn.bands.curves.get(arm.key, {}).get(name)
        if band is not None and drawn.bands is not None:
            found.append(
                Series(
                    arm.title,
                    drawn.styles[arm.key],
                    "precomputed",
                    np.array(band.steps),
                    np.array(band.mean),
                    np.array(band.low),
                    np.array(band.high),
                    note=drawn.bands.label,
                )
            )
    for arm in drawn.arms:
        whole: list[tuple[Record, Floats, Floats]] = []
        for record in drawn.of(arm):
            x, y = read(record)
            if record.state == "finished":
                whole.append((record, x, y))
            else:
                found.append(_line(drawn, arm, record, x, y))
        if len(whole) == 1:
            found.append(_line(drawn, arm, *whole[0]))
        elif whole:
            found.append(_spread(drawn, arm, whole))
    return tuple(found)


def _spread(drawn: Drawn, arm: Arm, whole: Sequence[tuple[Record, Floats, Floats]]) -> Series:
    """Several seeds of equal settings as a mean and its range: their steps are the same."""
    values = np.array([y for _, _, y in whole])
    seeds = [record.seed for record, _, _ in whole]
    return Series(
        arm.title,
        drawn.styles[arm.key],
        "own",
        whole[0][1],
        values.mean(0),
        values.min(0),
        values.max(0),
        note=f"your runs, seeds {listed(seeds)}",
    )


def _line(drawn: Drawn, arm: Arm, record: Record, x: Floats, y: Floats) -> Series:
    running = record.state == "running"
    return Series(
        arm.title,
        drawn.styles[arm.key],
        "live" if running else "own",
        x,
        y,
        note=f"{'running' if running else 'your run'}, seed {record.seed}",
        end=record.state if record.state in ("stopped", "diverged") else "",
    )


def _layers(
    drawn: Drawn,
    key: str,
    title: str,
    unit: str,
    read: Callable[[Any], list[tuple[str, float]]],
    *,
    note: str,
    backwards: bool = False,
    share: bool = False,
    y_log: bool = False,
) -> View:
    """One number for each layer, at each evaluated step: the newest run of each arm."""
    newest = [(arm, drawn.of(arm)[-1]) for arm in drawn.arms if drawn.of(arm)]
    told = [(arm, record, [step for step in record.steps if step.evaluation is not None]) for arm, record in newest]
    frames = sorted({step.number for _, _, steps in told for step in steps})
    series = []
    for arm, record, steps in told:
        rows = [read(step) for step in steps]
        names = tuple(name for name, _ in rows[0]) if rows else ()
        if not names:
            continue
        series.append(
            Series(
                arm.title,
                drawn.styles[arm.key],
                "live" if record.state == "running" else "own",
                np.arange(1.0, len(names) + 1),
                np.array([[value for _, value in row] for row in rows]),
                note=f"seed {record.seed}",
                labels=names,
                steps=tuple(step.number for step in steps),
            )
        )
    return View(
        key,
        title,
        "layers back from the output" if backwards else "activation layers from the picture on",
        unit,
        tuple(series),
        share=share,
        y_log=y_log,
        frames=tuple(frames),
        note=note,
        empty="These numbers are read while it trains: run one now.",
    )
