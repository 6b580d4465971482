"""Follow one value back: from a unit to the number that made most of it, and so on, step by step, to a pixel."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidOption, InvalidUnit
from .operations import Terms, UnitExplanation, explain_unit

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation
    from .tracing import Trace

Choose = Literal["most", "for"]
End = Literal["input", "steps", "nothing", "unopened"]
Index = tuple[int, ...]

SHOWN: Final = 6
"""So many of a unit's parts are told of one by one; the others as one sum."""
_CHOICES: Final = get_args(Choose)
_MAX_TEXT: Final = 2_000
_MAX_STEPS: Final = 2_000  # DenseNet-201, the deepest of torchvision's, has about 700 operations
_MOST_NUMBERS: Final = 100_000_000
"""Up to so many (400 MB in float32) all outputs before the unit are worked out at once, instead of at each step."""
_INDEX: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})*")
_TURN: Final = re.compile(r"(\d{1,4})-(\d{1,4})-(\d{1,6}(?:\.\d{1,6})*)")


@dataclass(frozen=True)
class Contributor:
    """One of the parts of a unit: the unit (operation, index) that it comes from, and what it puts in.

    input_number: which of the operation's inputs; with index it names a turn. value, share: as `contribution` and
    `share` of `TrailStep`. followed: the trail goes on here.
    """

    operation: str
    index: Index
    input_number: int
    value: float
    share: float | None
    followed: bool


@dataclass(frozen=True, eq=False)
class TrailStep:
    """One unit on the way, and how the next one was chosen among the numbers that made it.

    value: the network's own number; computed and matches: as in `UnitExplanation`; formula: in LaTeX with its numbers.
    combine: how its parts make it ("sum", "mean", "max", "product", "function", "copy"). n_parts: how many there are.
    contribution: what the next unit puts in: its product with its weight in a sum, the number itself elsewhere; None on
    the last step. share: |contribution| over the sum of all parts' sizes (the bias is one): 1 where there is one part,
    None where parts are not added. turned: the part was chosen by hand.
    contributors: the `SHOWN` strongest parts, the strongest first, and the followed one; n_rest: how many others there
    are; rest: their sum, None where parts are not added. bias: the number added to the parts (None: there is none).
    """

    operation: str
    kind: str
    title: str
    index: Index
    value: float
    computed: float
    matches: bool
    formula: str
    combine: str
    n_parts: int
    contribution: float | None
    share: float | None
    turned: bool
    contributors: tuple[Contributor, ...]
    n_rest: int
    rest: float | None
    bias: float | None


@dataclass(frozen=True, eq=False)
class Trail:
    """The way back from one unit, which is the first step, to a pixel, which is the last.

    end: "input", a number of the picture was reached; "steps", as many steps as asked for were made; "nothing", all
    parts of the last unit are 0, so nothing made it; "unopened", the last operation's arithmetic is not opened.
    turns: {step: (number of the operation's input, index there)}, where a part was chosen by hand.
    """

    steps: tuple[TrailStep, ...]
    choose: Choose
    limit: int | None
    turns: Mapping[int, tuple[int, Index]]
    end: End

    @property
    def sentence(self) -> str:
        """Where the trail ends, and why, for people."""
        last = self.steps[-1]
        place = ", ".join(map(str, last.index))
        if self.end == "input":
            return f"The trail ends at the picture: colour channel, row and column ({place})."
        if self.end == "nothing":
            return f"Everything that unit ({place}) of {last.operation} reads is 0: nothing in front made it."
        if self.end == "unopened":
            return f"The arithmetic of {last.title} is not opened, so the trail ends there."
        return f"The trail stops at unit ({place}) of {last.operation}, after {len(self.steps) - 1} steps."

    def to_text(self) -> str:
        """A short text for a link; with the same model and picture, `Trail.from_text` follows the same trail."""
        first = self.steps[0]
        parts = [
            self.choose, "all" if self.limit is None else str(self.limit), first.operation, _dotted(first.index),
            *(f"{step}-{number}-{_dotted(index)}" for step, (number, index) in sorted(self.turns.items())),
        ]  # fmt: skip
        return "~".join(parts)

    @staticmethod
    def from_text(classifier: Classifier, trace: Trace, text: str) -> Trail:
        """The trail of a text made by `to_text`, followed in this trace.

        Raises InvalidUnit for a text that is none, and for units that this network does not have.
        """
        choose, limit, operation, index, turns = _parsed(text)
        try:
            return follow(classifier, trace, operation, index, steps=limit, choose=choose, turns=turns)
        except (InvalidLayer, InvalidOption) as error:
            raise InvalidUnit(f"This link's trail does not fit the network. {error}") from error


