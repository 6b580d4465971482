"""The boxed pictures of an audit: how much of each map lies in the box, and what the swap test will need of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption, quote
from ..saliency.progress import ShouldStop
from ..tracing import trace
from .items import Item
from .passing import go_on, read_ahead
from .region_evidence import margin_split, split_values
from .regions import Region
from .result import BoxEvidence, BoxSummary, PictureRow
from .store import AuditStore

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier

MOST_SWAPPED: Final = 200
"""Boxed pictures that the swap test takes at most, drawn by the seed: its interval is narrow by then."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """A boxed picture in memory: what the network saw, uint8 (h, w, 3), and the object's share of each pixel (h, w)."""

    row: PictureRow
    shown_rgb: NDArray[np.uint8]
    share: NDArray[np.float32]


def checked_regions(boxes: Mapping[str, Region], names: Sequence[str]) -> dict[str, Region]:
    """Raises InvalidOption for a box of a picture that is not there."""
    known = set(names)
    for name, region in boxes.items():
        if name not in known:
            raise InvalidOption(f"A box was given for {quote(name)}, which is not among the pictures.")
        if not isinstance(region, Region):
            raise InvalidOption(f"What was given for {quote(name)} is no Region of boxes or a mask.")
    return dict(boxes)


def drawn_for_swaps(indices: Sequence[int], seed: int) -> frozenset[int]:
    """The boxed pictures that the swap test takes: all, or MOST_SWAPPED of them."""
    if len(indices) <= MOST_SWAPPED:
        return frozenset(indices)
    generator = np.random.default_rng([seed, 1])
    return frozenset(int(i) for i in generator.choice(np.array(indices), MOST_SWAPPED, replace=False))


def measure_boxes(
    classifier: Classifier,
    store: AuditStore,
    items: Sequence[Item],
    rows: Mapping[int, PictureRow],
    regions: Mapping[str, Region],
    *,
    seed: int,
    workers: int,
    on_done: Callable[[int], None],
    should_stop: ShouldStop | None,
) -> tuple[dict[int, BoxEvidence], list[Boxed]]:
    """The evidence of every boxed picture by its index, and the pictures for the swap test in their order.

    The margin is split for those of the swap test, where the head is pooling + linear. Raises InvalidOption, naming the
    picture, for a box that lies outside it; Stopped.
    """
    indices = [index for index, row in rows.items() if row.name in regions]
    swapped = drawn_for_swaps(indices, seed)
    splits = classifier.network.linear_head() is not None

    def prepared(index: int) -> tuple[int, ModelInput, NDArray[np.float32]]:
        row = rows[index]
        model_input = classifier.preprocess(items[index].path)
        try:
            return index, model_input, regions[row.name].in_input(model_input)
        except InvalidOption as error:
            raise InvalidOption(f"{quote(row.name)}: {error}") from None

    found: dict[int, BoxEvidence] = {}
    boxed: list[Boxed] = []
    reading = read_ahead(prepared, indices, workers=workers, ahead=2 * workers + 2)
    try:
        for index, model_input, share in reading:
            go_on(should_stop)
            row = rows[index]
            split = None
            if index in swapped:
                boxed.append(Boxed(row, model_input.shown_rgb, share))
                split = _split(classifier, model_input, share, row) if splits else None
            found[index] = _evidence(store, row, share, split)
            on_done(1)
    finally:
        reading.close()
    return found, boxed


def _evidence(
    store: AuditStore, row: PictureRow, share: NDArray[np.float32], split: tuple[float, float, float, float] | None
) -> BoxEvidence:
    is_empty = row.scatter is None
    inside, outside, enrichment, area = split_values(
        store.map(row.index), store.key.placement, share, is_empty=is_empty
    )
    total = inside + outside
    margin, within, without, bias = split or (None, None, None, None)
    return BoxEvidence(
        inside=inside,
        outside=outside,
        share=None if is_empty or total <= 0 else inside / total,
        area=area,
        enrichment=enrichment,
        margin=margin,
        margin_inside=within,
        margin_outside=without,
        margin_bias=bias,
    )


def _split(
    classifier: Classifier, model_input: ModelInput, share: NDArray[np.float32], row: PictureRow
) -> tuple[float, float, float, float] | None:
    """(margin, inside, outside, bias) of the predicted class over the second one; None where the box was not seen."""
    if not share.any() or row.predicted == row.second:
        return None
    found = margin_split(classifier, trace(classifier, model_input), share, row.predicted, row.second)
    return found.margin, found.inside, found.outside, found.bias


def summary_of(rows: Sequence[PictureRow]) -> BoxSummary | None:
    """The means over all boxed pictures; None where none is boxed."""
    held = [row.evidence for row in rows if row.evidence is not None]
    if not held:
        return None
    return BoxSummary(
        n=len(held),
        mean_share=_mean([one.share for one in held]),
        mean_area=float(np.mean([one.area for one in held])),
        mean_enrichment=_mean([one.enrichment for one in held]),
        mean_margin_inside=_mean([one.margin_inside for one in held]),
        mean_margin_outside=_mean([one.margin_outside for one in held]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
