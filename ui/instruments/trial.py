"""Pictures with parts removed, side by side, each with the network's answer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cnn_core as cc
from cnn_core.covering import Covered
from cnn_core.saliency import Trial
from ui.components import mount, pack


@dataclass(frozen=True, eq=False)
class Card:
    """One version of the picture, uint8 (H, W, 3), and the number that the network gives it.

    value: the bar's number; spread: its standard deviation where it is a mean, else None; detail: a quiet line under
    the bar. Roles are coloured: "whole" for the picture as it is, "marked" for the claim on trial, "control" otherwise.
    """

    title: str
    rgb: NDArray[np.uint8]
    value: float
    detail: str
    role: Literal["whole", "marked", "control"] = "control"
    spread: float | None = None


def comparison(cards: Sequence[Card], *, key: str, caption: str) -> None:
    """Show the cards; the first is the picture as it is, and its value is marked on every other bar."""
    items, blob = [], b""
    for card in cards:
        file = _jpeg(card.rgb)
        items.append(
            {
                "title": card.title,
                "alt": f"{card.title}: {card.value:.4g}",
                "value": float(card.value),
                "detail": card.detail,
                "role": card.role,
                "spread": None if card.spread is None else float(card.spread),
                "picture": [len(blob), len(file)],
            }
        )
        blob += file
    height, width = cards[0].rgb.shape[:2]
    meta = {"cards": items, "size": [height, width], "caption": caption}
    mount("trial", key=key, data=pack(meta, pictures=np.frombuffer(blob, dtype=np.uint8)))


def trial_cards(trial: Trial) -> list[Card]:
    """A map on trial: the picture whole, without what the map marks, and the controls."""
    n = len(trial.random)
    share = "margin of probabilities" if trial.target.is_margin else "probability"
    return [
        Card(
            "Whole picture",
            trial.before.shown_rgb,
            trial.before.logit,
            f"{share} {trial.before.probability:.4f}",
            "whole",
        ),
        Card(
            f"Without the {trial.area:.0%} that the map marks",
            trial.marked.shown_rgb,
            trial.marked.logit,
            f"{share} {trial.marked.probability:.4f}",
            "marked",
        ),
        Card(
            f"Without an equal area elsewhere, n = {n}",
            trial.random[0].shown_rgb,
            trial.random_logit_mean,
            f"{share} {trial.random_probability_mean:.4f} ± {trial.random_probability_spread:.4f}",
            spread=trial.random_logit_spread,
        ),
        Card(
            "Without the strongest edges",
            trial.edges.shown_rgb,
            trial.edges.logit,
            f"{share} {trial.edges.probability:.4f}",
        ),
        Card(
            "With the marked area alone",
            trial.rest.shown_rgb,
            trial.rest.logit,
            f"{share} {trial.rest.probability:.4f}",
        ),
    ]


def covered_cards(
    whole: cc.ModelInput, logit: float, probability: float, covered: Sequence[tuple[str, Covered]]
) -> list[Card]:
    """The picture whole, and with one part greyed in each of the others; the first of them is the claim on trial."""
    cards = [Card("Whole picture", whole.shown_rgb, logit, f"probability {probability:.4f}", "whole")]
    for title, one in covered:
        role: Literal["marked", "control"] = "marked" if len(cards) == 1 else "control"
        cards.append(Card(title, one.shown_rgb, one.logit, f"probability {one.probability:.4f}", role))
    return cards


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
