"""The parts of the depth lesson: one unit and what it sees, the scramble test, and how sight grows with depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.abstraction import Abstraction, measure_abstraction
from cnn_core.effective_field import (
    DepthEntry,
    EffectiveField,
    ScrambleTest,
    average_field,
    effective_field,
    fields_by_depth,
    scramble,
)
from cnn_core.receptive_field import receptive_fields
from ui import arithmetic, cached, feature_lesson, jobs, lesson, session, shell, widgets
from ui.instruments import depth as instrument
from ui.instruments.trial import Card, comparison

GUESSES = {"no": "No, not at all", "little": "A little, less than 10 %", "much": "Yes, by 10 % or more"}
_MUCH = 0.1


def middle_layer(network: cc.Network) -> str:
    """Where a first visit begins: the last activation whose units see at most half of the picture's side."""
    side = network.input_shape[-1]
    fields = receptive_fields(network)
    seeing = [o for o in network.map_layers() if o.kind != "input" and max(fields[o.name].size) <= side / 2]
    awake = [o for o in seeing if o.kind in feature_lesson._ACTIVATIONS] or seeing
    return awake[-1].name if awake else network.default_layer()


def chosen_unit(bench: widgets.Bench, layer: cc.Operation) -> tuple[int, ...]:
    """The unit that a click or a link names; otherwise the strongest of the layer's liveliest channel.

    The same unit as on the feature maps' page, kept as channel, row and column; a vector's number is its channel.
    """
    activation = bench.trace.activation(layer.name)
    if not instrument.has_places(layer):
        sides = {"channel": layer.output_shape[0]} if len(layer.output_shape) == 1 else {}
        at = feature_lesson.wanted_unit(layer.name, sides).get("channel")
        if at is not None:
            return (at,)
        return tuple(int(i) for i in np.unravel_index(int(activation.argmax()), activation.shape))
    maps = np.moveaxis(activation, layer.axes.index("channel"), 0)
    wanted = feature_lesson.wanted_unit(layer.name, dict(zip(("channel", "row", "column"), maps.shape, strict=True)))
    channel, row, column = wanted["channel"], wanted["row"], wanted["column"]
    if channel is None:
        channel, row = int(maps.reshape(len(maps), -1).var(axis=1).argmax()), None
    if row is None or column is None:
        row, column = _good_cell(cc.receptive_field(bench.classifier, layer), maps[channel])
    unit = {"channel": channel, "row": row, "column": column}
    return tuple(unit[axis] for axis in layer.axes)


def _good_cell(field: cc.ReceptiveField, values: NDArray[np.float32]) -> tuple[int, int]:
    """The strongest cell whose box lies in the picture; the strongest of all where every box sticks out."""
    inside = np.zeros(values.shape, dtype=bool)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            inside[row, column] = field.box(row, column) == field.clipped_box(row, column)
    strongest = int(np.where(inside if inside.any() else True, values, -np.inf).argmax())
    row, column = divmod(strongest, values.shape[1])
    return row, column


def channel_picker(layer: cc.Operation, index: tuple[int, ...], class_names: tuple[str, ...]) -> None:
    """Which channel, or which number of a vector."""
    at = dict(zip(layer.axes, index, strict=True))
    if not instrument.has_places(layer) and len(index) != 1:
        return
    current = at.get("channel", index[0])
    n = layer.output_shape[layer.axes.index("channel")] if "channel" in at else layer.output_shape[0]
    slot = "cl_depth_channel"
    st.session_state[slot] = current

    def choose() -> None:
        session.take("channel", slot)
        if instrument.has_places(layer):
            session.set("row", at["row"])
            session.set("column", at["column"])

    named = layer.kind == "softmax" or (n == len(class_names) and len(index) == 1)
    label = "Class" if named else f"Channel, 0 to {n - 1}" if "channel" in at else f"Number, 0 to {n - 1}"
    if named:
        st.selectbox(
            label,
            range(n),
            format_func=lambda i: class_names[i],
            key=slot,
            on_change=choose,
            width=320,
            disabled=session.locked(),
        )
    else:
        st.number_input(label, 0, n - 1, key=slot, on_change=choose, width=200, disabled=session.locked())


