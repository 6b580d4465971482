"""A wall of drawn animals: one network's evidence on each, or two networks' side by side, on three kinds of ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core.bias.ground_report import Wall
from cnn_core.bias.herds import ground_names
from cnn_core.training.cow_camel import CLASSES, Herd, Kind
from ui.components import mount, pack


@dataclass(frozen=True, eq=False)
class Look:
    """One network's maps, by kind of ground; all looks of a wall show the same pictures."""

    title: str
    walls: Mapping[Kind, Wall]


KIND_TITLES: dict[Kind, str] = {"biased": "Usual ground", "counter": "Other’s ground", "neutral": "Neutral ground"}


def captions(herd: Herd, chosen: Sequence[int] | NDArray[np.int64]) -> list[str]:
    """ "cow on grass" for each."""
    names = ground_names(herd)
    said = {"neutral": "a neutral ground"}
    return [f"{CLASSES[herd.labels[i]]} on {said.get(names[i], names[i])}" for i in chosen]


def pictures(herd: Herd, *, key: str) -> None:
    """Pictures alone, with what they show."""
    kind: dict[str, Any] = {"key": "all", "title": "", "labels": herd.labels.tolist()}
    kind["captions"] = captions(herd, range(len(herd)))
    meta = {"kinds": [kind], "looks": [], "names": list(CLASSES), "place": None}
    mount("herd", key=key, data=pack(meta, pictures_all=herd.pictures))


def wall(looks: Sequence[Look], *, key: str) -> None:
    """The maps over the pictures; hover, arrows, opacity and scale are the browser's own and send nothing."""
    arrays: dict[str, np.ndarray] = {}
    kinds, told = [], []
    for kind, first in looks[0].walls.items():
        herd, chosen = first.trial.herd, first.pictures
        kinds.append(
            {
                "key": kind,
                "title": KIND_TITLES[kind],
                "labels": herd.labels[chosen].tolist(),
                "captions": captions(herd, chosen),
            }
        )
        arrays[f"pictures_{kind}"] = herd.pictures[chosen]
        arrays[f"masks_{kind}"] = (herd.masks[chosen] >= 0.5).astype(np.uint8)
        arrays[f"areas_{kind}"] = first.areas.astype(np.float32)
    for n, look in enumerate(looks):
        named, probabilities, notes = [], [], []
        for kind, own in look.walls.items():
            arrays[f"maps_{n}_{kind}"] = own.maps
            arrays[f"shares_{n}_{kind}"] = own.shares.astype(np.float32)
            named.append(own.trial.named[own.pictures].tolist())
            probabilities.append([round(float(p), 5) for p in own.trial.probabilities[own.pictures]])
            notes.append(f"{100 * own.trial.accuracy:.1f} % of {own.trial.n} named right on this ground.")
        told.append({"title": look.title, "named": named, "probabilities": probabilities, "notes": notes})
    placed = next(iter(looks[0].walls.values())).placement
    place = {"size": list(placed.input_size), "offset": list(placed.offset), "stride": list(placed.stride)}
    meta = {"kinds": kinds, "looks": told, "names": list(CLASSES), "place": place}
    mount("herd", key=key, data=pack(meta, **arrays))
