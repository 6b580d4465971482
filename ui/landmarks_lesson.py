"""The landmarks lesson's history: the guess, the line of time, and each landmark's block opened in numbers."""

from __future__ import annotations

import math
from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.landmarks import LANDMARKS, Counted, Landmark, counted, landmark
from ui import cached, lesson, session, shell, text
from ui.instruments import landmarks as instrument
from ui.landmarks_blocks import in_numbers

_SHOW_COSTS: Final = "cl_landmarks_costs"
_BYTES_OF_COUNTS: Final = 100_000


def counts(key: str) -> Counted:
    """What a network of the catalogue costs, counted once for everybody."""
    return cached.memo("landmark", (key,), lambda: counted(key), lambda made: _BYTES_OF_COUNTS)


@st.cache_data(show_spinner=False)
def titles() -> dict[str, str]:
    """Titles of the networks that the lesson shows."""
    cards = {card.key: card.title for card in cc.list_models()}
    return {key: cards[key] for entry in LANDMARKS for key in (*entry.models, entry.small)}


def all_counts() -> dict[str, Counted]:
    """The full-size networks, oldest first."""
    return {key: counts(key) for entry in LANDMARKS for key in entry.models}


def chosen() -> Landmark:
    """The landmark of the address, the first one where nobody chose."""
    return landmark(session.get("landmark"))


def guess(found: dict[str, Counted]) -> bool:
    """Ask which has the most parameters; returns whether the counts may be shown."""
    options = {entry.key: entry.title if entry.key != "resnet" else "ResNet-50" for entry in LANDMARKS}
    picked = lesson.guess("landmarks_most", "Which of the five has the most parameters?", options)
    most = max(LANDMARKS, key=lambda entry: max(found[key].n_parameters for key in entry.models))
    lesson.reveal(picked, most.key, answer(found))
    if picked is not None:
        return True
    return st.toggle("Show the counts without guessing", key=_SHOW_COSTS)


def answer(found: dict[str, Counted]) -> str:
    """Counted from the modules: who has most, where they are, and what the later ones do with fewer."""
    vgg, google, resnet = (found[key] for key in ("vgg16", "googlenet", "resnet50"))
    first_linear = max(vgg.units, key=lambda unit: unit.n_parameters)
    return (
        f"VGG-16 has **{vgg.n_parameters:,}**. {first_linear.n_parameters / vgg.n_parameters:.0%} of them stand in one "
        f"layer, {first_linear.name}, which joins every cell of the last maps to 4,096 units. GoogLeNet has "
        f"{google.n_parameters:,} and ResNet-50, with {resnet.layers} layers, {resnet.n_parameters:,}: both average "
        "each map instead. The newest has not the most."
    ).replace("%", " %")


TABLE_NOTE: Final = (
    "Parameters, multiply-adds (convolutions and linear layers, one picture of 224 × 224, LeNet-5 of 28 × 28) and "
    "activations (4 bytes for each number that any operation gives) are counted from the module, without auxiliary "
    "heads; layers are those with weights on the longest way. Accuracies stand in torchvision's own weights entries: "
    "the share of ImageNet's 50,000 validation pictures named right, one crop; V2 is a newer training of the same "
    "network."
)


def history() -> bool:
    """The line of time with the network under it, then the chosen landmark's block; whether counts are shown."""
    found = all_counts()
    costs = guess(found)
    entry = chosen()
    named = titles()
    networks = [(one, [(named[key], found[key]) for key in one.models]) for one in LANDMARKS]
    instrument.timeline(
        instrument.payload(networks, chosen=entry.key, costs=costs),
        [one.key for one in LANDMARKS],
        key="cl_landmarks",
        on_pick=lambda key: session.set("landmark", key),
    )
    st.caption(
        "Height of a slab: the side of its maps (or how many numbers); width: how many maps, both on a logarithmic "
        "scale; dashed: no weights. Under it, number and side of the maps"
        + ("; then its part of the parameters (full) and of the multiply-adds (hatched)." if costs else ".")
        + " Arrow keys move along the line of time; Enter or a click opens the landmark's block below."
    )
    opened(entry, found, costs=costs)
    return costs


def opened(entry: Landmark, found: dict[str, Counted], *, costs: bool) -> None:
    """The chosen landmark's block in numbers, what is published, and where to look further."""
    st.header(f"{entry.title}: its block in numbers", anchor=False, divider="gray")
    in_numbers(entry.key)
    if costs:
        st.markdown(published(entry, found))
    links(entry)


def published(entry: Landmark, found: dict[str, Counted]) -> str:
    """The published number of parameters beside the counted one."""
    key = entry.models[0]
    counted_here = found[key].n_parameters
    words = f"**Published:** {entry.published}. **Counted** from {titles()[key]}'s own module: {counted_here:,}."
    if entry.key == "lenet":
        words += (
            " ConvLens's LeNet-5 has 1,706 more than the 60,000 of 1998: every filter of its second convolution reads "
            "all six maps, its pooling has nothing to train, and a trained layer ends it."
        )
    return words


def links(entry: Landmark) -> None:
    """Open this landmark, or its small member, in other pages."""
    with st.container(horizontal=True, gap="medium"):
        for key in (entry.models[0], entry.small):
            query = {"model": key} | ({"picture": "clothing_ankle_boot"} if key == entry.small else {})
            st.page_link(
                shell.lesson("network").page,
                label=f"{titles()[key]} in The whole network",
                icon=":material/account_tree:",
                query_params=query,
            )
        if entry.key == "resnet":
            st.page_link(
                shell.lesson("resnet").page, label="Why ResNet: train it", icon=":material/stacked_line_chart:"
            )


def full_table(found: dict[str, Counted]) -> str:
    """The full-size networks in one table, for Markdown with HTML."""
    from cnn_core.landmarks import reported

    heads = ("network", "layers", "parameters", "multiply-adds", "activations", "top-1 on ImageNet", "weights")
    rows = []
    for entry in LANDMARKS:
        for key in entry.models:
            one, weights = found[key], reported(key)
            accuracy = " / ".join(f"{report.top1:.2f}\N{NO-BREAK SPACE}%" for report in weights) or "(digits)"
            size = (
                " / ".join(
                    f"{report.weights.removeprefix('IMAGENET1K_')}, {report.megabytes:.0f}\N{NO-BREAK SPACE}MB"
                    for report in weights
                )
                or "with ConvLens"
            )
            rows.append(
                (
                    f"{titles()[key]}, {entry.year}",
                    f"{one.layers}",
                    f"{one.n_parameters:,}",
                    billions(one.macs),
                    f"{one.activation_bytes / 1e6:.3g} MB",
                    accuracy,
                    size,
                )
            )
    return text.table(heads, rows)


def billions(count: int) -> str:
    """ "15.47 billion", "416,520": four digits from a million on."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if count >= size:
            value = count / size
            return f"{value:.{max(0, 3 - int(math.log10(value)))}f} {word}"
    return f"{count:,}"
