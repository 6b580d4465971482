"""The plot of the saliency benchmark: how many forward passes one Grad-CAM costs, by each package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_core.palette import COLOURS

from .peers import CAPTUM, CONVLENS, GRAD_CAM, TORCHCAM

if TYPE_CHECKING:
    from .saliency import Speed

_COLOURS = COLOURS["light"]
# Told apart by shape as well as by colour.
_MARKS = {
    CONVLENS: ("o", _COLOURS["accent"]),
    CAPTUM: ("s", _COLOURS["input"]),
    TORCHCAM: ("D", _COLOURS["kernel"]),
    GRAD_CAM: ("X", _COLOURS["wrong"]),
}


def draw(speeds: Sequence[Speed], path: Path) -> None:
    """One row a network and batch size, one mark a package, with the quartiles over rounds as a line; SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.3 + 0.42 * len(speeds)), layout="constrained")
    axes = figure.add_subplot()
    gap = 0.16
    for place, (name, (mark, colour)) in enumerate(_MARKS.items()):
        rows = [row + gap * (place - (len(_MARKS) - 1) / 2) for row in range(len(speeds))]
        found = [speed.timings[name] for speed in speeds]
        axes.hlines(rows, [t.ratio_low for t in found], [t.ratio_high for t in found], color=colour, linewidth=1.5)
        axes.scatter([t.ratio for t in found], rows, marker=mark, s=36, color=colour, label=name, zorder=3)
    axes.axvline(1, color=_COLOURS["quiet"], linewidth=1)
    for row in range(1, len(speeds)):
        axes.axhline(row - 0.5, color=_COLOURS["line"], linewidth=0.6)
    axes.set_yticks(range(len(speeds)), [speed.where for speed in speeds])
    axes.set_ylim(len(speeds) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("time of one Grad-CAM, in plain forward passes (less is faster; the line is one forward pass)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=len(_MARKS), frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
