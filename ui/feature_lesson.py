"""The parts of the feature-map lesson: which unit is chosen, the maps, the unit's arithmetic, the channel on trial."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core import palette
from cnn_core.channel_bench import ChannelOff, ChannelTaste, channel_taste, without_channel
from ui import arithmetic, cached, lesson, session, shell, widgets
from ui.instruments import featuremaps, map_pictures
from ui.text import plain

_UNIT_OF = "cl_features_unit_of"  # (layer, channel) as they were last shown on any page
_ADDRESS = ("channel", "row", "column")
_ACTIVATIONS = {"relu", "relu6", "silu", "gelu", "hardswish", "tanh", "sigmoid"}
TASTES = {"colour": "Colour", "shape": "Shape and arrangement", "neither": "Neither, much"}

Unit = tuple[int, int, int]


def opening_layer(network: cc.Network) -> str:
    """Where a first visit begins: the first activation at a quarter of the picture's side or less, or else the first.

    It is fine enough to recognise the picture in, and deep enough that its channels differ in what they answer to.
    """
    side = network.input_shape[-1]
    activations = [o for o in network.map_layers() if o.kind in _ACTIVATIONS and o.has_maps]
    small = [o for o in activations if 4 * o.output_shape[2] <= side]
    first = next(iter(small or activations), None)
    return network.default_layer() if first is None else first.name


def mosaic_of(bench: widgets.Bench, layer: cc.Operation) -> featuremaps.Mosaic:
    """The layer's maps ready to be drawn, shared between visitors."""
    maps = bench.trace.activation(layer.name)
    key = (bench.classifier.key, bench.model_input.digest, layer.name)
    return cached.memo("mosaic", key, lambda: featuremaps.mosaic(maps), lambda made: made.nbytes)


def chosen_unit(layer: cc.Operation, drawn: featuremaps.Mosaic) -> Unit:
    """The unit that was clicked or that a link names; for a layer just picked, the peak of its liveliest channel."""
    wanted = wanted_unit(layer.name, dict(zip(_ADDRESS, layer.output_shape, strict=True)))
    channel, row, column = (wanted[name] for name in _ADDRESS)
    if channel is None:
        channel, row = int(drawn.statistics[2].argmax()), None
    if row is None or column is None:
        row, column = (int(at) for at in drawn.peak[channel])
    return channel, row, column


def wanted_unit(layer: str, sides: dict[str, int]) -> dict[str, int | None]:
    """What of `sides` (channel, row, column: how many there are) the address names; what is beyond them is said.

    Where the layer changes and the channel stays, the layer was picked, and the channel meant another layer's.
    """
    before = st.session_state.get(_UNIT_OF)
    if before is not None and before[0] != layer and before[1] == session.get("channel"):
        for name in _ADDRESS:
            session.set(name, None)
    for name, side in sides.items():
        at = session.get(name)
        if at is not None and at >= side:
            session.refuse(name, f"{plain(layer)} has {name}s 0 to {side - 1}; there is no {name} {at}.")
        widgets.said(name, ":material/apps:")
    keep_channel(layer, session.get("channel"))
    return {name: session.get(name) for name in sides}


def keep_channel(layer: str, channel: int | None) -> None:
    """This channel is meant as this layer's, also where the layer on show was another one until now."""
    st.session_state[_UNIT_OF] = (layer, channel)


def instrument(bench: widgets.Bench, layer: cc.Operation) -> Unit:
    """All maps of the layer; returns the chosen unit (channel, row, column)."""
    drawn = mosaic_of(bench, layer)
    unit = chosen_unit(layer, drawn)
    seen = bench.model_input
    picture = cached.memo("jpeg", (seen.digest,), lambda: featuremaps.jpeg(seen.shown_rgb), lambda made: made.nbytes)
    data = featuremaps.payload(
        bench.trace.activation(layer.name),
        drawn,
        network=bench.classifier.key,
        layer=layer.name,
        title=layer.title,
        unit=unit,
        field=cc.receptive_field(bench.classifier, layer),
        picture=seen.shown_rgb,
        picture_jpeg=picture,
        picture_key=seen.digest,
    )

    def pick(name: str, channel: int, row: int, column: int) -> None:
        channels, rows, columns = layer.output_shape
        if name == layer.name and channel < channels and row < rows and column < columns:
            for parameter, value in (("channel", channel), ("row", row), ("column", column)):
                session.set(parameter, value)

    featuremaps.feature_maps(data, key="cl_featuremaps", on_pick=pick)
    return unit


def open_unit(bench: widgets.Bench, layer: cc.Operation, unit: Unit) -> None:
    """Where the chosen number comes from: for a convolution the kernel page, and the sum itself for every operation."""
    st.page_link(
        shell.lesson("channel").page,
        label=f"What does channel {unit[0]} answer to?",
        icon=":material/biotech:",
        query_params={"layer": layer.name, "channel": str(unit[0])},
    )
    label = f"Open this unit: {arithmetic.place(layer, unit)} of {layer.name}"
    # Made only when it is open: a formula takes the browser longer than all maps of a layer.
    opened = st.expander(label, key="cl_features_unit", icon=":material/function:", on_change="rerun")
    if opened.open:
        with opened:
            st.markdown(f"**{layer.title}**")
            if layer.kind == "conv2d":
                arithmetic.kernel_link(layer, unit)
            arithmetic.show(bench, layer, unit)


