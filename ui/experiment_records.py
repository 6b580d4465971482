"""What a visitor's runs of an experiment left: their numbers, kept for the session, and where numbers come from."""

from __future__ import annotations

import math
import statistics
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.training.results import Cell

_KEPT: Final = 40
Settings = tuple[tuple[str, Any], ...]
"""Names and values of the recipe's fields that were changed, in the order of their names; () for the declared ones."""


class Missing(Exception):
    """A number that is asked for is not there (yet)."""


@dataclass(frozen=True, eq=False)
class Record:
    """One run of one arm: every step's numbers, and the id under which its network is kept."""

    arm: str
    seed: int
    settings: Settings
    state: str
    """"finished", "stopped", "diverged", or "fitted" for a machine without steps."""
    note: str
    steps: tuple[cc.Step, ...]
    values: Mapping[str, float]
    """By measure; of a stopped run the numbers at the stop."""
    run_id: str | None
    """What opens the network elsewhere, `model=run:<id>`; None for a machine that is no network."""

    @property
    def counts(self) -> bool:
        """Whether it belongs into a mean: a stopped run has not had the same budget."""
        return self.state != "stopped"


class Records:
    """One visitor's runs of one experiment, oldest first. A job's thread adds to it while pages read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Hashable, Record] = {}
        self.shown: Settings = ()

    def add(self, record: Record) -> None:
        """Keep a run; one of the same arm, seed and settings makes room, and the oldest where there are too many."""
        key = (record.arm, record.seed, record.settings)
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = record
            while len(self._entries) > _KEPT:
                del self._entries[next(iter(self._entries))]

    def all(self) -> tuple[Record, ...]:
        with self._lock:
            return tuple(self._entries.values())

    def with_settings(self, settings: Settings) -> tuple[Record, ...]:
        return tuple(record for record in self.all() if record.settings == settings)

    def groups(self) -> tuple[Settings, ...]:
        """The different settings that were run, in their order."""
        return tuple(dict.fromkeys(record.settings for record in self.all()))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


def records_of(experiment: str) -> Records:
    """This visitor's runs of an experiment; to be asked for in the page's own thread."""
    own: dict[str, Records] = st.session_state.setdefault("cl_experiment_records", {})
    return own.setdefault(experiment, Records())


class Source:
    """Numbers of one origin, all arms on equal terms: the precomputed ones, or the visitor's own runs."""

    def __init__(
        self,
        name: str,
        cells: Sequence[Cell],
        seeds: Sequence[int],
        settings: Settings = (),
        by_arm: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.name = name
        self.seeds = tuple(seeds)
        self._by_arm = by_arm or {}
        self.settings = settings
        self._cells = {(cell.arm, cell.measure): cell for cell in cells}

    @property
    def is_own(self) -> bool:
        return self.name == "own"

    @property
    def words(self) -> str:
        """Where a sentence's numbers come from."""
        if not self.is_own:
            return f"precomputed, {len(self.seeds)} seeds" if len(self.seeds) > 1 else "precomputed, one seed"
        return f"your run, seed {self.seeds[0]}" if len(self.seeds) == 1 else f"your runs, seeds {listed(self.seeds)}"

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds with which an arm was run."""
        return tuple(self._by_arm.get(arm, self.seeds))

    def find(self, arm: str, measure: str) -> Cell | None:
        return self._cells.get((arm, measure))

    def cell(self, arm: str, measure: str) -> Cell:
        """Raises Missing where there is no such number."""
        found = self.find(arm, measure)
        if found is None:
            raise Missing(f"{arm}, {measure}")
        return found

    def mean(self, arm: str, measure: str = "test_accuracy") -> float:
        """The mean over the seeds; NaN where a run diverged into it. Raises Missing where there is no such number."""
        return self.cell(arm, measure).mean

    def percent(self, arm: str, measure: str = "test_accuracy") -> str:
        """A share for a sentence: "95.6 ± 0.4 %". Raises Missing where there is no such number."""
        cell = self.cell(arm, measure)
        return share_words(cell.values)


def share_words(values: Sequence[float]) -> str:
    """Shares as mean ± standard deviation in per cent; one value alone has no spread."""
    mean = f"{100 * statistics.fmean(values):.1f}"
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return f"{mean} %"
    return f"{mean} ± {100 * statistics.stdev(values):.1f} %"


def precomputed(bands: cc.Bands | None) -> Source | None:
    """The numbers that came with ConvLens, None where there are none or the recipes have changed since."""
    if bands is None or not bands.current:
        return None
    return Source("precomputed", bands.cells, bands.seeds)


def own(records: Sequence[Record]) -> Source | None:
    """The visitor's runs of one group of settings, without those that were stopped; None where there are none."""
    counted = [record for record in records if record.counts]
    if not counted:
        return None
    values: dict[tuple[str, str], list[float]] = {}
    for record in counted:
        for measure, value in record.values.items():
            values.setdefault((record.arm, measure), []).append(value)
    cells = [Cell(arm, measure, tuple(found)) for (arm, measure), found in values.items()]
    by_arm: dict[str, list[int]] = {}
    for record in counted:
        by_arm.setdefault(record.arm, []).append(record.seed)
    return Source("own", cells, sorted({record.seed for record in counted}), counted[-1].settings, by_arm)


def listed(seeds: Sequence[int]) -> str:
    """ "0 to 4" where they follow each other, else "0, 3 and 7"."""
    found = [str(seed) for seed in sorted(seeds)]
    if len(found) > 2 and max(seeds) - min(seeds) == len(found) - 1:
        return f"{found[0]} to {found[-1]}"
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]
