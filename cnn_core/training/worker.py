"""Train where other visitors are not held up: in a niced process of its own, a few at a time for the whole server."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from .. import scratch
from .optimisers import Optimiser
from .run import TrainingRun
from .storage import load_run, save_run, step_from_dict
from .trainer import OnStep, Plan, ShouldStop, learn, plan_of, plan_of_rest
from .worker_line import Line
from .worker_process import Dropped, Process, WorkerLost

__all__ = ["Dropped", "OnQueue", "WorkerLost", "line", "resume", "train"]

OnQueue = Callable[[int], None]

PLACES: Final = "CONVLENS_TRAINING_PLACES"
"""Environment variable: how many runs train at once on this server; one core stays free where it is not set."""
KIND: Final = "CONVLENS_TRAINING"
"""Environment variable: "thread" where no processes are to be started."""

_log = logging.getLogger(__name__)
_idle: list[Process] = []
_lock = threading.Lock()


@cache
def line() -> Line:
    """The one line of this server."""
    given = os.environ.get(PLACES, "")
    places = int(given) if given.isdecimal() else (os.cpu_count() or 1) - 1
    return Line(max(1, places))


def train(
    key: str,
    *,
    seed: int,
    arm: str | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
    on_queue: OnQueue | None = None,
    dropped: ShouldStop | None = None,
    **settings: Any,
) -> TrainingRun:
    """What `cnn_core.train` does, with the same result, in a process of its own and when its turn has come.

    on_queue: called with the place in line, 1 for the next one, while others train; with 0 when it begins. on_step: as
    in `train`, in this thread; several steps may come at once. A run that is stopped while it waits has no steps, the
    first weights, and no accuracies (NaN). dropped: asked all the time; where it says yes, nobody wants the run any
    more: the process is ended at once, and Dropped is raised. Raises WorkerLost where the process was lost, and what
    `train` raises, before anything waits.
    """
    plan = plan_of(key, seed, arm, settings)
    return _carry_out(plan, None, on_step, should_stop, evaluate_every, on_queue, dropped)


def resume(
    run: TrainingRun,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
    on_queue: OnQueue | None = None,
    dropped: ShouldStop | None = None,
) -> TrainingRun:
    """What `cnn_core.resume` does, with the same result; the rest as in `train` here. Stopped while it waits: `run`."""
    return _carry_out(plan_of_rest(run), run, on_step, should_stop, evaluate_every, on_queue, dropped)


def _carry_out(
    plan: Plan,
    earlier: TrainingRun | None,
    on_step: OnStep | None,
    should_stop: ShouldStop | None,
    evaluate_every: int | None,
    on_queue: OnQueue | None,
    dropped: ShouldStop | None,
) -> TrainingRun:
    def gone() -> bool:
        return dropped is not None and dropped()

    with line().place(on_queue, lambda: gone() or (should_stop is not None and should_stop())) as entered:
        if gone():
            raise Dropped
        if not entered:
            return earlier or _before_the_first_step(plan)
        process = _take_process()
        if process is None:
            run = learn(plan, earlier, on_step, lambda: gone() or bool(should_stop and should_stop()), evaluate_every)
            if gone():
                raise Dropped
            return run
        with tempfile.TemporaryDirectory(prefix="run-", dir=scratch.root()) as folder:
            _pack(plan, earlier, Path(folder))
            task = {"plan": asdict(plan), "evaluate_every": evaluate_every, "folder": folder}

            def on_steps(steps: list[dict[str, Any]]) -> None:
                for step in steps:
                    if on_step is not None:
                        on_step(step_from_dict(step))

            try:
                process.run(task, on_steps, should_stop, gone)
            except BaseException:
                process.end()  # whatever it does now, nobody listens any more
                raise
            _give_back(process)
            return load_run(Path(folder) / "run")


def _take_process() -> Process | None:
    """One that waits for work, or a new one; None where there can be none."""
    if os.environ.get(KIND) == "thread":
        return None
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.is_alive:
                return process
            process.end()
    try:
        return Process()
    except OSError as error:
        _log.warning("No process to train in (%s): it is done in a thread of the server.", error)
        return None


def _give_back(process: Process) -> None:
    with _lock:
        _idle.append(process)


def warm() -> None:
    """Start a process that is ready by the time somebody wants to train, where none runs yet."""
    if line().lengths == (0, 0) and (process := _take_process()) is not None:
        _give_back(process)


@atexit.register
def end_idle() -> None:
    """End the processes that wait for work; the next run starts a new one."""
    with _lock:
        while _idle:
            _idle.pop().end()


def _pack(plan: Plan, earlier: TrainingRun | None, folder: Path) -> None:
    from . import own_data

    if earlier is not None:
        save_run(earlier, folder / "earlier")
    if plan.recipe.data.startswith(own_data.PREFIX):
        own_data.save_own(plan.recipe.data, folder / "own.npz")


def _before_the_first_step(plan: Plan) -> TrainingRun:
    """What a run is that was stopped before it had its turn."""
    from .networks import fresh_network

    module = fresh_network(plan.recipe.network, plan.seed, plan.recipe.data)
    return TrainingRun(
        experiment=plan.experiment,
        arm=plan.arm,
        title=plan.title,
        recipe=plan.recipe,
        seed=plan.seed,
        state="stopped",
        note="Stopped before its first step.",
        steps=(),
        train_accuracy=float("nan"),
        test_accuracy=float("nan"),
        weights={name: tensor.detach().clone() for name, tensor in module.state_dict().items()},
        optimiser=Optimiser(plan.recipe, list(module.parameters())).state,
    )
