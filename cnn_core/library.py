"""The sample library as a network sees it, and passes over many pictures in small batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from .errors import InvalidOption
from .images import ModelInput, Picture, load_image
from .samples import Kind, list_samples

if TYPE_CHECKING:
    from .models import Classifier

Progress = Callable[[int, int], None]
"""on_progress(done, total), in pictures or steps."""
ShouldStop = Callable[[], bool]

BATCH: Final = 8


@dataclass(frozen=True, eq=False)
class LibraryPicture:
    """A picture as the network sees it: key is a sample's key, or an extra picture's name."""

    key: str
    title: str
    model_input: ModelInput
    is_sample: bool


def sample_kind(classifier: Classifier) -> Kind:
    """Which samples show what the network knows: by its channels, and by whether its classes are numbers."""
    if classifier.card.preprocessing.channels == 3:
        return "photo"
    return "digit" if all(name.isdecimal() for name in classifier.class_names) else "clothing"


def library(classifier: Classifier, extra: Sequence[Picture] = ()) -> tuple[LibraryPicture, ...]:
    """The samples that suit the network (photographs, digits or clothing), then the extra pictures."""
    wanted = sample_kind(classifier)
    found = [
        LibraryPicture(sample.key, sample.title, classifier.preprocess(load_image(sample.path)), True)
        for sample in list_samples()
        if sample.kind == wanted
    ]
    found += [LibraryPicture(p.name, p.name, classifier.preprocess(p), False) for p in extra]
    return tuple(found)


def passes(
    classifier: Classifier,
    pictures: Sequence[LibraryPicture],
    keep: Collection[str],
    *,
    batch: int = BATCH,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[tuple[slice, dict[str, torch.Tensor]]]:
    """Run the network on the pictures, `batch` at a time, only as far as the kept operations.

    Yields which pictures these are, and the kept outputs (batch, ...) on the model's device. Ends early when
    should_stop() says so, which is asked before each batch. Raises InvalidOption for pictures of several sizes.
    """
    sizes = {tuple(p.model_input.tensor.shape) for p in pictures}
    if len(sizes) > 1:
        raise InvalidOption(f"All pictures must have one size for the network, and here are {len(sizes)}.")
    for start in range(0, len(pictures), batch):
        if should_stop is not None and should_stop():
            return
        part = slice(start, min(start + batch, len(pictures)))
        x = torch.cat([p.model_input.tensor for p in pictures[part]]).to(classifier.device)
        with torch.no_grad():
            outputs = classifier.network.run(x, keep=set(keep))
        yield part, outputs
        if on_progress is not None:
            on_progress(part.stop, len(pictures))
