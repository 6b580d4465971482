"""The five small networks side by side: one picture through all, one table, and what is lost when a part is cut out."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st
from PIL import Image

import cnn_core as cc
from cnn_core.landmark_trials import CutResult, Trial, cuts_of, measure
from cnn_core.landmarks import LANDMARKS
from ui import cached, jobs, landmarks_pictures, lesson, session, text
from ui.instruments.landmarkblock import Answer, cards
from ui.landmarks_lesson import billions, counts, titles

_TOP: Final = 3
_SIDE: Final = 168
_CUT: Final = ("small_resnet", "small_googlenet")
_N_TEST: Final = 2_000


def same_picture() -> None:
    """One picture through all five, and their likeliest classes side by side."""
    st.header("The same picture through all five", anchor=False, divider="gray")
    st.markdown(
        "A small member of each family, made for pictures of 28 × 28, learned the same 6,000 pieces of clothing with "
        "the "
        "same number of steps. All five come with ConvLens and run here."
    )
    landmarks_pictures.picker()
    networks = landmarks_pictures.small_networks()
    shown = landmarks_pictures.chosen(networks[0])
    left, right = st.columns([1, 4], gap="medium")
    with left:
        large = Image.fromarray(shown.seen.shown_rgb).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        st.image(np.asarray(large), width=_SIDE, alt="What all five networks see")
        st.caption(f"What all five see: {shown.words}.")
    answers = []
    for network in networks:
        trace = cached.trace(network, shown.seen)
        answers.append(Answer(titles()[network.card.key], [(p.name, float(p.probability)) for p in trace.top(_TOP)]))
    with right:
        cards(answers, shown.truth, key="cl_landmarks_cards")
        st.caption(verdict(answers, shown.truth))


def verdict(answers: list[Answer], truth: str | None) -> str:
    """How many agree, in a sentence."""
    named = [answer.top[0][0] for answer in answers]
    if truth is None:
        kinds = len(set(named))
        return f"They name {kinds} kind{'s' * (kinds != 1)} of clothing; nobody has labelled this picture."
    right = named.count(truth)
    return f"{right} of {len(named)} say “{truth}”, which is its label. Percentages are softmax probabilities."


def small_table() -> str:
    """The five small networks in one table, for Markdown with HTML; the accuracies stand in their weights' files."""
    heads = (
        "network",
        "known for",
        "layers",
        "parameters",
        "multiply-adds",
        "activations",
        "file",
        "right, test / training",
    )
    rows = []
    for entry in LANDMARKS:
        metadata, size = metadata_of(entry.small)
        one = counts(entry.small)
        rows.append(
            (
                titles()[entry.small],
                _KNOWN_FOR[entry.key],
                f"{one.layers}",
                f"{one.n_parameters:,}",
                billions(one.macs),
                f"{one.activation_bytes / 1e3:,.0f}\N{NO-BREAK SPACE}kB",
                f"{size / 1e3:,.0f}\N{NO-BREAK SPACE}kB",
                " / ".join(
                    f"{100 * float(metadata[share]):.2f}\N{NO-BREAK SPACE}%"
                    for share in ("test_accuracy", "train_accuracy")
                ),
            )
        )
    return text.table(heads, rows, words="known for")


_KNOWN_FOR: Final = {
    "lenet": "tanh, average pooling",
    "alexnet": "7×7 with stride, overlapping pooling, dropout",
    "vgg": "pairs of 3×3",
    "googlenet": "Inception, global average pooling",
    "resnet": "residual blocks, batch norm",
}


def metadata_of(key: str) -> tuple[dict[str, str], int]:
    """What the training script wrote beside a small network's weights, and the file's size in bytes."""
    from cnn_core.models.weights import find, shipped_metadata

    found = find(key)
    assert found is not None  # it comes with ConvLens
    return dict(shipped_metadata(key)), found.path.stat().st_size


