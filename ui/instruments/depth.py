"""How far a unit sees: what the browser gets to move its box, draw its effective field, and plot both by depth."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.abstraction import Abstraction
from cnn_core.effective_field import DepthEntry, EffectiveField
from ui.components import is_index, mount, pack, sent, sent_one_of

EVERYTHING = "It sees the whole picture, by a side path that gathers all of it."
NO_PLACE = "It is made of the whole picture: no place is left in it."


def map_of(operation: cc.Operation, activation: NDArray[np.float32], channel: int) -> NDArray[np.float32] | None:
    """One channel's map (rows, columns), whatever the order of the axes; None where the output has no places."""
    if not has_places(operation):
        return None
    return np.ascontiguousarray(np.moveaxis(activation, operation.axes.index("channel"), 0)[channel])


def has_places(operation: cc.Operation) -> bool:
    """The output has rows and columns, in whatever order its axes stand."""
    return set(operation.axes) == {"channel", "row", "column"}


def field_view(
    classifier: cc.Classifier,
    seen: cc.ModelInput,
    operation: cc.Operation,
    index: tuple[int, ...],
    activation: NDArray[np.float32],
    here: EffectiveField,
    mean: EffectiveField | None,
    *,
    key: str,
    words: str,
    on_pick: Callable[[int, int], None],
) -> None:
    """Picture, box and map of the unit's channel; a click calls `on_pick(row, column)`.

    here: the effective field on this picture; mean: averaged over the samples, once it was asked for.
    words: what the unit is called where it has no place.
    """
    field = cc.receptive_field(classifier, operation)
    at = dict(zip(operation.axes, index, strict=True))
    values = map_of(operation, activation, at.get("channel", 0))
    subject = f"{classifier.key}:{seen.digest[:16]}:{operation.name}:{at.get('channel', index[0])}"
    rows, columns = (1, 1) if values is None else values.shape
    meta = {
        "part": "stage",
        "subject": subject,
        "layer": operation.name,
        "channel": at.get("channel", index[0]),
        "channelWords": words,
        "value": float(activation[index]),
        "rows": rows,
        "columns": columns,
        "size": list(seen.shown_rgb.shape[:2]),
        "vector": values is None,
        "vectorWords": f"{operation.title} gives {math.prod(operation.output_shape):,} numbers without a place: "
        "each is made of the whole picture.",
        "everything": field.sees_everything,
        "everythingWords": EVERYTHING if values is not None and rows * columns > 1 else NO_PLACE,
        "field": {"box": [float(edge) for edge in field.box(0, 0)], "stride": [float(step) for step in field.stride]},
        "cell": None if values is None else [at["row"], at["column"]],
        "fields": {
            name: {"radius": found.equivalent_radius, "facts": _facts(found)}
            for name, found in (("here", here), ("mean", mean))
            if found is not None
        },
        "boxFacts": _box_facts(here),
        "silent": "No pixel acts on this unit here: an activation on the way holds it still.",
        "file": re.sub(r"[^A-Za-z0-9.]+", "_", f"field_{classifier.card.key}_{operation.name}_{index}").strip("_")[:80],
    }

    def picked() -> None:
        message = sent(key, "unit")
        if message.get("subject") != subject:
            return  # about another unit: late
        row, column = message.get("row"), message.get("column")
        if is_index(row, rows) and is_index(column, columns):
            on_pick(row, column)

    arrays = {"here": here.magnitude.astype(np.float32)}
    if mean is not None:
        arrays["mean"] = mean.magnitude.astype(np.float32)
    shown = np.zeros((1, 1), np.float32) if values is None else values
    mount("depth", key=key, data=pack(meta, rgb=seen.shown_rgb, values=shown, **arrays), triggers={"unit": picked})


def _box_facts(found: EffectiveField) -> list[list[str]]:
    top, left, bottom, right = found.box
    return [["box in the picture", f"{bottom - top} × {right - left} px"]]


def _facts(found: EffectiveField) -> list[list[str]]:
    top, left, bottom, right = found.box
    facts = _box_facts(found)
    if found.is_silent:
        return facts
    facts += [
        ["half its side", f"{min(bottom - top, right - left) / 2:.4g} px"],
        ["90 % of the gradient", f"{found.area_90:,} px"],
        ["a disc of radius", f"{found.equivalent_radius:.3g} px"],
        ["that is, of the box", f"{100 * found.share_of_box:.3g} %"],
        ["gradient in the box", f"{100 * found.share_inside:.4g} %"],
    ]
    if found.n_pictures > 1:
        facts.append(["pictures", f"{found.n_pictures}" + (f", {found.n_silent} silent" if found.n_silent else "")])
    return facts


def depth_plot(
    classifier: cc.Classifier,
    entries: Sequence[DepthEntry],
    abstraction: Abstraction | None,
    current: str,
    *,
    key: str,
    on_open: Callable[[str], None],
) -> None:
    """Receptive field and stride of every operation, and abstraction where it was measured; a click opens one."""
    network = classifier.network
    cells = {o.name: _cells(o) for o in network.operations}
    order = [o.name for o in network.operations]
    last_map = max((i for i, name in enumerate(order) if cells[name] > 1), default=0)
    # What a side path squeezes to one cell is not on the way that maps take.
    shown = [e for e in entries if cells[e.name] > 1 or order.index(e.name) > last_map]
    rows = [
        {
            "name": entry.name,
            "title": network[entry.name].short_title,
            "kind": entry.kind,
            "stage": entry.stage,
            "depth": entry.depth,
            "size": float(max(entry.size)),
            "stride": float(max(entry.stride)) if cells[entry.name] > 1 else None,
            "share": round(entry.share, 6),
            "everything": entry.sees_everything,
            "place": cells[entry.name] > 1,
        }
        for entry in shown
    ]
    changes = []
    for change in abstraction.changes if abstraction else ():
        by_name = dict(zip(abstraction.layers if abstraction else (), change.sensitivity.tolist(), strict=True))
        found = [by_name.get(entry.name) for entry in shown]
        finite = [None if v is None or math.isnan(v) else v for v in found]
        changes.append({"key": change.key, "title": change.title, "values": finite})
    meta = {
        "part": "plot",
        "rows": rows,
        "changes": changes,
        "side": int(min(network.input_shape[1:])),
        "current": current,
        "file": f"depth_{classifier.card.key}",
    }

    def opened() -> None:
        name = sent_one_of(key, "open", cells)
        if name is not None:
            on_open(name)

    mount("depth", key=key, data=pack(meta), triggers={"open": opened})


def _cells(operation: cc.Operation) -> int:
    sides = dict(zip(operation.axes, operation.output_shape, strict=True))
    return int(sides.get("row", 1) * sides.get("column", 1))
