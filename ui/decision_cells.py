"""One cell put to the test: what the ledger foretold, what the network says without it, and why grey pixels differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.covering import Covered, cover, square_at
from cnn_core.decision import LogitLedger, logit_ledger, without_cells
from cnn_core.saliency.targets import TargetRequest
from ui import cached, lesson, session, text
from ui.arithmetic import number
from ui.instruments.decision import Cells
from ui.instruments.trial import comparison, covered_cards
from ui.text import plain
from ui.widgets import Bench

Box = tuple[float, float, float, float]
Cell = tuple[int, int]


@dataclass(frozen=True)
class CellTest:
    """A cell, and what became of the logit, each as a change: foretold by the ledger, with the cell's numbers set to 0,
    with its square of pixels greyed; of the last, the part that is the cell's own, and what all others lost."""

    cell: Cell
    foretold: float
    zeroed: float
    greyed: float
    own: float
    others: float
    n_seeing: int
    """How many of the other cells have a pixel of the square in their receptive field."""

    @property
    def exact(self) -> bool:
        """Whether the cell set to 0 is the ledger's share, up to float32 rounding."""
        return abs(self.zeroed - self.foretold) <= 1e-4 * max(1.0, abs(self.foretold))


def covered(bench: Bench, target: TargetRequest, boxes: tuple[Box, ...]) -> tuple[Covered, ...]:
    """The network's answers with each box greyed."""
    trace = bench.trace
    return cached.memo(
        "cover",
        (bench.classifier.key, bench.model_input.digest, target, boxes),
        lambda: cover(bench.classifier, trace, boxes, target=target),
        lambda made: sum(one.shown_rgb.nbytes for one in made),
    )


def picked_cell(cells: Cells) -> Cell | None:
    """The cell that a click or a link chose, where this grid has it."""
    row, column = session.get("row"), session.get("column")
    if row is None or column is None or row >= cells.grid[0] or column >= cells.grid[1]:
        return None
    return row, column


def pick(cell: Cell) -> None:
    """Choose a cell."""
    session.set("row", cell[0])
    session.set("column", cell[1])


def test(bench: Bench, ledger: LogitLedger, cells: Cells, guess: Cell | None, picked: Cell | None) -> None:
    """Take the strongest cell away, the picked one, the guessed one and the weakest, in two ways."""
    assert ledger.cells is not None
    ranking = ledger.cell_ranking()
    wanted: list[tuple[str, Cell | None]] = [
        ("the strongest cell", ranking[0]),
        ("the cell you picked", picked),
        ("your guess", guess),
        ("the weakest cell", ranking[-1]),
    ]
    chosen: dict[Cell, str] = {}
    for name, cell in wanted:
        if cell is not None:
            chosen.setdefault(cell, name)
    size = cells.placement.input_size
    side = min(max(cells.placement.stride), *size)
    boxes = tuple(square_at(*cells.placement.centre(*cell), side, size) for cell in chosen)
    target: TargetRequest = ledger.class_index
    if ledger.rival_index is not None:
        target = (ledger.class_index, ledger.rival_index)
    word = "logit" if ledger.rival_index is None else "margin"
    with lesson.test("The test: grey that cell"):
        st.markdown(
            f"Two ways to take a cell away: set its numbers in the last maps to 0, or grey the {side:.0f} × {side:.0f} "
            "pixels round its centre. Click any cell in the picture above to test that one too."
        )
        answers = covered(bench, target, boxes)
        titles = [f"Without {name} ({cell[0]}, {cell[1]})" for cell, name in chosen.items()]
        probability = float(bench.trace.probabilities[ledger.class_index])
        if ledger.rival_index is not None:
            probability -= float(bench.trace.probabilities[ledger.rival_index])
        comparison(
            covered_cards(bench.model_input, ledger.logit, probability, list(zip(titles, answers, strict=True))),
            key="cl_decision_test",
            caption=f"Bars: the {word} of {ledger.label}, one shared scale; dashed, the whole picture. Each square is "
            f"{side:.0f} × {side:.0f} pixels of mid grey round the cell's centre.",
        )
        tests = _tests(bench, ledger, tuple(chosen), boxes, answers)
        st.markdown(_table(tests, list(chosen.values()), word, ledger.cells.size), unsafe_allow_html=True)
        about = picked if picked is not None else ranking[0]
        _say(next(one for one in tests if one.cell == about), ledger.cells.size, word, plain(ledger.label))