@dataclass(frozen=True, eq=False)
class _Parts:
    """What made a unit: values float64 (n,), and for each the operation (its number among the inputs) and the index."""

    values: NDArray[np.float64]
    inputs: NDArray[np.int64]
    indices: Sequence[Index] | NDArray[np.int64]

    def unit(self, position: int) -> tuple[int, Index]:
        return int(self.inputs[position]), tuple(int(i) for i in self.indices[position])


def follow(
    classifier: Classifier,
    trace: Trace,
    operation: str | Operation,
    index: Sequence[int] | int,
    *,
    steps: int | None = None,
    choose: Choose = "most",
    turns: Mapping[int, tuple[int, Index]] | None = None,
) -> Trail:
    """Follow a unit back through `explain_unit`, at each step to the number that contributed most.

    In a sum (convolution, linear layer, normalisation, add) that is the largest product weight x value, one cell
    (channel, row, column) of all windows; in a mean the largest value, in a maximum the winner, in a softmax the own
    logit. Of a gated map (squeeze-and-excitation) the map is followed, not the gate. choose: "most", the largest in
    size, whether it raises or lowers the unit; "for", the one that pushes most in the direction of the unit's sign.
    steps: at most so many; None follows to the picture. turns: as in `Trail`: parts chosen by hand, by step.
    Raises InvalidLayer, InvalidUnit (also for a turn to what the unit does not read), InvalidOption.
    """
    if choose not in _CHOICES:
        raise InvalidOption(f"choose is one of {', '.join(map(repr, _CHOICES))}, not {choose!r}.")
    if steps is not None and not 1 <= steps <= _MAX_STEPS:
        raise InvalidOption(f"A trail has 1 to {_MAX_STEPS} steps, not {steps!r}.")
    network = classifier.network
    turns = dict(turns or {})
    current = network[operation if isinstance(operation, str) else operation.name]
    trace = holding_what_leads_to(network, trace, current, steps)
    place: Any = index
    made: list[TrailStep] = []
    while True:
        unit = explain_unit(classifier, trace, current, place)
        number = len(made)
        is_last = steps is not None and number == steps
        position, parts, end = _chosen(network, current, unit, choose, turns.get(number), is_last)
        made.append(_step(current, unit, parts, position, number in turns))
        if end is not None:
            break
        assert position is not None  # there is an end where there is no next unit
        which, place = parts.unit(position)
        current = network[current.inputs[which]]
    unused = [n for n in turns if n >= len(made) - 1]
    if unused:
        raise InvalidUnit(f"The trail has {len(made) - 1} steps; there is no step {unused[0]} to turn at.")
    return Trail(tuple(made), choose, steps, turns, end)


def holding_what_leads_to(network: Network, trace: Trace, operation: Operation, steps: int | None = None) -> Trace:
    """The trace with all outputs that a trail of so many steps from here can read (None: to the picture), worked out
    once; unchanged where that is too much."""
    before = _before(network, operation, math.inf if steps is None else steps + 1)
    large = sum(math.prod(network[name].output_shape) for name in before) > _MOST_NUMBERS
    return trace if large else trace.holding(before)


def _before(network: Network, operation: Operation, most: float) -> set[str]:
    """The names of the operation and of all that lead to it over at most so many others."""
    found = reached = {operation.name}
    while reached and most > 0:
        reached = {name for one in reached for name in network[one].inputs} - found
        found = found | reached
        most -= 1
    return found


def _chosen(
    network: Network,
    operation: Operation,
    unit: UnitExplanation,
    choose: Choose,
    turn: tuple[int, Index] | None,
    is_last: bool,
) -> tuple[int | None, _Parts, End | None]:
    """Which part to follow, all parts, and why the trail ends here, if it does."""
    if operation.kind == "input":
        return None, _Parts(np.zeros(0), np.zeros(0, np.int64), ()), "input"
    parts = _parts_of(operation, unit)
    if is_last:
        return None, parts, "steps"
    if not len(parts.values):
        return None, parts, "unopened"
    if turn is not None:
        return _position_of(operation, parts, turn), parts, None
    if unit.combine in ("sum", "mean") and not parts.values.any():
        return None, parts, "nothing"
    if operation.kind == "softmax":
        return unit.index[-1], parts, None
    if unit.combine == "product":
        return _map_rather_than_gate(network, operation, parts), parts, None
    if unit.combine == "max":
        return int(parts.values.argmax()), parts, None
    sign = 1.0 if unit.value >= 0 else -1.0
    return int((np.abs(parts.values) if choose == "most" else sign * parts.values).argmax()), parts, None


def _parts_of(operation: Operation, unit: UnitExplanation) -> _Parts:
    terms = unit.terms
    if isinstance(terms, Terms):
        n = len(terms)
        inputs = np.full(n, operation.inputs.index(terms.source))
        if operation.kind != "conv2d":
            return _Parts(terms.values, inputs, terms.source_indices)
        return _products(operation, terms)
    values = np.array([t.value for t in terms], dtype=np.float64)
    # An input that is read twice (x * x) stands for itself both times.
    which = [operation.inputs.index(t.source) for t in terms]
    return _Parts(values, np.array(which, dtype=np.int64), [t.source_index for t in terms])


