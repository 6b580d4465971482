"""The laboratory of “Methods on trial”: the guess, the wall of maps, the answer, and what each section needs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import cnn_core as cc
from ui import (
    cached,
    lesson,
    saliency_classes,
    saliency_layers,
    saliency_methods,
    saliency_options,
    saliency_trials,
    session,
    widgets,
)
from ui.instruments.place import Guess
from ui.instruments.saliency import wall
from ui.saliency_methods import Asked
from ui.saliency_squares import answer
from ui.text import plain
from ui.widgets import Bench

# The same guesses as on the Grad-CAM page: one picture and one network are asked about once.
GUESSES = "cl_gradcam_guesses"
_PLACE = "cl_saliency_place"


def opened() -> None:
    """To be called when the page begins: the wall then starts from the placement that the address names."""
    now = session.get("placement")
    count = st.session_state.get(_PLACE, {}).get("count", 0)
    st.session_state[_PLACE] = {"base": now, "told": now, "count": count + 1}


def laboratory(bench: Bench) -> None:
    """Everything that answers to a click on this page."""
    subject = f"{bench.classifier.key}:{bench.model_input.digest[:16]}"
    guesses: dict[str, Guess] = st.session_state.setdefault(GUESSES, {})
    guess = lesson.placed("saliency", guesses, subject, Guess(None))
    target = widgets.class_picker(bench)
    # Each part has its place before and after the guess, so that the browser keeps the picture where it is.
    choices, view, waiting, told, strip, squares, below = (st.container() for _ in range(7))
    with strip:
        layer = _layer(bench) if guess is None else widgets.layer_picker(bench, key="saliency")
        saliency_layers.say_where(bench, layer)
    with choices:
        current = saliency_methods.chosen()
        asked = _asked(bench, target, layer, current)
        saliency_methods.chips(bench, current, asked)
    label = _label(bench, asked)
    tiles, refused = saliency_methods.compute(bench, current, asked) if guess is not None else ([], {})
    with view:
        question = f"Where did the network look for “{label}”? Click that place in the picture."
        reference = tiles[0].map if tiles else _reference(bench, asked)
        wall(
            tiles,
            key="cl_saliency",
            subject=subject,
            target=reference,
            origin=f"{bench.picture.name or 'the picture'}, {bench.classifier.card.title}",
            question=question if guess is None else "",
            guess=guess,
            waiting=guess is None,
            placement=_placement(),
            on_guess=lambda made: guesses.update({subject: made}),
            on_place=_place,
        )
    if guess is None:
        return
    with waiting:
        saliency_methods.dear(bench, current, asked)
    with told:
        _refusals(refused)
        if guess.position is not None and tiles:
            with squares:
                cards = st.container()
            answer(bench, asked, tiles, guess.position, cards, subject)
        st.button(
            "Guess again",
            on_click=lambda: st.session_state[GUESSES].pop(subject, None),
            type="tertiary",
            icon=":material/undo:",
            key="cl_saliency_again",
        )
    with below:
        saliency_methods.method_cards(tiles, refused, current)
    saliency_trials.trials(bench, asked, tiles)
    saliency_layers.layers(bench, asked)
    saliency_classes.classes(bench, asked)


def _refusals(refused: dict[str, str]) -> None:
    known = saliency_methods.cards()
    for key, sentence in refused.items():
        st.info(f"**{known[key].title}** has no map here. {plain(sentence)}", icon=":material/info:")


def _layer(bench: Bench) -> cc.Operation:
    """The layer of the address, without drawing the strip: before the guess nothing of the maps is shown."""
    wanted = session.get("layer")
    network = bench.classifier.network
    default = network[network.default_layer()]
    if wanted is None:
        return default
    try:
        found = network[wanted]
    except cc.InvalidLayer:
        return default  # the strip says so once it is there
    return found if found in network.map_layers() else default


def _asked(bench: Bench, target: int, layer: cc.Operation, current: Sequence[str]) -> Asked:
    """Class, rival and score; the fused layers and the methods' own options of the address."""
    known = saliency_methods.cards()
    rival = widgets.wanted_rival(bench, target)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        widgets.rival_picker(bench, target, rival, key="cl_sal_rival")
        st.session_state.cl_sal_score = session.get("score")
        st.segmented_control(
            "What the maps explain",
            list(saliency_methods.SCORES),
            required=True,
            format_func=saliency_methods.SCORES.__getitem__,
            key="cl_sal_score",
            on_change=session.take,
            args=("score", "cl_sal_score"),
            label_visibility="collapsed",
            disabled=session.locked(),
        )
        fuse, fusion = saliency_layers.fusion_picker(bench, layer)
        settings = saliency_options.settings(known)
        saliency_options.controls(known, current, settings)
    if refused := session.refused("options"):
        st.info(refused, icon=":material/tune:")
    both = target if rival is None else (target, rival)
    return Asked(both, session.get("score"), layer.name, fuse, fusion, settings)


def _label(bench: Bench, asked: Asked) -> str:
    names = bench.classifier.class_names
    indices = asked.target if isinstance(asked.target, tuple) else (asked.target,)
    return " rather than ".join(names[index] for index in indices)


def _reference(bench: Bench, asked: Asked) -> cc.SaliencyMap:
    """A map of the target where no chosen method has one: for its name, its number and the picture."""
    card = saliency_methods.cards()["gradient"]
    return cached.explain(bench.classifier, bench.model_input, **asked.options(card))


def _placement() -> tuple[str, int]:
    held = st.session_state.setdefault(_PLACE, {"base": "aligned", "told": "aligned", "count": 0})
    now = session.get("placement")
    if now != held["told"]:
        held.update(base=now, told=now, count=held["count"] + 1)
    return held["base"], held["count"]


def _place(place: str) -> None:
    st.session_state[_PLACE]["told"] = place
    session.set("placement", place)
