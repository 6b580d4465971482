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
_SEED: Final = 0
_SAME: Final = 1e-6  # float32 keeps about seven digits


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
    """Another channel, and Pearson's correlation of the two channels' numbers, from -1 to 1."""

    channel: int
    correlation: float


@dataclass(frozen=True, eq=False)
class Survey:
    """Every channel of a layer on many pictures, from one pass.

    maxima, means: float32 (pictures, C), of each map. places: int32 (pictures, C, 2), (row, column) of each maximum,
    the first among equal ones. drawn, drawn_places: float32 (pictures, C) and int32 (pictures, 2), the values at one
    cell of each picture, drawn at random with a seed, the same for all channels. correlations: float32 (C, C), of each
    two channels' numbers over all cells of all pictures; NaN where a channel is the same everywhere. cells: of one map.
    field: the layer's receptive field; where `field.sees_everything`, a patch shows the local path's box, and more of
    the picture acted on the value. is_complete: False where the pass was stopped.
    """

    operation: str
    pictures: tuple[LibraryPicture, ...]
    maxima: NDArray[np.float32]
    means: NDArray[np.float32]
    places: NDArray[np.int32]
    drawn: NDArray[np.float32]
    drawn_places: NDArray[np.int32]
    correlations: NDArray[np.float32]
    cells: int
    field: ReceptiveField
    is_complete: bool

    @property
    def n_channels(self) -> int:
        return int(self.maxima.shape[1])

    @property
    def nbytes(self) -> int:
        """The bytes of its arrays; the pictures are counted where they are kept."""
        arrays = (self.maxima, self.means, self.places, self.drawn, self.drawn_places)
        # Correlations that were left out are one number, shown C x C times.
        return sum(array.nbytes for array in arrays) + (self.correlations.nbytes if self.correlations.strides[0] else 4)

    def patches(self, channel: int, k: int = 9) -> tuple[Patch, ...]:
        """The k pictures that excite a channel most, the most exciting first, each with its best place.

        One patch for each picture, so that one picture cannot fill the row. Raises InvalidUnit for no such channel.
        """
        self._check(channel)
        order = np.argsort(-self.maxima[:, channel], kind="stable")[:k]
        return tuple(self._best(int(i), channel) for i in order)

    def least(self, channel: int, k: int = 9) -> tuple[Patch, ...]:
        """The k pictures whose best place excites a channel least, the least exciting first; else as `patches`."""
        self._check(channel)
        order = np.argsort(self.maxima[:, channel], kind="stable")[:k]
        return tuple(self._best(int(i), channel) for i in order)

    def random(self, channel: int, k: int = 9) -> tuple[Patch, ...]:
        """A place drawn blindly in each of the first k pictures of a random order: what any patch would give."""
        self._check(channel)
        order = np.random.default_rng(_SEED).permutation(len(self.pictures))[:k]
        return tuple(self._patch(int(i), self.drawn_places[i], float(self.drawn[i, channel])) for i in order)

    def alike(self, channel: int, k: int = 8) -> tuple[Alike, ...]:
        """The k channels that rise and fall most nearly together with this one, the most alike first, itself left out.

        Pearson's correlation over all cells of all pictures. A channel that is the same everywhere is like none, and
        no other one is compared with it. Raises InvalidUnit for no such channel.
        """
        self._check(channel)
        row = self.correlations[channel]
        usable = np.flatnonzero(np.isfinite(row) & (np.arange(self.n_channels) != channel))
        order = np.argsort(-row[usable], kind="stable")[:k]
        return tuple(Alike(int(usable[i]), float(row[usable[i]])) for i in order)

    def _best(self, number: int, channel: int) -> Patch:
        return self._patch(number, self.places[number, channel], float(self.maxima[number, channel]))

    def _patch(self, number: int, cell: NDArray[np.int32], value: float) -> Patch:
        picture = self.pictures[number]
        row, column = (int(n) for n in cell)
        height, width = picture.model_input.shown_rgb.shape[:2]
        top, left, bottom, right = self.field.pixel_box(row, column)
        # A unit of padding alone sees no pixel; the nearest one stands for it.
        top, left = min(top, height - 1), min(left, width - 1)
        box = (top, left, max(bottom, top + 1), max(right, left + 1))
        return Patch(
            picture=picture.key,
            title=picture.title,
            is_sample=picture.is_sample,
            value=value,
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
    likeness: bool = True,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Survey:
    """One batched pass over the pictures, only as far as the layer; it answers for all of the layer's channels.

    pictures: None for the sample library with the `extra` pictures behind it. likeness=False leaves the correlations
    out (all NaN), which are most of the bytes. on_progress(done, total) counts pictures; when should_stop() says so,
    the survey is of those done by then.
    Raises InvalidLayer for an operation without maps, InvalidOption where no picture was done.
    """
    layer = classifier.network[operation if isinstance(operation, str) else operation.name]
    if not layer.has_maps:
        raise InvalidLayer(f"{layer.name} ({layer.title}) has no maps (channel, row, column), so no channel to survey.")
    chosen = library(classifier, extra) if pictures is None else tuple(pictures)
    found: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []
    channels, height, width = layer.output_shape
    within = np.zeros((channels, channels) if likeness else (0, 0))
    # One cell for each picture of the list, whatever is done by then: a stopped survey agrees with a whole one.
    blind = np.random.default_rng(_SEED).integers(0, (height, width), (len(chosen), 2)).astype(np.int32)
    done = 0
    for part, outputs in passes(classifier, chosen, {layer.name}, on_progress=on_progress, should_stop=should_stop):
        maps = outputs[layer.name].flatten(2)
        highest, at = maps.max(dim=2)
        means = maps.mean(dim=2)
        cell = torch.from_numpy(blind[part, 0] * width + blind[part, 1]).long().to(maps.device)
        drawn = maps.gather(2, cell[:, None, None].expand(-1, channels, 1))[..., 0]
        found.append((highest.cpu(), at.cpu(), means.cpu(), drawn.cpu()))
        for one, mean in (
            zip(maps, means, strict=True) if likeness else ()
        ):  # one picture at a time: no copy of a whole batch
            # Each picture's own mean is taken away first: a sum of squares far from 0 would lose its last digits.
            centred = one - mean[:, None]
            within += (centred @ centred.T).double().cpu().numpy()
        done = part.stop
    if not found:
        raise InvalidOption("No picture was looked at: give at least one, and let it finish.")
    maxima, flat, averages, values = (torch.cat(tensors).numpy() for tensors in zip(*found, strict=True))
    return Survey(
        operation=layer.name,
        pictures=chosen[:done],
        maxima=maxima,
        means=averages,
        places=np.stack([flat // width, flat % width], axis=2).astype(np.int32),
        drawn=values,
        drawn_places=blind[:done],
        correlations=_correlations(within, averages.astype(np.float64), height * width)
        if likeness
        else np.broadcast_to(np.float32(np.nan), (channels, channels)),
        cells=height * width,
        field=receptive_field(classifier, layer),
        is_complete=done == len(chosen),
    )


def _correlations(within: NDArray[np.float64], means: NDArray[np.float64], cells: int) -> NDArray[np.float32]:
    """Pearson's correlations (C, C) from sums of products within pictures and the pictures' means (pictures, C)."""
    between = means - means.mean(axis=0)
    together = within + cells * between.T @ between
    sizes = np.sqrt(np.clip(np.diagonal(together), 0, None))
    # What rounding alone leaves of a channel that is the same everywhere.
    level = np.sqrt(cells * (means**2).sum(axis=0))
    sizes = np.where(sizes > _SAME * level, sizes, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = together / sizes[:, None] / sizes[None, :]
    # Rounding can leave a hair more than 1 for equal maps.
    return np.clip(found, -1, 1).astype(np.float32)


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
