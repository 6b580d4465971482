"""ReLU and pooling: what an activation function and a pooling window keep of a real map, and what each is good for."""

from __future__ import annotations

import math

import streamlit as st

import cnn_core as cc
from cnn_core.figures import change_figure, gradient_figure
from cnn_core.gradient_lesson import CHANNELS, DEPTH, PICTURES, SEEDS, gradient_norms
from cnn_core.palette import Mode
from cnn_core.pooling_lesson import liveliest_channel, most_divided_channel, pooling_rule, pooling_trial, share_of_zeros
from ui import cached, lesson, session, widgets
from ui.instruments.pooling import ACTIVATIONS, CHANNELS_SHOWN, activation, laid_pooling, own_pooling

lesson.header(
    "ReLU and pooling", "After each convolution two simple rules decide what is kept, and what is thrown away."
)
bench = widgets.bench()
session.bind("layer", "channel", "pool")
network = bench.classifier.network
layers = tuple(operation for operation in network.map_layers() if operation.kind in ACTIVATIONS)
own_layers = tuple(
    operation
    for operation in network.map_layers()
    if operation.kind in ("max_pool2d", "avg_pool2d") and operation.attributes.get("divisor_override") is None
)
mode: Mode = "dark" if st.context.theme.type == "dark" else "light"
LAID = "laid"
QUIET_CHART = {"displayModeBar": False}


def channel_of(operation: cc.Operation) -> int:
    """The chosen channel where this operation has it, else one whose numbers before it lie on both sides of zero."""
    chosen: int | None = session.get("channel")
    if chosen is not None and chosen < operation.output_shape[0]:
        return chosen
    trace = bench.trace
    return cached.memo(
        "divided",
        (bench.classifier.key, bench.model_input.digest, operation.name),
        lambda: most_divided_channel(trace.activation(operation.inputs[0])[:CHANNELS_SHOWN]),
        lambda _: 8,
    )


def activation_section() -> cc.Operation:
    """The guess, the layer, and the activation on one of its maps; returns the layer."""
    guess = lesson.guess(
        "relu_zeros",
        "How many of a layer’s numbers does its activation function set to exactly zero?",
        {"few": "Less than 20 %", "some": "20 to 60 %", "most": "More than 60 %"},
    )
    layer = widgets.layer_picker(bench, key="activations", kinds=ACTIVATIONS, default=layers[0].name)
    trace = bench.trace
    zeros = cached.memo(
        "zeros",
        (bench.classifier.key, bench.model_input.digest, layer.name),
        lambda: share_of_zeros(trace.activation(layer.name)),
        lambda _: 8,
    )
    shape = " × ".join(str(n) for n in layer.output_shape)
    cut = (
        "Each is a pattern that is not there, or its opposite."
        if layer.kind in ("relu", "relu6")
        else f"{layer.short_title} bends where ReLU cuts: it makes what is below zero small, and seldom exactly zero."
    )
    lesson.reveal(
        guess,
        answer="few" if zeros < 0.2 else "some" if zeros <= 0.6 else "most",
        because=f"{zeros:.1%} of the {shape} numbers that leave {layer.name} ({layer.short_title}) are exactly zero on "
        f"this picture. {cut} Other layers differ: pick one.",
    )
    activation(
        bench.trace,
        layer,
        network[layer.inputs[0]].title,
        channel_of(layer),
        key="activation",
        on_channel=lambda channel: session.set("channel", channel),
    )
    return layer


def pooling_section(layer: cc.Operation) -> None:
    """A pooling layer of the network's own, or one laid on the map above, and the test of what it is good for."""
    st.header("Pooling: one number for each window", anchor=False, divider="gray")
    offered = {operation.name: operation for operation in own_layers}
    options = [*offered, LAID]
    st.pills(
        "Pooling layer",
        options,
        required=True,
        format_func=lambda name: (
            f"Laid by you on {layer.name}" if name == LAID else f"{offered[name].short_title} · {name}"
        ),
        **session.control("pool", f"cl_pooling_{bench.classifier.key}_{layer.name}", options),
    )
    chosen = session.get("pool")
    own = offered.get(chosen if chosen in options else options[0])
    if own is None:
        if not own_layers:
            st.caption(
                f"{bench.classifier.card.title} has no pooling layer between its convolutions (it shrinks its maps by "
                "strides), so here you lay one on a real map of it yourself."
            )
        pooled, window, stride = layer, 2, 2
        laid_pooling(bench.trace, layer, channel_of(layer), key="pooling_laid")
    else:
        rule = pooling_rule(own)
        pooled, window, stride = network[own.inputs[0]], rule.kernel_size[0], rule.stride[0]
        same = pooled.name == layer.name
        channel = channel_of(layer) if same else liveliest_channel(bench.trace.activation(own.name))
        own_pooling(bench.trace, own, rule, channel, key="pooling_own")
    with lesson.test("Test: move the picture, add noise"):
        stability(pooled, window, stride)


