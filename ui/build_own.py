"""The visitor's own pictures in class folders: brought as a zip or file by file, checked, seen by nobody else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import streamlit as st

from cnn_core.training import own_data
from cnn_core.training.own_data import File, OwnData
from ui import jobs
from ui.text import plain
from ui.widgets import FORMATS

_SLOT: Final = "own_pictures"
_STAGED: Final = "cl_build_staged"
_REFUSED: Final = "cl_build_own_refused"
_KEPT: Final = 3
MAX_STAGED_BYTES: Final = 60 * 2**20


class Shelf:
    """What one visitor brought, newest last; it is let go with the session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[str] = []
        self._closed = False

    def add(self, own: OwnData) -> None:
        with self._lock:
            if self._closed:
                return
            if own.key in self._keys:
                self._keys.remove(own.key)
            else:
                own_data.hold(own)
            self._keys.append(own.key)
            while len(self._keys) > _KEPT:
                own_data.release(self._keys.pop(0))

    def newest(self) -> str | None:
        with self._lock:
            return self._keys[-1] if self._keys else None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            keys, self._keys = self._keys, []
        for key in keys:
            own_data.release(key)


@st.cache_resource(scope="session", on_release=Shelf.close, show_spinner=False)
def shelf() -> Shelf:
    """This visitor's pictures. A job's thread may add to it; it must be asked for in the page's own thread."""
    return Shelf()


def current() -> str | None:
    """The key of the visitor's newest pictures."""
    return shelf().newest()


def bring() -> None:
    """The ways to bring pictures, what is there already, and what was wrong."""
    with st.container(border=True):
        st.markdown(
            f"**Your own pictures.** At least {own_data.LEAST} of each class; the middle square of each becomes "
            f"{own_data.SIDE} × {own_data.SIDE} pixels. A fifth of each class is kept for the test, always the same."
        )
        as_zip, one_by_one = st.tabs(["A zip with a folder for each class", "File by file"])
        with as_zip:
            _zip()
        with one_by_one:
            _files()
        _outcome()


def _zip() -> None:
    file = st.file_uploader(
        "Zip with class folders",
        type=["zip"],
        key="cl_build_zip",
        max_upload_size=100,
        help=f"cats/1.jpg, cats/2.jpg, dogs/1.jpg …; at most {own_data.MAX_PICTURES:,} pictures and "
        f"{own_data.MAX_CLASSES} classes. They stay in your session.",
    )
    if file is not None and st.session_state.get("cl_build_zip_seen") != file.file_id:
        st.session_state["cl_build_zip_seen"] = file.file_id
        content = file.getvalue()

        def work(job: jobs.Job) -> OwnData:
            return _prepared(own_data.unzip(content), job)

        _begin(("zip", file.file_id), work)


def _files() -> None:
    staged: dict[str, list[File]] = st.session_state.setdefault(_STAGED, {})
    with st.form("cl_build_files", clear_on_submit=True, border=False):
        name = st.text_input("Class", max_chars=40, placeholder="cat", key="cl_build_class")
        files = st.file_uploader(
            "Pictures of this class",
            type=FORMATS,
            accept_multiple_files=True,
            key="cl_build_pictures",
            max_upload_size=10,
        )
        if st.form_submit_button("Add these to the class", icon=":material/add:"):
            if not name.strip() or not files:
                st.warning("Name the class and choose its pictures.", icon=":material/info:")
            else:
                told = [File(name.strip(), file.name, file.getvalue()) for file in files]
                held = sum(len(file.content) for own in staged.values() for file in own)
                if held + sum(len(file.content) for file in told) > MAX_STAGED_BYTES:
                    st.warning("These are more than 60 MB together: bring smaller pictures, or a zip.")
                else:
                    staged.setdefault(name.strip(), []).extend(told)
    if staged:
        st.caption("Added: " + ", ".join(f"{plain(name)} ({len(own)})" for name, own in staged.items()))
        with st.container(horizontal=True):
            if st.button("Use these classes", type="primary", key="cl_build_use"):
                files_now = tuple(file for own in staged.values() for file in own)

                def work(job: jobs.Job) -> OwnData:
                    return _prepared(files_now, job)

                _begin(("files", len(files_now), tuple(staged)), work)
            if st.button("Clear", key="cl_build_clear", type="tertiary"):
                staged.clear()
                st.rerun(scope="fragment")


def _prepared(files: Sequence[File], job: jobs.Job) -> OwnData:
    found = own_data.prepare(files, on_progress=job.progress, should_stop=job.stop.is_set)
    if found is None:
        raise jobs.Stopped
    return found


def _begin(key: tuple[object, ...], work: jobs.Work) -> None:
    own = shelf()

    def keep(job: jobs.Job) -> OwnData:
        made = work(job)
        job.check()
        own.add(made)
        return made

    job = jobs.mine().start(_SLOT, key, keep)
    if job.thread is not None:
        job.thread.join(0.5)  # a few small pictures need no bar


def _outcome() -> None:
    job = jobs.mine().job(_SLOT)
    if job is not None and job.is_active:
        jobs.watch(_SLOT, "Pictures read", key="cl_build_own_cancel")
        return
    if job is not None and job.state == "failed":
        st.error(f"{plain(job.message)} What was there before stays.", icon=":material/broken_image:")
    key = current()
    if key is None:
        st.caption("Nothing is here yet.")
        return
    own = own_data.held(key)
    for note in own.notes:
        st.caption(plain(note))
    counts = ", ".join(f"**{plain(name)}** {learn} + {asked}" for name, learn, asked in own.counts())
    st.markdown(f"Here are {len(own.train) + len(own.test)} pictures (to learn from + to be asked): {counts}.")
    st.image(sheet(own), width="stretch", alt="Some pictures of each class")


def sheet(own: OwnData) -> np.ndarray:
    """Up to 12 training pictures of each of the first 4 classes, a row for each: uint8 (h, w, 4), clear at ends."""
    side = own_data.SIDE
    rows = np.zeros((min(4, len(own.class_names)), side, 12 * side, 4), np.uint8)
    for label, row in enumerate(rows):
        for i, picture in enumerate(own.train.pictures[own.train.labels == label][:12]):
            row[:, i * side : (i + 1) * side, :3] = picture
            row[:, i * side : (i + 1) * side, 3] = 255
    return rows.reshape(-1, 12 * side, 4)
