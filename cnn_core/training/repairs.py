"""What may free a network from its pictures' grounds: colours shaken blindly, or grounds exchanged by the masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InvalidOption, quote
from ..preprocessing import Preprocessing
from .augmentation import AUGMENTATIONS, augment
from .data import Cutouts, data_set
from .measuring import to_tensor
from .recipe import Recipe
from .repair_kinds import REPAIRS, Repair

Change = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""(batch, where its pictures stand among those to learn from, generator) -> the changed batch."""

_LEAST_GAIN: Final = 0.4
_MOST_GAIN: Final = 1.6


def check_augmentation(recipe: Recipe) -> None:
    """Raises InvalidOption for an augmentation that there is not, or that needs masks which the data does not have."""
    key = recipe.augmentation
    if key != "none" and key not in AUGMENTATIONS and key not in REPAIRS:
        raise InvalidOption(
            f"There is no augmentation {quote(key)}. Use {', '.join((*AUGMENTATIONS, *REPAIRS))}, or none."
        )
    if key in AUGMENTATIONS or key == "none":
        return
    data = data_set(recipe.data)
    if REPAIRS[key].needs_masks and data.cutouts is None:
        raise InvalidOption(f"{quote(key)} needs to know where the object is, and {data.title.lower()} has no masks.")
    if data.channels != 3:
        raise InvalidOption(f"{quote(key)} changes colours, and {data.title.lower()} is grey.")


def change_of(recipe: Recipe, preprocessing: Preprocessing, rows: NDArray[np.int64]) -> Change | None:
    """How a recipe changes its batches; None where it does not.

    rows: for each picture to learn from, where it stands in the data set's training part.
    """
    check_augmentation(recipe)
    key = recipe.augmentation
    if key == "none":
        return None
    if key in AUGMENTATIONS:
        return lambda batch, chosen, generator: augment(batch, AUGMENTATIONS[key], generator)
    repair = REPAIRS[key]
    if repair.colours:
        return lambda batch, chosen, generator: shaken(batch, preprocessing, generator)
    cutouts = data_set(recipe.data).cutouts
    assert cutouts is not None  # checked above
    return _Grounds(cutouts(), preprocessing, rows, repair)


def shaken(batch: Tensor, preprocessing: Preprocessing, generator: torch.Generator) -> Tensor:
    """Normalised pictures float32 (N, 3, H, W), the channels of each in a drawn order, times 0.4 to 1.6 each."""
    n = len(batch)
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (preprocessing.mean, preprocessing.std))
    gains = _LEAST_GAIN + (_MOST_GAIN - _LEAST_GAIN) * torch.rand(n, 3, 1, 1, generator=generator)
    order = torch.rand(n, 3, generator=generator).argsort(1)
    colours = ((batch * std + mean) * gains).clamp(0, 1)
    mixed = colours.gather(1, order[:, :, None, None].expand_as(colours))
    return (mixed - mean) / std


class _Grounds:
    """Puts objects on other grounds: what the object covers stays, the rest is another picture's, exactly."""

    def __init__(self, cutouts: Cutouts, preprocessing: Preprocessing, rows: NDArray[np.int64], repair: Repair) -> None:
        self._masks = torch.from_numpy(cutouts.masks[rows])[:, None]
        self._grounds = to_tensor(cutouts.empty[rows], preprocessing)
        self._invented = to_tensor(cutouts.invented, preprocessing) if repair.invented else None
        self._repair = repair

    def __call__(self, batch: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
        n = len(batch)
        kind = torch.rand(n, generator=generator)
        other = self._grounds[torch.randint(len(self._grounds), (n,), generator=generator)]
        if self._invented is not None:
            invented = self._invented[torch.randint(len(self._invented), (n,), generator=generator)]
            other = torch.where((kind < self._repair.invented)[:, None, None, None], invented, other)
        own = self._grounds[chosen]
        stays = (kind >= self._repair.swapped + self._repair.invented)[:, None, None, None]
        # picture = animal * mask + ground * (1 - mask), so this exchanges the ground and nothing else.
        return torch.where(stays, batch, batch + (1 - self._masks[chosen]) * (other - own))