def stability(pooled: cc.Operation, window: int, stride: int) -> None:
    guess = lesson.guess(
        "pooling_shift",
        f"The picture moves by one pixel. Which version of the maps of {pooled.name} changes least?",
        {
            "before": "As they are",
            "thinned": f"One cell in {stride}, not pooled",
            "max": f"Max pooled {window} × {window}",
            "average": f"Average pooled {window} × {window}",
        },
    )
    if guess is None:
        st.caption("Guess first; then the picture is really moved, and the network runs again.")
        return
    trial = cached.memo(
        "pooling_trial",
        (bench.classifier.key, bench.model_input.digest, pooled.name, window, stride),
        lambda: pooling_trial(bench.classifier, bench.model_input, pooled, window=window, stride=stride),
        lambda _: 2048,
    )
    least = min(trial.changes, key=lambda change: change.shift)
    before, thinned, maximum = trial.before, trial.thinned, trial.maximum
    noise = "more" if maximum.noise > before.noise else "less"
    lesson.reveal(
        guess,
        answer=least.key,
        because=f"One pixel changes the maps by {before.shift:.1%} as they are, by {maximum.shift:.1%} after max "
        f"pooling and by {trial.average.shift:.1%} after average pooling. Just having fewer numbers does not do it: "
        f"one cell in {stride} in each direction, not pooled, changes by {thinned.shift:.1%}. Under noise the max "
        f"pooled maps change {noise} than the maps themselves ({maximum.noise:.1%} against {before.noise:.1%}).",
    )
    moved, noisy = st.columns(2, gap="large")
    with moved:
        st.markdown("**The picture moved by one pixel**")
        st.plotly_chart(change_figure(trial.changes, "shifts", mode), config=QUIET_CHART, theme=None, key="moved_chart")
    with noisy:
        st.markdown("**Noise added to the picture**")
        st.plotly_chart(change_figure(trial.changes, "noises", mode), config=QUIET_CHART, theme=None, key="noisy_chart")
    st.caption(
        "Bars: how far all maps of the layer move, |after − before| ÷ |before| (L2 norm over all channels and cells), "
        "averaged; dots: the four directions, and four seeds of Gaussian noise (standard deviation 0.05 of the range "
        "of light). Nine forward passes, one layer, this picture."
    )


@st.fragment
def instruments() -> None:
    if not layers:
        st.info("The activations of this network do not work on maps laid out as (channel, row, column).")
        maps = network.map_layers()
        pooling_section(maps[1] if len(maps) > 1 else maps[0])
        return
    layer = activation_section()
    with lesson.test("Test: why ReLU, and not a sigmoid?"):
        gradients()
    pooling_section(layer)


@st.fragment
def gradients() -> None:
    guess = lesson.guess(
        "relu_gradients",
        f"A network has {DEPTH} layers with sigmoids between them. How much of the last layer’s gradient reaches the "
        "first one?",
        {"tenth": "More than a tenth", "some": "Between a tenth and a millionth", "none": "Less than a millionth"},
    )
    if guess is None:
        st.caption(f"Guess first; then {4 * len(SEEDS)} networks are made and their gradients computed.")
        return
    with st.spinner(f"{4 * len(SEEDS)} networks of {DEPTH} layers, forward and backward…"):
        stacks = cached.memo("gradient_norms", (), gradient_norms, lambda made: sum(g.norms.nbytes for g in made))
    reaching = {stack.key: stack.reaching for stack in stacks}
    sigmoid = reaching["sigmoid"]
    lesson.reveal(
        guess,
        answer="tenth" if sigmoid > 0.1 else "some" if sigmoid >= 1e-6 else "none",
        because=f"With sigmoids {scientific(sigmoid)} of it arrives (median of {len(SEEDS)} seeds); with ReLU and the "
        f"initialisation made for it {reaching['relu']:.2f}, with tanh {reaching['tanh']:.2f}.",
    )
    st.plotly_chart(gradient_figure(stacks, mode), config=QUIET_CHART, theme=None, key="gradient_chart")
    st.caption(
        f"Untrained networks, computed here: {DEPTH} convolutions 3 × 3 with {CHANNELS} channels, no bias, no "
        f"normalisation; the same {PICTURES} digits for all; lines are the median of seeds {SEEDS[0]} to {SEEDS[-1]}, "
        "bands their range. Xavier: Glorot and Bengio 2010; He: He et al. 2015."
    )


def scientific(value: float) -> str:
    """A small number as Markdown: 4.2 · 10 to the power of −14."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"${mantissa} \\cdot 10^{{{int(exponent)}}}$"


instruments()

lesson.why(
    "On the way back the gradient is multiplied by the slope of each activation. A sigmoid’s slope is at most 1/4, so "
    f"{DEPTH} of them leave at most $(1/4)^{{{DEPTH}}} \\approx 10^{{{round(-DEPTH * math.log10(4))}}}$, before the "
    "weights have their say. ReLU’s slope is 1 wherever the cell is on. Tanh also has slope 1, but only near zero: it "
    "keeps up at the start, and fades where its inputs grow large.\n\n"
    "A max pooling window asks only whether a pattern is somewhere in it, so a small move stays inside; but the "
    "largest number is often the noisiest one, and there the average is calmer."
)
lesson.try_this(
    [
        "Take SqueezeNet: its own max pooling layers are compared with torch number by number.",
        "Lay an average in place of a maximum: what happens to thin lines?",
        "Pick a deep layer: its cells see so much of the picture that one pixel matters less.",
    ]
)
lesson.footer("network")
