"""The living picture on Home."""

from __future__ import annotations

from ui import hero_data, welcome
from ui.components import mount, pack


def hero() -> None:
    """A real filter slides over a real photograph; nothing is computed here."""
    arrays = hero_data.load()
    mount(
        "hero",
        key="cl_hero",
        data=pack({"label": welcome.LIVING_LABEL}, photograph=arrays["photograph"], map=arrays["map"]),
    )
