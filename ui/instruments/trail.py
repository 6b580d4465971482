"""The trail: what the browser gets to walk it, the map from which it starts, and what it sends back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.receptive_field import receptive_fields
from cnn_core.trail import TrailStep
from ui.components import mount, pack
from ui.instruments.featuremaps import shrink
from ui.instruments.place import Guess

_MAP_SIDE = 32  # cells of a step's small map
_THUMB_SIDE = 28
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Walk:
    """A trail ready to be sent: one entry for each step, and the small maps of the channels on the way.

    steps: plain JSON. maps: uint8 (n,), the maps one after the other; each entry says where its own starts.
    """

    steps: list[dict[str, Any]]
    maps: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.maps.nbytes + 2000 * len(self.steps)


def place_words(axes: Sequence[str], index: Sequence[int], class_names: Sequence[str] = ()) -> str:
    """An index for people: "channel 3, row 12, column 30"; a class by its name where the names are given."""
    if class_names and len(index) == 1:
        return f"{class_names[index[0]]} ({index[0]})"
    return ", ".join(f"{axis} {at}" for axis, at in zip(axes, index, strict=True))


def walk_of(classifier: cc.Classifier, trace: cc.Trace, trail: cc.Trail) -> Walk:
    """Every step with its words, its box in the picture, its strongest parts and its channel's map."""
    network = classifier.network
    fields = receptive_fields(network)
    activations = trace.activations({step.operation for step in trail.steps})
    blobs: list[NDArray[np.uint8]] = []
    start = 0
    steps = []
    for step in trail.steps:
        operation = network[step.operation]
        entry = _entry(classifier, step, operation)
        at = dict(zip(operation.axes, step.index, strict=True))
        field = fields[operation.name]
        # Of a number that sees everything and has no place of its own, the box is the whole picture.
        local = "row" in at or not field.sees_everything
        box = field.box(at.get("row", 0), at.get("column", 0)) if local else (0.0, 0.0, *field.input_size)
        entry |= {"box": [float(edge) for edge in box], "everything": field.sees_everything, "map": None}
        drawn = _small_map(operation, activations[operation.name], at)
        if drawn is not None:
            cells, about = drawn
            entry["map"] = {**about, "start": start}
            blobs.append(cells.reshape(-1))
            start += cells.size
        steps.append(entry)
    return Walk(steps, np.concatenate(blobs) if blobs else np.zeros(1, np.uint8))


def _entry(classifier: cc.Classifier, step: TrailStep, operation: cc.Operation) -> dict[str, Any]:
    network = classifier.network

    def words(name: str, index: tuple[int, ...]) -> str:
        if name == "input" and network.input_shape[0] == len(_COLOURS):
            return f"{_COLOURS[index[0]]}, {place_words(network[name].axes[1:], index[1:])}"
        names = classifier.class_names if name in (network.output, "softmax") else ()
        return place_words(network[name].axes, index, names)

    return {
        "op": step.operation,
        "kind": step.kind,
        "title": step.title,
        "short": operation.short_title,
        "index": list(step.index),
        "place": words(step.operation, step.index),
        "value": step.value,
        "computed": step.computed,
        "matches": step.matches,
        "combine": step.combine,
        "n_parts": step.n_parts,
        "contribution": step.contribution,
        "share": step.share,
        "turned": step.turned,
        "n_rest": step.n_rest,
        "rest": step.rest,
        "bias": step.bias,
        "contributors": [
            {
                "op": one.operation,
                "index": list(one.index),
                "place": words(one.operation, one.index),
                "input": one.input_number,
                "value": one.value,
                "share": one.share,
                "followed": one.followed,
            }
            for one in step.contributors
        ],
    }


def _small_map(
    operation: cc.Operation, activation: NDArray[np.float32], at: dict[str, int]
) -> tuple[NDArray[np.uint8], dict[str, Any]] | None:
    """The unit's own map in at most `_MAP_SIDE` cells a side, as bytes between its lowest and highest number."""
    if not {"channel", "row", "column"} <= at.keys() or len(operation.axes) != 3:
        return None
    full = np.moveaxis(activation, operation.axes.index("channel"), 0)[at["channel"]]
    if full.size == 1:
        return None
    factor = math.ceil(max(full.shape) / _MAP_SIDE)
    cells = shrink(full[None], factor)[0]
    low, high = float(cells.min()), float(cells.max())
    scaled = np.zeros(cells.shape) if high == low else (cells - low) / (high - low) * 255
    size = f"{full.shape[0]} × {full.shape[1]}"
    averaged = f", drawn in means of {factor} × {factor}" if factor > 1 else ""
    about = {
        "h": cells.shape[0],
        "w": cells.shape[1],
        "low": low,
        "high": high,
        "row": at["row"] // factor,
        "column": at["column"] // factor,
        "title": f"Channel {at['channel']}: {size}{averaged}",
    }
    return np.round(scaled).astype(np.uint8), about


