"""Boxes: drawn one picture after the other, or read from and written to the files that annotation tools use."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.bias.annotations import FORMATS, MAX_BYTES, read, write_annotations
from cnn_core.bias.regions import Region
from cnn_core.bias.result import AuditReport
from cnn_core.bias.verdict import LEAST_PICTURES
from ui.audit_room import Room, names_and_sizes
from ui.instruments.regions import regions
from ui.text import plain

_OPEN: Final = "cl_audit_open"
_IMPORTED: Final = "cl_audit_imported"
_PICTURE: Final = "cl_audit_picture"
_GENERATION: Final = "cl_audit_import_generation"


def boxes(room: Room, report: AuditReport) -> None:
    """Step 3: where the objects are."""
    n = len(room.boxes)
    st.markdown(
        "Draw a box round the **object** on 10 to 30 pictures of each kind; the swap test moves what is in it onto "
        f"other grounds. **{n}** picture{' has' if n == 1 else 's have'} boxes now; a verdict needs at least "
        f"{LEAST_PICTURES}."
    )
    names = [row.name for row in report.rows]
    with st.container():  # always there, so that a sentence that comes or goes folds up nothing below
        _beside(room, report)
    _one(room, report, names)
    _files(room, report)


# --- one picture


def _one(room: Room, report: AuditReport, names: list[str]) -> None:
    name = st.session_state.get(_OPEN)
    if name not in names:
        name = next((one for one in names if one not in room.boxes), names[0])
    place = names.index(name)

    def go(to: int) -> None:
        st.session_state[_OPEN] = names[to % len(names)]

    def choose() -> None:
        st.session_state[_OPEN] = st.session_state["cl_audit_open_list"]

    after = [*range(place + 1, len(names)), *range(place)]
    unboxed = next((i for i in after if names[i] not in room.boxes), None)
    st.session_state["cl_audit_open_list"] = name
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button("Previous", key="cl_audit_previous", icon=":material/chevron_left:", on_click=go, args=(place - 1,))
        st.button("Next", key="cl_audit_next", icon=":material/chevron_right:", on_click=go, args=(place + 1,))
        st.button(
            "Next without a box",
            key="cl_audit_next_unboxed",
            icon=":material/skip_next:",
            on_click=go,
            args=(place if unboxed is None else unboxed,),
            disabled=unboxed is None,
        )
        st.selectbox(
            "Picture",
            names,
            format_func=lambda one: f"{'▢ ' if one in room.boxes else ''}{one}",
            key="cl_audit_open_list",
            on_change=choose,
            label_visibility="collapsed",
            width=260,
        )
    picture = _picture(room, name)
    if picture is None:
        st.warning("This picture cannot be opened any more: bring it again.", icon=":material/broken_image:")
        return

    def marked(region: Region | None) -> None:
        room.set_box(name, region)

    # Until something is drawn the page must stay where it is, also when this picture gets its box.
    st.session_state[_OPEN] = name
    regions(
        picture,
        room.boxes.get(name),
        key="cl_audit_regions",
        on_change=marked,
        subject=f"{room.pictures}:{name}",
        label=f"Picture {place + 1} of {len(names)}, to draw boxes on",
    )


def _picture(room: Room, name: str) -> cc.Picture | None:
    """The picture as it lies on disk; the last one stays open."""
    key = (room.pictures, name)
    kept = st.session_state.get(_PICTURE)
    if kept is None or kept[0] != key:
        path = next((item.path for item in room.items() if item.name == name), None)
        if path is None:
            return None
        try:
            kept = (key, cc.load_image(path, name=name))
        except cc.InvalidImage:
            return None
        st.session_state[_PICTURE] = kept
    picture: cc.Picture = kept[1]
    return picture


# --- files


def _beside(room: Room, report: AuditReport) -> None:
    if room.beside and not room.boxes:
        st.button(
            "Use the boxes that come along",
            key="cl_audit_beside",
            icon=":material/select_all:",
            on_click=_import,
            args=(room, report, dict(room.beside)),
        )
    if words := st.session_state.get(_IMPORTED):
        kind, sentence = words
        (st.success if kind == "good" else st.error)(
            plain(sentence), icon=":material/check:" if kind == "good" else ":material/broken_image:"
        )


def _files(room: Room, report: AuditReport) -> None:
    with st.expander("Boxes from a file, and as a file", icon=":material/swap_vert:"):
        generation = st.session_state.get(_GENERATION, 0)
        key = f"cl_audit_import_{generation}"
        st.file_uploader(
            "COCO JSON, Pascal VOC XML, CSV, PNG masks, or a zip of them",
            type=["json", "xml", "csv", "png", "zip"],
            accept_multiple_files=True,
            max_upload_size=MAX_BYTES // 2**20,
            key=key,
            on_change=_take,
            args=(room, report, key),
            help="Pictures are recognised by their names. VOC and PNG: one file for each picture, with its name.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            kind = st.selectbox(
                "As", list(FORMATS), format_func=FORMATS.__getitem__, key="cl_audit_export_kind", width=190
            )
            sizes = names_and_sizes(report)
            known = {name: region for name, region in room.boxes.items() if name in sizes}
            labels = {row.name: row.label or row.predicted_name for row in report.rows}
            endings = {"coco": ("boxes_coco.json", "application/json"), "csv": ("boxes.csv", "text/csv")}
            file, mime = endings.get(kind, (f"boxes_{kind}.zip", "application/zip"))
            st.download_button(
                f"Save the boxes of {len(known)}",
                data=lambda: write_annotations(known, sizes, kind, labels=labels)[0],
                file_name=file,
                mime=mime,
                key="cl_audit_export",
                on_click="ignore",
                icon=":material/download:",
                disabled=not known,
            )
            if room.boxes:
                st.button(
                    "Forget all boxes",
                    key="cl_audit_unbox",
                    type="tertiary",
                    icon=":material/delete:",
                    on_click=_forget,
                    args=(room,),
                )


def _forget(room: Room) -> None:
    room.forget_boxes()
    st.session_state.pop(_IMPORTED, None)


def _take(room: Room, report: AuditReport, key: str) -> None:
    files = st.session_state.get(key)
    if files:
        _import(room, report, {file.name: file.getvalue() for file in files})
        st.session_state[_GENERATION] = st.session_state.get(_GENERATION, 0) + 1


def _import(room: Room, report: AuditReport, files: dict[str, bytes]) -> None:
    """Read them all, or say in a sentence why none of them was taken."""
    try:
        found = read(files, names_and_sizes(report))
    except cc.ConvLensError as error:
        st.session_state[_IMPORTED] = ("bad", f"{error} The boxes before stay.")
    else:
        room.add_boxes(found)
        st.session_state[_IMPORTED] = ("good", found.sentence)
