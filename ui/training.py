"""A visitor's training runs: made in the background, told step by step, kept, saved, loaded, opened on every page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from ui import cached, engine, jobs
from ui.text import plain

PREFIX: Final = "run:"
_STORE: Final = "cl_runs"
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


def store() -> Runs:
    """This visitor's runs. A job's thread may add to it; it must be asked for in the page's own thread."""
    # In the session's state: what is cached for a session goes whenever its connection breaks for a moment.
    own: Runs = st.session_state.setdefault(_STORE, Runs())
    return own


def keep(run: cc.TrainingRun) -> str:
    """Keep a run for this visitor and return its id: `model=run:<id>` opens it on every page."""
    return store().add(run)


def runs() -> dict[str, cc.TrainingRun]:
    """This visitor's runs by id, newest first: those whose data is still there."""
    return {name: run for name, run in store().all().items() if _has_data(run)}


def run_of(name: str) -> cc.TrainingRun | None:
    """The run of an id (with or without "run:"), None where this visitor has no such run, or not its data any more."""
    run = store().get(name.removeprefix(PREFIX))
    return run if run is not None and _has_data(run) else None


def _has_data(run: cc.TrainingRun) -> bool:
    """False where a run learned from pictures that its visitor has let go of."""
    from cnn_core.training.data import data_set

    try:
        data_set(run.recipe.data)
    except cc.InvalidOption:
        return False
    return True


def reference(name: str) -> str:
    """What stands in an address for a run's id."""
    return PREFIX + name.removeprefix(PREFIX)


def title(run: cc.TrainingRun) -> str:
    """A run's name where a network is chosen."""
    from cnn_core.training.networks import small_network

    return small_network(run.recipe.network, run.recipe.data).title


def detail(run: cc.TrainingRun) -> str:
    """What a run learned from and how well it does, in a line."""
    from cnn_core.training.data import data_set

    done = "" if run.state == "finished" else f", {run.state} after {run.steps_done:,} steps"
    return (
        f"{100 * run.test_accuracy:.1f} % of {data_set(run.recipe.data).title.lower()} right · "
        f"{run.title}, seed {run.seed}{done}"
    )


def open_run(run: cc.TrainingRun) -> cc.Classifier:
    """The network of a run as every page knows one, shared by all who have the very same run."""
    size = sum(tensor.nbytes for tensor in run.weights.values())
    return cached.own_classifier(f"run_{run.digest[:16]}", run.classifier, size)


def fitting_picture(run: cc.TrainingRun) -> str | None:
    """A shipped picture of the kind that a run learned from; None where there is none of it."""
    from cnn_core.samples import list_samples

    kind = {"digits": "digit", "fashion": "clothing"}.get(run.recipe.data)
    return next((sample.key for sample in list_samples() if sample.kind == kind), None)


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
        engine.load()
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
            "dropped": lambda: job.left,
        }
        try:
            if resume is not None:
                run = worker.resume(resume, **common)
            else:
                run = worker.train(experiment, seed=seed, arm=arm, **common, **settings)
        except worker.Dropped:
            raise jobs.Stopped from None
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


_PLACES: Final = ("You are next in line", "Second in line", "Third in line", "Fourth in line", "Fifth in line")


def place_in_line(position: int) -> str:
    """In words where somebody waits: 1 is the next one to train on this server."""
    return _PLACES[position - 1] if position <= len(_PLACES) else f"Number {position} in line"


def warm() -> None:
    """Start a process that will train, so that it is ready when the visitor presses the button."""

    def start_one() -> None:
        engine.load()
        from cnn_core.training import worker

        worker.warm()

    threading.Thread(target=start_one, daemon=True, name="training").start()


# --- files --------------------------------------------------------------------------------------------------------


def file_controls(
    name: str | None, *, key: str, on_resume: Callable[[cc.TrainingRun], None] | None = None
) -> str | None:
    """Save the run of an id, go on with it where it was stopped, and open one that was saved before.

    key: sets these apart from the same controls elsewhere. on_resume: called with a stopped run when the visitor wants
    it to go on, before the page runs again; without it there is no such button. Returns the id of a run that was just
    opened from a file, once.
    """
    run = None if name is None else run_of(name)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run is not None:
            st.download_button(
                "Save the run",
                data=lambda: _zipped(run),
                file_name=f"convlens_{run.experiment}_{run.arm}_seed{run.seed}.zip",
                mime="application/zip",
                key=f"cl_run_save_{key}",
                on_click="ignore",
                icon=":material/save:",
                help="Weights, every step and how it was trained, as .safetensors and .json in one .zip.",
            )
            if run.state == "stopped" and on_resume is not None:
                st.button(
                    "Go on with it",
                    key=f"cl_run_resume_{key}",
                    icon=":material/resume:",
                    on_click=on_resume,
                    args=(run,),
                    help=f"From step {run.steps_done:,} of {run.recipe.steps:,}: it ends where it would have ended.",
                )
    return _opener(key)


def _zipped(run: cc.TrainingRun) -> bytes:
    from cnn_core.training.storage import zip_run

    return zip_run(run)


def _opener(key: str) -> str | None:
    """A place to drop a saved run on; returns its id once."""
    widget, opened, refused = (f"cl_run_{part}_{key}" for part in ("file", "opened", "refused"))

    def take() -> None:
        file = st.session_state.get(widget)
        st.session_state.pop(refused, None)
        if file is None:
            return
        from cnn_core.training.storage import unzip_run

        try:
            st.session_state[opened] = keep(unzip_run(file.getvalue()))
        except cc.ConvLensError as error:
            st.session_state[refused] = plain(str(error))

    st.file_uploader("Open a saved run (.zip)", type=["zip"], key=widget, max_upload_size=64, on_change=take)
    if words := st.session_state.get(refused):
        st.error(words, icon=":material/broken_image:")
    name: str | None = st.session_state.pop(opened, None)
    run = None if name is None else run_of(name)
    if run is not None:
        st.success(f"{plain(title(run))}: {plain(detail(run))}", icon=":material/check:")
    return name
