"""A user's own weights in a known architecture, with any number of classes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import torch
from torch import Tensor, nn

from ..errors import InvalidCheckpoint, InvalidOption
from ..preprocessing import Preprocessing
from .architectures import head_of
from .card import ModelCard
from .checkpoint_file import CheckpointFile, read_checkpoint
from .classifier import Classifier
from .normalisations import OWN, preprocessing_like
from .recognise import Architecture, architecture_of, architecture_titles, recognise
from .state_dicts import fit, misfits, unwrap

MAX_CHECKPOINT_BYTES: Final = 2**30
# A weight of a few bytes can claim any shape; no classifier here needs more logits than this.
_MAX_CLASSES: Final = 100_000
# What only fails once a picture goes through: maps that shrink to nothing, a linear layer made for another size.
_TOO_SMALL: Final = (RuntimeError, ValueError, IndexError)


def load_checkpoint(
    path_or_bytes: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    architecture: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | Callable[[Preprocessing], Preprocessing] | str | None = None,
    name: str | None = None,
    device: str | torch.device = "auto",
    max_bytes: int = MAX_CHECKPOINT_BYTES,
) -> Classifier:
    """A classifier with weights from a state dict saved by torch, or from a safetensors file.

    No code in the file is ever run. architecture: a model of `list_models()`, a small network of the training lab, or
    a "build:..." specification; None finds it out from the names and shapes. The number of classes is read from the
    last layer's shape; class_names gives one name for each (without it: what the file tells, else the architecture's
    own names where the number agrees, else "class 0", "class 1", ...). preprocessing: how the network was fed when it
    was trained: a `Preprocessing`, a key of `list_normalisations()`, a function that gets the architecture's own one
    and returns another (see `preprocessing_like`), or None for the architecture's own. name: what the file is called,
    for people.

    The weights may be under "state_dict", "model" and the like, and under any prefix that a wrapper puts before their
    names ("module.", "_orig_mod.", a Lightning module's "model."); what else such a wrapper holds is left out.
    GoogLeNet and Inception v3 are taken to continue torchvision's trained weights, whose input they convert to [-1, 1].

    Raises UnknownModel, InvalidCheckpoint (what is missing, unexpected or of another shape), or InvalidOption where
    the number of class names, the normalisation or the picture's size is wrong.
    """
    source = Path(path_or_bytes) if isinstance(path_or_bytes, str | os.PathLike) else path_or_bytes
    file = read_checkpoint(source, max_bytes)
    chosen = _architecture(file, architecture)
    module, n_classes = _fitted(chosen, file.state)
    names = _names(class_names, file.class_names, n_classes, chosen)
    fed = _fed(preprocessing, chosen.preprocessing)
    if fed.channels != chosen.preprocessing.channels:
        raise InvalidOption(
            f"The network reads {chosen.preprocessing.channels} channels, and the preprocessing gives {fed.channels}."
        )
    origin = name or (source.name if isinstance(source, Path) else "a file")
    note = f"Your weights ({origin}), with {n_classes} classes. What they were trained on, only you know."
    digest = _digest(module, names, fed)
    card = ModelCard(
        key=f"checkpoint_{digest}",
        title=f"{chosen.title}, your weights",
        family=chosen.family,
        year=chosen.year,
        source=chosen.source,
        n_parameters=sum(parameter.numel() for parameter in module.parameters()),
        input_size=(fed.crop, fed.crop),
        n_classes=n_classes,
        macs=None,
        preprocessing=fed,
        weights_name=origin,
        weights_available=True,
        weights_note=note,
        download_megabytes=None,
        classes_note=_listed(names),
    )
    try:
        return Classifier(
            module,
            card,
            class_names=names,
            weights="checkpoint",
            weights_note=note,
            key=f"{chosen.key}:checkpoint:{digest}",
            device=device,
        )
    except _TOO_SMALL as error:
        raise InvalidOption(
            f"{chosen.title} cannot read pictures of {fed.crop} × {fed.crop} pixels. Choose the size that it was "
            "trained with."
        ) from error


def _fed(
    wanted: Preprocessing | Callable[[Preprocessing], Preprocessing] | str | None, own: Preprocessing
) -> Preprocessing:
    if isinstance(wanted, Preprocessing):
        return wanted
    if wanted is None or isinstance(wanted, str):
        return preprocessing_like(own, wanted or OWN)
    return wanted(own)


def _architecture(file: CheckpointFile, wanted: str | None) -> Architecture:
    if wanted is not None:
        return architecture_of(wanted, file.state)
    found = recognise(file.state, file.architecture)
    if len(found) == 1:
        return architecture_of(found[0], file.state)
    if not found:
        some = ", ".join(name[:80] for name in list(file.state)[:3])
        raise InvalidCheckpoint(
            f"The weights fit none of the architectures that are known here (the file begins with {some}). "
            "Name the architecture that was trained, to see what differs."
        )
    titles = architecture_titles()
    raise InvalidCheckpoint(
        "The weights fit several architectures, which differ in what has no weights: "
        + ", ".join(f"{titles[key]} [{key}]" for key in found)
        + ". Choose one."
    )


def _fitted(chosen: Architecture, given: Mapping[str, Tensor]) -> tuple[nn.Module, int]:
    """The network with these weights, and its number of classes."""
    empty = chosen.build(None)
    head = f"{head_of(empty)}.weight"
    state, _ = unwrap(given, empty.state_dict())
    if head not in state:
        some = ", ".join(name[:80] for name in list(given)[:3])
        raise InvalidCheckpoint(
            f"The weights do not fit {chosen.title}: its last layer {head} is missing (the file begins with {some}). "
            + _instead(given)
        )
    shape = tuple(state[head].shape)
    if not shape or not 1 <= shape[0] <= _MAX_CLASSES or not _is_held(state[head]):
        raise InvalidCheckpoint(
            f"The last layer {head} has the shape {shape}, which gives no usable number of classes."
        )
    problems = misfits(empty, state, head=head_of(empty))
    if problems:
        raise InvalidCheckpoint(f"The weights do not fit {chosen.title}: {'; '.join(problems)}. " + _instead(given))
    module = chosen.build(shape[0])
    fit(module, state)
    return module, shape[0]


def _is_held(tensor: Tensor) -> bool:
    """Whether every number of a tensor stands in the file; one number can claim to be repeated any number of times."""
    return tensor.is_meta or tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _instead(given: Mapping[str, Tensor]) -> str:
    """What would be right: the architectures that do fit, or the advice to choose another."""
    found = recognise(given)
    if not found:
        return "Choose the architecture that was trained."
    titles = architecture_titles()
    return f"They fit {', '.join(f'{titles[key]} [{key}]' for key in found[:4])}."


def _names(
    wanted: Sequence[str] | None, told: tuple[str, ...] | None, n_classes: int, chosen: Architecture
) -> tuple[str, ...]:
    if wanted is not None:
        if isinstance(wanted, str) or len(wanted) != n_classes:
            count = "one string" if isinstance(wanted, str) else f"{len(wanted):,} class names"
            raise InvalidOption(
                f"The weights have {n_classes:,} classes, and {count} came with them. Give one for each."
            )
        return tuple(str(name) for name in wanted)
    for names in (told or (), chosen.class_names):
        if len(names) == n_classes:
            return names
    return tuple(f"class {index}" for index in range(n_classes))


def _listed(names: tuple[str, ...]) -> str:
    """ "cow, camel" where they are few, else how many."""
    return ", ".join(names) if len(names) <= 3 and sum(map(len, names)) <= 40 else f"{len(names):,} classes"


def _digest(module: nn.Module, names: tuple[str, ...], fed: Preprocessing) -> str:
    """Equal for equal weights, names and preprocessing, whatever file they came in."""
    digest = hashlib.sha256("\0".join(names).encode() + repr(fed).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
