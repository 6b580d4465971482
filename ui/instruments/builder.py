"""The builder: a row of layers that is put together by pointer or keyboard, with what each makes and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

import cnn_core as cc
from cnn_core.training.built import KINDS, LIMITS, MAX_LAYERS, PRESETS, Layer, Plan, in_words, parse, tidy
from ui.components import mount, pack

_UNITS = {"conv": "channels", "res": "channels", "drop": "per cent", "linear": "units"}
_NUMBERS = ("units", "kernel", "stride", "padding")


def builder(
    layers: Sequence[Layer], plan: Plan, *, data_title: str, key: str, on_change: Callable[[tuple[Layer, ...]], None]
) -> None:
    """Show the layers and their plan; a change calls `on_change` with the new ones."""
    known: list[dict[str, Any]] = []
    for i, layer in enumerate(layers):
        told = _plain(layer) | {"title": layer.title}
        if i < len(plan.steps):
            step = plan.steps[i]
            told |= {
                "out": list(step.output_shape),
                "inWords": in_words(step.input_shape),
                "outWords": in_words(step.output_shape),
                "parameters": step.n_parameters,
                "macs": step.macs,
            }
        known.append(told)
    form = plan.form
    meta = {
        "layers": known,
        "told": st.session_state.get(f"{key}_told", 0),
        "kinds": {
            kind.key: {"title": kind.title, "numbers": list(kind.numbers), "units": _UNITS.get(kind.key, "")}
            for kind in KINDS.values()
        },
        "limits": {f"{kind}.{name}": list(limits) for (kind, name), limits in LIMITS.items()},
        "most": MAX_LAYERS,
        "presets": [
            {"key": name, "title": title, "layers": [_plain(layer) for layer in parse(text)]}
            for name, (title, text) in PRESETS.items()
        ],
        "input": [form.channels, form.side, form.side],
        "inputWords": in_words((form.channels, form.side, form.side)),
        "dataTitle": data_title,
        "classes": form.classes,
        "parameters": plan.n_parameters,
        "macs": plan.macs,
        "problem": plan.problem,
        "problemAt": plan.problem_at,
    }

    def changed() -> None:
        # A message from the browser may say anything.
        message = st.session_state[key].get("change")
        found = _read(message.get("layers")) if isinstance(message, dict) else None
        st.session_state[f"{key}_told"] = st.session_state.get(f"{key}_told", 0) + 1
        if found is not None:
            on_change(found)

    mount("builder", key=key, data=pack(meta), triggers={"change": changed})


def _plain(layer: Layer) -> dict[str, Any]:
    return {"kind": layer.kind} | {name: getattr(layer, name) for name in _NUMBERS}


def _read(given: Any) -> tuple[Layer, ...] | None:
    """Layers from a message; None where it is none that a builder sends."""
    if not isinstance(given, list) or len(given) > MAX_LAYERS:
        return None
    try:
        layers = tidy([Layer(str(one["kind"]), *(int(one.get(name, 0)) for name in _NUMBERS)) for one in given])
        return parse("-".join(layer.text for layer in layers))
    except (cc.InvalidOption, KeyError, TypeError, ValueError, AttributeError):
        return None
