"""The living picture on Home: a real filter of MobileNetV2 on a shipped photograph, computed once and stored.

`python -m ui.hero_data` computes it anew into assets/data/hero.npz; Home only reads the file, so that the first screen
moves before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

FILE = Path(__file__).resolve().parent.parent / "assets" / "data" / "hero.npz"
LAYER = "features.0.0"
CHANNEL = 5
PICTURE = "scarlet_macaw"


def compute(channel: int = CHANNEL) -> dict[str, np.ndarray]:
    """What the network sees, uint8 (224, 224, 3), and the map of one filter of its first layer, float32 (112, 112)."""
    import cnn_core as cc
    from ui import pictures

    model = cc.load_model("mobilenet_v2")
    seen = model.preprocess(pictures.sample_picture(PICTURE))
    traced = cc.trace(model, seen)
    return {"photograph": seen.shown_rgb, "map": np.ascontiguousarray(traced.activation(LAYER)[channel])}


@cache
def load() -> Mapping[str, np.ndarray]:
    """The stored arrays of compute(), read-only, read once for all visits."""
    with np.load(FILE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for array in arrays.values():
        array.setflags(write=False)
    return MappingProxyType(arrays)


if __name__ == "__main__":
    arrays = compute()
    np.savez_compressed(FILE, photograph=arrays["photograph"], map=arrays["map"])
    print(f"Wrote {FILE}")
