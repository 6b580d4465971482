"""The living picture on Home: a real filter of MobileNetV2 on a shipped photograph, computed once and stored.

`python -m ui.hero_data` computes it anew into assets/data/hero.npz; Home only reads the file, so that the first screen
moves before torch is loaded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILE = Path(__file__).resolve().parent.parent / "assets" / "data" / "hero.npz"
LAYER = "features.0.0"
CHANNEL = 20
PICTURE = "scarlet_macaw"
# The region of the 224 x 224 input that is shown: rows and columns from here, so many pixels.
TOP, LEFT, SIDE = 20, 60, 112


def compute(channel: int = CHANNEL) -> dict[str, np.ndarray]:
    """The photograph's region (uint8), the filter (3, 3, 3), the map's region and the network's input there (float32)."""
    import cnn_core as cc
    from ui import pictures

    model = cc.load_model("mobilenet_v2")
    seen = model.preprocess(pictures.sample_picture(PICTURE))
    traced = cc.trace(model, seen)
    operation = model.network[LAYER]
    stride = int(operation.attributes["stride"][0])
    rows, columns = slice(TOP, TOP + SIDE), slice(LEFT, LEFT + SIDE)
    cells = slice(TOP // stride, (TOP + SIDE) // stride), slice(LEFT // stride, (LEFT + SIDE) // stride)
    return {
        "photograph": seen.shown_rgb[rows, columns],
        "kernel": model.module.get_submodule(LAYER).weight.detach().numpy()[channel].astype(np.float32),  # type: ignore[operator,union-attr]
        "map": traced.activation(LAYER)[channel][cells].astype(np.float32),
    }


def load() -> dict[str, np.ndarray]:
    """The stored arrays of compute()."""
    with np.load(FILE) as stored:
        return {name: stored[name] for name in stored.files}


if __name__ == "__main__":
    np.savez_compressed(FILE, **compute())
    print(f"Wrote {FILE}")
