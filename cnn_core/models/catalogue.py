"""The list of models, read from torchvision's own registry and weights entries; no model is built here."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import torchvision.models as tvm

from ..errors import UnknownModel, quote, suggest
from ..preprocessing import Preprocessing
from .card import ModelCard
from .families import Family, family_of
from .weights import OWN, SHIPPED, SMALL, Found, find, preferred_entry, shipped_metadata

# First in every list: the default model, then the others whose weights come with ConvLens.
_FIRST: Final = ("mobilenet_v2", "squeezenet1_1", *OWN)

# torchvision counts Inception v3 with its auxiliary head, which only training uses (AuxLogits: 3,326,696 parameters).
_TRAINING_ONLY_PARAMETERS: Final = {"inception_v3": 3_326_696}


def list_models() -> tuple[ModelCard, ...]:
    """Every model, the default one first, then the others that come with ConvLens, then by year, family and size.

    Cheap: nothing is built or loaded; it is looked up anew which weights are on this machine.

    >>> [card.key for card in list_models()][:3]
    ['mobilenet_v2', 'squeezenet1_1', 'lenet5']
    """
    cards = {key: card_of(key) for key in model_keys()}
    rest = sorted(
        (card for key, card in cards.items() if key not in _FIRST),
        key=lambda card: (card.year, card.family, card.n_parameters, card.key),
    )
    return (*(cards[key] for key in _FIRST), *rest)


@cache
def model_keys() -> tuple[str, ...]:
    """The keys of all models: this project's own, and torchvision's classifiers of every family in `families.py`."""
    return (*OWN, *(key for key in tvm.list_models(module=tvm) if family_of(key)))


def check_key(key: str) -> str:
    """The key itself. Raises UnknownModel, naming close or valid keys, where there is no such model."""
    if key not in model_keys():
        raise UnknownModel(f"There is no model {quote(key)}. {suggest(str(key), (*_FIRST, *model_keys()))}")
    return key


def card_of(key: str) -> ModelCard:
    """The card of one model. Raises UnknownModel where there is no such model."""
    check_key(key)
    row = family_of(key)
    assert row is not None  # model_keys() holds no other keys
    family, title = row
    if key in SMALL:
        return _small_card(key, family, title)
    return _lenet5_card(family, title) if key == "lenet5" else _torchvision_card(key, family, title)


def preprocessing_of(entry: Any) -> Preprocessing:
    """A torchvision weights entry's own preprocessing."""
    transforms = entry.transforms()
    return Preprocessing(
        resize=transforms.resize_size[0],
        crop=transforms.crop_size[0],
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
    )


def class_names_of(key: str) -> tuple[str, ...]:
    """A model's class names, in the order of its logits."""
    if key in OWN:
        return tuple(shipped_metadata(key)["class_names"].split(","))
    return tuple(preferred_entry(key).meta["categories"])


def _torchvision_card(key: str, family: Family, title: str) -> ModelCard:
    found = find(key)
    entry = found.entry if found and found.entry else preferred_entry(key)
    preprocessing = preprocessing_of(entry)
    return ModelCard(
        key=key,
        title=title,
        family=family.title,
        year=family.year,
        source=family.source,
        n_parameters=entry.meta["num_params"] - _TRAINING_ONLY_PARAMETERS.get(key, 0),
        input_size=(preprocessing.crop, preprocessing.crop),
        n_classes=len(entry.meta["categories"]),
        macs=round(entry.meta["_ops"] * 1e9),
        preprocessing=preprocessing,
        weights_name=entry.name,
        weights_available=found is not None,
        weights_note=_weights_note(key, entry, found),
        download_megabytes=None if key in SHIPPED else float(entry.meta["_file_size"]),
    )


def _weights_note(key: str, entry: Any, found: Found | None) -> str:
    if key in SHIPPED and (found is None or found.shipped):
        return SHIPPED[key].note
    accuracy = entry.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    report = (
        f"Trained on ImageNet by torchvision's authors, who report {accuracy:.1f} % of the validation pictures right"
    )
    if found is not None:
        return f"{report}. Found on this machine as {found.path.name}."
    return f"{report}. Not on this machine: a download of {entry.meta['_file_size']:.0f} MB, made only when you ask."


def _lenet5_card(family: Family, title: str) -> ModelCard:
    from .lenet5 import MACS, N_PARAMETERS, PREPROCESSING

    metadata = shipped_metadata("lenet5")
    note = (
        f"Trained by this project on {int(metadata['n_train']):,} handwritten digits of MNIST; it names "
        f"{float(metadata['test_accuracy']):.1%} of {int(metadata['n_test']):,} other digits right."
    ).replace("%", " %")
    return ModelCard(
        key="lenet5",
        title=title,
        family=family.title,
        year=family.year,
        source=family.source,
        n_parameters=N_PARAMETERS,
        input_size=(PREPROCESSING.crop, PREPROCESSING.crop),
        n_classes=len(class_names_of("lenet5")),
        macs=MACS,
        preprocessing=PREPROCESSING,
        weights_name=SHIPPED["lenet5"].entry_name,
        weights_available=True,
        weights_note=note,
        download_megabytes=None,
        classes_note="ten digits",
    )


def _small_card(key: str, family: Family, title: str) -> ModelCard:
    from ..training.data import data_set

    metadata, data = shipped_metadata(key), data_set("fashion")
    note = (
        f"Trained by this project on {int(metadata['n_train']):,} pictures of clothing (Fashion-MNIST), like the four "
        f"other small landmark networks; it names {float(metadata['test_accuracy']):.1%} of "
        f"{int(metadata['n_test']):,} others right."
    ).replace("%", " %")
    return ModelCard(
        key=key,
        title=title,
        family=family.title,
        year=family.year,
        source=f"A small member of the family, made for this course, after {family.source}",
        n_parameters=int(metadata["parameters"]),
        input_size=(data.side, data.side),
        n_classes=len(data.class_names),
        macs=int(metadata["macs"]),
        preprocessing=Preprocessing(
            resize=data.side,
            crop=data.side,
            mean=(data.mean,),
            std=(data.std,),
            channels=1,
            invert_light_background=True,
        ),
        weights_name=SHIPPED[key].entry_name,
        weights_available=True,
        weights_note=note,
        download_megabytes=None,
        classes_note="ten kinds of clothing",
    )
