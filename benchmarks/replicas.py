"""The same class at work, spread over one server for each of two cores: Python computes on one core a process."""

from __future__ import annotations

from . import load
from .report import Report

REPLICAS = 2


def measure(*, quick: bool = False) -> tuple[Report, ...]:
    """What `load` measures, of two servers, each with half of the visitors."""
    return load.measure(quick=quick, replicas=REPLICAS)
