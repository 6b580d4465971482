"""The decision: from the last maps to one logit, part by part, and from all logits to probabilities."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from cnn_core.covering import Covered, cover, grid_boxes, square_at
from cnn_core.decision import Head, LogitLedger, head_of, logit_ledger, made_by, softmax_table
from cnn_core.saliency import Placement, placement_of
from ui import cached, lesson, session, widgets
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
from ui.instruments.trial import comparison, covered_cards
from ui.widgets import Bench

GUESSES = "cl_decision_guesses"
GRID = 4  # squares a side that are greyed where a head mixes its cells: 16 forward passes


def covered(bench: Bench, target: int, boxes: tuple[tuple[float, float, float, float], ...]) -> tuple[Covered, ...]:
    """The network's answers with each box greyed."""
    trace = bench.trace
    return cached.memo(
        "cover",
        (bench.classifier.key, bench.model_input.digest, target, boxes),
        lambda: cover(bench.classifier, trace, boxes, target=target),
        lambda made: sum(one.shown_rgb.nbytes for one in made),
    )


def exact_cells(bench: Bench, ledger: LogitLedger) -> Cells:
    """Each cell's exact share of the logit, at its receptive field's centre."""
    assert ledger.cells is not None and ledger.maps is not None
    h, w = ledger.cells.shape
    size = bench.model_input.shown_rgb.shape[:2]
    placement = placement_of(bench.classifier, bench.classifier.network[ledger.maps], (size[0], size[1]))
    without_bias = "" if ledger.bias == 0 else ", which with the bias is the logit"
    total = f"{ledger.cells.sum():.4g}"
    words = f"Each cell's exact share of the logit, in logits; all {h * w} add up to {total}{without_bias}."
    return Cells(ledger.cells, (h, w), placement, words.replace("-", "−"), "logits of evidence")


def covered_cells(bench: Bench, target: int, label: str, *, ask_network: bool) -> tuple[Cells, tuple[Covered, ...]]:
    """Where a head mixes its cells: what the logit loses when each square of a coarse grid is greyed."""
    height, width = bench.model_input.shown_rgb.shape[:2]
    placement = Placement((height / GRID / 2, width / GRID / 2), (height / GRID, width / GRID), (height, width))
    answers: tuple[Covered, ...] = ()
    values = None
    if ask_network:
        with st.spinner("Greying 16 squares, one forward pass each"):
            answers = covered(bench, target, grid_boxes(height, width, GRID, GRID))
        values = tuple(one.logit_drop for one in answers)
    words = f"What the logit of {label} loses when the square is greyed: 16 forward passes."
    return Cells(values, (GRID, GRID), placement, words, "logits lost"), answers


def answer_exact(bench: Bench, ledger: LogitLedger, cells: Cells, guess: tuple[int, int]) -> None:
    """Compare the guessed cell with the ledger's strongest."""
    assert ledger.cells is not None
    ranking = ledger.cell_ranking()
    best = ranking[0]
    rank = ranking.index(guess) + 1
    says = (
        f"The strongest cell is row {best[0]}, column {best[1]}: {ledger.cells[best]:+.3f} of the logit "
        f"{ledger.logit:.3f}. Your cell, row {guess[0]}, column {guess[1]}, gives {ledger.cells[guess]:+.3f}: "
        f"rank {rank} of {len(ranking)}."
    ).replace("-", "−")
    lesson.reveal("best" if guess == best else "other", "best", says)


