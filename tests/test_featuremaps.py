"""What the feature-map instrument is sent: means against torch, bytes within half a step, sizes within the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import cnn_core as cc
from tests.test_components import _unpack
from ui.instruments import featuremaps

ROOT = Path(__file__).resolve().parent.parent
Maps = np.ndarray


def maps_of(*shape: int, signed: bool = True) -> Maps:
    values = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    return values if signed else np.maximum(values, 0)


def payload_of(maps: Maps, picture: np.ndarray, unit: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    field = cc.ReceptiveField((11, 11), (4, 4), (2.5, 2.5), False, maps.shape[1:], picture.shape[:2])
    return featuremaps.payload(
        maps,
        featuremaps.mosaic(maps),
        network="mobilenet_v2",
        layer="features.2",
        title="ReLU",
        unit=unit,
        field=field,
        picture=picture,
        picture_jpeg=featuremaps.jpeg(picture),
        picture_key="panda",
    )


@pytest.fixture(scope="module")
def panda() -> np.ndarray:
    picture = cc.load_image(ROOT / "assets" / "samples" / "panda.jpg")
    return cc.load_model("mobilenet_v2", device="cpu").preprocess(picture).shown_rgb


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [(2, 12, 12), (3, 13, 7), (1, 5, 1)])
def test_averaged_cells_are_means(shape: tuple[int, int, int], factor: int) -> None:
    maps = maps_of(*shape)
    expected = torch.nn.functional.avg_pool2d(
        torch.from_numpy(maps)[None], factor, ceil_mode=True, count_include_pad=False
    )[0]
    got = featuremaps.shrink(maps, factor)
    assert got.dtype == np.float32
    # The same sums in another order: float32 rounding of at most 25 numbers of size about 1.
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("signed", [True, False])
def test_bytes_are_right_to_half_a_step(signed: bool) -> None:
    maps = maps_of(64, 56, 56, signed=signed)
    drawn = featuremaps.mosaic(maps)
    assert drawn.factor == 1 and drawn.cells.dtype == np.uint8 and drawn.signed is signed
    low, high = (edge.astype(np.float64)[:, None, None] for edge in (drawn.low, drawn.high))
    back = low + drawn.cells * (high - low) / 255
    # Half a step, and the float32 rounding of the division (a thousandth of a step).
    assert (np.abs(back - maps) <= 0.501 * (high - low) / 255).all()
    assert drawn.cells.min() == 0 and drawn.cells.max() == 255


def test_small_layers_travel_exactly() -> None:
    maps = maps_of(1280, 7, 7)
    assert np.array_equal(featuremaps.mosaic(maps).cells, maps)


def test_statistics_peaks_and_dead_maps() -> None:
    maps = maps_of(5, 9, 4)
    maps[2] = 0
    maps[3, 7, 1] = -50
    drawn = featuremaps.mosaic(maps)
    reference = torch.from_numpy(maps).flatten(1).double()
    for row, expected in enumerate((reference.mean(1), reference.amax(1), reference.var(1, unbiased=False))):
        np.testing.assert_allclose(drawn.statistics[row], expected.numpy(), rtol=1e-5, atol=1e-6)  # float32 sums
    assert drawn.dead.tolist() == [0, 0, 1, 0, 0]
    assert drawn.peak[3].tolist() == [7, 1]
    for channel, (row, column) in enumerate(drawn.peak):
        assert abs(maps[channel, row, column]) == np.abs(maps[channel]).max()


def test_constant_maps_stay_what_they_are() -> None:
    maps = np.full((40, 100, 100), 2.5, dtype=np.float32)
    drawn = featuremaps.mosaic(maps)
    assert drawn.cells.dtype == np.uint8
    assert (drawn.low == 2.5).all() and (drawn.high == 2.5).all() and not drawn.dead.any()


@pytest.mark.parametrize(
    "shape", [(64, 224, 224), (96, 112, 112), (144, 56, 56), (512, 28, 28), (2048, 7, 7), (64, 147, 147), (6, 28, 28)]
)
def test_payloads_stay_within_the_budget(shape: tuple[int, int, int], panda: np.ndarray) -> None:
    maps = maps_of(*shape, signed=False)
    factor = featuremaps.averaging_factor(*shape)
    cells = shape[0] * -(-shape[1] // factor) * -(-shape[2] // factor)
    assert len(payload_of(maps, panda)) <= featuremaps.MAX_BYTES
    # No coarser than needed: one step finer would not fit.
    if factor > 1:
        finer = shape[0] * -(-shape[1] // (factor - 1)) * -(-shape[2] // (factor - 1))
        assert finer + 4 * shape[1] * shape[2] > featuremaps.MAX_BYTES - 30_000 - 36 * shape[0]
        assert finer > cells


def test_64_maps_of_56_by_56_take_at_most_300_kilobytes(panda: np.ndarray) -> None:
    assert len(payload_of(maps_of(64, 56, 56), panda)) <= 300_000


def test_the_chosen_map_is_exact_and_the_box_is_the_fields(panda: np.ndarray) -> None:
    maps = maps_of(64, 112, 112)
    got = _unpack(payload_of(maps, panda, unit=(9, 100, 3)))
    assert np.array_equal(got["exact"], maps[9])  # type: ignore[arg-type]
    meta = got["meta"]
    assert meta["unit"] == {"channel": 9, "row": 100, "column": 3}  # type: ignore[index]
    assert meta["factor"] == 2 and got["maps"].shape == (64, 56, 56)  # type: ignore[index, attr-defined]
    assert meta["field"]["box"] == [-3.0, -3.0, 8.0, 8.0] and meta["field"]["centre"] == [2.5, 2.5]  # type: ignore[index]
