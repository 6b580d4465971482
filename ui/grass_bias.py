"""First section: choose how far the ground gives the answer away, guess, train, look where the evidence lies, swap."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.bias.exhibit import Exhibit
from cnn_core.bias.ground_report import GroundReport
from cnn_core.bias.herd_swaps import HerdSwaps
from cnn_core.training.bias_experiments import CORRELATIONS
from cnn_core.training.cow_camel import CLASSES, KINDS, N_TRAIN
from ui import build_training, lesson, session, training
from ui import grass_data as data
from ui.grass_data import MAIN
from ui.instruments import herd
from ui.instruments.curves import curves

EXPERIMENT: Final = "cow_grass"
_BINS: Final = {"none": (0.0, 0.1), "few": (0.1, 0.5), "many": (0.5, 0.9), "all": (0.9, 1.01)}
_ONE: Final = ("1", "−1")
_BIN_WORDS: Final = {
    "none": "Fewer than 10 %",
    "few": "10 to 50 %",
    "many": "50 to 90 %",
    "all": "90 % or more",
}


def draw() -> None:
    """The section, top to bottom."""
    correlation = _correlation()
    arm = f"at_{correlation}"
    running = build_training.is_running(MAIN)
    run = training.finished(MAIN)
    own = run if data.is_run(run, EXPERIMENT, arm) else None
    guess = lesson.guess(
        "grass_bias",
        "Trained on such pictures: of 200 new animals on the *other’s* ground (a cow on sand, a camel on grass), how "
        "many will it name right?",
        _BIN_WORDS,
        about=str(correlation),
    )
    _bench(arm, correlation, guess, running, own)
    if running:
        return
    found = None if own is None else data.exhibit_of(own, MAIN)
    if own is None or found is None:
        if own is None:
            st.caption("The three tests, the wall of maps and the swap come when this network has been trained.")
    else:
        data.remember(EXPERIMENT, correlation, f"your run at {correlation} %, seed {own.seed}", own.digest, found)
        _results(found, guess, correlation)
        _swap_test(found)
    if guess is not None or own is not None:
        _dose()
        _why()


def _why() -> None:
    lesson.why(
        "Training only asks that the answer is right on the training pictures. Where the ground gives the answer, a "
        "few colour channels at every cell are enough, and they are found first; the animal’s shape takes longer and "
        "brings nothing more. Nothing in the loss, and nothing in a test set drawn the same way, tells the two "
        "apart: only pictures in which animal and ground disagree do (Beery et al. 2018; Geirhos et al. 2020)."
    )
    lesson.try_this(
        [
            "Train at 100, then 95, then 80 %: where on the curve does the other’s ground stop being a problem?",
            "Take the wall’s “Other’s ground”: which class does the map speak for there?",
            "Train another seed at 95 %. How far apart can two networks of one recipe be?",
        ]
    )


def _correlation() -> int:
    given = session.get("correlation")
    nearest = min(CORRELATIONS, key=lambda stop: abs(stop - given))
    if nearest != given:
        session.set("correlation", nearest)
    st.session_state["cl_grass_correlation"] = nearest
    left, right = lesson.columns()
    with right:
        st.select_slider(
            "Cows on grass, camels on sand: in how many of the training pictures",
            CORRELATIONS,
            format_func=lambda stop: f"{stop} %",
            key="cl_grass_correlation",
            on_change=session.take,
            args=("correlation", "cl_grass_correlation"),
            disabled=session.locked(),
        )
        odd = (100 - nearest) * N_TRAIN // 100
        expected = "In none of them" if not odd else f"In about {odd} of them"
        st.markdown(
            f"The network learns from **{N_TRAIN} drawn pictures**, half cows, half camels. {expected} the animal "
            "stands on the other’s ground."
        )
        data.seed_picker()
    with left:
        st.markdown(f"**Twelve of the {N_TRAIN} training pictures**")
        herd.pictures(data.shown_herd(nearest), key="cl_grass_training")
    return int(nearest)


def _bench(arm: str, correlation: int, guess: str | None, running: bool, own: cc.TrainingRun | None) -> None:
    @st.fragment(run_every=0.7 if running else None)
    def follow() -> None:
        if build_training.is_running(MAIN) != running:
            st.rerun()
        left, right = lesson.columns()
        with right:
            if running:
                build_training.progress(MAIN)
            else:
                build_training.complaint(MAIN)
                st.button(
                    "Train it" if guess is not None else "Train without a guess",
                    key="cl_grass_train",
                    type="primary" if guess is not None and own is None else "secondary",
                    icon=":material/play_arrow:",
                    on_click=data.start,
                    args=(MAIN, EXPERIMENT, arm),
                )
                st.caption(
                    "104 steps of 32 pictures, 16,818 parameters: a few seconds of one core. Its own test pictures "
                    f"have the same correlation of {correlation} %, so they cannot tell you."
                )
        with left:
            data.live_curves(MAIN, own, name="Your network")

    follow()


def _results(found: Exhibit, guess: str | None, correlation: int) -> None:
    report = found.report
    counter = report.accuracies["counter"]
    answer = next(key for key, (low, high) in _BINS.items() if low <= counter < high)
    said = (
        f"{100 * counter:.1f} % of 200 on the other’s ground, {100 * report.accuracies['biased']:.1f} % on the usual "
        f"one, {100 * report.accuracies['neutral']:.1f} % on neutral ones, where chance is 50 %."
    )
    if guess is None:
        st.markdown(f"**Trained at {correlation} %.** {said}")
    lesson.reveal(guess, answer, said)
    st.header("Is it looking at the cow?", anchor=False, divider="gray")
    accuracies(report)
    herd.wall([herd.Look("", found.walls)], key="cl_grass_wall")
    st.markdown(evidence_words(report))


def accuracies(report: GroundReport, before: GroundReport | None = None) -> None:
    """Three test sets: the same animals on three kinds of ground, with the share named right."""
    for column, kind in zip(st.columns(3), KINDS, strict=True):
        with column:
            st.image(
                np.concatenate(list(report.trials[kind].herd.pictures[:4]), axis=1),
                width="stretch",
                alt=f"Four test pictures: {KINDS[kind]}",
            )
            change = 0.0 if before is None else round(100 * (report.accuracies[kind] - before.accuracies[kind]), 1)
            # The sign is read from a hyphen only, and a true minus is shown: so arrow and colour are said.
            st.metric(
                KINDS[kind].capitalize(),
                f"{100 * report.accuracies[kind]:.1f} %",
                None if before is None else f"{change:+.1f} points".replace("-", "−") if change else "as before",
                delta_color="green" if change > 0 else "red" if change < 0 else "gray",
                delta_arrow="up" if change > 0 else "down" if change < 0 else "off",
                border=True,
            )


def evidence_words(report: GroundReport) -> str:
    """Where the evidence lies, against how large the animal is."""
    wall = report.wall
    return (
        f"On 200 animals on their usual ground, **{100 * wall.share:.1f} %** of the evidence lies on the animal, which "
        f"covers **{100 * wall.area:.1f} %** of the picture: {wall.enrichment:.2f} times what evidence spread evenly "
        "would put there. A map proposes; the next test decides."
    )


def _swap_test(found: Exhibit) -> None:
    with lesson.test("The test: swap the ground"):
        swap_table(found.swaps, shown=6)
        st.markdown(swap_words(found.swaps))


def swap_table(swaps: HerdSwaps, *, shown: int) -> None:
    """A few animals on their own ground, on another of its kind, and on one of the other kind, with what was said."""
    rows = (
        ("Its own picture", swaps.own, swaps.named),
        ("Another picture’s ground of the same kind (control)", swaps.control, swaps.control_named),
        ("A ground of the other kind", swaps.swapped, swaps.swapped_named),
    )
    for title, pictures, named in rows:
        st.markdown(f"<span class='cl-quiet'>{title}</span>", unsafe_allow_html=True)
        with st.container(horizontal=True, gap="small"):
            for i in range(shown):
                with st.container(width=104, gap=None):
                    animal = CLASSES[swaps.labels[i]]
                    st.image(pictures[i].repeat(4, 0).repeat(4, 1), width=96, alt=f"A {animal}. {title}")
                    mark = "✓" if named[i] == swaps.labels[i] else "✗"
                    st.caption(f"{mark} {CLASSES[named[i]]}")


def swap_words(swaps: HerdSwaps) -> str:
    """How many names changed, against the control, with the interval."""
    effect = swaps.effect
    said, low, high = (f"{round(100 * edge)}".replace("-", "−") for edge in (effect.estimate, effect.low, effect.high))
    so = (
        "Only the ground was changed: what changed with it, the ground caused."
        if effect.low > 0
        else "Its kind makes no difference that these pictures could show."
    )
    return (
        f"On another ground of the same kind **{swaps.control_flips} of {swaps.n}** names change; on a ground of the "
        f"other kind **{swaps.swapped_flips} of {swaps.n}**. The difference is {said} point{'s' * (said not in _ONE)} "
        f"(95 % interval {low} to {high}, paired bootstrap). {so}"
    )


def _dose() -> None:
    st.header("How much is too much?", anchor=False, divider="gray")
    places = [(float(stop), f"at_{stop}") for stop in CORRELATIONS]
    views = data.response_views(
        EXPERIMENT, places, "training pictures whose ground matches, %", data.points(EXPERIMENT), log=False
    )
    curves(views, key="cl_grass_dose", file="cow_grass", label="Accuracy and evidence by correlation in training")
