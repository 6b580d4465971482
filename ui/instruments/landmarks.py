"""The line of time with five landmarks, and the chosen network slab by slab: what is sent, and the component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.components import mount, pack, sent_one_of

if TYPE_CHECKING:
    from cnn_core.landmarks import Counted, Landmark, Unit


def payload(landmarks: Sequence[tuple[Landmark, Sequence[tuple[str, Counted]]]], *, chosen: str, costs: bool) -> bytes:
    """landmarks: each with its networks (title, counts). Without `costs` no count goes to the browser."""
    told: dict[str, Any] = st.session_state.setdefault("cl_landmarks_told", {"chosen": chosen, "turn": 0})
    # The component marks what was picked in it by itself; a choice made elsewhere (a link) is a new turn.
    if chosen != told["chosen"]:
        told.update(chosen=chosen, turn=told["turn"] + 1)
    return pack(
        {
            "chosen": chosen,
            "turn": told["turn"],
            "costs": costs,
            "landmarks": [
                {
                    "key": entry.key,
                    "title": entry.title,
                    "year": entry.year,
                    "problem": entry.problem,
                    "answer": entry.answer,
                    "paper": entry.paper,
                    "models": [_model(title, found, costs) for title, found in networks],
                }
                for entry, networks in landmarks
            ],
        }
    )


def _model(title: str, found: Counted, costs: bool) -> dict[str, Any]:
    counts = (
        {"parameters": found.n_parameters, "macs": found.macs, "bytes": found.activation_bytes}
        if costs
        else {"parameters": 0, "macs": 0, "bytes": 0}
    )
    units = [_unit(unit, costs) for unit in found.units]
    return {
        "key": found.key,
        "title": title,
        "input": list(found.input_shape),
        "layers": found.layers,
        "units": units,
    } | counts


def _unit(unit: Unit, costs: bool) -> dict[str, Any]:
    return {
        "name": unit.name,
        "title": unit.title,
        "kind": unit.kind,
        "shape": list(unit.shape),
        # Whether there are any weights is no secret, and decides the slab's colour.
        "parameters": unit.n_parameters if costs else int(unit.n_parameters > 0),
        "macs": unit.macs if costs else 0,
        "nodes": [
            {
                "title": node.title,
                "shape": list(node.shape),
                "parameters": node.n_parameters if costs else int(node.n_parameters > 0),
                "inputs": list(node.inputs),
            }
            for node in unit.nodes
        ],
    }


def timeline(data: bytes, keys: Sequence[str], *, key: str, on_pick: Callable[[str], None]) -> None:
    """Mount it; `on_pick` is called with one of the landmarks' keys when it is clicked or Enter is pressed on it."""

    def picked() -> None:
        name = sent_one_of(key, "pick", keys)
        if name is not None:
            st.session_state["cl_landmarks_told"]["chosen"] = name
            on_pick(name)

    mount("landmarks", key=key, data=data, triggers={"pick": picked})
