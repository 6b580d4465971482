"""The cow and the grass: make a network that goes by the ground, catch it, repair it, and judge one you do not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from ui import grass_bias, grass_mystery, grass_repair, session, widgets

ADDRESS: Final = ("section", "correlation", "seed", "repair", "extra", "case")
SECTIONS: Final[dict[str, tuple[str, Callable[[], None]]]] = {
    "bias": ("Make it biased", grass_bias.draw),
    "repair": ("Repair it", grass_repair.draw),
    "mystery": ("Mystery network", grass_mystery.draw),
}


def room() -> None:
    """The chosen section; a wrong one in the address is told once."""
    chosen = session.get("section")
    if chosen not in SECTIONS:
        if chosen is not None:
            session.refuse("section", f"There is no section “{chosen}” here, so this is the first one.")
        chosen = next(iter(SECTIONS))
    st.space("xxsmall")
    widgets.said("section", ":material/tab:")
    st.session_state["cl_grass_section"] = chosen
    st.segmented_control(
        "Section",
        list(SECTIONS),
        required=True,
        format_func=lambda key: SECTIONS[key][0],
        key="cl_grass_section",
        on_change=session.take,
        args=("section", "cl_grass_section"),
        label_visibility="collapsed",
        disabled=session.locked(),
    )
    SECTIONS[chosen][1]()
