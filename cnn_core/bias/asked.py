"""What an audit was asked to do, checked before it begins; and how it tells how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from ..errors import InvalidOption, quote
from ..saliency.progress import ShouldStop
from ..saliency.registry import method_card
from .clusters import MOST_CLUSTERS
from .items import Item
from .result import AuditProgress, OnProgress
from .swapping import MOST_DONORS

BATCH_SIZE: Final = 16
ENGINES: Final = ("local", "ray")
_MOST_WORKERS: Final = 64


@dataclass(frozen=True)
class Asked:
    """The checked arguments of `audit`."""

    items: tuple[Item, ...]
    title: str
    method: str
    layer: str | None
    target: int | None
    clusters: int | None
    donors: int
    resamples: int
    seed: int
    batch_size: int
    workers: int
    engine: str
    on_progress: OnProgress | None
    should_stop: ShouldStop | None

    def check(self) -> None:
        """Refuse what can be refused before a picture is read."""
        if not method_card(self.method).needs_layer:
            raise InvalidOption(
                f"An audit keeps maps at a layer's resolution, and {method_card(self.method).title} reads no layer: "
                "choose a method of the class activation family, such as 'gradcam'."
            )
        limits = (
            ("clusters", self.clusters, 0, MOST_CLUSTERS), ("donors", self.donors, 1, MOST_DONORS),
            ("resamples", self.resamples, 100, 1_000_000), ("seed", self.seed, 0, 2**32 - 1),
            ("batch_size", self.batch_size, 1, 1024), ("workers", self.workers, 0, _MOST_WORKERS),
        )  # fmt: skip
        for name, value, low, high in limits:
            if value is None and name == "clusters":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise InvalidOption(f"{name} must be a whole number from {low} to {high:,}, and is {value!r}.")
        if self.engine not in ENGINES:
            raise InvalidOption(f"There is no engine {quote(self.engine)}. Use {' or '.join(map(repr, ENGINES))}.")


class Stage:
    """Tells how far one stage is, and how long it will take at its own pace."""

    def __init__(self, asked: Asked, key: str, total: int, kept: int = 0) -> None:
        self._tell, self._key, self._total = asked.on_progress, key, total
        self._kept = self._done = kept
        self._start = time.perf_counter()
        self.at(kept)

    def add(self, n: int) -> None:
        self.at(self._done + n)

    def of(self, done: int, total: int) -> None:
        self._total = total
        self.at(done)

    def at(self, done: int) -> None:
        self._done = done
        if self._tell is None:
            return
        seconds = time.perf_counter() - self._start
        new = done - self._kept
        left = seconds / new * (self._total - done) if new else None
        self._tell(AuditProgress(self._key, done, self._total, seconds, left))
