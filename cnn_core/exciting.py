"""What a channel likes: the patches of many pictures that excite it most, channels that fire alike, first filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidOption, InvalidUnit
from .library import LibraryPicture, Progress, ShouldStop, library, passes
from .receptive_field import ReceptiveField, receptive_field

if TYPE_CHECKING:
    from .images import Picture
    from .models import Classifier
    from .network import Operation

_RGB: Final = 3
_MIDDLE: Final = 127.5


@dataclass(frozen=True, eq=False)
class Patch:
    """The place of one picture where a channel answers most strongly.

    value: the activation there. cell: (row, column) in the map. box: (top, left, bottom, right) in input pixels, the
    unit's receptive field clipped to the picture; rgb: uint8 (h, w, 3), that part of what the network sees. full_box:
    the same unclipped, which sticks out of the picture at padding. picture, title, is_sample: as in `LibraryPicture`.
    """

    picture: str
    title: str
    is_sample: bool
    value: float
    cell: tuple[int, int]
    box: tuple[int, int, int, int]
    full_box: tuple[float, float, float, float]
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class Alike:
    """Another channel, and the cosine of the angle between the two channels' maps, from -1 to 1."""

    channel: int
    cosine: float


@dataclass(frozen=True, eq=False)
class Survey:
    """Every channel of a layer on many pictures, from one pass.

    maxima, means: float32 (pictures, C), of each map. places: int32 (pictures, C, 2), (row, column) of each maximum,
    the first among equal ones. products: float64 (C, C), each two channels' maps multiplied cell by cell and summed
    over all cells of all pictures. field: the layer's receptive field; where `field.sees_everything`, a patch shows the
    local path's box, and more of the picture acted on the value. is_complete: False where the pass was stopped.
    """

    operation: str
    pictures: tuple[LibraryPicture, ...]
    maxima: NDArray[np.float32]
    means: NDArray[np.float32]
    places: NDArray[np.int32]
    products: NDArray[np.float64]
    field: ReceptiveField
    is_complete: bool

    @property
    def n_channels(self) -> int:
        return int(self.maxima.shape[1])

    def patches(self, channel: int, k: int = 9) -> tuple[Patch, ...]:
        """The k pictures that excite a channel most, the most exciting first, each with its best place.

        One patch for each picture, so that one picture cannot fill the row. Raises InvalidUnit for no such channel.
        """
        self._check(channel)
        order = np.argsort(-self.maxima[:, channel], kind="stable")[:k]
        return tuple(self._patch(int(i), channel) for i in order)

    def alike(self, channel: int, k: int = 8) -> tuple[Alike, ...]:
        """The k channels whose maps point most nearly the same way, the most alike first, itself left out.

        Cosine similarity over all cells of all pictures. A channel that is 0 everywhere is like none, and no other
        one is compared with it. Raises InvalidUnit for no such channel.
        """
        self._check(channel)
        norms = np.sqrt(np.diagonal(self.products))
        usable = np.flatnonzero((norms > 0) & (np.arange(self.n_channels) != channel))
        if norms[channel] == 0:
            return ()
        cosines = self.products[channel, usable] / (norms[channel] * norms[usable])
        # Rounding can leave a hair more than 1 for equal maps.
        cosines = np.clip(cosines, -1, 1)
        order = np.argsort(-cosines, kind="stable")[:k]
        return tuple(Alike(int(usable[i]), float(cosines[i])) for i in order)

    def _patch(self, number: int, channel: int) -> Patch:
        picture = self.pictures[number]
        row, column = (int(n) for n in self.places[number, channel])
        height, width = picture.model_input.shown_rgb.shape[:2]
        top, left, bottom, right = self.field.pixel_box(row, column)
        # A unit of padding alone sees no pixel; the nearest one stands for it.
        top, left = min(top, height - 1), min(left, width - 1)
        box = (top, left, max(bottom, top + 1), max(right, left + 1))
        return Patch(
            picture=picture.key,
            title=picture.title,
            is_sample=picture.is_sample,
            value=float(self.maxima[number, channel]),
            cell=(row, column),
            box=box,
            full_box=self.field.box(row, column),
            rgb=picture.model_input.shown_rgb[box[0] : box[2], box[1] : box[3]].copy(),
        )

    def _check(self, channel: int) -> None:
        if not 0 <= channel < self.n_channels:
            last = self.n_channels - 1
            raise InvalidUnit(f"{self.operation} has channels 0 to {last}; there is no channel {channel}.")


