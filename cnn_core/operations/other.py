"""The picture at a network's input, and operations whose arithmetic is not opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .explanation import Term, UnitExplanation, tex, tex_factor, tex_in_sum, tex_index
from .registry import Call, Kind, Shape, Unit, anonymous_axes, register


def explain_input(unit: Unit) -> UnitExplanation:
    """A pixel, normalised: (byte / 255 - mean) / standard deviation, where the trace knows the picture."""
    picture = unit.model_input
    if picture is None or len(unit.index) != 3:
        return _unopened(unit, "A number of the tensor that was put in.")
    channel, row, column = unit.index
    byte = int(
        picture.shown_rgb[row, column, channel] if len(picture.mean) > 1 else _grey(picture.shown_rgb, row, column)
    )
    mean, std = float(picture.mean[channel]), float(picture.std[channel])
    computed = (byte / 255 - mean) / std
    weight = np.full((1, 1), 1 / (255 * std), dtype=np.float32)
    window = np.full((1, 1), byte, dtype=np.float32)
    fraction = rf"\frac{{\tfrac{{{byte}}}{{255}}{tex_in_sum(-mean)}}}{{{tex_factor(std)}}}"
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=computed,
        formula=rf"x_{{{tex_index(unit.index)}}} = {fraction} = {tex(computed)}",
        combine="sum",
        terms=(Term("pixel", byte / (255 * std), unit.operation.name, unit.index, window, weight),),
        bias=-mean / std,
        note="The pixel's byte, brought to 0 to 1, less the mean, over the standard deviation of its colour channel.",
    )


def _grey(rgb: Any, row: int, column: int) -> int:
    # A one-channel picture is shown with three equal channels.
    return int(rgb[row, column, 0])


def _unopened(unit: Unit, note: str) -> UnitExplanation:
    inputs = ", ".join(rf"\text{{input {n}}}" for n in range(1, len(unit.inputs) + 1))
    subscript = tex_index(unit.index)
    return UnitExplanation(
        operation=unit.operation.name,
        kind=unit.operation.kind,
        index=unit.index,
        value=unit.value,
        computed=unit.value,
        formula=rf"y_{{{subscript}}} = f({inputs})_{{{subscript}}} = {tex(unit.value)}",
        combine="function",
        terms=(),
        note=note,
        checked=False,
    )


def explain_other(unit: Unit) -> UnitExplanation:
    """Only the value: ConvLens does not know this operation's arithmetic, and checks nothing."""
    return _unopened(unit, f"ConvLens does not open the arithmetic of {unit.attributes.get('what', 'this operation')}.")


def _read(arguments: dict[str, Any], _: Mapping[str, Shape]) -> dict[str, Any]:
    return arguments


register(
    Kind(
        key="input",
        formula=r"x = \frac{\mathrm{byte} / 255 - \mu}{\sigma}",
        title=lambda call: f"Input, {'×'.join(str(n) for n in call.output_shape)}",
        short_title=lambda call: "Input",
        explain=explain_input,
    )
)


def _what(call: Call) -> str:
    return str(call.attributes.get("what", "Unknown operation"))


register(
    Kind(
        key="other",
        formula=r"y = f(x)",
        title=lambda call: f"{_what(call)} (arithmetic not opened)",
        short_title=_what,
        explain=explain_other,
        read=_read,
        # What an unknown operation reads is unknown: everything is the safe answer.
        reach="global",
        axes=lambda call: (
            call.input_axes[0]
            if call.input_shapes and call.input_shapes[0] == call.output_shape
            else ("channel", "row", "column")
            if len(call.output_shape) == 3 and call.input_axes and call.input_axes[0] == ("channel", "row", "column")
            else anonymous_axes(call.output_shape)
        ),
    )
)
