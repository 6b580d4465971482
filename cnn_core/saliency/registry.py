"""The saliency methods: one registered function each, with a card that says what it is, costs and needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidLayer, InvalidOption, UnknownMethod, suggest
from .targets import Score, Target, TargetRequest, resolve_target

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier
    from ..network import Operation
    from ..tracing import Trace


@dataclass(frozen=True)
class MethodCard:
    """What a visitor should know of a method before using it.

    needs_layer: whether it reads a layer's maps. cost: in forward passes. formula: LaTeX.
    needs: what it asks of a network.
    """

    key: str
    title: str
    paper: str
    needs_layer: bool
    cost: str
    formula: str
    needs: str


@dataclass(frozen=True, eq=False)
class Job:
    """One map to be computed: everything that a method is given.

    layer: the resolved operation, or None for a method that needs none. trace: the finished forward pass of this very
    input on this classifier, or None where the method has to run its own.
    """

    classifier: Classifier
    model_input: ModelInput
    request: TargetRequest
    score: Score
    layer: Operation | None
    trace: Trace | None

    @property
    def maps_layer(self) -> Operation:
        """The layer, for methods whose card says that they need one."""
        if self.layer is None:
            raise InvalidLayer("This method reads a layer's maps: name a layer.")
        return self.layer

    def target(self, logits: torch.Tensor) -> Target:
        """The target asked for, given the logits (K,) that decide the top class."""
        return resolve_target(self.classifier, self.request, self.score, logits)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a method returns: signed values float (h, w), before any rectification; the target; the logits (K,)."""

    values: NDArray[np.floating]
    target: Target
    logits: NDArray[np.floating]


Method = Callable[..., Evidence]


@dataclass(frozen=True)
class _Entry:
    card: MethodCard
    function: Method
    options: Mapping[str, Any]  # name -> default: the function's keyword-only arguments


_ENTRIES: dict[str, _Entry] = {}


def register(card: MethodCard) -> Callable[[Method], Method]:
    """Decorate a function `(job, *, option=default, ...) -> Evidence`; keyword-only arguments become the options."""

    def add(function: Method) -> Method:
        if card.key in _ENTRIES:
            raise ValueError(f"A saliency method {card.key!r} is registered already.")
        parameters = inspect.signature(function).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
        _ENTRIES[card.key] = _Entry(card, function, options)
        return function

    return add


def saliency_methods() -> tuple[MethodCard, ...]:
    """The cards of all methods, in the order of their keys."""
    return tuple(_ENTRIES[key].card for key in sorted(_ENTRIES))


def method_card(key: str) -> MethodCard:
    """One method's card. Raises UnknownMethod, naming the methods that exist."""
    return _entry(key).card


def check_options(key: str, options: Mapping[str, Any]) -> None:
    """Raises InvalidOption where the method has no option of such a name."""
    valid = _entry(key).options
    for name in options:
        if name not in valid:
            offered = f"It takes: {', '.join(map(repr, valid))}." if valid else "It takes none."
            raise InvalidOption(f"The method {key!r} has no option {name!r}. {offered}")


def run_method(key: str, job: Job, options: Mapping[str, Any]) -> Evidence:
    """Compute one map by the method of this key."""
    return _entry(key).function(job, **options)


def _entry(key: str) -> _Entry:
    if key not in _ENTRIES:
        raise UnknownMethod(f"No saliency method is called {key!r}. {suggest(str(key), sorted(_ENTRIES))}")
    return _ENTRIES[key]
