"""What a training run leaves: every step's numbers, the weights, and a classifier like any other."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InvalidOption
from ..models.card import ModelCard
from ..models.classifier import Classifier
from ..preprocessing import ModelInput, Preprocessing
from .data import Split, data_set, load_data_set
from .experiment import ClassicRecipe
from .measuring import ActivationStatistics
from .networks import small_network
from .recipe import Recipe
from .variants import shuffle_pixels

State = Literal["finished", "stopped", "diverged"]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy in the middle of a run, on the first pictures of each part, and the activations of 64 of them."""

    train_accuracy: float
    test_accuracy: float
    n_train: int
    """How many training pictures the accuracy is of."""
    n_test: int
    activations: Mapping[str, ActivationStatistics] = field(hash=False)
    """By the path of the activation layer, in the network's order."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """How many of the test pictures of class (row) were taken for class (column)."""
    kernels: tuple[float, ...] = ()
    """Weights of the first convolution's first 16 filters, flat; empty where the network begins with no convolution."""
    kernel_shape: tuple[int, ...] = ()
    """(filters, channels, rows, columns)"""


@dataclass(frozen=True)
class Step:
    """One optimiser step, reported as soon as it is done."""

    number: int
    """Steps done, this one included: 1, 2, ..."""
    of: int
    epoch: float
    """Passes through the training pictures so far."""
    loss: float
    """Mean cross-entropy of this step's batch, before the step; NaN or infinite where the run diverged."""
    learning_rate: float
    momentum: float
    gradient_norms: Mapping[str, float] = field(hash=False)
    """L2 norm of the loss's gradient for the weights of each convolution and linear layer, in the network's order."""
    seconds: float
    """Time on the clock spent learning so far, without the measuring in between."""
    cpu_seconds: float
    """The same in seconds of this thread on a core: what other work on the machine does not change."""
    evaluation: Evaluation | None
    """At the first step, the last one, and every so many between."""

    @property
    def seconds_left(self) -> float:
        """An estimate from the mean so far, in seconds of learning."""
        return self.seconds / self.number * (self.of - self.number)


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A network that has learned, and how; nothing here changes any more.

    state: "finished"; "stopped" (somebody asked for it: what was learned is here); "diverged" (the loss or the weights
    are no finite numbers any more). weights: the module's state dict; optimiser: what a continued run starts from.
    The accuracies are of all `recipe.n_train` training pictures and the whole test part, after the last step.
    """

    experiment: str
    arm: str
    title: str
    recipe: Recipe
    seed: int
    state: State
    note: str
    steps: tuple[Step, ...]
    train_accuracy: float
    test_accuracy: float
    weights: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]

    @property
    def steps_done(self) -> int:
        """Steps after which the weights are finite or were kept: where a stopped run continues."""
        return self.steps[-1].number if self.steps else 0

    @property
    def losses(self) -> np.ndarray:
        """float64 (steps,): the loss of every step, NaN and infinity included."""
        return np.array([step.loss for step in self.steps])

    @property
    def seconds(self) -> float:
        return self.steps[-1].seconds if self.steps else 0.0

    @property
    def cpu_seconds(self) -> float:
        return self.steps[-1].cpu_seconds if self.steps else 0.0

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.module().parameters())

    def module(self) -> nn.Module:
        """A copy of the network with these weights, in eval mode."""
        with torch.device("meta"):
            module = small_network(self.recipe.network, self.recipe.data).build()
        module.to_empty(device="cpu")
        module.load_state_dict(dict(self.weights))
        return module.eval().requires_grad_(False)

    def classifier(self, device: str | torch.device = "cpu") -> Classifier:
        """The network as every other page knows one: trace it, open its units, ask Grad-CAM."""
        data = data_set(self.recipe.data)
        network = small_network(self.recipe.network, data.key)
        module = self.module()
        done = f"{self.steps_done:,} steps on {self.recipe.n_train:,} pictures, seed {self.seed}"
        note = (
            f"Trained here ({done}); it names {100 * self.test_accuracy:.1f} % of {data.n_test:,} other pictures right."
        )
        if self.recipe.shuffled_pixels:
            note += " It learned from pictures with shuffled pixels, and sees nothing in any other."
        card = ModelCard(
            key=f"run_{self.digest[:16]}",
            title=f"{network.title}, trained here",
            family="Trained here",
            year=network.year,
            source=network.source,
            n_parameters=self.n_parameters,
            input_size=(data.side, data.side),
            n_classes=len(data.class_names),
            macs=None,
            preprocessing=preprocessing_of(self.recipe),
            weights_name=f"{self.experiment}, {self.title}, seed {self.seed}",
            weights_available=True,
            weights_note=note,
            download_megabytes=None,
            classes_note=data.title.lower(),
        )
        return Classifier(
            module,
            card,
            class_names=data.class_names,
            weights="checkpoint",
            weights_note=note,
            key=f"run:{self.recipe.network}:{self.digest[:16]}",
            device=device,
        )

    def example(self, index: int) -> ModelInput:
        """Test picture `index` as this network sees it: its pixels shuffled where the run learned so."""
        _, test = parts_of(self.recipe)
        if not 0 <= index < len(test):
            raise InvalidOption(f"There is no test picture {index}: they are numbered 0 to {len(test) - 1}.")
        return preprocessing_of(self.recipe).from_rgb(rgb_of(test.pictures[index]))

    def save(self, path: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write NAME.safetensors and NAME.json; `load_run` reads them, and `resume` continues a stopped run."""
        from .storage import save_run

        return save_run(self, path)

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe, the seed and the weights: equal for equal runs, whatever the clock said."""
        return digest_of(self.recipe, self.seed, self.weights)


def digest_of(recipe: Recipe, seed: int, weights: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256(repr((recipe, seed)).encode())
    for name, tensor in sorted(weights.items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()


# A picture of 28 x 28 greys arrives as 0 to 1; by 1/255 it is 0 to 255 again.
_RAW: Final = ((0.0,), (1 / 255,))


def preprocessing_of(recipe: Recipe) -> Preprocessing:
    """From a picture to what a network of this recipe sees."""
    data = data_set(recipe.data)
    mean, std = _RAW if recipe.normalisation == "raw" else ((data.mean,), (data.std,))
    return Preprocessing(
        resize=data.side,
        crop=data.side,
        mean=mean * data.channels,
        std=std * data.channels,
        channels=data.channels,
        invert_light_background=data.light_on_black,
    )


def rgb_of(picture: np.ndarray) -> np.ndarray:
    """A picture of a data set, greys (H, W) or colours (H, W, 3), as uint8 (H, W, 3)."""
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture


def parts_of(recipe: Recipe | ClassicRecipe) -> tuple[Split, Split]:
    """The whole training part and the test part of a recipe's data, with the pixels shuffled where it says so."""
    train, test = load_data_set(recipe.data)
    if not recipe.shuffled_pixels:
        return train, test
    return (
        Split(shuffle_pixels(train.pictures), train.labels, train.indices),
        Split(shuffle_pixels(test.pictures), test.labels, test.indices),
    )


def divergence_note(step: int, loss: float) -> str:
    """What happened, in a sentence, and what would help."""
    what = "the weights are no finite numbers any more"
    if not math.isfinite(loss):
        what = "the loss became infinite" if math.isinf(loss) else "the loss is not a number any more (NaN)"
    return f"Diverged at step {step}: {what}. Try a smaller learning rate, or a normalised input."
