"""The depth strip: every layer with maps as a bar, from which one is picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

import cnn_core as cc
from ui.components import mount, pack


def layer_strip(
    operations: Sequence[cc.Operation], selected: str, *, key: str, label: str, on_pick: Callable[[str], None]
) -> None:
    """Show the strip; `on_pick` is called with the chosen operation's name before the page (or fragment) runs again."""
    layers = [
        {
            "name": operation.name,
            "title": operation.title,
            "kind": operation.kind,
            "shape": list(operation.output_shape),
            "stage": operation.group[0],
        }
        for operation in operations
    ]

    def changed() -> None:
        chosen = st.session_state[key].get("pick")
        if chosen in {operation.name for operation in operations}:
            on_pick(chosen)

    mount(
        "layers",
        key=key,
        data=pack({"layers": layers, "selected": selected, "label": label}),
        triggers={"pick": changed},
    )
