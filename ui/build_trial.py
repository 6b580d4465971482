"""The fair test: the same network without one thing, from the same first weights, on the same pictures."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.training.built import Plan, examine, parse, write
from cnn_core.training.data import data_set
from cnn_core.training.report import REMOVABLE, shared_beginning, without
from ui import build_training, cached, lesson, training
from ui.build_training import TWIN
from ui.instruments.curves import curves

_POINT: Final = 0.01
_ANSWERS: Final = {"worse": "Worse", "same": "Within one point", "better": "Better"}


def section(run: cc.TrainingRun) -> None:
    """Choose what to take out, guess, train the twin, compare."""
    with lesson.test("Take one thing away"):
        if run.state != "finished" or not build_training.is_built(run):
            st.caption("This test compares with a run that was trained to its end: train the network above.")
            return
        st.markdown(
            "The same network without one kind of layer, **rewound to the same first weights**: same seed, same "
            "pictures in the same order, same number of steps. What changes is what you take out."
        )
        options = _options(run)
        fitting = {key: plan for key, plan in options.items() if not plan.problem}
        if not fitting:
            st.caption("Nothing can be taken out of this network that leaves one: add a ReLU, batch norm or dropout.")
            return
        for key, plan in options.items():
            if plan.problem:
                st.caption(f"Without {REMOVABLE[key][1]} it would be no network that is trained here: {plan.problem}")
        if st.session_state.get("cl_build_without") not in fitting:
            st.session_state["cl_build_without"] = next(iter(fitting))
        chosen = st.segmented_control(
            "Take out",
            list(fitting),
            required=True,
            format_func=lambda key: REMOVABLE[key][1].capitalize(),
            key="cl_build_without",
        )
        _compare(run, str(chosen), fitting[str(chosen)])


def _options(run: cc.TrainingRun) -> dict[str, Plan]:
    layers = parse(run.recipe.network)
    form = data_set(run.recipe.data).form
    return {
        key: examine(without(layers, key), form)
        for key, (kinds, _) in REMOVABLE.items()
        if any(layer.kind in kinds for layer in layers)
    }


def _compare(run: cc.TrainingRun, key: str, plan: Plan) -> None:
    words = REMOVABLE[key][1]
    network = write([step.layer for step in plan.steps])
    guess = lesson.guess(
        "build_without",
        f"Without {words}: how will its accuracy on the test pictures be?",
        _ANSWERS,
        about=f"{run.digest[:16]}_{key}",
    )
    if guess is None:
        st.caption("Guess, and then train the twin.")
        return
    twin = training.finished(TWIN)
    mine = twin is not None and twin.recipe.network == network and _same_but_network(run, twin)
    if build_training.is_running(TWIN):
        _follow()
        return
    build_training.complaint(TWIN)
    if twin is None or not mine or twin.state == "stopped":
        st.button(
            "Train the twin",
            key="cl_build_twin",
            icon=":material/play_arrow:",
            type="primary",
            on_click=_begin,
            args=(run, network),
        )
        return
    _answer(run, twin, guess, words)


def _begin(run: cc.TrainingRun, network: str) -> None:
    settings = {name: value for name, value in run.recipe.to_dict().items() if name != "network"}
    training.start(
        TWIN,
        "build",
        arm=build_training.arm_of(network),
        seed=run.seed,
        evaluate_every=max(1, run.recipe.steps // 15),
        network=network,
        **settings,
    )


@st.fragment(run_every=0.7)
def _follow() -> None:
    if not build_training.is_running(TWIN):
        st.rerun()
    build_training.progress(TWIN)


def _same_but_network(run: cc.TrainingRun, twin: cc.TrainingRun) -> bool:
    return set(cc.compare_runs(run, twin).differences) <= {"network"}


def _answer(run: cc.TrainingRun, twin: cc.TrainingRun, guess: str, words: str) -> None:
    change = twin.test_accuracy - run.test_accuracy
    answer = "same" if abs(change) <= _POINT else "better" if change > 0 else "worse"
    same, all_of = cached.memo(
        "build_beginning",
        (run.recipe.network, twin.recipe.network, run.recipe.data, run.seed),
        lambda: shared_beginning(run.recipe.network, twin.recipe.network, run.recipe.data, run.seed),
        lambda made: 64,
    )
    n = data_set(run.recipe.data).n_test
    moved = f"{100 * change:+.1f} points".replace("-", "−")
    lesson.reveal(
        guess,
        answer,
        f"Without {words}: {100 * twin.test_accuracy:.1f} % against {100 * run.test_accuracy:.1f} % of {n:,} test "
        f"pictures, {moved}. {same:,} of the twin’s {all_of:,} weights began exactly alike.",
    )
    if twin.state == "diverged":
        st.warning(twin.note, icon=":material/trending_up:")
    names = data_set(run.recipe.data).class_names
    curves(
        build_training.curve_views(
            [
                ("Whole", run.steps, ""),
                (f"Without {words}", twin.steps, "" if twin.state == "finished" else twin.state),
            ],
            len(names),
        ),
        key="cl_build_twin_curves",
        file="without",
        label="The network with and without",
    )
    compared = cc.compare_runs(run, twin)
    if compared.fair:
        st.caption("A fair comparison: same data, same pictures, same steps, same seed. One seed is one draw of luck.")
    else:
        st.caption(compared.warning)
