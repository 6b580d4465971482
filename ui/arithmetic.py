"""One unit's arithmetic on a page: its formula in numbers, the tick, and the terms that made it, largest first."""

from __future__ import annotations

import numpy as np
import streamlit as st

import cnn_core as cc
from ui import session, shell, widgets
from ui.text import plain

SHOWN_TERMS = 8


def strongest_unit(operation: cc.Operation, trace: cc.Trace) -> tuple[int, ...]:
    """The index of the number largest in size of an operation's activation."""
    activation = trace.activation(operation.name)
    low, high = int(activation.argmin()), int(activation.argmax())
    flat = activation.reshape(-1)
    place = high if flat[high] >= -flat[low] else low
    return tuple(int(i) for i in np.unravel_index(place, activation.shape))


def number(value: float) -> str:
    """Four significant digits and a true minus sign."""
    return ("0" if value == 0 else f"{value:.4g}").replace("-", "−")


def place(operation: cc.Operation, index: tuple[int, ...]) -> str:
    """An index in words: "channel 3, row 12, column 30"."""
    return ", ".join(f"{axis} {at}" for axis, at in zip(operation.axes, index, strict=True))


def _parts(operation: cc.Operation) -> list[int]:
    """The axes that an address counts together as `channel`: all but rows and columns (a shuffle has groups too)."""
    return [n for n, axis in enumerate(operation.axes) if axis not in ("row", "column")]


def to_address(operation: cc.Operation, index: tuple[int, ...]) -> dict[str, int]:
    """A unit's index as `channel`, `row` and `column`, as far as the operation has them."""
    at = {axis: place for axis, place in zip(operation.axes, index, strict=True) if axis in ("row", "column")}
    if parts := _parts(operation):
        sides = tuple(operation.output_shape[n] for n in parts)
        at["channel"] = int(np.ravel_multi_index(tuple(index[n] for n in parts), sides))
    return at


def from_address(operation: cc.Operation, address: dict[str, int | None]) -> tuple[int, ...] | None:
    """The unit that `channel`, `row` and `column` name; None where one is missing or beyond the activation."""
    parts = _parts(operation)
    sides = tuple(operation.output_shape[n] for n in parts)
    wanted = {axis: address.get(axis) for axis in operation.axes if axis in ("row", "column")}
    limits = dict(zip(operation.axes, operation.output_shape, strict=True))
    if any(at is None or at >= limits[axis] for axis, at in wanted.items()):
        return None
    together = address.get("channel")
    if parts and (together is None or together >= int(np.prod(sides))):
        return None
    dealt = iter(int(i) for i in np.unravel_index(together or 0, sides)) if parts else iter(())
    return tuple(next(dealt) if n in parts else int(wanted[axis] or 0) for n, axis in enumerate(operation.axes))


def keep_unit(operation: cc.Operation, index: tuple[int, ...] | None) -> None:
    """Put a unit into the address, or take the last one out."""
    at = {} if index is None else to_address(operation, index)
    for name in ("channel", "row", "column"):
        session.set(name, at.get(name))


def pick_unit(operation: cc.Operation, index: tuple[int, ...], key: str) -> None:
    """One number for each axis, within its limits; a change is kept in the address and runs the page again."""
    slots = [f"cl_unit_{key}_{operation.name}_{n}" for n in range(len(index))]
    for slot, at in zip(slots, index, strict=True):
        st.session_state[slot] = at

    def taken() -> None:
        keep_unit(operation, tuple(int(st.session_state[slot]) for slot in slots))

    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        for slot, axis, side in zip(slots, operation.axes, operation.output_shape, strict=True):
            label = f"{axis.capitalize()}, 0 to {side - 1}"
            st.number_input(
                label, 0, side - 1, key=slot, step=1, on_change=taken, width=150, disabled=side == 1 or session.locked()
            )
        strongest = st.button("Strongest", key=f"cl_unit_{key}_strongest", help="The number largest in size")
    if strongest:
        keep_unit(operation, None)
        st.rerun(scope="fragment")


