"""Augmentation to look at: training pictures of an arm, and changed copies of them as the arm's network sees them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidOption
from .augmentation import augment, augmentation
from .experiment import ClassicRecipe
from .experiments import experiment_of
from .measuring import to_tensor
from .run import parts_of, preprocessing_of
from .seeds import derived_seed
from .variants import subset


def augmented_pictures(experiment_key: str, arm: str, *, seed: int, originals: int, copies: int) -> NDArray[np.uint8]:
    """uint8 (originals, 1 + copies, side, side): pictures of the arm's training subset, each followed by its copies.

    The copies are drawn by the same generator and the same arithmetic as in a run, and turned from what the network
    sees back into greys. Raises InvalidOption for an arm without augmentation.
    """
    recipe = experiment_of(experiment_key).arm(arm).recipe
    if isinstance(recipe, ClassicRecipe) or recipe.augmentation == "none":
        raise InvalidOption(f"{arm} learns from its pictures as they are.")
    chosen = subset(parts_of(recipe)[0], recipe.n_train, seed).pictures[:originals]
    preprocessing = preprocessing_of(recipe)
    seen = to_tensor(chosen, preprocessing)
    kind = augmentation(recipe.augmentation)
    rows = [chosen]
    for copy in range(copies):
        generator = torch.Generator().manual_seed(derived_seed(seed, "augmentation", copy))
        changed = augment(seen, kind, generator)[:, 0].numpy() * preprocessing.std[0] + preprocessing.mean[0]
        rows.append(np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8))
    return np.stack(rows, axis=1)
