"""Visitors who train: a run opens on other pages for its owner alone; the line, a closed tab, a killed process."""

from __future__ import annotations

import os
import re
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import _PICK
from tests import server
from tests.visitors import Visitor

from .conftest import NewPage, assert_no_complaints, settled

Say = Callable[[str], None]
SHORT = "insights?section=normalise&arms=standardised&recipe=steps~20,n_train~200"
LONG = "insights?section=normalise&arms=standardised&recipe=steps~2000,n_train~3000,batch_size~256"


def trains(visitor: Visitor) -> bool:
    """Whether a run of the visitor's is under way."""
    return any("step " in bar.text for bar in visitor.elements("progress"))


def trainers(url: str) -> set[int]:
    """The processes that train for the server of this address."""
    found = set()
    port = str(urlsplit(url).port).encode()
    parents: dict[int, tuple[int, bytes]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            parents[int(entry.name)] = parent, (entry / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
    for pid, (parent, command) in parents.items():
        if b"cnn_core.training.worker_child" in command and port in parents.get(parent, (0, b""))[1].split(b"\0"):
            found.add(pid)
    return found


def run_one(page: Page) -> None:
    page.get_by_role("button", name="Show it without a guess").click()
    page.get_by_role("button", name="Run one now").click()


def bar(page: Page, words: str) -> None:
    expect(page.get_by_test_id("stProgress").filter(has_text=re.compile(words)).first).to_be_visible(timeout=60_000)


def test_a_run_opens_on_another_page_for_its_owner_alone(new_page: NewPage) -> None:
    page = new_page(SHORT)
    run_one(page)
    expect(page.get_by_role("cell", name="yours, seed 0, steps 20, training pictures 200")).to_be_visible(
        timeout=60_000
    )
    expect(page.get_by_role("button", name="Run one now")).to_be_enabled()
    settled(page)
    page.get_by_text("Your networks: open them on other pages").click()
    expect(page.get_by_role("button", name="Save the run")).to_be_visible()
    page.get_by_test_id("stExpander").get_by_role("link", name="Feature maps").click()
    expect(page.get_by_role("heading", name="Feature maps", level=1)).to_be_visible()
    settled(page)
    expect(page.get_by_text("Your runs", exact=True)).to_be_visible()
    assert "model=run%3A" in page.url or "model=run:" in page.url
    assert "picture=digit" in page.url
    expect(page.locator("canvas").first).to_be_visible()
    assert_no_complaints(page)
    # The same link in another browser.
    address = urlsplit(page.url)
    other = new_page(f"{address.path.lstrip('/')}?{address.query}")
    expect(other.get_by_text("trained in another session")).to_be_visible()
    assert "model=run" not in other.url
    assert_no_complaints(other)


@pytest.mark.long  # the same is tested without a browser in test_worker
def test_a_second_visitor_waits_in_line_and_nobody_loses_the_app(new_page: NewPage, server_url: str, say: Say) -> None:
    first, second = new_page(LONG), new_page(LONG)
    run_one(first)
    bar(first, "step ")
    run_one(second)
    bar(second, "next in line")  # the server of the tests trains one at a time
    # A tab is closed: the next in line begins.
    begin = time.monotonic()
    first.close()
    bar(second, "starting|step ")
    freed = time.monotonic() - begin
    assert freed < 10
    # Somebody kills what trains.
    bar(second, "step ")
    for pid in trainers(server_url):
        os.kill(pid, signal.SIGKILL)
    begin = time.monotonic()
    expect(second.get_by_text("start the run again")).to_be_visible()
    told = time.monotonic() - begin
    expect(second.get_by_role("button", name="Run one now")).to_be_enabled()
    assert not trainers(server_url)
    assert_no_complaints(second)
    say(f"a closed tab gives its place to the next after {freed:.1f} s; a killed worker is told after {told:.1f} s")


@pytest.mark.long
def test_two_train_at_once_and_a_third_browses(chrome: Browser, tmp_path: Path, say: Say) -> None:
    """On a server of its own that lets two train at once: what a third one waits for the maps of another layer.

    The two who train have no browser here, since theirs would be on machines of their own; their pages are drawn anew
    as often as in one.
    """
    context = chrome.new_context(viewport={"width": 1440, "height": 900})
    settings = {"CONVLENS_TRAINING_PLACES": "2", "CONVLENS_TRAINING_NICENESS": "10"}
    with server.running(tmp_path / "server.log", settings) as url:
        third = context.new_page()
        third.goto(f"{url}/features")
        settled(third)
        layers = third.locator("select.list option").count()
        quiet = [float(third.evaluate(_PICK, index)) for index in range(0, layers, 3)]
        with Visitor(url, LONG) as first, Visitor(url, LONG) as second:
            for visitor in (first, second):
                visitor.press("Show it without a guess")
                visitor.press("Run one now")
                visitor.until(trains, "the first step")
            busy = [float(third.evaluate(_PICK, index)) for index in range(1, layers, 2)]
            assert trains(first) and trains(second)
            assert len(trainers(url)) == 2
            assert not first.broken and not second.broken
        context.close()
    last, before = (statistics.quantiles(times, n=20)[-1] for times in (busy, quiet))
    say(
        f"two visitors train, a third picks layers: median {statistics.median(busy):.0f} ms, 95th percentile "
        f"{last:.0f} ms over {len(busy)} picks (nobody trains: {statistics.median(quiet):.0f} and {before:.0f} ms)"
    )
    assert last <= 400