def unit_words(bench: widgets.Bench, layer: cc.Operation, index: tuple[int, ...]) -> str:
    """What a unit is called: its place, or its class."""
    network = bench.classifier.network
    if layer.name in (network.output, "softmax") and len(index) == 1:
        kind = "Probability" if layer.name == "softmax" else "Logit"
        return f"{kind} of {bench.classifier.class_names[index[0]]}"
    return arithmetic.place(layer, index)


def _key(bench: widgets.Bench, layer: cc.Operation, index: tuple[int, ...]) -> tuple[Any, ...]:
    return (bench.classifier.key, bench.model_input.digest, layer.name, index)


def view(bench: widgets.Bench, layer: cc.Operation, index: tuple[int, ...]) -> None:
    """The instrument, and under it the average over the samples."""
    classifier, seen = bench.classifier, bench.model_input
    with st.spinner("Working out the gradient", show_time=True):
        here: EffectiveField = cached.memo(
            "effective_field",
            _key(bench, layer, index),
            lambda: effective_field(classifier, seen, layer, index),
            lambda made: made.magnitude.nbytes,
        )
    average_key = (classifier.key, layer.name, index)
    mean: EffectiveField | None = jobs.result("average_field", average_key)

    def pick(row: int, column: int) -> None:
        at = dict(zip(layer.axes, index, strict=True)) | {"row": row, "column": column}
        for name in ("channel", "row", "column"):
            session.set(name, at[name])

    instrument.field_view(
        classifier,
        seen,
        layer,
        index,
        bench.trace.activation(layer.name),
        here,
        mean,
        key="cl_depth_stage",
        words=unit_words(bench, layer, index),
        on_pick=pick,
    )
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        if mean is None:
            jobs.run(
                "average_field",
                average_key,
                lambda progress, stop: average_field(classifier, layer, index, on_progress=progress, should_stop=stop),
                lambda made: made.magnitude.nbytes,
                button="Average the field over the samples",
                label="One backward pass for each sample",
                unit="pictures",
                icon=":material/functions:",
            )
        st.page_link(
            shell.lesson("trail").page,
            label="Follow this unit's value to the pixels",
            icon=":material/route:",
            query_params={"trail": "~".join(("most", "all", layer.name, ".".join(map(str, index))))},
        )
    at = dict(zip(layer.axes, index, strict=True))
    place = (at.get("row", 0), at.get("column", 0))
    st.markdown(_reading(cc.receptive_field(classifier, layer), place, here, mean))


def _reading(
    field: cc.ReceptiveField, place: tuple[int, int], here: EffectiveField, mean: EffectiveField | None
) -> str:
    """What the effective field says beside the box, in a sentence."""
    if here.is_silent:
        return (
            "On this picture **no pixel acts on this unit**: an activation on the way is off. Choose a cell where the "
            "map is bright."
        )
    top, left, bottom, right = here.box
    size = f"{bottom - top} × {right - left}"
    area = f"{here.area_90:,} pixels, {100 * here.share_of_box:.0f} % of the box's area"
    if here.sees_everything and here.share_inside < 0.9995:
        words = (
            f"By its local path the pixels of the box, {size}, can matter, and by a side path all others too. The "
            f"gradient says how much each does here: **{100 * here.share_inside:.3g} % of it lies in the box**. 90 % "
            f"of it lies in {area}."
        )
    else:
        words = (
            f"The box says which pixels **can** matter: {size}. The gradient says how much each does here: **90 % of "
            f"it lies in {area}**."
        )
    if mean is not None and not mean.is_silent:
        words += (
            f" Averaged over {mean.n_pictures - mean.n_silent} samples, 90 % of it lies in {mean.area_90:,} pixels; "
            f"the middle quarter of the box's area holds {100 * middle_share(field, place, mean):.0f} %."
        )
    return words


