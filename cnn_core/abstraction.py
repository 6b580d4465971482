"""Abstraction by depth, measured: how much of a harmless change of the picture each layer still sees.

For one layer, D(a, b) = 1 - the correlation of its numbers on pictures a and b. A change t (mirrored, moved, hues
turned) leaves what a picture shows as it was. The layer's sensitivity to it is

    mean over the samples of D(x, t(x)), divided by the mean over all pairs of different samples of D(x, y)

1: the changed picture looks as new to the layer as another picture; 0: the layer does not notice the change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption
from .library import LibraryPicture, Progress, ShouldStop, library
from .picture_changes import change_picture

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation

N_PICTURES: Final = 8
MOST_UNITS: Final = 4096
"""A layer with more numbers is judged by a random choice of so many."""
_BATCH: Final = 2  # every measured layer's output is held for a batch
_SHIFT: Final = 14  # moved by this part of the picture's side
_WEIGHING: Final = frozenset({"conv2d", "linear", "input"})


@dataclass(frozen=True, eq=False)
class Change:
    """One harmless change: sensitivity float64 (layers,), NaN where a layer answers the same to all pictures."""

    key: str
    title: str
    sensitivity: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Abstraction:
    """Sensitivity of some layers to some changes, over n_pictures samples; layers: names of operations, in order."""

    layers: tuple[str, ...]
    changes: tuple[Change, ...]
    n_pictures: int
    seed: int


def measured_layers(network: Network) -> tuple[Operation, ...]:
    """The picture, every convolution and linear layer on the way that maps take, and the logits.

    What a side path squeezes to one cell (squeeze-and-excitation) is left out: there place is lost by construction.
    """
    operations = network.operations
    last_map = max((i for i, o in enumerate(operations) if _cells(o) > 1), default=0)
    return tuple(
        o for i, o in enumerate(operations)
        if o.name == network.output or (o.kind in _WEIGHING and (i > last_map or _cells(o) > 1))
    )  # fmt: skip


def measure_abstraction(
    classifier: Classifier,
    *,
    pictures: Sequence[LibraryPicture] | None = None,
    n_pictures: int = N_PICTURES,
    seed: int = 0,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Abstraction | None:
    """Measure every layer of `measured_layers`; one pass for each sample and for each of its changed versions.

    pictures: None for the sample library, of which the first n_pictures are taken. seed: of the choice of units.
    on_progress(done, total) counts passes. None when should_stop() said so. Raises InvalidOption for fewer than two
    pictures: there must be another one to compare with.
    """
    chosen = list(library(classifier) if pictures is None else pictures)[:n_pictures]
    if len(chosen) < 2:
        raise InvalidOption(f"Abstraction compares different pictures: give at least two, not {len(chosen)}.")
    layers = measured_layers(classifier.network)
    rng = np.random.default_rng(seed)
    units = {
        o.name: torch.from_numpy(np.sort(rng.choice(n, min(n, MOST_UNITS), replace=False)))
        for o in layers
        for n in [math.prod(o.output_shape)]
    }
    originals = [picture.model_input.shown_rgb for picture in chosen]
    kinds = _changes(classifier, originals[0].shape[0])
    total = len(originals) * (1 + len(kinds))
    done = 0
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for key, (_, amount) in {"": ("", None), **kinds}.items():
        shown = [change_picture(rgb, key, amount) if key else rgb for rgb in originals]
        rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in units}
        for start in range(0, len(shown), _BATCH):
            if should_stop is not None and should_stop():
                return None
            part = shown[start : start + _BATCH]
            x = torch.cat([classifier.card.preprocessing.from_rgb(rgb).tensor for rgb in part]).to(classifier.device)
            with torch.no_grad():
                outputs = classifier.network.run(x, keep=tuple(units))
            for name, at in units.items():
                rows[name].append(outputs[name].reshape(len(part), -1)[:, at.to(x.device)].float().cpu().numpy())
            done += len(part)
            if on_progress is not None:
                on_progress(done, total)
        found[key] = {name: _standardised(np.concatenate(blocks)) for name, blocks in rows.items()}
    others = {name: _between(values) for name, values in found[""].items()}
    return Abstraction(
        layers=tuple(units),
        changes=tuple(
            Change(key, title, np.array([_share(found[""][n], found[key][n], others[n]) for n in units]))
            for key, (title, _) in kinds.items()
        ),
        n_pictures=len(originals),
        seed=seed,
    )


def _changes(classifier: Classifier, side: int) -> dict[str, tuple[str, float | None]]:
    """What leaves a photograph what it is; a mirrored digit is another sign, and a grey one has no hue."""
    pixels = max(1, round(side / _SHIFT))
    moved: dict[str, tuple[str, float | None]] = {"shift": (f"moved by {pixels} pixels", float(pixels))}
    if classifier.card.preprocessing.channels == 1:
        return moved
    return {**moved, "flip": ("mirrored", None), "hue": ("hues turned", None)}


def _cells(operation: Operation) -> int:
    return math.prod(n for axis, n in zip(operation.axes, operation.output_shape, strict=True)
                     if axis in ("row", "column"))  # fmt: skip


def _standardised(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows with mean 0 and length 1, so that a product of two is their correlation; a constant row is all 0."""
    centred = values.astype(np.float64) - values.mean(axis=1, keepdims=True, dtype=np.float64)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-12)


def _between(rows: NDArray[np.float64]) -> float:
    """Mean of 1 - correlation over all pairs of different pictures; 0 where none of them is told from another."""
    if not rows.any():
        return 0.0
    distance = 1 - rows @ rows.T
    return float(distance[~np.eye(len(rows), dtype=bool)].mean())


def _share(rows: NDArray[np.float64], changed: NDArray[np.float64], others: float) -> float:
    if others <= 1e-9:
        return math.nan
    return max(0.0, float((1 - (rows * changed).sum(axis=1)).mean()) / others)
