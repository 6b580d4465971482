"""The surgeon's instruments: a wall of channels, a kernel to edit, cards of mistakes; and what came of it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from cnn_core.intervention_effects import ChannelChanges, RandomChannels, Report
from ui.components import mount, pack
from ui.instruments.featuremaps import Mosaic

Send = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Card:
    """One way to change the picture: a thumbnail uint8 (h, w, 3), words, and an amount where it takes one."""

    key: str
    title: str
    what: str
    thumbnail: NDArray[np.uint8]
    unit: str = ""
    default: float = 0.0
    least: float = 0.0
    most: float = 0.0


@dataclass(frozen=True, eq=False)
class Filter:
    """The kernels of one filter, float32 (n, rows, columns): as they are now and as the network has them; its bias."""

    layer: str
    title: str
    index: int
    n_filters: int
    first_channel: int
    now: NDArray[np.float32]
    own: NDArray[np.float32]
    bias_now: float | None
    bias_own: float | None


def channel_wall(
    drawn: Mosaic,
    *,
    layer: str,
    title: str,
    off: Sequence[int],
    entries: NDArray[np.float32] | None,
    entry_words: str,
    key: str,
    on_off: Callable[[tuple[int, ...], str], None],
) -> None:
    """All maps of a layer; several are picked and switched off. entries: the ledger's, where it has them, (C,)."""
    count = drawn.cells.shape[0]
    meta = {
        "view": "channels",
        "layer": layer,
        "title": title,
        "signed": drawn.signed,
        "vector": drawn.cells.shape[1] * drawn.cells.shape[2] == 1,
        "off": [int(c) for c in off],
        "entryWords": entry_words,
    }
    arrays: dict[str, NDArray[Any]] = {"maps": drawn.cells, "low": drawn.low, "high": drawn.high}
    arrays["mean"] = drawn.statistics[0]
    if entries is not None:
        arrays["entries"] = entries

    def send(message: dict[str, Any]) -> None:
        chosen = message.get("channels")
        if message.get("layer") != layer or message.get("to") not in ("zero", "mean") or not isinstance(chosen, list):
            return
        if chosen and all(type(c) is int and 0 <= c < count for c in chosen):
            on_off(tuple(sorted(set(chosen))), str(message["to"]))

    _mount(key, pack(meta, **arrays), {"act": send})


def kernel_editor(
    shown: Filter,
    *,
    key: str,
    on_filter: Callable[[int], None],
    on_kernel: Callable[[int, NDArray[np.float32]], None],
    on_bias: Callable[[float], None],
) -> None:
    """One filter's kernels, one of them as editable numbers; an edit is sent when it is committed."""
    n, rows, columns = shown.now.shape
    meta = {
        "view": "kernel",
        "layer": shown.layer,
        "title": shown.title,
        "filter": shown.index,
        "filters": shown.n_filters,
        "first": shown.first_channel,
        "bias": shown.bias_now,
        "biasOwn": shown.bias_own,
    }

    def send(message: dict[str, Any]) -> None:
        if message.get("layer") != shown.layer or message.get("filter") != shown.index:
            return
        kernel, values, bias = message.get("kernel"), message.get("values"), message.get("bias")
        fits = isinstance(values, list) and len(values) == rows * columns and all(map(_is_number, values))
        if fits and type(kernel) is int and 0 <= kernel < n:
            on_kernel(kernel, np.array(values, dtype=np.float32).reshape(rows, columns))
        if _is_number(bias):
            on_bias(float(np.float32(bias)))

    def choose(message: dict[str, Any]) -> None:
        wanted = message.get("filter")
        if type(wanted) is int and 0 <= wanted < shown.n_filters:
            on_filter(wanted)

    _mount(key, pack(meta, now=shown.now, own=shown.own), {"act": send, "choose": choose})


