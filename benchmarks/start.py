"""Cold starts: from the command to a healthy server, and from there to the first screen painted in Chromium."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests import browser, server

from .report import Report, Row

START_BOUND: Final = 6.0
"""Seconds from the command to a server that answers that it is healthy."""
SCREEN_BOUND: Final = 1.5
"""Seconds from that answer to Home painted: its title, its living picture, the course."""

# What stands before Streamlit does (ui/first_screen.py): its pictures are decoded, and two frames were shown since.
_PAINTED: Final = """async () => {
  const pictures = [...document.querySelectorAll('#cl-first img')];
  if (!pictures.length) return false;
  await Promise.all(pictures.map((picture) => picture.decode()));
  await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
  return true;
}"""

# Streamlit's own Home: the component has drawn numbers.
_DRAWN: Final = """() => {
  const search = (from) => from.querySelector('canvas[aria-label]')
    || [...from.querySelectorAll('*')].reduce((found, e) => found || (e.shadowRoot && search(e.shadowRoot)), null);
  const canvas = search(document);
  if (!canvas || !canvas.width) return false;
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value > 0);
}"""


def measure(*, quick: bool = False) -> tuple[Report, ...]:
    """The medians over several cold starts (quick: two)."""
    from playwright.sync_api import sync_playwright

    path = browser.ensure()
    starts: list[float] = []
    screens: list[float] = []
    pages: list[float] = []
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
        for _ in range(2 if quick else 7):
            page = chrome.new_context(viewport={"width": 1440, "height": 900}).new_page()
            with tempfile.TemporaryDirectory() as folder:
                begun = time.monotonic()
                with server.running(Path(folder) / "log") as url:
                    healthy = time.monotonic()
                    starts.append(healthy - begun)
                    painted, drawn = _opened(page, url)
                    screens.append(painted - healthy)
                    pages.append(drawn - healthy)
            page.context.close()
        chrome.close()
    rows = (
        Row(("command to healthy server (s), median", f"{len(starts)} cold starts"), median(starts), START_BOUND),
        Row(("command to healthy server (s), slowest", f"{len(starts)} cold starts"), max(starts)),
        Row(("healthy to first screen painted (s), median", f"{len(screens)} visits"), median(screens), SCREEN_BOUND),
        Row(("healthy to first screen painted (s), slowest", f"{len(screens)} visits"), max(screens)),
        Row(("healthy to Streamlit's page in its place (s), median", f"{len(pages)} visits"), median(pages)),
    )
    note = (
        "The first screen stands in the server's first answer; its links lead on before Streamlit's scripts are there. "
        "Torch is loaded behind it; tests/test_layers.py shows that Home does not import it."
    )
    return (Report("start", "Cold start and first screen", ("what", "over"), "measured", rows, (note,)),)


def _opened(page: Any, url: str) -> tuple[float, float]:
    """The moments at which the first screen, and at which Streamlit's own Home stands on the screen."""
    page.goto(url, wait_until="commit")
    page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
    page.get_by_text("The course", exact=True).first.wait_for(timeout=60_000)
    while not page.evaluate(_PAINTED):
        page.wait_for_timeout(5)
    painted = time.monotonic()
    while not page.evaluate(_DRAWN):
        page.wait_for_timeout(20)
    return painted, time.monotonic()
