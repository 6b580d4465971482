"""Herds as folders: every picture, mask, box and ground can be read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_core as cc
from cnn_core.bias.herds import box_of, ground_names, herd_boxes, herd_names, herd_regions, write_herd
from cnn_core.training.cow_camel import draw_herd
from cnn_core.training.cow_camel_grounds import TEXTURES


def test_a_herd_is_written_with_masks_boxes_and_grounds(tmp_path: Path) -> None:
    herd = draw_herd(5, seed=2, correlation=0.5, side=64)
    write_herd(tmp_path / "herd", herd, masks=tmp_path / "masks", boxes=tmp_path / "b" / "boxes.json",
               grounds=tmp_path / "grounds.csv")  # fmt: skip
    names = herd_names(herd)
    assert {str(p.relative_to(tmp_path / "herd")) for p in (tmp_path / "herd").rglob("*.png")} == set(names)
    assert [name.split("/")[0] for name in names] == ["cow", "camel"] * 2 + ["cow"]
    told = json.loads((tmp_path / "b" / "boxes.json").read_text())
    files = {image["id"]: image["file_name"] for image in told["images"]}
    for i, name in enumerate(names):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "herd" / name)), herd.pictures[i])
        mask = np.asarray(Image.open(tmp_path / "masks" / name)) == 255
        assert np.array_equal(mask, herd.masks[i] >= 0.5)
        x, y, width, height = next(a["bbox"] for a in told["annotations"] if files[a["image_id"]] == name)
        # Nothing of the animal outside its box, and something in each of the box's outer rows and columns.
        inside = mask[y : y + height, x : x + width]
        assert inside.sum() == mask.sum()
        assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
    with (tmp_path / "grounds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ground"] for row in rows] == [("grass", "sand")[ground] for ground in herd.grounds]
    assert [row["picture"] for row in rows] == list(names)


def test_without_masks_and_boxes_there_are_pictures_alone(tmp_path: Path) -> None:
    herd = draw_herd(2, seed=1, neutral=True)
    write_herd(tmp_path, herd)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["0000.png", "0001.png"]
    assert ground_names(herd) == ("neutral", "neutral") and set(herd_boxes(herd)) == set(herd_names(herd))


def test_regions_are_boxes_or_the_exact_masks() -> None:
    herd = draw_herd(3, seed=4)
    boxes, exact = herd_regions(herd), herd_regions(herd, exact=True)
    for name, mask in zip(herd_names(herd), herd.masks >= 0.5, strict=True):
        assert np.array_equal(exact[name].mask_of(48, 48), mask)
        assert not (mask & ~boxes[name].mask_of(48, 48)).any()


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(cc.InvalidOption, match="empty"):
        box_of(np.zeros((4, 4), np.float32))


@pytest.mark.parametrize("textures", TEXTURES)
def test_another_size_shows_the_same_scene(textures: str) -> None:
    small, large = (draw_herd(4, seed=9, correlation=0.5, side=side, textures=textures) for side in (48, 96))
    assert large.pictures.shape == (4, 96, 96, 3) and np.array_equal(small.grounds, large.grounds)
    halved = large.pictures.reshape(4, 48, 2, 48, 2, 3).mean((2, 4))
    # Finer grain averages out to a few grey levels; another scene would be off by tens.
    assert np.abs(halved - small.pictures).mean() < 9
    shrunk = large.masks.reshape(4, 48, 2, 48, 2).mean((2, 4))
    assert np.abs(shrunk - small.masks).mean() < 0.01


def test_textures_change_grounds_and_leave_animals() -> None:
    herds = [draw_herd(8, seed=9, textures=key) for key in TEXTURES]
    for other in herds[1:]:
        assert np.array_equal(other.masks, herds[0].masks)
        assert not np.array_equal(other.empty, herds[0].empty)


@pytest.mark.parametrize("given", [{"side": 8}, {"side": 5000}, {"textures": "lava"}])
def test_what_cannot_be_drawn_is_said(given: dict) -> None:
    with pytest.raises(cc.InvalidOption, match=r"side|textures lava|textures"):
        draw_herd(1, seed=0, **given)
