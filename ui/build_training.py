"""Training on the page: start, watch, stop, go on; curves, kernels and confusions while it learns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.training.built import PREFIX, PRESETS, Plan, write
from cnn_core.training.data import DataSet
from ui import jobs, session, training
from ui.instruments.curves import Series, Style, View, curves
from ui.instruments.trained import Watched, film
from ui.text import plain

MAIN: Final = "build"
TWIN: Final = "build_twin"
_SMOOTHED: Final = 10
_POINTS: Final = 150
_STYLES: Final = (Style("output", "solid", "circle"), Style("kernel", "dash", "square"))


def begin(slot: str, plan: Plan, data: DataSet, values: dict[str, Any]) -> None:
    """Start a run of this network with these settings."""
    settings = {name: value for name, value in values.items() if name != "epochs"}
    network = write([step.layer for step in plan.steps])
    training.start(
        slot,
        "build",
        arm=arm_of(network),
        seed=session.get("seed"),
        evaluate_every=max(1, steps_of(values) // 15),
        network=network,
        data=data.key,
        epochs=values["epochs"],
        **settings,
    )
    st.session_state[f"cl_{slot}_began"] = time.monotonic()


def arm_of(network: str) -> str:
    """The preset that a network is, "own" for any other."""
    return next((key for key, (_, text) in PRESETS.items() if PREFIX + text == network), "own")


def steps_of(values: dict[str, Any]) -> int:
    return int(values["epochs"] * -(-values["n_train"] // values["batch_size"]))


def is_running(slot: str) -> bool:
    job = jobs.mine().job(slot)
    return job is not None and job.is_active


def progress(slot: str) -> None:
    """How far the slot's run is, and the button that stops it."""
    job = jobs.mine().job(slot)
    if job is None or not job.is_active:
        return
    live = training.live(slot)
    if live is None or not live.steps:
        waits = live is not None and live.position
        st.progress(0.0, text=f"Waiting: place {live.position} in the server’s line" if waits and live else "Starting")
    else:
        step = live.steps[-1]
        clock = time.monotonic() - st.session_state.get(f"cl_{slot}_began", time.monotonic())
        left = max(step.seconds_left, clock / step.number * (step.of - step.number))
        words = f"Step {step.number:,} of {step.of:,}, epoch {step.epoch:.1f}, loss {step.loss:.3g}, {left:.0f} s left"
        st.progress(min(1.0, step.number / step.of), text=words)
    st.button(
        "Stop",
        key=f"cl_{slot}_stop",
        icon=":material/stop:",
        on_click=training.stop,
        args=(slot,),
        disabled=job.stop.is_set(),
        help="What was learned is kept.",
    )


def complaint(slot: str) -> None:
    """Why the last run came to nothing, if it did."""
    job = jobs.mine().job(slot)
    if job is not None and job.state == "failed":
        st.error(plain(job.message), icon=":material/error:")


def curve_views(told: Sequence[tuple[str, Sequence[cc.Step], str]], n_classes: int) -> list[View]:
    """Test and training accuracy and the loss of runs, each (name, steps, how it ended)."""
    chance = 1 / n_classes

    def accuracy(name: str) -> tuple[Series, ...]:
        found = []
        for (title, steps, end), style in zip(told, _STYLES, strict=False):
            asked = [(step.number, getattr(step.evaluation, name)) for step in steps if step.evaluation is not None]
            if asked:
                x, y = (np.array(values, dtype=np.float64) for values in zip(*asked, strict=True))
                found.append(Series(title, style, "own", x, y, note="your run", end=end))
        return tuple(found)

    def losses() -> tuple[Series, ...]:
        found = []
        for (title, steps, end), style in zip(told, _STYLES, strict=False):
            values = np.array([step.loss for step in steps])
            if not len(values):
                continue
            at = sorted({*range(1, len(values) + 1, max(1, len(values) // _POINTS)), len(values)})
            y = np.array([values[max(0, i - _SMOOTHED) : i].mean() for i in at])
            found.append(Series(title, style, "own", np.array(at, dtype=np.float64), y, note="your run", end=end))
        return tuple(found)

    few = "While it trains, accuracy is of the first 300 pictures of each part; the sentence below has all of them."
    empty = "Nothing was trained yet: train it, and its curve is drawn here."
    return [
        View("test_accuracy", "Test accuracy", "step", "accuracy on test pictures", accuracy("test_accuracy"),
             share=True, note=few, guide=(chance, f"chance, {100 * chance:.0f} %"), empty=empty),
        View("train_accuracy", "Training accuracy", "step", "accuracy on training pictures",
             accuracy("train_accuracy"), share=True, note=few, guide=(chance, f"chance, {100 * chance:.0f} %"),
             empty=empty),
        View("loss", "Loss", "step", "cross-entropy", losses(), y_log=True,
             note=f"Each point is the mean of the last {_SMOOTHED} batches. Log scale.",
             guide=(float(np.log(n_classes)), f"guessing, ln {n_classes}"), empty=empty),
    ]  # fmt: skip


def watched(steps: Sequence[cc.Step], class_names: Sequence[str]) -> Watched:
    """The evaluations of a run, as the film shows them."""
    asked = [step for step in steps if step.evaluation is not None]
    kernels = None
    shape = next((e.kernel_shape for step in asked if (e := step.evaluation) and e.kernel_shape), ())
    if shape:
        kernels = np.array([step.evaluation.kernels for step in asked if step.evaluation], dtype=np.float32)
        kernels = kernels.reshape(len(asked), *shape)
    confusion = [step.evaluation.confusion for step in asked if step.evaluation and step.evaluation.confusion]
    return Watched(
        steps=tuple(step.number for step in asked),
        accuracies=tuple(step.evaluation.test_accuracy for step in asked if step.evaluation),
        n_test=next((step.evaluation.n_test for step in asked if step.evaluation), 0),
        kernels=kernels,
        confusion=np.array(confusion, dtype=np.int32) if len(confusion) == len(asked) and asked else None,
        class_names=tuple(class_names),
    )


def show(steps: Sequence[cc.Step], data: DataSet, *, running: bool, end: str = "") -> None:
    """The curves of the main run."""
    curves(
        curve_views([("Your network", steps, end)], len(data.class_names)),
        key="cl_build_curves",
        file="training",
        label="Your network as it learns",
        running=running,
    )


def show_film(steps: Sequence[cc.Step], data: DataSet, *, running: bool) -> None:
    """Kernels and confusions over the steps, once there are any."""
    found = watched(steps, data.class_names)
    if found.steps:
        film(found, key="cl_build_film", running=running)


def save_files(run: cc.TrainingRun) -> dict[str, bytes]:
    """The run's two files by name, as `cc.load_run` reads them."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return {path.name: path.read_bytes() for path in run.save(Path(folder) / "run")}


def numbers_of(run: cc.TrainingRun) -> str:
    """Every step's loss and learning rate, as CSV."""
    lines = ["step,epoch,loss,learning_rate,test_accuracy,train_accuracy"]
    for step in run.steps:
        e = step.evaluation
        asked = f"{e.test_accuracy:.6g},{e.train_accuracy:.6g}" if e is not None else ","
        lines.append(f"{step.number},{step.epoch:.6g},{step.loss:.6g},{step.learning_rate:.6g},{asked}")
    return "\n".join(lines) + "\n"


def is_built(run: cc.TrainingRun) -> bool:
    return run.recipe.network.startswith(PREFIX)
