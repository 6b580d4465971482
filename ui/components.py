"""Custom components: packing numbers for the browser, and mounting the assets in assets/components/<name>/."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, TypeGuard, TypeVar

import numpy as np
import streamlit as st

from ui import scripts

T = TypeVar("T")
_MOST: Final = 1_000_000  # more than any layer has channels, rows or columns
_DTYPES = {np.dtype("<f4"): "f4", np.dtype("u1"): "u1", np.dtype("<u2"): "u2", np.dtype("<i4"): "i4"}


def pack(meta: Mapping[str, Any], **arrays: np.ndarray) -> bytes:
    """One payload: a JSON header and raw little-endian arrays, read in the browser by `unpack` (shared.js).

    Arrays are float32, uint8, uint16 or int32 of any shape; other dtypes raise TypeError, since a silent
    conversion would show numbers that are not the network's. `meta` is plain JSON: NaN, infinities and numpy
    scalars raise (ValueError, TypeError) here rather than break the page.
    Layout: uint32 header length | header, padded to 4 bytes | arrays, each padded to 4 bytes.
    """
    specifications, blobs, offset = [], [], 0
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<")
        if dtype not in _DTYPES:
            raise TypeError(f"Array {name!r} is {array.dtype}; a payload takes float32, uint8, uint16 or int32.")
        blob = np.ascontiguousarray(array, dtype=dtype).tobytes()
        blob += b"\0" * (-len(blob) % 4)
        specifications.append({"name": name, "dtype": _DTYPES[dtype], "shape": list(array.shape), "offset": offset})
        blobs.append(blob)
        offset += len(blob)
    header = json.dumps({"meta": meta, "arrays": specifications}, separators=(",", ":"), allow_nan=False).encode()
    header += b" " * (-len(header) % 4)
    return struct.pack("<I", len(header)) + header + b"".join(blobs)


@cache
def _renderer(name: str) -> Any:
    folder = scripts.ASSETS / name
    shared = (scripts.ASSETS / "_shared" / "shared.css").read_text(encoding="utf-8")
    html, css = ((folder / f"component.{kind}").read_text(encoding="utf-8") for kind in ("html", "css"))
    return st.components.v2.component(f"convlens_{name}", html=html, css=shared + css, js=scripts.script(name).loader)


def mount(
    name: str,
    *,
    key: str,
    data: bytes | Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    triggers: Mapping[str, Callable[[], None]] | Iterable[str] = (),
) -> Any:
    """Mount the component `name`; its result has one attribute for each state and each trigger.

    `state` names the values that the component keeps (set in the browser by setStateValue) and their defaults;
    `triggers` names events that last for one run (setTriggerValue), None otherwise. A mapping gives each trigger a
    function that runs before the page does; it reads the value from `st.session_state[key]`.
    """
    handlers = dict(triggers) if isinstance(triggers, Mapping) else dict.fromkeys(triggers, _nothing)
    handlers |= dict.fromkeys(state or {}, _nothing)
    callbacks = {f"on_{event}_change": handler for event, handler in handlers.items()}
    return _renderer(name)(key=key, data=data, default=dict(state or {}), **callbacks)


def sent(key: str, event: str) -> Mapping[str, Any]:
    """The fields of what a component just told; none where it is anything else, since a browser may send anything."""
    message = st.session_state[key].get(event)
    return message if isinstance(message, dict) else {}


def sent_one_of(key: str, event: str, options: Iterable[T]) -> T | None:
    """Which of these a component just named; None where it is none of them."""
    named = st.session_state[key].get(event)
    return next((option for option in options if type(option) is type(named) and option == named), None)


def is_index(value: object, n: int) -> TypeGuard[int]:
    """Whether something that a browser sent numbers one of `n` things."""
    return type(value) is int and 0 <= value < n


def indices(told: Mapping[str, Any], *names: str) -> list[int] | None:
    """These fields of what a browser sent, each a whole number from 0; whether there is such a unit, the page knows."""
    found = [told.get(name) for name in names]
    return [at for at in found if type(at) is int] if all(is_index(at, _MOST) for at in found) else None


def _nothing() -> None:
    """Streamlit sends a component's values only where a callback is named."""
