"""Layers made plain: several layers fused, one class through all layers, and why two layers disagree, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.covering import Covered
from cnn_core.saliency import agreement, explain_layers
from ui import cached, jobs, saliency_methods, session
from ui.instruments.saliency import Depth, Tile, layer_maps, positive, wall
from ui.saliency_methods import Asked
from ui.saliency_squares import covered_squares, square_side
from ui.text import plain
from ui.widgets import Bench

READERS: Final = ("gradcam", "hirescam", "layercam")
FUSIONS: Final = {"mean": "Mean", "max": "Largest", "product": "What all agree on"}
_MOST: Final = 18  # thumbnails in the strip
_TOGETHER: Final = 8  # layers read by one pass forward and one back
# Multiply-adds: above this a reading takes more than about two seconds of one core.
AT_ONCE = 12e9


def resolutions(bench: Bench) -> tuple[cc.Operation, ...]:
    """The last operation with maps of each resolution, from the picture to the head."""
    last = {op.output_shape[1:]: op for op in bench.classifier.network.map_layers() if op.kind != "input"}
    return tuple(last.values())


def fusion_picker(bench: Bench, layer: cc.Operation) -> tuple[tuple[str, ...], str]:
    """Layers whose maps are joined with the chosen one's, kept in the address as `fuse`; and how they are joined."""
    offered = [op.name for op in resolutions(bench) if op.name != layer.name]
    text = session.get("fuse")
    fusion, _, listed = (text or "mean~").partition("~")
    wanted = [name for name in listed.split(",") if name]
    found = {name: _with_maps(bench, name) for name in wanted}
    unknown = [name for name in wanted if not found[name]]
    if unknown:
        names = ", ".join(f"“{plain(name)}”" for name in unknown)
        st.info(f"This network has no layer with maps called {names} to fuse.", icon=":material/layers:")
        wanted = [name for name in wanted if found[name]]
        session.set("fuse", f"{fusion}~{','.join(wanted)}" if wanted else None)
    chosen = tuple(dict.fromkeys(found[name] for name in wanted if found[name] != layer.name))

    def keep() -> None:
        names, how = st.session_state.cl_sal_fuse, st.session_state.cl_sal_fusion
        session.set("fuse", f"{how}~{','.join(names)}" if names else None)

    title = "One layer" if not chosen else f"{len(chosen) + 1} layers fused"
    with st.popover(title, icon=":material/layers:", key="cl_sal_fuse_popover"):
        st.session_state.cl_sal_fuse = list(chosen)
        st.session_state.cl_sal_fusion = fusion
        st.multiselect(
            f"Fuse {plain(layer.name)} with",
            [*offered, *(name for name in chosen if name not in offered)],
            key="cl_sal_fuse",
            on_change=keep,
            placeholder="No other layer",
            max_selections=8,
            disabled=session.locked(),
        )
        st.segmented_control(
            "Join by",
            list(FUSIONS),
            required=True,
            format_func=FUSIONS.__getitem__,
            key="cl_sal_fusion",
            on_change=keep,
            disabled=session.locked(),
        )
        st.caption(
            "For methods that read a layer. Each layer's map is divided by its own largest value and read at the "
            "finest layer's cells: the deep ones know what, the shallow ones where."
        )
    return chosen, fusion


def _with_maps(bench: Bench, name: str) -> str:
    """The operation that a name or a module path means, if it has maps; otherwise nothing."""
    network = bench.classifier.network
    try:
        operation = network[name]
    except cc.InvalidLayer:
        return ""
    return operation.name if operation in network.map_layers() else ""


def say_where(bench: Bench, shown: cc.Operation) -> None:
    """A sentence where the address names an operation without maps, which another layer then stands in for."""
    wanted, network = session.get("layer"), bench.classifier.network
    if wanted is None:
        return
    try:
        found = network[wanted]
    except cc.InvalidLayer:
        return  # the strip of layers says so
    if found.name != shown.name and not found.has_maps:
        shape = " × ".join(map(str, found.output_shape))
        st.info(
            f"{plain(found.name)} has no maps: its output is {shape} numbers without a place in the picture. Shown "
            f"instead: {plain(shown.name)}.",
            icon=":material/layers:",
        )


def reader(key: str) -> str:
    """By which of the methods that need few passes a section reads its maps."""
    known = saliency_methods.cards()
    st.segmented_control(
        "Read by",
        READERS,
        required=True,
        format_func=lambda method: known[method].title,
        **session.control("reader", key),
    )
    chosen: str = session.get("reader")
    return chosen


