"""How much of the evidence lies in the object: a map's share in the region, and the exact split of a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..decision import LogitLedger, logit_ledger
from ..errors import InvalidOption
from ..operations.explanation import TOLERANCE
from ..receptive_field import ReceptiveField, receptive_field
from ..saliency import SaliencyMap, explain
from ..saliency.placement import Placement, spread
from .regions import Region

if TYPE_CHECKING:
    from ..models import Classifier
    from ..preprocessing import ModelInput
    from ..tracing import Trace

RegionLike = Region | NDArray[np.floating]
"""A region on the original picture, or its share (0 to 1) of each pixel that the network saw, (h, w)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A map's positive evidence in and outside a region.

    inside, outside: the map's positive values, each cell's divided among the pixels that it is drawn on, summed over
    the region and over the rest; in the map's own units. area: the region's share of what the network saw.
    enrichment: (inside / (inside + outside)) / area; 1 is what a map that knows nothing of the object would have. None
    where the map has no positive value. map: what was measured, or None where only its numbers were given.
    """

    inside: float
    outside: float
    enrichment: float | None
    area: float
    map: SaliencyMap | None = None

    @property
    def share(self) -> float | None:
        """inside / (inside + outside); None where the map has no positive value."""
        total = self.inside + self.outside
        return self.inside / total if total > 0 else None


@dataclass(frozen=True, eq=False)
class MarginSplit:
    """A margin (logit a - logit b, or one logit) as inside + outside + bias, exactly.

    shares: float64 (h, w), the share of each cell's footprint that the region covers. ledger: the cells' exact amounts.
    margin: the network's own number. field: what a cell reads, which is larger than its footprint.
    """

    inside: float
    outside: float
    bias: float
    margin: float
    shares: NDArray[np.float64]
    ledger: LogitLedger
    field: ReceptiveField

    @property
    def computed(self) -> float:
        """inside + outside + bias."""
        return self.inside + self.outside + self.bias

    @property
    def relative_error(self) -> float:
        """|computed - margin| / max(1, |margin|)."""
        return abs(self.computed - self.margin) / max(1.0, abs(self.margin))

    @property
    def matches(self) -> bool:
        """Whether the three parts are the network's margin, up to float32 rounding."""
        return self.relative_error <= TOLERANCE


def evidence(
    classifier: Classifier,
    model_input: ModelInput,
    region: RegionLike,
    target: int | str | None,
    rival: int | str | None = None,
    method: str = "gradcam",
    *,
    layer: str | None = None,
    trace: Trace | None = None,
    **options: Any,
) -> Evidence:
    """Explain the target (or the margin target - rival) by a method, and measure its map in the region.

    Raises InvalidOption for a region that is not in what the network saw, and what `explain` raises.
    """
    share = share_of(region, model_input)
    wanted = target if rival is None else (target, rival)
    found = explain(classifier, model_input, method=method, target=wanted, layer=layer, trace=trace, **options)  # type: ignore[arg-type]
    return measured(found, share)


def measured(found: SaliencyMap, share: NDArray[np.floating]) -> Evidence:
    """The evidence of a map that is there already; share: (h, w), the region's share of each pixel."""
    inside, outside, enrichment, area = split_values(found.values, found.placement, share, is_empty=found.is_empty)
    return Evidence(inside, outside, enrichment, area, found)


def split_values(
    values: NDArray[np.floating], placement: Placement, share: NDArray[np.floating], *, is_empty: bool = False
) -> tuple[float, float, float | None, float]:
    """(inside, outside, enrichment, area) of raw map values (h', w') that lie on the picture as `placement` says."""
    positive = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
    pixels = spread(positive, placement, (share.shape[0], share.shape[1]))
    weights = np.asarray(share, dtype=np.float64)
    area = float(weights.mean())
    inside = float((pixels * weights).sum())
    outside = float((pixels * (1.0 - weights)).sum())
    total = inside + outside
    if is_empty or total <= 0 or area <= 0:
        return inside, outside, None, area
    return inside, outside, inside / total / area, area


def margin_split(
    classifier: Classifier, trace: Trace, region: RegionLike, a: int | str, b: int | str | None = None
) -> MarginSplit:
    """What the cells in the region, the cells outside and the bias add to the margin of class a over class b.

    The last maps are averaged, so each cell has an exact amount (see `logit_ledger`). A cell stands for its footprint:
    the pixels that are nearer to its receptive field's centre than to any other cell's, the outermost cells' reaching
    to the picture's edge. Where the region covers a part of the footprint, that part of the amount counts as inside.
    What a cell reads (its receptive field) is larger than its footprint and crosses the region's edge.
    Raises InvalidOption where the head mixes its cells, so that no cell has an amount of its own.
    """
    if trace.input is None:
        raise InvalidOption("The trace is of a bare tensor, which has no picture to draw a region on: trace a picture.")
    share = share_of(region, trace.input)
    first = classifier.class_index(a)
    ledger = logit_ledger(classifier, trace, first, None if b is None else classifier.class_index(b))
    if ledger.cells is None or ledger.maps is None:
        raise InvalidOption(
            f"The head of {classifier.card.title} mixes its cells, so no part of the margin belongs to a place. Split "
            "it with a network that averages its last maps, such as MobileNetV2 or ResNet."
        )
    field = receptive_field(classifier, ledger.maps)
    shares = cell_shares(share, field, (ledger.cells.shape[0], ledger.cells.shape[1]))
    inside = float((ledger.cells * shares).sum())
    outside = float((ledger.cells * (1.0 - shares)).sum())
    return MarginSplit(inside, outside, ledger.bias, ledger.logit, shares, ledger, field)


def cell_shares(share: NDArray[np.floating], field: ReceptiveField, cells: tuple[int, int]) -> NDArray[np.float64]:
    """The mean of `share` (h, w) over each cell's footprint, float64 of the map's shape; see `margin_split`."""
    means = []
    for axis in (0, 1):
        n, size = cells[axis], share.shape[axis]
        centres = (field.offset[axis] + field.stride[axis] * np.arange(n)) * size / field.input_size[axis]
        edges = np.concatenate([[0.0], np.clip((centres[1:] + centres[:-1]) / 2, 0.0, size), [float(size)]])
        low = np.maximum(edges[:-1, None], np.arange(size)[None])
        high = np.minimum(edges[1:, None], np.arange(size)[None] + 1.0)
        lengths = np.maximum(high - low, 0.0)
        # A cell that lies in the padding has no pixel of its own: it stands for the nearest one.
        for cell in np.flatnonzero(lengths.sum(axis=1) == 0):
            lengths[cell, int(np.clip(centres[cell], 0, size - 1))] = 1.0
        means.append(lengths / lengths.sum(axis=1, keepdims=True))
    return np.asarray(means[0] @ np.asarray(share, dtype=np.float64) @ means[1].T)


def share_of(region: RegionLike, model_input: ModelInput) -> NDArray[np.floating]:
    """The region's share of each pixel that the network saw; raises InvalidOption where it covers none of them."""
    share = region.in_input(model_input) if isinstance(region, Region) else np.asarray(region)
    if share.shape != model_input.shown_rgb.shape[:2]:
        h, w = model_input.shown_rgb.shape[:2]
        raise InvalidOption(f"The region's share has the shape {share.shape}; what the network saw has ({h}, {w}).")
    if not share.max(initial=0.0) > 0:
        raise InvalidOption(
            "The region lies where the picture was cropped away, so the network never saw it. Mark something nearer to "
            "the picture's middle."
        )
    return share
