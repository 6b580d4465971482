"""Colours: contrast, even scales, safe for the colour-blind, and the same in the theme."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from cnn_core import palette

ROOT = Path(__file__).resolve().parent.parent
TEXT_ROLES = ("text", "quiet", "accent", "input", "kernel", "output", "wrong", "right")

# Viénot, Brettel and Mollon (1999): linear RGB as a deuteranope and a protanope see it.
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
PROTANOPE = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])


def _hex(colour: np.ndarray) -> str:
    return "#" + bytes(colour.tolist()).hex().upper()


def _linear(table: np.ndarray) -> np.ndarray:
    srgb = table / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("role", TEXT_ROLES)
def test_text_colours_have_contrast(mode: palette.Mode, role: str) -> None:
    colours = palette.COLOURS[mode]
    assert palette.contrast(colours[role], colours["page"]) >= 4.5
    assert palette.contrast(colours[role], colours["panel"]) >= 4.5


def test_contrast_of_known_pairs() -> None:
    assert palette.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    # WCAG's own example of a grey that just passes on white.
    assert palette.contrast("#767676", "#FFFFFF") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("table", [palette.SEQUENTIAL, palette.EVIDENCE], ids=["sequential", "evidence"])
@pytest.mark.parametrize("eye", [np.eye(3), DEUTERANOPE, PROTANOPE], ids=["normal", "deuteranope", "protanope"])
def test_scales_rise_in_luminance_for_every_eye(table: palette.Table, eye: np.ndarray) -> None:
    luminance = np.clip(_linear(table) @ eye.T, 0, 1) @ (0.2126, 0.7152, 0.0722)
    # Colours are rounded to bytes, so neighbours may tie or step back by a rounding error; over 8 steps all rise.
    assert np.all(luminance[8:] > luminance[:-8])


@pytest.mark.parametrize("table", [palette.SEQUENTIAL, palette.EVIDENCE], ids=["sequential", "evidence"])
def test_scales_are_even_to_the_eye(table: palette.Table) -> None:
    lightness = np.array([palette.oklab(_hex(colour))[0] for colour in table[::15]])
    steps = np.diff(lightness)
    # 18 equal steps; a byte is about 0.004 in OKLab lightness at the dark end, so 0.012 is three roundings.
    assert np.allclose(steps, steps.mean(), atol=0.012)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_zero_of_the_diverging_scale_is_the_page(mode: palette.Mode) -> None:
    table = palette.DIVERGING_LIGHT if mode == "light" else palette.DIVERGING_DARK
    assert _hex(table[127]) == palette.COLOURS[mode]["page"]
    # Blue below, orange above: the signs differ in hue for every eye, since blue keeps its own channel.
    assert table[40][2] > table[40][0] and table[214][0] > table[214][2]


def test_colourise_puts_numbers_on_the_scale() -> None:
    table = np.array([[0, 0, 0], [10, 10, 10], [20, 20, 20]], dtype=np.uint8)
    got = palette.colourise(np.array([-5.0, 0.0, 0.5, 1.0, 7.0]), table, 0.0, 1.0)
    assert got[:, 0].tolist() == [0, 0, 10, 20, 20]
    assert palette.colourise(np.array([3.0]), table, 2.0, 2.0).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_theme_has_the_same_colours(mode: palette.Mode) -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][mode]
    colours = palette.COLOURS[mode]
    expected = {
        "primaryColor": "accent",
        "backgroundColor": "page",
        "secondaryBackgroundColor": "panel",
        "textColor": "text",
        "borderColor": "line",
    }
    assert {name: theme[name] for name in expected} == {name: colours[role] for name, role in expected.items()}
