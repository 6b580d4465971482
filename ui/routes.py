"""What the server answers besides Streamlit's own: how it does, the first screen, the components' scripts."""

from __future__ import annotations

import streamlit as st
from starlette.routing import Route

from ui import first_screen, health, scripts


def own() -> list[Route]:
    """All of them; what a page asks for lies where Streamlit's pages do (`server.baseUrlPath`)."""
    below = str(st.get_option("server.baseUrlPath") or "").strip("/")
    base = f"/{below}" if below else ""
    return [
        *health.ROUTES,
        Route(f"{base}/", first_screen.answer, methods=["GET"]),
        Route(f"{base}/{scripts.PATH}/{{file}}", scripts.answer, methods=["GET"]),
    ]
