"""One map out of several layers' maps: the deep ones know what, the shallow ones know where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np

from .maps import SaliencyMap, judge
from .placement import read_at

Fusion = Literal["mean", "max", "product"]
FUSIONS: Final[tuple[str, ...]] = get_args(Fusion)


def fuse(maps: Sequence[SaliencyMap], how: Fusion) -> SaliencyMap:
    """Maps of one picture and target at several layers as one, at the resolution of the finest.

    Each map is divided by its own largest absolute value (layers' units differ) and read at the finest map's cell
    centres, each at its own receptive fields' places. "mean" is their mean; "max" takes the value of largest size in
    each cell, sign kept (LayerCAM's fusion, Jiang et al. 2021, without its tanh); "product" the geometric mean of the
    positive parts: what all layers agree on. A map that carries nothing is left out, and the note says so.
    """
    finest = max(maps, key=lambda made: made.values.size)
    used = [made for made in maps if not made.is_empty]
    cells = (finest.values.shape[0], finest.values.shape[1])
    if used:
        read = np.stack(
            [read_at(made.values / made.limit, made.placement, finest.placement, cells) for made in used]
        ).astype(np.float64)
        if how == "mean":
            joined = read.mean(axis=0)
        elif how == "max":
            joined = np.take_along_axis(read, np.abs(read).argmax(axis=0)[None], axis=0)[0]
        else:
            joined = np.prod(np.maximum(read, 0), axis=0) ** (1 / len(read))
    else:
        joined = np.zeros(cells)
    raw = joined.astype(np.float32)
    is_empty, note = judge(raw, rectified=finest.rectified, label=finest.target.label)
    raw.setflags(write=False)
    left_out = [made.layer or "" for made in maps if made.is_empty]
    missing = f" Left out, as they carry nothing: {', '.join(left_out)}." if left_out else ""
    return replace(
        finest,
        values=raw,
        layer=" + ".join(made.layer or "" for made in maps),
        layer_title=" + ".join(made.layer_title for made in maps),
        raw_range=(float(raw.min()), float(raw.max())),
        is_empty=is_empty,
        note=f"{note} Fused ({how}), each layer on its own scale.{missing}",
        remark=f"Fused ({how}), each layer on its own scale.{missing}",
        details={"layers": tuple(made.layer for made in maps), "fusion": how},
    )
