"""Colours and colour scales: one table, used by the theme, the figures and the components alike."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Mode = Literal["light", "dark"]
Table = NDArray[np.uint8]

COLOURS: Final[dict[Mode, dict[str, str]]] = {
    "light": {
        "page": "#FFFFFF",
        "panel": "#F4F6F8",
        "line": "#D5DAE1",
        "text": "#1A1F29",
        "quiet": "#576070",
        "accent": "#00696E",
        "input": "#004A94",
        "kernel": "#A84300",
        "output": "#006F4C",
        "wrong": "#B3261E",
        "right": "#17704A",
    },
    "dark": {
        "page": "#0E1117",
        "panel": "#171C26",
        "line": "#2F3847",
        "text": "#E9ECF1",
        "quiet": "#A4AEBD",
        "accent": "#4DC4C4",
        "input": "#74B4F0",
        "kernel": "#FF9E5E",
        "output": "#5FE3B2",
        "wrong": "#FF7D72",
        "right": "#9BEFAE",
    },
}
"""Roles and their colours; each text colour keeps a contrast of at least 4.5 on page and on panel (tested)."""

# Anchors of the scales, from low to high; between them colours are mixed in OKLab, whose lightness is even to the eye.
_SEQUENTIAL: Final = ("#2B0B4F", "#3D3A8C", "#26698F", "#1B9486", "#5DBE62", "#F4E84A")
_EVIDENCE: Final = ("#05030F", "#3A0F63", "#84216B", "#CB4149", "#F58B1F", "#FBF08C")
_NEGATIVE: Final = {"light": ("#00396B", "#2F7FC1"), "dark": ("#9CCBFA", "#2F74B5")}
_POSITIVE: Final = {"light": ("#E08A4E", "#7A2E00"), "dark": ("#B8601F", "#FFBE8F")}


def _to_linear(hex_colour: str) -> NDArray[np.float64]:
    srgb = np.array([int(hex_colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


# Björn Ottosson, "A perceptual color space for image processing" (2020): linear sRGB -> cone response -> OKLab.
_RGB_TO_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(hex_colour: str) -> NDArray[np.float64]:
    """The OKLab coordinates (lightness 0 to 1, green-red, blue-yellow) of a colour `#RRGGBB`, float64 (3,)."""
    return np.asarray(_LMS_TO_LAB @ np.cbrt(_RGB_TO_LMS @ _to_linear(hex_colour)))


def _from_oklab(lab: NDArray[np.float64]) -> Table:
    lms = (lab @ np.linalg.inv(_LMS_TO_LAB).T) ** 3
    linear = np.clip(lms @ np.linalg.inv(_RGB_TO_LMS).T, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(np.clip(srgb, 0, 1) * 255).astype(np.uint8)


def _scale(anchors: tuple[str, ...], n: int = 256) -> Table:
    """Mix anchors into n colours whose OKLab lightness rises (or falls) evenly."""
    lab = np.stack([oklab(a) for a in anchors])
    lightness = np.linspace(lab[0, 0], lab[-1, 0], n)
    order = np.argsort(lab[:, 0])
    ab = [np.interp(lightness, lab[order, 0], lab[order, axis]) for axis in (1, 2)]
    return _from_oklab(np.stack([lightness, *ab], axis=1))


def _diverging(mode: Mode) -> Table:
    """Blue below zero, the page's own colour at zero, orange above: 255 colours, so that zero has one of its own."""
    page = COLOURS[mode]["page"]
    low, high = _NEGATIVE[mode], _POSITIVE[mode]
    below = _scale((*low, page), 128)[:-1]
    above = _scale((page, *high), 128)
    return np.concatenate([below, above])


SEQUENTIAL: Final[Table] = _scale(_SEQUENTIAL)
"""uint8 (256, 3): non-negative maps, dark to light, like viridis."""

EVIDENCE: Final[Table] = _scale(_EVIDENCE)
"""uint8 (256, 3): evidence laid over a picture, dark to light, like inferno; opacity rises with the value."""

DIVERGING_LIGHT: Final[Table] = _diverging("light")
DIVERGING_DARK: Final[Table] = _diverging("dark")
"""uint8 (255, 3): signed numbers; row 127 is zero and is the page's colour."""


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours `#RRGGBB`, from 1 to 21.

    >>> contrast("#000000", "#FFFFFF")
    21.0
    """
    luminance = [float(_to_linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (first, second)]
    return (max(luminance) + 0.05) / (min(luminance) + 0.05)


def colourise(values: NDArray[np.floating], table: Table, low: float, high: float) -> Table:
    """Colours uint8 (..., 3) of numbers float (...), `low` at the table's first row and `high` at its last.

    Values outside are clipped; where low == high everything has the table's first colour.
    """
    span = high - low
    share = np.zeros(np.shape(values)) if span <= 0 else (np.asarray(values, dtype=np.float64) - low) / span
    index = np.round(np.clip(np.nan_to_num(share), 0, 1) * (len(table) - 1)).astype(np.intp)
    return table[index]


def for_browser() -> dict[str, object]:
    """The same table as plain lists, for the components: colours by mode and the scales as flat RGB bytes."""
    return {
        "colours": COLOURS,
        "scales": {
            "sequential": SEQUENTIAL.reshape(-1).tolist(),
            "evidence": EVIDENCE.reshape(-1).tolist(),
            "diverging_light": DIVERGING_LIGHT.reshape(-1).tolist(),
            "diverging_dark": DIVERGING_DARK.reshape(-1).tolist(),
        },
    }
