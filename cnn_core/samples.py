"""The pictures that come with ConvLens, with author, licence and origin of each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from .assets import ASSETS

SAMPLES_FOLDER: Final = ASSETS / "samples"

Kind = Literal["photo", "digit", "clothing"]


@dataclass(frozen=True)
class Sample:
    """One picture that comes with ConvLens."""

    key: str
    """The file's name without its ending, for example "panda", "digit_7" or "clothing_bag"."""
    title: str
    path: Path
    kind: Kind
    author: str
    licence: str
    source: str
    """Where the picture came from: an address, or a sentence."""


@cache
def list_samples() -> tuple[Sample, ...]:
    """All samples, in the order of assets/samples/ATTRIBUTION.csv: photographs, digits, clothing. No torch needed."""
    with (SAMPLES_FOLDER / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Sample(
            key=Path(row["file"]).stem,
            title=row["title"],
            path=SAMPLES_FOLDER / row["file"],
            kind=_kind_of(row["file"]),
            author=row["author"],
            licence=row["licence"],
            source=row["original"],
        )
        for row in rows
    )


def _kind_of(file: str) -> Kind:
    if file.startswith("digit_"):
        return "digit"
    return "clothing" if file.startswith("clothing_") else "photo"
