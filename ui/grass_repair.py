"""Second section: the ground always gives the answer away; choose a repair, guess, train it, and look again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.bias.exhibit import Exhibit
from cnn_core.training.bias_experiments import COUNTER_EXAMPLES
from ui import build_training, grass_bias, lesson, session, training
from ui import grass_data as data
from ui.grass_data import MAIN, REPAIRED
from ui.instruments import herd
from ui.instruments.curves import curves

EXPERIMENT: Final = "cow_repair"
REPAIRS: Final = {
    "colour": "Shake the colours",
    "swap": "Swap the grounds",
    "swap_invent": "Half swapped, half invented",
    "more": "More counter-examples",
}
_WORDS: Final = {
    "colour": (
        "Each time a picture is seen, its three colour channels change places and each is made 0.4 to 1.6 times as "
        "bright. Nobody has to know where the animal is."
    ),
    "swap": (
        "Each time a picture is seen, the animal is cut out by its mask and put on the ground of another training "
        "picture. Somebody has to have drawn the masks."
    ),
    "swap_invent": (
        "The same for half of the pictures; the other half is put on grounds of any colour and texture, which no "
        "training picture has."
    ),
    "more": "Pictures of animals on the other’s ground are added to the 400. Somebody has to find or take them.",
}
_BINS: Final = {"no": (-1.01, 0.1), "partly": (0.1, 0.8), "yes": (0.8, 1.01)}
_BIN_WORDS: Final = {
    "no": "Below 10 %: it does not help",
    "partly": "10 to 80 %: it helps a little",
    "yes": "80 % or more: repaired",
}


def draw() -> None:
    """The section, top to bottom."""
    repair, arm = _choice()
    running = build_training.is_running(MAIN) or build_training.is_running(REPAIRED)
    before, after = _before(), training.finished(REPAIRED)
    after = after if data.is_run(after, EXPERIMENT, arm) else None
    guess = lesson.guess(
        "grass_repair",
        "As it is, the network names none of the animals on the other’s ground right. With this repair: how many?",
        _BIN_WORDS,
        about=arm,
    )
    _bench(arm, guess, before, after, running)
    if not running:
        if before is not None and after is not None:
            _compare(before, after, repair, arm, guess)
        else:
            st.caption("Before and after stand side by side here once both networks have been trained.")
    if guess is not None or after is not None:
        _dose()
        _why()


def _why() -> None:
    lesson.why(
        "Swapping makes the ground say nothing about the animal any more, so all that is left to learn from is the "
        "animal. Shaken colours change how grass looks, not that cows stand on it: its texture, and the "
        "line of the horizon, still give the answer away. A few counter-examples cost the network little loss when it "
        "gets them wrong; enough of them make the ground a worse guess than the animal."
    )
    lesson.try_this(
        [
            "How many counter-examples are enough? Find the least number that brings the other’s ground above 90 %.",
            "Compare “Swap the grounds” with “Half invented” on neutral grounds: which of the two would you ship?",
            "After the repair, does the evidence lie on the animal? Switch the wall between the three grounds.",
        ]
    )


def _choice() -> tuple[str, str]:
    repair = session.get("repair")
    st.session_state["cl_grass_repair"] = repair
    chosen = st.segmented_control(
        "The repair",
        list(REPAIRS),
        required=True,
        format_func=REPAIRS.__getitem__,
        key="cl_grass_repair",
        on_change=session.take,
        args=("repair", "cl_grass_repair"),
        disabled=session.locked(),
    )
    left, right = lesson.columns()
    with left:
        st.markdown(_WORDS[str(chosen)])
    if chosen != "more":
        with right:
            data.seed_picker()
        return str(chosen), str(chosen)
    nearest = min(COUNTER_EXAMPLES, key=lambda stop: abs(stop - session.get("extra")))
    if nearest != session.get("extra"):
        session.set("extra", nearest)
    st.session_state["cl_grass_extra"] = nearest
    with right:
        st.select_slider(
            "How many",
            COUNTER_EXAMPLES,
            key="cl_grass_extra",
            on_change=session.take,
            args=("extra", "cl_grass_extra"),
            disabled=session.locked(),
        )
        data.seed_picker()
    return "more", f"more_{nearest}"


def _before() -> cc.TrainingRun | None:
    """The network as it is: trained here, or in the first section at 100 %, which is the same run."""
    run = training.finished(MAIN)
    if data.is_run(run, EXPERIMENT, "none") or data.is_run(run, "cow_grass", "at_100"):
        return run
    return None


def _begin(arm: str, has_before: bool) -> None:
    if not has_before:
        data.start(MAIN, EXPERIMENT, "none")
    data.start(REPAIRED, EXPERIMENT, arm)


def _bench(
    arm: str, guess: str | None, before: cc.TrainingRun | None, after: cc.TrainingRun | None, running: bool
) -> None:
    @st.fragment(run_every=0.7 if running else None)
    def follow() -> None:
        now = build_training.is_running(MAIN) or build_training.is_running(REPAIRED)
        if now != running:
            st.rerun()
        if running:
            for slot, title in ((MAIN, "As it is"), (REPAIRED, "Repaired")):
                if build_training.is_running(slot):
                    st.caption(title)
                    build_training.progress(slot)
            return
        build_training.complaint(REPAIRED)
        both = "Train both" if before is None else "Train the repaired one"
        st.button(
            both if guess is not None else f"{both} without a guess",
            key="cl_grass_repair_train",
            type="primary" if guess is not None and after is None else "secondary",
            icon=":material/healing:",
            on_click=_begin,
            args=(arm, before is not None),
        )
        st.caption("Same network, same first weights, same 104 steps: what differs is the repair.")

    follow()


def _compare(before: cc.TrainingRun, after: cc.TrainingRun, repair: str, arm: str, guess: str | None) -> None:
    first = data.exhibit_of(before, MAIN)
    if first is None:
        return
    second = data.exhibit_of(after, REPAIRED)
    if second is None:
        return
    if repair == "more":
        extra = int(arm.removeprefix("more_"))
        data.remember(EXPERIMENT, extra, f"your run with {extra}, seed {after.seed}", after.digest, second)
    was, now = first.report, second.report
    counter = now.accuracies["counter"]
    answer = next(key for key, (low, high) in _BINS.items() if low <= counter < high)
    times = now.wall.share / was.wall.share
    said = (
        f"On the other’s ground {100 * counter:.1f} % against {100 * was.accuracies['counter']:.1f} % before; on the "
        f"usual one {100 * now.accuracies['biased']:.1f} %, on neutral ones {100 * now.accuracies['neutral']:.1f} %. "
        f"Evidence on the animal: {100 * now.wall.share:.1f} % against {100 * was.wall.share:.1f} %, {times:.1f} times "
        "as much."
    )
    if guess is None:
        st.markdown(f"**{REPAIRS[repair]}.** {said}")
    lesson.reveal(guess, answer, said)
    st.header("Look again", anchor=False, divider="gray")
    grass_bias.accuracies(now, was)
    herd.wall([herd.Look("As it is", first.walls), herd.Look("Repaired", second.walls)], key="cl_grass_repair_wall")
    with lesson.test("The test: swap the ground, before and after"):
        for title, found in (("As it is", first), ("Repaired", second)):
            st.markdown(f"**{title}.** {grass_bias.swap_words(found.swaps)}")


def _dose() -> None:
    st.header("How many counter-examples are enough?", anchor=False, divider="gray")
    places = [(float(extra), f"more_{extra}") for extra in COUNTER_EXAMPLES]
    own: Sequence[tuple[float, str, Exhibit]] = data.points(EXPERIMENT)
    views = data.response_views(EXPERIMENT, places, "counter-examples added to 400 pictures", own, log=True)
    curves(views, key="cl_grass_repair_dose", file="cow_repair", label="Accuracy and evidence by counter-examples")
    _others()


def _others() -> None:
    """The repairs that are no number, as a table."""
    bands = data.bands_of(EXPERIMENT)
    if bands is None:
        return
    cells = {(cell.arm, cell.measure): cell for cell in bands.cells}
    measures = {
        "ground_counter": "Other’s ground",
        "ground_biased": "Usual ground",
        "ground_neutral": "Neutral ground",
        "evidence_inside": "Evidence on the animal",
    }
    titles = {"none": "As it is", **{key: words for key, words in REPAIRS.items() if key != "more"}}
    rows = []
    for arm, title in titles.items():
        row = {"Repair": title}
        for measure, name in measures.items():
            cell = cells.get((arm, measure))
            row[name] = "–" if cell is None else _words(cell.values)
        rows.append(row)
    st.markdown(f"**The other repairs** ({bands.label}: mean, and the range of the seeds)")
    st.table(rows)


def _words(values: Sequence[float]) -> str:
    mean = f"{100 * sum(values) / len(values):.1f} %"
    return mean if len(values) < 2 else f"{mean} ({100 * min(values):.1f} to {100 * max(values):.1f})"