def taste_of(bench: widgets.Bench, layer: cc.Operation, channel: int) -> ChannelTaste:
    trace = bench.trace
    return cached.memo(
        "taste",
        (bench.classifier.key, bench.model_input.digest, layer.name, channel),
        lambda: channel_taste(bench.classifier, trace, layer.name, channel),
        lambda made: sum(v.shown_rgb.nbytes + v.map.nbytes for v in made.variants.values()),
    )


def on_trial(bench: widgets.Bench, layer: cc.Operation, channel: int) -> None:
    """The guess about the chosen channel, and the two tests that answer it."""
    about = f"{bench.classifier.key}_{bench.model_input.digest[:12]}_{layer.name}_{channel}"
    guess = lesson.guess("features", f"Is channel {channel}'s taste colour or shape?", TASTES, about=about)
    if guess is None:
        st.caption("Guess, and the same channel is computed on the picture in grey, with hues turned, and in pieces.")
        return
    taste = taste_of(bench, layer, channel)
    lesson.reveal(guess, taste.verdict, because(taste))
    show_taste(taste)
    show_off(bench, layer, channel)


def because(taste: ChannelTaste) -> str:
    """The computed reason, in a sentence."""
    grey, hue, shuffled = (taste.variants[key] for key in ("grey", "hue", "shuffled"))
    changes = (
        f"Measured by the mean size of its numbers, the channel's mean moved by {percent(grey.change)} in grey, "
        f"{percent(hue.change)} with hues turned, and {percent(shuffled.change)} with patches of "
        f"{taste.patch} × {taste.patch} pixels shuffled"
    )
    return {
        "colour": f"{changes}: it depends more on colour.",
        "shape": f"{changes}: it depends more on how things are arranged.",
        "neither": f"{changes}: less than 10 % either way, so on this picture it depends on neither.",
    }[taste.verdict]


def show_taste(taste: ChannelTaste) -> None:
    """The four pictures, and under each the channel's map on one shared scale."""
    limit = max(float(np.abs(variant.map).max()) for variant in taste.variants.values())
    signed = any(variant.map.min() < 0 for variant in taste.variants.values())
    if signed:
        table = palette.DIVERGING_DARK if map_pictures.mode() == "dark" else palette.DIVERGING_LIGHT
    else:
        table = palette.SEQUENTIAL

    def colour(values: NDArray[np.float32]) -> NDArray[np.uint8]:
        return palette.colourise(values, table, -limit if signed else 0.0, limit)

    with st.container(key="cl-pairs-taste"):
        columns = st.columns(len(taste.variants), gap="medium")
    for column, variant in zip(columns, taste.variants.values(), strict=True):
        with column:
            st.image(variant.shown_rgb, caption=variant.title, width="stretch", alt=f"The picture: {variant.title}")
            st.image(map_pictures.enlarge(colour(variant.map)), width="stretch", alt=f"Its map: {variant.title}")
            change = "" if variant.key == "picture" else f" ({percent(variant.change)})"
            st.markdown(f"mean **{arithmetic.number(variant.mean)}**{change}")
    low = "−" + arithmetic.number(limit) if signed else "0"
    st.caption(f"Maps of channel {taste.channel} on one shared scale, {low} to {arithmetic.number(limit)}.")


def show_off(bench: widgets.Bench, layer: cc.Operation, channel: int) -> None:
    """The prediction with the channel set to zero, beside the one with it."""
    trace = bench.trace
    off: ChannelOff = cached.memo(
        "channel_off",
        (bench.classifier.key, bench.model_input.digest, layer.name, channel),
        lambda: without_channel(bench.classifier, trace, layer.name, channel),
        lambda made: 1024,
    )
    with lesson.test(f"Switch channel {channel} off"):
        st.markdown(off_sentence(off))
        lines = ["| class | with it | without it |", "|:--|--:|--:|"]
        new = [p for p in off.after if p.index not in {q.index for q in off.before}]
        lines += [
            f"| {p.name} | {_share(p.probability)} | {_share(kept)} |"
            for p, kept in zip(off.before, off.kept, strict=True)
        ]
        for p in new:
            name = f"{p.name} (new in the top {len(off.after)})"
            lines.append(f"| {name} | {_share(trace.probabilities[p.index])} | {_share(p.probability)} |")
        st.markdown("\n".join(lines))


def _share(probability: float) -> str:
    return f"{probability:.4f}" if probability >= 0.00005 else "< 0.0001"


def off_sentence(off: ChannelOff) -> str:
    """What the decision lost, in a sentence."""
    first, after = off.before[0], off.after[0]
    same = first.index == after.index
    moved = f"**{first.name}** goes from {first.probability:.4f} to {off.kept[0]:.4f}"
    turned = "the decision stays" if same else f"the decision turns to **{after.name}** ({after.probability:.4f})"
    what = f"With channel {off.channel} of {off.operation} set to zero"
    return f"{what}, {moved}: {turned}. Everything after it was computed again."


def percent(share: float) -> str:
    """A signed change: "+12 %", "−3 %"."""
    return f"{100 * share:+.0f} %".replace("-", "−")