def test_exact(bench: Bench, ledger: LogitLedger, cells: Cells, guess: tuple[int, int] | None) -> None:
    """Grey the strongest cell's square, the guessed one's and the weakest one's, and read the logit again."""
    assert ledger.cells is not None
    ranking = ledger.cell_ranking()
    chosen = [("the strongest cell", ranking[0])]
    if guess is not None and guess not in (ranking[0], ranking[-1]):
        chosen.append(("your cell", guess))
    chosen.append(("the weakest cell", ranking[-1]))
    size = cells.placement.input_size
    side = min(max(cells.placement.stride), *size)
    boxes = tuple(square_at(*cells.placement.centre(*cell), side, size) for _, cell in chosen)
    with lesson.test("The test: grey that cell"):
        answers = covered(bench, ledger.class_index, boxes)
        titles = [f"Without {name} ({cell[0]}, {cell[1]})" for name, cell in chosen]
        logit = float(bench.trace.logits[ledger.class_index])
        probability = float(bench.trace.probabilities[ledger.class_index])
        cards = covered_cards(bench.model_input, logit, probability, list(zip(titles, answers, strict=True)))
        comparison(
            cards,
            key="cl_decision_test",
            caption=f"Bars: the logit of {ledger.label}, one shared scale; dashed, the whole picture. Each square is "
            f"{side:.0f} × {side:.0f} pixels of mid grey round the cell's centre.",
        )
        first, last = answers[0], answers[-1]
        share = ledger.cells[ranking[0]]
        verb = "falls" if first.logit_drop >= 0 else "rises"
        more = "More" if first.logit_drop > share else "Less"
        supported = first.logit_drop > last.logit_drop
        sentence = (
            f"Without the strongest cell's square the logit {verb} by {abs(first.logit_drop):.3f}; the ledger gave "
            f"that cell {share:.3f}. {more} than its share, because the other cells see these pixels too, and grey is "
            "something to see as well. Without the weakest cell's square the logit changes by "
            f"{-last.logit_drop:+.3f}: "
            + ("the ledger's order holds for these two." if supported else "here the ledger's order does not hold.")
        ).replace("-", "−")
        (st.success if supported else st.warning)(sentence, icon=":material/science:")


def answer_covered(cells: Cells, answers: tuple[Covered, ...], guess: tuple[int, int] | None, label: str) -> None:
    """Compare the guessed square with the one whose loss costs most."""
    drops = [one.logit_drop for one in answers]
    order = sorted(range(len(drops)), key=lambda i: -drops[i])
    best = divmod(order[0], GRID)
    says = f"Greying row {best[0]}, column {best[1]} costs the logit of {label} most: {drops[order[0]]:.3f}."
    if guess is not None:
        at = guess[0] * GRID + guess[1]
        rank = f"rank {order.index(at) + 1} of {len(drops)}"
        says += f" Your square, row {guess[0]}, column {guess[1]}, costs {drops[at]:.3f}: {rank}."
        lesson.reveal("best" if guess == best else "other", "best", says.replace("-", "−"))
    else:
        st.info(says.replace("-", "−"), icon=":material/science:")


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
    network = bench.classifier.network
    head: Head = head_of(network)
    st.markdown(head.sentence)
    try:
        ledger: LogitLedger | None = logit_ledger(bench.classifier, bench.trace, target)
    except cc.ConvLensError as error:
        st.info(str(error), icon=":material/info:")
        ledger = None
    if ledger is not None:
        evidence(bench, head, ledger)
    softmax(bench, target)


def evidence(bench: Bench, head: Head, ledger: LogitLedger) -> None:
    """The guess, the ledger, and the test by covering."""
    target = ledger.class_index
    exact = ledger.cells is not None
    channels = head.kind == "pool+linear"
    subject = f"{bench.classifier.key}:{bench.model_input.digest[:16]}:{target}"
    guesses: dict[str, CellGuess] = st.session_state.setdefault(GUESSES, {})
    guess = guesses.get(subject)
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
    )
    if guess is None:
        return
    if exact and guess.cell is not None:
        answer_exact(bench, ledger, cells, guess.cell)
    elif not exact:
        answer_covered(cells, answers, guess.cell, ledger.label)

    def forget() -> None:
        guesses.pop(subject, None)

    st.button("Guess again", on_click=forget, type="tertiary", icon=":material/undo:")
    if not channels:
        open_part(bench, ledger, cells, opened if opened in ids else total.rows[0].id)
    if exact:
        test_exact(bench, ledger, cells, guess.cell)


def softmax(bench: Bench, target: int) -> None:
    """All logits become probabilities."""
    st.subheader("From logits to probabilities", anchor=False, divider="gray")
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


session.bind("target", "channel")
lesson.header("The decision", "From the last maps to one number for each class, part by part.")
laboratory(widgets.bench())
lesson.why(
    "A network has no opinion beyond this sum. Whatever a class wins by stands in the ledger: a channel that answered "
    "strongly, times a weight that training gave it. Softmax adds nothing; it only turns distances between logits into "
    "shares."
)
lesson.try_this(
    [
        "Choose the second prediction: which channels does it share with the first?",
        "Choose “Most against”: which channel speaks against the class, and where does its map light up?",
        "Set the temperature to 10, then to 0.1.",
        "Choose SqueezeNet: its head has no fully connected layer at all.",
    ]
)
lesson.footer("gradcam")
