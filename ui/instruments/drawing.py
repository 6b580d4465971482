"""The drawing board: strokes in 28 x 28, what the network sees of them, its bars, and the maps of each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui.components import mount, pack

SIDE = 28


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer's output: its first maps float32 (n, rows, columns), or its list float32 (n,)."""

    name: str
    title: str
    shape: tuple[int, ...]
    values: NDArray[np.float32]


def drawing(
    seen: NDArray[np.uint8] | None,
    layers: Sequence[Layer],
    probabilities: NDArray[np.floating] | None,
    class_names: Sequence[str],
    *,
    side: int,
    can_draw: bool,
    key: str,
    on_draw: Callable[[NDArray[np.uint8] | None, bool], None],
    truth: int | None = None,
) -> None:
    """Show the board; `on_draw` gets the strokes uint8 (28, 28), or None once it is wiped, and whether to centre them.

    seen: what the network reads, uint8 (side, side) or (side, side, 3); None before anything was drawn. truth: the
    class of a test picture.
    """
    meta = {
        "names": list(class_names),
        "probabilities": None if probabilities is None else [float(p) for p in probabilities],
        "canDraw": can_draw,
        "side": side,
        "truth": truth,
        "layers": [{"name": one.name, "title": one.title, "shape": list(one.shape)} for one in layers],
    }
    arrays: dict[str, np.ndarray] = {f"layer{i}": one.values for i, one in enumerate(layers)}
    if seen is not None:
        arrays["seen"] = np.ascontiguousarray(seen)

    def drawn() -> None:
        # A message from the browser may say anything.
        message: Any = st.session_state[key].get("draw")
        if not isinstance(message, dict):
            return
        if message.get("wiped") is True:
            on_draw(None, False)
            return
        pixels = message.get("pixels")
        if not (
            isinstance(pixels, list)
            and len(pixels) == SIDE * SIDE
            and all(isinstance(p, int) and 0 <= p <= 255 for p in pixels)
        ):
            return
        on_draw(np.array(pixels, dtype=np.uint8).reshape(SIDE, SIDE), message.get("centre") is True)

    mount("drawing", key=key, data=pack(meta, **arrays), triggers={"draw": drawn})
