"""A wall of pictures with small maps over them, to be read and chosen from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui.components import mount, pack

if TYPE_CHECKING:
    from cnn_core.saliency.placement import Placement


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture: a JPEG, two or three words under it, what is said of it in full, and its map.

    mark: "✓", "✗" or "". thumb: a JPEG file's bytes. map: float32 (h, w), non-negative, the same shape in every tile;
    None where there are no maps.
    """

    id: int
    title: str
    value: str
    mark: str
    note: str
    said: str
    thumb: bytes
    map: NDArray[np.float32] | None = None


def wall(
    tiles: Sequence[Tile],
    *,
    key: str,
    label: str,
    placement: Placement | None = None,
    chosen: Collection[int] = (),
    many: bool = False,
    on_pick: Callable[[tuple[int, ...]], None] | None = None,
    about: str = "",
    empty: str = "",
    size: int = 104,
    columns: int = 0,
) -> None:
    """Show the tiles; `on_pick` gets the ids of all that are chosen, before the page runs again.

    many: several may be chosen. placement: where the maps' cells lie. about: what the ids belong to; a choice that was
    made about something else is dropped. size: of a tile, in pixels, at least. columns: how many
    stand in a row, where rows belong together; 0 for as many as fit.
    """
    items: list[dict[str, Any]] = []
    blob = b"".join(tile.thumb for tile in tiles)
    start = 0
    for tile in tiles:
        items.append(
            {
                "id": tile.id,
                "title": tile.title,
                "value": tile.value,
                "mark": tile.mark,
                "note": tile.note,
                "said": tile.said,
                "thumb": [start, len(tile.thumb)],
            }
        )
        start += len(tile.thumb)
    held = [tile.map for tile in tiles if tile.map is not None]
    maps = np.stack(held).astype(np.float32) if held and placement is not None else np.zeros((0, 1, 1), np.float32)
    ids = {tile.id for tile in tiles}

    def picked() -> None:
        message: Any = st.session_state[key].get("pick")
        # What comes from a browser may be anything.
        if isinstance(message, dict) and message.get("about") == about and on_pick is not None:
            given = message.get("chosen")
            if isinstance(given, list) and all(type(one) is int for one in given):
                on_pick(tuple(one for one in given if one in ids))

    mount(
        "wall",
        key=key,
        data=pack(
            {
                "items": items,
                "cells": list(maps.shape[1:]),
                "place": None
                if placement is None
                else {
                    "size": list(placement.input_size),
                    "offset": list(placement.offset),
                    "stride": list(placement.stride),
                },
                "chosen": [one for one in chosen if one in ids],
                "many": many,
                "pickable": on_pick is not None,
                "label": label,
                "about": about,
                "empty": empty,
                "tile": size,
                "columns": columns,
            },
            thumbs=np.frombuffer(blob, dtype=np.uint8),
            maps=maps,
        ),
        triggers={"pick": picked},
    )