def compared() -> None:
    """The table of the small networks, with what was equal and what one may not conclude."""
    st.markdown(small_table(), unsafe_allow_html=True)
    metadata, _ = metadata_of(_CUT[0])
    spread = 100 * (0.86 * 0.14 / _N_TEST) ** 0.5
    st.caption(
        f"Equal for all five: {int(metadata['n_train']):,} pictures of Fashion-MNIST in one order, "
        f"{metadata['recipe'].replace('adam one_cycle', 'Adam with a one-cycle learning rate up to')}; "
        "trained by `python -m cnn_core.training.landmarks`. Accuracy on 2,000 other pictures, one seed: differences "
        f"below about {2 * spread:.1f} points (two standard errors) say nothing. With so few and so small pictures the "
        "newest need not win: history was made on 1.2 million photographs."
    )


def cut_out() -> None:
    """The causal test: a skip, a block or a branch is cut out, and the 2,000 test pictures are named again."""
    with lesson.test("Cut a part out, and name 2,000 pictures again"):
        st.markdown(
            "Does the skip matter, or do the blocks? Which of the four branches? Cut one and see; nothing is trained "
            "again."
        )
        guess = lesson.guess(
            "landmarks_cut",
            "In the small ResNet, which costs more right answers on average: cutting a skip (F(x) alone goes on), or "
            "switching off what a block computed (x alone goes on)?",
            {
                "skip": "Cutting the skip",
                "block": "Switching off the block",
                "same": "About the same (within 5 points)",
            },
        )
        st.segmented_control(
            "Network",
            _CUT,
            format_func=lambda name: titles()[name],
            required=True,
            label_visibility="collapsed",
            **session.control("cut", "cl_landmarks_cut_network"),
        )
        network = cached.classifier(session.get("cut"))
        trial: Trial | None = jobs.run(
            "landmarkcut",
            (network.key,),
            lambda on_progress, should_stop: measure(
                network, cuts_of(network), on_progress=on_progress, should_stop=should_stop
            ),
            lambda made: 2_000,
            button=f"Cut each part of the {titles()[network.card.key]} in turn",
            label="Pictures named",
            unit="pictures",
        )
        if trial is not None:
            results(network, trial, guess)


def results(network: cc.Classifier, trial: Trial, guess: str | None) -> None:
    """The accuracies after each cut, and what they say."""
    st.markdown(cut_table(trial))
    worst = min(trial.results, key=lambda result: result.accuracy)
    st.caption(
        f"Whole: {_percent(trial.accuracy)} of {trial.n:,} test pictures. Worst after a cut: {worst.cut.where}, "
        f"{worst.cut.title}, {_percent(worst.accuracy)}. Guessing gives 10 %."
    )
    if network.card.key != _CUT[0]:
        return
    skip, block = (mean_drop(trial, kind) for kind in ("skip", "block"))
    answer = "same" if abs(skip - block) <= 0.05 else "skip" if skip > block else "block"
    lesson.reveal(
        guess,
        answer,
        f"Cutting a skip costs {100 * skip:.1f} points on average, switching a block off {100 * block:.1f} (six of "
        "each, "
        f"from {_percent(trial.accuracy)}).",
    )


def mean_drop(trial: Trial, kind: str) -> float:
    """The mean loss of accuracy over the cuts of one kind, as a share."""
    found = [trial.accuracy - result.accuracy for result in trial.results if result.cut.key.startswith(f"{kind}:")]
    return float(np.mean(found))


def cut_table(trial: Trial) -> str:
    """A row for each block or module, a column for each kind of cut, for Markdown."""
    columns: dict[str, None] = {}
    rows: dict[str, dict[str, CutResult]] = {}
    for result in trial.results:
        columns.setdefault(result.cut.title)
        rows.setdefault(result.cut.where, {})[result.cut.title] = result
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for where, found in rows.items():
        lines.append(f"| **{where}** | {' | '.join(_cell(found[title], trial) for title in columns)} |")
    return "\n".join(lines)


def _cell(result: CutResult, trial: Trial) -> str:
    change = 100 * (result.accuracy - trial.accuracy)
    return f"{_percent(result.accuracy)} ({change:+.1f})".replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
