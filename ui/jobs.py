"""Long work beside the page: a thread of its own, its progress on the page, and a button that stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import streamlit as st

import cnn_core as cc
from ui import cached
from ui.text import plain

T = TypeVar("T")
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_JOBS = "cl_jobs"
_KEPT = 12  # finished jobs that a session still shows without asking again


class _Cancelled(BaseException):
    """Not an Exception: another visitor who waits for the same value then computes it, see `cached.SharedCache`."""


@dataclass(eq=False)
class _Job:
    """One piece of work; written by its thread alone, but for `stop`."""

    stop: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    total: int = 0
    value: Any = None
    error: str = ""

    def work(self, make: Callable[[], Any]) -> None:
        try:
            self.value = make()
        except _Cancelled:
            pass
        except cc.ConvLensError as error:
            self.error = str(error)
        finally:
            self.finished.set()

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def run(
    kind: str,
    key: tuple[Hashable, ...],
    work: Callable[[Progress, ShouldStop], T | None],
    nbytes: Callable[[T], int],
    *,
    button: str,
    label: str,
    unit: str,
    icon: str = ":material/play_arrow:",
) -> T | None:
    """The value, once it was asked for by the button and is there; None before that, and after a cancel.

    `work(on_progress, should_stop)` runs in its own thread, so the page stays alive; it returns None when it was
    stopped. The value is shared between visitors under (kind, *key). label: what is going on; unit: what is counted.
    """
    jobs: dict[tuple[Hashable, ...], _Job] = st.session_state.setdefault(_JOBS, {})
    slot = (kind, *key)
    job = jobs.get(slot)
    if job is not None and job.finished.is_set() and job.value is None:
        if job.error:
            st.error(plain(job.error), icon=":material/error:")
        else:
            st.caption("Cancelled; nothing was changed.")
        del jobs[slot]
        job = None
    if job is None:
        # The same key for every subject: the browser keeps the button.
        st.button(button, key=f"cl_job_{kind}", icon=icon, on_click=_start, args=(jobs, slot, work, nbytes))
        return None
    if not job.finished.is_set():
        _watch(job, kind, label, unit)
        return None
    return cast(T, job.value)


def result(kind: str, key: tuple[Hashable, ...]) -> Any:
    """What `run` would return, without drawing anything."""
    job = st.session_state.get(_JOBS, {}).get((kind, *key))
    return job.value if job is not None and job.finished.is_set() else None


def _start(jobs: dict[tuple[Hashable, ...], _Job], slot: tuple[Hashable, ...], work: Any, nbytes: Any) -> None:
    for old in [name for name, job in jobs.items() if job.finished.is_set()][: max(0, len(jobs) - _KEPT + 1)]:
        del jobs[old]
    job = jobs[slot] = _Job()

    def make() -> Any:
        value = work(job.progress, job.stop.is_set)
        if value is None or job.stop.is_set():
            raise _Cancelled
        return value

    def shared() -> Any:
        return cached.memo(str(slot[0]), slot[1:], make, nbytes)

    threading.Thread(target=job.work, args=(shared,), name=f"convlens-{slot[0]}", daemon=True).start()


@st.fragment(run_every=0.4)
def _watch(job: _Job, kind: str, label: str, unit: str) -> None:
    if job.finished.is_set():
        st.rerun()
    share = job.done / job.total if job.total else 0.0
    counted = f": {job.done} of {job.total} {unit}" if job.total else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.progress(share, text=f"{label}{counted}", width=360)
        st.button("Cancel", key=f"cl_job_{kind}_cancel", icon=":material/close:", on_click=job.stop.set)
