"""Two instruments on one real map: an activation function, and a pooling window that slides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import components

if TYPE_CHECKING:
    import cnn_core as cc
    from cnn_core.pooling_lesson import PoolingRule

# The kinds whose formula the browser knows (assets/components/activation); each is computed there once more.
ACTIVATIONS = ("relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid")
CHANNELS_SHOWN = 64
_THUMBNAIL = 34


def activation(
    trace: cc.Trace,
    operation: cc.Operation,
    source_title: str,
    channel: int,
    *,
    key: str,
    on_channel: Callable[[int], None],
) -> None:
    """Mount one channel of an activation function, before and after.

    `on_channel` is called with the channel that was clicked before the page (or fragment) runs again.
    """
    source = operation.inputs[0]
    before, after = trace.activations([source, operation.name]).values()
    first = channel - channel % CHANNELS_SHOWN
    meta = {
        "kind": operation.kind,
        "title": operation.short_title,
        "layer": operation.name,
        "source_title": source_title,
        "digest": _digest(trace),
        "channel": channel,
        "channels": int(after.shape[0]),
        "first": first,
    }
    data = components.pack(
        meta,
        before=before[channel],
        after=after[channel],
        thumbs=_thumbnails(after[first : first + CHANNELS_SHOWN]),
    )

    def changed() -> None:
        chosen = st.session_state[key].get("channel")
        if components.is_index(chosen, len(after)):
            on_channel(chosen)

    components.mount("activation", key=key, data=data, triggers={"channel": changed})


def own_pooling(trace: cc.Trace, operation: cc.Operation, rule: PoolingRule, channel: int, *, key: str) -> None:
    """Mount one of the network's own pooling layers; every number is compared with torch's in the browser."""
    meta = {
        "own": True,
        "digest": f"{_digest(trace)} {operation.name}",
        "title": operation.title,
        "note": f"the network’s own layer {operation.name}, channel {channel}",
        "rule": {
            "kind": rule.kind,
            "kernel": list(rule.kernel_size),
            "stride": list(rule.stride),
            "padding": list(rule.padding),
            "dilation": list(rule.dilation),
            "ceil_mode": rule.ceil_mode,
            "counts_padding": rule.count_include_pad,
        },
    }
    data = components.pack(
        meta,
        map=trace.activation(operation.inputs[0])[channel],
        pooled=trace.activation(operation.name)[channel],
    )
    components.mount("pooling", key=key, data=data)


def laid_pooling(trace: cc.Trace, operation: cc.Operation, channel: int, *, key: str) -> None:
    """Mount a pooling layer that the visitor lays on the maps of an operation: the network itself has none there."""
    meta = {
        "own": False,
        "digest": f"{_digest(trace)} {operation.name}",
        "note": f"a pooling layer laid by you on channel {channel} of {operation.name}; the network has none here",
    }
    components.mount("pooling", key=key, data=components.pack(meta, map=trace.activation(operation.name)[channel]))


def _digest(trace: cc.Trace) -> str:
    return trace.input.digest if trace.input is not None else ""


def _thumbnails(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Each map small, from its own lowest to its own highest value: uint8 (n, h, w)."""
    step = max(1, -(-max(maps.shape[1:]) // _THUMBNAIL))
    small = maps[:, ::step, ::step]
    low, high = small.min(axis=(1, 2), keepdims=True), small.max(axis=(1, 2), keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.round((small - low) / span * 255).astype(np.uint8)
