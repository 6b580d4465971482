"""Three machines, same data: the digit in your hand, the guesses, what each machine looks with, and parameters."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st
from PIL import Image

import cnn_core as cc
from ui import cached, experiment_lesson, lesson, machines_fitted, session
from ui.experiment_lesson import Chart, Line, Question
from ui.experiment_records import Missing, Source, own, precomputed, records_of
from ui.instruments.curves import Series, Style, View, curves
from ui.instruments.machines import Face, Place, hand, inside
from ui.instruments.picker import Option, picker

if TYPE_CHECKING:
    from ui.machines_fitted import Fitted

EXPERIMENT: Final = machines_fitted.EXPERIMENT
TITLES: Final = {"hog_svm": "HOG + linear SVM", "mlp": "MLP", "cnn": "CNN"}
STYLES: Final = {
    "hog_svm": Style("input", "dash", "square"),
    "mlp": Style("kernel", "dot", "diamond"),
    "cnn": Style("output", "solid", "circle"),
}
_SHIFT: Final = 4
_SIZES: Final = ((100, "_100"), (1_000, "_1000"), (4_000, ""), (8_000, "_8000"))
_NONE: Final = "none"
_WHOSE: Final = "cl_machines_whose"


def digits() -> int:
    """The picker of a test digit; returns its index."""
    index: int = session.get("digit")
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    with left:
        options = list(_examples())
        # Ten thumbnails, one a class: the chosen digit stands in its class's place.
        options[machines_fitted.digit_of(index)[1]] = _option(index)
        picker(
            options,
            str(index),
            key="cl_machines_digits",
            label="Test digit",
            layout="thumbs",
            on_pick=lambda key: session.set("digit", int(key)),
        )
    with right:
        st.session_state.cl_machines_index = index
        st.number_input(
            "Test picture",
            0,
            1_999,
            key="cl_machines_index",
            on_change=session.take,
            args=("digit", "cl_machines_index"),
            help="2,000 digits that no machine learned from, numbered 0 to 1,999.",
            disabled=session.locked(),
        )
    return index


@cache
def _examples() -> tuple[Option, ...]:
    """The first test digit of each class."""
    from cnn_core.training.data import load_data_set

    _, test = load_data_set("digits")
    return tuple(_option(int(i)) for label in range(10) for i in np.flatnonzero(test.labels == label)[:1])


@cache
def _thumbnail(index: int) -> bytes:
    digit, _ = machines_fitted.digit_of(index)
    buffer = io.BytesIO()
    Image.fromarray(255 - digit).resize((84, 84), Image.Resampling.NEAREST).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _option(index: int) -> Option:
    return Option(str(index), f"{machines_fitted.digit_of(index)[1]}, test picture {index}", picture=_thumbnail(index))


def guesses() -> tuple[str | None, str | None]:
    """Who survives the shift, who survives the shuffle."""
    shift = lesson.guess(
        "machines_shift",
        f"All three learned from digits in the middle. New digits are moved {_SHIFT} pixels down and right: who still "
        "names most of them?",
        TITLES,
    )
    shuffle = lesson.guess(
        "machines_shuffle",
        "All pixels are put into one fixed random order, for learning and for testing alike: whom does it harm least?",
        TITLES,
    )
    return shift, shuffle


def faces(machines: Fitted) -> list[Face]:
    """How the three are introduced: what is designed, what is learned, and how much of it."""
    hog, mlp, cnn = machines.plain
    words = {
        "hog_svm": "People designed what it measures: edge directions in 16 cells. Only the planes between the classes "
        f"are learned: {hog.n_parameters:,} numbers, {hog.core_seconds:.1f} s.",
        "mlp": f"784 pixels, 128 hidden units, 10 classes, all joined to all: {mlp.n_parameters:,} numbers "
        f"are learned, {mlp.core_seconds:.1f} s.",
        "cnn": "Three layers of small kernels, the same ones at every place, then the largest value of each map: "
        f"{cnn.n_parameters:,} numbers are learned, {cnn.core_seconds:.1f} s.",
    }
    return [
        Face(one.key, TITLES[one.key], _short(one.key), words[one.key], not one.is_classic) for one in machines.plain
    ]


def _short(key: str) -> str:
    return TITLES[key].split(" ")[0]


def wanted_place() -> Place:
    """Where the address puts the digit."""
    down, right, pixels = session.get("moved").split("~")
    return int(down), int(right), pixels == "shuffled"


def _keep(place: Place) -> None:
    session.set("moved", f"{place[0]}~{place[1]}~{'shuffled' if place[2] else 'plain'}")


def chosen_machines() -> Fitted:
    """The shipped machines, or the visitor's own once there are any."""
    mine = machines_fitted.own()
    if mine is None:
        return machines_fitted.shipped()
    choices = {"shipped": machines_fitted.shipped(), "own": mine}
    st.segmented_control(
        "Machines", list(choices), default="own", required=True, format_func=lambda key: choices[key].whose, key=_WHOSE
    )
    return choices[st.session_state[_WHOSE]]


