"""The ledger of one logit beside the picture, and softmax with a temperature that is moved in the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.decision import Head, LogitLedger, SoftmaxTable
from cnn_core.saliency import Placement
from ui.components import is_index, mount, pack, sent, sent_one_of

N_ROWS = 10


@dataclass(frozen=True)
class CellGuess:
    """The cell that a visitor chose (row, column), or None where they chose to see the answer without a guess."""

    cell: tuple[int, int] | None


@dataclass(frozen=True)
class Row:
    """One part of a sum: feature x weight = contribution; `map` is its place in the maps sent along, -1 for none."""

    name: str
    feature: float
    weight: float
    contribution: float
    id: int
    map: int = -1
    cell: tuple[int, int] | None = None


@dataclass(frozen=True)
class Sum:
    """A sum of n_parts as it is shown: its largest parts, those most against, the bias, and the network's own number.

    computed: bias and all parts, summed in float64; what is not listed is the difference, so that nothing gets lost.
    """

    title: str
    part_word: str
    feature_word: str
    rows: tuple[Row, ...]
    n_parts: int
    bias: float | None
    computed: float
    value: float
    error: float
    matches: bool
    against: tuple[Row, ...] = ()


@dataclass(frozen=True, eq=False)
class Cells:
    """What is laid over the picture: h x w numbers, row by row, or None before they are computed; and their words."""

    values: NDArray[np.floating] | Sequence[float] | None
    grid: tuple[int, int]
    placement: Placement
    words: str
    unit: str


def sum_of_ledger(ledger: LogitLedger, *, channels: bool) -> Sum:
    """The ledger's largest parts as rows; `channels` says that feature k is the mean of map k."""
    width = 0 if ledger.cells is None else ledger.cells.shape[1]
    by_cell = ledger.cells is not None and ledger.features.size == ledger.cells.size and not channels

    def row(k: int, place: int) -> Row:
        cell = (k // width, k % width) if by_cell else None
        name = f"cell ({cell[0]}, {cell[1]})" if cell else f"{'channel' if channels else 'feature'} {k}"
        parts = (float(ledger.features[k]), float(ledger.weights[k]), float(ledger.contributions[k]))
        return Row(name, *parts, id=k, map=place if channels else -1, cell=cell)

    word = "cell" if by_cell else "channel" if channels else "feature"
    return Sum(
        title=f"Logit margin, {ledger.label}" if ledger.rival_index is not None else f"Logit of {ledger.label}",
        part_word=word,
        feature_word="mean" if channels else "value",
        rows=tuple(row(k, place) for place, k in enumerate(ledger.order[:N_ROWS].tolist())),
        against=tuple(row(k, N_ROWS + place) for place, k in enumerate(ledger.against[:N_ROWS].tolist())),
        n_parts=ledger.features.size,
        bias=None if by_cell else ledger.bias,
        computed=ledger.computed,
        value=ledger.logit,
        error=ledger.relative_error,
        matches=ledger.matches,
    )


def sum_of_unit(unit: cc.UnitExplanation, title: str, part_word: str) -> Sum:
    """A linear unit, or a 1 x 1 convolution's, as the same kind of sum; other kernels show their window's sums."""
    terms, _, _ = unit.ranked(N_ROWS)
    rows = []
    for term in terms:
        # A term of several products is shown as itself times 1.
        feature, weight = term.value, 1.0
        if term.window is not None and term.weights is not None and term.window.size == 1:
            feature, weight = float(term.window.item()), float(term.weights.item())
        index = int(term.source_index[0])
        rows.append(Row(f"{part_word} {index}", feature, weight, term.value, id=index))
    return Sum(
        title=title,
        part_word=part_word,
        feature_word="value",
        rows=tuple(rows),
        n_parts=len(unit.terms),
        bias=unit.bias,
        computed=unit.computed,
        value=unit.value,
        error=unit.relative_error,
        matches=unit.matches,
    )


def listed_maps(ledger: LogitLedger, activation: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maps (n, h, w) of the rows that `sum_of_ledger` lists with channels=True, in the order of their `map`."""
    listed = [*ledger.order[:N_ROWS].tolist(), *ledger.against[:N_ROWS].tolist()]
    if len(ledger.order) < N_ROWS:
        # Rows against start at N_ROWS whatever the number of channels: fill the gap.
        listed[len(ledger.order) : len(ledger.order)] = [0] * (N_ROWS - len(ledger.order))
    return activation[listed]


def flow_of(head: Head, network: cc.Network) -> list[dict[str, str]]:
    """The way from the last maps to the probabilities as chips: what, how much of it, and its colour's role."""
    chips = []
    for name in head.steps:
        operation = network[name]
        if operation.kind in {"dropout", "identity", "flatten", "view", "squeeze"} and name != head.logits:
            continue
        shape = " × ".join(f"{n:,}" for n in operation.output_shape)
        role = (
            "kernel" if operation.kind in {"linear", "conv2d"} else "output" if operation.kind == "softmax" else "input"
        )
        title = "Last maps" if name == head.maps else operation.short_title
        detail = (
            f"{operation.name}, {shape}"
            if name == head.maps
            else f"{shape} probabilities"
            if operation.kind == "softmax"
            else shape
        )
        chips.append({"title": title, "detail": f"{detail} logits" if name == head.logits else detail, "role": role})
    return chips


def ledger_view(
    rgb: NDArray[np.uint8],
    total: Sum,
    cells: Cells,
    flow: Sequence[dict[str, str]],
    *,
    key: str,
    subject: str,
    question: str,
    guess: CellGuess | None,
    on_guess: Callable[[CellGuess], None],
    maps: NDArray[np.float32] | None = None,
    opened: int | None = None,
    on_open: Callable[[int], None] | None = None,
    picture: bool = True,
    picked: tuple[int, int] | None = None,
    on_cell: Callable[[tuple[int, int]], None] | None = None,
) -> None:
    """Show picture and sum; a click on a cell makes the guess, a row shows its map, or is opened by the server.

    After the guess a click picks a cell, for `on_cell`; `picked` is framed.

    `subject` names what the guess is about: a message from a page that showed something else is dropped.
    `picture=False` leaves the picture out: a unit opened below another ledger.
    """
    waiting = guess is None and picture
    meta = {
        **_sum_meta(total),
        "flow": list(flow),
        "picture": picture,
        "subject": subject,
        "question": question,
        "waiting": waiting,
        "guess": list(guess.cell) if guess is not None and guess.cell is not None else None,
        "grid": [int(n) for n in cells.grid],
        "gridWords": f"{cells.grid[0]} × {cells.grid[1]} cells on the picture as the network saw it.",
        "cellWords": cells.words,
        "cellUnit": cells.unit,
        "place": {
            "offset": [float(v) for v in cells.placement.offset],
            "stride": [float(v) for v in cells.placement.stride],
        },
        "opens": on_open is not None,
        "opened": opened,
        "picks": on_cell is not None and not waiting,
        "picked": list(picked) if picked is not None else None,
    }
    arrays: dict[str, NDArray[np.generic]] = {"rgb": rgb if picture else np.zeros((1, 1, 3), dtype=np.uint8)}
    if cells.values is not None and not waiting:
        arrays["cells"] = np.asarray(cells.values, dtype=np.float32).reshape(cells.grid)
    if maps is not None:
        arrays["maps"] = maps

    def guessed() -> None:
        message = sent(key, "guess")
        if message.get("subject") != subject:
            return
        if message.get("skip") is True:
            on_guess(CellGuess(None))
            return
        cell = (message.get("row"), message.get("column"))
        if all(is_index(k, n) for k, n in zip(cell, cells.grid, strict=True)):
            on_guess(CellGuess(cell))  # type: ignore[arg-type]

    def picks() -> None:
        message = sent(key, "cell")
        if on_cell is None or message.get("subject") != subject:
            return
        cell = (message.get("row"), message.get("column"))
        if all(is_index(k, n) for k, n in zip(cell, cells.grid, strict=True)):
            on_cell(cell)  # type: ignore[arg-type]

    def wants_open() -> None:
        chosen = sent_one_of(key, "open", [row.id for row in (*total.rows, *total.against)])
        if on_open is not None and chosen is not None:
            on_open(chosen)

    mount("ledger", key=key, data=pack(meta, **arrays), triggers={"guess": guessed, "open": wants_open, "cell": picks})


def softmax_view(
    table: SoftmaxTable,
    logits: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    target: int,
    label: str,
    *,
    key: str,
    on_pick: Callable[[int], None],
) -> None:
    """The first classes with logit, exponential and probability; the browser computes them again at any temperature."""
    rows = [{"index": row.index, "name": row.name} for row in table.rows]
    if target not in {row.index for row in table.rows}:
        rows.append({"index": target, "name": label})

    def picked() -> None:
        chosen = sent_one_of(key, "pick", [*(row.index for row in table.rows), target])
        if chosen is not None:
            on_pick(chosen)

    meta = {"rows": rows, "target": target, "label": label}
    mount("decision", key=key, data=pack(meta, logits=logits, probabilities=probabilities), triggers={"pick": picked})


def _sum_meta(total: Sum) -> dict[str, object]:
    return {
        "title": total.title,
        "partWord": total.part_word,
        "featureWord": total.feature_word,
        "weightWord": "weight",
        "rows": [asdict(row) for row in total.rows],
        "against": [asdict(row) for row in total.against],
        "parts": total.n_parts,
        "bias": total.bias,
        "computed": total.computed,
        "value": total.value,
        "error": total.error,
        "matches": total.matches,
    }