def trail_walk(
    classifier: cc.Classifier,
    seen: cc.ModelInput,
    trail: cc.Trail,
    walk: Walk,
    *,
    text: str,
    key: str,
    subject: str,
    question: str,
    guess: Guess | None,
    can_undo: bool,
    link: dict[str, str],
    is_private: bool,
    on_act: Callable[[dict[str, Any]], None],
) -> None:
    """Show the trail, which `text` stands for; without a guess it may be its first steps.

    `on_act` gets the checked message {"what": "turn" | "undo" | "again" | "guess" | "skip", ...}.
    """
    last = trail.steps[-1]
    meta = {
        "part": "walk",
        "subject": subject,
        "text": text,
        "question": question,
        "waiting": guess is None,
        "guess": None if guess is None or guess.position is None else list(guess.position),
        "steps": walk.steps if guess is not None else walk.steps[:1],
        "end": trail.end,
        "ending": trail.sentence,
        "pixel": list(last.index[1:]) if trail.end == "input" and guess is not None else None,
        "undo": can_undo,
        "turned": bool(trail.turns),
        "model": classifier.key,
        "query": urlencode(link),
        "private": is_private,
        "file": re.sub(r"[^A-Za-z0-9.]+", "_", f"trail_{classifier.card.key}_{text}")[:80],
    }

    def acted() -> None:
        message = st.session_state[key].get("act")
        # What comes from a browser may be anything; a message about another trail is late, and dropped.
        if isinstance(message, dict) and message.get("text") == text and _is_sound(message, trail, seen):
            on_act(message)

    maps = walk.maps if guess is not None else np.zeros(1, np.uint8)
    mount("trail", key=key, data=pack(meta, rgb=seen.shown_rgb, maps=maps), triggers={"act": acted})


def _is_sound(message: dict[str, Any], trail: cc.Trail, seen: cc.ModelInput) -> bool:
    what = message.get("what")
    if what in ("undo", "again", "skip"):
        return True
    if what == "guess":
        height, width = seen.shown_rgb.shape[:2]
        row, column = message.get("row"), message.get("column")
        return (
            isinstance(row, int | float) and isinstance(column, int | float)
            and 0 <= row <= height and 0 <= column <= width
        )  # fmt: skip
    if what == "turn":
        step, number, index = message.get("step"), message.get("input"), message.get("index")
        return (
            isinstance(step, int) and 0 <= step < len(trail.steps)
            and isinstance(number, int) and 0 <= number < 10_000
            and isinstance(index, list) and 0 < len(index) <= 4
            and all(isinstance(i, int) and 0 <= i < 1_000_000 for i in index)
        )  # fmt: skip
    return False


def start_map(
    layer: cc.Operation,
    maps: NDArray[np.float32],
    unit: tuple[int, int, int],
    strongest: Sequence[tuple[int, int, int]],
    *,
    key: str,
    on_pick: Callable[[int, int, int], None],
) -> None:
    """The map of one channel, float32 maps (C, H, W), and small ones of the strongest, each (channel, row, column)."""
    chosen = maps[unit[0]]
    factor = math.ceil(max(chosen.shape) / _THUMB_SIDE)
    thumbs = shrink(maps[[channel for channel, _, _ in strongest]], factor)
    meta = {
        "part": "start",
        "layer": layer.name,
        "unit": list(unit),
        "low": float(chosen.min()),
        "high": float(chosen.max()),
        "thumbs": [
            {
                "channel": channel,
                "row": row,
                "column": column,
                "peak": float(maps[channel, row, column]),
                "low": float(small.min()),
                "high": float(small.max()),
            }
            for (channel, row, column), small in zip(strongest, thumbs, strict=True)
        ],
    }

    def picked() -> None:
        message = st.session_state[key].get("unit")
        if not isinstance(message, dict) or message.get("layer") != layer.name:
            return
        wanted = [at for at in (message.get(axis) for axis in ("channel", "row", "column")) if isinstance(at, int)]
        if len(wanted) == 3 and all(0 <= at < n for at, n in zip(wanted, maps.shape, strict=True)):
            on_pick(*wanted)

    data = pack(meta, values=np.ascontiguousarray(chosen), thumbs=np.ascontiguousarray(thumbs))
    mount("trail", key=key, data=data, triggers={"unit": picked})