def gallery(cards: Sequence[Card], *, label: str, key: str, on_add: Callable[[str, float | None], None]) -> None:
    """Cards to choose from; one with an amount has a slider; the choice is sent with its button."""
    items, blob = [], b""
    for card in cards:
        file = _jpeg(card.thumbnail)
        items.append(
            {
                "key": card.key,
                "title": card.title,
                "what": card.what,
                "unit": card.unit,
                "default": float(card.default),
                "least": float(card.least),
                "most": float(card.most),
                "picture": [len(blob), len(file)],
            }
        )
        blob += file
    by_key = {card.key: card for card in cards}

    def send(message: dict[str, Any]) -> None:
        card, amount = by_key.get(str(message.get("key"))), message.get("amount")
        if card is None:
            return
        if not card.unit:
            on_add(card.key, None)
        elif _is_number(amount) and card.least <= float(amount) <= card.most:
            on_add(card.key, float(amount))

    meta = {"view": "gallery", "label": label, "items": items}
    _mount(key, pack(meta, pictures=np.frombuffer(blob, dtype=np.uint8)), {"act": send})


def outcome(report: Report, target: int, *, key: str, on_pick: Callable[[int], None]) -> None:
    """Before and after, side by side: the picture as the network sees it, and the classes on one shared scale."""
    rows = list(report.classes)
    listed = {row.index for row in rows}
    numbers = [
        (r.index, r.name, r.logit_before, r.logit_after, r.probability_before, r.probability_after) for r in rows
    ]
    if target not in listed:
        both = (report.logits_before, report.logits_after, report.probabilities_before, report.probabilities_after)
        zb, za, pb, pa = (float(v[target]) for v in both)
        numbers.append((target, report.class_names[target], zb, za, pb, pa))
    meta = {
        "view": "outcome",
        "target": target,
        "classes": [
            dict(zip(("index", "name", "zb", "za", "pb", "pa"), (int(i), name, *map(_finite, values)), strict=True))
            for i, name, *values in numbers
        ],
        "samePicture": bool(np.array_equal(report.shown_before, report.shown_after)),
        "winner": [int(report.logits_before.argmax()), int(report.logits_after.argmax())],
    }

    def send(message: dict[str, Any]) -> None:
        index = message.get("index")
        if type(index) is int and index in {row[0] for row in numbers}:
            on_pick(index)

    _mount(key, pack(meta, before=report.shown_before, after=report.shown_after), {"choose": send})


def through(
    report: Report, watched: str, title: str, moved: ChannelChanges, *, key: str, on_watch: Callable[[str], None]
) -> None:
    """How far each layer moved, and one layer's most moved channels before, after, and after minus before."""
    names = {layer.name for layer in report.layers}
    meta = {
        "view": "through",
        "layers": [
            {
                "name": layer.name,
                "title": layer.title,
                "stage": layer.stage,
                "relative": layer.relative if math.isfinite(layer.relative) else None,
                "edited": layer.edited,
            }
            for layer in report.layers
        ],
        "watched": watched,
        "title": title,
        "channels": list(moved.channels),
        "total": int(moved.moved.size),
        "touched": int((moved.moved > 0).sum()),
    }

    def send(message: dict[str, Any]) -> None:
        layer = message.get("layer")
        if isinstance(layer, str) and layer in names:
            on_watch(layer)

    _mount(key, pack(meta, before=moved.before, after=moved.after), {"choose": send})


def control(mine: str, drawn: RandomChannels, label: str, *, key: str) -> None:
    """The visitor's channels against as many random ones: the logit's change of each as a bar on one shared scale."""
    bars = [{"title": mine, "value": drawn.measured, "detail": "", "mine": True}]
    for n, (change, draw) in enumerate(zip(drawn.changes, drawn.draws, strict=True), start=1):
        detail = "; ".join(f"{', '.join(map(str, chosen[:5]))}{', …' if len(chosen) > 5 else ''}" for _, chosen in draw)
        bars.append({"title": f"Random draw {n}", "value": change, "detail": detail, "mine": False})
    _mount(key, pack({"view": "control", "bars": bars, "label": label, "mean": drawn.mean, "spread": drawn.spread}), {})


def _mount(key: str, data: bytes, handlers: dict[str, Send]) -> None:
    """Mount one face of the component; a message that is not a mapping is dropped, as a browser may send anything."""

    def handler(event: str, handle: Send) -> Callable[[], None]:
        def read() -> None:
            message = st.session_state[key].get(event)
            if isinstance(message, dict):
                handle(message)

        return read

    mount("interventions", key=key, data=data, triggers={event: handler(event, h) for event, h in handlers.items()})


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e38


def _finite(value: float) -> float:
    """JSON has no infinities: a logit that overflowed is shown at the end of what float32 holds."""
    return float(np.nan_to_num(value, nan=0.0, posinf=3.4e38, neginf=-3.4e38))


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