def _tests(
    bench: Bench, ledger: LogitLedger, cells: tuple[Cell, ...], boxes: tuple[Box, ...], answers: tuple[Covered, ...]
) -> tuple[CellTest, ...]:
    trace, classifier = bench.trace, bench.classifier
    assert ledger.cells is not None and ledger.maps is not None
    before: NDArray[np.float64] = ledger.cells
    field = cc.receptive_field(classifier, ledger.maps)

    def sees(row: int, column: int, box: tuple[int, int, int, int]) -> bool:
        top, left, bottom, right = field.box(row, column)
        inside = top < box[2] and bottom > box[0] and left < box[3] and right > box[1]
        return bool(field.sees_everything or inside)

    def make() -> tuple[CellTest, ...]:
        zeroed = without_cells(classifier, trace, ledger, cells)
        made = []
        for cell, logit, answer in zip(cells, zeroed, answers, strict=True):
            seen = classifier.card.preprocessing.from_rgb(answer.shown_rgb)
            after = logit_ledger(classifier, cc.trace(classifier, seen), ledger.class_index, ledger.rival_index)
            assert after.cells is not None
            own = float(after.cells[cell] - before[cell])
            others = [place for place in np.ndindex(before.shape) if place != cell]
            reached = [place for place in others if sees(place[0], place[1], answer.box)]
            made.append(
                CellTest(
                    cell,
                    foretold=-float(before[cell]),
                    zeroed=logit - ledger.logit,
                    greyed=after.logit - ledger.logit,
                    own=own,
                    others=float((after.cells - before).sum()) - own,
                    n_seeing=len(reached),
                )
            )
        return tuple(made)

    key = (classifier.key, bench.model_input.digest, ledger.class_index, ledger.rival_index, cells, boxes)
    return cached.memo("cell_tests", key, make, lambda made: 200 * len(made))


def _table(tests: tuple[CellTest, ...], names: list[str], word: str, n_cells: int) -> str:
    heads = (
        f"change of the {word}",
        "the ledger foretold",
        "its numbers set to 0",
        "its pixels greyed",
        "of that, the cell itself",
        f"the other {n_cells - 1} cells",
    )
    rows = [
        (
            f"{name[0].upper()}{name[1:]} ({one.cell[0]}, {one.cell[1]})",
            _signed(one.foretold),
            f"{_signed(one.zeroed)} {'✓' if one.exact else '✗'}",
            *map(_signed, (one.greyed, one.own, one.others)),
        )
        for one, name in zip(tests, names, strict=True)
    ]
    return text.table(heads, rows)


def _say(one: CellTest, n_cells: int, word: str, label: str) -> None:
    """Foretold against measured, and why the two ways differ."""
    at = f"row {one.cell[0]}, column {one.cell[1]}"
    start = (
        f"**Cell {at}.** Set to 0, it changes the {word} of {label} by {_signed(one.zeroed)}; the ledger foretold "
        f"{_signed(one.foretold)}. Greying its pixels changes it by {_signed(one.greyed)}, of which {_signed(one.own)} "
        f"is this cell's own."
    )
    why = (
        f" {one.n_seeing} of the other {n_cells - 1} cells have these pixels in their receptive fields too and "
        f"change by {_signed(one.others)} together. And grey is something to see too: the cell itself need not go to 0."
    )
    (st.success if one.exact else st.warning)(start + why, icon=":material/science:")


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)