@dataclass(frozen=True, eq=False)
class FirstFilters:
    """The filters of the first convolution as pictures.

    weights: float32 (filters, channels, kH, kW). rgb: uint8 (filters, kH, kW, 3): a weight of 0 is mid-grey, `limit`
    (the largest size of any weight) is 255 and -limit is 0, in all filters alike, so that they can be compared.
    """

    operation: str
    weights: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    limit: float


def survey(
    classifier: Classifier,
    operation: str | Operation,
    *,
    pictures: Sequence[LibraryPicture] | None = None,
    extra: Sequence[Picture] = (),
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Survey:
    """One batched pass over the pictures, only as far as the layer; it answers for all of the layer's channels.

    pictures: None for the sample library with the `extra` pictures behind it. on_progress(done, total) counts
    pictures; when should_stop() says so, the survey is of those done by then.
    Raises InvalidLayer for an operation without maps, InvalidOption where no picture was done.
    """
    layer = classifier.network[operation if isinstance(operation, str) else operation.name]
    if not layer.has_maps:
        raise InvalidLayer(f"{layer.name} ({layer.title}) has no maps (channel, row, column), so no channel to survey.")
    chosen = library(classifier, extra) if pictures is None else tuple(pictures)
    found: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    products = np.zeros((layer.output_shape[0],) * 2)
    width, done = layer.output_shape[2], 0
    for part, outputs in passes(classifier, chosen, {layer.name}, on_progress=on_progress, should_stop=should_stop):
        maps = outputs[layer.name].flatten(2)
        highest, at = maps.max(dim=2)
        found.append((highest.cpu(), at.cpu(), maps.mean(dim=2).cpu()))
        for one in maps:  # one picture at a time: no copy of a whole batch
            products += (one @ one.T).double().cpu().numpy()
        width, done = int(outputs[layer.name].shape[3]), part.stop
    if not found:
        raise InvalidOption("No picture was looked at: give at least one, and let it finish.")
    maxima, flat, means = (torch.cat(tensors).numpy() for tensors in zip(*found, strict=True))
    return Survey(
        operation=layer.name,
        pictures=chosen[:done],
        maxima=maxima,
        means=means,
        places=np.stack([flat // width, flat % width], axis=2).astype(np.int32),
        products=products,
        field=receptive_field(classifier, layer),
        is_complete=done == len(chosen),
    )


def first_filters(classifier: Classifier) -> FirstFilters:
    """The filters that read the picture itself, as pictures of the pattern each answers to most.

    Raises InvalidLayer where the network has no convolution that reads all of the picture's channels.
    """
    network = classifier.network
    depth = network.input_shape[0]
    first = next((o for o in network if o.kind == "conv2d"), None)
    if first is None or first.attributes["in_channels"] != depth or first.attributes["groups"] != 1:
        raise InvalidLayer("This network has no first convolution that reads the picture's own channels.")
    weights = network.parameters(first.name)["weight"].detach().cpu().numpy().copy()
    limit = float(np.abs(weights).max())
    scaled = weights / limit if limit > 0 else np.zeros_like(weights)
    levels = np.clip(np.round(_MIDDLE + _MIDDLE * scaled), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    rgb = np.repeat(levels, _RGB, axis=3) if depth == 1 else np.ascontiguousarray(levels)
    return FirstFilters(first.name, weights, rgb, limit)
