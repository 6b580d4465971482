"""Work that lasts longer than a click: a thread for each, which tells how far it is, can be stopped, and ends with the
session. No thread of it calls Streamlit."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

import streamlit as st

import cnn_core as cc
from ui import cached
from ui.queues import FairQueue, nth
from ui.text import plain

T = TypeVar("T")
State = Literal["waiting", "running", "done", "stopped", "failed"]
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]

_log = logging.getLogger(__name__)
# Long work of all visitors together: a core stays free for those who click.
_LINE = FairQueue(1)
_KEPT = 16  # slots whose finished jobs a session still shows without asking again


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
    position: int = 0  # in the line of long work, 1 for who is next; 0 where it does not wait
    left: bool = False  # the visitor is gone: nobody wants what it has made so far
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

    def wait(self, position: int) -> None:
        """Others are before it."""
        self.check()
        self.position = position

    def check(self) -> None:
        """Raise Stopped where the visitor stopped it."""
        if self.stop.is_set():
            raise Stopped


Work = Callable[[Job], Any]


class Jobs:
    """A visitor's jobs: at most one in each slot, and what the last one that finished there made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[Hashable, Job] = {}
        self._kept: dict[Hashable, tuple[Hashable, Any]] = {}
        self._closed = False

    def job(self, slot: Hashable) -> Job | None:
        """The slot's last job."""
        with self._lock:
            return self._jobs.get(slot)

    def kept(self, slot: Hashable) -> tuple[Hashable, Any] | None:
        """Key and result of the last job that finished in the slot, whatever was started and stopped since."""
        with self._lock:
            return self._kept.get(slot)

    def start(self, slot: Hashable, key: Hashable, work: Work, *, heavy: bool = False, keeps_part: bool = False) -> Job:
        """Begin a job, and stop the one that runs in this slot; the same key while it runs is the same job.

        heavy: it waits until no other heavy job of any visitor runs. keeps_part: what the work returns after it was
        stopped is a result, too.
        """
        with self._lock:
            running = self._jobs.pop(slot, None)
            if running is not None and running.is_active:
                if running.key == key and not running.stop.is_set():
                    self._jobs[slot] = running
                    return running
                running.stop.set()
            job = Job(key)
            if self._closed:
                job.state = "stopped"
                return job
            self._make_room()
            self._jobs[slot] = job
            job.thread = threading.Thread(
                target=self._run, args=(slot, job, work, heavy, keeps_part), daemon=True, name="job"
            )
        job.thread.start()
        return job

    def _make_room(self) -> None:
        """Let the oldest finished jobs go, with what they made."""
        finished = [slot for slot, job in self._jobs.items() if not job.is_active]
        for slot in finished[: max(0, len(self._jobs) - _KEPT + 1)]:
            del self._jobs[slot]
            self._kept.pop(slot, None)

    def stop(self, slot: Hashable) -> None:
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
            job.left = True
            job.stop.set()

    def _run(self, slot: Hashable, job: Job, work: Work, heavy: bool, keeps_part: bool) -> None:
        try:
            with _LINE.place(self, job.wait) if heavy else contextlib.nullcontext():
                job.check()
                job.position, job.state = 0, "running"
                result = work(job)
                if not keeps_part:
                    job.check()
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
                if self._jobs.get(slot) is job:
                    self._kept[slot] = (job.key, result)
            job.result, job.state = result, "done"


@st.cache_resource(scope="session", on_release=Jobs.close, show_spinner=False)
def mine() -> Jobs:
    """This visitor's jobs; when the session ends, they are stopped."""
    return Jobs()


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
    at_once: bool = False,
) -> T | None:
    """The value, once it was asked for by the button and is there; None before that, and after a cancel.

    at_once: the first time it starts without the button, which is then for after a cancel.

    `work(on_progress, should_stop)` runs in its own thread, so the page stays alive; it returns None when it was
    stopped. The value is shared between visitors under (kind, *key). label: what is going on; unit: what is counted.
    """
    own, slot = mine(), (kind, *key)
    kept = own.kept(slot)
    if kept is not None:
        return cast(T, kept[1])
    job = own.job(slot)
    if job is not None and job.is_active:
        watch(slot, label, unit=f" {unit}", key=f"cl_job_{kind}_cancel")
        return None
    if job is not None:
        if job.state == "failed":
            st.error(plain(job.message), icon=":material/error:")
        else:
            st.caption("Cancelled; nothing was changed.")

    def make(job: Job) -> T:
        def whole() -> T:
            value = work(job.progress, job.stop.is_set)
            if value is None:
                raise Stopped
            job.check()
            return value

        return cached.memo(kind, key, whole, nbytes)

    def start() -> None:
        own.start(slot, key, make, heavy=True)

    if at_once and job is None:
        start()
        watch(slot, label, unit=f" {unit}", key=f"cl_job_{kind}_cancel")
        return None
    # The same key for every subject: the browser keeps the button.
    st.button(button, key=f"cl_job_{kind}", icon=icon, on_click=start)
    return None


def result(kind: str, key: tuple[Hashable, ...]) -> Any:
    """What `run` would return, without drawing anything."""
    kept = mine().kept((kind, *key))
    return None if kept is None else kept[1]


def watch(
    slot: Hashable,
    words: str,
    *,
    key: str,
    unit: str = "",
    show: Callable[[Any], None] = lambda detail: None,
    every: float = 0.3,
) -> None:
    """A bar that follows a job, with a button that stops it; the whole page runs once more when it has ended.

    words: what is going on; unit: what is counted; show: draws what the job tells of its result so far. every: seconds
    between two looks; each costs the job a little time, which adds up where it runs for minutes.
    """
    st.fragment(run_every=every)(_watch)(slot, words, key, unit, show)


def _watch(slot: Hashable, words: str, key: str, unit: str, show: Callable[[Any], None]) -> None:
    job = mine().job(slot)
    if job is None or not job.is_active:
        st.rerun()
    assert job is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if job.state == "waiting":
            line = f": you are {nth(job.position)} in line" if job.position else ""
            st.progress(0.0, text=f"Waiting for another long run to end{line}", width=360)
        else:
            counted = f": {job.done} of {job.total}{unit}" if job.total else ""
            st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text=f"{words}{counted}", width=360)
        st.button("Cancel", key=key, on_click=mine().stop, args=(slot,), icon=":material/close:")
    if job.detail is not None:
        show(job.detail)
