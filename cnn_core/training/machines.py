"""The three machines of one lesson behind one face: HOG with a linear SVM, an MLP and a CNN, fitted and ready to ask.

`python -m cnn_core.training.machines` fits those that come with ConvLens, and writes their weights into one file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..assets import ASSETS
from ..errors import InvalidOption, quote, suggest
from ..kept import kept
from .classic import ClassicRun, fit_classic, hog_features
from .data import data_set
from .experiment import Arm, ClassicRecipe
from .experiments import experiment_of
from .measuring import to_tensor
from .networks import small_network
from .recipe import Recipe
from .run import TrainingRun, preprocessing_of
from .trainer import train
from .variants import shift, shuffle_pixels

FILE: Final = ASSETS / "weights" / "machines.safetensors"
EXPERIMENT: Final = "three_machines"
REACH: Final = 8
"""How far a digit can be moved by hand, in pixels, in each direction."""
_BATCH: Final = 250
# What comes with ConvLens: set, arms of the experiment, and what is changed of them. Clothing is learned from for as
# long as the five landmark networks learn from it.
_SHIPPED: Final[dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "digits": (("hog_svm", "mlp", "cnn"), {}),
    "shuffled": (("hog_svm_shuffled", "mlp_shuffled", "cnn_shuffled"), {}),
    "fashion": (("hog_svm", "mlp", "cnn"), {"data": "fashion", "n_train": 6_000, "epochs": 10}),
}


@dataclass(frozen=True, eq=False)
class Machine:
    """A machine that has learned: it gives each class of a picture a score, and names the class with the largest."""

    key: str
    """ "hog_svm", "mlp" or "cnn"."""
    title: str
    recipe: Recipe | ClassicRecipe
    seed: int
    core_seconds: float
    """What fitting it took, in seconds of one core, on the machine where it was fitted."""
    weights: Mapping[str, Tensor]

    @property
    def n_parameters(self) -> int:
        """Every weight and threshold that was learned."""
        if self.is_classic:
            return sum(tensor.numel() for tensor in self.weights.values())
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def is_classic(self) -> bool:
        return isinstance(self.recipe, ClassicRecipe)

    @property
    def shuffled(self) -> bool:
        """It learned from pictures whose pixels stand in the one fixed shuffled order."""
        return self.recipe.shuffled_pixels

    @kept
    def module(self) -> nn.Module:
        """The network, in eval mode. Raises InvalidOption for HOG and SVM, which are none."""
        if not isinstance(self.recipe, Recipe):
            raise InvalidOption(f"{self.title} is no network.")
        with torch.device("meta"):
            module = small_network(self.recipe.network).build()
        module.to_empty(device="cpu")
        module.load_state_dict(dict(self.weights))
        return module.eval().requires_grad_(False)

    @kept
    def macs(self) -> int:
        """Multiply-adds for one picture; of HOG and SVM those of the SVM alone."""
        if self.is_classic:
            return self.weights["weights"].numel()
        from ..network import build_network

        side = data_set(self.recipe.data).side
        return build_network(self.module, (1, side, side)).macs

    def scores(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits, or distances from each class's plane, float32 (N, classes), of pictures uint8 (N, H, W).

        The pictures are as a person sees them: a machine that learned from shuffled pixels shuffles them first.
        """
        seen = shuffle_pixels(pictures) if self.shuffled else pictures
        if isinstance(self.recipe, ClassicRecipe):
            planes = hog_features(seen, self.recipe) @ self.weights["weights"].numpy().T
            return np.asarray(planes + self.weights["thresholds"].numpy(), dtype=np.float32)
        tensor = to_tensor(seen, preprocessing_of(self.recipe))
        with torch.inference_mode():
            return torch.cat([self.module(batch) for batch in tensor.split(_BATCH)]).numpy()

    def accuracy(self, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
        """The share of pictures that it names right, 0 to 1."""
        return float((self.scores(pictures).argmax(1) == labels).mean())

    def everywhere(self, picture: NDArray[np.uint8], reach: int = REACH) -> NDArray[np.float32]:
        """Its scores with the picture (H, W) moved to every place: float32 (2 reach + 1, 2 reach + 1, classes).

        [reach + down, reach + right] are those of the picture moved by (down, right) pixels.
        """
        places = range(-reach, reach + 1)
        moved = np.concatenate([shift(picture[None], down, right) for down in places for right in places])
        return self.scores(moved).reshape(len(places), len(places), -1)


def machine_of(arm: Arm, run: TrainingRun | ClassicRun) -> Machine:
    """What a run of the three machines' experiment left."""
    if isinstance(run, ClassicRun):
        weights = {
            "weights": torch.from_numpy(np.ascontiguousarray(run.weights, dtype=np.float32)),
            "thresholds": torch.from_numpy(np.ascontiguousarray(run.thresholds, dtype=np.float32)),
        }
    else:
        weights = dict(run.weights)
    return Machine(kind_of(arm.key), short_title(arm), run.recipe, run.seed, run.cpu_seconds, weights)


def kind_of(arm: str) -> str:
    """Which machine an arm of the experiment is: "hog_svm_shuffled" is a "hog_svm"."""
    return arm.removesuffix("_shuffled").rstrip("0123456789").removesuffix("_")


def short_title(arm: Arm) -> str:
    """The machine's name without what it learned from."""
    return arm.title.split(",")[0]


def fit(arm: Arm, seed: int, **settings: Any) -> Machine:
    """Fit one arm of the three machines' experiment; settings as `train` takes them, and HOG those of its data."""
    if isinstance(arm.recipe, ClassicRecipe):
        own = {field.name for field in fields(ClassicRecipe)}
        recipe = replace(arm.recipe, **{name: value for name, value in settings.items() if name in own})
        return machine_of(arm, fit_classic(recipe, seed))
    return machine_of(arm, train(EXPERIMENT, seed=seed, arm=arm.key, evaluate_every=0, **settings))


@lru_cache(maxsize=4)
def shipped_machines(name: str) -> tuple[Machine, ...]:
    """The machines that come with ConvLens: of "digits", of "shuffled" digits, or of "fashion".

    Raises InvalidOption for another name.
    """
    if name not in _SHIPPED:
        raise InvalidOption(f"There are no machines {quote(name)}. {suggest(name, _SHIPPED, limit=len(_SHIPPED))}")
    found = []
    with safe_open(FILE, framework="pt") as file:
        told, names = json.loads(file.metadata()["machines"]), list(file.keys())
        for entry in told[name]:
            kind = ClassicRecipe if entry["key"] == "hog_svm" else Recipe
            prefix = f"{name}/{entry['key']}/"
            weights = {key.removeprefix(prefix): file.get_tensor(key) for key in names if key.startswith(prefix)}
            found.append(
                Machine(
                    entry["key"],
                    entry["title"],
                    kind(**entry["recipe"]),
                    entry["seed"],
                    entry["core_seconds"],
                    weights,
                )
            )
    return tuple(found)


def parameters_by_side(side: int, channels: int = 1) -> tuple[int, int]:
    """Parameters of (MLP, CNN) of this lesson for pictures of side x side pixels: counted from the layers' shapes.

    The MLP has a weight for every value of the picture and hidden unit; the CNN's kernels do not know the side.
    """
    inputs, hidden, classes = side * side * channels, 128, 10
    network = inputs * hidden + hidden + hidden * classes + classes
    widths = (channels, 16, 32, 32)
    kernels = sum(before * after * 9 + after for before, after in pairwise(widths))
    return network, kernels + widths[-1] * classes + classes


def write_shipped(path: Path = FILE) -> None:
    """Fit the machines that come with ConvLens, with seed 0, and write them into one file."""
    tensors: dict[str, Tensor] = {}
    told: dict[str, list[dict[str, Any]]] = {}
    for name, (arms, settings) in _SHIPPED.items():
        told[name] = []
        for key in arms:
            machine = fit(experiment_of(EXPERIMENT).arm(key), seed=0, **settings)
            tensors |= {f"{name}/{machine.key}/{part}": tensor for part, tensor in machine.weights.items()}
            told[name].append(
                {
                    "key": machine.key,
                    "title": machine.title,
                    "recipe": asdict(machine.recipe),
                    "seed": machine.seed,
                    "core_seconds": round(machine.core_seconds, 2),
                }
            )
            print(f"{name}: {machine.title}, {machine.core_seconds:.1f} s of a core")
    save_file(tensors, path, metadata={"machines": json.dumps(told)})


if __name__ == "__main__":
    torch.set_num_threads(1)  # several threads are slower on networks this small, and sum in another order
    write_shipped()
