"""The second half of the kernel page: one unit of a real convolution, all its channels, and what each is worth."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.filters import filter_of, pointwise_followers, remove_channel
from cnn_core.operations.explanation import Term
from ui import cached, lesson, session, widgets
from ui.instruments import map_pictures
from ui.instruments.convolution import unit_instrument
from ui.instruments.unit import unit_payload

_COLOURS = ("red", "green", "blue")
_WIDE: Final = 104  # pixels, of a picture of the guess


def run() -> None:
    """Draw the lesson."""
    bench = widgets.bench()
    convolutions = [o for o in bench.classifier.network.map_layers() if o.kind == "conv2d"]
    if not convolutions:
        st.info("This network has no convolution with maps. Choose another network in the side bar.")
        return
    layer = widgets.layer_picker(bench, key="unit", kinds=("conv2d",), default=convolutions[0].name)
    _unit(bench, layer)
    lesson.why(
        "A filter has **one kernel for every input channel**. Each kernel slides over its own channel; at one place, "
        "all products of all channels are added into one number, and the bias is added last. So a filter of a deeper "
        "layer does not look for edges: it looks for places where several patterns of the layer before come together."
    )
    lesson.try_this(
        [
            "Open the first layer: its three input channels are red, green and blue. Find a filter whose three kernels "
            "are alike (it ignores colour) and one whose kernels differ.",
            "In MobileNetV2, choose a depthwise convolution: each filter reads one channel only.",
            "Find a unit whose value is negative, and see what the activation after it makes of that.",
        ]
    )


def _index(bench: widgets.Bench, layer: cc.Operation) -> tuple[int, int, int]:
    """The unit that the address names; where it names none of this layer, the largest value of the channel."""
    channels, rows, columns = layer.output_shape
    wanted = session.get("channel")
    channel = wanted if wanted is not None and wanted < channels else _liveliest(bench, layer)
    row, column = session.get("row"), session.get("column")
    if row is None or column is None or row >= rows or column >= columns:
        row, column = _liveliest_cell(bench.trace.activation(layer.name)[channel])
    return channel, row, column


def _liveliest(bench: widgets.Bench, layer: cc.Operation) -> int:
    """The channel whose map varies most: a good one to begin with."""
    trace = bench.trace
    return cached.memo(
        "liveliest",
        (bench.classifier.key, bench.model_input.digest, layer.name),
        lambda: int(np.argmax(trace.activation(layer.name).std(axis=(1, 2)))),
        lambda made: 8,
    )


def _explained(bench: widgets.Bench, layer: cc.Operation, index: tuple[int, int, int]) -> cc.UnitExplanation:
    """The unit taken apart, once for all who look at it."""
    trace = bench.trace
    return cached.memo(
        "unit",
        (bench.classifier.key, bench.model_input.digest, layer.name, index),
        lambda: cc.explain_unit(bench.classifier, trace, layer, index),
        _explanation_bytes,
    )


def _explanation_bytes(made: cc.UnitExplanation) -> int:
    arrays = [a for term in made.terms for a in (term.window, term.weights, term.padded) if a is not None]
    return sum(a.nbytes for a in arrays) + 600 * len(made.terms) + 1000


def _liveliest_cell(answers: NDArray[np.float32]) -> tuple[int, int]:
    """The cell with the largest value, away from the border, where padding has a say, if the map is large enough."""
    inside = 1 if min(answers.shape) > 2 else 0
    inner = answers[inside : answers.shape[0] - inside, inside : answers.shape[1] - inside]
    row, column = divmod(int(np.argmax(inner)), inner.shape[1])
    return row + inside, column + inside


@st.fragment
def _unit(bench: widgets.Bench, layer: cc.Operation) -> None:
    index = _index(bench, layer)
    explanation = _explained(bench, layer, index)
    top = explanation.ranked(len(explanation.terms))[0]
    _guess(bench, layer, index)

    def open_unit(channel: int, row: int, column: int) -> None:
        channels, rows, columns = layer.output_shape
        if 0 <= channel < channels and 0 <= row < rows and 0 <= column < columns:
            for name, value in (("channel", channel), ("row", row), ("column", column)):
                session.set(name, value)

    trace = bench.trace
    payload = cached.memo(
        "unit_payload",
        (bench.classifier.key, bench.model_input.digest, layer.name, index),
        lambda: unit_payload(bench.classifier, bench.model_input, trace, layer, index),
        len,
    )
    unit_instrument(payload, key=f"cl_unit_{bench.classifier.key}_{layer.name}", on_open=open_unit)
    _followers(bench, layer, index, explanation)
    _test(bench, layer, index, explanation, top)


def channel_name(bench: widgets.Bench, layer: cc.Operation, channel: int) -> str:
    """What an input channel is called: a colour where the layer reads the picture, otherwise its number."""
    source = bench.classifier.network[layer.inputs[0]]
    if source.kind == "input":
        return _COLOURS[channel] if source.output_shape[0] == len(_COLOURS) else "grey"
    return f"in {channel}"


def _elsewhere(layer: cc.Operation, index: tuple[int, int, int]) -> tuple[int, int, int]:
    """The unit half the map away in both directions: the question must not be answered by the unit on the screen."""
    channel, row, column = index
    _, rows, columns = layer.output_shape
    return channel, (row + rows // 2) % rows, (column + columns // 2) % columns


def _guess(bench: widgets.Bench, layer: cc.Operation, shown: tuple[int, int, int]) -> None:
    """Three input channels as pictures with their window: which adds most to another unit of this channel, in size?"""
    index = _elsewhere(layer, shown)
    explanation = _explained(bench, layer, index)
    top = explanation.ranked(len(explanation.terms))[0]
    if len(top) < 3:
        st.caption("This filter reads one channel only, so there is nothing to rank." if len(top) == 1 else "")
        return
    choice = sorted((top[0], top[len(top) // 2], top[-1]), key=lambda term: term.source_index[0])
    trace = bench.trace
    names = {str(term.source_index[0]): channel_name(bench, layer, term.source_index[0]) for term in choice}

    def draw() -> list[bytes]:
        files = []
        maps = trace.activation(layer.inputs[0])
        size = filter_of(bench.classifier, layer, index[0]).weights.shape[1:]
        for term in choice:
            channel, row, column = term.source_index
            picture = map_pictures.map_picture(maps[channel])
            framed = map_pictures.with_window(picture, maps.shape[1], row, column, size[0], size[1])
            files.append(map_pictures.png(framed, _WIDE))
        return files

    of = (bench.classifier.key, bench.model_input.digest, layer.name, index, map_pictures.mode())
    files = cached.memo("unit_guess", of, draw, lambda made: sum(map(len, made)))
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        with st.container(width="content", horizontal=True):
            for file, name in zip(files, names.values(), strict=True):
                st.image(
                    file, caption=name, width=_WIDE, output_format="PNG", alt="Its map, with the window that is read"
                )
        with st.container(width=420):
            place = "_".join(map(str, index))
            about = f"{bench.classifier.key}_{layer.name}_{place}_{bench.model_input.digest[:10]}"
            chosen = lesson.guess(
                "unit",
                f"Which of these input channels adds most, in size, to channel {index[0]} at row {index[1]}, "
                f"column {index[2]}?",
                names,
                about=about,
            )
            sizes = ", ".join(f"{names[str(t.source_index[0])]} {t.value:+.4f}".replace("-", "−") for t in choice)
            lesson.reveal(
                chosen,
                str(top[0].source_index[0]),
                f"Their contributions: {sizes}. A strong window alone is not enough: the kernel decides what counts.",
            )


def _followers(
    bench: widgets.Bench, layer: cc.Operation, index: tuple[int, int, int], explanation: cc.UnitExplanation
) -> None:
    """The same unit through the operations after the convolution, each taken apart and compared with torch."""
    rows = [(layer.short_title, explanation)]
    for link in pointwise_followers(bench.classifier.network, layer.name):
        rows.append((link.short_title, _explained(bench, link, index)))
    with st.expander("This unit as formulas, and the operations after it"):
        for title, unit in rows:
            mark = "✓ equals torch’s number" if unit.matches else "⚠ differs from torch’s number"
            st.markdown(f"**{title}** ({mark}, relative error {_small(unit.relative_error)})")
            st.latex(unit.formula)


def _test(
    bench: widgets.Bench,
    layer: cc.Operation,
    index: tuple[int, int, int],
    explanation: cc.UnitExplanation,
    top: tuple[Term, ...],
) -> None:
    with lesson.test("Test it: is a channel worth what the list says?"):
        shown = [term.source_index[0] for term in top[:6]]
        chosen = st.segmented_control(
            "Set this input channel to zero everywhere, and run the layer again",
            shown,
            format_func=lambda channel: channel_name(bench, layer, channel),
            key=f"cl_unit_zero_{bench.classifier.key}_{layer.name}_{'_'.join(map(str, index))}",
        )
        if chosen is None:
            return
        result = remove_channel(bench.classifier, bench.trace, layer, index, int(chosen))
        with st.container(horizontal=True, gap="large"):
            st.metric("before", _number(result.before))
            st.metric("after", _number(result.after))
            st.metric("before − after", _number(result.drop))
            st.metric(f"contribution of {channel_name(bench, layer, int(chosen))}", _number(result.contribution))
        gap = abs(result.drop - result.contribution)
        if result.matches:
            st.success(
                f"**The value {'fell' if result.drop >= 0 else 'rose'} by just that contribution** (difference "
                f"{_small(gap)}). What the channels add simply sums up: that is what linear means.",
                icon=":material/check:",
            )
        else:
            st.warning(f"The drop and the contribution differ by {gap:.2g}.", icon=":material/warning:")


def _small(value: float) -> str:
    """A small error in one digit, such as 6e−8."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
