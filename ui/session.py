"""What a visitor has chosen: one declared table of values, kept for the session and mirrored in the page's address."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from ui import teaching as taught
from ui.teaching import Teaching


def _key(text: str) -> str:
    """A short name such as a model's key or a layer's path."""
    if not text or len(text) > 120 or not all(c.isalnum() or c in "._-: " for c in text):
        raise ValueError(text)
    return text


def _index(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1_000_000:
        raise ValueError(text)
    return value


def _class(text: str) -> str:
    """A class by its index or its name, which the network on the page looks up."""
    if not text.strip() or len(text) > 80 or not text.isprintable():
        raise ValueError(text)
    return text.strip()


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return parse


def _list_of(one: str, most: int, before: str = "") -> Callable[[str], str]:
    """One to `most` words of a pattern with commas between; whether they mean something, the page finds out."""
    pattern = re.compile(rf"{before}{one}(,{one}){{0,{most - 1}}}")

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def _line(text: str) -> str:
    """One line that the page itself reads strictly, so that it can say what is wrong with it."""
    if not text or len(text) > 1500 or not text.isprintable():
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Parameter:
    """How one shared value is read from an address, and what it is when nobody chose."""

    parse: Callable[[str], Any]
    default: Any = None
    everywhere: bool = False  # in every page's address, not only on pages that bind it


PARAMETERS: dict[str, Parameter] = {
    "picture": Parameter(_key, "panda", everywhere=True),
    "model": Parameter(_key, "mobilenet_v2", everywhere=True),
    "weights": Parameter(_one_of("default", "random"), "default", everywhere=True),
    "layer": Parameter(_key),
    "channel": Parameter(_index),
    "row": Parameter(_index),
    "column": Parameter(_index),
    "target": Parameter(_class),
    "rival": Parameter(_index),
    "method": Parameter(_key, "gradcam"),
    "methods": Parameter(_list_of("[a-z0-9_]{1,40}", 24)),
    "score": Parameter(_one_of("logit", "probability", "centred"), "logit"),
    "placement": Parameter(_one_of("aligned", "naive"), "aligned"),
    # fuse: layers joined with the chosen one, and how: "mean~features.6,features.13"
    "fuse": Parameter(_list_of("[A-Za-z0-9._:-]{1,120}", 8, "(mean|max|product)~")),
    # options: of saliency methods: "occlusion.size~32,rise.seed~3"
    "options": Parameter(_list_of(r"[a-z0-9_]{1,40}\.[a-z_]{1,20}~[a-z0-9_.+-]{1,20}", 24)),
    "mode": Parameter(_key),
    "trail": Parameter(_list_of(r"(most|for)~[A-Za-z0-9._:~-]{1,1000}", 1)),  # as `cc.Trail.to_text` writes it
    "kernel": Parameter(_key),
    "stride": Parameter(_between(1, 8), 1),
    "padding": Parameter(_between(0, 8), 0),
    "dilation": Parameter(_between(1, 8), 1),
    "steps": Parameter(_between(8, 256), 64),
    "seed": Parameter(_between(0, 9999), 0),
    "strength": Parameter(_one_of("off", "weak", "medium", "strong"), "medium"),
    "changes": Parameter(_line),
    "tool": Parameter(_one_of("channels", "kernel", "picture", "preprocessing"), "channels"),
    "watch": Parameter(_key),
    "section": Parameter(_key),
    "arms": Parameter(_list_of("[a-z0-9_.]{1,40}", 24)),
    "seeds": Parameter(_between(1, 5), 1),
    # recipe: where a run differs from the declared one: "learning_rate~0.1,steps~200"
    "recipe": Parameter(_list_of(r"[a-z_]{1,20}~[a-z0-9_.+-]{1,20}", 12)),
    "digit": Parameter(_between(0, 1_999), 8),
    # moved: a digit moved by hand, down and right: "4~-2~shuffled"
    "moved": Parameter(_list_of("(-?[1-8]|0)~(-?[1-8]|0)~(plain|shuffled)", 1), "0~0~plain"),
    "entry": Parameter(_key, "2012-alexnet"),
    "table": Parameter(_one_of("fashion", "digits"), "fashion"),
    # layers: of a built network: "conv8k3-relu-linear"; "-" for none
    "layers": Parameter(_list_of("[a-z0-9-]{1,500}", 1)),
    "data": Parameter(_one_of("digits", "fashion", "cow_camel", "own"), "digits"),
    "correlation": Parameter(_between(50, 100), 95),
    "landmark": Parameter(_one_of("lenet", "alexnet", "vgg", "googlenet", "resnet"), "lenet"),
    "example": Parameter(_between(0, 1_999)),
    "repair": Parameter(_one_of("colour", "swap", "swap_invent", "more"), "colour"),
    "extra": Parameter(_between(1, 400), 20),
    "case": Parameter(_between(0, 9999), 0),
    "boxes": Parameter(_line),
    "usual": Parameter(_key),
    "network": Parameter(_key),
    "versus": Parameter(_key),
    "step": Parameter(_one_of("look", "group", "box", "swap", "verdict"), "look"),
    "sort": Parameter(_one_of("name", "unsure", "sure", "wrong", "scattered", "focused", "outside"), "name"),
}

_SEEN = "cl_address_seen"
_BOUND = "cl_address_bound"
_REFUSED = "cl_address_refused"  # {name: sentence} of values that the page on show could not take
_PAGE = "cl_address_page"
_NAMES = "cl_address_names"  # {page: names} of what each page bound
_TEACHING = "cl_teaching"  # what a teacher's link set, for as long as the session lasts
_LOCKED = "cl_locked"  # {name: value} of a locked link: what `get` reads, whatever else is done in this session
_UNREADABLE = "address:"


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
    for name in PARAMETERS:
        _write(name)
    text = teaching().to_text()
    if text and st.query_params.get(taught.ADDRESS) != text:
        st.query_params[taught.ADDRESS] = text


def adopt_address(page: str = "") -> None:
    """Take over what the address says where it changed since it was last read or written: a link that was opened.

    page: where the visitor is; what was said about another page's address is forgotten.
    """
    seen: dict[str, str] = st.session_state.setdefault(_SEEN, {})
    if st.session_state.get(_PAGE) != page:
        _refusals().clear()
        st.session_state[_PAGE] = page
    st.session_state[_BOUND] = ()
    adopts_lock = _adopt_teaching()
    if locked() and not adopts_lock:
        write_address()
        return
    for name, parameter in PARAMETERS.items():
        text = st.query_params.get(name)
        if text is None or seen.get(name) == text:
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
    if st.query_params.get(name) != text:
        if text is None:
            del st.query_params[name]
        else:
            st.query_params[name] = text
    seen: dict[str, str] = st.session_state.setdefault(_SEEN, {})
    if text is None:
        seen.pop(name, None)
    else:
        seen[name] = text
