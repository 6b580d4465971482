"""Figures hold the numbers that they were given, in the palette's colours."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.figures import change_figure, gradient_figure
from cnn_core.gradient_lesson import STACKS, gradient_norms
from cnn_core.palette import COLOURS, Mode
from cnn_core.pooling_lesson import Change

CHANGES = (
    Change("before", "Before pooling", (0.3, 0.1, 0.2, 0.2), (0.5, 0.5)),
    Change("max", "Max pooling 2 × 2", (0.1, 0.1, 0.1, 0.1), (0.6, 0.4)),
)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_changes_are_bars_in_percent_with_every_trial(mode: Mode) -> None:
    bars, dots = change_figure(CHANGES, "shifts", mode).data
    assert list(bars.x) == pytest.approx([20, 10])
    assert list(bars.text) == ["20.0 %", "10.0 %"]
    assert list(dots.x) == pytest.approx([30, 10, 20, 20, 10, 10, 10, 10])
    assert bars.marker.color == (COLOURS[mode]["input"], COLOURS[mode]["output"])


def test_the_axis_reaches_the_largest_trial() -> None:
    figure = change_figure(CHANGES, "noises", "light")
    assert figure.layout.xaxis.range[1] > 60


def test_gradients_are_lines_on_a_log_scale_with_their_range() -> None:
    results = gradient_norms(depth=3, channels=2, seeds=(0, 1, 2))
    figure = gradient_figure(results, "dark")
    assert figure.layout.yaxis.type == "log"
    lines = [trace for trace in figure.data if trace.showlegend is not False]
    assert [line.name for line in lines] == [stack.title for stack in STACKS]
    for line, result in zip(lines, results, strict=True):
        np.testing.assert_allclose(line.y, np.median(result.norms, axis=0))
    bands = [trace for trace in figure.data if trace.showlegend is False]
    np.testing.assert_allclose(bands[0].y[:3], results[0].norms.max(axis=0))
    np.testing.assert_allclose(bands[0].y[3:], results[0].norms.min(axis=0)[::-1])
