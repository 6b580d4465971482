"""Preprocessing done wrong on purpose: what the network then reads, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .errors import InvalidOption, quote
from .images import ModelInput, Picture, Preprocessing, load_image

if TYPE_CHECKING:
    from .models import Classifier

Maker = Callable[[Preprocessing, Picture, ModelInput], torch.Tensor]


@dataclass(frozen=True)
class Sabotage:
    """One mistake that people make between a picture's file and the tensor."""

    key: str
    title: str
    mistake: str
    """One sentence: what was done wrong."""
    make: Maker
    """(preprocessing, picture, the right input) -> float32 (1, C, h, w)."""
    grey: bool = True
    """Whether the mistake exists for a network that reads one grey channel."""
    colour: bool = True


@dataclass(frozen=True, eq=False)
class PreprocessingTrial:
    """What one mistake did; probabilities lie between 0 and 1, logits are the network's own."""

    key: str
    title: str
    mistake: str
    read_rgb: NDArray[np.uint8]
    """uint8 (h, w, 3): the tensor turned back into a picture by the network's own mean and std, clipped to 0..255."""
    top_index: int
    top_name: str
    top_probability: float
    target_logit: float
    target_probability: float
    target_log_probability: float
    drop: float
    """The target's probability with the right preprocessing minus the one here; negative where the mistake helped."""
    value_range: tuple[float, float]
    """Smallest and largest number of the tensor."""
    unchanged: bool
    """True where this mistake makes no difference to this picture: the tensor is the same, number by number."""


@dataclass(frozen=True, eq=False)
class PreprocessingTrials:
    """The right preprocessing and every mistake, from one batch of forward passes."""

    target_index: int
    """The class that the network gives the most with the right preprocessing."""
    target_name: str
    right: PreprocessingTrial
    trials: tuple[PreprocessingTrial, ...]
    """In the order of the registry."""

    def __getitem__(self, key: str) -> PreprocessingTrial:
        for trial in self.trials:
            if trial.key == key:
                return trial
        raise InvalidOption(f"No trial {key!r} here. Valid keys: {', '.join(t.key for t in self.trials)}.")

    @property
    def ranked(self) -> tuple[PreprocessingTrial, ...]:
        """The trials, the one that leaves the target least probability first (compared as log probabilities)."""
        return tuple(sorted(self.trials, key=lambda trial: trial.target_log_probability))


_REGISTRY: dict[str, Sabotage] = {}


def _register(sabotage: Sabotage) -> None:
    if sabotage.key in _REGISTRY:
        raise ValueError(f"The sabotage {sabotage.key!r} is registered already.")
    _REGISTRY[sabotage.key] = sabotage


def list_sabotages(preprocessing: Preprocessing) -> tuple[Sabotage, ...]:
    """The mistakes that can be made with this preprocessing, in the order in which they are shown."""
    grey = preprocessing.channels == 1
    return tuple(entry for entry in _REGISTRY.values() if (entry.grey if grey else entry.colour))


def preprocessing_trials(
    classifier: Classifier, picture: Picture, model_input: ModelInput | None = None
) -> PreprocessingTrials:
    """Feed the picture once rightly and once with each mistake, all in one batch.

    model_input: the right input, where it exists already; it must be this classifier's own of this picture.
    The target is the class that the right input gives the most. Nothing in the classifier is changed.
    """
    preprocessing = classifier.card.preprocessing
    right = model_input if model_input is not None else preprocessing.apply(picture)
    sabotages = list_sabotages(preprocessing)
    tensors = [right.tensor, *(entry.make(preprocessing, picture, right) for entry in sabotages)]
    with torch.inference_mode():
        logits = classifier.module(torch.cat(tensors).to(classifier.device)).double().cpu()
    log_probabilities = logits.log_softmax(dim=1)
    target = int(logits[0].argmax())
    before = float(log_probabilities[0, target].exp())

    def judged(row: int, key: str, title: str, mistake: str) -> PreprocessingTrial:
        tensor, top = tensors[row], int(logits[row].argmax())
        probability = float(log_probabilities[row, target].exp())
        return PreprocessingTrial(
            key=key,
            title=title,
            mistake=mistake,
            read_rgb=_read_back(tensor, preprocessing),
            top_index=top,
            top_name=classifier.class_names[top],
            top_probability=float(log_probabilities[row, top].exp()),
            target_logit=float(logits[row, target]),
            target_probability=probability,
            target_log_probability=float(log_probabilities[row, target]),
            drop=before - probability,
            value_range=(float(tensor.min()), float(tensor.max())),
            unchanged=torch.equal(tensor, right.tensor),
        )

    return PreprocessingTrials(
        target_index=target,
        target_name=classifier.class_names[target],
        right=judged(0, "right", "Done right", "Resized, cropped and normalised as in training."),
        trials=tuple(judged(i, e.key, e.title, e.mistake) for i, e in enumerate(sabotages, start=1)),
    )


def sabotaged(
    classifier: Classifier, key: str, picture: Picture, model_input: ModelInput
) -> tuple[torch.Tensor, NDArray[np.uint8]]:
    """The tensor (1, C, h, w), float32, that one mistake makes of a picture, and the picture of that tensor.

    model_input: the right input of the same picture. Raises InvalidOption for a mistake that this network cannot meet.
    """
    preprocessing = classifier.card.preprocessing
    tensor = check_sabotage(classifier, key).make(preprocessing, picture, model_input)
    return tensor, _read_back(tensor, preprocessing)


