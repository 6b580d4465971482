"""The evidence map over the picture, and the same class at several depths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

import cnn_core as cc
from ui.components import mount, pack, sent_one_of
from ui.instruments.place import Guess, take_guess
from ui.instruments.saliency import file_name, place_of

UNITS = {
    ("gradcam", "logit"): "logits for each cell",
    ("gradcam", "centred"): "logits (above the mean logit) for each cell",
    ("gradcam", "probability"): "probability for each cell",
    ("cam", "logit"): "logits, whose mean over cells is the logit less its bias",
    ("cam", "centred"): "logits (above the mean logit)",
    ("cam", "probability"): "probability, to first order",
}


@dataclass(frozen=True)
class Depth:
    """One layer of the strip: its operation and the positive map there."""

    operation: cc.Operation
    saliency: cc.SaliencyMap


def evidence_map(
    signed: cc.SaliencyMap,
    kept: cc.SaliencyMap,
    field: cc.ReceptiveField,
    *,
    key: str,
    subject: str,
    question: str,
    method_title: str,
    guess: Guess | None,
    on_guess: Callable[[Guess], None],
) -> None:
    """Show picture and overlay. `signed` is the raw map and `kept` the same map with positive evidence only.

    Without a guess the map is veiled and a click in the picture calls `on_guess`. `subject` names what the guess is
    about: a message from a page that showed something else is dropped.
    """
    shift = signed.placement.shift(signed.values.shape)
    meta = {
        "part": "map",
        "subject": subject,
        "question": question,
        "waiting": guess is None,
        "guess": None if guess is None or guess.position is None else list(guess.position),
        "label": signed.target.label,
        "title": signed.target.title[:1].upper() + signed.target.title[1:],
        "value": float(signed.target_value),
        "method": method_title,
        "layer": signed.layer or signed.layer_title,
        "unit": UNITS.get((signed.method, signed.target.score), signed.target.score),
        "unitWord": "of probability" if signed.target.score == "probability" else "logits",
        "empty": {"both": signed.is_empty, "positive": kept.is_empty},
        "note": {"both": signed.note, "positive": kept.note},
        "field": [float(side) for side in field.size],
        "everything": bool(field.sees_everything),
        "place": {**place_of(signed.placement), "shift": [round(float(s), 4) for s in shift]},
        "file": file_name(signed),
    }

    def guessed() -> None:
        take_guess(st.session_state[key].get("guess"), subject, signed.input_size, on_guess)

    mount("gradcam", key=key, data=pack(meta, rgb=signed.shown_rgb, values=signed.values), triggers={"guess": guessed})


def depth_strip(depths: Sequence[Depth], current: str, *, key: str, on_open: Callable[[str], None]) -> None:
    """Thumbnails of the same class's positive evidence at several layers, each on its own scale; a click opens one."""
    layers = [
        {
            "name": depth.operation.name,
            "title": f"{depth.operation.name} · {depth.operation.short_title}",
            "empty": depth.saliency.is_empty,
            "note": depth.saliency.note,
            "place": place_of(depth.saliency.placement),
            "current": depth.operation.name == current,
        }
        for depth in depths
    ]

    def opened() -> None:
        chosen = sent_one_of(key, "open", [depth.operation.name for depth in depths])
        if chosen is not None:
            on_open(chosen)

    mount(
        "gradcam",
        key=key,
        data=pack(
            {"part": "strip", "layers": layers},
            rgb=depths[0].saliency.shown_rgb,
            **{f"map{i}": depth.saliency.values for i, depth in enumerate(depths)},
        ),
        triggers={"open": opened},
    )
