"""The course on Home: every lesson with what the learner has done of it, and the file that keeps it."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from ui import progress, shell, welcome
from ui.progress import Progress
from ui.text import plain

_FORGOTTEN: Final = "cl_progress_forgotten"
_REFUSED: Final = "cl_progress_refused"
_FILE: Final = "cl_progress_file"
_TAKEN: Final = "cl_progress_taken"


def lessons() -> list[shell.Lesson]:
    """All lessons, in the order of the course."""
    return list(shell.course())


def next_lesson(own: Progress) -> shell.Lesson:
    """The first lesson of the course that was not opened yet; the first one again where all were."""
    return next((entry for entry in lessons() if entry.key not in own.opened), lessons()[0])


def way_on() -> None:
    """The one button that a learner wants: start, or go on where the course was left."""
    own = progress.mine()
    onward = next_lesson(own)
    label = f"Go on: {onward.title}" if 0 < len(own.opened) < len(lessons()) else welcome.START
    if st.button(label, key="cl_home_start", type="primary", icon=":material/play_arrow:"):
        st.switch_page(onward.page)


def course() -> None:
    """The map: a column for each part of the course, a mark at each lesson that was opened."""
    own = progress.mine()
    listed = lessons()
    groups = list(dict.fromkeys(entry.group for entry in listed))
    with st.container(key="cl-course"):
        for column, group in zip(st.columns(len(groups), gap="medium"), groups, strict=True):
            with column:
                st.markdown(f"**{group}**")
                for entry in listed:
                    if entry.group == group:
                        _entry(entry, listed.index(entry) + 1, own)


def _entry(entry: shell.Lesson, number: int, own: Progress) -> None:
    st.page_link(entry.page, label=f"{number}. **{entry.title}**", icon=f":material/{entry.icon}:")
    answered, right = own.of(entry.key)
    if answered:
        done = f" :material/check: {right} of {answered} guessed right."
    elif entry.key in own.opened:
        done = " :material/check: Opened."
    else:
        done = ""
    st.caption(entry.sentence + done)


def keeping() -> None:
    """What has been done in all, and ways to save it, to take up what was saved, and to begin anew."""
    own = progress.mine()
    n, total = len(own.opened), len(lessons())
    if n:
        guesses = len(own.answers)
        said = f"{n} of {total} lessons opened"
        if guesses:
            said += f", {guesses} question{'s' * (guesses > 1)} answered, {own.n_right} of them as the network did"
        st.progress(n / total, text=said + ".")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if n:
            st.download_button(
                "Save my progress",
                data=own.to_json(),
                file_name="convlens_progress.json",
                mime="application/json",
                key="cl_progress_save",
                icon=":material/save:",
                on_click="ignore",
                help="It is kept for this visit only; the file brings it back on any machine.",
            )
        with st.popover("Take up saved progress", icon=":material/folder_open:"):
            st.file_uploader(
                "The file that you saved (.json)", type=["json"], key=_FILE, max_upload_size=1, on_change=_take_up
            )
        if n:
            st.button("Begin anew", key="cl_progress_forget", on_click=_forget, type="tertiary")
        if _FORGOTTEN in st.session_state and not n:
            st.button(
                "Bring my progress back",
                key="cl_progress_undo",
                on_click=_undo,
                type="tertiary",
                icon=":material/undo:",
            )
    if words := st.session_state.get(_REFUSED):
        st.error(plain(words), icon=":material/broken_image:")
    if words := st.session_state.get(_TAKEN):
        st.success(words, icon=":material/check:")


def _take_up() -> None:
    file = st.session_state.get(_FILE)
    st.session_state.pop(_REFUSED, None)
    st.session_state.pop(_TAKEN, None)
    if file is None:
        return
    try:
        saved = progress.from_json(file.getvalue())
    except cc.InvalidOption as error:
        st.session_state[_REFUSED] = str(error)
        return
    progress.mine().add(saved)
    st.session_state[_TAKEN] = f"Taken up: {len(saved.opened)} lessons and {len(saved.answers)} answers."


def _forget() -> None:
    st.session_state.pop(_TAKEN, None)
    st.session_state[_FORGOTTEN] = progress.forget()


def _undo() -> None:
    progress.put_back(st.session_state.pop(_FORGOTTEN))
