"""ConvLens: `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st

from ui.warm import lifespan

# The entry script stands in a folder of its own: beside `pages/`, Streamlit's older router would answer deep links.
app = st.App("ui/main.py", lifespan=lifespan)
