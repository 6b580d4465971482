"""What a landmark is known for in numbers (bars, a table of connections), and answers side by side as cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ui.components import mount, pack

Measure = Literal["parameters", "weights", "macs"]


@dataclass(frozen=True)
class Row:
    """One way to build a place: its counts, and what else is to be said of it."""

    title: str
    note: str
    parameters: int
    weights: int
    macs: int
    other: bool = False
    """Not what the landmark does, but what it is compared with: drawn paler."""


@dataclass(frozen=True)
class Group:
    """Rows on one scale."""

    title: str
    rows: Sequence[Row]


def _groups(groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [
        {
            "title": group.title,
            "rows": [
                {
                    "title": row.title,
                    "note": row.note,
                    "parameters": row.parameters,
                    "weights": row.weights,
                    "macs": row.macs,
                    "other": row.other,
                }
                for row in group.rows
            ],
        }
        for group in groups
    ]


def bars(groups: Sequence[Group], measures: Sequence[Measure], *, key: str) -> None:
    """Draw the counts of several ways as bars, each group and measure on its own scale."""
    mount("landmarkblock", key=key, data=pack({"view": "bars", "groups": _groups(groups), "measures": list(measures)}))


def connections(reads: Sequence[Sequence[int]], area: int, groups: Sequence[Group], *, key: str) -> None:
    """Draw which maps each map reads (6 in, 16 out), with what that saves under it."""
    data = {
        "view": "connections",
        "reads": [list(maps) for maps in reads],
        "area": area,
        "groups": _groups(groups),
        "measures": ["parameters", "macs"],
    }
    mount("landmarkblock", key=key, data=pack(data))


@dataclass(frozen=True)
class Answer:
    """One network's likeliest classes with their probabilities, the likeliest first."""

    title: str
    top: Sequence[tuple[str, float]]


def cards(answers: Sequence[Answer], truth: str | None, *, key: str) -> None:
    """Draw the answers side by side; truth: the class that is right, where it is known."""
    data = {
        "view": "cards",
        "truth": truth,
        "cards": [
            {"title": one.title, "top": [{"name": name, "probability": share} for name, share in one.top]}
            for one in answers
        ],
    }
    mount("landmarkblock", key=key, data=pack(data))