def layers(bench: Bench, asked: Asked) -> None:
    """The strip through all layers, and the comparison of two."""
    st.header("Layers made plain", anchor=False, divider="gray")
    known = saliency_methods.cards()
    st.markdown("The same class through the whole network. A click opens a layer on this page.")
    method = reader("cl_sal_strip_method")
    shown = _through(bench, asked.layer)
    here = bench.classifier.network[asked.layer]
    other = _other(bench, here)
    maps = _read(bench, asked, method, tuple(dict.fromkeys(op.name for op in (*shown, other))))
    if maps is None:
        return
    layer_maps(
        [Depth(op, maps[op.name], "A" if op is here else "B" if op is other else "") for op in shown],
        asked.layer,
        key="cl_sal_strip",
        label=f"{known[method].title} at {len(shown)} layers",
        on_open=lambda name: session.set("layer", name),
    )
    st.caption("Evidence for the class only, each map on its own scale, at its receptive fields' centres.")
    _why(bench, asked, here, other, maps, known[method].title)


def _read(bench: Bench, asked: Asked, method: str, names: tuple[str, ...]) -> dict[str, cc.SaliencyMap] | None:
    """The maps at these layers, by name; in a large network a job makes them, and None stands for "not yet"."""
    same: dict[str, Any] = {"method": method, "target": asked.target, "score": asked.score, "rectify": False}
    key = (bench.classifier.key, bench.model_input.digest, str(asked.target), asked.score, method, *names)
    trace = bench.trace

    def work(on_progress: jobs.Progress, should_stop: jobs.ShouldStop) -> dict[str, cc.SaliencyMap] | None:
        made: dict[str, cc.SaliencyMap] = {}
        for start in range(0, len(names), _TOGETHER):
            if should_stop():
                return None
            part = names[start : start + _TOGETHER]
            found = explain_layers(bench.classifier, bench.model_input, part, trace=trace, **same)
            made.update(zip(part, found, strict=True))
            on_progress(len(made), len(names))
        return made

    def nbytes(made: dict[str, cc.SaliencyMap]) -> int:
        return sum(one.values.nbytes + 2048 for one in made.values())

    def whole() -> dict[str, cc.SaliencyMap]:
        made = work(lambda *now: None, lambda: False)
        assert made is not None  # nobody stops it
        return made

    # Forward and back for each part.
    passes = 3 * math.ceil(len(names) / _TOGETHER)
    if passes * bench.classifier.network.macs <= AT_ONCE:
        with st.spinner(f"Reading the class at {len(names)} layers", show_time=False):
            return cached.memo("saliency_layers", key, whole, nbytes)
    return jobs.run(
        "saliency_layers",
        key,
        work,
        nbytes,
        button=f"Read the class at {len(names)} layers",
        label=f"Reading the class at {len(names)} layers",
        unit="layers",
        at_once=True,
    )


def _through(bench: Bench, chosen: str) -> list[cc.Operation]:
    """The last operation of each block, at most `_MOST` of them evenly, and the chosen one."""
    operations = [op for op in bench.classifier.network.map_layers() if op.kind != "input"]
    blocks: dict[tuple[object, ...], cc.Operation] = {}
    for op in operations:
        blocks[(op.group[1] if len(op.group) > 1 and op.group[1] else op.name, op.output_shape[1:])] = op
    found = list(blocks.values())
    if len(found) > _MOST:
        found = [found[i] for i in np.linspace(0, len(found) - 1, _MOST).round().astype(int)]
    names = {op.name for op in found} | {chosen}
    return [op for op in operations if op.name in names]


def _other(bench: Bench, here: cc.Operation) -> cc.Operation:
    """The layer to compare with, chosen in a list; at first the next finer resolution (or the next coarser)."""
    offered = [op for op in resolutions(bench) if op.name != here.name] or [here]
    cells = here.output_shape[1] * here.output_shape[2]
    finer = [op for op in offered if op.output_shape[1] * op.output_shape[2] > cells]
    default = finer[-1] if finer else offered[-1]
    names = [op.name for op in offered]
    wanted = session.get("against")
    chosen = wanted if wanted in names else default.name
    network = bench.classifier.network
    st.session_state.cl_sal_other = chosen
    st.selectbox(
        f"Why does {plain(here.name)} (A) disagree with (B)",
        names,
        key="cl_sal_other",
        on_change=session.take,
        args=("against", "cl_sal_other"),
        format_func=lambda name: f"{name} · {' × '.join(map(str, network[name].output_shape[1:]))} cells",
        width=420,
    )
    return network[chosen]


