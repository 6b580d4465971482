"""The parts of the whole-network lesson: the graph, the guess about costs, one operation's arithmetic, the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import streamlit as st

import cnn_core as cc
from ui import arithmetic, cached, lesson, session, shell, widgets
from ui.instruments import featuremaps, networkmap

_SHOW_COSTS = "cl_network_costs"
COLUMNS = ("operation", "title", "output", "parameters", "multiply-adds", "bytes")


def costliest(network: cc.Network) -> cc.Operation:
    """The operation with the most multiply-adds; the first of equals."""
    return max(network.operations, key=lambda operation: operation.macs)


def biggest(network: cc.Network) -> cc.Operation:
    """The operation with the most parameters; the first of equals."""
    return max(network.operations, key=lambda operation: operation.n_parameters)


def candidates(network: cc.Network, count: int = 4) -> tuple[cc.Operation, ...]:
    """Operations to choose from in the guess, in the order of the network.

    The costliest and the biggest, the first and the last that have weights, and, while there are too few, those that
    come next in multiply-adds.
    """
    weighted = [operation for operation in network.operations if operation.macs > 0]
    ranked = sorted(weighted, key=lambda operation: -operation.macs)
    wanted = dict.fromkeys([costliest(network), biggest(network), *weighted[:1], *weighted[-1:], *ranked])
    chosen = list(wanted)[:count]
    return tuple(operation for operation in network.operations if operation in chosen)


def guess(bench: widgets.Bench) -> bool:
    """Ask which operation costs most; returns whether the costs may be shown now."""
    network = bench.classifier.network
    options = {o.name: f"{o.name} ({o.short_title})" for o in candidates(network)}
    chosen = lesson.guess(
        f"network_{bench.classifier.key}", "Which of these operations takes the most multiply-adds?", options
    )
    most, big = costliest(network), biggest(network)
    lesson.reveal(chosen, most.name, answer(network, most, big))
    if chosen is not None:
        return True
    return st.toggle("Show the costs without guessing", key=_SHOW_COSTS)


def answer(network: cc.Network, most: cc.Operation, big: cc.Operation) -> str:
    """What the model itself says, counted."""
    work = f"**{most.name}** takes {in_millions(most.macs)} of {in_millions(network.macs)} multiply-adds"
    work += f" ({share(most.macs, network.macs)})"
    held = f"{big.n_parameters:,} of {network.n_parameters:,} parameters"
    held += f" ({share(big.n_parameters, network.n_parameters)})"
    if big is most:
        return f"{work}, and holds the most parameters as well: {held}."
    return (
        f"{work}. Another operation, **{big.name}**, holds the most parameters: {held}. A convolution uses its few "
        "weights again at every place of a map; a fully connected layer uses each weight once."
        if big.kind == "linear"
        else f"{work}. Another operation, **{big.name}**, holds the most parameters: {held}. Work is weights times "
        "places: early maps have more places, late layers have more channels and so more weights."
    )


def in_millions(count: int) -> str:
    """ "300.8 million" from a million on, every digit below."""
    return f"{count:,}" if count < 1e6 else f"{count / 1e6:,.1f} million"


def share(part: float, whole: float) -> str:
    """A share in per cent, "7 %", or "0.4 %" below ten."""
    value = 100 * part / whole if whole else 0.0
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"


def graph(bench: widgets.Bench, *, costs: bool) -> str | None:
    """The graph; returns the name of the operation that is open, if one is."""
    trace, seen, network = bench.trace, bench.model_input, bench.classifier.network
    key = (bench.classifier.key, seen.digest)
    small = cached.memo(
        "thumbnails", key, lambda: networkmap.thumbnails(network.operations, trace), lambda made: made.nbytes
    )
    picture = cached.memo("jpeg", (seen.digest,), lambda: featuremaps.jpeg(seen.shown_rgb), lambda made: made.nbytes)
    wanted = session.get("layer")
    chosen = wanted if wanted in network else None
    data = networkmap.payload(
        bench.classifier,
        trace,
        small,
        picture_jpeg=picture,
        picture_key=seen.digest,
        chosen=chosen,
        costs=costs,
    )

    def open_operation(name: str) -> None:
        if name in network:
            session.set("layer", name)

    networkmap.network_map(data, key="cl_networkmap", on_open=open_operation)
    return chosen


def opened(bench: widgets.Bench, name: str | None) -> None:
    """The arithmetic of the strongest unit of the operation that was clicked, and where to look further."""
    if name is None:
        st.caption("Click an operation in the graph to see where one of its numbers comes from.")
        return
    operation = bench.classifier.network[name]
    index = arithmetic.strongest_unit(operation, bench.trace)
    st.subheader(f"{operation.name}: {operation.title}", anchor=False)
    st.markdown(f"Its number largest in size on this picture stands at **{arithmetic.place(operation, index)}**.")
    arithmetic.show(bench, operation, index)
    with st.container(horizontal=True, gap="medium"):
        if operation.is_spatial:
            st.page_link(
                shell.lesson("features").page,
                label=f"All {operation.output_shape[0]} maps of this operation",
                icon=":material/apps:",
                query_params={"layer": operation.name},
            )
        if operation.kind == "conv2d" and operation.has_maps:
            arithmetic.kernel_link(operation, (index[0], index[1], index[2]))


def rows(network: cc.Network) -> list[dict[str, str | int]]:
    """One row for each operation, in order."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    operation.name,
                    operation.title,
                    " × ".join(str(side) for side in operation.output_shape),
                    operation.n_parameters,
                    operation.macs,
                    networkmap.activation_bytes(operation),
                ),
                strict=True,
            )
        )
        for operation in network.operations
    ]


def as_csv(table: Sequence[dict[str, str | int]]) -> str:
    """The table as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def costs_table(bench: widgets.Bench) -> None:
    """Totals, and every operation with its costs, the costliest first; any column sorts."""
    network = bench.classifier.network
    table = rows(network)
    memory = sum(int(row["bytes"]) for row in table)
    for column, (label, value) in zip(
        st.columns(4),
        {
            "Operations": f"{len(table)}",
            "Parameters": f"{network.n_parameters:,}",
            "Multiply-adds, one picture": in_millions(network.macs),
            "Activations, one picture": f"{memory / 1e6:,.1f} MB" if memory >= 1e6 else f"{memory / 1e3:,.1f} kB",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)
    with st.expander("All operations as a table", icon=":material/table:"):
        ranked = sorted(table, key=lambda row: -int(row["multiply-adds"]))
        st.dataframe(
            ranked,
            hide_index=True,
            height=360,
            column_config={name: st.column_config.NumberColumn(format="localized") for name in COLUMNS[3:]},
        )
        st.download_button(
            "Download the table (CSV)",
            as_csv(table),
            file_name=f"{bench.classifier.card.key}_operations.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(
            "Multiply-adds are counted for convolutions and fully connected layers. Memory is 4 bytes for each number "
            "that comes out, also where an operation only passes on what it reads."
        )
