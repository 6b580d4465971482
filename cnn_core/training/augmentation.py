"""Pictures turned, moved, resized and sheared a little while a network learns, drawn from one generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InvalidOption, quote


@dataclass(frozen=True)
class Augmentation:
    """How far each picture may be changed; every amount is drawn evenly from minus to plus its limit."""

    key: str
    title: str
    degrees: float
    shift: float
    """Part of the picture's side."""
    scale: float
    shear: float
    flip: bool
    """Mirror left and right, for half of the pictures."""


AUGMENTATIONS = {
    a.key: a
    for a in (
        Augmentation("affine", "turn 15°, shift 10 %, scale 15 %, shear 0.2", 15.0, 0.10, 0.15, 0.2, False),
        Augmentation("affine_flip", "turn 15°, shift 10 %, scale 15 %, shear 0.2, mirror", 15.0, 0.10, 0.15, 0.2, True),
    )
}


def augmentation(key: str) -> Augmentation:
    """The augmentation of this key; InvalidOption, naming the valid ones, where there is none."""
    if key not in AUGMENTATIONS:
        raise InvalidOption(f"There is no augmentation {quote(key)}. Use {', '.join(AUGMENTATIONS)}, or none.")
    return AUGMENTATIONS[key]


def augment(pictures: Tensor, kind: Augmentation, generator: torch.Generator) -> Tensor:
    """A changed copy of normalised pictures float32 (N, 1, H, W), read bilinearly, the border's colour outside."""
    n = len(pictures)
    # One draw of all numbers: row by row they are angle, scale, shear, shift right, shift down, mirror.
    turn, scale, shear, right, down, mirror = (torch.rand(6, n, generator=generator) * 2 - 1).unbind()
    angle = turn * (kind.degrees * math.pi / 180)
    size = 1 + scale * kind.scale
    sign = torch.where(mirror < 0, -1.0, 1.0) if kind.flip else torch.ones(n)
    matrix = torch.zeros(n, 2, 3)
    # Rows of the inverse map: where each output pixel is read, in coordinates from -1 to 1.
    matrix[:, 0, 0] = sign * torch.cos(angle) / size
    matrix[:, 0, 1] = shear * kind.shear - torch.sin(angle) / size
    matrix[:, 1, 0] = sign * torch.sin(angle) / size
    matrix[:, 1, 1] = torch.cos(angle) / size
    matrix[:, 0, 2] = right * 2 * kind.shift
    matrix[:, 1, 2] = down * 2 * kind.shift
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False, padding_mode="border")
