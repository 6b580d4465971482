"""A small world in which it is known what a network looks at: squares on coloured grounds, and two networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from cnn_core.bias.regions import Box, Region
from cnn_core.images import Preprocessing
from cnn_core.models.card import ModelCard
from cnn_core.models.classifier import Classifier

SIDE = 32
OBJECT = 12
CLASSES = ("magenta", "cyan")
_OBJECTS = {"magenta": (200, 0, 200), "cyan": (0, 200, 200)}
_GROUNDS = {"grass": (0, 160, 0), "sand": (200, 170, 80)}
# One 1 x 1 filter for each class, on (red, green, blue); each answers one colour of this world and no other.
_FILTERS = {
    "ground": ((-1.0, 1.0, -1.0), (1.0, 0.0, -1.0)),  # grass; sand
    "object": ((0.0, -1.0, 1.0), (-1.0, 0.0, 1.0)),  # magenta; cyan
}


def picture(label: str, ground: str, seed: int, at: tuple[int, int] | None = None) -> tuple[NDArray[np.uint8], Box]:
    """uint8 (32, 32, 3) and the box round the object."""
    rng = np.random.default_rng(seed)
    rgb = np.broadcast_to(np.array(_GROUNDS[ground]), (SIDE, SIDE, 3)) + rng.integers(0, 12, (SIDE, SIDE, 1))
    row, column = at if at is not None else rng.integers(2, SIDE - OBJECT - 2, 2)
    rgb[row : row + OBJECT, column : column + OBJECT] = _OBJECTS[label]
    return rgb.astype(np.uint8), Box(float(row), float(column), float(row + OBJECT), float(column + OBJECT))


def write(
    folder: Path, n: int, *, balanced: bool = False, at: tuple[tuple[int, int], ...] = ()
) -> tuple[dict[str, Region], dict[str, str]]:
    """n pictures as folder/<label>/<number>.png; their regions and grounds by name.

    Magenta stands on grass and cyan on sand, or with `balanced` each of them on both as often. at: places in turn.
    """
    regions, grounds = {}, {}
    for i in range(n):
        label = CLASSES[i % 2]
        other = balanced and i % 4 > 1
        ground = ("sand" if other else "grass") if label == "magenta" else ("grass" if other else "sand")
        rgb, box = picture(label, ground, i, at[(i // 2) % len(at)] if at else None)
        name = f"{label}/{i:03}.png"
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(folder / name)
        regions[name], grounds[name] = Region((box,)), ground
    return regions, grounds


def network(kind: str) -> Classifier:
    """A classifier that looks at the "ground" alone, or at the "object" alone."""
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(_FILTERS[kind])[..., None, None])
        module[0].bias.zero_()
        module[4].weight.copy_(10 * torch.eye(2))
        module[4].bias.copy_(torch.tensor([0.01, 0.0]))  # where nothing is seen: magenta
    card = ModelCard(
        key=f"world_{kind}",
        title=f"Looks at the {kind}",
        family="Tests",
        year=2026,
        source="",
        n_parameters=14,
        input_size=(SIDE, SIDE),
        n_classes=2,
        macs=None,
        preprocessing=Preprocessing(resize=SIDE, crop=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3),
        weights_name="by hand",
        weights_available=True,
        weights_note="Set by hand.",
        download_megabytes=None,
    )
    return Classifier(
        module, card, class_names=CLASSES, weights="checkpoint", weights_note="Set by hand.", key=f"world:{kind}"
    )
