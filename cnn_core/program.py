"""A network as a flat list of steps, run from start to end or only where something changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


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
    """Which steps to run: `steps` with the slots whose last use each one is, after loading `loads`."""

    loads: tuple[tuple[str, int], ...]
    steps: tuple[tuple[Step, tuple[int, ...]], ...]


class Program:
    """Steps in topological order; step i writes slot i, and the first is the input. Immutable, safe between threads."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        self.slot_of: Mapping[str, int] = {s.name: s.slot for s in steps if s.name}
        dependants = [1 << s.slot for s in steps]
        for step in reversed(steps):
            for slot in step.reads:
                dependants[slot] |= dependants[step.slot]
        # Bit j of entry i: slot j is computed from slot i (or is slot i).
        self._dependants: tuple[int, ...] = tuple(dependants)

    def dependants(self, names: Collection[str]) -> int:
        """A bit for each slot that depends on one of the named operations, those operations included."""
        mask = 0
        for name in names:
            mask |= self._dependants[self.slot_of[name]]
        return mask

    def plan(self, *, changed: Collection[str], known: Collection[str], keep: Collection[str]) -> Plan:
        """The steps that lead to `keep`, given the changed values and those known values that they do not touch."""
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
        return Plan(tuple(loads), tuple(reversed(run)))

    def execute(
        self, plan: Plan, values: Mapping[str, Tensor], changed: Mapping[str, Tensor], keep: Collection[str]
    ) -> dict[str, Tensor]:
        """The kept operations' values, in the order of `keep`; the plan was made for the same names."""
        slots: list[Any] = [None] * len(self.steps)
        for name, slot in plan.loads:
            slots[slot] = changed[name] if name in changed else values[name]
        for step, frees in plan.steps:
            slots[step.slot] = step.call(slots)
            for slot in frees:
                slots[slot] = None
        return {name: slots[self.slot_of[name]] for name in keep}
