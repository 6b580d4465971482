"""How the server does, for whoever runs it: `/healthz` says that it lives, `/readyz` that the first lesson is ready."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_started: Final = time.monotonic()
ready: Final = threading.Event()
"""Set once the default model is loaded; pages work before that, the first of them more slowly."""
visited: Final = threading.Event()
"""Set when a browser asks for something for the first time."""
first_screen: Final = threading.Event()
"""Set when a page was drawn for the first time: what is heavy may begin."""
stopping: Final = threading.Event()
"""Set when the server has been told to stop."""


def state() -> dict[str, Any]:
    """What is told: no visitor, no file name, no path of this machine."""
    return {
        "status": "stopping" if stopping.is_set() else "ok" if ready.is_set() else "starting",
        "seconds_up": round(time.monotonic() - _started, 1),
        "memory_megabytes": memory_megabytes(),
        "sessions": _sessions(),
        "training": _training(),
    }


def memory_megabytes() -> float | None:
    """Resident memory of this process; None where the system does not tell it as Linux does."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _sessions() -> int | None:
    """Visitors who are connected now."""
    from streamlit import runtime

    if not runtime.exists():
        return None
    # Streamlit offers no public count; its statistics, which it serves under /_stcore/metrics, have one.
    stats = runtime.get_instance().stats_mgr.get_stats(family_names=["active_sessions"])
    return sum(int(getattr(stat, "value", 0)) for family in stats.values() for stat in family)


def _training() -> dict[str, int] | None:
    """Networks that train now, and those in line; None before anything could train."""
    worker = sys.modules.get("cnn_core.training.worker")
    if worker is None:
        return None
    training, waiting = worker.line().lengths
    return {"running": training, "waiting": waiting}


async def healthz(request: Request) -> JSONResponse:
    """200 as long as the server answers at all."""
    return JSONResponse(state(), headers={"cache-control": "no-store"})


async def readyz(request: Request) -> JSONResponse:
    """200 once the default model is loaded and until the server is told to stop; 503 otherwise."""
    told = state()
    code = 200 if told["status"] == "ok" else 503
    return JSONResponse(told, status_code=code, headers={"cache-control": "no-store"})


ROUTES: Final = [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def is_look(path: str) -> bool:
    """Whether somebody only asks how the server is."""
    return path.endswith(("/healthz", "/readyz", "/_stcore/health"))
