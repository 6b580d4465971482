"""Mark where the object is on a picture: boxes that can be moved and resized, or a painted mask; told on release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.bias.regions import Box, Region
from ui.components import mount, pack

MOST_BOXES: Final = 16
_LONGEST: Final = 720  # of the picture that is sent
_GRID: Final = 256  # cells along the longer side of what is painted


def regions(
    picture: cc.Picture,
    region: Region | None,
    *,
    key: str,
    on_change: Callable[[Region | None], None],
    subject: str | None = None,
    brush: bool = True,
    label: str = "The picture, to mark the object on",
) -> None:
    """Show the picture with its region; `on_change` gets the new one, or None where nothing is marked any more.

    on_change runs before the page does, once a pointer is released or the keys rest. What the page passes as `region`
    the next time is what is shown, so it can also put one there itself (an imported box). subject: what the marks
    belong to (default: the picture's digest); another one begins anew. brush: whether a mask can be painted. A mask is
    kept at 256 cells along the longer side, and comes back at the picture's own size.
    """
    size = (picture.height, picture.width)
    subject = subject or picture.digest[:16]
    grid = grid_of(*size)
    boxes = () if region is None else region.boxes
    mask = None if region is None or region.mask is None else _coarse(region.mask, grid)
    meta = {
        "subject": subject,
        "size": list(size),
        "grid": list(grid),
        "boxes": [[round(float(v), 2) for v in (b.top, b.left, b.bottom, b.right)] for b in boxes],
        "runs": None if mask is None or not mask.any() else runs_of(mask),
        "brush": brush,
        "most": MOST_BOXES,
        "label": label,
        # Which message of the browser this answers: what was drawn since then is not overwritten.
        "answers": st.session_state.get(f"{key}_answers", 0),
    }

    def marked() -> None:
        message: Any = st.session_state[key].get("region")
        # A message from the browser may say anything, or be about the picture before.
        if isinstance(message, dict) and message.get("subject") == subject:
            number = message.get("number")
            st.session_state[f"{key}_answers"] = number if isinstance(number, int) else 0
            try:
                found = read_message(message, size, grid, region)
            except (cc.InvalidOption, ValueError, TypeError):
                return
            on_change(found)

    mount(
        "regions",
        key=key,
        data=pack(meta, picture=np.ascontiguousarray(picture.thumbnail(_LONGEST))),
        triggers={"region": marked},
    )


def grid_of(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the grid that is painted on: at most 256 on the longer side, and never finer than pixels."""
    scale = min(1.0, _GRID / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def read_message(
    message: dict[str, Any], size: tuple[int, int], grid: tuple[int, int], before: Region | None = None
) -> Region | None:
    """The region of a browser's message; None where it marks nothing.

    A mask that was not painted on since keeps its own pixels (`before`). Raises ValueError, TypeError or InvalidOption
    for anything that no browser of ours says.
    """
    height, width = size
    given = message.get("boxes", [])
    if not isinstance(given, list) or len(given) > MOST_BOXES:
        raise ValueError("boxes")
    boxes = []
    for edges in given:
        top, left, bottom, right = (float(edge) for edge in edges)
        boxes.append(Box(top, left, bottom, right).cut_to(height, width))
    runs, mask = message.get("runs"), None
    if runs is not None:
        cells = from_runs(runs, grid)
        if before is not None and before.mask is not None and np.array_equal(_coarse(before.mask, grid), cells):
            mask = before.mask
        else:
            mask = _fine(cells, size)
    if mask is not None and not mask.any():
        mask = None
    return Region(tuple(boxes), mask) if boxes or mask is not None else None


def runs_of(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of runs of False and True in turn, row by row, the first of False."""
    flat = np.asarray(mask, dtype=np.int8).reshape(-1)
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else [int(n) for n in lengths]


def from_runs(runs: Any, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """The inverse of `runs_of`; raises ValueError where the runs do not fill the grid exactly."""
    n = grid[0] * grid[1]
    if not isinstance(runs, list) or len(runs) > n + 1 or not all(type(r) is int and 0 <= r <= n for r in runs):
        raise ValueError("runs")
    if sum(runs) != n:
        raise ValueError("runs")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(grid)


def _coarse(mask: NDArray[np.bool_], grid: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask on the painting grid: what it is at the middle of each cell, so that `_fine` is undone exactly."""
    return mask[np.ix_(*(((2 * np.arange(n) + 1) * side // (2 * n)) for n, side in zip(grid, mask.shape, strict=True)))]


def _fine(cells: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A painted grid at the picture's own size: each pixel is its cell's."""
    return cells[
        np.ix_(*(((2 * np.arange(n) + 1) * side // (2 * n)) for n, side in zip(size, cells.shape, strict=True)))
    ]
