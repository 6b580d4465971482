"""Build your own: put layers together, guess, train, look at what came out, take something away, draw."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.training.built import Plan, write
from cnn_core.training.data import DataSet, data_set
from ui import build_after, build_choices, build_draw, build_own, build_training, build_trial, lesson, session, training
from ui.instruments.builder import builder
from ui.text import plain

ADDRESS: Final = ("layers", "data", "correlation", "recipe", "seed")
_BINS: Final = {"low": (0.0, 0.6), "middle": (0.6, 0.9), "high": (0.9, 0.97), "top": (0.97, 1.01)}
_BIN_WORDS: Final = {
    "low": "Less than 60 %",
    "middle": "60 to 90 %",
    "high": "90 to 97 %",
    "top": "97 % or more",
}
_LOADED: Final = "cl_build_loaded"


def room() -> None:
    """The whole page but its title and its end."""
    _data_choice()
    data = build_choices.chosen_data()
    layers = build_choices.layers()
    plan = build_choices.plan_of(layers, data)
    builder(
        layers,
        plan,
        data_title=data.title if data is not None else "your pictures",
        key="cl_builder",
        on_change=build_choices.keep_layers,
    )
    if data is None:
        st.info("Bring pictures of at least two classes above, or choose other data; then the network can be trained.")
        return
    values = build_choices.settings(data)
    _train(plan, data, values)
    run = shown()
    if run is None or build_training.is_running(build_training.MAIN):
        st.caption("What the network confuses, the drawing board and the fair test come when a run has ended.")
    else:
        _of_run(run, plan, data, values)
    _load()


def shown() -> cc.TrainingRun | None:
    """The run that the page is about: a loaded one, else the last that was trained here."""
    loaded = st.session_state.get(_LOADED)
    run = training.run_of(loaded) if loaded else None
    return run if run is not None else training.finished(build_training.MAIN)


def _data_choice() -> None:
    options = build_choices.DATA
    st.session_state["cl_build_data"] = session.get("data")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        st.segmented_control(
            "What it learns from",
            list(options),
            required=True,
            format_func=options.__getitem__,
            key="cl_build_data",
            on_change=session.take,
            args=("data", "cl_build_data"),
            disabled=session.locked(),
        )
        if session.get("data") == "cow_camel":
            st.session_state["cl_build_correlation"] = session.get("correlation")
            st.slider(
                "Cows on grass, camels on sand: in how many of the pictures",
                50,
                100,
                step=5,
                format="%d %%",
                key="cl_build_correlation",
                on_change=session.take,
                args=("correlation", "cl_build_correlation"),
                width=360,
                disabled=session.locked(),
            )
    if session.get("data") == "own":
        build_own.bring()


def _about(plan: Plan, data: DataSet, values: dict[str, Any]) -> str:
    told = (write([step.layer for step in plan.steps]), data.key, sorted(values.items()), session.get("seed"))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _train(plan: Plan, data: DataSet, values: dict[str, Any]) -> None:
    st.header("Train it", anchor=False, divider="gray")
    running = build_training.is_running(build_training.MAIN)
    guess = None
    if not plan.problem:
        guess = lesson.guess(
            "build",
            f"Of {data.n_test:,} test pictures that it never learned from, how many will this network name right?",
            _BIN_WORDS,
            about=_about(plan, data, values),
        )
    _bench(plan, data, values, guess, running)


def _bench(plan: Plan, data: DataSet, values: dict[str, Any], guess: str | None, running: bool) -> None:
    @st.fragment(run_every=0.7 if running else None)
    def follow() -> None:
        if build_training.is_running(build_training.MAIN) != running:
            st.rerun()
        left, right = lesson.columns()
        with right:
            build_choices.controls(data, values)
            _start(plan, data, values, guess, running)
        with left:
            live = training.live(build_training.MAIN) if running else None
            run = None if running else shown()
            steps = live.steps if live is not None else run.steps if run is not None else ()
            of = data if run is None else data_of(run) or data
            build_training.show(steps, of, running=running, end="" if run is None else _end(run))
        build_training.show_film(steps, of, running=running)

    follow()
    run = shown()
    if run is not None and not running:
        _say(run, guess if _is_of(run, plan, data, values) else None)


def _end(run: cc.TrainingRun) -> str:
    return "" if run.state == "finished" else run.state


def data_of(run: cc.TrainingRun) -> DataSet | None:
    """A run's data; None where a learner's pictures are gone."""
    try:
        return data_set(run.recipe.data)
    except cc.InvalidOption:
        return None


def _is_of(run: cc.TrainingRun, plan: Plan, data: DataSet, values: dict[str, Any]) -> bool:
    """Whether the run is of what the page shows now."""
    recipe = run.recipe
    same = all(getattr(recipe, name) == value for name, value in values.items() if name != "epochs")
    return (
        same
        and recipe.network == write([step.layer for step in plan.steps])
        and recipe.data == data.key
        and recipe.steps == build_training.steps_of(values)
        and run.seed == session.get("seed")
    )


def _start(plan: Plan, data: DataSet, values: dict[str, Any], guess: str | None, running: bool) -> None:
    if running:
        build_training.progress(build_training.MAIN)
        return
    build_training.complaint(build_training.MAIN)
    work = build_choices.work_of(plan, values)
    problem = plan.problem
    if not problem and work > build_choices.LARGEST_WORK:
        times = work / build_choices.LARGEST_WORK
        problem = (
            f"This run takes {times:.1f} times the work that one visitor may ask for. Take fewer epochs, fewer "
            "pictures or a smaller network."
        )
        st.warning(problem, icon=":material/hourglass:")

    def begin() -> None:
        st.session_state.pop(_LOADED, None)
        build_training.begin(build_training.MAIN, plan, data, values)

    steps = build_training.steps_of(values)
    st.button(
        "Train this network" if guess is not None else "Train without a guess",
        key="cl_build_train",
        type="primary" if guess is not None else "secondary",
        icon=":material/play_arrow:",
        disabled=bool(problem),
        on_click=begin,
    )
    words = "Make the layers fit first." if plan.problem else f"{steps:,} steps of {values['batch_size']} pictures."
    st.caption(words)


def _say(run: cc.TrainingRun, guess: str | None) -> None:
    data = data_of(run)
    n = data.n_test if data is not None else 0
    said = (
        f"{100 * run.test_accuracy:.1f} % of {n:,} test pictures named right, and {100 * run.train_accuracy:.1f} % of "
        f"the {run.recipe.n_train:,} it learned from, after {run.steps_done:,} steps ({run.cpu_seconds:.1f} s of one "
        f"core) with {run.n_parameters:,} parameters."
    )
    if n and n < 50:
        said += f" With {n} test pictures, one more or less is {100 / n:.0f} %: do not read much into it."
    if run.state == "finished" and guess is not None:
        answer = next(key for key, (low, high) in _BINS.items() if low <= run.test_accuracy < high)
        lesson.reveal(guess, answer, said)
    elif run.state == "finished":
        st.markdown(f"**Finished.** {said}")
    else:
        st.warning(f"{plain(run.note)} {said}", icon=":material/stop_circle:")


def _of_run(run: cc.TrainingRun, plan: Plan, data: DataSet, values: dict[str, Any]) -> None:
    own = data_of(run)
    if own is None:
        st.info("The pictures that this run learned from are gone; bring them again to look further.")
        build_after.keep_and_save(run)
        return
    if not _is_of(run, plan, data, values):
        st.info(
            "What follows is of the run above; the network or its settings have been changed since. Train again, or "
            "put its layers back.",
            icon=":material/history:",
        )
        if build_training.is_built(run) and st.button("Put its layers back", key="cl_build_back"):
            from cnn_core.training.built import parse

            build_choices.keep_layers(parse(run.recipe.network))
            st.rerun()
    build_after.results(run)
    build_after.keep_and_save(run)
    build_draw.board(run, own)
    build_trial.section(run)


def _load() -> None:
    with st.expander("Open a saved run", icon=":material/folder_open:"):
        files = st.file_uploader(
            "run.zip, or run.safetensors and run.json",
            type=["zip", "safetensors", "json"],
            accept_multiple_files=True,
            key="cl_build_load",
            max_upload_size=64,
        )
        if files and st.button("Open it", key="cl_build_open", icon=":material/folder_open:"):
            try:
                run = build_after.read_files({file.name: file.getvalue() for file in files})
            except cc.ConvLensError as error:
                st.error(plain(str(error)), icon=":material/broken_image:")
            else:
                st.session_state[_LOADED] = training.keep(run)
                st.rerun()
