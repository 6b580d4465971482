"""Running arms of an experiment in the background, one after the other, told step by step."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cnn_core as cc
from cnn_core.training.experiment import Arm, ClassicRecipe
from ui import cached, jobs, machines_fitted, training
from ui.experiment_records import Record, Records, Settings


@dataclass(frozen=True, eq=False)
class Live:
    """How far the runs are: the `detail` of their job."""

    arm: Arm
    seed: int
    settings: Settings
    number: int
    """Which run it is, from 1."""
    of: int
    steps: tuple[cc.Step, ...] = ()
    position: int = 0
    """Place in the server's line, 1 for the next one; 0 once it trains."""
    measuring: bool = False
    """The last step is done, and the whole test part is being asked."""
    began: float = 0.0
    """When the first of these steps was told, on the monotonic clock."""
    first: int = 0
    """Its number."""


def slot_of(experiment: str) -> Hashable:
    return ("experiment", experiment)


def start(
    experiment: cc.Experiment,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    settings: Settings,
    records: Records,
    *,
    resume: Record | None = None,
) -> None:
    """Train every arm with every seed, seed by seed, so that what is compared is there early.

    Whatever ran before in this experiment is stopped and kept. resume: a stopped run to be continued instead. Each run
    is added to `records` as soon as it ends; its network is kept for the visitor.
    """
    networks = training.store()
    plan = [(arm, seed) for seed in seeds for arm in arms]
    key = (tuple(arm.key for arm in arms), tuple(seeds), settings, resume.run_id if resume else "")

    def work(job: jobs.Job) -> int:
        done = 0
        for i, (arm, seed) in enumerate(plan):
            if job.stop.is_set():
                break
            live = Live(arm, seed, settings, i + 1, len(plan))
            record = one_run(job, experiment, live, networks, resume)
            if record is not None:
                records.add(record)
                done += 1
        return done

    records.shown = settings
    jobs.mine().start(slot_of(experiment.key), key, work, keeps_part=True)


def one_run(
    job: jobs.Job, experiment: cc.Experiment, live: Live, networks: training.Runs, resume: Record | None
) -> Record | None:
    """Train one arm with one seed, telling `job` each step; None where nothing was done before it was stopped."""
    job.progress(live.number - 1, live.of, live)
    if isinstance(live.arm.recipe, ClassicRecipe):
        return _classic(experiment, live, live.arm.recipe)
    from cnn_core.training import worker

    earlier = networks.get(resume.run_id) if resume is not None and resume.run_id is not None else None
    told: list[cc.Step] = [] if earlier is None else list(earlier.steps)
    began, first = 0.0, 0

    def tell(position: int = 0, *, measuring: bool = False) -> None:
        shown = replace(live, steps=tuple(told), position=position, measuring=measuring, began=began, first=first)
        job.progress(live.number - 1, live.of, shown)

    def on_step(step: cc.Step) -> None:
        nonlocal began, first
        if not first:
            began, first = time.monotonic(), step.number
        told.append(step)
        tell(measuring=step.number == step.of)

    common: dict[str, Any] = {
        "on_step": on_step,
        "on_queue": tell,
        "should_stop": job.stop.is_set,
        "dropped": lambda: job.left,
    }
    try:
        if earlier is not None:
            run = worker.resume(earlier, **common)
        else:
            run = worker.train(experiment.key, seed=live.seed, arm=live.arm.key, **common, **dict(live.settings))
    except worker.Dropped:
        return None
    if not run.steps:
        return None
    return record_of(experiment, run, live.settings, networks.add(run))


def record_of(experiment: cc.Experiment, run: cc.TrainingRun, settings: Settings, run_id: str) -> Record:
    """A run as the panel shows it; its measures are read now."""
    return Record(
        arm=run.arm,
        seed=run.seed,
        settings=settings,
        state=run.state,
        note=run.note,
        steps=run.steps,
        values=_measured(experiment, run),
        run_id=run_id,
    )


def _classic(experiment: cc.Experiment, live: Live, recipe: ClassicRecipe) -> Record:
    from cnn_core.training.results import adapt_classic

    run = machines_fitted.classic(adapt_classic(recipe, dict(live.settings)), live.seed)
    return Record(
        arm=live.arm.key,
        seed=live.seed,
        settings=live.settings,
        state="fitted",
        note=f"Fitted in {run.seconds:.1f} s.",
        steps=(),
        values=_measured(experiment, run),
        run_id=None,
    )


def _measured(experiment: cc.Experiment, run: Any) -> dict[str, float]:
    from cnn_core.training.measures import MEASURES

    with cached.computing():
        found = {key: MEASURES[key].read(run) for key in experiment.measures}
    return {key: float(value) for key, value in found.items() if value is not None}
