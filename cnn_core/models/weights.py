"""Where trained weights are looked for: with ConvLens, in a folder of your own, in torch's download folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
import torchvision.models as tvm
from safetensors import safe_open

from ..assets import ASSETS

FOLDER_VARIABLE: Final = "CONVLENS_WEIGHTS"
"""The environment variable that names a folder with weights files, under the names that torchvision gives them."""


@dataclass(frozen=True)
class Shipped:
    """Weights that come with ConvLens."""

    file: str
    entry_name: str
    """The torchvision entry that they are or whose preprocessing fits them; for networks of OWN a name of our own."""
    note: str


SMALL: Final = ("small_lenet", "small_alexnet", "small_vgg", "small_googlenet", "small_resnet")
"""The small landmark networks, in the order of their years; see `training.landmarks`."""
OWN: Final = ("lenet5", *SMALL)
"""Networks that this project trained itself, and torchvision does not have."""

SHIPPED: Final[dict[str, Shipped]] = {
    "mobilenet_v2": Shipped(
        "mobilenet_v2_fp16.safetensors",
        "IMAGENET1K_V1",
        "Comes with ConvLens: torchvision's first ImageNet weights, stored in half precision "
        "(torchvision reports 71.9 % of the validation pictures right at full precision).",
    ),
    "squeezenet1_1": Shipped(
        "squeezenet1_1_fp16.safetensors",
        "IMAGENET1K_V1",
        "Comes with ConvLens: the SqueezeNet authors' own ImageNet release, converted for torchvision and stored in "
        "half precision.",
    ),
    "lenet5": Shipped("lenet5.safetensors", "MNIST_8K", ""),
    **{key: Shipped(f"{key}.safetensors", "FASHION_6K", "") for key in SMALL},
}


@dataclass(frozen=True)
class Found:
    """A file of trained weights on this machine."""

    path: Path
    entry: Any
    """The torchvision weights entry that it holds; None for the networks of OWN."""
    shipped: bool


def download_folder() -> Path:
    """torch.hub's folder of downloaded checkpoints, where torchvision itself looks."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def own_folder() -> Path | None:
    """The folder that CONVLENS_WEIGHTS names, or None where it is not set."""
    value = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(value).expanduser() if value else None


@cache
def entries(key: str) -> tuple[Any, ...]:
    """torchvision's weights entries of a model that classify, the preferred one first."""
    enum = tvm.get_model_weights(key)
    first = enum[SHIPPED[key].entry_name] if key in SHIPPED else enum.DEFAULT
    # VGG-16's IMAGENET1K_FEATURES has no classifier, and so no class names.
    return (first, *(e for e in enum if e is not first and e.meta.get("categories")))


def preferred_entry(key: str) -> Any:
    """The weights entry that is shipped, or that torchvision recommends."""
    return entries(key)[0]


def file_name(entry: Any) -> str:
    """The name under which torchvision stores an entry's file."""
    return str(entry.url).rsplit("/", 1)[-1]


def find(key: str) -> Found | None:
    """A model's trained weights on this machine, or None.

    Looked for with ConvLens, in the folder of CONVLENS_WEIGHTS, and in torch.hub's folder; there the entry that
    torchvision recommends goes before its older ones.
    """
    if key in SHIPPED:
        path = ASSETS / "weights" / SHIPPED[key].file
        if path.is_file():
            return Found(path, None if key in OWN else preferred_entry(key), shipped=True)
        if key in OWN:
            return None
    folders = [folder for folder in (own_folder(), download_folder()) if folder is not None]
    for entry in entries(key):
        for folder in folders:
            path = folder / file_name(entry)
            if path.is_file():
                return Found(path, entry, shipped=False)
    return None


@cache
def shipped_metadata(key: str) -> Mapping[str, str]:
    """What the training script wrote beside the weights that come with ConvLens (strings)."""
    with safe_open(ASSETS / "weights" / SHIPPED[key].file, framework="numpy") as file:
        return dict(file.metadata() or {})
