"""A residual block in numbers: the maps x, F(x) and their sum, under one cursor."""

from __future__ import annotations

from typing import Final

import numpy as np

from cnn_core.residual import BlockMaps
from ui.components import mount, pack

CHANNELS: Final = 8


def residual(maps: BlockMaps, *, key: str, title: str) -> None:
    """Draw the channels that the block changes most; choosing one, the cursor and the pin are the browser's own."""
    chosen = list(maps.strongest(CHANNELS))
    data = pack(
        {"title": title, "channels": chosen},
        x=np.ascontiguousarray(maps.x[chosen]),
        change=np.ascontiguousarray(maps.change[chosen]),
        y=np.ascontiguousarray(maps.y[chosen]),
    )
    mount("residual", key=key, data=data)
