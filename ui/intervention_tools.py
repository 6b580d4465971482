"""The four ways to intervene: switch channels off, edit a kernel, change the picture, sabotage its preprocessing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from cnn_core.picture_changes import change_picture, list_picture_kinds
from cnn_core.preprocessing_trials import list_sabotages, sabotaged
from ui import cached, session
from ui.feature_lesson import opening_layer
from ui.instruments import featuremaps
from ui.instruments.interventions import Card, Filter, channel_wall, gallery, kernel_editor
from ui.instruments.layers import layer_strip
from ui.intervention_stack import Stack
from ui.text import plain
from ui.widgets import Bench, said

TOOLS = {
    "channels": "Switch channels off",
    "kernel": "Edit a kernel",
    "picture": "Change the picture",
    "preprocessing": "Sabotage the preprocessing",
}
_THUMBNAIL = 96


def workshop(bench: Bench, stack: Stack, active: tuple[Change, ...], target: int) -> None:
    """The chosen tool; what is done with it goes on the stack."""
    chosen = session.get("tool")
    st.session_state.cl_interventions_tool = chosen
    st.segmented_control(
        "What do you want to change?",
        list(TOOLS),
        format_func=TOOLS.__getitem__,
        key="cl_interventions_tool",
        on_change=lambda: session.set("tool", st.session_state.cl_interventions_tool or chosen),
        disabled=session.locked(),
    )
    if chosen == "channels":
        _channels(bench, stack, active, target)
    elif chosen == "kernel":
        _kernel(bench, stack, active)
    elif chosen == "picture":
        _picture(bench, stack)
    else:
        _preprocessing(bench, stack)


def channel_axis(operation: cc.Operation) -> int | None:
    """Where an operation's channels stand, or None where it has none to switch off."""
    if operation.name == "softmax":
        return None
    if len(operation.output_shape) == 1:
        return 0
    return operation.axes.index("channel") if operation.axes.count("channel") == 1 else None


def _strip(bench: Bench, operations: list[cc.Operation], default: str, tool: str) -> cc.Operation:
    """The depth strip over these operations; a layer that is not among them gives way to the default."""
    names = {operation.name for operation in operations}
    wanted, chosen = session.get("layer"), default
    if wanted is not None:
        try:
            resolved = bench.classifier.network[wanted].name
        except cc.InvalidLayer as error:
            session.refuse("layer", f"{plain(str(error))} Shown instead: {chosen}.")
        else:
            chosen = resolved if resolved in names else default
    said("layer", ":material/layers:")
    layer_strip(
        operations,
        chosen,
        key=f"cl_layers_interventions_{tool}_{bench.classifier.key}",
        label="Layer, from the picture to the logits",
        on_pick=lambda name: session.set("layer", name),
    )
    return bench.classifier.network[chosen]


def _channels(bench: Bench, stack: Stack, active: tuple[Change, ...], target: int) -> None:
    network = bench.classifier.network
    operations = [operation for operation in network.operations if channel_axis(operation) is not None]
    head = network.linear_head()
    layer = _strip(bench, operations, opening_layer(network) if head is None else head.maps, "channels")
    axis = channel_axis(layer) or 0

    def draw() -> featuremaps.Mosaic:
        values = np.moveaxis(bench.trace.activation(layer.name), axis, 0)
        maps = values if values.ndim == 3 else values.reshape(values.shape[0], 1, -1)
        return featuremaps.mosaic(np.ascontiguousarray(maps))

    key = (bench.classifier.key, bench.model_input.digest, layer.name)
    drawn = cached.memo("mosaic", key, draw, lambda made: made.nbytes)
    entries: NDArray[np.float32] | None = None
    if head is not None and layer.name == head.maps:
        entries = cc.logit_ledger(bench.classifier, bench.trace, target).contributions.astype(np.float32)
    off = {
        c
        for change in active
        if isinstance(change, SwitchOff) and network[change.operation].name == layer.name
        for c in change.channels
    }
    channel_wall(
        drawn,
        layer=layer.name,
        title=layer.title,
        off=sorted(off),
        entries=entries,
        entry_words=f"the ledger's entries for {bench.classifier.class_names[target]}",
        key="cl_interventions_channels",
        on_off=lambda channels, to: stack.add(SwitchOff(layer.name, channels, to)),  # type: ignore[arg-type]
    )