def bench(index: int, *, waiting: bool) -> Fitted:
    """The digit in your hand, with what the machines say unless the guesses are still to come."""
    from cnn_core.training.variants import pixel_permutation

    fitted = machines_fitted.shipped() if waiting else chosen_machines()
    digit, target = machines_fitted.digit_of(index)
    scores = None
    if not waiting:
        with st.spinner("Asking six machines about 289 places…"):
            scores = machines_fitted.everywhere(fitted, index)
    place = wanted_place()
    hand(
        faces(fitted),
        digit,
        pixel_permutation(28),
        scores,
        index=index,
        target=target,
        classes=[str(i) for i in range(10)],
        place=place,
        subject=f"{index}|{place}",
        key="cl_machines_hand",
        on_keep=_keep,
    )
    if not waiting:
        st.caption(costs(fitted))
    return fitted


def costs(machines: Fitted) -> str:
    """What each machine learned, and how long that took."""
    told = "; ".join(
        f"{TITLES[one.key]}: {one.n_parameters:,} numbers in {one.core_seconds:.1f} s" for one in machines.plain
    )
    return f"Learned from {machines.plain[0].recipe.n_train:,} digits. {told} of one core, where they were fitted."


def look_inside(fitted: Fitted, index: int) -> None:
    """HOG's picture, the MLP's first weights and the CNN's kernels, side by side."""
    from cnn_core.training.variants import pixel_permutation

    st.header("What each one looks with", anchor=False, divider="gray")
    inside(
        machines_fitted.inside(fitted, index),
        pixel_permutation(28),
        [str(i) for i in range(10)],
        key="cl_machines_inside",
    )


def reveal(shift: str | None, shuffle: str | None) -> None:
    """Both answers, read off the precomputed seeds, else off the visitor's own runs."""
    bands = cached.memo(
        "bands", (EXPERIMENT,), lambda: cc.load_bands(EXPERIMENT), lambda made: 1 if made is None else 200_000
    )
    for source in (precomputed(bands), own(records_of(EXPERIMENT).with_settings(()))):
        if source is None:
            continue
        try:
            answers = shift_answer(source), shuffle_answer(source)
        except Missing:
            continue
        for guess, (answer, because) in zip((shift, shuffle), answers, strict=True):
            lesson.reveal(guess, answer, f"{because} ({source.words})")
        return
    st.info("Run all three machines below, in order and shuffled: your runs then answer.", icon=":material/science:")


def shift_answer(numbers: Source) -> tuple[str, str]:
    """Who names most digits moved by four pixels."""
    best = max(TITLES, key=lambda key: numbers.mean(key, f"shift_{_SHIFT}"))
    told = ", ".join(f"{TITLES[key]} {numbers.percent(key, f'shift_{_SHIFT}')}" for key in TITLES)
    return best, f"Moved by {_SHIFT} pixels: {told}. In the middle they reach {_list(numbers, 'test_accuracy')}."


def shuffle_answer(numbers: Source) -> tuple[str, str]:
    """Whom the shuffle costs least."""
    losses = {key: 100 * (numbers.mean(key) - numbers.mean(f"{key}_shuffled")) for key in TITLES}
    best = min(losses, key=lambda key: losses[key])
    told = ", ".join(f"{TITLES[key]} {points(-loss)}" for key, loss in losses.items())
    return best, f"By the shuffle accuracy changes: {told}. To the MLP no pixel has neighbours, so nothing is lost."


def points(change: float) -> str:
    """A change in percentage points, with its sign."""
    return f"{change:+.1f} points".replace("-", "−") if abs(change) >= 0.05 else "0.0 points"


def _list(numbers: Source, measure: str, ending: str = "") -> str:
    return ", ".join(f"{TITLES[key]} {numbers.percent(f'{key}{ending}', measure)}" for key in TITLES)


def few_answer(numbers: Source) -> tuple[str, str]:
    """Who is best with 100 pictures."""
    best = max(TITLES, key=lambda key: numbers.mean(f"{key}_100"))
    most = max(TITLES, key=lambda key: numbers.mean(f"{key}_8000"))
    return best, (
        f"From 100 digits: {_list(numbers, 'test_accuracy', '_100')}. From 8,000: "
        f"{_list(numbers, 'test_accuracy', '_8000')}, and {TITLES[most]} leads."
    )


def says(numbers: Source) -> str:
    """The sentence that the numbers support."""
    mlp, cnn = (100 * numbers.mean(key, f"shift_{_SHIFT}") for key in ("mlp", "cnn"))
    lost = {key: 100 * (numbers.mean(f"{key}_shuffled") - numbers.mean(key)) for key in TITLES}
    return (
        f"Moved by {_SHIFT} pixels the CNN names {cnn:.1f} % right and the MLP {mlp:.1f} %; the shuffle changes the "
        f"MLP’s accuracy by {points(lost['mlp'])}, the CNN’s by {points(lost['cnn'])} and HOG’s by "
        f"{points(lost['hog_svm'])}. What a machine takes for granted helps while it is true, and harms when it is not."
    )


