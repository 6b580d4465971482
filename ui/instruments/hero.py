"""The living picture on Home."""

from __future__ import annotations

from ui import hero_data
from ui.components import mount, pack


def hero() -> None:
    """A real filter slides over a real photograph; nothing is computed here."""
    arrays = hero_data.load()
    label = "A photograph of a macaw, and beside it the map that one filter of MobileNetV2's first layer makes of it"
    mount("hero", key="cl_hero", data=pack({"label": label}, photograph=arrays["photograph"], map=arrays["map"]))