def _products(operation: Operation, terms: Terms) -> _Parts:
    """A convolution's single products: one for each channel and cell of the window that lies in the map."""
    assert terms.windows is not None and terms.weights is not None and terms.padded is not None
    products = np.asarray(terms.windows, dtype=np.float64) * terms.weights
    # Padding has no unit to go to; padding that repeats other cells is left out with it.
    channels, rows, columns = np.nonzero(np.broadcast_to(~terms.padded, products.shape))
    steps = operation.attributes["dilation"]
    indices = terms.source_indices[channels].copy()
    indices[:, 1] += rows * steps[0]
    indices[:, 2] += columns * steps[1]
    values = products[channels, rows, columns]
    return _Parts(values, np.zeros(len(values), dtype=np.int64), indices)


def _map_rather_than_gate(network: Network, operation: Operation, parts: _Parts) -> int:
    """The factor of the output's own shape; between two such the larger one."""
    own = [network[operation.inputs[i]].output_shape == operation.output_shape for i in parts.inputs]
    sizes = np.where(own if any(own) else True, np.abs(parts.values), -1.0)
    return int(sizes.argmax())


def _position_of(operation: Operation, parts: _Parts, turn: tuple[int, Index]) -> int:
    number, index = turn
    for position in np.flatnonzero(parts.inputs == number):
        if parts.unit(int(position))[1] == tuple(index):
            return int(position)
    raise InvalidUnit(
        f"This unit of {operation.name} does not read place ({', '.join(map(str, index))}) of its input {number}."
    )


def _step(operation: Operation, unit: UnitExplanation, parts: _Parts, position: int | None, turned: bool) -> TrailStep:
    contribution = None if position is None else float(parts.values[position])
    added = unit.combine in ("sum", "mean")
    sizes = math.fsum(np.abs(parts.values).tolist()) + abs(unit.bias or 0.0)
    alone = len(parts.values) == 1 and unit.bias is None

    def share_of(value: float) -> float | None:
        if not added and len(parts.values) != 1:
            return None
        return 1.0 if alone else abs(value) / sizes if sizes else 0.0

    order = np.argsort(-(parts.values if unit.combine == "max" else np.abs(parts.values)), kind="stable")
    shown = [int(i) for i in order[:SHOWN]]
    if position is not None and position not in shown:
        shown.append(position)
    rest = math.fsum(np.delete(parts.values, shown).tolist()) if added else None
    contributors = []
    for at in shown:
        (which, index), value = parts.unit(at), float(parts.values[at])
        contributors.append(
            Contributor(operation.inputs[which], index, which, value, share_of(value), followed=at == position)
        )
    return TrailStep(
        operation=operation.name,
        kind=operation.kind,
        title=operation.title,
        index=unit.index,
        value=unit.value,
        computed=unit.computed,
        matches=unit.matches,
        formula=unit.formula,
        combine=unit.combine,
        n_parts=len(parts.values),
        contribution=contribution,
        share=None if contribution is None else share_of(contribution),
        turned=turned,
        contributors=tuple(contributors),
        n_rest=len(parts.values) - len(shown),
        rest=rest,
        bias=unit.bias,
    )


def _dotted(index: Index) -> str:
    return ".".join(map(str, index))


def _undotted(text: str) -> Index:
    return tuple(int(part) for part in text.split("."))


def _parsed(text: str) -> tuple[Choose, int | None, str, Index, dict[int, tuple[int, Index]]]:
    wanted = "A trail is written as choice~steps~operation~index, such as most~all~classifier.1~388"
    parts = text.split("~") if isinstance(text, str) and len(text) <= _MAX_TEXT else []
    if len(parts) < 4 or parts[0] not in _CHOICES or not _INDEX.fullmatch(parts[3]):
        raise InvalidUnit(f"This is no trail. {wanted}.")
    if parts[1] != "all" and not re.fullmatch(r"\d{1,4}", parts[1]):
        raise InvalidUnit(f"A trail's number of steps is 'all' or a whole number. {wanted}.")
    turns = {}
    for part in parts[4:]:
        match = _TURN.fullmatch(part)
        if match is None:
            raise InvalidUnit(f"A trail's turn is written as step-input-index, such as 2-0-17.4.5, not {part[:40]!r}.")
        turns[int(match[1])] = (int(match[2]), _undotted(match[3]))
    choose: Choose = "most" if parts[0] == "most" else "for"
    return choose, None if parts[1] == "all" else int(parts[1]), parts[2], _undotted(parts[3]), turns
