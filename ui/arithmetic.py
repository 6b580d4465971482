"""One unit's arithmetic on a page: its formula in numbers, the tick, and the terms that made it, largest first."""

from __future__ import annotations

import numpy as np
import streamlit as st

import cnn_core as cc
from ui import shell, widgets

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
    if len(unit.terms) > 1 or unit.bias is not None:
        st.markdown(_table(unit))


def _error(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"


def _table(unit: cc.UnitExplanation) -> str:
    """The terms as a Markdown table; names in it come from the network's own modules."""
    terms, others, rest = unit.ranked(SHOWN_TERMS)
    verb = {"max": "compared", "product": "multiplied"}.get(unit.combine, "value")
    lines = [f"| term | from | {verb} |", "|:--|:--|--:|"]
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
