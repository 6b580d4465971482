"""A SaliencyMap draws and saves what it holds, and says so when it holds nothing."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_core import palette
from cnn_core.errors import InvalidOption
from cnn_core.saliency import Placement, SaliencyMap, Target
from cnn_core.saliency.maps import judge

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
PLACEMENT = Placement((2.0, 2.0), (4.0, 4.0), (16, 24))


def make(values: list[list[float]] | np.ndarray, *, rectified: bool = True) -> SaliencyMap:
    raw = np.asarray(values, dtype=np.float32)
    is_empty, note = judge(raw, rectified=rectified, label="cat")
    return SaliencyMap(
        values=np.maximum(raw, 0) if rectified else raw,
        target=Target((3,), "cat"),
        target_value=1.25,
        layer="features.1",
        layer_title="ReLU",
        method="gradcam",
        rectified=rectified,
        raw_range=(float(raw.min()), float(raw.max())),
        is_empty=is_empty,
        note=note,
        shown_rgb=PICTURE,
        placement=PLACEMENT,
        model_key="tiny",
        seconds=0.0,
    )


def bump(value: float = 2.0, *, rectified: bool = True) -> SaliencyMap:
    values = np.full((4, 6), -0.5 if not rectified else 0.0)
    values[1, 4] = value
    return make(values, rectified=rectified)


def test_peak_is_a_cell_and_a_place() -> None:
    peak = bump().peak()
    assert peak is not None
    assert (peak.cell, peak.position, peak.value) == ((1, 4), (6.0, 18.0), 2.0)


@pytest.mark.parametrize(
    ("values", "rectified", "empty", "says"),
    [
        ([[0.0, 0.0]], True, True, "Every cell is 0"),
        ([[-1.0, -2.0]], True, True, "No cell speaks for cat"),
        ([[-1.0, -2.0]], False, False, "from -2 to -1"),
        ([[0.7, 0.7]], True, True, "All cells are equal (0.7)"),
        ([[0.7, 0.7]], False, True, "All cells are equal"),
        ([[0.7, 0.7 + 1e-6]], False, True, "All cells are equal"),  # float32 rounding, not evidence
        ([[1e-9, 2e-9]], True, False, "from 1e-09 to 2e-09"),  # tiny, but it differs: the scale is not ours to judge
        ([[-3.0, 1e-7]], True, True, "No cell speaks"),
        ([[-3.0, 1.0]], True, False, "Negative values were dropped"),
        ([[np.nan, 1.0]], True, True, "overflowed"),
        ([[np.inf, 1.0]], False, True, "overflowed"),
    ],
)
def test_a_map_that_carries_nothing_says_so(values: list[list[float]], rectified: bool, empty: bool, says: str) -> None:
    found = make(values, rectified=rectified)
    assert found.is_empty is empty
    assert says in found.note
    assert (found.peak() is None) is empty


def test_an_empty_map_leaves_the_picture_as_it_is() -> None:
    for empty in (make([[0.0, 0.0]]), make([[-1.0, -2.0]]), make([[np.nan, 1.0]]), make([[0.5, 0.5]])):
        assert (empty.overlay() == PICTURE).all()
        assert empty.limit == 0.0


def test_overlay_by_hand() -> None:
    """At the peak's centre: opacity 0.5 of the scale's last colour over the picture; far away: the picture itself."""
    found = bump()
    drawn = found.overlay(opacity=0.5)
    share = found.upsampled() / 2.0
    colour = palette.EVIDENCE[np.round(share * 255).astype(int)].astype(float)
    expected = np.round(PICTURE * (1 - 0.5 * share[..., None]) + colour * 0.5 * share[..., None])
    # float32 shares against float64 ones: at most one step of 255 where a half is rounded.
    assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1
    assert (drawn[share == 0] == PICTURE[share == 0]).all() and (share == 0).any()


def test_opacity_and_threshold() -> None:
    found = bump()
    assert (found.overlay(opacity=0.0) == PICTURE).all()
    share = found.upsampled() / 2.0
    changed = (found.overlay(np.zeros_like(PICTURE), opacity=1.0, threshold=0.5) > 0).any(axis=2)
    assert (changed == (share > 0.5)).all()


def test_a_shared_limit_makes_maps_comparable() -> None:
    weak, strong = bump(1.0), bump(4.0)
    black = np.zeros_like(PICTURE)
    assert (weak.overlay(black) == strong.overlay(black)).all()  # each on its own scale
    assert weak.overlay(black, limit=4.0).sum() < strong.overlay(black, limit=4.0).sum()


def test_signed_maps_use_the_diverging_scale() -> None:
    found = make([[-2.0, 2.0]] * 4, rectified=False)
    drawn = found.overlay(np.zeros_like(PICTURE), opacity=1.0)
    assert (drawn[0, 0] == palette.DIVERGING_LIGHT[0]).all() and (drawn[0, -1] == palette.DIVERGING_LIGHT[-1]).all()
    dark = found.overlay(np.zeros_like(PICTURE), opacity=1.0, mode="dark")
    assert (dark[0, 0] == palette.DIVERGING_DARK[0]).all()


def test_another_picture_beneath() -> None:
    large = np.full((32, 48, 3), 200, dtype=np.uint8)
    assert bump().overlay(large).shape == (32, 48, 3)


@pytest.mark.parametrize(
    "options",
    [{"opacity": 1.5}, {"threshold": -0.1}, {"limit": 0.0}, {"opacity": float("nan")}, {"rgb": np.zeros((4, 4))}],
)
def test_refused_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        bump().overlay(**options)  # type: ignore[arg-type]


def test_upsampled_sizes() -> None:
    found = bump()
    assert found.upsampled().shape == (16, 24)
    assert found.upsampled(8, aligned=False).shape == (8, 24)
    with pytest.raises(InvalidOption):
        found.upsampled(0, 4)


def test_png_round_trip(tmp_path: Path) -> None:
    found = bump()
    data = found.to_png(tmp_path / "map.png", opacity=0.8)
    assert (tmp_path / "map.png").read_bytes() == data
    assert (np.asarray(Image.open(io.BytesIO(data))) == found.overlay(opacity=0.8)).all()


def test_npz_round_trip(tmp_path: Path) -> None:
    found = bump(rectified=False)
    data = found.to_npz(tmp_path / "map.npz")
    assert (tmp_path / "map.npz").read_bytes() == data
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        assert (saved["values"] == found.values).all() and saved["values"].dtype == np.float32
        assert saved["target_indices"].tolist() == [3] and str(saved["target_label"]) == "cat"
        assert str(saved["score"]) == "logit" and float(saved["target_value"]) == 1.25
        assert str(saved["layer"]) == "features.1" and str(saved["method"]) == "gradcam"
        assert saved["offset"].tolist() == [2.0, 2.0] and saved["stride"].tolist() == [4.0, 4.0]
        assert saved["input_size"].tolist() == [16, 24] and str(saved["model_key"]) == "tiny"
        assert not bool(saved["rectified"]) and saved["raw_range"].tolist() == [-0.5, 2.0]


def test_a_method_without_a_layer_saves_too() -> None:
    with np.load(io.BytesIO(replace(bump(), layer=None).to_npz()), allow_pickle=False) as saved:
        assert str(saved["layer"]) == ""
