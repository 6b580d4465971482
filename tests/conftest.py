"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# One thread, here and in the servers that tests start: sums in another order differ in their last bits, and tests run
# two at a time anyway. Set before torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"
# Two test runs fill the machine: a training process that gives way to them would hardly begin.
os.environ.setdefault("CONVLENS_TRAINING_NICENESS", "0")

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a line under "What was measured" when all tests are over; it comes through from a worker's process too."""
    return lambda line: record_property("measured", line)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch computes in one thread, as the pages do that it is compared with."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, []) if r.when == "call"]
    lines = [str(value) for report in reports for name, value in report.user_properties if name == "measured"]
    if lines:
        terminalreporter.section("What was measured")
        for line in sorted(lines):
            terminalreporter.line(line)
