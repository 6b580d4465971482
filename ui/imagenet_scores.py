"""Who stands in the small benchmark's table, and what each made of the test pictures: computed once, and shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

import cnn_core as cc
from ui import cached, jobs, training, waiting

if TYPE_CHECKING:
    from cnn_core.training.benchmark import Score
    from cnn_core.training.machines import Machine

_ADDED: Final = "cl_imagenet_added"


@dataclass(frozen=True, eq=False)
class Entrant:
    """One machine that is asked about the test pictures."""

    key: str
    """Names these very weights, fit for a cache."""
    title: str
    own: bool
    note: str
    open: Callable[[], cc.Classifier | Machine]


@dataclass(frozen=True, eq=False)
class Result:
    """What a machine made of the test pictures where they are, and moved."""

    entrant: Entrant
    parameters: int
    macs: int
    score: Score
    moved: Score


def entrants(data: str) -> tuple[Entrant, ...]:
    """Every small network that comes with ConvLens and learned from this data, and the visitor's added runs."""
    from cnn_core.training.benchmark import belongs
    from cnn_core.training.machines import shipped_machines

    found = []
    for card in cc.list_models():
        if card.channels != 1 or not card.weights_available:
            continue
        model = cached.classifier(card.key)
        if not belongs(model, data):
            found.append(Entrant(model.key, card.title, False, card.weights_note, _opener(card.key)))
    for machine in shipped_machines(data):
        note = (
            f"Learned from {machine.recipe.n_train:,} pictures, seed {machine.seed}, in {machine.core_seconds:.1f} s "
            "of a core."
        )
        found.append(Entrant(f"{data}:{machine.key}", machine.title, False, note, _machine(machine)))
    for name, run in added(data).items():
        note = f"Your run: {run.recipe.steps:,} steps on {run.recipe.n_train:,} pictures, seed {run.seed}."
        found.append(Entrant(f"run:{name}", f"{run.title}, seed {run.seed}", True, note, run.classifier))
    return tuple(found)


def _opener(key: str) -> Callable[[], cc.Classifier]:
    return lambda: cached.classifier(key)


def _machine(machine: Machine) -> Callable[[], Machine]:
    return lambda: machine


def added(data: str) -> dict[str, cc.TrainingRun]:
    """The visitor's runs that were added to this table, by id."""
    names: list[str] = st.session_state.get(f"{_ADDED}_{data}", [])
    return {name: run for name in names if (run := training.run_of(name)) is not None}


def add(name: str, data: str) -> str:
    """Put a run into the table; why it cannot stand there, in a sentence, or "" where it now does."""
    from cnn_core.training.benchmark import belongs

    run = training.run_of(name)
    if run is None:
        return "This run is not kept any more."
    if why := belongs(run, data):
        return why
    names: list[str] = st.session_state.setdefault(f"{_ADDED}_{data}", [])
    if name not in names:
        names.append(name)
    return ""


def remove(name: str, data: str) -> None:
    """Take a run out of the table again."""
    names: list[str] = st.session_state.get(f"{_ADDED}_{data}", [])
    if name in names:
        names.remove(name)


def results(data: str, moved: int) -> list[Result] | None:
    """All entrants asked, or None while that is under way, or was stopped, which the page then says."""
    who = entrants(data)
    key = (data, moved, *(one.key for one in who))

    def work(job: jobs.Job) -> list[Result]:
        report = waiting.step(job)
        found = []
        for i, one in enumerate(who):
            report(i, len(who))
            found.append(_result(one, data, moved))
        return found

    slot = f"imagenet_{data}_{moved}"
    return waiting.ensure(slot, key, work, "Asking every machine about the test pictures", unit=" machines")


def _result(one: Entrant, data: str, moved: int) -> Result:
    from cnn_core.training.machines import Machine

    model = one.open()
    parameters = model.n_parameters if isinstance(model, Machine) else model.card.n_parameters
    macs = model.macs if isinstance(model, Machine) else model.network.macs
    still = _score(one, model, data, 0)
    return Result(one, parameters, macs, still, _score(one, model, data, moved) if moved else still)


def _score(one: Entrant, model: cc.Classifier | Machine, data: str, moved: int) -> Score:
    from cnn_core.training.benchmark import evaluate

    return cached.memo(
        "benchmark",
        (one.key, data, moved),
        lambda: evaluate(model, data, moved=moved),
        lambda made: made.top1.nbytes + made.top3.nbytes + 512,
    )


def in_order(found: Sequence[Result], *, moved: bool = False) -> list[Result]:
    """By accuracy, the best first; with the pictures moved where asked."""
    return sorted(found, key=lambda one: (one.moved if moved else one.score).error1)
