"""The server told to stop: it ends soon, says so in its log, and leaves no process behind."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import server
from tests.e2e.test_training import LONG, trainers
from tests.visitors import Visitor


def events(log: Path) -> list[dict[str, object]]:
    """The log's lines; each of them is JSON."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_every_line_of_the_log_is_json_and_the_last_one_says_that_it_stops(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with server.running(log, {"CONVLENS_LOG": "json"}) as url:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert json.load(answer)["status"] in ("starting", "ok")
            assert answer.headers["x-content-type-options"] == "nosniff"
        begun = time.monotonic()
    # It may still be importing torch, which nothing can interrupt; what waits for nothing takes a tenth of this.
    assert time.monotonic() - begun < 10
    told = events(log)
    assert str(told[0]["message"]).startswith(f"ConvLens answers at http://localhost:{url.rpartition(':')[2]}")
    assert told[-1]["message"] == "ConvLens stops" and told[-1]["status"] == "stopping"


@pytest.mark.long
def test_it_stops_while_somebody_trains(tmp_path: Path, say: Callable[[str], None]) -> None:
    log = tmp_path / "log"
    with server.running(log, {"CONVLENS_LOG": "json"}) as url:
        visitor = Visitor(url, LONG, timeout=240)
        visitor.press("Show it without a guess")
        visitor.press("Run one now")
        visitor.until(lambda _: bool(trainers(url)), "a process that trains", timeout=120)
        working = trainers(url)
        begun = time.monotonic()
    took = time.monotonic() - begun
    say(f"a server with a visitor who trains stops in {took:.1f} s")
    assert took < 10
    # Each ends as soon as it reads that nobody writes to it any more, which a niced process may do a little later.
    deadline = time.monotonic() + 30
    while left := [pid for pid in working if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    assert events(log)[-1]["training"] == {"running": 1, "waiting": 0}
