"""Drawn cows and camels as a folder of pictures, with everything that an audit could be told about them."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidOption
from ..training.cow_camel import CLASSES, GROUNDS, Herd
from .regions import Box, Region

_COVERED: Final = 0.5
"""A pixel belongs to the animal where it covers at least this share of it."""


def herd_names(herd: Herd) -> tuple[str, ...]:
    """Where each picture stands in a folder written by `write_herd`: "cow/0000.png", "camel/0001.png", ..."""
    return tuple(f"{CLASSES[label]}/{i:04d}.png" for i, label in enumerate(herd.labels))


def ground_names(herd: Herd) -> tuple[str, ...]:
    """The ground of each picture: "grass", "sand", or "neutral"."""
    return tuple("neutral" if ground < 0 else GROUNDS[ground] for ground in herd.grounds)


def box_of(mask: NDArray[np.float32]) -> Box:
    """The smallest box around an animal's mask (height, width). Raises InvalidOption where nothing is covered."""
    rows, columns = np.flatnonzero((mask >= _COVERED).any(1)), np.flatnonzero((mask >= _COVERED).any(0))
    if not len(rows):
        raise InvalidOption("The mask is empty: there is nothing to draw a box around.")
    return Box(float(rows[0]), float(columns[0]), float(rows[-1]) + 1, float(columns[-1]) + 1)


def herd_boxes(herd: Herd) -> dict[str, Box]:
    """The box around each animal, by the picture's name in the folder."""
    return {name: box_of(mask) for name, mask in zip(herd_names(herd), herd.masks, strict=True)}


def herd_regions(herd: Herd, *, exact: bool = False) -> dict[str, Region]:
    """Where each animal is, by the picture's name in the folder: a box, as somebody would draw it, or the mask."""
    names = herd_names(herd)
    if exact:
        return {name: Region(mask=mask >= _COVERED) for name, mask in zip(names, herd.masks, strict=True)}
    return {name: Region((box,)) for name, box in herd_boxes(herd).items()}


def write_herd(
    folder: str | os.PathLike[str],
    herd: Herd,
    *,
    masks: str | os.PathLike[str] | None = None,
    boxes: str | os.PathLike[str] | None = None,
    grounds: str | os.PathLike[str] | None = None,
) -> None:
    """Write every picture as folder/<class>/<number>.png: a folder whose subfolders are labels.

    masks: another folder, for masks of the same names (255 where the animal is). boxes: a file for the boxes around
    the animals, in COCO's format; the pictures' names are relative to `folder`. grounds: a file for a table "picture,
    label, ground". Folders are made where there are none; files of these names are overwritten.
    """
    root = Path(folder)
    for name, picture in zip(herd_names(herd), herd.pictures, strict=True):
        _write_png(root / name, picture)
    if masks is not None:
        for name, mask in zip(herd_names(herd), herd.masks, strict=True):
            _write_png(Path(masks) / name, np.where(mask >= _COVERED, 255, 0).astype(np.uint8))
    if boxes is not None:
        Path(boxes).parent.mkdir(parents=True, exist_ok=True)
        Path(boxes).write_text(json.dumps(_coco(herd)), encoding="utf-8")
    if grounds is not None:
        Path(grounds).parent.mkdir(parents=True, exist_ok=True)
        with Path(grounds).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("picture", "label", "ground"))
            labels = (CLASSES[label] for label in herd.labels)
            table.writerows(zip(herd_names(herd), labels, ground_names(herd), strict=True))


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _coco(herd: Herd) -> dict[str, object]:
    """Boxes as COCO writes them: x and y of the upper left corner, width and height, in pixels."""
    height, width = herd.masks.shape[1:]
    found = herd_boxes(herd)
    return {
        "images": [
            {"id": i, "file_name": name, "height": height, "width": width} for i, name in enumerate(found, start=1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": int(label) + 1,
                "bbox": [int(v) for v in (box.left, box.top, box.right - box.left, box.bottom - box.top)],
                "area": int((box.right - box.left) * (box.bottom - box.top)),
                "iscrowd": 0,
            }
            for i, (box, label) in enumerate(zip(found.values(), herd.labels, strict=True), start=1)
        ],
    }
