"""The instruments of the page of one channel: what each sends to the browser, and what comes back from it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

import cnn_core as cc
from cnn_core.channel_trials import ChannelTrials, Lesions
from cnn_core.exciting import FirstFilters, Patch
from ui.components import mount, pack
from ui.instruments.featuremaps import shrink

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
OnPick = Callable[[str, int], None]

N_THUMBS = 16
_THUMB = 28  # cells of a thumbnail's side, at most
_EXACT = 48  # patches up to this side are sent pixel by pixel: JPEG would change what a small window shows
_SMALL = 96


def pick(
    maps: Floats,
    channel: int,
    cell: tuple[int, int],
    picture: Pixels,
    field: cc.ReceptiveField,
    *,
    network: str,
    layer: str,
    title: str,
    picture_key: str,
    key: str,
    on_pick: OnPick,
) -> None:
    """The chosen channel's map beside the picture, and the strongest channels of maps float32 (C, H, W) to go to."""
    channels, height, width = maps.shape
    strongest = maps.reshape(channels, -1).max(axis=1)
    order = np.argsort(-strongest, kind="stable")[:N_THUMBS]
    factor = max(1, -(-max(height, width) // _THUMB))
    meta = {
        "part": "pick",
        "network": network,
        "layer": layer,
        "picture": picture_key,
        "channel": channel,
        "channels": channels,
        "peak": list(cell),
        "words": f"{layer} · {title}",
        "field": _field(field),
        "thumbs": [{"channel": int(i), "peak": float(strongest[i])} for i in order],
    }
    data = pack(meta, map=np.ascontiguousarray(maps[channel]), thumbs=shrink(maps[order], factor), rgb=picture)
    mount("channel", key=key, data=data, triggers={"pick": _picked(key, layer, channels, on_pick)})


def bench(trials: ChannelTrials, field: cc.ReceptiveField, *, key: str, subject: str) -> None:
    """The seven versions of the picture with the channel's map over each, its answer and the decision's."""
    rows = [
        {
            "key": answer.key,
            "title": answer.title,
            "what": answer.what,
            "mean": answer.mean,
            "peak": answer.peak,
            "ratio": answer.ratio,
            "change": answer.change,
            "logit": answer.logit,
            "probability": answer.probability,
            "top": answer.top.index,
            "name": answer.top.name,
            "chance": answer.top.probability,
            "same": answer.top.index == trials.target,
        }
        for answer in trials.answers.values()
    ]
    meta = {"part": "bench", "subject": subject, "target": trials.target_name, "rows": rows, "field": _field(field)}
    pictures = np.stack([answer.shown_rgb for answer in trials.answers.values()])
    mount(
        "channel", key=key, data=pack(meta, pictures=pictures, maps=np.stack([a.map for a in trials.answers.values()]))
    )


class _Files:
    """JPEGs one after the other, each once, and raw patches one after the other."""

    def __init__(self) -> None:
        self._blob = bytearray()
        self._raw: list[Pixels] = []
        self._raw_size = 0
        self._known: dict[object, list[int]] = {}

    def jpeg(self, name: object, rgb: Pixels, side: int | None = None) -> list[int]:
        if name not in self._known:
            picture = Image.fromarray(rgb)
            if side is not None:
                picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=88, subsampling=0)
            self._known[name] = [len(self._blob), buffer.tell()]
            self._blob += buffer.getvalue()
        return self._known[name]

    def patch(self, patch: Patch, side: int | None = None) -> dict[str, object]:
        """Where the browser finds the patch: exact pixels for a small one, a JPEG for a large one."""
        height, width = patch.rgb.shape[:2]
        if max(height, width) <= _EXACT:
            start = self._raw_size
            self._raw.append(patch.rgb.reshape(-1))
            self._raw_size += patch.rgb.size
            return {"raw": [start, height, width]}
        return {"file": self.jpeg((patch.picture, patch.box, side), patch.rgb, side)}

    def arrays(self) -> dict[str, Pixels]:
        raw = np.concatenate(self._raw) if self._raw else np.zeros(0, np.uint8)
        return {"files": np.frombuffer(bytes(self._blob), dtype=np.uint8), "raw": raw}


@dataclass(frozen=True)
class PatchRow:
    """One row of patches: its key names its look, and `words` says how they were chosen."""

    key: str
    title: str
    words: str
    patches: Sequence[Patch]


@dataclass(frozen=True)
class Mean:
    """The channel's mean on one picture; own: an upload of this session; here: the picture on the bench."""

    title: str
    value: float
    own: bool
    here: bool


def patches(
    rows: Sequence[PatchRow],
    means: Sequence[Mean],
    pictures: Mapping[str, Pixels],
    *,
    layer: str,
    channel: int,
    subject: str,
    key: str,
    on_open: Callable[[str, int, int], None],
) -> None:
    """Rows of patches with their places, and every picture's mean; a click calls on_open(picture, row, column).

    pictures: what the network sees of each picture, uint8 (h, w, 3), by the patches' keys.
    """
    files = _Files()
    known = set()
    meta_rows = []
    for row in rows:
        items = []
        for patch in row.patches:
            whole = pictures[patch.picture]
            known.add((patch.picture, *patch.cell))
            items.append(
                {
                    "title": patch.title,
                    "picture": patch.picture,
                    "own": not patch.is_sample,
                    "value": patch.value,
                    "cell": list(patch.cell),
                    "box": list(patch.box),
                    "size": list(whole.shape[:2]),
                    "thumb": files.jpeg(("whole", patch.picture), whole, _SMALL),
                    **files.patch(patch, None if row.key == "most" else 2 * _SMALL),
                }
            )
        meta_rows.append({"key": row.key, "title": row.title, "words": row.words, "patches": items})
    meta = {
        "part": "patches",
        "layer": layer,
        "channel": channel,
        "subject": subject,
        "rows": meta_rows,
        "means": [{"title": m.title, "value": m.value, "own": m.own, "here": m.here} for m in means],
    }

    def opened() -> None:
        message = st.session_state[key].get("open")
        # What comes from a browser may be anything, and may be of a page that showed something else.
        if not isinstance(message, dict) or (message.get("layer"), message.get("channel")) != (layer, channel):
            return
        place = (message.get("picture"), message.get("row"), message.get("column"))
        if place in known:
            on_open(*place)

    mount("channel", key=key, data=pack(meta, **files.arrays()), triggers={"open": opened})


def alike(
    rows: Sequence[tuple[int, float, Patch]], maps: Floats, *, layer: str, words: str, key: str, on_pick: OnPick
) -> None:
    """Channels with their correlation (the first row is the chosen one), their maps (n, H, W) and favourite patches."""
    files = _Files()
    meta = {
        "part": "alike",
        "layer": layer,
        "words": words,
        "rows": [
            {"channel": channel, "correlation": correlation, "patch": files.patch(patch, 2 * _SMALL)}
            for channel, correlation, patch in rows
        ],
    }
    factor = max(1, -(-max(maps.shape[1:]) // (2 * _THUMB)))
    channels = max(channel for channel, _, _ in rows) + 1
    data = pack(meta, maps=shrink(maps, factor), **files.arrays())
    mount("channel", key=key, data=data, triggers={"pick": _picked(key, layer, channels, on_pick)})


def filters(found: FirstFilters, chosen: int, *, is_layer: bool, subject: str, key: str, on_pick: OnPick) -> None:
    """All filters of the first convolution, one of them large; is_layer: the page is on that convolution's channels."""
    meta = {
        "part": "filters",
        "subject": subject,
        "layer": found.operation,
        "chosen": chosen,
        "channel": chosen,
        "isLayer": is_layer,
        "limit": found.limit,
    }
    triggers = {"pick": _picked(key, found.operation, len(found.weights), on_pick)}
    mount("channel", key=key, data=pack(meta, weights=found.weights), triggers=triggers)


def lesions(found: Lesions, *, key: str) -> None:
    """What the leading class's logit loses with the channel at zero, among the others that were tried."""
    rows = [
        {
            "channel": one.channel,
            "change": one.logit - found.logit,
            "probability": one.probability,
            "same": one.top.index == found.target,
            "name": one.top.name,
            "chosen": one is found.chosen,
        }
        for one in (found.chosen, *found.others)
    ]
    meta = {"part": "lesions", "target": found.target_name, "logit": found.logit, "rows": rows}
    mount("channel", key=key, data=pack(meta))


def dream(
    rgb: Pixels,
    values: Sequence[float] | NDArray[np.floating],
    steps: int,
    *,
    title: str,
    unit: str,
    marks: Sequence[tuple[str, float, str]] = (),
    key: str,
) -> None:
    """The picture that was (or is being) made, and how the value rose over the steps done.

    marks: words, value and role of lines to compare it with.
    """
    meta = {
        "part": "dream",
        "title": title,
        "unit": unit,
        "steps": steps,
        "marks": [{"words": words, "value": value, "role": role} for words, value, role in marks],
    }
    mount("channel", key=key, data=pack(meta, rgb=rgb, values=np.asarray(values, dtype=np.float32)))


def _field(field: cc.ReceptiveField) -> dict[str, object]:
    return {
        "box": [float(edge) for edge in field.box(0, 0)],
        "centre": [float(at) for at in field.centre(0, 0)],
        "stride": [float(step) for step in field.stride],
        "everything": bool(field.sees_everything),
    }


def _picked(key: str, layer: str, channels: int, on_pick: OnPick) -> Callable[[], None]:
    def picked() -> None:
        message = st.session_state[key].get("pick")
        # What comes from a browser may be anything.
        if not isinstance(message, dict) or message.get("layer") != layer:
            return
        channel = message.get("channel")
        if type(channel) is int and 0 <= channel < channels:
            on_pick(layer, channel)

    return picked
