"""Bringing pictures: single ones, a folder, a zip, or the drawn herd that comes along; and letting them go again."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any, Final, Literal

import streamlit as st
from PIL import Image

import cnn_core as cc
from cnn_core.bias.annotations import write_annotations
from cnn_core.bias.herds import ground_names, herd_boxes, herd_names
from cnn_core.bias.regions import Box, Region
from cnn_core.bias.uploads import LIMITS, Added
from cnn_core.images import MAX_BYTES
from cnn_core.training.cow_camel import draw_herd
from ui import audit_run, jobs, session
from ui.audit_room import Room
from ui.text import plain
from ui.widgets import FORMATS

_ZIP: Final = "audit_zip"
_GENERATION: Final = "cl_audit_generation"
_REFUSED: Final = "cl_audit_refused"
_OVER: Final = "cl_audit_zip_over"
_EXAMPLE: Final = 40
# Pictures that no example network learned from or was measured on; this seed gives every group at least five.
_EXAMPLE_SEED: Final = 6_064
_EXAMPLE_CORRELATION: Final = 0.75


def bring(room: Room) -> None:
    """The ways to bring pictures; folded up once there are some."""
    st.space("xxsmall")
    if session.get("herd") and len(room) == 0 and not _reading():
        _take_example(room)  # the address says so
    if len(room) == 0 and not _reading():
        st.markdown(
            "**Bring pictures** that show what your network tells apart, in subfolders by label if you can "
            "(cows/1.jpg, camels/1.jpg …). They stay in your session and go with it."
        )
        _ways(room)
        st.markdown("**Or try it** with pictures and networks that come along:")
        st.button(
            f"{_EXAMPLE} drawn cows and camels",
            key="cl_audit_example",
            icon=":material/draw:",
            on_click=_take_example,
            args=(room,),
            disabled=session.locked(),
        )
    else:
        _summary(room)
        with st.expander("Bring more pictures, or start over", icon=":material/add_photo_alternate:"):
            _ways(room)
            st.button(
                "Let all of this go",
                key="cl_audit_clear",
                icon=":material/delete:",
                on_click=_clear,
                args=(room,),
                disabled=session.locked(),
            )
    if words := st.session_state.get(_REFUSED):
        st.error(words, icon=":material/broken_image:")
    _outcome()


def _reading() -> bool:
    job = jobs.mine().job(_ZIP)
    return job is not None and job.is_active


def _clear(room: Room) -> None:
    for role in ("first", "second"):
        jobs.mine().stop(audit_run.slot(role))
    jobs.mine().stop(_ZIP)
    room.clear()
    session.set("herd", None)
    st.session_state.pop(_REFUSED, None)


def _ways(room: Room) -> None:
    # A new widget after each upload: the browser's and the server's copies of what was taken are let go.
    generation = st.session_state.get(_GENERATION, 0)
    one_by_one, folder, packed = st.tabs(["Pictures", "A folder", "A zip"])
    limits = f"at most {LIMITS.files:,} pictures and {LIMITS.bytes // 2**20} MB in all, 10 MB each"
    ways: tuple[tuple[Any, str, str, Literal["directory"] | bool], ...] = (
        (one_by_one, "pictures", "Pictures", True),
        (folder, "folder", "A folder; its subfolders are labels", "directory"),
    )
    for tab, name, words, several in ways:
        key = f"cl_audit_{name}_{generation}"
        tab.file_uploader(
            f"{words} ({limits})",
            type=FORMATS,
            accept_multiple_files=several,
            max_upload_size=MAX_BYTES // 2**20,
            key=key,
            on_change=_take_pictures,
            args=(room, key),
            disabled=session.locked(),
        )
    with packed:
        key = f"cl_audit_zip_{generation}"
        st.file_uploader(
            f"A zip; its folders are labels ({LIMITS.zip_bytes // 2**20} MB, {limits})",
            type=["zip"],
            max_upload_size=LIMITS.zip_bytes // 2**20,
            key=key,
            on_change=_take_zip,
            args=(room, key),
            disabled=session.locked(),
            help="COCO, VOC and CSV files in it, and PNG masks in a folder called “masks”, are found as boxes.",
        )


def _next_generation() -> None:
    st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1


def _take_pictures(room: Room, key: str) -> None:
    files = st.session_state.get(key)
    if not files:
        return
    st.session_state.pop(_REFUSED, None)
    if job := jobs.mine().job(_ZIP):
        st.session_state[_OVER] = job.key  # what was wrong with the zip before is said no more
    try:
        room.took(room.folder.add_pictures((file.name, file.getvalue()) for file in files))
        session.set("herd", None)  # what a link brings is no longer what is here
    except cc.ConvLensError as error:
        st.session_state[_REFUSED] = f"{plain(str(error))} What was there before stays."
    _next_generation()


def _take_zip(room: Room, key: str) -> None:
    file = st.session_state.get(key)
    if file is None:
        return
    st.session_state.pop(_REFUSED, None)
    content, folder, title = file.getvalue(), room.folder, file.name.removesuffix(".zip")

    def work(job: jobs.Job) -> Added:
        added = folder.add_zip(content, on_progress=job.progress, should_stop=job.stop.is_set)
        if added is None:
            raise jobs.Stopped
        room.took(added, title)
        return added

    session.set("herd", None)
    job = jobs.mine().start(_ZIP, file.file_id, work)
    if job.thread is not None:
        job.thread.join(0.5)  # a small zip needs no bar
    _next_generation()


def _outcome() -> None:
    job = jobs.mine().job(_ZIP)
    if job is None:
        return
    if job.is_active:
        jobs.watch(_ZIP, "Pictures unpacked", key="cl_audit_zip_cancel")
    elif job.key == st.session_state.get(_OVER):
        return
    elif job.state == "failed":
        st.error(f"{plain(job.message)} What was there before stays.", icon=":material/broken_image:")
    elif job.state == "stopped":
        st.info("Cancelled. Nothing of the zip was kept.", icon=":material/stop_circle:")


def _take_example(room: Room) -> None:
    herd = draw_herd(_EXAMPLE, seed=_EXAMPLE_SEED, correlation=_EXAMPLE_CORRELATION)
    files = []
    for name, rgb in zip(herd_names(herd), herd.pictures, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(rgb).save(buffer, "PNG")
        files.append((name, buffer.getvalue()))
    st.session_state.pop(_REFUSED, None)
    try:
        added = room.folder.add_pictures(files)
    except cc.ConvLensError as error:
        st.session_state[_REFUSED] = plain(str(error))
        return
    room.took(added, "drawn cows and camels")
    regions = {name: Region((Box(box.top, box.left, box.bottom, box.right),)) for name, box in herd_boxes(herd).items()}
    content, file = write_annotations(regions, dict.fromkeys(regions, herd.masks.shape[1:]), "coco")
    room.beside = {file: content}
    room.beside_tags = dict(zip(herd_names(herd), ground_names(herd), strict=True))
    session.set("herd", "drawn")
    if session.get("network") is None:
        session.set("network", audit_run.FIRST_EXAMPLE)


def _summary(room: Room) -> None:
    items = room.items()
    labels = Counter(item.label for item in items)
    words = f"**{len(items):,} picture{'s' * (len(items) != 1)}**"
    named = [f"{plain(label)} {n}" for label, n in sorted(labels.items(), key=lambda one: str(one[0])) if label]
    if named:
        words += f", labels: {', '.join(named[:8])}" + (f" and {len(named) - 8} more" * (len(named) > 8))
    else:
        words += ", without labels"
    if room.folder.nbytes:
        words += f" · {room.folder.nbytes / 2**20:.1f} MB on the server’s disk, in your session only"
    st.markdown(words)
    if room.left_out:
        with st.expander(f"{len(room.left_out)} left out", icon=":material/block:"):
            st.markdown("\n".join(f"- {plain(bad.name)}: {plain(bad.reason)}" for bad in room.left_out[:50]))
