"""What a visitor has chosen: values of one declared table, kept for the session and mirrored in the page's address."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

import streamlit as st

from ui import teaching as taught
from ui import visitor
from ui.parameters import PARAMETERS
from ui.teaching import Teaching

_SEEN = "cl_address_seen"
_BOUND = "cl_address_bound"
_REFUSED = "cl_address_refused"  # {name: sentence} of values that the page on show could not take
_PAGE = "cl_address_page"
_NAMES = "cl_address_names"  # {page: names} of what each page bound
_TEACHING = "cl_teaching"  # what a teacher's link set, for as long as the session lasts
_LOCKED = "cl_locked"  # {name: value} of a locked link: what `get` reads, whatever else is done in this session
_STOOD = "cl_address_stood"  # [(name, text, until when)] of what the address said, or did not, until lately
_UNREADABLE = "address:"
_LATE = 1.0  # seconds that a browser may take to hear of a change


def _slot(name: str) -> str:
    return f"cl_{name}"


def get(name: str) -> Any:
    """The value of `name` for this visitor, or its default."""
    default = PARAMETERS[name].default
    if locked():
        kept: dict[str, Any] = st.session_state[_LOCKED]
        return kept.get(name, default)
    return st.session_state.get(_slot(name), default)


def teaching() -> Teaching:
    """What the teacher set in the link that this session began with."""
    found: Teaching = st.session_state.get(_TEACHING, Teaching())
    return found


def locked() -> bool:
    """Whether a teacher's link keeps all values as they are."""
    return _LOCKED in st.session_state


def join(room: str) -> None:
    """Guess along in a room from now on."""
    st.session_state[_TEACHING] = replace(teaching(), room=room)


def set(name: str, value: Any, *, address: bool = True) -> None:
    """Keep a value for this visitor; None puts the default back.

    The address follows at once, unless `address` is False: then `write_address` is to be called when what matters more
    is on its way, since a browser that is told a new address first is slower to draw.
    """
    parameter = PARAMETERS[name]
    if locked():
        return  # whoever asks: a control, a component, or a page that is used to keep what it chose by itself
    if value is not None and value != get(name):
        _forget_refusal(name)
    if value is None:
        st.session_state.pop(_slot(name), None)
    else:
        st.session_state[_slot(name)] = parameter.parse(str(value))
    if address:
        _write(name)


def take(name: str, widget: str) -> None:
    """Keep what a widget says. A list may tell any text, since a browser may send any: what is none is left out."""
    said = st.session_state[widget]
    with suppress(ValueError):
        set(name, None if said == "" else said)


def control(name: str, widget: str, among: Collection[Any] = ()) -> dict[str, Any]:
    """Arguments by which a widget shows a shared value, and keeps what is chosen there.

    among: what can be chosen where the value may be of another page; the first of them stands in for any other.
    """
    held = get(name)
    st.session_state[widget] = next(iter(among)) if among and held not in among else held
    return {"key": widget, "on_change": take, "args": (name, widget), "disabled": locked()}


def refuse(name: str, sentence: str) -> None:
    """Drop a value that does not fit, and tell so in a sentence."""
    if locked():
        st.session_state[_LOCKED].pop(name, None)  # it fits on no screen of the class
        _write(name)
    set(name, None)
    tell(name, sentence)


def tell(name: str, sentence: str) -> None:
    """Keep a sentence about a value that did not fit until another is chosen or the page is left."""
    _refusals()[name] = sentence


def refused(name: str) -> str | None:
    """The sentence about a value that did not fit, where it still holds."""
    return _refusals().get(name)


def refused_values() -> tuple[str, ...]:
    """What the address said that nothing could read, a sentence each."""
    return tuple(sentence for name, sentence in _refusals().items() if name.startswith(_UNREADABLE))


def _refusals() -> dict[str, str]:
    kept: dict[str, str] = st.session_state.setdefault(_REFUSED, {})
    return kept


def _forget_refusal(name: str) -> None:
    """Something else was chosen: what was said about its like is over, and with another network all of it."""
    for kept in list(_refusals()):
        if name == "model" or kept in (name, f"{_UNREADABLE}{name}"):
            del _refusals()[kept]


def page() -> str:
    """The address of the page that the visitor is on; "" is Home."""
    return str(st.session_state.get(_PAGE, ""))


def chosen() -> dict[str, str]:
    """What this visitor chose, for the log of a page that failed; of an upload no more than that it is one."""
    values = {name: get(name) for name, parameter in PARAMETERS.items() if get(name) != parameter.default}
    return {name: "upload" if str(value).startswith("upload-") else str(value) for name, value in values.items()}


def forget_choices(*, address: bool = True) -> None:
    """Put every shared value back to its default."""
    for name in PARAMETERS:
        set(name, None, address=address)


def bind(*names: str) -> None:
    """Show these values in this page's address; called at the top of a page."""
    st.session_state[_BOUND] = tuple(names)
    if names:
        kept: dict[str, tuple[str, ...]] = st.session_state.setdefault(_NAMES, {})
        kept.pop(page(), None)  # the last one is where the visitor was last
        kept[page()] = names
    write_address()


