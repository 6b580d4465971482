"""The wall of maps: several methods over one picture, with one cursor in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.saliency import Placement
from cnn_core.saliency.maps import judge
from ui.components import mount, pack, sent, sent_one_of
from ui.instruments.place import Guess, take_guess


@dataclass(frozen=True, eq=False)
class Tile:
    """One map of the wall. key: tells its kept scale apart; title: over it; unit: of its numbers, in words; settings:
    of the method's own options those that are not the declared ones, in words."""

    key: str
    title: str
    unit: str
    map: cc.SaliencyMap
    settings: str = ""


def wall(
    tiles: Sequence[Tile],
    *,
    key: str,
    subject: str,
    target: cc.SaliencyMap,
    origin: str,
    question: str = "",
    guess: Guess | None = None,
    waiting: bool = False,
    placement: tuple[str, int] = ("aligned", 0),
    compact: bool = False,
    shared: str = "",
    on_guess: Callable[[Guess], None] = lambda guess: None,
    on_place: Callable[[str], None] = lambda place: None,
) -> None:
    """Show the maps, which are raw (both signs), beside the picture (`compact`: with fewer controls).

    While `waiting`, the picture alone is shown with the question, and a click in it calls `on_guess`. target: any map
    of the same target, for its name and number. origin: where the picture and the network come from, for a kept scale.
    placement: what holds at first, and a number that changes when a link says otherwise. subject: what the guess is
    about; a message from a page that showed something else is dropped. shared: what one scale for all of them means,
    for maps that have it from the start.
    """
    shown = () if waiting else tiles
    meta = {
        "part": "wall",
        "name": key,
        "subject": subject,
        "waiting": waiting,
        "question": question,
        "compact": compact,
        "shared": shared,
        "guess": None if guess is None or guess.position is None else list(guess.position),
        "title": target.target.title[:1].upper() + target.target.title[1:],
        "value": float(target.target_value),
        "from": origin,
        "place": placement[0],
        "opened": placement[1],
        "tiles": [_tile(tile) for tile in shown],
    }

    def guessed() -> None:
        take_guess(st.session_state[key].get("guess"), subject, target.input_size, on_guess)

    def placed() -> None:
        place = sent(key, "place").get("place")
        if place == "aligned" or place == "naive":
            on_place(place)

    arrays = {f"map{i}": tile.map.values for i, tile in enumerate(shown)}
    mount(
        "saliency",
        key=key,
        data=pack(meta, rgb=target.shown_rgb, **arrays),
        triggers={"guess": guessed, "place": placed},
    )


@dataclass(frozen=True, eq=False)
class Depth:
    """One layer of the strip: its operation, the map there, and a letter where it is one of two compared."""

    operation: cc.Operation
    map: cc.SaliencyMap
    mark: str = ""


def layer_maps(depths: Sequence[Depth], current: str, *, key: str, label: str, on_open: Callable[[str], None]) -> None:
    """One class through the layers: thumbnails of the positive evidence, each on its own scale; a click opens one."""
    layers = [
        {
            "name": depth.operation.name,
            "title": depth.operation.title,
            "empty": judged(depth.map)[0],
            "note": judged(depth.map)[1],
            "place": place_of(depth.map.placement),
            "current": depth.operation.name == current,
            "mark": depth.mark,
        }
        for depth in depths
    ]

    def opened() -> None:
        chosen = sent_one_of(key, "open", [depth.operation.name for depth in depths])
        if chosen is not None:
            on_open(chosen)

    mount(
        "saliency",
        key=key,
        data=pack(
            {"part": "layers", "label": label, "layers": layers},
            rgb=depths[0].map.shown_rgb,
            **{f"map{i}": depth.map.values for i, depth in enumerate(depths)},
        ),
        triggers={"open": opened},
    )


def judged(made: cc.SaliencyMap) -> tuple[bool, str]:
    """Whether the positive part of a raw map carries nothing, and the sentence that says so."""
    empty, note = judge(made.values, rectified=True, label=made.target.label)
    return empty, note


def positive(made: cc.SaliencyMap) -> cc.SaliencyMap:
    """The same map with what speaks for the target only, as `cc.explain(rectify=True)` gives it."""
    empty, note = judged(made)
    values = np.maximum(made.values, np.float32(0))
    values.setflags(write=False)
    return replace(made, values=values, rectified=True, is_empty=empty, note=note)


def place_of(placement: Placement) -> dict[str, list[float]]:
    """A placement as the component reads it."""
    return {
        "offset": [float(v) for v in placement.offset],
        "stride": [float(v) for v in placement.stride],
        "size": [float(v) for v in placement.input_size],
    }


def file_name(made: cc.SaliencyMap) -> str:
    """A name for a map's files, of letters, digits, dots and underscores."""
    words = f"{made.method}_{made.target.label}_{made.layer or 'input'}"
    return re.sub(r"[^A-Za-z0-9.]+", "_", words).strip("_")[:80]


def _tile(tile: Tile) -> dict[str, object]:
    made = tile.map
    empty, note = judged(made)
    at_pixels = made.layer is None and made.placement.stride == (1.0, 1.0)
    shift = made.placement.shift(made.values.shape)
    return {
        "key": tile.key,
        "title": tile.title,
        "unit": tile.unit,
        "layer": made.layer or "input",
        "cells": "pixels" if at_pixels else "cells",
        "place": place_of(made.placement),
        "shift": [float(np.round(s, 4)) for s in shift],
        "empty": {"both": made.is_empty, "positive": empty},
        "note": {"both": made.note, "positive": note},
        "file": file_name(made),
        "remark": made.remark,
        "settings": tile.settings,
    }