def charts() -> tuple[Chart, ...]:
    """Accuracy by shift, by number of examples, and in order against shuffled."""
    return (
        Chart(
            "shift",
            "Shift",
            "pixels down and right",
            "accuracy on 2,000 moved test digits",
            tuple(
                Line(TITLES[key], STYLES[key], tuple((float(p), key, f"shift_{p}") for p in range(9))) for key in TITLES
            ),
            note="All learned from 4,000 digits in the middle; only the test digits are moved.",
        ),
        Chart(
            "shuffle",
            "Shuffle",
            "pixels",
            "accuracy on 2,000 test digits",
            tuple(
                Line(
                    TITLES[key],
                    STYLES[key],
                    ((0.0, key, "test_accuracy"), (1.0, f"{key}_shuffled", "test_accuracy")),
                )
                for key in TITLES
            ),
            x_names=((0.0, "in order"), (1.0, "shuffled")),
            note="One fixed order for learning and testing alike: nothing is lost but who is next to whom.",
        ),
        Chart(
            "examples",
            "Examples",
            "digits learned from",
            "accuracy on 2,000 test digits",
            tuple(
                Line(
                    TITLES[key],
                    STYLES[key],
                    tuple((float(n), f"{key}{ending}", "test_accuracy") for n, ending in _SIZES),
                )
                for key in TITLES
            ),
            x_log=True,
            x_names=tuple((float(n), f"{n:,}") for n, _ in _SIZES),
            note="The same number of steps each; HOG’s planes are fitted until they settle.",
        ),
    )


def panel() -> None:
    """Examples guessed, curves with bands, and all machines trained live."""
    experiment_lesson.panel(
        EXPERIMENT,
        question=Question(
            "machines_few", "With only 100 digits to learn from, who names most new ones right?", TITLES, few_answer
        ),
        says=says,
        chosen=tuple(TITLES),
        measures=("test_accuracy", "train_accuracy", "parameters", "core_seconds", f"shift_{_SHIFT}"),
        charts=charts(),
        first="shift",
    )


def explode() -> None:
    """Parameters against the picture's side, counted from the layers."""
    from cnn_core.training.machines import parameters_by_side

    with lesson.test("Parameters explode"):
        small, large = parameters_by_side(28), parameters_by_side(224, 3)
        guess = lesson.guess(
            "machines_explode",
            f"At 28 × 28 greys the MLP has {small[0]:,} parameters. The same MLP for 224 × 224 pixels in colour has …",
            {"8": "8 times as many", "64": "64 times as many", "190": "about 190 times as many"},
        )
        if guess is None:
            st.caption("Guess first; the count is made from the layers’ shapes.")
            return
        times = large[0] / small[0]
        answer = min(("8", "64", "190"), key=lambda key: abs(np.log(float(key) / times)))
        lesson.reveal(
            guess,
            answer,
            f"{large[0]:,}, {times:.0f} times as many: 64 times the pixels, times three colours. The CNN goes from "
            f"{small[1]:,} to {large[1]:,}: only its first kernels read three channels instead of one.",
        )
        left, right = lesson.columns()
        with right:
            st.slider("Side of the picture, in pixels", 28, 512, step=4, **session.control("side", "cl_machines_side"))
            st.segmented_control(
                "Channels",
                [1, 3],
                required=True,
                format_func=lambda n: "greys" if n == 1 else "red, green, blue",
                **session.control("colours", "cl_machines_channels"),
            )
            side, colours = session.get("side"), session.get("colours")
            mlp, cnn = parameters_by_side(side, colours)
            st.markdown(
                f"MLP: {side} × {side} × {colours} × 128 + 128 + 1,290 = **{mlp:,}** parameters, "
                f"{4 * mlp / 1e6:,.1f} MB of float32.\n\n"
                f"CNN: **{cnn:,}** parameters, {4 * cnn / 1e6:.2f} MB, whatever the side."
            )
        with left:
            _growth(colours)


def _growth(channels: int) -> None:
    from cnn_core.training.machines import parameters_by_side

    sides = np.array([28, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512])
    counts = np.array([parameters_by_side(int(side), channels) for side in sides], dtype=np.float64)
    series = tuple(
        Series(TITLES[key], STYLES[key], "own", sides, counts[:, i], note="counted from the layers")
        for i, key in enumerate(("mlp", "cnn"))
    )
    view = View(
        "parameters",
        "Parameters",
        "side of the picture, pixels",
        "parameters",
        series,
        y_log=True,
        note=f"Log scale. MLP 784-128-10 and CNN 16-32-32 of this page, {channels} channel{'s' * (channels > 1)}.",
    )
    curves([view], key="cl_machines_growth", file="parameters_by_side", label="Parameters by the picture’s side")