def _why(
    bench: Bench, asked: Asked, a: cc.Operation, b: cc.Operation, maps: dict[str, cc.SaliencyMap], method: str
) -> None:
    """Both maps under one cursor, their numbers side by side, and what follows from these."""
    wall(
        [_titled(maps[op.name], letter) for op, letter in ((a, "A"), (b, "B"))],
        key="cl_sal_pair",
        subject=f"pair:{a.name}:{b.name}",
        target=maps[a.name],
        origin=bench.classifier.card.title,
        compact=True,
    )
    sides = _sides(bench, asked, (a, b), maps)
    rows = [_numbers(side) for side in sides]
    table = "\n".join(
        [f"| | A · {plain(a.name)} | B · {plain(b.name)} |", "|:--|--:|--:|"]
        + [f"| {name} | {rows[0][name]} | {rows[1][name]} |" for name in rows[0]]
    )
    left, right = st.columns([5, 4], gap="large")
    left.markdown(table)
    right.markdown("\n".join(f"- {sentence}" for sentence in _reasons(sides, method)))


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two layers: its map, its field, where it is strongest, and what a grey square there costs."""

    letter: str
    operation: cc.Operation
    map: cc.SaliencyMap
    field: cc.ReceptiveField
    peak: tuple[float, float] | None
    covered: Covered | None

    @property
    def stride(self) -> float:
        return float(max(self.map.placement.stride))


def _sides(
    bench: Bench, asked: Asked, operations: tuple[cc.Operation, ...], maps: dict[str, cc.SaliencyMap]
) -> list[_Side]:
    peaks = [positive(maps[op.name]).peak() for op in operations]
    places = tuple(peak.position for peak in peaks if peak is not None)
    answers = iter(covered_squares(bench, asked.target, places, square_side(bench)))
    return [
        _Side(
            letter,
            op,
            maps[op.name],
            cc.receptive_field(bench.classifier, op),
            None if peak is None else peak.position,
            None if peak is None else next(answers),
        )
        for letter, op, peak in zip("AB", operations, peaks, strict=True)
    ]


def _numbers(side: _Side) -> dict[str, str]:
    field, (height, width) = side.field, side.map.input_size
    share = min(1.0, field.size[0] / height) * min(1.0, field.size[1] / width)
    row, column = side.map.values.shape
    return {
        "Cells": f"{row} × {column}",
        "Stride: from cell to cell": f"{field.stride[0]:g} × {field.stride[1]:g} px",
        "Receptive field: one cell sees": f"{field.size[0]:g} × {field.size[1]:g} px",
        "of the picture, at most": f"{share:.1%}" + (", and all of it globally" if field.sees_everything else ""),
        "Centre of cell (0, 0)": f"{field.offset[0]:g}, {field.offset[1]:g} px".replace("-", "−"),
        "Strongest at (row, column)": "nowhere" if side.peak is None else f"{side.peak[0]:g}, {side.peak[1]:g} px",
        "Logit lost to a grey square there": "–" if side.covered is None else _number(side.covered.logit_drop),
    }


def _reasons(sides: list[_Side], method: str) -> list[str]:
    """What the numbers say of the disagreement; every sentence is computed."""
    a, b = sides
    fine, coarse = (a, b) if a.stride <= b.stride else (b, a)
    found = agreement([a.map, b.map], names=["A", "B"])
    alike = float(found.matrix[0, 1])
    likeness = "cannot be compared: one of them carries nothing" if math.isnan(alike) else f"is {_number(alike)}"
    reasons = [f"The rank correlation of the two maps {likeness}."]
    if fine.stride < coarse.stride:
        n = round((coarse.stride / fine.stride) ** 2)
        reasons.append(
            f"**Stride.** One cell of {coarse.letter} stands for {n} cells of {fine.letter}: {coarse.letter} cannot "
            f"tell places apart that lie closer than {coarse.stride:g} pixels."
        )
    if a.peak is not None and b.peak is not None:
        apart = math.dist(a.peak, b.peak)
        within = apart <= coarse.stride / 2 * math.sqrt(2)
        reasons.append(
            f"**Place.** Their strongest cells lie {apart:.1f} pixels apart, "
            + (
                "within one cell of the coarser: they mean the same place."
                if within
                else "farther than the coarser cells explain."
            )
        )
    small, large = (a, b) if a.field.size[0] <= b.field.size[0] else (b, a)
    if large.field.size[0] > small.field.size[0]:
        reasons.append(
            f"**Receptive field.** A cell of {large.letter} sees {large.field.size[0]:g} pixels a side, one of "
            f"{small.letter} {small.field.size[0]:g}: {small.letter} can speak of textures and parts, "
            f"{large.letter} of what they form together, and of things beside its own place."
        )
    elif a.field.size == b.field.size:
        reasons.append("**Receptive field.** Both see equally far, so what differs lies between them in the network.")
    if a.covered is not None and b.covered is not None:
        name = "logit margin" if a.map.target.is_margin else "logit"
        loss = [side.covered.logit_drop for side in sides if side.covered is not None]
        strong = "A" if loss[0] > loss[1] else "B"
        reasons.append(
            f"**The test.** A {a.covered.box[2] - a.covered.box[0]}-pixel grey square on A’s strongest cell takes "
            f"{_number(loss[0])} from the {name}, on B’s {_number(loss[1])}: "
            + ("the same." if loss[0] == loss[1] else f"the network needs {strong}’s place more.")
        )
    earlier = small if large.field.size[0] > small.field.size[0] else None
    if earlier is not None and method == "Grad-CAM":
        reasons.append(
            f"Grad-CAM gives each map of {earlier.letter} one weight for all places, which holds only where the layer "
            "is pooled right after. Read it by HiResCAM or LayerCAM to weigh each place by itself."
        )
    return reasons


def _titled(made: cc.SaliencyMap, letter: str) -> Tile:
    tile = saliency_methods.tile(made)
    return Tile(f"{letter}:{tile.key}", f"{letter} · {made.layer}", tile.unit, made)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
