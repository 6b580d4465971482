"""Numbers to Plotly figures in the palette's colours; numpy in, no torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import plotly.graph_objects as go

from .palette import COLOURS, Mode

if TYPE_CHECKING:
    from .gradient_lesson import GradientNorms
    from .pooling_lesson import Change


_TITLE = {"size": 14}  # an axis title as large as its numbers: Plotly makes it larger


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
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(gridcolor=colours["line"], zeroline=False, automargin=True, title_standoff=12)
    figure.update_xaxes(
        title={"text": "layer (1 is next to the picture)", "font": _TITLE},
        dtick=1 if len(layers) < 8 else len(layers) // 4,
        tick0=0,
        range=[0.5, len(layers) + 0.5],
    )
    figure.update_yaxes(
        title={"text": "L2 norm of the weights’ gradient", "font": _TITLE}, type="log", dtick=2, exponentformat="power"
    )
    return figure


def change_figure(changes: Sequence[Change], trials: Literal["shifts", "noises"], mode: Mode) -> go.Figure:
    """How much maps change, in percent: a bar for the mean of the trials, a dot for each of them."""
    colours = COLOURS[mode]
    roles = {"before": "input", "thinned": "quiet", "max": "output", "average": "output"}
    titles = [change.title for change in changes]
    percents = [[100 * value for value in getattr(change, trials)] for change in changes]
    means = [float(np.mean(values)) for values in percents]
    figure = go.Figure()
    figure.add_bar(
        x=means,
        y=titles,
        orientation="h",
        marker={"color": [colours[roles[change.key]] for change in changes]},
        text=[f"{mean:.1f} %" for mean in means],
        # Inside and at the bar's foot: beside its end it would lie on the dots.
        textposition="inside",
        insidetextanchor="start",
        textangle=0,
        textfont={"color": colours["page"], "size": 14},
        hovertemplate="%{y}: %{x:.2f} %<extra></extra>",
    )
    figure.add_scatter(
        x=[value for values in percents for value in values],
        y=[title for title, values in zip(titles, percents, strict=True) for _ in values],
        mode="markers",
        marker={"size": 7, "color": colours["text"], "line": {"width": 1, "color": colours["page"]}},
        hovertemplate="one trial: %{x:.2f} %<extra></extra>",
    )
    figure.update_layout(**_layout(mode), height=250, showlegend=False, bargap=0.3)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ", automargin=True)
    figure.update_xaxes(
        title={"text": "relative change of the maps", "font": _TITLE},
        title_standoff=12,
        automargin=True,
        ticksuffix=" %",
        range=[0, 1.06 * max(max(values) for values in percents)],
        gridcolor=colours["line"],
        zerolinecolor=colours["line"],
    )
    return figure


def _layout(mode: Mode) -> dict[str, object]:
    colours = COLOURS[mode]
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": colours["text"], "size": 14, "family": '"Source Sans", sans-serif'},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {"bgcolor": colours["panel"], "font": {"color": colours["text"]}},
    }


def _transparent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
