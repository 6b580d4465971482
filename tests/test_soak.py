"""Two hundred visits with pictures of their own: what the server holds at the end is what it held after the first."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from . import server
from .visitors import Visitor

FIRST, ALL = 50, 200
MOST = 1.10  # of the memory after the first visits, as is promised
_LOOKS = 5


def _picture(number: int) -> bytes:
    """Noise over a ramp, which nobody else has: all that is computed of it is new to the server."""
    noise = np.random.default_rng(number).integers(0, 60, (240, 240, 3), dtype=np.uint8)
    ramp = np.linspace(0, 195, 240, dtype=np.uint8)[None, :, None]
    buffer = io.BytesIO()
    Image.fromarray(noise + ramp).save(buffer, "PNG")
    return buffer.getvalue()


def _visit(url: str, number: int) -> None:
    with Visitor(url, "features", timeout=60) as visitor:
        visitor.open("gradcam")
        visitor.upload("Your own picture", f"{number}.png", _picture(number))
        visitor.open("decision")
        assert not visitor.broken, visitor.broken


def _held(url: str) -> float:
    """Megabytes that the server holds, at the lowest of some looks: a collection may be under way."""
    found = []
    for _ in range(_LOOKS):
        time.sleep(1.0)
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            found.append(float(json.load(answer)["memory_megabytes"]))
    return min(found)


@pytest.mark.long
def test_memory_stays_where_it_was_after_the_first_visits(tmp_path: Path) -> None:
    # The caches are full within the first visits, and a closed visit is let go of at once instead of being kept for two
    # minutes for a browser that comes back: what grows after that is a leak.
    settings = {"CONVLENS_CACHE_MB": "300", "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1"}
    with server.running(tmp_path / "log", settings) as url:
        for number in range(FIRST):
            _visit(url, number)
        first = _held(url)
        for number in range(FIRST, ALL):
            _visit(url, number)
        last = _held(url)
    print(f"{first:.0f} MB after {FIRST} visits, {last:.0f} MB after {ALL}")
    assert last <= MOST * first
    assert "Traceback" not in (tmp_path / "log").read_text(errors="replace")
