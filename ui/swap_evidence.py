"""The evidence in and outside of what was marked, and the exact split of the margin where the head allows it."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core.bias.region_evidence import Evidence, MarginSplit, margin_split, measured
from cnn_core.bias.regions import Region
from ui import cached, session, widgets
from ui.arithmetic import number
from ui.text import plain
from ui.widgets import Bench


def reading(bench: Bench, region: Region, target: int, rival: int | None) -> None:
    """The reading beside the picture: a map's share in the region, then the margin as three exact parts."""
    names = bench.classifier.class_names
    wanted = target if rival is None else (target, rival)
    share = region.in_input(bench.model_input)
    label = names[target] if rival is None else f"{names[target]} rather than {names[rival]}"
    st.markdown(f"## Where the evidence for “{label}” lies")
    method = _method()
    try:
        found = cached.explain(bench.classifier, bench.model_input, method=method.key, target=wanted)
    except cc.ConvLensError as error:
        st.info(f"{method.title} has no map here. {plain(str(error))}", icon=":material/info:")
    else:
        st.image(
            _outlined(found, share),
            width=224,
            caption=f"{method.title}, own scale; white, what you marked.",
            alt=f"The map of {method.title} over the picture, with the outline of what is marked",
        )
        _evidence(measured(found, share), method.title)
    _cropped(bench, region, share)


def _method() -> cc.MethodCard:
    """The method that the map is read by: those that cost a pass or two and depend on the class."""
    cards = {card.key: card for card in cc.saliency_methods() if not card.is_dear and card.depends_on_class}
    chosen = session.get("method")
    if chosen not in cards:
        session.refuse("method", f"“{plain(chosen)}” is no method that this page reads; Grad-CAM is shown.")
        chosen = session.get("method")
    widgets.said("method", ":material/center_focus_strong:")
    st.session_state["cl_swap_method"] = chosen
    st.selectbox(
        "Read by",
        list(cards),
        format_func=lambda key: cards[key].title,
        key="cl_swap_method",
        on_change=session.take,
        args=("method", "cl_swap_method"),
        width=224,
        label_visibility="collapsed",
    )
    return cards[chosen]


def _cropped(bench: Bench, region: Region, share: NDArray[np.floating]) -> None:
    """Say where a part of what was marked never reached the network."""
    top, left, bottom, right = bench.model_input.picture_box
    lost = 1 - float(np.mean(share)) * (bottom - top) * (right - left) / region.area
    if lost > 0.02:  # less is the rounding of edges
        st.caption(
            f"{100 * lost:.0f} % of what you marked was cropped away before the network saw it: it does not count."
        )


def _outlined(found: cc.SaliencyMap, share: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The map over what the network saw, with the region's edge in white, twice the network's size."""
    picture = np.repeat(np.repeat(found.overlay(), 2, axis=0), 2, axis=1)
    inside = np.repeat(np.repeat(np.asarray(share) >= 0.5, 2, axis=0), 2, axis=1)
    padded = np.pad(inside, 2)
    size = [slice(2 + move, 2 + move + n) for n in inside.shape for move in (-2, 2)]
    core = inside & padded[size[0], 2:-2] & padded[size[1], 2:-2] & padded[2:-2, size[2]] & padded[2:-2, size[3]]
    picture[inside & ~core] = 255
    return picture


def _evidence(told: Evidence, title: str) -> None:
    if told.enrichment is None or told.share is None:
        st.caption(f"{title} has no positive evidence on this picture, so nothing can be shared out.")
        return
    with st.container(key="cl-pairs-evidence"):
        left, right = st.columns(2, gap="small")
    left.metric("Evidence inside", f"{100 * told.share:.1f} %", help=f"Of the positive evidence of {title}.")
    right.metric("Enrichment", f"{told.enrichment:.2f} ×", help="Share of the evidence over share of the area.")
    st.caption(
        f"{title}{_layer(told)}: {number(told.inside)} inside, "
        f"{number(told.outside)} outside (sum over the map, its own units). What you marked is {100 * told.area:.1f} % "
        "of what the network sees; a map that knows nothing of it would have an enrichment of 1."
    )


def _layer(told: Evidence) -> str:
    return f" at `{told.map.layer}`" if told.map is not None and told.map.layer else ""


def split_exactly(bench: Bench, region: Region, target: int, rival: int | None) -> None:
    """The logit or the margin as a sum of what lies inside, what lies outside, and the bias."""
    names = bench.classifier.class_names
    try:
        split = margin_split(bench.classifier, bench.trace, region, target, rival)
    except cc.InvalidOption as error:
        st.caption(str(error))
        return
    what = f"Logit of {names[target]}" if rival is None else f"Margin {names[target]} − {names[rival]}"
    st.markdown(f"### {what}, split exactly")
    tick = ":green[✓]" if split.matches else ":red[✗ does not match]"
    rows = [("Inside", split.inside), ("Outside", split.outside), ("Bias", split.bias)]
    lines = "\n".join(f"| {name} | {number(value)} |" for name, value in rows)
    table, words = st.columns([1, 3], gap="medium")
    table.markdown(f"| part | logit |\n|:--|--:|\n{lines}\n| **Sum** {tick} | **{number(split.computed)}** |")
    words.caption(_words(split))


def _words(split: MarginSplit) -> str:
    cells, size = split.shares.shape, split.field.size
    height, width = split.field.input_size
    sees = (
        "and through global paths all of the picture"
        if split.field.sees_everything
        else f"of a picture of {height} × {width}"
    )
    return (
        f"The network computed {number(split.margin)}. Each of the {cells[0]} × {cells[1]} cells has an exact amount, "
        f"and counts as inside by the part of its own square of the picture that you marked. But receptive fields "
        f"cross the edge: a cell reads {size[0]:.0f} × {size[1]:.0f} pixels {sees}, so an amount inside may still "
        "come from the ground. Changing the ground decides."
    )
