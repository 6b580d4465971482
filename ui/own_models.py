"""A visitor's own networks: weights they brought, seen by nobody else, bounded in bytes, freed with the session."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

import streamlit as st

import cnn_core as cc
from ui import cached

PREFIX: Final = "own:"
MEGABYTE: Final = 2**20
MAX_UPLOAD_MB: Final = 256
"""What a browser may send at once; .streamlit/config.toml says the same to the server."""
MAX_MODELS: Final = 4
_MAX_OF_ONE: Final = 600 * MEGABYTE
_STORE: Final = "cl_own_models"


def _budget() -> int:
    return int(float(os.environ.get("CONVLENS_OWN_MODELS_MB", "1500")) * MEGABYTE)


class _Everybody:
    """How many bytes all visitors' networks take together, and how many visitors hold each: equal files count once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, int]] = {}

    def hold(self, key: str, nbytes: int) -> bool:
        """False where there is no room left."""
        with self._lock:
            holders = self._held.get(key, (0, nbytes))[0]
            if not holders and sum(size for _, size in self._held.values()) + nbytes > _budget():
                return False
            self._held[key] = (holders + 1, nbytes)
            return True

    def release(self, model: cc.Classifier) -> None:
        """One holder less; with the last one the network and all that was computed of it is let go."""
        with self._lock:
            holders, nbytes = self._held.get(model.key, (0, 0))
            if holders > 1:
                self._held[model.key] = (holders - 1, nbytes)
                return
            self._held.pop(model.key, None)
        cached.forget(model)

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(size for _, size in self._held.values())


everybody: Final = _Everybody()


@dataclass(frozen=True, eq=False)
class Own:
    """One network that a visitor brought, and the name of its file."""

    name: str
    model: cc.Classifier

    @property
    def nbytes(self) -> int:
        return 4 * self.model.card.n_parameters


class Shelf:
    """One visitor's networks, newest last. What it holds is released when the visitor's session goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, Own] = {}
        # Not by a hook of the session's cache, which also fires where a connection breaks for a moment: with the
        # session's state, this object goes.
        self._end = weakref.finalize(self, _leaving.put, self._own)
        self._end.atexit = False
        _start_releasing()

    def add(self, own: Own) -> str:
        """Keep a network and return its reference; the oldest goes where there are too many.

        Raises InvalidOption where there is no room for it on this server.
        """
        if own.nbytes > _MAX_OF_ONE:
            raise cc.InvalidOption(
                f"The network takes {own.nbytes / MEGABYTE:,.0f} MB of memory; at most {_MAX_OF_ONE / MEGABYTE:.0f} MB "
                "are opened in the app. On your own machine, python -m cnn_core takes larger ones."
            )
        reference = reference_of(own.model)
        with self._lock:
            if reference in self._own:
                self._own[reference] = Own(own.name, self._own.pop(reference).model)
                return reference
            while self._own and (
                len(self._own) >= MAX_MODELS or own.nbytes + sum(o.nbytes for o in self._own.values()) > _MAX_OF_ONE
            ):
                everybody.release(self._own.pop(next(iter(self._own))).model)
            if not everybody.hold(own.model.key, own.nbytes):
                raise cc.InvalidOption(
                    "This server holds as many visitors' networks as it can at the moment. Try again later."
                )
            self._own[reference] = own
        return reference

    def get(self, reference: str) -> Own | None:
        with self._lock:
            return self._own.get(reference)

    def all(self) -> dict[str, Own]:
        """By reference, newest first."""
        with self._lock:
            return dict(reversed(self._own.items()))

    def forget(self, reference: str) -> None:
        """Let a network go at once."""
        with self._lock:
            own = self._own.pop(reference, None)
        if own is not None:
            everybody.release(own.model)


# The collector may find a shelf in the middle of anything, also while a lock is held that releasing needs: so it only
# puts what was on the shelf here (this queue is made for that), and a thread of its own releases it.
_leaving: Final[SimpleQueue[dict[str, Own]]] = SimpleQueue()


@functools.cache
def _start_releasing() -> None:
    def release() -> None:
        while True:
            own = _leaving.get()
            while own:
                everybody.release(own.popitem()[1].model)

    threading.Thread(target=release, daemon=True, name="releasing networks").start()


def shelf() -> Shelf:
    """This visitor's networks. A job's thread may add to it; it must be asked for in the page's own thread."""
    if _STORE not in st.session_state:
        st.session_state[_STORE] = Shelf()
    kept: Shelf = st.session_state[_STORE]
    return kept


def reference_of(model: cc.Classifier) -> str:
    """What stands in an address for a network that was brought: made of its weights, names and preprocessing."""
    return PREFIX + model.card.key.removeprefix("checkpoint_")


def open_own(own: Own) -> cc.Classifier:
    """The network, kept where every page's traces and maps look for it."""
    return cached.own_classifier(own.model.card.key, lambda: own.model, own.nbytes)


def title(own: Own) -> str:
    """The network's name where one is chosen."""
    return own.name


def detail(own: Own) -> str:
    """What it is, in a line."""
    card = own.model.card
    size = f"{card.n_parameters / 1e6:.1f} M" if card.n_parameters >= 1e5 else f"{card.n_parameters:,}"
    return f"{card.title.removesuffix(', your weights')} · {card.classes_note} · {size} parameters"


def feeding(own: Own) -> str:
    """How pictures reach it, in a sentence."""
    fed = own.model.card.preprocessing
    kind = "greys" if fed.channels == 1 else "colours"
    mean, std = (", ".join(f"{value:.4g}" for value in numbers) for numbers in (_once(fed.mean), _once(fed.std)))
    return (
        f"It sees {fed.crop} × {fed.crop} pixels in {kind}: the shorter side becomes {fed.resize}, the middle is kept. "
        f"From pixels in 0 to 1 it subtracts {mean}, and divides by {std}."
    )


def _once(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers[:1] if len(set(numbers)) == 1 else numbers
