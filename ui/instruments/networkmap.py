"""The graph of a whole network with its maps on this picture: what is sent to the browser, and the component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import components
from ui.instruments.featuremaps import Floats, shrink

if TYPE_CHECKING:
    import cnn_core as cc

BYTES_A_NUMBER = 4
"""Activations are float32."""
SIDE = 32
"""Thumbnails of stages and blocks have at most so many rows and columns; those of single operations fewer."""
LARGE_SIDE = 64
"""A stage's strongest map is drawn large."""
SMALL_SIDE = 20
_VECTOR = 48


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """The strongest maps of each operation, as bytes of a colour scale, each on its own scale.

    numbers: uint8 (n,), maps one after another; a map without negative numbers: 0 is zero and 255 its largest number;
    a signed one: 127 is zero, 0 and 254 minus and plus its number largest in size.
    table: int32 (m, 6): operation, channel (-1 for a vector), rows, columns, first byte, signed.
    """

    numbers: NDArray[np.uint8]
    table: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes + self.table.nbytes


_TOGETHER: Final = 16
"""Operations whose outputs are worked out at once: what they share is run once, and few are held at a time."""


def as_bytes(values: Floats) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Maps (n, h, w) as positions on a colour scale (see Thumbnails), and which of them have negative numbers."""
    top = np.abs(values).max(axis=(1, 2), keepdims=True, initial=0)
    empty = top == 0
    signed = (values.min(axis=(1, 2), keepdims=True, initial=0) < 0) & ~empty
    scaled = values / np.where(empty, 1, top)
    cells = np.round(np.where(signed, scaled * 127 + 127, scaled * 255)).astype(np.uint8)
    return cells, signed.reshape(-1)


def strongest(maps: Floats, k: int) -> list[int]:
    """The k channels of maps (C, H, W) with the largest mean of |activation|, the strongest first."""
    strength = np.linalg.norm(maps.reshape(len(maps), -1), ord=1, axis=1)
    return [int(c) for c in np.argsort(-strength, kind="stable")[:k] if strength[c] > 0]


def folding(operations: Sequence[cc.Operation]) -> list[tuple[str, str]]:
    """(stage, block) of each operation as it is folded: a block is in one stage, that of its last operation.

    A block that halves the resolution, or an Inception module whose branches do so one after another, stays whole.
    """
    groups: list[tuple[str, str]] = []
    for block, members in groupby(operations, key=lambda operation: operation.group[1]):
        run = list(members)
        stage = run[-1].group[0]
        groups += [(stage, block) if block else operation.group for operation in run]
    return groups


def thumbnails(operations: Sequence[cc.Operation], trace: cc.Trace) -> Thumbnails:
    """Four maps for the last operation of each stage, two for the last of each block, one for every other."""
    chosen: list[tuple[int, int, Floats, int]] = []  # operation, channel, its map, how many cells become one
    groups = folding(operations)
    following = [*groups[1:], ("", "")]
    for index, (operation, group, after) in enumerate(zip(operations, groups, following, strict=True)):
        if index % _TOGETHER == 0:
            worked_out = trace.activations([other.name for other in operations[index : index + _TOGETHER]])
        activation = worked_out[operation.name]
        if "channel" in operation.axes and activation.ndim == 3 and activation.size > activation.shape[0]:
            maps = np.moveaxis(activation, operation.axes.index("channel"), 0)
            count = 4 if group[0] != after[0] else 2 if group != after else 1
            sides = [LARGE_SIDE, SIDE, SIDE, SIDE] if count == 4 else [SIDE, SIDE] if count == 2 else [SMALL_SIDE]
            for channel, side in zip(strongest(maps, count), sides, strict=False):
                # A copy: a view would hold the whole activation.
                chosen.append((index, channel, maps[channel].copy(), -(-max(maps.shape[1:]) // side)))
        elif operation.kind != "softmax":
            chosen.append((index, -1, _in_short(activation.reshape(-1)), 1))
    drawn = _drawn(chosen)
    starts = np.cumsum([0, *(cells.size for cells, _ in drawn)])
    rows = [
        (index, channel, *cells.shape, start, signed)
        for (index, channel, _, _), (cells, signed), start in zip(chosen, drawn, starts[:-1], strict=True)
    ]
    numbers = [cells.reshape(-1) for cells, _ in drawn]
    return Thumbnails(
        np.concatenate(numbers) if numbers else np.zeros(0, np.uint8), np.array(rows, np.int32).reshape(-1, 6)
    )


def _drawn(chosen: Sequence[tuple[int, int, Floats, int]]) -> list[tuple[NDArray[np.uint8], bool]]:
    """Each map made small, as bytes, and whether it is signed; maps of one size together, which is much quicker."""
    alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for at, (_, _, values, factor) in enumerate(chosen):
        alike.setdefault((values.shape, factor), []).append(at)
    found: dict[int, tuple[NDArray[np.uint8], bool]] = {}
    for (_, factor), places in alike.items():
        cells, signed = as_bytes(shrink(np.stack([chosen[at][2] for at in places]), factor))
        found |= {at: (cells[i], bool(signed[i])) for i, at in enumerate(places)}
    return [found[at] for at in range(len(chosen))]


def _in_short(vector: Floats) -> Floats:
    """A long vector as at most 48 numbers in order, each the one largest in size of its run, float32 (1, n)."""
    runs = np.array_split(vector, min(_VECTOR, vector.size))
    return np.array([[run[np.abs(run).argmax()] for run in runs]], dtype=np.float32)


def activation_bytes(operation: cc.Operation) -> int:
    """Memory of the operation's output for one picture, in bytes."""
    return BYTES_A_NUMBER * int(np.prod(operation.output_shape))


def payload(
    classifier: cc.Classifier,
    trace: cc.Trace,
    small: Thumbnails,
    *,
    picture_jpeg: NDArray[np.uint8],
    picture_key: str,
    chosen: str | None,
    costs: bool,
) -> bytes:
    """What the component reads; `chosen` is the operation that is open, `costs` shows what each operation costs."""
    operations = classifier.network.operations
    number = {operation.name: index for index, operation in enumerate(operations)}
    meta = {
        "network": classifier.key,
        "title": classifier.card.title,
        "picture": picture_key,
        "chosen": chosen,
        "costs": costs,
        "top": [{"name": p.name, "share": float(p.probability)} for p in trace.top(3)],
        "operations": [
            {
                "name": operation.name,
                "kind": operation.kind,
                "title": operation.title,
                "short": operation.short_title,
                "shape": list(operation.output_shape),
                "inputs": [number[name] for name in operation.inputs],
                "stage": stage,
                "block": block,
                "parameters": int(operation.n_parameters),
                "macs": int(operation.macs),
                "bytes": activation_bytes(operation),
            }
            for operation, (stage, block) in zip(operations, folding(operations), strict=True)
        ],
    }
    return components.pack(meta, thumbs=small.numbers, table=small.table, jpeg=picture_jpeg)


def network_map(data: bytes, *, key: str, on_open: Callable[[str], None]) -> None:
    """Mount the graph; `on_open` is called with an operation's name when it is clicked, before the page runs again."""

    def opened() -> None:
        name = st.session_state[key].get("open")
        if isinstance(name, str):
            on_open(name)

    components.mount("networkmap", key=key, data=data, triggers={"open": opened})
