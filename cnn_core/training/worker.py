"""Train where other visitors are not held up: in a niced process of its own, a few at a time for the whole server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import trainer
from .run import TrainingRun
from .trainer import OnStep, ShouldStop

OnQueue = Callable[[int], None]


def train(
    key: str,
    *,
    seed: int,
    arm: str | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
    on_queue: OnQueue | None = None,
    **settings: Any,
) -> TrainingRun:
    """What `cnn_core.train` does, with the same result.

    on_queue: called with the place in line, 1 for the next one, while others train; with 0 when it begins.
    """
    if on_queue is not None:
        on_queue(0)
    return trainer.train(
        key,
        seed=seed,
        arm=arm,
        on_step=on_step,
        should_stop=should_stop,
        evaluate_every=evaluate_every,
        **settings,
    )


def resume(
    run: TrainingRun,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    evaluate_every: int | None = None,
    on_queue: OnQueue | None = None,
) -> TrainingRun:
    """What `cnn_core.resume` does, with the same result; on_queue as in `train`."""
    if on_queue is not None:
        on_queue(0)
    return trainer.resume(run, on_step=on_step, should_stop=should_stop, evaluate_every=evaluate_every)
