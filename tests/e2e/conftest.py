"""A server of the real app, a browser, and what browser tests share."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebSocket, expect, sync_playwright

from tests import browser as chromium
from tests import server
from ui import failures

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

# A cold page loads torch and a model on two shared cores; a slower machine than that is not what is tested here.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh server, or of the one that CONVLENS_TEST_SERVER names."""
    if named := os.environ.get("CONVLENS_TEST_SERVER"):
        yield named
        return
    # An empty cache of weights: what is tested must not depend on what this machine once fetched.
    # And one run trains at a time, so that a second one waits in line on every machine.
    environment = {"TORCH_HOME": str(tmp_path_factory.mktemp("torch")), "CONVLENS_TRAINING_PLACES": "1"}
    with server.running(tmp_path_factory.mktemp("server") / "server.log", environment) as url:
        yield url


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """One Chromium for all tests; a machine without one fails here, and is never skipped."""
    path = chromium.find()
    assert path, "No Chromium on this machine: run `python -m tests`, which installs one."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        yield launched
        launched.close()


@dataclass
class Frames:
    """Websocket messages that the page sent to the server, counted since the last reset."""

    sent: int = 0
    received_bytes: int = 0
    sizes: list[int] = field(default_factory=list)

    def reset(self) -> None:
        self.sent, self.received_bytes = 0, 0
        self.sizes.clear()

    def watch(self, websocket: WebSocket) -> None:
        websocket.on("framesent", lambda _: setattr(self, "sent", self.sent + 1))
        websocket.on("framereceived", self._received)

    def _received(self, payload: str | bytes) -> None:
        self.sizes.append(len(payload))
        self.received_bytes += len(payload)


@dataclass
class Complaints:
    """What the browser complained about: errors on the console, exceptions, requests to elsewhere."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def contexts(chrome: Browser) -> Callable[..., BrowserContext]:
    """One browser context for each size and theme: the app's scripts are fetched and compiled once for all tests."""
    made: dict[str, BrowserContext] = {}

    def context(**options: object) -> BrowserContext:
        key = repr(sorted(options.items(), key=repr))
        if key not in made:
            made[key] = chrome.new_context(**options)  # type: ignore[arg-type]
        return made[key]

    return context


@pytest.fixture
def new_page(contexts: Callable[..., BrowserContext], server_url: str) -> Iterator[NewPage]:
    """Open pages of any size and theme: new_page("kernel?stride=2", viewport=PHONE, color_scheme="dark")."""
    opened: list[Page] = []

    def open_page(path: str = "", *, wait: bool = True, **options: object) -> Page:
        page = contexts(**{"viewport": WIDE, **options}).new_page()
        opened.append(page)
        frames, complaints = Frames(), Complaints()
        page.on("websocket", frames.watch)
        page.on("console", lambda message: _note(message, complaints))
        page.on("pageerror", lambda error: complaints.errors.append(str(error)))
        page.on("request", lambda request: _outside(request.url, server_url, complaints))
        page.frames_seen = frames  # type: ignore[attr-defined]
        page.complaints = complaints  # type: ignore[attr-defined]
        page.goto(f"{server_url}/{path}")
        if wait:
            settled(page)
        return page

    yield open_page
    for page in opened:
        if not page.is_closed():
            # The next test begins as a newcomer.
            page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
            page.close()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A wide page on Home."""
    return new_page("")


def _note(message: ConsoleMessage, complaints: Complaints) -> None:
    # On a deep link Streamlit's own page first asks for its server under the page's address, and is told 404.
    if message.type == "error" and "/_stcore/" not in message.location["url"]:
        complaints.errors.append(message.text)


def _outside(url: str, server_url: str, complaints: Complaints) -> None:
    if not url.startswith((server_url, server_url.replace("http", "ws"), "data:", "blob:")):
        complaints.outside.append(url)


def settled(page: Page) -> None:
    """Wait until the server has answered, nothing is running, and every instrument is drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    # A run may start a moment after an event; a page is settled when it stays quiet for a little.
    page.wait_for_timeout(150)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    # What stood on Home before Streamlit did is gone.
    page.wait_for_selector("#cl-first", state="hidden", timeout=60_000)
    # Its script is a file, which may come after the page.
    page.wait_for_selector(
        '[data-testid="stBidiComponentIsolated"]:not([data-drawn])', state="detached", timeout=60_000
    )


def frames(page: Page) -> Frames:
    """The counter of websocket messages of a page."""
    return page.frames_seen  # type: ignore[attr-defined,no-any-return]


def assert_no_complaints(page: Page) -> None:
    """No error on the console, no exception on the page, no request to elsewhere."""
    complaints: Complaints = page.complaints  # type: ignore[attr-defined]
    assert complaints.errors == []
    assert complaints.outside == []
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.get_by_text(failures.SIGN).count() == 0


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window, once it has taken a new size of the window up."""
    limit = time.monotonic() + 3
    while (wider := _overflow(page)) and time.monotonic() < limit:
        page.wait_for_timeout(50)
    return wider


def _overflow(page: Page) -> int:
    return int(
        page.evaluate(
            """() => {
              const main = document.querySelector('[data-testid="stMain"]') || document.documentElement;
              return Math.max(main.scrollWidth - main.clientWidth,
                              document.documentElement.scrollWidth - document.documentElement.clientWidth);
            }"""
        )
    )


def numbers(text: str) -> list[float]:
    """The numbers in a text, a true minus sign understood."""
    cleaned = text.replace("−", "-").replace(",", "")
    return [float(match) for match in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", cleaned)]


def finger(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """One finger from one point (x, y) of the window to another, as a touch screen reports it.

    It rests before it is lifted: a browser takes a tap right after a flick for the flick's end, and gives no click.
    """
    session = page.context.new_cdp_session(page)
    steps = 6
    for i in range(steps + 1):
        x, y = (a + (b - a) * i / steps for a, b in zip(start, end, strict=True))
        kind = "touchMove" if i else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    page.wait_for_timeout(200)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()
