"""Train the LeNet-5 that comes with ConvLens: `python -m cnn_core.training.lenet5` (a few seconds on one core)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..assets import ASSETS
from ..models.architectures import allocate, build_architecture
from ..models.initialise import initialise
from ..models.lenet5 import PREPROCESSING
from .data import Split, load_digits

SEED: Final = 0
EPOCHS: Final = 3
BATCH_SIZE: Final = 64
PEAK_LEARNING_RATE: Final = 5e-3
DEFAULT_OUTPUT: Final = ASSETS / "weights" / "lenet5.safetensors"


def to_tensors(split: Split) -> tuple[Tensor, Tensor]:
    """Normalised pictures float32 (N, 1, 28, 28), and labels int64 (N,)."""
    pictures = torch.from_numpy(split.pictures).to(torch.float32).div_(255)
    return pictures.sub_(PREPROCESSING.mean[0]).div_(PREPROCESSING.std[0])[:, None], torch.from_numpy(split.labels)


def train(pictures: Tensor, labels: Tensor) -> nn.Module:
    """Adam under a one-cycle schedule (Smith 2018), every random choice drawn from one seeded generator."""
    generator = torch.Generator().manual_seed(SEED)
    model = build_architecture("lenet5", trained=False)
    allocate(model)
    initialise(model, generator)
    model.requires_grad_(True).train()
    steps = EPOCHS * -(-len(pictures) // BATCH_SIZE)
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pictures), generator=generator).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(model(pictures[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


@torch.inference_mode()
def accuracy(model: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    """The share of pictures whose largest logit is the label's, 0 to 1."""
    return float((model(pictures).argmax(1) == labels).to(torch.float64).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT, help="where to write the weights")
    output: Path = parser.parse_args().output
    torch.set_num_threads(1)  # several threads are slower on a network this small, and sum in another order
    torch.use_deterministic_algorithms(True)
    train_split, test_split = load_digits()
    begin = time.perf_counter()
    model = train(*to_tensors(train_split))
    seconds = time.perf_counter() - begin
    test_accuracy = accuracy(model, *to_tensors(test_split))
    metadata = {
        "architecture": "lenet5",
        "class_names": ",".join(str(digit) for digit in np.unique(train_split.labels)),
        "test_accuracy": f"{test_accuracy:.4f}",
        "n_train": str(len(train_split.labels)),
        "n_test": str(len(test_split.labels)),
        "recipe": f"{EPOCHS} epochs, batch {BATCH_SIZE}, Adam one-cycle {PEAK_LEARNING_RATE:g}, seed {SEED}",
        "data": "MNIST (LeCun, Cortes, Burges), the 10,000 digits of assets/data/mnist_10k.npz",
    }
    save_file(model.state_dict(), output, metadata=metadata)
    print(f"trained in {seconds:.1f} s; {test_accuracy:.2%} of {len(test_split.labels)} test digits right -> {output}")


if __name__ == "__main__":
    main()
