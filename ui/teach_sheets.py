"""Worksheets on the page for teachers: choose one, how many, and take the file."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from cnn_core.worksheets import MOST_COPIES
from ui import cached, shell

_LAST = 9_999


def sheets() -> None:
    """Choose a worksheet and how many copies; make the file, and take it."""
    st.header("Worksheets", anchor=False, divider="gray")
    st.markdown(
        "Tasks for pencil and paper with the app’s own numbers, on A4, with the answers at the end. Each sheet has a "
        "number, and other tasks; the same number gives the same sheet again."
    )
    kinds = {each.key: each for each in cc.list_worksheets()}
    choosing, taking = st.columns([3, 2], gap="large")
    with choosing:
        key = st.selectbox(
            "Worksheet",
            list(kinds),
            format_func=lambda key: f"{kinds[key].title} · {kinds[key].minutes} minutes",
            key="cl_sheet_kind",
        )
        st.caption(f"{kinds[key].sentence} Goes with the lesson “{shell.lesson(kinds[key].lesson).title}”.")
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            copies = int(st.number_input("Sheets", 1, MOST_COPIES, 1, key="cl_sheet_copies", width=140))
            first = int(st.number_input("Number of the first", 0, _LAST, 1, key="cl_sheet_first", width=180))
            answers = st.toggle("With answers", value=True, key="cl_sheet_answers")
    with taking:
        st.download_button(
            "Make and download the sheet" if copies == 1 else f"Make and download {copies} sheets",
            data=lambda: _file(key, first, copies, answers),
            file_name=f"convlens_{key}_{first}.html"
            if copies == 1
            else f"convlens_{key}_{first}-{first + copies - 1}.html",
            mime="text/html",
            key="cl_sheet_take",
            icon=":material/print:",
            on_click="ignore",
            type="primary",
        )
        st.caption("One file. Open it in a browser and print it; it needs no internet.")


def _file(kind: str, first: int, copies: int, answers: bool) -> bytes:
    """The file, made once for all who ask for the same."""
    return cached.memo(
        "worksheets",
        (kind, first, copies, answers),
        lambda: cc.worksheets_html(
            [cc.make_worksheet(kind, seed=first + i) for i in range(copies)], answers=answers
        ).encode(),
        len,
    )
