"""Choosing a network: cards for those that are ready, a search for all others, a choice where weights are missing."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import streamlit as st
from cachetools import TTLCache
from cachetools import cached as keep

import cnn_core as cc
from ui import cached, own_models, own_models_dialog, pictures, session, training
from ui.instruments.picker import Option, picker
from ui.text import plain

_FETCH = "cl_fetch"


# Read anew after some seconds: a teacher may have filled the folder of weights meanwhile.
@keep(TTLCache(1, ttl=10), lock=threading.Lock())
def _cards() -> dict[str, cc.ModelCard]:
    return {card.key: card for card in cc.list_models()}


def _choose(key: str) -> None:
    session.set("model", key)
    session.set("weights", None)
    for name in ("layer", "channel", "row", "column", "target", "rival"):
        session.set(name, None)


def _choose_run(key: str) -> None:
    _choose(key)
    run = training.run_of(key)
    sample = pictures.samples().get(session.get("picture"))
    # A network of digits has little to say about a photograph; a visitor's own picture stays.
    if run is not None and sample is not None and sample.kind == "photo":
        session.set("picture", training.fitting_picture(run) or sample.key)


def _run_picker(chosen: str) -> None:
    own = training.runs()
    if not own:
        return
    st.markdown("**Your runs**")
    picker(
        [Option(training.reference(name), training.title(run), training.detail(run)) for name, run in own.items()],
        chosen,
        key="cl_run_picker",
        label="Your runs",
        layout="cards",
        on_pick=_choose_run,
    )


def _choose_own(reference: str) -> None:
    _choose(reference)
    own = own_models.shelf().get(reference)
    sample = pictures.samples().get(session.get("picture"))
    # A network of greys has little to say about a photograph; a visitor's own picture stays.
    if own is not None and own.model.card.channels == 1 and sample is not None and sample.kind == "photo":
        session.set("picture", next(s.key for s in pictures.samples().values() if s.kind == "digit"))


def _forget_own(reference: str) -> None:
    own_models.shelf().forget(reference)
    _choose(session.PARAMETERS["model"].default)


def _own_picker(chosen: str) -> None:
    own = own_models.shelf().all()
    if own:
        st.markdown("**Your networks**")
        picker(
            [Option(reference, own_models.title(one), own_models.detail(one)) for reference, one in own.items()],
            chosen,
            key="cl_own_picker",
            label="Your networks",
            layout="cards",
            on_pick=_choose_own,
        )
    if chosen in own:
        st.caption(plain(own_models.feeding(own[chosen])))
        st.button(
            "Forget this network",
            key="cl_own_forget",
            on_click=_forget_own,
            args=(chosen,),
            type="tertiary",
            icon=":material/delete:",
        )
    own_models_dialog.button()


def model_picker() -> None:
    """Cards of the networks with weights on this machine, the visitor's own runs and networks, a search among all."""
    cards = _cards()
    if reference := own_models_dialog.arrived():
        _choose_own(reference)
        st.rerun()  # the picture, which is drawn before this, may be another now
    chosen = session.get("model")
    if chosen.startswith(own_models.PREFIX) and own_models.shelf().get(chosen) is None:
        _choose(session.PARAMETERS["model"].default)
        session.refuse(
            "model",
            "This link opens a network that somebody brought in another session (or that is no longer kept), and only "
            "they see it. Here is the default one: bring the file yourself.",
        )
        chosen = session.get("model")
    if chosen.startswith(training.PREFIX) and training.run_of(chosen) is None:
        _choose(session.PARAMETERS["model"].default)
        session.refuse(
            "model",
            "This link opens a network that was trained in another session (or that is no longer kept). Here is the "
            "default one: train it yourself, or open the saved run.",
        )
        chosen = session.get("model")
    elif not chosen.startswith((training.PREFIX, own_models.PREFIX)) and chosen not in cards:
        _choose(session.PARAMETERS["model"].default)
        session.refuse("model", f"There is no network “{chosen}”; here is the default one.")
        chosen = session.get("model")
    if words := session.refused("model"):
        st.info(words, icon=":material/hub:")
    if session.locked():
        st.markdown("**Network** :material/lock:")
        if chosen in cards:
            st.caption(f"{cards[chosen].title} ({cards[chosen].year}), {_detail(cards[chosen])}")
        return
    ready = [card for card in cards.values() if card.key == chosen or card.weights_available]
    st.markdown("**Network**")
    picker(
        [Option(card.key, f"{card.title} ({card.year})", _detail(card)) for card in ready],
        chosen,
        key="cl_model_picker",
        label="Network",
        layout="cards",
        on_pick=_choose,
    )
    _run_picker(chosen)
    _own_picker(chosen)
    others = [key for key in cards if key not in {card.key for card in ready}]

    def search() -> None:
        found = st.session_state["cl_model_search"]
        if found in others:  # a browser may send any text
            _choose(found)
            st.session_state["cl_model_search"] = None

    st.selectbox(
        "Another network",
        others,
        index=None,
        format_func=lambda key: f"{cards[key].title} ({cards[key].year}), {_millions(cards[key].n_parameters)}",
        key="cl_model_search",
        on_change=search,
        placeholder=f"{len(others)} more networks",
        label_visibility="collapsed",
        help="Their weights are not on this machine: fetch them, or open the architecture with random weights.",
    )


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M parameters" if parameters >= 1e5 else f"{parameters:,} parameters"


