"""Numbers to Plotly figures in the palette's colours; numpy in, no torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from .palette import COLOURS, Mode

if TYPE_CHECKING:
    from .gradient_lesson import GradientNorms
    from .pooling_lesson import Change


def gradient_figure(stacks: Sequence[GradientNorms], mode: Mode) -> go.Figure:
    """The gradient's norm by layer on a log scale: the median over the seeds as a line, their range as a band."""
    colours = COLOURS[mode]
    styles = {
        "sigmoid": ("input", "solid", "circle"),
        "tanh": ("kernel", "dash", "square"),
        "relu_xavier": ("quiet", "dot", "x"),
        "relu": ("output", "solid", "diamond"),
    }
    figure = go.Figure()
    for stack in stacks:
        role, dash, symbol = styles.get(stack.key, ("accent", "solid", "circle"))
        colour = colours[role]
        layers = np.arange(1, stack.norms.shape[1] + 1)
        figure.add_scatter(
            x=np.concatenate([layers, layers[::-1]]),
            y=np.concatenate([stack.high, stack.low[::-1]]),
            fill="toself",
            fillcolor=_transparent(colour, 0.18),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=layers,
            y=stack.median,
            name=stack.title,
            mode="lines+markers",
            line={"color": colour, "width": 2.5, "dash": dash},
            marker={"size": 7, "symbol": symbol},
            hovertemplate="layer %{x}: %{y:.3g}<extra>" + stack.title + "</extra>",
        )
    figure.update_layout(
        **_layout(mode), height=420, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    )
    figure.update_xaxes(title="layer (1 is next to the picture)", dtick=1, range=[0.5, len(layers) + 0.5])
    figure.update_yaxes(title="L2 norm of the gradient of the weights", type="log", dtick=2, exponentformat="power")
    return figure


def change_figure(changes: Sequence[Change], mode: Mode) -> go.Figure:
    """Relative changes of maps as bars, in percent: the picture moved, and noise added; a dot for each trial."""
    colours = COLOURS[mode]
    roles = {"before": "input", "thinned": "quiet", "max": "output", "average": "output"}
    titles = [change.title for change in changes]
    figure = go.Figure()
    panels = (("x", "Picture moved by one pixel", "shifts"), ("x2", "Noise added to the picture", "noises"))
    for axis, _, field in panels:
        trials = [[100 * value for value in getattr(change, field)] for change in changes]
        figure.add_bar(
            x=[float(np.mean(values)) for values in trials],
            y=titles,
            orientation="h",
            xaxis=axis,
            marker={
                "color": [colours[roles[change.key]] for change in changes],
                "pattern": {"shape": ["", "", "", "/"][: len(changes)]},
            },
            text=[f"{np.mean(values):.1f} %" for values in trials],
            # Inside the bar: outside it would lie on the dots.
            textposition="inside",
            insidetextanchor="start",
            textfont={"color": colours["page"], "size": 13},
            hovertemplate="%{y}: %{x:.2f} %<extra></extra>",
        )
        figure.add_scatter(
            x=[value for values in trials for value in values],
            y=[title for title, values in zip(titles, trials, strict=True) for _ in values],
            xaxis=axis,
            mode="markers",
            marker={"size": 7, "color": colours["text"], "line": {"width": 1, "color": colours["page"]}},
            hovertemplate="one trial: %{x:.2f} %<extra></extra>",
        )
    figure.update_layout(**_layout(mode), height=300, showlegend=False, bargap=0.35)
    ranges = [1.12 * 100 * max(max(getattr(change, field)) for change in changes) for *_, field in panels]
    figure.update_layout(
        xaxis={"domain": [0, 0.47], "title": panels[0][1], "ticksuffix": " %", "range": [0, ranges[0]]},
        xaxis2={"domain": [0.53, 1], "title": panels[1][1], "ticksuffix": " %", "range": [0, ranges[1]], "anchor": "y"},
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    figure.update_xaxes(gridcolor=colours["line"], zerolinecolor=colours["line"])
    return figure


def _layout(mode: Mode) -> dict[str, object]:
    colours = COLOURS[mode]
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colours["text"], "size": 13},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {"bgcolor": colours["panel"], "font": {"color": colours["text"]}},
    }


def _transparent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
