"""Networks at their very first step, over several seeds: the gradient's norm and the activations' spread by layer.

`python -m cnn_core.training.first_step EXPERIMENT ...` writes what the pages show before anything was run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..assets import ASSETS
from ..errors import ConvLensError, InvalidOption
from .experiment import ClassicRecipe
from .experiments import experiment_of
from .recipe import Recipe
from .strict_json import from_words, to_json

FOLDER: Final = ASSETS / "bands" / "first_steps"


@dataclass(frozen=True, eq=False)
class FirstStep:
    """One arm before anything is learned: its first batch, forward and backward, for each seed."""

    arm: str
    layers: tuple[str, ...]
    """Convolutions and linear layers, in the network's order."""
    gradient_norms: NDArray[np.float64]
    """(seeds, layers): L2 norm of the loss's gradient for each layer's weights."""
    activations: tuple[str, ...]
    """ReLU, sigmoid and tanh layers, in the network's order."""
    activation_std: NDArray[np.float64]
    """(seeds, activations): standard deviation of what each gives for the batch."""
    losses: NDArray[np.float64]
    """(seeds,)"""
    seeds: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return self.gradient_norms.nbytes + self.activation_std.nbytes + self.losses.nbytes


def first_steps(
    experiment_key: str, *, arms: Sequence[str] | None = None, seeds: Sequence[int] = (0, 1, 2, 3, 4)
) -> Mapping[str, FirstStep]:
    """The first batch of each arm that is a network, by arm: what `train` meets at its first step, to the same numbers.

    Nothing is learned and nothing is evaluated, so that it takes a moment where a run takes seconds. Raises
    InvalidOption for an experiment or arm that does not exist, for a classic machine, or without seeds.
    """
    experiment = experiment_of(experiment_key)
    if not seeds:
        raise InvalidOption("Name at least one seed.")
    chosen = experiment.arms if arms is None else tuple(experiment.arm(arm) for arm in arms)
    found = {}
    for arm in chosen:
        if isinstance(arm.recipe, ClassicRecipe):
            raise InvalidOption(f"{arm.title} is fitted in one go and has no first step.")
        steps = [_first(arm.recipe, seed) for seed in seeds]
        gradients, spreads, losses = zip(*steps, strict=True)
        found[arm.key] = FirstStep(
            arm.key,
            tuple(gradients[0]),
            np.array([list(one.values()) for one in gradients]),
            tuple(spreads[0]),
            np.array([list(one.values()) for one in spreads]),
            np.array(losses),
            tuple(seeds),
        )
    return found


def _first(recipe: Recipe, seed: int) -> tuple[dict[str, float], dict[str, float], float]:
    import torch
    import torch.nn.functional as F
    from torch import nn

    from .measuring import to_tensor
    from .networks import fresh_network
    from .run import parts_of, preprocessing_of
    from .seeds import derived_seed
    from .variants import subset

    if recipe.augmentation != "none":
        raise InvalidOption("The first step of an arm with augmentation is not read here.")
    train = subset(parts_of(recipe)[0], recipe.n_train, seed)
    order = torch.randperm(recipe.n_train, generator=torch.Generator().manual_seed(derived_seed(seed, "order", 0)))
    chosen = order[: recipe.batch_size].numpy()
    pictures = to_tensor(train.pictures[chosen], preprocessing_of(recipe))
    labels = torch.from_numpy(train.labels[chosen])
    spreads: dict[str, float] = {}
    # The caller may have switched gradients off.
    with torch.inference_mode(False), torch.enable_grad():
        module = fresh_network(recipe.network, seed)
        for name, part in module.named_modules():
            if isinstance(part, (nn.ReLU, nn.Sigmoid, nn.Tanh)):

                def read(layer: nn.Module, _: object, output: torch.Tensor, name: str = name) -> None:
                    spreads[name] = float(output.detach().std())

                part.register_forward_hook(read)  # of a module that nobody else has
        layers = {name: part for name, part in module.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))}
        loss = F.cross_entropy(module(pictures), labels)
        gradients = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
    norms = {name: float(gradient.norm()) for name, gradient in zip(layers, gradients, strict=True)}
    return norms, spreads, float(loss.detach())


def load_first_steps(experiment_key: str, folder: Path = FOLDER) -> Mapping[str, FirstStep] | None:
    """What was computed once for an experiment; None where nothing was, or where its recipes have changed since."""
    experiment = experiment_of(experiment_key)
    path = folder / f"{experiment.key}.json"
    if not path.is_file():
        return None
    told = from_words(json.loads(path.read_text(encoding="utf-8")))
    recipes = {arm.key: asdict(arm.recipe) for arm in experiment.arms}
    if any(recipes.get(arm) != recipe for arm, recipe in told["recipes"].items()):
        return None
    return {arm: _read(arm, found, tuple(told["seeds"])) for arm, found in told["arms"].items()}


def _read(arm: str, told: Mapping[str, Any], seeds: tuple[int, ...]) -> FirstStep:
    return FirstStep(
        arm,
        tuple(told["layers"]),
        np.array(told["gradient_norms"], dtype=np.float64),
        tuple(told["activations"]),
        np.array(told["activation_std"], dtype=np.float64),
        np.array(told["losses"], dtype=np.float64),
        seeds,
    )


def _rounded(values: NDArray[np.float64]) -> Any:
    # A float32 network's gradient has no more meaning than this.
    return [_rounded(one) for one in values] if values.ndim > 1 else [float(f"{value:.5g}") for value in values]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cnn_core.training.first_step", description=__doc__)
    parser.add_argument("experiments", metavar="EXPERIMENT", nargs="+")
    parser.add_argument("--seeds", type=int, default=10, help="how many: 0, 1, ... (10)")
    options = parser.parse_args(arguments)

    import torch

    torch.set_num_threads(1)  # several threads are slower on networks this small, and sum in another order
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        for key in options.experiments:
            experiment = experiment_of(key)
            found = first_steps(key, seeds=range(options.seeds))
            told = {
                "experiment": experiment.key,
                "seeds": list(range(options.seeds)),
                "made_with": f"torch {torch.__version__.split('+')[0]}, one thread",
                "recipes": {arm.key: asdict(arm.recipe) for arm in experiment.arms},
                "arms": {
                    arm: {
                        "layers": list(step.layers),
                        "gradient_norms": _rounded(step.gradient_norms),
                        "activations": list(step.activations),
                        "activation_std": _rounded(step.activation_std),
                        "losses": _rounded(step.losses),
                    }
                    for arm, step in found.items()
                },
            }
            path = FOLDER / f"{experiment.key}.json"
            path.write_text(to_json(told) + "\n", encoding="utf-8")
            print(f"-> {path}")
    except ConvLensError as error:
        print("error:", error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
