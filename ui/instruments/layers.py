"""The depth strip: every layer with maps as a bar, from which one is picked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

import cnn_core as cc
from ui.components import mount, pack, sent_one_of


def _as_maps(operation: cc.Operation) -> list[int]:
    """(channels, rows, columns), whatever the order of the axes; a vector is one cell."""
    sides = dict(zip(operation.axes, operation.output_shape, strict=True))
    if {"row", "column"} <= sides.keys():
        return [sides.get("channel", 1), sides["row"], sides["column"]]
    return [math.prod(operation.output_shape), 1, 1]


def _what(operation: cc.Operation) -> str:
    channels, rows, columns = _as_maps(operation)
    if {"row", "column"} <= set(operation.axes):
        return f"{channels} maps of {rows} × {columns}"
    return f"{channels} numbers"


def layer_strip(
    operations: Sequence[cc.Operation], selected: str, *, key: str, label: str, on_pick: Callable[[str], None]
) -> None:
    """Show the strip; `on_pick` is called with the chosen operation's name before the page (or fragment) runs again."""
    layers = [
        {
            "name": operation.name,
            "title": operation.title,
            "kind": operation.kind,
            "shape": _as_maps(operation),
            "what": _what(operation),
            "stage": operation.group[0],
        }
        for operation in operations
    ]
    # The strip marks what was picked in it by itself. It is only told of a choice made elsewhere (a link, a click in
    # another instrument), so that picking a layer does not send hundreds of them again.
    told: dict[str, Any] = st.session_state.setdefault(
        f"{key}_told", {"selected": selected, "turn": 0, "marked": selected}
    )
    if selected != told["marked"]:
        told.update(selected=selected, turn=told["turn"] + 1, marked=selected)

    def changed() -> None:
        chosen = sent_one_of(key, "pick", [operation.name for operation in operations])
        if chosen is not None:
            told["marked"] = chosen
            on_pick(chosen)

    mount(
        "layers",
        key=key,
        data=pack({"layers": layers, "selected": told["selected"], "turn": told["turn"], "label": label}),
        triggers={"pick": changed},
    )
