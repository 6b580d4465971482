"""What the browser gets to open a unit of a convolution: its windows and kernels, or the whole small input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.filters import Filter, filter_of, pointwise_followers
from ui.components import pack

# Up to this size the whole input goes along, and every cell opens in the browser with no message to the server.
_LOCAL_BYTES = 400_000
_THUMBNAILS = 6
_COLOURS = ["red", "green", "blue"]


def unit_payload(
    classifier: cc.Classifier,
    seen: cc.ModelInput,
    trace: cc.Trace,
    operation: cc.Operation,
    index: tuple[int, int, int],
) -> bytes:
    """Pack mode 2 of the convolution component: the unit `index` = (channel, row, column) of a Conv2d."""
    channel, row, column = index
    filter_ = filter_of(classifier, operation, channel)
    explanation = cc.explain_unit(classifier, trace, operation, index)
    source = classifier.network[operation.inputs[0]]
    chain = pointwise_followers(classifier.network, operation.name)
    maps = trace.activation(source.name)[filter_.first_channel : filter_.first_channel + len(filter_.weights)]
    is_picture = source.kind == "input"
    meta: dict[str, Any] = {
        "mode": "unit",
        "digest": seen.digest,
        "layer": operation.name,
        "channel": channel,
        "channels": operation.output_shape[0],
        "row": row,
        "column": column,
        "first": filter_.first_channel,
        "bias": filter_.bias,
        "stride": list(filter_.stride),
        "padding": list(filter_.padding),
        "dilation": list(filter_.dilation),
        "names": {1: ["grey"], 3: _COLOURS}.get(source.output_shape[0]) if is_picture else None,
        "chain": [_link(classifier, link, channel) for link in chain],
        "mean": [float(v) for v in seen.mean],
        "std": [float(v) for v in seen.std],
    }
    arrays: dict[str, NDArray[Any]] = {
        "answers": trace.activation(operation.name)[channel],
        "weights": filter_.weights,
    }
    arrays |= {f"chain{i}": trace.activation(link.name)[channel] for i, link in enumerate(chain)}
    if is_picture and len(maps) == len(_COLOURS):
        arrays["rgb"] = seen.shown_rgb  # a quarter of the tensor's size; the browser repeats the normalisation
    elif maps.nbytes <= _LOCAL_BYTES:
        arrays["input"] = maps
    else:
        arrays |= _windows(filter_, maps, explanation)
    return pack(meta, **arrays)


def _link(classifier: cc.Classifier, link: cc.Operation, channel: int) -> dict[str, Any]:
    """One pointwise operation after the convolution; for BatchNorm the four numbers of this channel."""
    entry: dict[str, Any] = {"title": link.short_title, "kind": link.kind, "norm": None}
    if link.kind == "batch_norm2d":
        tensors = classifier.network.parameters(link.name)
        learned = {"weight": 1.0, "bias": 0.0}
        entry["norm"] = {
            "mean": float(tensors["running_mean"][channel]),
            "variance": float(tensors["running_var"][channel]),
            "epsilon": float(link.attributes["eps"]),
            **{name: float(tensors[name][channel]) if name in tensors else value for name, value in learned.items()},
        }
    return entry


def _windows(filter_: Filter, maps: NDArray[np.float32], explanation: cc.UnitExplanation) -> dict[str, NDArray[Any]]:
    """Every channel's window, and small pictures of the channels that contribute most."""
    terms = list(explanation.terms)
    padded = terms[0].padded if terms[0].padded is not None else np.zeros(filter_.weights.shape[1:], dtype=bool)
    top = np.argsort([-abs(term.value) for term in terms], kind="stable")[:_THUMBNAILS]
    chosen = maps[top]
    low, high = (reduce(chosen, axis=(1, 2), keepdims=True) for reduce in (np.min, np.max))
    span = np.where(high > low, high - low, 1)
    return {
        "windows": np.stack([np.asarray(term.window, dtype=np.float32) for term in terms]),
        "padded": padded.astype(np.uint8),
        "thumbs": np.round((chosen - low) / span * 255).astype(np.uint8),
        "thumb_ranges": np.concatenate([low, high], axis=1)[:, :, 0].astype(np.float32),
        "thumb_ids": top.astype(np.int32),
    }
