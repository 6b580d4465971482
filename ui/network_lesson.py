"""The parts of the whole-network lesson: the graph, the guess about costs, one operation's arithmetic, the totals."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from ui import arithmetic, cached, feature_lesson, lesson, session, shell, widgets
from ui.instruments import featuremaps, map_pictures, networkmap
from ui.text import plain

_SHOW_COSTS = "cl_network_costs"


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
        "network",
        "Which of these operations takes the most multiply-adds?",
        options,
        about=bench.classifier.key,
    )
    most, big = costliest(network), biggest(network)
    lesson.reveal(chosen, most.name, answer(network, most, big))
    if chosen is not None:
        return True
    return lesson.may_peek() and st.toggle("Show the costs without guessing", key=_SHOW_COSTS)


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


def chosen_operation(network: cc.Network) -> str | None:
    """The operation that the address names; one that this network does not have is said and forgotten."""
    wanted = session.get("layer")
    if wanted is None:
        widgets.said("layer", ":material/layers:")
        return None
    try:
        return network[wanted].name
    except cc.InvalidLayer as error:
        session.refuse("layer", plain(str(error)))
        widgets.said("layer", ":material/layers:")
        for name in ("channel", "row", "column"):
            session.set(name, None)
        return None


def graph(bench: widgets.Bench, *, costs: bool) -> str | None:
    """The graph; returns the name of the operation that is open, if one is."""
    trace, seen, network = bench.trace, bench.model_input, bench.classifier.network
    key = (bench.classifier.key, seen.digest)
    small = cached.memo(
        "thumbnails", key, lambda: networkmap.thumbnails(network.operations, trace), lambda made: made.nbytes
    )
    picture = cached.memo("jpeg", (seen.digest,), lambda: featuremaps.jpeg(seen.shown_rgb), lambda made: made.nbytes)
    chosen = chosen_operation(network)
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
        if name in network and name != session.get("layer"):
            session.set("layer", name)
            arithmetic.keep_unit(network[name], None)

    networkmap.network_map(data, key="cl_networkmap", on_open=open_operation)
    return chosen


def chosen_unit(bench: widgets.Bench, operation: cc.Operation) -> tuple[tuple[int, ...], bool]:
    """The unit that the address names, and otherwise the one whose number is largest in size; whether it was chosen."""
    address: dict[str, int | None] = {name: session.get(name) for name in ("channel", "row", "column")}
    index = arithmetic.from_address(operation, address)
    if index is not None:
        return index, True
    if any(at is not None for at in address.values()):
        arithmetic.keep_unit(operation, None)
        words = f"{plain(operation.name)} is {arithmetic.shape(operation)} and has no such unit."
        session.refuse("channel", f"{words} Shown instead: the number largest in size.")
    widgets.said("channel", ":material/apps:")
    return arithmetic.strongest_unit(operation, bench.trace), False


def opened(bench: widgets.Bench, name: str | None) -> None:
    """The arithmetic of a unit of the operation that was clicked, and where to look further."""
    if name is None:
        st.caption("Click an operation in the graph to see where one of its numbers comes from.")
        return
    operation = bench.classifier.network[name]
    index, chosen = chosen_unit(bench, operation)
    st.header(f"{operation.name}: {operation.title}", anchor=False)
    words = "The number that you chose stands" if chosen else "Its number largest in size on this picture stands"
    st.markdown(f"{words} at **{arithmetic.place(operation, index)}**.")
    arithmetic.pick_unit(operation, index, bench.classifier.key)
    if operation.is_spatial:
        left, right = lesson.columns()
        with left:
            arithmetic.show(bench, operation, index)
        with right:
            show_place(bench, operation, (index[0], index[1], index[2]))
    else:
        arithmetic.show(bench, operation, index)
    links(operation, index)


def show_place(bench: widgets.Bench, operation: cc.Operation, unit: tuple[int, int, int]) -> None:
    """The unit's map, and the unit in it."""
    channel, row, column = unit
    values = bench.trace.activation(operation.name)[channel]
    picture = map_pictures.with_window(map_pictures.map_picture(values), values.shape[0], row, column, 1, 1)
    limit = arithmetic.number(float(abs(values).max()))
    scale = f"−{limit} to {limit}" if values.min() < 0 else f"0 to {limit}"
    of = operation.output_shape[0]
    caption = f"Channel {channel} of {of}, own scale, {scale}; the frame is this unit."
    st.image(
        picture,
        caption=caption,
        width=260,
        alt=f"The map of channel {channel}, with a frame at row {row}, column {column}",
    )


def links(operation: cc.Operation, index: tuple[int, ...]) -> None:
    """Where to look further: the maps, the products, the way back to the pixels, how far it sees."""
    at = {name: str(place) for name, place in arithmetic.to_address(operation, index).items()}
    here = {"layer": operation.name, **at}
    # The pages below read the same unit, and forget one that was chosen for another operation.
    feature_lesson.keep_channel(operation.name, arithmetic.to_address(operation, index).get("channel"))
    with st.container(horizontal=True, gap="medium"):
        if operation.is_spatial:
            st.page_link(
                shell.lesson("features").page,
                label=f"All {operation.output_shape[0]} maps of this operation",
                icon=":material/apps:",
                query_params=here,
            )
        if operation.kind == "conv2d" and operation.has_maps:
            arithmetic.kernel_link(operation, (index[0], index[1], index[2]))
        if operation.kind != "input":
            st.page_link(
                shell.lesson("trail").page,
                label="Follow this value",
                icon=":material/route:",
                query_params={"trail": "~".join(("most", "all", operation.name, ".".join(map(str, index))))},
            )
        if operation.kind not in ("input", "softmax"):
            st.page_link(
                shell.lesson("depth").page,
                label="How far does it see?",
                icon=":material/zoom_out_map:",
                query_params=here,
            )


def totals(bench: widgets.Bench) -> None:
    """What the whole network costs; each operation's part stands in the graph's table."""
    network = bench.classifier.network
    memory = sum(networkmap.activation_bytes(operation) for operation in network.operations)
    with st.container(key="cl-pairs-totals"):
        columns = st.columns(4)
    for column, (label, value) in zip(
        columns,
        {
            "Operations": f"{len(network.operations)}",
            "Parameters": f"{network.n_parameters:,}",
            "Multiply-adds, one picture": in_millions(network.macs),
            "Activations, one picture": f"{memory / 1e6:,.1f} MB" if memory >= 1e6 else f"{memory / 1e3:,.1f} kB",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)
    st.caption(
        "Multiply-adds are counted for convolutions and fully connected layers. Memory is 4 bytes for each number "
        "that comes out, also where an operation only passes on what it reads."
    )
