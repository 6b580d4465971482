"""The verdict on a folder, from the interventions alone, in words for people who are no statisticians."""

from __future__ import annotations

from typing import Final

from .result import By, Verdict
from .swap_result import SwapTest

LEAST_PICTURES: Final = 10
"""Of fewer boxed pictures nothing is said: with 10 that all stay, up to a quarter of such pictures could still flip."""
LEAST_DIFFERENCE: Final = 0.10
"""A network counts as relying on the background where that decides at least a tenth of the answers."""
UNDECIDED: Final = 0.25
"""Where no difference was shown, but the interval reaches this far, more pictures are needed."""

_DRAW: Final = "Draw boxes on more pictures, best on 10 to 30 of each class."


def verdict_of(swap: SwapTest | None, by: By = "label") -> Verdict:
    """Supported, not supported, or too few: does the background decide the network's answers?

    Supported: the interval of flips(other class) - flips(own class) lies above 0, and the difference is at least
    LEAST_DIFFERENCE. Not supported: it is not, and the interval ends below UNDECIDED. Anything else, and fewer than
    LEAST_PICTURES pictures, is too few to tell. Maps have no say in it. by: what told the backgrounds apart.
    """
    if swap is None:
        return Verdict(
            "too_few",
            "Too few pictures to tell",
            "No picture has a box or a mask yet, so no background could be swapped. Maps alone decide nothing.",
            _DRAW,
            0,
        )
    if swap.n < LEAST_PICTURES:
        have = f"{swap.n} picture{'s' * (swap.n != 1)}"
        return Verdict(
            "too_few",
            "Too few pictures to tell",
            f"The background could be swapped both ways in {have}, and at least {LEAST_PICTURES} are needed. "
            f"{swap.not_tried}".strip(),
            _DRAW,
            swap.n,
        )
    found = swap.difference
    other, same = ("another kind", "the same kind") if by == "tag" else ("another class", "the same class")
    numbers = (
        f"On backgrounds of {other} the network changed its answer in {_percent(swap.other)} of the swaps, on other "
        f"backgrounds of {same} in {_percent(swap.same)}: {_points(found.estimate)} more ({100 * found.level:.0f} % "
        f"interval from {_number(found.low)} to {_points(found.high)}; n = {swap.n} pictures)."
    )
    if found.low > 0 and found.estimate >= LEAST_DIFFERENCE:
        return Verdict(
            "supported",
            "Supported: it relies on the background",
            f"{numbers} The object stayed the same, so the background decided.",
            "Train it again with backgrounds swapped between the pictures, or with more counter-examples, and audit "
            "the new network on the same folder.",
            swap.n,
        )
    if found.high < UNDECIDED:
        return Verdict(
            "not_supported",
            "Not supported: no sign that it relies on the background",
            f"{numbers} The backgrounds of this folder hardly decide its answers.",
            "This holds for the backgrounds in this folder. If every class occurs on the same backgrounds here, tag "
            "the backgrounds and audit again: then those are swapped.",
            swap.n,
        )
    return Verdict(
        "too_few",
        "Too few pictures to tell",
        f"{numbers} That could be chance, and it could be much.",
        _DRAW,
        swap.n,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(share: float) -> str:
    return f"{round(100 * share)}".replace("-", "\N{MINUS SIGN}")


def _points(share: float) -> str:
    return f"{_number(share)} point{'s' * (abs(round(100 * share)) != 1)}"