def _detail(card: cc.ModelCard) -> str:
    return f"{_millions(card.n_parameters)} · {card.classes_note or f'{card.n_classes:,} classes'}"


def open_chosen() -> cc.Classifier:
    """The chosen network, loaded; where its weights are missing, offer the choices and stop the page."""
    key, weights = session.get("model"), session.get("weights")
    run = training.run_of(key) if key.startswith(training.PREFIX) else None
    if run is not None:
        with st.spinner(f"Opening {training.title(run)}…"):
            return training.open_run(run)
    own = own_models.shelf().get(key)
    if own is not None:
        return own_models.open_own(own)
    card = _cards()[key]
    if weights == "default" and not card.weights_available:
        _offer(card)
        st.stop()
    # A spinner starts a thread: not for what is there.
    with nullcontext() if cached.is_open(key, weights) else st.spinner(f"Opening {card.title}…"):
        return cached.classifier(key, weights)


def _offer(card: cc.ModelCard) -> None:
    st.header(f"The weights of {card.title} are not on this machine", anchor=False)
    st.markdown(
        f"You can fetch them (a download of {card.download_megabytes or 0:.0f} MB), or open the architecture with "
        "random weights: every number is then exact, and what it says about your picture means nothing."
    )
    error = st.session_state.pop(f"{_FETCH}_error", None)
    if error:
        st.error(error, icon=":material/cloud_off:")
    with st.container(horizontal=True):
        fetch = st.button(
            "Fetch the weights", type="primary", icon=":material/download:", disabled=not card.download_megabytes
        )
        if st.button("Open with random weights", icon=":material/casino:"):
            session.set("weights", "random")
            st.rerun()
        if st.button("Back to the default network", type="tertiary"):
            _choose(session.PARAMETERS["model"].default)
            st.rerun()
    if fetch:
        _fetch(card)


def _fetch(card: cc.ModelCard) -> None:
    bar = st.progress(0.0, text="Asking the server…")
    # A click on Cancel runs the page again, which stops this run at the next report of progress.
    st.button("Cancel", key="cl_fetch_cancel")

    def report(done: int, total: int) -> None:
        bar.progress(min(1.0, done / max(1, total)), text=f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")

    try:
        cc.fetch_weights(card.key, on_progress=report)
    except cc.WeightsUnavailable as error:
        st.session_state[f"{_FETCH}_error"] = str(error)
    _cards.cache_clear()
    st.rerun()
