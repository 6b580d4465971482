"""The parts of the decision lesson: the ledger of a logit or a margin, its guess and tests, and the softmax."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from cnn_core.covering import Covered, grid_boxes
from cnn_core.decision import Head, LogitLedger, head_of, logit_ledger, made_by, softmax_table
from cnn_core.saliency import Placement, placement_of
from cnn_core.saliency.targets import TargetRequest
from ui import decision_cells, lesson, session, shell, widgets
from ui.decision_cells import covered
from ui.instruments.decision import (
    CellGuess,
    Cells,
    flow_of,
    ledger_view,
    listed_maps,
    softmax_view,
    sum_of_ledger,
    sum_of_unit,
)
from ui.text import plain
from ui.widgets import Bench

MARGIN = "Choose a second class to take the margin apart: what speaks for the first rather than for the second."
GUESSES = "cl_decision_guesses"
GRID = 4  # squares a side that are greyed where a head mixes its cells: 16 forward passes


def exact_cells(bench: Bench, ledger: LogitLedger) -> Cells:
    """Each cell's exact share of the logit, at its receptive field's centre."""
    assert ledger.cells is not None and ledger.maps is not None
    h, w = ledger.cells.shape
    size = bench.model_input.shown_rgb.shape[:2]
    placement = placement_of(bench.classifier, bench.classifier.network[ledger.maps], (size[0], size[1]))
    without_bias = (
        ""
        if ledger.bias == 0
        else f", which with the bias is the {'logit' if ledger.rival_index is None else 'margin'}"
    )
    total = f"{ledger.cells.sum():.4g}"
    number = "logit" if ledger.rival_index is None else "margin"
    words = f"Each cell's exact share of the {number}, in logits; all {h * w} add up to {total}{without_bias}."
    return Cells(ledger.cells, (h, w), placement, words.replace("-", "−"), "logits of evidence")


def covered_cells(
    bench: Bench, target: TargetRequest, label: str, *, ask_network: bool
) -> tuple[Cells, tuple[Covered, ...]]:
    """Where a head mixes its cells: what the logit loses when each square of a coarse grid is greyed."""
    height, width = bench.model_input.shown_rgb.shape[:2]
    placement = Placement((height / GRID / 2, width / GRID / 2), (height / GRID, width / GRID), (height, width))
    answers: tuple[Covered, ...] = ()
    values = None
    if ask_network:
        with st.spinner("Greying 16 squares, one forward pass each"):
            answers = covered(bench, target, grid_boxes(height, width, GRID, GRID))
        values = tuple(one.logit_drop for one in answers)
    words = f"What the {number_word(target)} of {label} loses when the square is greyed: 16 forward passes."
    return Cells(values, (GRID, GRID), placement, words, "logits lost"), answers


def word_of(ledger: LogitLedger) -> str:
    """What a ledger adds up to."""
    return "logit" if ledger.rival_index is None else "margin"


def number_word(target: TargetRequest) -> str:
    """What a head's number is called: a margin is the difference of two logits."""
    return "margin" if isinstance(target, tuple) else "logit"


def answer_exact(ledger: LogitLedger, guess: tuple[int, int], subject: str) -> None:
    """Compare the guessed cell with the ledger's strongest."""
    assert ledger.cells is not None
    ranking = ledger.cell_ranking()
    best = ranking[0]
    rank = ranking.index(guess) + 1
    says = (
        f"The strongest cell is row {best[0]}, column {best[1]}: {ledger.cells[best]:+.3f} of the {word_of(ledger)} "
        f"{ledger.logit:.3f}. Your cell, row {guess[0]}, column {guess[1]}, gives {ledger.cells[guess]:+.3f}: "
        f"rank {rank} of {len(ranking)}."
    ).replace("-", "−")
    chosen = lesson.clicked("decision", "best" if guess == best else "other", guess, about=subject)
    lesson.reveal(chosen, "best", says)


def answer_covered(
    answers: tuple[Covered, ...], guess: tuple[int, int] | None, label: str, word: str, subject: str
) -> None:
    """Compare the guessed square with the one whose loss costs most."""
    drops = [one.logit_drop for one in answers]
    order = sorted(range(len(drops)), key=lambda i: -drops[i])
    best = divmod(order[0], GRID)
    lost = [f"{drop:.3f}".replace("-", "−") for drop in drops]
    says = f"Greying row {best[0]}, column {best[1]} costs the {word} of {plain(label)} most: {lost[order[0]]}."
    if guess is not None:
        at = guess[0] * GRID + guess[1]
        rank = f"rank {order.index(at) + 1} of {len(drops)}"
        says += f" Your square, row {guess[0]}, column {guess[1]}, costs {lost[at]}: {rank}."
        chosen = lesson.clicked("decision", "best" if guess == best else "other", guess, about=subject)
        lesson.reveal(chosen, "best", says)
    else:
        st.info(says, icon=":material/science:")


def open_part(bench: Bench, ledger: LogitLedger, cells: Cells, part: int) -> None:
    """Open one part of the sum into the unit that made it."""
    if ledger.maps is not None and ledger.cells is not None:
        source = ledger.maps
        index: tuple[int, ...] = (ledger.class_index, *divmod(part, ledger.cells.shape[1]))
    else:
        source, index = ledger.source, (part,)
    unit = made_by(bench.classifier.network, source, index)
    if unit is None:
        st.caption("This part comes from a pooling or a branch, which the whole network's page opens.")
        return
    operation, index = unit
    explained = cc.explain_unit(bench.classifier, bench.trace, operation, index)
    where = ", ".join(map(str, index))
    st.markdown(f"**Opened: {operation.title}, unit ({where})**")
    ledger_view(
        bench.model_input.shown_rgb,
        sum_of_unit(
            explained,
            f"Output of {operation.name} before its activation",
            "channel" if operation.kind == "conv2d" else "input",
        ),
        cells,
        [],
        key="cl_decision_unit",
        subject="unit",
        question="",
        guess=None,
        on_guess=lambda guess: None,
        picture=False,
    )


