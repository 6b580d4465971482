"""Curves with bands: several views of one experiment, a ruler that reads them, frames over the steps, and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ui.components import mount, pack

Role = Literal["input", "kernel", "output", "quiet", "accent", "wrong"]
Dash = Literal["solid", "dash", "dot", "dashdot"]
Symbol = Literal["circle", "square", "diamond", "triangle", "none"]


@dataclass(frozen=True)
class Style:
    """How an arm's lines look: a colour, a dash and a mark, so that colour never speaks alone."""

    role: Role = "output"
    dash: Dash = "solid"
    symbol: Symbol = "circle"


@dataclass(frozen=True, eq=False)
class Series:
    """One line. NaN and infinities are drawn as crosses and read out as what they are, never left out."""

    name: str
    """What it is of; lines of one name share a legend entry, and are hidden together."""
    style: Style
    kind: Literal["precomputed", "own", "live"]
    x: NDArray[np.floating]
    """(n,)"""
    y: NDArray[np.floating]
    """(n,), or (frames, n) in a view with frames."""
    low: NDArray[np.floating] | None = None
    """The band's lower edge, in the shape of y."""
    high: NDArray[np.floating] | None = None
    note: str = ""
    """Whose numbers these are: "precomputed, mean of 10 seeds", "your run, seed 3"."""
    labels: tuple[str, ...] = ()
    """What each place is called where x is a mere number, such as a layer's name."""
    joined: bool = True
    """False: points with their ranges, and no line between them."""
    steps: tuple[int, ...] = ()
    """The step of each row of y, in a view with frames."""
    end: str = ""
    """Why a line ends before the others: "stopped", "diverged"."""


@dataclass(frozen=True, eq=False)
class View:
    """One pair of axes."""

    key: str
    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    share: bool = False
    """y runs from 0 to 1 and is read as per cent."""
    fitted: bool = False
    """y runs over the numbers alone, and need not begin at zero."""
    x_log: bool = False
    y_log: bool = False
    x_names: tuple[tuple[float, str], ...] = ()
    """Ticks by name; none for round numbers."""
    frames: tuple[int, ...] = ()
    """Steps between which a slider moves; () for none."""
    note: str = ""
    """What is drawn, in a sentence."""
    guide: tuple[float, str] | None = None
    """A level with its name, such as chance."""
    empty: str = field(default="Nothing was run yet.")


def curves(views: Sequence[View], *, key: str, file: str, label: str, first: str = "", running: bool = False) -> None:
    """Draw the views; which one is open, the ruler and hidden lines are the browser's own and send nothing.

    file: the name under which PNG, SVG and CSV are offered. first: the view that opens. running: numbers still come.
    """
    arrays: dict[str, np.ndarray] = {}
    told: list[dict[str, Any]] = []
    for v, view in enumerate(views):
        lines = []
        for s, series in enumerate(view.series):
            for name in ("x", "y", "low", "high"):
                values = getattr(series, name)
                if values is not None:
                    arrays[f"{v}_{s}_{name}"] = np.ascontiguousarray(values, dtype=np.float32)
            lines.append(
                {
                    "name": series.name,
                    "role": series.style.role,
                    "dash": series.style.dash,
                    "symbol": series.style.symbol,
                    "kind": series.kind,
                    "note": series.note,
                    "labels": list(series.labels),
                    "steps": [int(step) for step in series.steps],
                    "joined": series.joined,
                    "end": series.end,
                }
            )
        told.append(
            {
                "key": view.key,
                "title": view.title,
                "xTitle": view.x_title,
                "yTitle": view.y_title,
                "share": view.share,
                "fitted": view.fitted,
                "xLog": view.x_log,
                "yLog": view.y_log,
                "xNames": [[float(at), name] for at, name in view.x_names],
                "frames": [int(step) for step in view.frames],
                "note": view.note,
                "guide": None if view.guide is None else [float(view.guide[0]), view.guide[1]],
                "empty": view.empty,
                "series": lines,
            }
        )
    meta = {"views": told, "first": first or told[0]["key"], "file": file, "label": label, "running": running}
    mount("curves", key=key, data=pack(meta, **arrays))
