"""Several classes at once: one method's maps of the likeliest classes, from one forward pass, on one scale."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.saliency import agreement
from ui import cached, jobs, saliency_methods
from ui.instruments.saliency import Tile, wall
from ui.saliency_layers import AT_ONCE, reader
from ui.saliency_methods import Asked
from ui.text import plain
from ui.widgets import Bench

_LIKELY: Final = 4  # of the network's own choices, beside the class of the page


def classes(bench: Bench, asked: Asked) -> None:
    """The section: the class of the page, the likeliest others, and what the maps have in common."""
    st.header("Several classes, one look", anchor=False, divider="gray")
    st.markdown("Each class reads the same maps with other weights. Do they look at different places?")
    method = reader("cl_sal_classes_method")
    wanted = asked.target if isinstance(asked.target, tuple) else (asked.target,)
    top = [prediction.index for prediction in bench.trace.top(_LIKELY + 1)]
    targets = tuple(dict.fromkeys((*wanted, *top)))[: _LIKELY + 1]
    maps = _maps(bench, asked, method, targets)
    if maps is None:
        return
    wall(
        [Tile(f"{method}:{made.target.indices[0]}", _title(made), saliency_methods.unit(made), made) for made in maps],
        key="cl_sal_classes",
        subject=f"classes:{method}",
        target=maps[0],
        origin=bench.classifier.card.title,
        compact=True,
        shared="One scale for all classes: a paler map speaks of less evidence.",
    )
    names = [made.target.label for made in maps]
    st.markdown(plain(agreement(maps, names=names).sentence))


def _title(made: cc.SaliencyMap) -> str:
    word = {"probability": "probability", "centred": "logit above the mean"}.get(made.target.score, "logit")
    return f"{made.target.label} · {word} {made.target_value:.4g}".replace("-", "−")


def _maps(bench: Bench, asked: Asked, method: str, targets: tuple[int, ...]) -> tuple[cc.SaliencyMap, ...] | None:
    """Raw maps of these classes; where several backward passes through a large network are needed, by a job."""
    trace = bench.trace
    key = (bench.classifier.key, bench.model_input.digest, method, asked.layer, asked.score, *targets)

    def make() -> tuple[cc.SaliencyMap, ...]:
        options: dict[str, Any] = {"method": method, "layer": asked.layer, "score": asked.score, "rectify": False}
        return cc.explain_classes(bench.classifier, bench.model_input, targets, trace=trace, **options)

    def nbytes(made: tuple[cc.SaliencyMap, ...]) -> int:
        return sum(one.values.nbytes + 2048 for one in made)

    # A pass forward and one back for each class, unless the head gives all of them at once.
    head = bench.classifier.network.linear_head()
    passes = 1 if head is not None and head.maps == asked.layer else 3 * len(targets)
    if passes * bench.classifier.network.macs <= AT_ONCE:
        return cached.memo("saliency_classes", key, make, nbytes)
    return jobs.run(
        "saliency_classes",
        key,
        lambda on_progress, should_stop: None if should_stop() else make(),
        nbytes,
        button=f"Read {len(targets)} classes",
        label=f"Reading {len(targets)} classes",
        unit="classes",
        at_once=True,
    )
