"""Work that begins by itself: waited for a moment, and then shown with a bar and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from ui import jobs
from ui.text import plain

Progress = Callable[[int, int], None]
QUICK = 0.25  # seconds that a page waits before it shows a bar


def ensure(
    slot: str, key: Hashable, work: jobs.Work, words: str, *, unit: str = "", patience: float = QUICK
) -> Any | None:
    """What the work makes, or None where it runs, was stopped or failed, which the page then says.

    slot: one for each place on a page; key: what the work is about. words: what goes on; unit: what is counted, with a
    space before it. patience: seconds that are waited for it before the bar is drawn.
    """
    mine = jobs.mine()
    kept = mine.kept(slot)
    if kept is not None and kept[0] == key:
        return kept[1]
    job = mine.job(slot)
    if job is None or job.key != key:
        job = mine.start(slot, key, work)
        if job.thread is not None:
            job.thread.join(patience)
    if job.state == "done":
        return job.result
    if job.is_active:
        jobs.watch(slot, words, unit=unit, key=f"cl_wait_stop_{slot}")
        return None
    if job.state == "failed":
        st.error(plain(job.message), icon=":material/error:")
    else:
        st.info("Cancelled. Nothing was changed.", icon=":material/stop_circle:")
    again = {"on_click": mine.start, "args": (slot, key, work)}
    st.button("Start it again", key=f"cl_wait_again_{slot}", icon=":material/play_arrow:", **again)  # type: ignore[arg-type]
    return None


def step(job: jobs.Job) -> Progress:
    """For work that reports on_progress(done, total): it moves the bar, and ends the work once it was stopped."""

    def report(done: int, total: int) -> None:
        job.check()
        job.progress(done, total)

    return report
