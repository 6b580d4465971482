"""The answer to the guess: the visitor's square against each map, and against what greying squares really does."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnn_core.covering import Covered, cover, square_at
from cnn_core.marked_squares import MarkedSquare, mark_of_square
from cnn_core.saliency.targets import TargetRequest
from ui import cached, lesson
from ui.instruments.saliency import Tile, judged, positive
from ui.instruments.trial import comparison, covered_cards
from ui.saliency_methods import Asked
from ui.widgets import Bench


def square_side(bench: Bench) -> float:
    """The side of a square that is greyed, in input pixels: a seventh of the picture's shorter side."""
    return min(bench.model_input.shown_rgb.shape[:2]) / 7


def covered_squares(
    bench: Bench, target: TargetRequest, places: tuple[tuple[float, float], ...], side: float
) -> tuple[Covered, ...]:
    """The network's answers with a square of mid grey at each place (row, column; input pixels)."""
    if not places:
        return ()
    size, trace = bench.model_input.shown_rgb.shape, bench.trace
    boxes = [square_at(row, column, side, (size[0], size[1])) for row, column in places]
    return cached.memo(
        "cover",
        (bench.classifier.key, bench.model_input.digest, str(target), places, side),
        lambda: cover(bench.classifier, trace, boxes, target=target),
        lambda made: sum(one.shown_rgb.nbytes for one in made),
    )


def answer(
    bench: Bench,
    asked: Asked,
    tiles: list[Tile],
    position: tuple[float, float],
    pictures: DeltaGenerator,
    subject: str,
) -> None:
    """Compare the click with each map, and with what greying a square there, or at each map's choice, really does;
    the greyed pictures go into `pictures`; `subject` names what the guess is about."""
    side = square_side(bench)
    speaking = [tile for tile in tiles if not judged(tile.map)[0]]
    if not speaking:
        st.info("None of the maps marks any place, so they cannot answer.", icon=":material/lightbulb:")
        return
    marks: list[MarkedSquare] = [mark_of_square(positive(tile.map), *position, side) for tile in speaking]
    here, *there = covered_squares(bench, asked.target, (position, *(mark.best for mark in marks)), side)
    agreeing = [tile.title for tile, mark in zip(speaking, marks, strict=True) if mark.percentile >= 0.75]
    name = "margin" if isinstance(asked.target, tuple) else "logit"
    before = here.logit + here.logit_drop
    worse = [tile.title for tile, one in zip(speaking, there, strict=True) if one.logit < here.logit]
    found = f"{', '.join(agreeing)} {'has' if len(agreeing) == 1 else 'have'}" if agreeing else "No map has"
    cost = (
        "no map chose a square that costs more."
        if not worse
        else f"the squares that {', '.join(worse)} like best cost more."
    )
    guessed = "strong" if 2 * len(agreeing) >= len(speaking) else "weak"
    lesson.reveal(
        lesson.clicked("saliency", guessed, position, about=subject),
        "strong",
        f"{found} your place in the strongest quarter ({len(agreeing)} of {len(speaking)} maps). With a "
        f"{marks[0].side} × {marks[0].side} grey square there the {name} goes from {_number(before)} to "
        f"{_number(here.logit)}; {cost}",
    )
    st.caption(
        "Share of all squares of this size that a map marks less than yours: "
        + ", ".join(f"{tile.title} {100 * mark.percentile:.0f} %" for tile, mark in zip(speaking, marks, strict=True))
        + "."
    )
    with pictures.expander("Your square, and the square that each map likes best, greyed one at a time", expanded=True):
        comparison(
            covered_cards(
                bench.model_input,
                before,
                here.probability + here.probability_drop,
                [
                    ("Without your square", here),
                    *((f"Without {tile.title}’s", one) for tile, one in zip(speaking, there, strict=True)),
                ],
            ),
            key="cl_saliency_squares",
            caption=f"Bars: the {name}, one shared scale; dashed, the whole picture. All squares have "
            f"{marks[0].side} × {marks[0].side} pixels.",
        )


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