def middle_share(field: cc.ReceptiveField, place: tuple[int, int], found: EffectiveField) -> float:
    """The share of the gradient in the middle quarter of the unclipped box's area: half of its height and width."""
    edges = []
    for centre, size, n in zip(field.centre(*place), field.size, found.magnitude.shape, strict=True):
        # Whole pixels whose centres lie in the middle half.
        low, high = np.ceil(centre - size / 4 - 0.5), np.floor(centre + size / 4 - 0.5)
        edges.append(slice(int(np.clip(low, 0, n)), int(np.clip(high + 1, 0, n))))
    return float(found.magnitude[edges[0], edges[1]].sum())


def _scrambled(
    bench: widgets.Bench, layer: cc.Operation, index: tuple[int, ...], where: Any, seed: int
) -> ScrambleTest:
    return cached.memo(
        "scramble",
        (*_key(bench, layer, index), where, seed),
        lambda: scramble(bench.classifier, bench.model_input, layer, index, where=where, seed=seed),
        lambda made: made.shown_rgb.nbytes,
    )


def scramble_test(bench: widgets.Bench, layer: cc.Operation, index: tuple[int, ...]) -> None:
    """The guess, and the proof that answers it."""
    with lesson.test("The proof: scramble what it cannot see"):
        field = cc.receptive_field(bench.classifier, layer)
        at = dict(zip(layer.axes, index, strict=True))
        top, left, bottom, right = field.pixel_box(at.get("row", 0), at.get("column", 0))
        height, width = bench.model_input.shown_rgb.shape[:2]
        if (bottom - top, right - left) == (height, width):
            _nothing_outside(bench)
            return
        if bottom <= top or right <= left:
            st.info("This unit's box lies in the padding alone: it sees no pixel. Choose another cell.")
            return
        subject = f"{bench.classifier.key}_{bench.model_input.digest[:12]}_{layer.name}_{index}"
        box = "local path's box" if field.sees_everything else "box"
        chosen = lesson.guess(
            "depth_scramble",
            f"Every pixel outside the {box} becomes a random colour. Will the value change?",
            GUESSES,
            about=subject,
        )
        if chosen is None:
            st.caption("Guess, and the network is run again on the scrambled picture.")
            return
        seed: int = session.get("seed")
        with st.spinner("Running the network on the scrambled pictures"):
            outside = _scrambled(bench, layer, index, "outside", seed)
            inside = _scrambled(bench, layer, index, "inside", seed)
        change = abs(outside.after - outside.before) / max(1e-12, abs(outside.before))
        answer = "no" if outside.unchanged else "much" if change >= _MUCH else "little"
        lesson.reveal(chosen, answer, _sentence(outside))
        comparison(_cards(bench, outside, inside), key="cl_depth_cards", caption=_caption(outside, seed))
        st.markdown(_digits(outside, inside))

        st.button(
            "Scramble with other colours",
            key="cl_depth_again",
            icon=":material/casino:",
            on_click=session.set,
            args=("seed", (seed + 1) % 10_000),
            disabled=session.locked(),
        )


def _nothing_outside(bench: widgets.Bench) -> None:
    """The box covers the picture: say so, and offer a layer where there is something to scramble."""
    wanted = middle_layer(bench.classifier.network)
    st.info(
        "This unit's box covers the whole picture: no pixel lies outside it, so there is nothing that it cannot see.",
        icon=":material/select_all:",
    )
    st.button(
        f"Open {wanted}, whose units see less",
        key="cl_depth_less",
        icon=":material/layers:",
        on_click=session.set,
        args=("layer", wanted),
        disabled=session.locked(),
    )


def _sentence(found: ScrambleTest) -> str:
    return found.sentence.replace("-", "−")


