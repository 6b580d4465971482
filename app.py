"""ConvLens: `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from ui import failures, guard, routes, upload_limits
from ui.warm import lifespan

app = st.App(
    # In a folder of its own: beside `pages/`, Streamlit's older router would answer deep links.
    "ui/main.py",
    lifespan=lifespan,
    routes=routes.own(),
    middleware=[Middleware(guard.Guard), Middleware(upload_limits.UploadLimits)],
    on_script_error=failures.tell,
)
