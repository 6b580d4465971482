"""Work that lasts longer than a click: a thread for each, which tells how far it is, can be stopped, and ends with the
session. No thread of it calls Streamlit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

import streamlit as st

import cnn_core as cc

State = Literal["waiting", "running", "done", "stopped", "failed"]
_log = logging.getLogger(__name__)
# Long work of all visitors together: a core stays free for those who click.
_PLACES = threading.BoundedSemaphore(1)
_PATIENCE = 0.1  # seconds between looks at whether to stop while waiting for a place


class Stopped(BaseException):
    """The visitor stopped it. No Exception, so that a shared cache hands the work to the next who wants it."""


@dataclass
class Job:
    """One piece of work: what it is about, how far it is, and what came out. Read and written under `lock`."""

    key: Hashable
    state: State = "waiting"
    done: int = 0
    total: int = 0
    detail: Any = None
    result: Any = None
    message: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ("waiting", "running")

    def progress(self, done: int, total: int, detail: Any = None) -> None:
        """Tell how far it is; `detail` is what can be shown of it already."""
        with self.lock:
            self.done, self.total, self.detail = done, total, detail

    def check(self) -> None:
        """Raise Stopped where the visitor stopped it."""
        if self.stop.is_set():
            raise Stopped


Work = Callable[[Job], Any]


class Jobs:
    """A visitor's jobs: at most one in each slot, and what the last one that finished there made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._closed = False

    def job(self, slot: str) -> Job | None:
        """The slot's last job."""
        with self._lock:
            return self._jobs.get(slot)

    def kept(self, slot: str) -> tuple[Hashable, Any] | None:
        """Key and result of the last job that finished in the slot, whatever was started and stopped since."""
        with self._lock:
            return self._kept.get(slot)

    def start(self, slot: str, key: Hashable, work: Work, *, heavy: bool = False) -> Job:
        """Begin a job, and stop the one that runs in this slot; the same key while it runs is the same job.

        heavy: it waits until no other visitor's heavy job runs.
        """
        with self._lock:
            running = self._jobs.get(slot)
            if running is not None and running.is_active:
                if running.key == key and not running.stop.is_set():
                    return running
                running.stop.set()
            job = Job(key)
            if self._closed:
                job.state = "stopped"
                return job
            self._jobs[slot] = job
            job.thread = threading.Thread(target=self._run, args=(slot, job, work, heavy), daemon=True, name=slot)
        job.thread.start()
        return job

    def stop(self, slot: str) -> None:
        """Ask the slot's job to end; what was kept before stays."""
        with self._lock:
            job = self._jobs.get(slot)
        if job is not None:
            job.stop.set()

    def close(self) -> None:
        """The visitor has left: everything ends."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()

    def _run(self, slot: str, job: Job, work: Work, heavy: bool) -> None:
        try:
            if heavy:
                while not _PLACES.acquire(timeout=_PATIENCE):
                    job.check()
            try:
                job.check()
                job.state = "running"
                result = work(job)
                job.check()
            finally:
                if heavy:
                    _PLACES.release()
        except Stopped:
            job.state = "stopped"
        except cc.ConvLensError as error:
            job.message, job.state = str(error), "failed"
        except Exception:
            # In a thread nobody is there to catch it: the log keeps the traceback, and the visitor is told.
            _log.exception("The job %s broke off", slot)
            job.message, job.state = "The computation broke off; the server's log says why.", "failed"
        else:
            with self._lock:
                self._kept[slot] = (job.key, result)
            job.result, job.state = result, "done"


@st.cache_resource(scope="session", on_release=Jobs.close, show_spinner=False)
def jobs() -> Jobs:
    """This visitor's jobs; when the session ends, they are stopped."""
    return Jobs()
