"""Who asks for a computation, and how they are told that others are before them."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.queues import OnWait, nth

PATIENCE: Final = 1.0
"""Seconds in a line before anything is said: a shorter wait is no news."""


def asking() -> tuple[Hashable, OnWait | None]:
    """The visitor whose page runs in this thread, and what tells them their place in the line.

    A thread of long work is nobody's page: it has its own bar.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return threading.get_ident(), None
    return context.session_id, _teller()


def _teller() -> OnWait:
    begun, said = time.monotonic(), 0

    def tell(position: int) -> None:
        nonlocal said
        # Drawing is also where Streamlit ends a run that the visitor has left behind.
        if position != said and time.monotonic() - begun >= PATIENCE:
            said = position
            st.toast(in_line(position), icon=":material/hourglass_empty:")

    return tell


def in_line(position: int) -> str:
    """The words for one who waits."""
    return f"The server is busy with other visitors: you are {nth(position)} in line."


def went_back() -> bool:
    """Whether this run is there because the browser went back or forward in its history."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context.is_history_navigation
