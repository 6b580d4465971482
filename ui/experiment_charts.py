"""What a page hands to the experiment panel: its questions, and charts of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ui.experiment_records import Source
from ui.instruments.curves import Series, Style, View


@dataclass(frozen=True)
class Question:
    """What the learner guesses, and how the answer is read off the numbers; several are asked one after the other."""

    key: str
    text: str
    options: Mapping[str, str]
    answer: Callable[[Source], tuple[str, str]]
    """The right option's key, and a sentence with the numbers; raises Missing where they are not there."""


@dataclass(frozen=True)
class Line:
    """One line of a chart of results."""

    title: str
    style: Style
    points: tuple[tuple[float, str, str], ...]
    """x, arm, measure: the measure's mean over the seeds is y, its range the band."""
    joined: bool = True
    """False where x are kinds and no amounts: points with their ranges, and no line between them."""


@dataclass(frozen=True)
class Chart:
    """Results against what differs between the arms: accuracy by learning rate, by depth, by shift."""

    key: str
    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    share: bool = True
    x_log: bool = False
    y_log: bool = False
    x_names: tuple[tuple[float, str], ...] = ()
    note: str = ""
    guide: tuple[float, str] | None = (0.1, "chance, 10 %")


def chart_view(chart: Chart, sources: Sequence[Source]) -> View:
    """A chart of results with the numbers that are there."""
    series = []
    for source in sources:
        for line in chart.lines:
            found = [(x, cell.values) for x, arm, measure in line.points if (cell := source.find(arm, measure))]
            if not found:
                continue
            values = [np.array(one) for _, one in found]
            many = any(len(one) > 1 for one in values)
            series.append(
                Series(
                    line.title,
                    line.style,
                    "own" if source.is_own else "precomputed",
                    np.array([x for x, _ in found]),
                    np.array([one.mean() for one in values]),
                    np.array([one.min() for one in values]) if many else None,
                    np.array([one.max() for one in values]) if many else None,
                    note=source.words + (", mean" if many else ""),
                    joined=line.joined,
                )
            )
    return View(
        chart.key,
        chart.title,
        chart.x_title,
        chart.y_title,
        tuple(series),
        share=chart.share,
        x_log=chart.x_log,
        y_log=chart.y_log,
        x_names=chart.x_names,
        note=chart.note,
        guide=chart.guide,
        empty="No result yet: run it now.",
    )