def last_page() -> str:
    """The page that last bound values of its own, "" for none: where the visitor set something last."""
    return next(reversed(st.session_state.get(_NAMES, {})), "")


def told(page: str) -> dict[str, str]:
    """What a link to a page says of what is chosen now: what stands, or last stood, in that page's address."""
    bound = st.session_state.get(_NAMES, {}).get(page, ())
    texts = {name: _text(name) for name, each in PARAMETERS.items() if each.everywhere or name in bound}
    return {name: text for name, text in texts.items() if text is not None}


def write_address() -> None:
    """Make the address say what is chosen now."""
    # Only what is or will be in it: to ask Streamlit for each of sixty values takes longer than to draw a short page.
    stands = st.query_params.to_dict().keys() | st.session_state.get(_SEEN, {}).keys()
    bound = st.session_state.get(_BOUND, ())
    all_of_them = locked()
    for name, parameter in PARAMETERS.items():
        if name in stands or name in bound or parameter.everywhere or all_of_them:
            _write(name)
    text = teaching().to_text()
    if text and st.query_params.get(taught.ADDRESS) != text:
        st.query_params[taught.ADDRESS] = text


def adopt_address(page: str = "") -> None:
    """Take over what the address says where it changed since it was last read or written: a link that was opened.

    page: where the visitor is; what was said about another page's address is forgotten.
    """
    seen: dict[str, str] = st.session_state.setdefault(_SEEN, {})
    stays = st.session_state.get(_PAGE) == page
    if not stays:
        _refusals().clear()
        st.session_state[_PAGE] = page
    st.session_state[_BOUND] = ()
    adopts_lock = _adopt_teaching()
    if locked() and not adopts_lock:
        write_address()
        return
    said = st.query_params.to_dict()
    for name, parameter in PARAMETERS.items():
        text = said.get(name)
        if text is None and seen.pop(name, None) is not None and stays and not _is_late(name, None):
            # The browser went back to an address of this page that did not say it.
            st.session_state.pop(_slot(name), None)
            _forget_refusal(name)
        if text is None or seen.get(name) == text or _is_late(name, text):
            continue
        seen[name] = text
        _forget_refusal(name)
        try:
            st.session_state[_slot(name)] = parameter.parse(text)
        except ValueError:
            # An address may say anything: what cannot be read is dropped and said, and what was chosen before stands.
            del st.query_params[name]
            seen.pop(name)
            if text:
                tell(f"{_UNREADABLE}{name}", f"The address says {name}={text[:60]}, which cannot be read.")
    if adopts_lock:
        st.session_state[_LOCKED] = {name: get(name) for name in PARAMETERS}
    if teaching() != Teaching():
        write_address()


def _is_late(name: str, text: str | None) -> bool:
    """Whether a browser says what stood in the address until a moment ago: it has not heard of the change yet.

    One that went back says so, and means it.
    """
    return not visitor.went_back() and (name, text) in ((each, stood) for each, stood, _ in _stood_lately())


def _stood_lately() -> list[tuple[str, str | None, float]]:
    since = time.monotonic() - _LATE
    kept: list[tuple[str, str | None, float]] = [one for one in st.session_state.get(_STOOD, ()) if one[2] >= since]
    return kept


def _adopt_teaching() -> bool:
    """Take over what a teacher's link set, once in a session; whether it is now to be locked.

    The first one stays: what a page, an earlier page in the browser's history or another link says changes nothing.
    """
    text = st.query_params.get(taught.ADDRESS)
    if not text or _TEACHING in st.session_state:
        return False
    try:
        found = taught.read(text)
    except ValueError:
        del st.query_params[taught.ADDRESS]
        tell(f"{_UNREADABLE}{taught.ADDRESS}", f"The address says teach={text[:60]}, which cannot be read.")
        return False
    if found.locked:
        st.session_state.get(_SEEN, {}).clear()
        forget_choices(address=False)
    st.session_state[_TEACHING] = found
    return found.locked


def _text(name: str) -> str | None:
    """A value as an address says it; None where it is the default, or for nobody else."""
    value = get(name)
    # A visitor's own picture never stands in a link.
    private = name == "picture" and str(value).startswith("upload-")
    return None if value is None or value == PARAMETERS[name].default or private else str(value)


def _write(name: str) -> None:
    # All that is locked stands on every page, so that a page that is loaded again is locked to the same.
    shown = locked() or PARAMETERS[name].everywhere or name in st.session_state.get(_BOUND, ())
    text = _text(name) if shown else None
    stood = st.query_params.get(name)
    if stood != text:
        st.session_state[_STOOD] = [*_stood_lately(), (name, stood, time.monotonic())]
        if text is None:
            del st.query_params[name]
        else:
            st.query_params[name] = text
    seen: dict[str, str] = st.session_state.setdefault(_SEEN, {})
    if text is None:
        seen.pop(name, None)
    else:
        seen[name] = text
