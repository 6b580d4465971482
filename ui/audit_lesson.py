"""Audit a folder: pictures in, five steps on the left, the wall in the middle, the verdict on the right."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from ui import (
    audit_boxes,
    audit_bring,
    audit_group,
    audit_look,
    audit_room,
    audit_run,
    audit_swap,
    lesson,
    models,
    session,
)
from ui.audit_room import Held, Room
from ui.text import plain

ADDRESS: Final = ("herd", "network", "versus", "method", "step", "sort")
STEPS: Final = {"look": "Look", "group": "Group", "box": "Box", "swap": "Swap", "verdict": "Verdict"}
_MODEL_SEEN: Final = "cl_audit_model_seen"


def side_bar() -> None:
    """The picker of networks; who picks one there means that one, and no example any more."""
    with st.sidebar:
        models.model_picker()
    model = session.get("model")
    if st.session_state.setdefault(_MODEL_SEEN, model) != model:
        st.session_state[_MODEL_SEEN] = model
        session.set("network", None)


def _network() -> tuple[cc.Classifier, str, str]:
    """The network on trial: the one of the side bar, or an example; with its title and how an address calls it."""
    chosen = session.get("network")
    if chosen is not None and chosen not in audit_run.examples():
        session.refuse("network", "There is no such example network, so here is the one of the side bar.")
        chosen = None
    if words := session.refused("network"):
        st.info(words, icon=":material/hub:")
    if chosen is not None:
        example = audit_run.networks()[chosen]
        return example.open(), example.title, chosen
    classifier = models.open_chosen()
    return classifier, classifier.card.title, str(session.get("model"))


def room() -> None:
    """The whole bench."""
    own = audit_room.mine()
    audit_bring.bring(own)
    if len(own) == 0:
        return
    classifier, title, reference = _network()
    guess = lesson.guess(
        "audit",
        "What do this network’s answers on these pictures rely on?",
        {"not_supported": "The object", "supported": "The background"},
        about=f"{own.pictures}:{classifier.key}",
    )
    held = own.held("first")
    if held is not None and held.network != audit_run.identity(classifier):
        held = None
    fresh = held is not None and own.is_fresh(held, audit_run.identity(classifier))
    _trial(own, classifier, title)
    if held is None:
        if audit_run.under_way("first"):
            return
        st.button(
            f"Look at the {len(own):,} pictures" if guess else f"Look at the {len(own):,} pictures without a guess",
            type="primary" if guess else "secondary",
            key="cl_audit_start",
            icon=":material/visibility:",
            on_click=audit_run.start,
            args=(own, "first", classifier, title),
        )
        return
    left, middle, right = st.columns([2, 9, 4], gap="medium")
    with left:
        step = _steps(own, held, fresh)
    with right:
        audit_swap.verdict(own, held, fresh=fresh)
        if held.report.swap is not None and held.report.verdict.key != "too_few":
            lesson.reveal(guess, held.report.verdict.key, plain(held.report.verdict.title) + ".")
            if words := audit_swap.example_truth(reference):
                st.caption(words)
    with middle:
        if not audit_run.under_way("first"):  # what was found before stays to be read beside the bar
            _step(own, held, step, fresh, (classifier, title, reference))


def _trial(own: Room, classifier: cc.Classifier, title: str) -> None:
    """Which network and which maps."""
    titles = audit_run.methods()
    examples = {key: one for key, one in audit_run.networks().items() if key in audit_run.examples()}
    current = session.get("network") or ""
    st.session_state["cl_audit_network"] = current
    st.session_state["cl_audit_method"] = audit_run.method()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Network on trial",
            ["", *examples],
            format_func=lambda key: examples[key].title if key else f"{_side_bar_title(title, current)} (side bar)",
            key="cl_audit_network",
            on_change=session.take,
            args=("network", "cl_audit_network"),
            width=340,
        )
        st.selectbox(
            "Maps by",
            list(titles),
            format_func=titles.__getitem__,
            key="cl_audit_method",
            on_change=session.take,
            args=("method", "cl_audit_method"),
            width=200,
        )
    if current:
        st.caption("The network named here is on trial, not the one chosen in the side bar.")


def _side_bar_title(title: str, current: str) -> str:
    if not current:
        return title
    cards = {card.key: card.title for card in cc.list_models()}
    return cards.get(str(session.get("model")), "The one chosen")


def _steps(own: Room, held: Held, fresh: bool) -> str:
    swap = held.report.swap
    done = {
        "look": True,
        "group": bool(own.tags),
        "box": bool(own.boxes),
        "swap": swap is not None and swap.n > 0 and fresh,
        "verdict": held.report.verdict.key != "too_few" and fresh,
    }
    step = str(session.get("step"))
    with st.container(horizontal=True, gap="small"):  # one below the other in a column, side by side on a phone
        for number, (key, title) in enumerate(STEPS.items(), start=1):
            st.button(
                f"{number} {title}{' ✓' if done[key] else ''}",
                key=f"cl_audit_step_{key}",
                type="primary" if key == step else "secondary",
                on_click=session.set,
                args=("step", key),
                width=104,
                disabled=session.locked(),
            )
    st.caption(
        {
            "look": "Read the maps. They propose.",
            "group": "Name the backgrounds.",
            "box": f"{len(own.boxes)} boxed.",
            "swap": "The causal test.",
            "verdict": "Compare, and take it along.",
        }[step]
    )
    return step


def _step(own: Room, held: Held, step: str, fresh: bool, trial: tuple[cc.Classifier, str, str]) -> None:
    classifier, title, reference = trial
    report = held.report
    if step == "look":
        audit_look.look(own, report)
    elif step == "group":
        audit_group.group(own, report)
    elif step == "box":
        audit_boxes.boxes(own, report)
    if step in ("box", "swap") or (step == "group" and own.boxes and not fresh):
        _run_swaps(own, classifier, title, fresh)
    if step == "swap":
        audit_swap.swaps(report)
    elif step == "verdict":
        _verdict(own, held, reference)


def _run_swaps(own: Room, classifier: cc.Classifier, title: str, fresh: bool) -> None:
    n = len(own.boxes)
    if fresh and own.boxes:
        st.caption(
            "The swaps below are of these boxes and tags." if session.get("step") == "swap" else "The swaps were run."
        )
        return

    def run() -> None:
        audit_run.start(own, "first", classifier, title)
        session.set("step", "swap")

    st.button(
        f"Run the swaps with {n} boxed picture{'s' * (n != 1)}",
        key="cl_audit_swap",
        type="primary",
        icon=":material/swap_horiz:",
        disabled=not n,
        on_click=run,
        help=None if n else "Draw a box on a few pictures first (step 3).",
    )


def _verdict(own: Room, held: Held, reference: str) -> None:
    st.markdown("**The report**")
    st.caption("One file with the pictures, the numbers, the settings and the limits; it opens without a network.")
    audit_swap.downloads(held, "first")
    st.markdown("**What these numbers cannot tell**")
    st.markdown("\n".join(f"- {plain(limit)}" for limit in held.report.limits))
    st.header("Two networks, the same folder", anchor=False)
    found = {key: one for key, one in audit_run.networks().items() if key != reference}
    chosen = session.get("versus") if session.get("versus") in found else None
    if chosen is None and reference == audit_run.FIRST_EXAMPLE:
        chosen = audit_run.SECOND_EXAMPLE
    st.session_state["cl_audit_versus"] = chosen
    st.selectbox(
        "Compare with",
        list(found),
        index=None,
        format_func=lambda key: found[key].title,
        key="cl_audit_versus",
        on_change=session.take,
        args=("versus", "cl_audit_versus"),
        placeholder="Another network: a repaired one, an earlier one",
        width=360,
    )
    if chosen is None:
        st.caption("Choose a second network: it is given the same pictures, boxes and tags.")
        return
    if audit_run.under_way("second"):
        return
    other = own.held("second")
    if other is not None and other.title != found[chosen].title:
        other = None
    stale = other is not None and other.marks != held.marks
    if other is None or stale:
        with st.spinner("Opening the network…"):
            second = found[chosen].open()
        st.button(
            "Audit it, too" if not stale else "Audit it again with the boxes and tags of now",
            key="cl_audit_second",
            type="primary",
            icon=":material/compare_arrows:",
            on_click=audit_run.start,
            args=(own, "second", second, found[chosen].title),
        )
        if other is None:
            return
    audit_swap.compare(held, other)
    audit_look.disagreements(own, held.report, other.report, (held.title, other.title))
    st.caption(f"The report of {plain(other.title)}:")
    audit_swap.downloads(other, "second")
    if other.report.swap is not None and (words := audit_swap.example_truth(chosen)):
        st.caption(f"{plain(other.title)}. {words}")
