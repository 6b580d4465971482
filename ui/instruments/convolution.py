"""The kernel page's instrument: a kernel on the visitor's picture, and a real unit of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cnn_core as cc
from cnn_core import kernels
from ui.components import indices, mount, pack, sent

_LONGER_SIDE = 256  # of the picture that the frame moves over; it keeps the payload below 200 KB
_LONGEST_RATIO = 4
_LIMITS = {"stride": (1, 8), "padding": (0, 8), "dilation": (1, 8)}
CELLS = 48


@dataclass(frozen=True)
class Settings:
    """What one map is made from: which numbers, which kernel, and how it slides."""

    region: kernels.Region
    kernel: tuple[float, ...]
    preset: str = ""
    source: str = "picture"
    digit: int = 3
    bias: float = 0.0
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def weights(self) -> NDArray[np.float64]:
        side = math.isqrt(len(self.kernel))
        return np.array(self.kernel, dtype=np.float64).reshape(side, side)

    @property
    def sliding(self) -> dict[str, int]:
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}

    def values(self, rgb: NDArray[np.uint8]) -> kernels.Grid:
        """The numbers that the kernel slides over, float64 (rows, columns), 0 to 1."""
        if self.source == "digit":
            return digits()[self.digit].astype(np.float64) / 255.0
        return self.region.values(kernels.luminance(rgb))


def default_settings(rgb: NDArray[np.uint8], preset: str = "vertical-edge") -> Settings:
    """The middle of the picture under one of the presets."""
    weights = kernels.kernel_preset(preset).weights
    return Settings(
        kernels.Region.centred(rgb.shape[0], rgb.shape[1], CELLS),
        tuple(float(w) for row in weights for w in row),
        preset,
    )


def read_settings(raw: Any, rgb: NDArray[np.uint8]) -> Settings | None:
    """Settings that came from a browser, or None where they are not what this component sends."""
    try:
        region = kernels.Region(
            **{name: int(raw["region"][name]) for name in ("top", "left", "rows", "columns", "zoom")}
        )
        if not isinstance(raw["kernel"], list | tuple):
            return None
        kernel = tuple(float(weight) for weight in raw["kernel"])
        settings = Settings(
            region=region,
            kernel=kernel,
            preset=str(raw["preset"]),
            source=str(raw["source"]),
            digit=int(raw["digit"]),
            bias=float(raw["bias"]),
            **{name: int(raw[name]) for name in _LIMITS},
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    numbers_fit = all(math.isfinite(v) and abs(v) <= 1000 for v in (*kernel, settings.bias))
    slides = all(low <= getattr(settings, name) <= high for name, (low, high) in _LIMITS.items())
    known = settings.source in ("picture", "digit") and 0 <= settings.digit < len(digits())
    fits = region.fits(*rgb.shape[:2]) and max(region.rows, region.columns) <= CELLS
    if not (len(kernel) in (9, 25) and numbers_fit and slides and known and fits):
        return None
    presets = {preset.key for preset in kernels.list_presets()}
    return settings if settings.preset in presets else replace(settings, preset="")


def working_picture(picture: cc.Picture) -> NDArray[np.uint8]:
    """What the frame moves over: uint8 (h, w, 3), longer side at most 256; of a very long picture the middle."""
    short = min(picture.height, picture.width)
    height, width = min(picture.height, _LONGEST_RATIO * short), min(picture.width, _LONGEST_RATIO * short)
    top, left = (picture.height - height) // 2, (picture.width - width) // 2
    return replace(picture, rgb=picture.rgb[top : top + height, left : left + width]).thumbnail(_LONGER_SIDE)


@cache
def digits() -> NDArray[np.uint8]:
    """Of each class the test digit nearest to the class's mean: uint8 (10, 28, 28), light on black."""
    from cnn_core.training.data import load_digits

    _, test = load_digits()
    chosen = []
    for digit in range(10):
        pictures = test.pictures[test.labels == digit]
        distances = ((pictures - pictures.mean(axis=0)) ** 2).sum(axis=(1, 2))
        chosen.append(pictures[int(distances.argmin())])
    return np.stack(chosen)


def kernel_instrument(
    rgb: NDArray[np.uint8], digest: str, settings: Settings, *, key: str, on_settings: Callable[[Any], None]
) -> None:
    """Show mode 1. The browser computes; it reports its settings once they rest, and torch's map for them goes back.

    `on_settings` gets what the browser sent, unchecked (see `read_settings`), before the page or fragment runs again.
    """
    import streamlit as st

    presets = [
        {"key": preset.key, "title": preset.title, "weights": [list(map(float, row)) for row in preset.weights]}
        | {"meaning": preset.meaning}
        for preset in kernels.list_presets()
    ]
    truth = kernels.torch_convolve(settings.values(rgb), settings.weights, settings.bias, **settings.sliding)
    plain = asdict(settings) | {"kernel": list(settings.kernel)}
    meta = {"mode": "kernel", "digest": digest, "initial": plain, "check": plain, "presets": presets}
    mount(
        "convolution",
        key=key,
        data=pack(meta, rgb=rgb, digits=digits(), torch=truth),
        triggers={"settings": lambda: on_settings(st.session_state[key].get("settings"))},
    )


def unit_instrument(payload: bytes, *, key: str, on_open: Callable[[int, int, int], None]) -> None:
    """Show mode 2 with a payload of `ui.instruments.unit.unit_payload`; `on_open` gets (channel, row, column)."""

    def opened() -> None:
        unit = indices(sent(key, "open"), "channel", "row", "column")
        if unit is not None:
            on_open(*unit)

    mount("convolution", key=key, data=payload, triggers={"open": opened})
