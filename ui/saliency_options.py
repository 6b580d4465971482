"""The methods' own options: controls drawn from what each method declares, and kept in the address as `options`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

import cnn_core as cc
from cnn_core.saliency.options import Option
from cnn_core.saliency.registry import BATCH_OPTION
from ui import session
from ui.text import plain

Settings = Mapping[str, Mapping[str, Any]]
_MORE = 24  # options that an address can hold


def offered(card: cc.MethodCard) -> tuple[Option, ...]:
    """What can be set: the method's own options, and how many pictures are run at once where it runs many."""
    return (*card.options, BATCH_OPTION) if card.is_dear else card.options


def settings(cards: Mapping[str, cc.MethodCard]) -> dict[str, dict[str, Any]]:
    """What differs from the defaults, by method and name; what cannot be is said in a sentence and dropped."""
    found: dict[str, dict[str, Any]] = {}
    wrong = []
    for part in (session.get("options") or "").split(","):
        place, _, text = part.partition("~")
        method, _, name = place.partition(".")
        if not part:
            continue
        if method not in cards:
            wrong.append(f"There is no method “{plain(method)}” to set an option of.")
            continue
        option = next((one for one in offered(cards[method]) if one.name == name), None)
        if option is None:
            names = ", ".join(one.name for one in offered(cards[method])) or "none"
            wrong.append(f"{cards[method].title} has no option “{plain(name)}”; it has: {names}.")
            continue
        try:
            value = option.read(text)
        except cc.InvalidOption as error:
            wrong.append(f"{cards[method].title}: {plain(str(error))}")
            continue
        if value != option.default:
            found.setdefault(method, {})[name] = value
    if wrong:
        session.set("options", _written(found))
        session.tell("options", " ".join(wrong))
    return found


def in_words(card: cc.MethodCard, chosen: Mapping[str, Any]) -> str:
    """What was set, as a caption has it: "size 32, fill blur"."""
    return ", ".join(f"{_label(name).lower()} {Option.written(value)}" for name, value in chosen.items())


def controls(cards: Mapping[str, cc.MethodCard], current: Sequence[str], now: Settings) -> None:
    """The controls of the methods on the wall, a tab for each that has any."""
    shown = [cards[key] for key in current if offered(cards[key])]
    if not shown:
        return
    changed = sum(len(now.get(card.key, {})) for card in shown)
    with st.popover(
        f"Options, {changed} changed" if changed else "Options", icon=":material/tune:", key="cl_sal_options_popover"
    ):
        for card, tab in zip(shown, st.tabs([card.title for card in shown]), strict=True):
            with tab:
                for option in offered(card):
                    _control(card, option, now.get(card.key, {}).get(option.name, option.default), now)
        if changed:
            st.button(
                "Back to the defaults",
                key="cl_sal_options_reset",
                type="tertiary",
                icon=":material/undo:",
                on_click=session.set,
                args=("options", None),
                disabled=session.locked(),
            )


def _control(card: cc.MethodCard, option: Option, value: Any, now: Settings) -> None:
    key = f"cl_sal_option_{card.key}_{option.name}"
    label = _label(option.name)
    keep = partial(_keep, card, option, key, now)
    if isinstance(option.default, bool):
        st.session_state[key] = value
        st.toggle(label, key=key, on_change=keep, help=option.meaning, disabled=session.locked())
    elif option.choices:
        st.session_state[key] = value
        st.selectbox(label, option.choices, key=key, on_change=keep, help=option.meaning, disabled=session.locked())
    elif option.is_pair:
        st.session_state[key] = "" if value is None else Option.written(value)
        st.text_input(
            label,
            key=key,
            on_change=keep,
            help=option.meaning,
            placeholder="chosen by the method",
            disabled=session.locked(),
        )
    else:
        # Streamlit wants the type of all numbers of one control to be the same.
        kind: Any = int if option.is_whole else float
        st.session_state[key] = kind(value)
        st.number_input(
            label,
            min_value=None if option.low is None else kind(option.low),
            max_value=None if option.high is None else kind(option.high),
            step=kind(1) if option.is_whole else 0.05,
            key=key,
            on_change=keep,
            help=f"{option.meaning} {option.limits[0].upper()}{option.limits[1:]}.",
            disabled=session.locked(),
        )


def _keep(card: cc.MethodCard, option: Option, key: str, now: Settings) -> None:
    if session.locked():
        return
    value = st.session_state[key]
    if isinstance(value, str) and not option.choices:
        try:
            value = option.read(value.replace(" ", "").replace("×", "x")) if value.strip() else None
        except cc.InvalidOption as error:
            session.tell("options", f"{card.title}: {plain(str(error))}")
            return
    changed = {method: dict(chosen) for method, chosen in now.items()}
    own = changed.setdefault(card.key, {})
    own.pop(option.name, None)
    if value != option.default:
        own[option.name] = round(value, 6) if isinstance(value, float) else value
    if sum(map(len, changed.values())) > _MORE:
        session.tell("options", f"An address holds {_MORE} options: put some back to their defaults first.")
        return
    session.set("options", _written(changed))


def _written(found: Settings) -> str | None:
    parts = [f"{m}.{name}~{Option.written(value)}" for m, chosen in found.items() for name, value in chosen.items()]
    return ",".join(parts) or None


def _label(name: str) -> str:
    words = {"batch_size": "Pictures at once", "shown": "Share shown"}
    return words.get(name, name.replace("_", " ").capitalize())
