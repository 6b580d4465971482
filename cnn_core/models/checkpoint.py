"""A user's own weights in a known architecture, with any number of classes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from ..errors import InvalidCheckpoint, InvalidOption
from .architectures import build_architecture, head_of
from .catalogue import card_of, class_names_of
from .classifier import Classifier
from .state_dicts import fit, read_state_dict

MAX_CHECKPOINT_BYTES: Final = 2**30
# A weight of a few bytes can claim any shape; no classifier here needs more logits than this.
_MAX_CLASSES: Final = 100_000


def load_checkpoint(
    path_or_bytes: str | os.PathLike[str] | bytes,
    *,
    architecture: str,
    class_names: Sequence[str] | None = None,
    device: str | torch.device = "auto",
    max_bytes: int = MAX_CHECKPOINT_BYTES,
) -> Classifier:
    """A classifier with weights from a state dict saved by torch, or from a safetensors file.

    No code in the file is ever run. The number of classes is read from the last layer's shape; class_names gives one
    name for each (without it: the architecture's own names where the number agrees, else "class 0", "class 1", ...).
    Prefixes of wrappers ("module.", "_orig_mod.", "model.") are taken off. GoogLeNet and Inception v3 are taken to
    continue torchvision's trained weights, whose input they convert to [-1, 1].

    Raises UnknownModel, InvalidCheckpoint (what is missing, unexpected or of another shape), or InvalidOption where
    the number of class names is wrong.
    """
    card = card_of(architecture)
    source = path_or_bytes if isinstance(path_or_bytes, bytes) else Path(path_or_bytes)
    state = read_state_dict(source, max_bytes)
    n_classes = _count_classes(state, architecture)
    module = build_architecture(architecture, n_classes=n_classes, trained=True)
    fit(module, state)
    names = _names(class_names, n_classes, architecture)
    origin = source.name if isinstance(source, Path) else "an uploaded file"
    note = f"Weights from {origin}, with {n_classes} classes."
    own_card = replace(
        card,
        n_parameters=sum(parameter.numel() for parameter in module.parameters()),
        n_classes=n_classes,
        macs=None if n_classes != card.n_classes else card.macs,
        weights_name="your checkpoint",
        weights_available=True,
        weights_note=note,
        download_megabytes=None,
    )
    return Classifier(
        module,
        own_card,
        class_names=names,
        weights="checkpoint",
        weights_note=note,
        key=f"{architecture}:checkpoint:{_digest(module, names)}",
        device=device,
    )


def _count_classes(state: Mapping[str, Tensor], architecture: str) -> int:
    head = head_of(build_architecture(architecture, trained=True)) + ".weight"
    if head not in state:
        some = ", ".join(name[:80] for name in list(state)[:3])
        raise InvalidCheckpoint(
            f"The weights do not fit {card_of(architecture).title}: its last layer {head} is missing "
            f"(the file begins with {some}). Choose the architecture that was trained."
        )
    shape = tuple(state[head].shape)
    if not shape or not 1 <= shape[0] <= _MAX_CLASSES:
        raise InvalidCheckpoint(
            f"The last layer {head} has the shape {shape}, which gives no usable number of classes."
        )
    return shape[0]


def _names(class_names: Sequence[str] | None, n_classes: int, architecture: str) -> tuple[str, ...]:
    if class_names is not None:
        if isinstance(class_names, str) or len(class_names) != n_classes:
            count = "one string" if isinstance(class_names, str) else len(class_names)
            raise InvalidOption(
                f"The checkpoint has {n_classes} classes, and class_names gives {count}. Give one for each."
            )
        return tuple(str(name) for name in class_names)
    own = class_names_of(architecture)
    return own if len(own) == n_classes else tuple(f"class {index}" for index in range(n_classes))


def _digest(module: nn.Module, names: tuple[str, ...]) -> str:
    """Equal for equal weights and names, whatever file they came in."""
    digest = hashlib.sha256("\0".join(names).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
