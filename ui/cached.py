"""All caching: models, traces and maps, shared between visitors, bounded in bytes, each computed once."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from cachetools import LRUCache

import cnn_core as cc
from ui import visitor
from ui.queues import FairQueue

T = TypeVar("T")
MEGABYTE = 2**20


class _Stopped(Exception):
    """The run that was computing a value was stopped before it had it."""


class SharedCache:
    """Least recently used values up to a number of bytes; a value that several visitors want at once is made once.

    A value larger than the whole cache is handed out and not kept; up to `largest` it is kept as the only one. What is
    cached must not be changed by its users. `gone` is told each value that had to make room, `resized` that the bytes
    that are held changed.
    """

    def __init__(
        self,
        max_bytes: int,
        *,
        largest: int = 0,
        gone: Callable[[Any], None] = lambda value: None,
        resized: Callable[[], None] = lambda: None,
    ) -> None:
        self._items: LRUCache[Hashable, tuple[Any, int]] = LRUCache(math.inf, getsizeof=lambda item: item[1])
        self._max_bytes, self._largest = max_bytes, max(max_bytes, largest)
        self._pending: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()
        self._gone, self._resized = gone, resized

    @property
    def nbytes(self) -> int:
        return int(self._items.currsize)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._items

    def drop(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Forget the values whose keys are unwanted."""
        with self._lock:
            for key in [key for key in self._items if unwanted(key)]:
                del self._items[key]

    def limit(self, max_bytes: int) -> None:
        """Hold no more than this from now on."""
        with self._lock:
            self._max_bytes, self._largest = max_bytes, max_bytes
            evicted = self._make_room(0)
        for old in evicted:
            self._gone(old)

    def _make_room(self, size: int) -> list[Any]:
        """Let the least recent values go until `size` more bytes fit, or nothing is left; called under the lock."""
        evicted = []
        while self._items and self._items.currsize + size > self._max_bytes:
            evicted.append(self._items.popitem()[1][0])
        return evicted

    def get(self, key: Hashable, make: Callable[[], T], nbytes: Callable[[T], int]) -> T:
        while True:
            with self._lock:
                if key in self._items:
                    return cast(T, self._items[key][0])
                future = self._pending.get(key)
                mine = future is None
                if future is None:
                    future = self._pending[key] = Future()
            if mine:
                return self._make(key, future, make, nbytes)
            if _places.is_held:
                return make()  # who makes it may wait for the very place that this thread holds
            try:
                return cast(T, future.result())
            except _Stopped:
                continue  # the visitor who was computing left; the next one takes over

    def _make(self, key: Hashable, future: Future[Any], make: Callable[[], T], nbytes: Callable[[T], int]) -> T:
        try:
            value = make()
            size = nbytes(value)
        except BaseException as error:
            self._done(key)
            # Streamlit stops a run by an exception that is not an Exception: those who wait must not wait for ever.
            future.set_exception(error if isinstance(error, Exception) else _Stopped())
            raise
        evicted = []
        with self._lock:
            if size <= self._largest:
                evicted = self._make_room(size)
                self._items[key] = (value, size)
        self._done(key)
        for old in evicted:
            self._gone(old)
        self._resized()
        future.set_result(value)
        return value

    def _done(self, key: Hashable) -> None:
        with self._lock:
            self._pending.pop(key, None)


def _budget(share: float) -> int:
    return int(float(os.environ.get("CONVLENS_CACHE_MB", "3000")) * MEGABYTE * share)


_MODELS, _LARGEST_MODEL, _TRACES = 0.5, 0.85, 0.7  # of all; of all; of what the models leave


def _share_the_rest() -> None:
    """Traces and the small things have what models leave; one larger than its share (RegNetY-128GF) takes of theirs."""
    rest = _budget(1.0) - max(_budget(_MODELS), _models.nbytes)
    _traces.limit(int(_TRACES * rest))
    _small.limit(int((1 - _TRACES) * rest))


