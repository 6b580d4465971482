"""What happens once, when the server starts and stops: torch and the default model are loaded behind the first screen,
and at the end what still trains is let go of."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import inspect
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from cnn_core import scratch
from ui import cached, engine, health, hero_data, logs, pictures, session

logger = logging.getLogger("convlens")

_FIRST_SCREEN = ("ui.shell", "ui.classroom", "ui.tour", "ui.course", "ui.instruments.hero")
_NOBODY = 3.0
"""Seconds without a visitor after which the server gets ready by itself."""
_LOADING = 10.0
"""Seconds that the first browser is left to load Streamlit's scripts and to ask for its page."""
_SWITCH = 0.001
"""Seconds that a thread keeps the interpreter while others ask for it; Python's own are 0.005.

A forward pass gives it back at each of its operations, and waits that long to get it again where another thread draws a
page: the 155 of MobileNetV2 take 32 ms alone, 800 beside such a thread, and 250 with this (measured)."""
_M_ARENA_MAX = -8
"""What glibc's mallopt calls the most heaps that threads share."""
_PAINTING = 1.0
"""Seconds that the first browser is left to fetch and draw what the first screen needs."""


def _share_heaps() -> None:
    """Let threads share a few of glibc's heaps.

    By default there are eight a core, and every page of a visitor is a thread: what one frees, another cannot take, so
    each asks the system for memory, which is cleared first. With thirty visitors on two cores one heap is 90 MB less,
    and a sixth less of the time that the system takes for the server (measured: 7.7 s of 90, with many heaps 9.3).
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, max(1, (os.cpu_count() or 1) // 2))


def _warm_up() -> None:
    # In this thread, behind the first screen, which must not wait for torch.
    begun = time.monotonic()
    engine.load()
    model = cached.classifier(session.PARAMETERS["model"].default)
    picture = pictures.sample_picture(session.PARAMETERS["picture"].default)
    cached.trace(model, cached.model_input(model, picture))
    pictures.thumbnails()
    # Streamlit collects garbage after every run, holding the interpreter; with torch loaded and nothing frozen
    # that takes about 160 ms for the whole server.
    gc.collect()
    gc.freeze()
    # A page makes thousands of objects that live as long as it is drawn: looked at every 700, as Python does by
    # default, they cost 3 % of the server's time with thirty visitors.
    gc.set_threshold(10_000, 20, 20)
    health.ready.set()
    logs.set_up()
    logs.event(
        logger,
        "The default model is ready",
        seconds=round(time.monotonic() - begun, 1),
        memory_megabytes=health.memory_megabytes(),
    )


def _prepare_first_screen() -> None:
    """While the first browser loads Streamlit's scripts: what its page needs, which is light."""
    for name in _FIRST_SCREEN:
        import_module(name)
    hero_data.load()
    # Streamlit looks at the stack before it draws its first element, and Python then resolves every module's path.
    inspect.stack()


def _guarded() -> None:
    _prepare_first_screen()
    # To import torch holds the interpreter for seconds, and the first screen would wait for it after all.
    if health.visited.wait(_NOBODY) and health.first_screen.wait(_LOADING):
        time.sleep(_PAINTING)
    try:
        _warm_up()
    except Exception:
        # The pages load what they need themselves and say what is wrong; the log keeps the cause.
        logger.exception("The default model could not be loaded in advance.")
    if left := scratch.sweep():
        logs.event(logger, "Files that a killed server had left were deleted", folders=left)


def _address() -> str:
    import streamlit as st

    host = st.get_option("server.address") or "localhost"
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    return f"{scheme}://{host}:{st.get_option('server.port')}{st.get_option('server.baseUrlPath') or ''}"


def _versions() -> dict[str, Any]:
    import streamlit

    return {"python": sys.version.split()[0], "streamlit": streamlit.__version__}


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start warming when the server starts; the server answers at once. End what works when it is told to stop."""
    await asyncio.sleep(0)
    sys.setswitchinterval(_SWITCH)
    _share_heaps()
    logs.set_up()
    import_module("ui.rooms")  # a file for them that cannot be opened is said now, not on a page
    logs.event(logger, f"ConvLens answers at {_address()}", **_versions())
    threading.Thread(target=_guarded, name="convlens-warm", daemon=True).start()
    try:
        yield
    finally:
        health.stopping.set()
        logs.event(logger, "ConvLens stops", **health.state())
