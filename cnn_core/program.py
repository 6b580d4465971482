"""A network as a flat list of steps, run from start to end or only where something changed."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
import torch.nn.functional as F
from cachetools import LRUCache
from torch import Tensor, nn


def _add_(total: Tensor, other: Any) -> Tensor:
    """total + other, written into total where the sum has its shape and type."""
    fits = isinstance(other, Tensor) and other.shape == total.shape and other.dtype == total.dtype
    return total.add_(other) if fits else total + other


# What makes a new tensor; what passes its input on as it is; and what can write its result, bit for bit the same, into
# its first input: by the type of a module, or the function itself. Of anything else the result may be a view.
_FRESH: Final = frozenset(
    {nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, F.max_pool2d, torch.cat}
)
_PASSING: Final = frozenset({nn.Identity, nn.Dropout, nn.Dropout2d})
_IN_PLACE: Final[Mapping[Any, Callable[..., Tensor]]] = {
    nn.ReLU: torch.relu_,
    nn.ReLU6: lambda x: F.hardtanh_(x, 0.0, 6.0),
    nn.SiLU: lambda x: F.silu(x, inplace=True),
    nn.Hardswish: lambda x: F.hardswish(x, inplace=True),
    torch.relu: torch.relu_,
    F.relu: lambda x, inplace=False: torch.relu_(x),
    operator.add: _add_,
    torch.add: _add_,
}


@dataclass(frozen=True)
class Slot:
    """Stands for an earlier step's value among a step's arguments."""

    number: int


@dataclass(frozen=True)
class Step:
    """One call. `name` is the operation's name, or "" for a hidden step (sizes and other plain numbers).

    `inline` says that args holds nothing but slots and plain values, with no slot inside a list or a slice.
    """

    slot: int
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    reads: tuple[int, ...]

    @property
    def what(self) -> Any:
        """The type of a module, or the function itself."""
        return type(self.function) if isinstance(self.function, nn.Module) else self.function

    def call(self, values: list[Any]) -> Any:
        args = self.args
        # Most steps are a module with one input; this saves them the walk through the arguments.
        if len(args) == 1 and not self.kwargs and type(args[0]) is Slot:
            return self.function(values[args[0].number])
        kwargs = {k: fill(v, values) for k, v in self.kwargs.items()}
        return self.function(*[fill(a, values) for a in args], **kwargs)


def fill(template: Any, values: list[Any]) -> Any:
    """The template with each slot, at any depth, replaced by its value."""
    if type(template) is Slot:
        return values[template.number]
    if type(template) in (tuple, list):
        return type(template)(fill(t, values) for t in template)
    if type(template) is slice:
        return slice(*(fill(t, values) for t in (template.start, template.stop, template.step)))
    if type(template) is dict:
        return {k: fill(v, values) for k, v in template.items()}
    return template


@dataclass(frozen=True)
class Plan:
    """Which steps to run: `steps` with the slots whose last use each one is, after loading `loads`.

    overwriting: of these steps, by slot, the ones that may write into their first input, which this very run made and
    nobody reads later, and the function that does so. It saves getting memory for most of a network's activations.
    """

    loads: tuple[tuple[str, int], ...]
    steps: tuple[tuple[Step, tuple[int, ...]], ...]
    overwriting: Mapping[int, Step]


_PLANS: Final = 32
"""Plans that a program remembers: a visitor asks for the same few again and again."""


class Program:
    """Steps in topological order; step i writes slot i, and the first is the input. Safe between threads."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        self.slot_of: Mapping[str, int] = {s.name: s.slot for s in steps if s.name}
        dependants = [1 << s.slot for s in steps]
        for step in reversed(steps):
            for slot in step.reads:
                dependants[slot] |= dependants[step.slot]
        # Bit j of entry i: slot j is computed from slot i (or is slot i).
        self._dependants: tuple[int, ...] = tuple(dependants)
        self._writing = {s.slot: replace(s, function=_IN_PLACE[s.what]) for s in steps if s.what in _IN_PLACE}
        self._plans: LRUCache[tuple[frozenset[str], ...], Plan] = LRUCache(_PLANS)
        self._lock = threading.Lock()

    def dependants(self, names: Collection[str]) -> int:
        """A bit for each slot that depends on one of the named operations, those operations included."""
        mask = 0
        for name in names:
            mask |= self._dependants[self.slot_of[name]]
        return mask

    def plan(self, *, changed: Collection[str], known: Collection[str], keep: Collection[str]) -> Plan:
        """The steps that lead to `keep`, given the changed values and those known values that they do not touch."""
        key = frozenset(changed), frozenset(known), frozenset(keep)
        with self._lock:
            plan = self._plans.get(key)
        if plan is None:
            plan = self._planned(*key)
            with self._lock:
                self._plans[key] = plan
        return plan

    def _planned(self, changed: Collection[str], known: Collection[str], keep: Collection[str]) -> Plan:
        touched = self.dependants(changed)
        given = {self.slot_of[n]: n for n in known if n in self.slot_of and not touched >> self.slot_of[n] & 1}
        given.update({self.slot_of[n]: n for n in changed})
        needed = {self.slot_of[n] for n in keep}
        kept = frozenset(needed)
        loads, run = [], []
        last_used: set[int] = set()
        for step in reversed(self.steps):
            if step.slot not in needed:
                continue
            if step.slot in given:
                loads.append((given[step.slot], step.slot))
            elif step.slot == 0:
                raise ValueError("The input is needed and was not given.")
            else:
                frees = tuple(s for s in dict.fromkeys(step.reads) if s not in last_used and s not in kept)
                last_used.update(step.reads)
                needed.update(step.reads)
                run.append((step, frees))
        run.reverse()
        return Plan(tuple(loads), tuple(run), self._overwriting(run))

    def _overwriting(self, run: Collection[tuple[Step, tuple[int, ...]]]) -> Mapping[int, Step]:
        own: set[int] = set()  # slots whose tensor this run made and no other slot shows
        found: dict[int, Step] = {}
        for step, frees in run:
            what = step.what
            first = step.args[0].number if step.args and type(step.args[0]) is Slot else None
            # read by this step last of all, and only once by it
            spent = first in own and first in frees and step.args.count(step.args[0]) == 1
            spent = spent and step.kwargs.keys() <= {"inplace"}
            if what in _IN_PLACE and spent:
                found[step.slot] = self._writing[step.slot]
            if what in _FRESH or what in _IN_PLACE or (what in _PASSING and spent):
                own.add(step.slot)
            else:
                own.difference_update(step.reads)
        return found

    def execute(
        self, plan: Plan, values: Mapping[str, Tensor], changed: Mapping[str, Tensor], keep: Collection[str]
    ) -> dict[str, Tensor]:
        """The kept operations' values, in the order of `keep`; the plan was made for the same names."""
        overwriting = {} if torch.is_grad_enabled() else plan.overwriting  # a graph needs what was there before
        slots: list[Any] = [None] * len(self.steps)
        for name, slot in plan.loads:
            slots[slot] = changed[name] if name in changed else values[name]
        for step, frees in plan.steps:
            slots[step.slot] = overwriting.get(step.slot, step).call(slots)
            for slot in frees:
                slots[slot] = None
        return {name: slots[self.slot_of[name]] for name in keep}