def show(bench: widgets.Bench, operation: cc.Operation, index: tuple[int, ...]) -> None:
    """The arithmetic of one unit: formula, tick, and the ranked terms with the rest summed exactly."""
    unit = cc.explain_unit(bench.classifier, bench.trace, operation, index)
    st.latex(unit.formula)
    if unit.matches:
        st.markdown(
            f":green[✓] The terms give **{number(unit.computed)}**, the network computed **{number(unit.value)}** "
            f"(relative error {_error(unit.relative_error)})."
        )
    elif unit.checked:
        st.warning(
            f"The terms give {number(unit.computed)}, but the network computed {number(unit.value)}: "
            f"a relative error of {unit.relative_error:.1e}, more than the 1e-4 that counts as equal.",
            icon=":material/error:",
        )
    else:
        st.info(
            f"The network computed {number(unit.value)}. This operation's arithmetic is not opened.",
            icon=":material/help:",
        )
    if unit.note:
        st.caption(unit.note)
    network = bench.classifier.network
    if not unit.checked:
        st.markdown(unopened(network, operation))
    elif len(unit.terms) > 1 or unit.bias is not None:
        st.markdown(_table(unit))
    elif words := came_from(bench, unit):
        st.markdown(words)


def unopened(network: cc.Network, operation: cc.Operation) -> str:
    """What an operation that is not opened reads, and what comes out, as a Markdown table of shapes."""
    lines = ["| | operation | shape |", "|:--|:--|:--|"]
    lines += [f"| reads | `{name}` | {shape(network[name])} |" for name in operation.inputs]
    return "\n".join([*lines, f"| **gives** | `{operation.name}` | {shape(operation)} |"])


def shape(operation: cc.Operation) -> str:
    """ "64 × 56 × 56"."""
    return " × ".join(str(side) for side in operation.output_shape)


def came_from(bench: widgets.Bench, unit: cc.UnitExplanation) -> str:
    """Which number a unit of one term reads; a mere move is followed back to the operation that computed the number."""
    if not unit.terms:
        return ""
    network, term = bench.classifier.network, unit.terms[0]
    words = f"It reads {_at(network, term)}: **{number(term.value)}**."
    moves = 1
    while unit.combine == "copy":
        before = cc.explain_unit(bench.classifier, bench.trace, term.source, term.source_index)
        if before.combine != "copy" or not before.terms:
            break
        unit, term, moves = before, before.terms[0], moves + 1
    if moves > 1:
        words += f" Followed back over {moves} operations that only move numbers, it was made as {_at(network, term)}."
    return words


def _at(network: cc.Network, term: cc.Term) -> str:
    source = network[term.source]
    return f"{place(source, term.source_index)} of `{source.name}` ({plain(source.title)})"


def _error(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"


def _table(unit: cc.UnitExplanation) -> str:
    """The terms as a Markdown table; names in it come from the network's own modules."""
    terms, others, rest = unit.ranked(SHOWN_TERMS)
    verb = {"max": "compared", "product": "multiplied"}.get(unit.combine, "value")
    lines = [f"| term | from, at [place] | {verb} |", "|:--|:--|--:|"]
    for term in terms:
        at = ", ".join(str(i) for i in term.source_index)
        lines.append(f"| {term.label} | `{term.source}` [{at}] | {number(term.value)} |")
    if others:
        many = f"{others} more, summed" if unit.combine in ("sum", "mean") else f"{others} more"
        lines.append(f"| {many} | | {number(rest) if unit.combine in ('sum', 'mean') else ''} |")
    if unit.bias is not None:
        lines.append(f"| bias | | {number(unit.bias)} |")
    lines.append(f"| **this unit** | `{unit.operation}` | **{number(unit.computed)}** |")
    return "\n".join(lines)


def kernel_link(operation: cc.Operation, unit: tuple[int, int, int]) -> None:
    """Open a unit of a convolution on the kernel page: every window, every product."""
    channel, row, column = unit
    st.page_link(
        shell.lesson("kernel").page,
        label="Open this unit, product by product",
        icon=":material/select_all:",
        query_params={
            "mode": "unit",
            "layer": operation.name,
            "channel": str(channel),
            "row": str(row),
            "column": str(column),
        },
    )
