"""Training insights about what goes into a network: why the input is normalised, and what augmentation is worth."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

from ui import experiment_exhibits, session
from ui.experiment_lesson import Chart, Line, Question, panel
from ui.experiment_records import Source
from ui.experiment_signal import WITH, WITHOUT
from ui.instruments.curves import Style

_INPUTS: Final = {"standardised": "Standardised", "raw": "Raw", "raw_bn": "Raw, batch norm first"}


def _input_answer(numbers: Source) -> tuple[str, str]:
    fine, raw = numbers.mean("standardised"), numbers.mean("raw")
    key = "same" if raw > fine - 0.02 else "worse" if raw > 0.5 else "nothing"
    return key, (
        f"With plain SGD {numbers.percent('raw')} on raw pixels against {numbers.percent('standardised')} on "
        "standardised ones."
    )


def _input_says(numbers: Source) -> str:
    sgd = f"SGD makes {numbers.percent('standardised')} of standardised pixels and {numbers.percent('raw')} of raw ones"
    if numbers.find("raw_bn", "test_accuracy"):
        sgd += f"; batch norm on the picture repairs that: {numbers.percent('raw_bn')}"
    if numbers.find("adam_raw", "test_accuracy") and numbers.find("adam_standardised", "test_accuracy"):
        sgd += (
            f". Adam hides the mistake, with {numbers.percent('adam_raw')} on raw pixels against "
            f"{numbers.percent('adam_standardised')}: it divides each step by the gradient’s own size"
        )
    return sgd + "."


def normalise() -> None:
    arms = {
        "standardised": ("Standardised", WITH),
        "raw": ("Raw, 0 to 255", WITHOUT),
        "raw_bn": ("Raw, batch norm on the picture", Style("input", "dot", "diamond")),
    }
    panel(
        "input_normalisation",
        question=Question(
            "insights_input",
            "The same network gets pixel values from 0 to 255 as they are, and learns by SGD. What becomes of its "
            "accuracy?",
            {"same": "The same, within 2 points", "worse": "Worse, but above 50 %", "nothing": "Below 50 %"},
            _input_answer,
        ),
        says=_input_says,
        chosen=("standardised", "raw"),
        styles={
            **{arm: style for arm, (_, style) in arms.items()},
            "adam_standardised": Style("accent", "dot", "triangle"),
            "adam_raw": Style("quiet", "dashdot", "triangle"),
        },
        exhibit=lambda: _raw_and_standardised(arms),
        charts=[
            Chart(
                "inputs",
                "Accuracy by input",
                "input",
                "accuracy on test pictures",
                (
                    Line(
                        "SGD", WITHOUT, tuple((i, arm, "test_accuracy") for i, arm in enumerate(_INPUTS)), joined=False
                    ),
                    Line(
                        "Adam",
                        WITH,
                        ((0.15, "adam_standardised", "test_accuracy"), (1.15, "adam_raw", "test_accuracy")),
                        joined=False,
                    ),
                ),
                x_names=tuple((float(i), title) for i, title in enumerate(_INPUTS.values())),
                note="Mean and range over the seeds, whole test part.",
            )
        ],
        views=experiment_exhibits.gradient_view("input_normalisation", arms),
    )


def _raw_and_standardised(arms: dict[str, tuple[str, Style]]) -> None:
    left, right = st.columns([1, 1.4], gap="large", vertical_alignment="center")
    with left:
        picture, told = _digit()
        st.image(picture, caption=told, width="stretch", alt="A digit as the network reads it, raw and standardised")
    with right:
        found = experiment_exhibits.first("input_normalisation")
        if found is not None:
            norms = {arm: float(np.median(found[arm].gradient_norms[:, 0])) for arm in arms}
            losses = {arm: float(np.median(found[arm].losses)) for arm in arms}
            st.markdown(
                "**The very first step, before anything is learned** (precomputed, median of "
                f"{len(found['raw'].seeds)} seeds)\n\n"
                "| input | loss | gradient of the first kernels |\n|:--|--:|--:|\n"
                + "\n".join(f"| {title} | {losses[arm]:.4g} | {norms[arm]:.4g} |" for arm, (title, _) in arms.items())
                + "\n\nGuessing among ten digits costs ln 10 = 2.303."
            )


def _digit() -> tuple[np.ndarray, str]:
    from cnn_core.training.data import data_set, load_data_set

    data = data_set("digits")
    picture = load_data_set("digits")[1].pictures[8]
    low, high = ((value / 255 - data.mean) / data.std for value in (int(picture.min()), int(picture.max())))
    words = (
        f"Your eyes see no difference. Raw: {picture.min()} to {picture.max()}. Standardised: {low:.3f} to {high:.3f}, "
        "for all digits together mean 0 and standard deviation 1."
    ).replace("-", "−")
    return picture.repeat(12, axis=0).repeat(12, axis=1), words


_LADDER: Final = (
    ("small", "Small CNN"),
    ("big", "Big CNN + BN"),
    ("resnet7", "ResNet-7"),
    ("fashion", "Clothing, small CNN"),
)


def _gain(numbers: Source, arm: str) -> float:
    return 100 * (numbers.mean(f"{arm}_augmented") - numbers.mean(arm))


def _augmentation_answer(numbers: Source) -> tuple[str, str]:
    gains = {
        "copies": _gain(numbers, "small"),
        "big": 100 * (numbers.mean("big") - numbers.mean("small")),
        "resnet": 100 * (numbers.mean("resnet7") - numbers.mean("small")),
    }
    best = max(gains, key=gains.__getitem__)
    return best, (
        f"From the small CNN’s {numbers.percent('small')}: changed copies {gains['copies']:+.1f} points, the big "
        f"network "
        f"{gains['big']:+.1f}, the residual one {gains['resnet']:+.1f}."
    ).replace("-", "−").replace("ResNet−7", "ResNet-7")


def _clothes_answer(numbers: Source) -> tuple[str, str]:
    gain = _gain(numbers, "fashion")
    key = "helps" if gain > 1 else "hurts" if gain < -1 else "nothing"
    return key, (
        f"On clothing the small CNN goes from {numbers.percent('fashion')} to {numbers.percent('fashion_augmented')}, "
        f"{gain:+.1f} points."
    ).replace("+-", "−").replace(" -", " −")


def _augmentation_says(numbers: Source) -> str:
    told = [
        f"{title} {numbers.percent(arm)} → {numbers.percent(f'{arm}_augmented')}"
        for arm, title in _LADDER
        if numbers.find(arm, "test_accuracy") and numbers.find(f"{arm}_augmented", "test_accuracy")
    ]
    if not told:
        numbers.mean("small_augmented")  # says what is missing
    return (
        f"As they are → with changed copies: {'; '.join(told)}. What a change may be is knowledge about the pictures."
    )


def augmentation() -> None:
    seed = session.get("seed")

    def exhibit() -> None:
        experiment_exhibits.augmented(
            "small_augmented", title="Digits: turned 15°, moved 10 %, resized 15 %, sheared.", seed=seed
        )
        experiment_exhibits.augmented("fashion_augmented", title="Clothing: the same, and mirrored.", seed=seed)

    panel(
        "augmentation",
        question=(
            Question(
                "insights_augmentation",
                "Ten digits of each class to learn from. What brings the small CNN farthest?",
                {
                    "copies": "Changed copies of the pictures",
                    "big": "A network 22 times as large",
                    "resnet": "Shortcuts",
                },
                _augmentation_answer,
            ),
            Question(
                "insights_clothes",
                "And for clothing, 20 pictures a class, mirrored ones too: what do changed copies do there?",
                {"helps": "They help", "nothing": "Next to nothing", "hurts": "They hurt"},
                _clothes_answer,
            ),
        ),
        says=_augmentation_says,
        exhibit=exhibit,
        chosen=("small", "small_augmented"),
        styles={
            f"{arm}{suffix}": Style(role, "solid" if suffix else "dash", "circle" if suffix else "square")  # type: ignore[arg-type]
            for (arm, _), role in zip(_LADDER, ("output", "input", "kernel", "quiet"), strict=True)
            for suffix in ("", "_augmented")
        },
        charts=[
            Chart(
                "gain",
                "Accuracy by network",
                "network",
                "accuracy on test pictures",
                (
                    Line(
                        "As they are",
                        WITHOUT,
                        tuple((i - 0.08, arm, "test_accuracy") for i, (arm, _) in enumerate(_LADDER)),
                        joined=False,
                    ),
                    Line(
                        "With changed copies",
                        WITH,
                        tuple((i + 0.08, f"{arm}_augmented", "test_accuracy") for i, (arm, _) in enumerate(_LADDER)),
                        joined=False,
                    ),
                ),
                x_names=tuple((float(i), title) for i, (_, title) in enumerate(_LADDER)),
                note="Mean and range over the seeds, whole test part.",
            )
        ],
    )
