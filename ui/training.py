"""A visitor's training runs: started in the background, followed step by step, kept for the session, opened anywhere."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from ui import jobs

PREFIX: Final = "run:"
_MAX_RUNS: Final = 24
_MAX_BYTES: Final = 64 * 2**20
_STEP_BYTES: Final = 2_000  # about what one step's numbers take


class Runs:
    """One visitor's runs, newest last; the oldest goes where there are too many or they are too large."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, cc.TrainingRun] = {}

    def add(self, run: cc.TrainingRun) -> str:
        name = run.digest[:16]
        with self._lock:
            self._runs.pop(name, None)
            self._runs[name] = run
            while len(self._runs) > 1 and (
                len(self._runs) > _MAX_RUNS or sum(map(_nbytes, self._runs.values())) > _MAX_BYTES
            ):
                del self._runs[next(iter(self._runs))]
        return name

    def get(self, name: str) -> cc.TrainingRun | None:
        with self._lock:
            return self._runs.get(name)

    def all(self) -> dict[str, cc.TrainingRun]:
        """By id, newest first."""
        with self._lock:
            return dict(reversed(self._runs.items()))


def _nbytes(run: cc.TrainingRun) -> int:
    tensors = [*run.weights.values(), *run.optimiser.values()]
    return sum(tensor.nbytes for tensor in tensors) + _STEP_BYTES * len(run.steps)


@st.cache_resource(scope="session", show_spinner=False)
def store() -> Runs:
    """This visitor's runs. A job's thread may add to it; it must be asked for in the page's own thread."""
    return Runs()


def keep(run: cc.TrainingRun) -> str:
    """Keep a run for this visitor and return its id: `model=run:<id>` opens it on every page."""
    return store().add(run)


def runs() -> dict[str, cc.TrainingRun]:
    """This visitor's runs by id, newest first."""
    return store().all()


def run_of(name: str) -> cc.TrainingRun | None:
    """The run of an id (with or without "run:"), None where this visitor has no such run (any more)."""
    return store().get(name.removeprefix(PREFIX))


@dataclass(frozen=True, eq=False)
class Live:
    """What a run in the background has told so far: the `detail` of its job."""

    steps: tuple[cc.Step, ...]
    position: int
    """Place in the server's line, 1 for the next one; 0 once it trains."""


def start(
    slot: Hashable,
    experiment: str,
    *,
    seed: int,
    arm: str | None = None,
    evaluate_every: int | None = None,
    resume: cc.TrainingRun | None = None,
    **settings: Any,
) -> jobs.Job:
    """Train in the background and keep what comes out; the visitor's other run in this slot is stopped.

    The job's detail is a `Live`, its result a TrainingRun whose state is "finished", "stopped" or "diverged": stopping
    a run with `stop(slot)` keeps what it has learned. Where the visitor leaves, it ends. resume: a stopped run that is
    to be continued; the other settings are then its own.
    """
    own = store()
    key = (experiment, arm, seed, evaluate_every, resume.digest if resume else "", *sorted(settings.items()))

    def work(job: jobs.Job) -> cc.TrainingRun:
        from cnn_core.training import worker

        told: list[cc.Step] = list(resume.steps) if resume else []

        def on_step(step: cc.Step) -> None:
            told.append(step)
            job.progress(step.number, step.of, Live(tuple(told), 0))

        def on_queue(position: int) -> None:
            job.progress(len(told), told[-1].of if told else 0, Live(tuple(told), position))

        common: dict[str, Any] = {
            "on_step": on_step,
            "on_queue": on_queue,
            "should_stop": job.stop.is_set,
            "evaluate_every": evaluate_every,
        }
        if resume is not None:
            run = worker.resume(resume, **common)
        else:
            run = worker.train(experiment, seed=seed, arm=arm, **common, **settings)
        if not run.steps:
            raise jobs.Stopped
        own.add(run)
        return run

    return jobs.mine().start(slot, key, work, keeps_part=True)


def stop(slot: Hashable) -> None:
    """End the slot's run after its current step; what it has learned is kept."""
    jobs.mine().stop(slot)


def live(slot: Hashable) -> Live | None:
    """What the slot's run tells while it runs; None where none runs."""
    job = jobs.mine().job(slot)
    return job.detail if job is not None and job.is_active else None


def finished(slot: Hashable) -> cc.TrainingRun | None:
    """The run that ended last in this slot."""
    kept = jobs.mine().kept(slot)
    return None if kept is None else kept[1]
