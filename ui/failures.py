"""A page that fails: a friendly message with a way back for the visitor, and the details for the log."""

from __future__ import annotations

import logging
import secrets

import streamlit as st
from streamlit.errors import StreamlitAPIException

import cnn_core as cc
from ui import logs, session, shell
from ui.text import plain

SIGN = "our mistake, not yours"
"""The words by which tests know that a page failed."""

_log = logging.getLogger(__name__)


def tell(error: Exception) -> bool:
    """Handle what a page, a fragment or a callback did not; True, so that Streamlit shows nothing more.

    What a visitor can cause is said in its own sentence. Anything else is our mistake: it gets a short number, under
    which the log keeps the traceback and what was chosen (never an upload), and the page offers two ways on.
    """
    if isinstance(error, cc.ConvLensError):
        st.error(plain(str(error)), icon=":material/error:")
        return True
    if isinstance(error, StreamlitAPIException) and str(error).startswith("Invalid file extension"):
        # A browser's own page does not send such a file.
        st.error("A file of that kind is not taken here: see under the button which are.", icon=":material/error:")
        return True
    number = secrets.token_hex(3)
    logs.event(
        _log,
        "A page failed",
        level=logging.ERROR,
        error=error,
        incident=number,
        page=session.page(),
        chosen=session.chosen(),
    )
    st.error(
        f"**This part of the page broke off, and that is {SIGN}.** The server's log keeps the details "
        f"under the number {number}; whoever runs this server can look there. Your pictures and your runs are kept.",
        icon=":material/build:",
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Start this page afresh",
            key=f"cl_afresh_{number}",
            on_click=session.forget_choices,
            type="primary",
            icon=":material/refresh:",
            help="Puts every setting back to its default.",
        )
        home = shell.PAGES[0]
        st.page_link(home.page, label="Back to Home", icon=":material/home:")
    return True
