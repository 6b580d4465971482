"""The pixel instrument: how a picture became a tensor, and the arithmetic of every pixel; and the sabotage table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from ui import components

if TYPE_CHECKING:
    import cnn_core as cc
    from cnn_core.preprocessing_trials import PreprocessingTrial, PreprocessingTrials

_SMALL = 480  # longer side of the pictures of the first two steps, which are drawn about 200 pixels wide
_THUMBNAIL = 96
_START = "cl_pixels_start"


@dataclass(frozen=True)
class Pixel:
    """A pixel of what the network sees."""

    row: int
    column: int


def pixels(
    picture: cc.Picture,
    model_input: cc.ModelInput,
    resize: int,
    *,
    pinned: Pixel | None,
    key: str,
    on_pin: Callable[[Pixel | None], None],
) -> None:
    """Mount the instrument; `on_pin` is called with the pixel that was pinned, or with None when it was freed.

    `resize` is the shorter side after the resize. The tensor itself is sent, once, and the browser compares all of
    its numbers with those that it computes from the bytes.
    """
    height, width = picture.height, picture.width
    crop_height, crop_width = model_input.crop[2:]
    scale = resize / min(height, width)
    share = (crop_height / (height * scale), crop_width / (width * scale))
    resized = model_input.resized_rgb
    whole = np.allclose(resized.shape[:2], (height * scale, width * scale), atol=1)
    meta = {
        "original": [height, width],
        "original_note": "the file, upright and in 8-bit RGB",
        "resized": list(resized.shape[:2]),
        "resized_note": f"shorter side {resize}, shape kept" + ("" if whole else "; only its middle is kept"),
        "box": [(1 - share[0]) / 2, (1 - share[1]) / 2, *share],
        "crop": list(model_input.crop),
        "mean": list(model_input.mean),
        "std": list(model_input.std),
        "notes": list(model_input.notes),
        "digest": model_input.digest,
        "pin": _start(model_input.digest, pinned),
    }
    data = components.pack(
        meta,
        original=picture.thumbnail(_SMALL),
        resized=_small(resized),
        seen=model_input.shown_rgb,
        tensor=model_input.tensor[0].numpy(),
    )

    def changed() -> None:
        message = components.sent(key, "pin")
        row, column = message.get("row"), message.get("column")
        if components.is_index(row, crop_height) and components.is_index(column, crop_width):
            on_pin(Pixel(row, column))
        elif message.get("free"):
            on_pin(None)

    components.mount("pixels", key=key, data=data, triggers={"pin": changed})


def _start(digest: str, pinned: Pixel | None) -> list[int] | None:
    """The pixel at which the picture is opened; it stays as it is, so that a later pin sends no tensor again."""
    kept = st.session_state.get(_START)
    if kept is None or kept[0] != digest:
        kept = (digest, None if pinned is None else [pinned.row, pinned.column])
        st.session_state[_START] = kept
    start: list[int] | None = kept[1]
    return start


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(rgb)
    image.thumbnail((_SMALL, _SMALL), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)


def trials(results: PreprocessingTrials, *, key: str) -> None:
    """Mount the table of what each mistake did, the worst first."""
    rows = [results.right, *results.ranked]
    pictures = [_thumbnail(row.read_rgb) for row in rows]
    meta = {"target": results.target_name, "target_index": results.target_index, "rows": [_row(row) for row in rows]}
    components.mount("trials", key=key, data=components.pack(meta, pictures=np.stack(pictures)))


def _thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(rgb).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR), dtype=np.uint8)


def _row(trial: PreprocessingTrial) -> dict[str, object]:
    return {
        "key": trial.key,
        "title": trial.title,
        "mistake": trial.mistake,
        "top": trial.top_name,
        "top_index": trial.top_index,
        "top_probability": trial.top_probability,
        "probability": trial.target_probability,
        "logit": trial.target_logit,
        "range": list(trial.value_range),
        "unchanged": trial.unchanged,
    }
