"""The three machines' instruments: a digit that is moved and shuffled by hand, and what each machine looks with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui.components import mount, pack

if TYPE_CHECKING:
    from cnn_core.training.machine_views import Inside

REACH: Final = 8
Place = tuple[int, int, bool]
"""Pixels down, pixels right, and whether the pixels are shuffled."""


@dataclass(frozen=True)
class Face:
    """How one machine is shown."""

    key: str
    title: str
    short: str
    what: str
    """What it is, in a sentence, for those who have not guessed yet."""
    probabilities: bool
    """Its scores are logits, shown as softmax; otherwise distances from planes."""


def hand(
    faces: Sequence[Face],
    digit: NDArray[np.uint8],
    order: NDArray[np.int64],
    scores: NDArray[np.float32] | None,
    *,
    index: int,
    target: int,
    classes: Sequence[str],
    place: Place,
    subject: str,
    key: str,
    on_keep: Callable[[Place], None],
) -> None:
    """A digit uint8 (28, 28) to move and shuffle; scores float32 (2, machines, 17, 17, classes) for every place.

    The first set of scores is of machines that learned from digits as they are, the second of those that learned from
    shuffled ones. None: what they say is not shown yet. Moving sends nothing; `on_keep` is called for the link.
    """

    def kept() -> None:
        told = st.session_state[key].get("keep")
        if not (isinstance(told, list) and len(told) == 3):
            return
        down, right, shuffled = told
        if all(type(v) is int and -REACH <= v <= REACH for v in (down, right)) and isinstance(shuffled, bool):
            on_keep((down, right, shuffled))

    meta: dict[str, Any] = {
        "part": "hand",
        "waiting": scores is None,
        "machines": [
            {"key": f.key, "title": f.title, "short": f.short, "what": f.what, "probabilities": f.probabilities}
            for f in faces
        ],
        "reach": REACH,
        "index": index,
        "label": classes[target],
        "target": target,
        "classes": list(classes),
        "place": [place[0], place[1]],
        "shuffled": place[2],
        "told": f"{place[0]}~{place[1]}~{'shuffled' if place[2] else 'plain'}",
        "subject": subject,
    }
    arrays: dict[str, np.ndarray] = {"digit": digit, "order": order.astype(np.int32)}
    if scores is not None:
        arrays["scores"] = scores
    mount("machines", key=key, data=pack(meta, **arrays), triggers={"keep": kept})


def inside(sets: tuple[Inside, Inside], order: NDArray[np.int64], classes: Sequence[str], *, key: str) -> None:
    """What the machines that learned from digits as they are, and those that learned from shuffled ones, look with."""

    def limit(values: NDArray[np.float32]) -> float:
        return float(np.abs(values).max())

    meta: dict[str, Any] = {
        "part": "inside",
        "waiting": False,
        "units": len(sets[0].units),
        "says": [{"mlp": classes[one.said]} for one in sets],
        "order": [
            [
                [int(unit), float(answer), float(share)]
                for unit, answer, share in zip(one.units, one.answers, one.shares, strict=True)
            ]
            for one in sets
        ],
        "limits": [
            {"mlp": limit(one.weights), "cnn": limit(one.kernels), "maps": max(limit(one.maps), 1e-6)} for one in sets
        ],
    }
    arrays = {
        name: np.stack([getattr(one, name) for one in sets]) for name in ("hog", "seen", "weights", "kernels", "maps")
    }
    mount("machines", key=key, data=pack(meta, order=order.astype(np.int32), **arrays))
