"""The result of every saliency method: raw numbers at their own resolution, and honest ways to draw them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import palette
from ..errors import InvalidOption
from ..kept import kept
from .placement import Placement, draw_aligned, draw_stretched
from .targets import Target

# A cell is a float32 sum over up to some thousand channels; such sums carry a relative rounding error of up to about
# sqrt(1000) * 6e-8 = 2e-6 of their largest terms. Differences below five times that are rounding, not evidence.
ROUNDING: Final = 1e-5


@dataclass(frozen=True)
class Peak:
    """A map's largest value: its cell (row, column), where that is in input pixels (row, column), and the value."""

    cell: tuple[int, int]
    position: tuple[float, float]
    value: float


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """One explanation, not normalised.

    values: float32 (h, w), read-only, at the resolution of the layer, in the method's own units; non-negative when
        `rectified`. target: what is explained. target_value: its number on this picture.
    layer: the operation's name (None for methods that need none); layer_title: for people; method: its key.
    raw_range: (least, greatest) of the map before rectification.
    note: a sentence; why there is nothing to see when `is_empty`, and otherwise what the range says; then the remark.
    remark: what the method itself has to say of this map ("... 1.7 % off at 50 steps"), or "".
    shown_rgb: uint8 (H, W, 3), the picture that the model saw. placement: where the cells lie on it.
    model_key: which model and weights. seconds: time that it took, the forward pass included unless a trace was given.
    details: the method's further numbers by name, for example integrated gradients' "completeness_error".
    """

    values: NDArray[np.float32]
    target: Target
    target_value: float
    layer: str | None
    layer_title: str
    method: str
    rectified: bool
    raw_range: tuple[float, float]
    is_empty: bool
    note: str
    shown_rgb: NDArray[np.uint8]
    placement: Placement
    model_key: str
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the model's input, in pixels."""
        return self.placement.input_size

    @kept
    def limit(self) -> float:
        """The map's own scale: its largest absolute value (0 when it is empty)."""
        return 0.0 if self.is_empty else float(np.abs(self.values).max())

    def peak(self) -> Peak | None:
        """The largest value and where it lies; None where the map is empty, as it then points nowhere."""
        if self.is_empty:
            return None
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        cell = (int(row), int(column))
        return Peak(cell, self.placement.centre(*cell), float(self.values[cell]))

    def upsampled(self, h: int | None = None, w: int | None = None, *, aligned: bool = True) -> NDArray[np.float32]:
        """The map at h x w (default: the input's size), float32 in the map's own units, never beyond its range.

        aligned=True places each cell at its receptive field's centre; False stretches the map to the corners.
        """
        size = (self.input_size[0] if h is None else h, self.input_size[1] if w is None else w)
        if min(size) < 1:
            raise InvalidOption(f"A map cannot be drawn at {size[0]} x {size[1]}: both sides must be at least 1.")
        if aligned:
            return draw_aligned(self.values, self.placement, size)
        return draw_stretched(self.values, size)

    def overlay(
        self,
        rgb: NDArray[np.uint8] | None = None,
        *,
        opacity: float = 0.6,
        threshold: float = 0.0,
        aligned: bool = True,
        limit: float | None = None,
        mode: palette.Mode = "light",
    ) -> NDArray[np.uint8]:
        """The map over a picture, uint8 (H, W, 3); where nothing is said the picture stays as it is.

        A value's share of `limit` (default: this map's own largest absolute value; give one number to several maps to
        compare them) is its colour, and its opacity as a share of `opacity`. Shares at or below `threshold` (0 to 1)
        are left out. A rectified map is drawn on the evidence scale; a signed one on the diverging scale of `mode`,
        blue against and orange for the target.
        """
        base = self.shown_rgb if rgb is None else np.asarray(rgb)
        _check_overlay(base, opacity, threshold, limit)
        scale = self.limit if limit is None else limit
        if self.is_empty or scale <= 0:
            return np.array(base)
        share = np.clip(self.upsampled(*base.shape[:2], aligned=aligned) / scale, -1.0, 1.0)
        if self.rectified:
            colour = palette.colourise(share, palette.EVIDENCE, 0.0, 1.0)
        else:
            table = palette.DIVERGING_LIGHT if mode == "light" else palette.DIVERGING_DARK
            colour = palette.colourise(share, table, -1.0, 1.0)
        strength = np.abs(share)
        alpha = np.where(strength > threshold, opacity * strength, 0.0)[..., None]
        return np.round((1.0 - alpha) * base + alpha * colour).astype(np.uint8)

    def to_png(
        self,
        path: str | Path | None = None,
        *,
        rgb: NDArray[np.uint8] | None = None,
        opacity: float = 0.6,
        threshold: float = 0.0,
        aligned: bool = True,
        limit: float | None = None,
        mode: palette.Mode = "light",
    ) -> bytes:
        """The overlay as a PNG file's bytes, with the picture beneath; also written to `path` if one is given."""
        picture = self.overlay(rgb, opacity=opacity, threshold=threshold, aligned=aligned, limit=limit, mode=mode)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        return _deliver(buffer.getvalue(), path)

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """The raw numbers and all that is needed to read them, as an .npz file's bytes (no pickles inside).

        Arrays: values float32 (h, w), raw_range, target_indices, target_label, score, target_value, layer, method,
        rectified, offset and stride (row, column; input pixels), input_size, model_key, note, details (JSON text),
        shown_rgb.
        """
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            values=self.values,
            raw_range=np.array(self.raw_range, dtype=np.float64),
            target_indices=np.array(self.target.indices, dtype=np.int64),
            target_label=np.array(self.target.label),
            score=np.array(self.target.score),
            target_value=np.array(self.target_value, dtype=np.float64),
            layer=np.array(self.layer or ""),
            method=np.array(self.method),
            rectified=np.array(self.rectified),
            offset=np.array(self.placement.offset, dtype=np.float64),
            stride=np.array(self.placement.stride, dtype=np.float64),
            input_size=np.array(self.input_size, dtype=np.int64),
            model_key=np.array(self.model_key),
            note=np.array(self.note),
            details=np.array(json.dumps(dict(self.details), default=str)),
            shown_rgb=self.shown_rgb,
        )
        return _deliver(buffer.getvalue(), path)


