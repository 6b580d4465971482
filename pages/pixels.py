"""Pixels to tensors: what the network really sees of a picture, and what becomes of it when that is done wrong."""

from __future__ import annotations

import streamlit as st

from cnn_core.preprocessing_trials import preprocessing_trials
from ui import cached, lesson, session, widgets
from ui.instruments.pixels import Pixel, pixels, trials

lesson.header("Pixels to tensors", "What the network really sees of your picture: small, square, and made of numbers.")
bench = widgets.bench()
session.bind("row", "column")
preprocessing = bench.classifier.card.preprocessing


def keep(pixel: Pixel | None) -> None:
    session.set("row", None if pixel is None else pixel.row)
    session.set("column", None if pixel is None else pixel.column)


@st.fragment
def instrument() -> None:
    row, column = session.get("row"), session.get("column")
    pinned = None if row is None or column is None else Pixel(row, column)
    pixels(bench.picture, bench.model_input, preprocessing.resize, pinned=pinned, key="pixels", on_pin=keep)


def number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def percent(probability: float) -> str:
    if probability < 0.0005 or probability >= 0.9995:
        return "less than 0.1 %" if probability < 0.5 else "more than 99.9 %"
    return f"{probability:.1%}".replace("%", " %")


black = [-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True)]
guess = lesson.guess(
    "pixels_black",
    "A pixel is pure black: 0 of 255 in every colour. Which number does the network read there?",
    {"zero": "0", "negative": "A negative number", "positive": "A positive number"},
)
lesson.reveal(
    guess,
    answer="negative" if max(black) < 0 else "positive" if min(black) > 0 else "zero",
    because=f"Black becomes {', '.join(number(value) for value in black)}: the mean of the training pictures is taken "
    f"away, here {', '.join(number(value) for value in preprocessing.mean)}, so zero means “as bright as usual”, "
    "not “black”. Find a dark pixel below and read it.",
)
instrument()

with lesson.test("Test: preprocessing done wrong"):
    st.markdown(
        "Nothing in the network is changed here; only the way from the file to the tensor is. Each is a mistake that "
        "people really make, and none of them stops with an error."
    )
    choices = {
        "bgr": "Blue and red swapped",
        "levels": "0 to 255, not scaled",
        "not_normalised": "0 to 1, not normalised",
        "quarter_turn": "Lying on its side",
        "swapped_light": "Ink and paper swapped",
    }
    if preprocessing.channels == 1:
        del choices["bgr"]
    else:
        del choices["swapped_light"]
    worst = lesson.guess("pixels_sabotage", "Which of these four mistakes hurts the answer most?", choices)
    if worst is not None:
        results = cached.memo(
            "preprocessing_trials",
            (bench.classifier.key, bench.picture.digest),
            lambda: preprocessing_trials(bench.classifier, bench.picture, bench.model_input),
            lambda made: sum(trial.read_rgb.nbytes for trial in (made.right, *made.trials)),
        )
        asked = [trial for trial in results.ranked if trial.key in choices]
        listed = "; ".join(f"{choices[trial.key].lower()} {percent(trial.target_probability)}" for trial in asked)
        lesson.reveal(
            worst,
            answer=asked[0].key,
            because=f"Of “{results.target_name}”, {percent(results.right.target_probability)} when done right, there "
            f"is left: {listed}. One picture, one batch of {len(results.trials) + 1} forward passes.",
        )
        trials(results, key="trials")
        st.caption(
            "The small pictures are the tensors turned back into colours by this network’s own mean and standard "
            "deviation, clipped where there is no such colour. All mistakes are ranked by the probability that is left."
        )
    else:
        st.caption("Guess first; then every mistake is fed to the network, and its answers stand side by side.")

lesson.why(
    "A network learned its weights on numbers of one kind: channels in one order, centred and scaled in one way. It "
    "has no idea of what a picture is, so it cannot notice that the numbers mean something else. Some networks forgive "
    "some mistakes: one with ReLUs and no biases would give the same first answer at any scale. That is luck, not "
    "safety."
)
lesson.try_this(
    [
        "Pin a pixel (click), then switch “as normalised numbers” on: blue is darker than usual.",
        "Take a very wide picture of your own: how much of it does the network never see?",
        "Make the same test with another network: does the same mistake hurt most?",
    ]
)
lesson.footer("kernel")
