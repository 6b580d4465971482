"""The picture at a network's input, and operations whose arithmetic is not opened."""

from __future__ import annotations

import numpy as np

from .explanation import Term, UnitExplanation, tex, tex_factor, tex_in_sum, tex_index
from .registry import MAPS, Axes, Call, Kind, Unit, anonymous_axes, maps_axes, register


def explain_input(unit: Unit) -> UnitExplanation:
    """A pixel, normalised: (byte / 255 - mean) / standard deviation, where the trace knows the picture."""
    picture = unit.model_input
    if picture is None or len(unit.index) != 3:
        return _unopened(unit, "A number of the tensor that was put in.")
    channel, row, column = unit.index
    # A one-channel picture is shown with three equal channels.
    byte = int(picture.shown_rgb[row, column, channel if len(picture.mean) > 1 else 0])
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


register(
    Kind(
        key="input",
        formula=r"x = \frac{\mathrm{byte} / 255 - \mu}{\sigma}",
        title=lambda call: f"Input, {'×'.join(str(n) for n in call.output_shape)}",
        short_title=lambda call: "Input",
        explain=explain_input,
        axes=maps_axes,
        recorded=True,
    )
)


def _what(call: Call) -> str:
    return str(call.attributes.get("what", "Unknown operation"))


def _axes(call: Call) -> Axes:
    """The input's axes where the shape stays, or where maps become other maps."""
    if call.input_shapes and (call.input_shapes[0] == call.output_shape or call.input_axes[0] == MAPS):
        return call.input_axes[0]
    return anonymous_axes(call.output_shape)


register(
    Kind(
        key="other",
        formula=r"y = f(x)",
        title=lambda call: f"{_what(call)} (arithmetic not opened)",
        short_title=_what,
        explain=explain_other,
        # What an unknown operation reads is unknown: everything is the safe answer.
        reach="global",
        axes=_axes,
        recorded=True,
    )
)