def _cards(bench: widgets.Bench, outside: ScrambleTest, inside: ScrambleTest) -> list[Card]:
    return [
        Card("The picture as it is", bench.model_input.shown_rgb, outside.before, _all_digits(outside.before), "whole"),
        Card(
            f"{outside.n_pixels:,} pixels outside the box scrambled",
            outside.shown_rgb,
            outside.after,
            _all_digits(outside.after),
            "marked",
        ),
        Card(
            f"{inside.n_pixels:,} pixels inside the box scrambled",
            inside.shown_rgb,
            inside.after,
            _all_digits(inside.after),
        ),
    ]


def _caption(found: ScrambleTest, seed: int) -> str:
    return (
        f"Bars: the unit's value, one shared scale; dashed, the picture as it is. Random colours of seed {seed}. "
        f"Under each bar all digits that float32 holds."
    )


def _all_digits(value: float) -> str:
    """Every digit of a float32, no more: the shortest text that reads back as the same number."""
    return np.format_float_positional(np.float32(value), unique=True, trim="0").replace("-", "−")


def _digits(outside: ScrambleTest, inside: ScrambleTest) -> str:
    """Values in all digits, as bits, and the difference."""

    def bits(value: float) -> str:
        return f"`{np.float32(value).view(np.uint32):08x}`"

    def line(name: str, value: float) -> str:
        difference = value - outside.before
        shown = "none" if difference == 0 else arithmetic.number(difference)
        return f"| {name} | {_all_digits(value)} | {bits(value)} | {shown} |"

    return "\n".join(
        [
            "| picture | value | its 32 bits | difference |",
            "|:--|--:|:--|--:|",
            line("as it is", outside.before).replace("| none |", "| |"),
            line("scrambled outside", outside.after),
            line("scrambled inside", inside.after),
        ]
    )


def by_depth(bench: widgets.Bench, layer: cc.Operation) -> None:
    """Receptive field and stride of every operation, and abstraction once it was measured."""
    classifier = bench.classifier
    entries: tuple[DepthEntry, ...] = cached.memo(
        "fields_by_depth",
        (classifier.key,),
        lambda: fields_by_depth(classifier.network),
        lambda made: 300 * len(made),
    )
    st.header("How sight grows with depth", anchor=False, divider="gray")
    abstraction: Abstraction | None = jobs.result("abstraction", (classifier.key,))
    instrument.depth_plot(
        classifier,
        entries,
        abstraction,
        layer.name,
        key="cl_depth_plot",
        on_open=lambda name: session.set("layer", name),
    )
    if abstraction is None:
        jobs.run(
            "abstraction",
            (classifier.key,),
            lambda progress, stop: measure_abstraction(classifier, on_progress=progress, should_stop=stop),
            lambda made: 16 * len(made.layers) * len(made.changes),
            button="Measure abstraction by depth",
            label="Samples and their changed versions",
            unit="passes",
            icon=":material/insights:",
        )
        st.caption(
            "Abstraction, measured: how different a layer's answers to a picture and to its mirrored, moved or "
            "hue-turned version are, as a share of how different its answers to two different pictures are."
        )
        return
    st.markdown(_abstraction_words(abstraction))


def _abstraction_words(found: Abstraction) -> str:
    """What was measured, and what the first and the last measured layer say."""
    parts = []
    for change in found.changes:
        early, peak, last = change.sensitivity[0], np.nanmax(change.sensitivity), change.sensitivity[-1]
        course = f"{early:.2f} in the pixels, at most {peak:.2f} on the way, {last:.2f} in the logits"
        parts.append(f"- **{change.title.capitalize()}**: {course}")
    return (
        f"Over {found.n_pictures} samples: 1 means that the changed picture is as new to the layer as another picture, "
        "0 that the layer does not notice the change.\n\n" + "\n".join(parts) + "\n\n"
        f"Measured as 1 − the correlation of the layer's numbers (at most 4,096 of them, drawn with seed {found.seed}) "
        "on a picture and its changed version, divided by the same between different pictures."
    )
