"""Open a model of the catalogue, with its trained weights or with random ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch

from ..errors import InvalidCheckpoint, InvalidOption, WeightsUnavailable
from ..images import load_image
from ..samples import list_samples
from .architectures import allocate, build_architecture
from .card import ModelCard
from .catalogue import card_of, class_names_of
from .classifier import Classifier
from .initialise import initialise, measure_batch_norms
from .state_dicts import fit, read_state_dict
from .weights import FOLDER_VARIABLE, entries, file_name, find

# The largest file of torchvision is RegNetY 128 GF with 2.4 GB.
_MAX_BYTES: Final = 4 * 2**30
# Large enough for every architecture's deepest maps, and smaller only where the pass would take half a minute.
_MEASURED_SIDE: Final = 224
_MEASURED_MACS: Final = 100e9
_MEASURED_PICTURES: Final = ("bison", "cow", "owl", "horse")
_MEASURED_CLOTHES: Final = ("clothing_t_shirt", "clothing_sandal", "clothing_bag", "clothing_coat")


def load_model(key: str, *, weights: str = "default", device: str | torch.device = "auto", seed: int = 0) -> Classifier:
    """A model of `list_models()`, ready for use.

    weights: "default" for the trained ones, "random" for fresh ones drawn from `seed` (nothing global is drawn from).
    device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:1".
    Raises UnknownModel, InvalidOption, or WeightsUnavailable where the trained weights are not on this machine.

    >>> model = load_model("lenet5")
    >>> model.network.n_parameters
    61706
    >>> model.class_names[3]
    '3'
    """
    card = card_of(key)
    if weights == "default":
        return _trained(card, device)
    if weights == "random":
        return _random(card, device, seed)
    raise InvalidOption(f"weights must be 'default' or 'random', not {weights!r}.")


def _trained(card: ModelCard, device: str | torch.device) -> Classifier:
    found = find(card.key)
    if found is None:
        raise WeightsUnavailable(_choices(card))
    module = build_architecture(card.key, trained=True)
    try:
        fit(module, read_state_dict(found.path, _MAX_BYTES))
    except InvalidCheckpoint as error:
        raise WeightsUnavailable(
            f"The weights of {card.title} in {found.path} cannot be used ({str(error).rstrip('.')}). "
            f"Delete that file and fetch it again."
        ) from error
    return Classifier(
        module,
        card,
        class_names=class_names_of(card.key),
        weights="default",
        weights_note=card.weights_note,
        key=f"{card.key}:default:{card.weights_name}",
        device=device,
    )


def _choices(card: ModelCard) -> str:
    if card.download_megabytes is None:
        return f"The weights of {card.title} that come with ConvLens are missing. Install ConvLens again."
    name = file_name(entries(card.key)[0])
    return (
        f"The trained weights of {card.title} are not on this machine. Fetch them ({card.download_megabytes:.0f} MB: "
        f"python -m cnn_core fetch {card.key}), put {name} into the folder that {FOLDER_VARIABLE} names, "
        f'or open it with weights="random".'
    )


def _random(card: ModelCard, device: str | torch.device, seed: int) -> Classifier:
    module = build_architecture(card.key, trained=False)
    allocate(module)
    initialise(module, torch.Generator().manual_seed(seed))
    measure_batch_norms(module, lambda: _pictures(card))
    return Classifier(
        module,
        card,
        class_names=class_names_of(card.key),
        weights="random",
        weights_note=f"Random weights (seed {seed}): it has learned nothing, and its predictions mean nothing.",
        key=f"{card.key}:random:{seed}",
        device=device,
    )


def _pictures(card: ModelCard) -> torch.Tensor:
    """A small batch of samples that suit the network, as small as its cost asks: float32 (N, channels, side, side)."""
    crop = card.preprocessing.crop
    affordable = crop * (_MEASURED_MACS / len(_MEASURED_PICTURES) / (card.macs or 1)) ** 0.5
    side = int(min(crop, _MEASURED_SIDE, affordable))
    small = replace(card.preprocessing, resize=side, crop=side)
    paths = {sample.key: sample.path for sample in list_samples()}
    keys = _MEASURED_PICTURES if card.channels == 3 else _MEASURED_CLOTHES
    return torch.cat([small.apply(load_image(paths[key])).tensor for key in keys])
