"""Colours: contrast, even scales, safe for the colour-blind, and the same in the theme."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from cnn_core import palette

ROOT = Path(__file__).resolve().parent.parent
TEXT_ROLES = ("text", "quiet", "accent", "input", "kernel", "output", "wrong", "right")

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009),
# their published matrices at full severity: linear RGB to what that eye sees of it.
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# About 2 is the least that can be told apart side by side; 10 is seen at a glance (CIEDE2000).
AT_A_GLANCE = 10.0


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


def _seen(table: np.ndarray, eye: str) -> np.ndarray:
    """CIELAB of colours uint8 (n, 3) as an eye sees them, float64 (n, 3)."""
    linear = np.clip(_linear(table) @ EYES[eye].T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(srgb[None])[0])


def _rgb(colour: str) -> np.ndarray:
    return np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)]], dtype=np.uint8)


@pytest.mark.parametrize("table", [palette.SEQUENTIAL, palette.EVIDENCE], ids=["sequential", "evidence"])
@pytest.mark.parametrize("eye", EYES)
def test_scales_rise_in_lightness_for_every_eye(table: palette.Table, eye: str) -> None:
    seen = _seen(table, eye)
    # Colours are rounded to bytes, so neighbours may tie or step back by a rounding error; over 8 steps all rise.
    assert np.all(seen[8:, 0] > seen[:-8, 0])
    assert seen[-1, 0] - seen[0, 0] > 70, "of 100 from black to white"
    # Two numbers a tenth of the scale apart differ to be seen side by side.
    assert deltaE_ciede2000(seen[26:], seen[:-26]).min() > 4


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_signs_differ_for_every_eye(mode: palette.Mode, eye: str) -> None:
    seen = _seen(palette.DIVERGING_LIGHT if mode == "light" else palette.DIVERGING_DARK, eye)
    for arm in (seen[127::-1], seen[127:]):
        # Away from zero each arm goes on in one direction: darker on a light page, lighter on a dark one.
        steps = (arm[8:, 0] - arm[:-8, 0]) * (-1 if mode == "light" else 1)
        assert np.all(steps > 0)
    k = np.arange(16, 128)
    assert deltaE_ciede2000(seen[127 - k], seen[127 + k]).min() > AT_A_GLANCE, "the same size, the other sign"
    assert deltaE_ciede2000(seen[127][None], np.stack([seen[127 - 32], seen[127 + 32]])).min() > AT_A_GLANCE


PAIRS = (("input", "kernel"), ("input", "output"), ("kernel", "output"), ("wrong", "right"))


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_roles_differ_for_every_eye(mode: palette.Mode, eye: str, pair: tuple[str, str]) -> None:
    first, second = (_seen(_rgb(palette.COLOURS[mode][role]), eye) for role in pair)
    assert float(deltaE_ciede2000(first, second)[0]) > AT_A_GLANCE


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