def _kernel(bench: Bench, stack: Stack, active: tuple[Change, ...]) -> None:
    network = bench.classifier.network
    operations = [o for o in network.operations if o.kind in ("conv2d", "linear") and channel_axis(o) is not None]
    layer = _strip(bench, operations, operations[0].name, "kernel")
    tensors = network.parameters(layer.name)
    n_filters, n_read = tensors["weight"].shape[:2]
    index = session.get("channel") or 0
    if index >= n_filters:
        index = 0

    def numbers(key: str, at: int) -> NDArray[np.float32]:
        return np.array(tensors[key][at].detach().cpu().numpy(), dtype=np.float32)

    own = numbers("weight", index).reshape(n_read, *(tensors["weight"].shape[2:] or (1, 1)))
    now = own.copy()
    bias_own = float(numbers("bias", index)) if "bias" in tensors else None
    bias_now = bias_own
    for change in active:
        if isinstance(change, EditKernel) and network[change.operation].name == layer.name:
            if change.index[0] == index:
                now.reshape(tensors["weight"].shape[1:])[change.index[1:]] = np.asarray(change.values)
        elif isinstance(change, EditBias) and network[change.operation].name == layer.name and change.index == index:
            bias_now = float(np.float32(change.value))
    groups = layer.attributes.get("groups", 1)
    shown = Filter(
        layer.name,
        layer.title,
        index,
        int(n_filters),
        int(index // (n_filters // groups) * n_read),
        now,
        own,
        bias_now,
        bias_own,
    )

    def edit(kernel: int, values: NDArray[np.float32]) -> None:
        # A linear layer's weight is one number, without rows and columns.
        stack.add(EditKernel(layer.name, (index, kernel), values if layer.kind == "conv2d" else values.item()))

    kernel_editor(
        shown,
        key="cl_interventions_kernel",
        on_filter=lambda wanted: session.set("channel", wanted),
        on_kernel=edit,
        on_bias=lambda value: stack.add(EditBias(layer.name, index, value)),
    )


def _picture(bench: Bench, stack: Stack) -> None:
    rgb = bench.model_input.shown_rgb

    def cards() -> tuple[Card, ...]:
        return tuple(
            Card(
                kind.key,
                kind.title,
                kind.what,
                _small(change_picture(rgb, kind.key)),
                kind.unit,
                kind.default,
                kind.least,
                kind.most,
            )
            for kind in list_picture_kinds()
        )

    gallery(
        cached.memo("picture_cards", (bench.model_input.digest,), cards, _cards_size),
        label="How to change the picture",
        key="cl_interventions_picture",
        on_add=lambda kind, amount: stack.add(ChangePicture(kind, amount)),
    )


def _preprocessing(bench: Bench, stack: Stack) -> None:
    classifier = bench.classifier

    def cards() -> tuple[Card, ...]:
        return tuple(
            Card(
                entry.key,
                entry.title,
                entry.mistake,
                _small(sabotaged(classifier, entry.key, bench.picture, bench.model_input)[1]),
            )
            for entry in list_sabotages(classifier.card.preprocessing)
        )

    key = (classifier.card.key, bench.picture.digest)
    gallery(
        cached.memo("mistake_cards", key, cards, _cards_size),
        label="Which mistake to make",
        key="cl_interventions_preprocessing",
        on_add=lambda mistake, amount: stack.add(SabotagePreprocessing(mistake)),
    )


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every so-many-th pixel would alias: means of blocks, as a thumbnail of at most some hundred pixels."""
    factor = max(1, min(rgb.shape[:2]) // _THUMBNAIL)
    h, w = (n // factor * factor for n in rgb.shape[:2])
    blocks = rgb[:h, :w].reshape(h // factor, factor, w // factor, factor, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round(), dtype=np.uint8)


def _cards_size(made: Sequence[Card]) -> int:
    return sum(card.thumbnail.nbytes + 500 for card in made)
