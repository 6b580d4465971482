"""Train the five small landmark networks that come with ConvLens: `python -m cnn_core.training.landmarks`.

All five learn from the same pictures of clothing with the same number of steps, the same batches, the same optimiser
and the same learning rate (the experiment "landmarks"); about six minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from ..assets import ASSETS
from ..network import build_network
from .data import data_set
from .experiments import experiment_of
from .run import Step, TrainingRun
from .trainer import train

EXPERIMENT: Final = "landmarks"
SEED: Final = 0
FOLDER: Final = ASSETS / "weights"
_EVERY: Final = 94  # steps between two lines of progress: one pass


def write(run: TrainingRun, folder: Path) -> Path:
    """The weights as <network>.safetensors, with what was measured and how they came about as its metadata."""
    recipe, data = run.recipe, data_set(run.recipe.data)
    path = folder / f"{recipe.network}.safetensors"
    network = build_network(run.module(), (data.channels, data.side, data.side))
    metadata = {
        "architecture": recipe.network,
        "class_names": ",".join(data.class_names),
        "parameters": str(network.n_parameters),
        "macs": str(network.macs),
        "test_accuracy": f"{run.test_accuracy:.4f}",
        "train_accuracy": f"{run.train_accuracy:.4f}",
        "n_train": str(recipe.n_train),
        "n_test": str(data.n_test),
        "epochs": f"{recipe.epochs:g}",
        "core_seconds": f"{run.cpu_seconds:.0f}",
        "recipe": (
            f"{recipe.steps} steps, batch {recipe.batch_size}, {recipe.optimiser} {recipe.schedule} "
            f"{recipe.learning_rate:g}, seed {run.seed}"
        ),
        "data": f"{data.source} (assets/data/fashion_6k2k.npz)",
    }
    save_file({name: tensor.contiguous() for name, tensor in run.weights.items()}, path, metadata=metadata)
    return path


def _progress(arm: str) -> Callable[[Step], None]:
    def report(step: Step) -> None:
        if step.number % _EVERY == 0 or step.number == step.of:
            print(f"{arm}: step {step.number} of {step.of}, loss {step.loss:.4f}", file=sys.stderr, flush=True)

    return report


def main() -> None:
    keys = [arm.key for arm in experiment_of(EXPERIMENT).arms]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=keys, help="one of the five (all of them)")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="the folder to write the weights to")
    options = parser.parse_args()
    torch.set_num_threads(1)  # several threads are slower on networks this small, and sum in another order
    for key in [options.only] if options.only else keys:
        run = train(EXPERIMENT, seed=SEED, arm=key, on_step=_progress(key), evaluate_every=0)
        path = write(run, options.output)
        print(
            f"{key}: {run.n_parameters:,} parameters, {run.cpu_seconds:.0f} s of one core, "
            f"{run.train_accuracy:.2%} of the training pictures and {run.test_accuracy:.2%} of "
            f"{data_set(run.recipe.data).n_test:,} test pictures right -> {path}",
            flush=True,
        )


if __name__ == "__main__":
    main()
