"""The saliency methods: one registered function each, with a card that says what it is, costs and needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidLayer, InvalidOption, UnknownMethod, suggest
from .options import Option
from .progress import Work

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier
    from ..network import Operation
    from .batch import Batch
    from .placement import Placement
    from .targets import Target

BATCH_SIZE: Final = 8
"""Pictures in one forward pass where the caller names no number: at 224 x 224 up to 0.3 GB in the largest networks."""

BATCH_OPTION: Final = Option(
    "batch_size",
    BATCH_SIZE,
    "Pictures in one forward pass: more take more memory, and the map is the same.",
    low=1,
    high=64,
)
"""What `explain` takes beside the own options of every method whose card says `is_dear`."""


@dataclass(frozen=True)
class MethodCard:
    """What a visitor should know of a method before using it.

    needs_layer: whether it reads a layer's maps. cost: in forward passes. formula: LaTeX.
    needs: what it asks of a network. options: names, defaults and limits of the method's own options.
    family: "class activation", "gradient" or "perturbation". warning: a known weakness, in a sentence.
    is_dear: it takes tens of forward passes or more, so it reports progress and can be stopped.
    depends_on_class: False where the map is the same for every class.
    """

    key: str
    title: str
    paper: str
    needs_layer: bool
    cost: str
    formula: str
    needs: str
    family: str = "class activation"
    options: tuple[Option, ...] = ()
    warning: str = ""
    is_dear: bool = False
    depends_on_class: bool = True


@dataclass(frozen=True, eq=False)
class Job:
    """One map to be computed: everything that a method is given.

    batch, row: the pictures and targets that are explained together, and which of them this map is of; what several
    maps need (a forward pass, the answers to masked pictures) is computed once, through `batch.once`.
    layer: the resolved operation, or None for a method that needs none. work: progress and stopping.
    batch_size: how many pictures one forward pass may hold.
    """

    batch: Batch
    row: int = 0
    layer: Operation | None = None
    work: Work = field(default_factory=Work)
    batch_size: int = BATCH_SIZE

    @property
    def classifier(self) -> Classifier:
        return self.batch.classifier

    @property
    def image(self) -> int:
        """Which picture of the batch."""
        return self.batch.rows[self.row][0]

    @property
    def model_input(self) -> ModelInput:
        return self.batch.inputs[self.image]

    @property
    def x(self) -> torch.Tensor:
        """What the network reads of this picture, (1, C, h, w), on its device and in its precision."""
        return self.batch.x[self.image : self.image + 1]

    @property
    def logits(self) -> torch.Tensor:
        """(K,), from the shared forward pass."""
        return self.batch.logits[self.image]

    @property
    def target(self) -> Target:
        """What is explained; asking for it may run the shared forward pass, which decides the top class."""
        return self.batch.targets[self.row]

    @property
    def maps_layer(self) -> Operation:
        """The layer, for methods whose card says that they need one."""
        if self.layer is None:
            raise InvalidLayer("This method reads a layer's maps: name a layer.")
        return self.layer

    def siblings(self) -> tuple[Target, ...]:
        """The targets of all rows that are of this picture, this row's own among them (see `sibling`)."""
        return tuple(
            t for t, (image, _) in zip(self.batch.targets, self.batch.rows, strict=True) if image == self.image
        )

    @property
    def sibling(self) -> int:
        """This row's place among its picture's rows."""
        return sum(image == self.image for image, _ in self.batch.rows[: self.row])

    def evidence(
        self,
        values: torch.Tensor,
        *,
        placement: Placement | None = None,
        note: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Evidence:
        """The method's answer, with this row's target and logits."""
        return Evidence(as_array(values), self.target, as_array(self.logits), placement, note, details or {})


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a method returns: signed values float (h, w), before any rectification; the target; the logits (K,).

    placement: where the cells lie, if not at the layer's (or the input's) own places. note: a sentence to be added to
    the map's own. details: further numbers, by name.
    """

    values: NDArray[np.floating]
    target: Target
    logits: NDArray[np.floating]
    placement: Placement | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Method = Callable[..., Evidence]


@dataclass(frozen=True)
class _Entry:
    card: MethodCard
    function: Method
    options: Mapping[str, Any]  # name -> default: the function's keyword-only arguments


_ENTRIES: dict[str, _Entry] = {}


def register(card: MethodCard) -> Callable[[Method], Method]:
    """Decorate a function `(job, *, option=default, ...) -> Evidence`; keyword-only arguments become the options.

    ValueError where the key is taken, or a card's option is no argument of the function with the same default.
    """

    def add(function: Method) -> Method:
        if card.key in _ENTRIES:
            raise ValueError(f"A saliency method {card.key!r} is registered already.")
        parameters = inspect.signature(function).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
        for option in card.options:
            if option.name not in options or options[option.name] != option.default:
                raise ValueError(f"The card of {card.key!r} and its function differ in {option.name!r}.")
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
    """Raises InvalidOption where the method has no option of such a name, or where a value is out of its limits."""
    valid = _entry(key).options
    for name in options:
        if name not in valid:
            offered = f"It takes: {', '.join(map(repr, valid))}." if valid else "It takes none."
            raise InvalidOption(f"The method {key!r} has no option {name!r}. {offered}")
    for option in method_card(key).options:
        if option.name in options:
            option.check(options[option.name])


def run_method(key: str, job: Job, options: Mapping[str, Any]) -> Evidence:
    """Compute one map by the method of this key."""
    return _entry(key).function(job, **options)


def as_array(tensor: torch.Tensor) -> NDArray[np.floating]:
    """A tensor's numbers; half precisions, which numpy lacks or adds up badly, as float32."""
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).cpu().numpy())


def _entry(key: str) -> _Entry:
    if key not in _ENTRIES:
        raise UnknownMethod(f"No saliency method is called {key!r}. {suggest(str(key), sorted(_ENTRIES))}")
    return _ENTRIES[key]