@st.fragment
def laboratory(bench: Bench) -> None:
    """Everything that answers to a click on this page."""
    target = widgets.class_picker(bench)
    rival = widgets.wanted_rival(bench, target)
    widgets.rival_picker(bench, target, rival, key="cl_decision_rival", words=MARGIN)
    network = bench.classifier.network
    head: Head = head_of(network)
    st.markdown(head.sentence)
    try:
        ledger: LogitLedger | None = logit_ledger(bench.classifier, bench.trace, target, rival)
    except cc.ConvLensError as error:
        st.info(str(error), icon=":material/info:")
        ledger = None
    if ledger is not None:
        evidence(bench, head, ledger)
    softmax(bench, target)


def evidence(bench: Bench, head: Head, ledger: LogitLedger) -> None:
    """The guess, the ledger, and the test by covering."""
    target: TargetRequest = ledger.class_index
    if ledger.rival_index is not None:
        target = (ledger.class_index, ledger.rival_index)
    exact = ledger.cells is not None
    channels = head.kind == "pool+linear"
    subject = f"{bench.classifier.key}:{bench.model_input.digest[:16]}:{ledger.class_index}"
    if ledger.rival_index is not None:
        subject += f"-{ledger.rival_index}"
    guesses: dict[str, CellGuess] = st.session_state.setdefault(GUESSES, {})
    guess = lesson.placed("decision", guesses, subject, CellGuess(None))
    answers: tuple[Covered, ...] = ()
    if exact:
        cells = exact_cells(bench, ledger)
        question = f"Which cell gives the most evidence for “{ledger.label}”?"
    else:
        cells, answers = covered_cells(bench, target, ledger.label, ask_network=guess is not None)
        question = f"Which square does “{ledger.label}” need most? Greying it would cost the most."
    opened = session.get("channel")
    total = sum_of_ledger(ledger, channels=channels)
    ids = {row.id for row in (*total.rows, *total.against)}
    picked = decision_cells.picked_cell(cells) if exact else None
    ledger_view(
        bench.model_input.shown_rgb,
        total,
        cells,
        flow_of(head, bench.classifier.network),
        key="cl_decision_ledger",
        subject=subject,
        question=question,
        guess=guess,
        on_guess=lambda made: guesses.update({subject: made}),
        maps=listed_maps(ledger, bench.trace.activation(ledger.maps)) if channels and ledger.maps else None,
        opened=opened if opened in ids else None,
        on_open=None if channels else lambda part: session.set("channel", part),
        picked=picked,
        on_cell=decision_cells.pick if exact else None,
    )
    if guess is None:
        return
    if exact and guess.cell is not None:
        answer_exact(ledger, guess.cell, subject)
    elif not exact:
        answer_covered(answers, guess.cell, ledger.label, number_word(target), subject)

    def forget() -> None:
        guesses.pop(subject, None)

    st.button("Guess again", on_click=forget, type="tertiary", icon=":material/undo:")
    if not channels:
        open_part(bench, ledger, cells, opened if opened in ids else total.rows[0].id)
    if exact:
        decision_cells.test(bench, ledger, cells, guess.cell, picked)
    else:
        no_split(bench, head, target)


def no_split(bench: Bench, head: Head, target: TargetRequest) -> None:
    """Why this head's logits have no exact share for each cell, and where to go on."""
    if head.kind == "flatten+linear":
        reason = (
            "Each hidden unit reads **all** cells at once, and its activation bends the sum: what one cell adds "
            "depends on what all others say. So no share of the logit belongs to a cell alone, and the squares above "
            "were measured by greying them, not read off a ledger."
        )
    else:
        reason = (
            "Between the pooled maps and the last layer stands something that is not linear in them, so what one cell "
            "adds depends on all others. The squares above were measured by greying them, not read off a ledger."
        )
    st.header("Why there is no exact split by cell", anchor=False)
    st.markdown(
        reason + " Grad-CAM answers with the gradient instead: exact for a small change, a hypothesis for more."
    )
    classes = target if isinstance(target, tuple) else (target, None)
    query = {"target": str(classes[0])} | ({} if classes[1] is None else {"rival": str(classes[1])})
    st.page_link(
        shell.lesson("gradcam").page,
        label="Grad-CAM for this class",
        icon=":material/center_focus_strong:",
        query_params=query,
    )


def softmax(bench: Bench, target: int) -> None:
    """All logits become probabilities."""
    st.header("From logits to probabilities", anchor=False, divider="gray")
    st.markdown(
        "Softmax raises e to each logit and divides by the sum, so that all are positive and add up to 1. "
        "Move the temperature and watch the order stay while the confidence goes."
    )
    softmax_view(
        softmax_table(bench.trace.logits, bench.classifier.class_names),
        bench.trace.logits,
        bench.trace.probabilities,
        target,
        bench.classifier.class_names[target],
        key="cl_decision_softmax",
        on_pick=lambda index: session.set("target", index),
    )