def judge(raw: NDArray[np.floating], *, rectified: bool, label: str) -> tuple[bool, str]:
    """Whether a map (before rectification) carries nothing, and one sentence that says what it carries or why not."""
    if not np.isfinite(raw).all():
        return True, "The network's numbers overflowed on this picture, so this map says nothing."
    least, greatest = float(raw.min()), float(raw.max())
    largest = max(abs(least), abs(greatest))
    if largest == 0.0:
        return True, f"Every cell is 0: at this layer nothing speaks for or against {label}."
    if greatest - least <= ROUNDING * largest:
        return True, f"All cells are equal ({greatest:.4g}): this map does not say where {label} is seen."
    if rectified and greatest <= ROUNDING * largest:
        return True, f"No cell speaks for {label}: before negative values were dropped the greatest was {greatest:.4g}."
    against = " Negative values were dropped." if rectified and least < 0 else ""
    return False, f"Raw values run from {least:.4g} to {greatest:.4g}.{against}"


def _check_overlay(rgb: NDArray[np.generic], opacity: float, threshold: float, limit: float | None) -> None:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InvalidOption(f"The picture beneath must be uint8 (H, W, 3), not {rgb.dtype} {rgb.shape}.")
    for name, value in (("opacity", opacity), ("threshold", threshold)):
        if not 0.0 <= value <= 1.0:
            raise InvalidOption(f"{name} must lie between 0 and 1, and is {value!r}.")
    if limit is not None and not limit > 0.0:
        raise InvalidOption(f"limit must be above 0, and is {limit!r}.")


def _deliver(data: bytes, path: str | Path | None) -> bytes:
    if path is not None:
        Path(path).write_bytes(data)
    return data