_traces = SharedCache(int(_TRACES * _budget(1 - _MODELS)))
_small = SharedCache(int((1 - _TRACES) * _budget(1 - _MODELS)))
_models = SharedCache(
    _budget(_MODELS),
    largest=_budget(_LARGEST_MODEL),
    # A trace keeps its network alive, so the traces of a model that goes have to go with it.
    gone=lambda model: _traces.drop(lambda key: cast(tuple[str, str], key)[0] == model.key),
    resized=_share_the_rest,
)

# As many computations at once as there are cores: more would only make each visitor wait longer.
_places = FairQueue(max(1, os.cpu_count() or 1))


def computing() -> AbstractContextManager[None]:
    """A place for heavy work, `with cached.computing(): ...`; visitors take turns, and one who waits is told so."""
    owner, on_wait = visitor.asking()
    return _places.place(owner, on_wait)


def memo(kind: str, key: tuple[Hashable, ...], make: Callable[[], T], nbytes: Callable[[T], int]) -> T:
    """Anything else that is worth sharing; `make` runs in a place for heavy work."""

    def work() -> T:
        with computing():
            return make()

    return _small.get((kind, *key), work, nbytes)


def classifier(model_key: str, weights: str = "default") -> cc.Classifier:
    """A loaded model, shared: it is in eval mode, frozen, and carries no hook."""

    def make() -> cc.Classifier:
        with computing():
            return cc.load_model(model_key, weights="random" if weights == "random" else "default")

    return _models.get((model_key, weights), make, lambda model: 4 * model.card.n_parameters)


def is_open(model_key: str, weights: str = "default") -> bool:
    """Whether the model is loaded already."""
    return (model_key, weights) in _models


def own_classifier(name: str, make: Callable[[], cc.Classifier], nbytes: int) -> cc.Classifier:
    """A network that a visitor brought or trained; `name` is the `key` of its card, made of what is in it."""
    return _models.get((name, "default"), make, lambda model: nbytes)


def forget(model: cc.Classifier) -> None:
    """Let go of a network and of everything that was computed with it: its visitor has left."""
    names = {model.key, model.card.key}
    _models.drop(lambda key: cast(tuple[str, str], key)[0] == model.card.key)
    _traces.drop(lambda key: cast(tuple[str, str], key)[0] == model.key)
    _small.drop(lambda key: not names.isdisjoint(_flat(key)))
    _share_the_rest()


def _flat(key: Hashable) -> Iterator[Hashable]:
    """A key and all that is in it, however deep."""
    yield key
    for part in key if isinstance(key, tuple | frozenset) else ():
        yield from _flat(part)


def _is_kept(model: cc.Classifier) -> bool:
    return (model.card.key, "random" if model.weights == "random" else "default") in _models


def model_input(model: cc.Classifier, picture: cc.Picture) -> cc.ModelInput:
    """What the network sees of a picture."""
    return memo(
        "input",
        (model.card.key, picture.digest),
        lambda: model.preprocess(picture),
        lambda made: made.tensor.nbytes + made.shown_rgb.nbytes + made.resized_rgb.nbytes,
    )


def trace(model: cc.Classifier, seen: cc.ModelInput) -> cc.Trace:
    """The one forward pass of a picture through a model, with every operation's output."""

    def make() -> cc.Trace:
        with computing():
            return cc.trace(model, seen)

    # For the same reason the trace of a model that is not kept (it went meanwhile, or is too large) is not kept either.
    return _traces.get((model.key, seen.digest), make, lambda made: made.nbytes if _is_kept(model) else sys.maxsize)


def explain(model: cc.Classifier, seen: cc.ModelInput, **options: Any) -> cc.SaliencyMap:
    """A saliency map; the forward pass is the shared one."""
    forward = trace(model, seen)
    key = ("explain", model.key, seen.digest, *sorted((name, str(value)) for name, value in options.items()))
    return memo(
        "explain",
        key,
        lambda: cc.explain(model, seen, trace=forward, **options),
        lambda made: made.values.nbytes + 2048,
    )
