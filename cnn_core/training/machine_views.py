"""What each of the three machines looks with, in numbers: HOG's strokes, the MLP's first weights, the CNN's kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..errors import InvalidOption
from .classic import hog_picture
from .experiment import ClassicRecipe
from .machines import Machine
from .measuring import to_tensor
from .recipe import Recipe
from .run import preprocessing_of
from .variants import shuffle_pixels

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inside:
    """One picture as three machines take it in."""

    seen: NDArray[np.uint8]
    """(H, W): the picture as they are shown it, its pixels shuffled where they learned so."""
    hog: Floats
    """(H, W): what HOG keeps, drawn as strokes along the edges of each cell; 0 and up."""
    said: int
    """The class that the MLP names."""
    units: NDArray[np.int64]
    """(k,): hidden units of the MLP, those that add most to the logit of what it says first."""
    answers: Floats
    """(k,): each unit's output after ReLU."""
    shares: Floats
    """(k,): what each unit adds to (or takes from) that logit: its output times its weight there."""
    weights: Floats
    """(k, H, W): each unit's weight for every pixel."""
    kernels: Floats
    """(16, 3, 3): the CNN's first kernels."""
    maps: Floats
    """(16, H, W): the CNN's first maps of the picture, after ReLU."""


def look_inside(hog: Machine, mlp: Machine, cnn: Machine, picture: NDArray[np.uint8], *, n_units: int = 24) -> Inside:
    """Open three machines of one kind of data on a picture uint8 (H, W), as a person sees it.

    Raises InvalidOption for machines of which some learned from shuffled pixels and some did not.
    """
    if len({machine.shuffled for machine in (hog, mlp, cnn)}) > 1:
        raise InvalidOption("These machines did not learn from the same pixels.")
    designed, dense, shared = hog.recipe, mlp.recipe, cnn.recipe
    if not (isinstance(designed, ClassicRecipe) and isinstance(dense, Recipe) and isinstance(shared, Recipe)):
        raise InvalidOption("Give HOG and SVM, the MLP and the CNN, in this order.")
    seen = shuffle_pixels(picture[None])[0] if mlp.shuffled else picture
    with torch.inference_mode():
        x = to_tensor(seen[None], preprocessing_of(dense))
        first, second = mlp.weights["fc1.weight"], mlp.weights["fc2.weight"]
        answers = F.relu(x.flatten(1) @ first.T + mlp.weights["fc1.bias"])[0]
        said = int((answers @ second.T + mlp.weights["fc2.bias"]).argmax())
        shares = answers * second[said]
        units = shares.argsort(descending=True)[:n_units]
        y = to_tensor(seen[None], preprocessing_of(shared))
        maps = F.relu(F.conv2d(y, cnn.weights["conv1.weight"], cnn.weights["conv1.bias"], padding=1))[0]
    side = picture.shape[0]
    return Inside(
        seen=seen,
        hog=hog_picture(seen, designed).astype(np.float32),
        said=said,
        units=units.numpy(),
        answers=answers[units].numpy(),
        shares=shares[units].numpy(),
        weights=first[units].reshape(-1, side, side).numpy(),
        kernels=cnn.weights["conv1.weight"][:, 0].numpy(),
        maps=maps.numpy(),
    )