def check_sabotage(classifier: Classifier, key: str) -> Sabotage:
    """The mistake of this key; raises InvalidOption for one that this network cannot meet."""
    offered = {entry.key: entry for entry in list_sabotages(classifier.card.preprocessing)}
    if key not in offered:
        raise InvalidOption(f"There is no mistake {quote(key)} for this network. Valid keys: {', '.join(offered)}.")
    return offered[key]


def _read_back(tensor: torch.Tensor, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The picture that this tensor would be the right input of, where there is one: uint8 (h, w, 3)."""
    mean, std = (np.array(v, dtype=np.float64)[:, None, None] for v in (preprocessing.mean, preprocessing.std))
    levels = np.clip(np.round((tensor[0].double().numpy() * std + mean) * 255.0), 0, 255).astype(np.uint8)
    rgb = levels.transpose(1, 2, 0)
    return np.ascontiguousarray(np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb)


def _bytes(preprocessing: Preprocessing, seen: ModelInput) -> torch.Tensor:
    """What the network sees as light, float32 (1, C, h, w) between 0 and 255."""
    channels_first = np.ascontiguousarray(seen.shown_rgb.transpose(2, 0, 1)[: preprocessing.channels])
    return torch.from_numpy(channels_first).to(torch.float32)[None]


def _normalised(tensor: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    centre, spread = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (mean, std))
    return (tensor - centre) / spread


def _picture(rgb: NDArray[np.uint8]) -> Picture:
    return load_image(Image.fromarray(np.ascontiguousarray(rgb)))


def _already_at_size(preprocessing: Preprocessing, rgb: NDArray[np.uint8]) -> torch.Tensor:
    """A square that has the network's size already, normalised (and, for digits, inverted) as usual."""
    return replace(preprocessing, resize=preprocessing.crop).apply(_picture(rgb)).tensor


def _bgr(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return preprocessing.from_rgb(np.ascontiguousarray(seen.shown_rgb[..., ::-1])).tensor


def _not_normalised(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return _bytes(preprocessing, seen) / 255.0


def _other_mean_std(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return _bytes(preprocessing, seen) / 127.5 - 1.0


def _levels(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return _bytes(preprocessing, seen)


def _twice(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return _normalised(seen.tensor, preprocessing.mean, preprocessing.std)


def _squeezed(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    side = preprocessing.crop
    squeezed = Image.fromarray(picture.rgb).resize((side, side), Image.Resampling.BILINEAR)
    return _already_at_size(preprocessing, np.asarray(squeezed))


def _not_resized(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    """The middle of the picture at its own resolution; a smaller picture is framed in black."""
    side = preprocessing.crop
    square = np.zeros((side, side, 3), dtype=np.uint8)
    rows, columns = min(side, picture.height), min(side, picture.width)
    to_row, to_column = (side - rows) // 2, (side - columns) // 2
    # Halves go to the even number, as in torchvision's centre crop.
    from_row, from_column = round((picture.height - rows) / 2), round((picture.width - columns) / 2)
    middle = picture.rgb[from_row : from_row + rows, from_column : from_column + columns]
    square[to_row : to_row + rows, to_column : to_column + columns] = middle
    return _already_at_size(preprocessing, square)


def _quarter_turn(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return preprocessing.apply(_picture(np.rot90(picture.rgb))).tensor


def _layout(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    """The bytes lie as (row, column, channel); read as if they lay as (channel, row, column)."""
    height, width, depth = seen.shown_rgb.shape
    mixed = torch.from_numpy(np.array(seen.shown_rgb)).reshape(1, depth, height, width)
    return _normalised(mixed.to(torch.float32) / 255.0, preprocessing.mean, preprocessing.std)


def _swapped_light(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    return preprocessing.from_rgb(255 - seen.shown_rgb).tensor


def _other_interpolation(preprocessing: Preprocessing, picture: Picture, seen: ModelInput) -> torch.Tensor:
    other = replace(preprocessing, interpolation="bilinear" if preprocessing.interpolation == "bicubic" else "bicubic")
    return other.apply(picture).tensor


for _entry in (
    Sabotage("bgr", "Blue and red swapped", "Read as BGR, as OpenCV does.", _bgr, grey=False),
    Sabotage("levels", "0 to 255, not scaled", "The bytes themselves: no ÷ 255, no mean, no std.", _levels),
    Sabotage("not_normalised", "0 to 1, not normalised", "÷ 255, but no mean and no std.", _not_normalised),
    Sabotage("other_mean_std", "Wrong mean and std", "0.5 and 0.5, made for another network.", _other_mean_std),
    Sabotage("twice", "Normalised twice", "Mean and std taken off two times.", _twice),
    Sabotage("quarter_turn", "Lying on its side", "The camera's EXIF rotation ignored: turned by 90°.", _quarter_turn),
    Sabotage("squeezed", "Squeezed", "The whole picture squeezed into the square; its shape is not kept.", _squeezed),
    Sabotage("not_resized", "Not resized", "The middle cut out at the file's own resolution.", _not_resized),
    Sabotage("layout", "Axes mixed up", "(H, W, 3) reshaped to (3, H, W); it must be permuted.", _layout, grey=False),
    Sabotage("swapped_light", "Ink and paper swapped", "Dark strokes on light, learned the other way.", _swapped_light,
             colour=False),
    Sabotage("other_interpolation", "Another interpolation", "Resized bicubic for bilinear, or the reverse.",
             _other_interpolation),
):  # fmt: skip
    _register(_entry)
