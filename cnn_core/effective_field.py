"""How far a unit really sees: what scrambling pixels does to it, and where its gradient lies in the picture.

The theoretical receptive field says which pixels can matter; the effective one how much each does (Luo, Li, Urtasun and
Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", NeurIPS 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption
from .library import LibraryPicture, Progress, ShouldStop, library
from .operations import checked_index
from .preprocessing import ModelInput, Preprocessing
from .receptive_field import receptive_field, receptive_fields

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation

Where = Literal["outside", "inside"]
Box = tuple[int, int, int, int]

UNCHANGED: Final = 1e-6
"""Largest relative change that counts as none. The unit's own sum does not hold a scrambled pixel at all, but a fast
convolution may compute neighbours in one tile and subtract them again: some rounding of float32 (6e-8) can stay."""
_SHARE: Final = 0.9
_SALT: Final = 2016  # so that a picture of numpy's own noise is not scrambled into itself
_BATCH: Final = 4  # a backward pass keeps every activation on the way, for each picture


@dataclass(frozen=True, eq=False)
class ScrambleTest:
    """A unit's value before and after pixels were replaced by random colours.

    box: (top, left, bottom, right) in input pixels, half-open, clipped to the picture: of the unit's receptive field,
    or of its local path where it `sees_everything` by another one. n_pixels: how many of the n_total were replaced.
    relative_change: |after - before| / max(1, |before|). shown_rgb: uint8 (h, w, 3), the scrambled picture.
    """

    operation: str
    index: tuple[int, ...]
    where: Where
    seed: int
    box: Box
    sees_everything: bool
    before: float
    after: float
    n_pixels: int
    n_total: int
    shown_rgb: NDArray[np.uint8]

    @property
    def relative_change(self) -> float:
        return abs(self.after - self.before) / max(1.0, abs(self.before))

    @property
    def unchanged(self) -> bool:
        """Whether the value stayed the same, up to float32 rounding (`UNCHANGED`)."""
        return self.relative_change <= UNCHANGED

    @property
    def sentence(self) -> str:
        """What was done and what it did, for people."""
        share = f"{self.n_pixels:,} of {self.n_total:,} pixels"
        if not self.n_pixels:
            return "The box covers the whole picture: no pixel lies outside it, so there is nothing to scramble."
        if not self.unchanged:
            done = f"the value went from {self.before:.4g} to {self.after:.4g}"
        elif self.after == self.before:
            done = "the value stayed the same to the last bit"
        else:
            done = f"the value stayed the same up to rounding ({self.relative_change:.1g})"
        everything = ", and this unit sees the whole picture by a global path" if self.sees_everything else ""
        return f"{share} {self.where} the box were scrambled: {done}{everything}."


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """How strongly each pixel acts on a unit: |gradient|, summed over the colours.

    magnitude: float64 (h, w), summing to 1, or all 0 where `is_silent`: no pixel acts (a ReLU is off, say).
    strength: the sum of |gradient| before it was scaled, averaged over the pictures; in units of the activation for
    each unit of the normalised input. n_pictures: averaged over; n_silent: how many of these gave no gradient.
    box: as in `ScrambleTest`. share_inside: of the gradient that lies in the box; 1 but for units that see everything.
    area_90: the fewest pixels that hold 90 % of it. equivalent_radius: of the disc of that area, in pixels.
    """

    operation: str
    index: tuple[int, ...]
    magnitude: NDArray[np.float64]
    strength: float
    n_pictures: int
    n_silent: int
    box: Box
    sees_everything: bool
    share_inside: float
    area_90: int
    equivalent_radius: float

    @property
    def is_silent(self) -> bool:
        return self.n_pictures == self.n_silent

    @property
    def share_of_box(self) -> float:
        """area_90 over the area of the box in the picture: how much smaller the effective field is."""
        top, left, bottom, right = self.box
        return self.area_90 / max(1, (bottom - top) * (right - left))


@dataclass(frozen=True)
class DepthEntry:
    """How far the units of one operation see; all pairs are (row, column), in input pixels.

    depth: convolutions and linear layers on the longest way from the input to here, this one included.
    size, stride: of the local path where it `sees_everything` by another. share: of the picture that a unit's box
    could cover, from 0 to 1.
    """

    name: str
    title: str
    kind: str
    stage: str
    depth: int
    has_maps: bool
    size: tuple[float, float]
    stride: tuple[float, float]
    share: float
    sees_everything: bool


def scramble(
    classifier: Classifier,
    model_input: ModelInput,
    operation: str | Operation,
    index: Sequence[int] | int,
    *,
    where: Where = "outside",
    seed: int = 0,
) -> ScrambleTest:
    """Replace all pixels outside (or inside) a unit's receptive field by random colours, and compute the unit again.

    index: (channel, row, column) or (k,), as in `explain_unit`. Two forward passes, no further than the operation.
    Raises InvalidLayer, InvalidUnit, and InvalidOption for another `where`, or a picture of another size than the
    network's own.
    """
    if where not in ("outside", "inside"):
        raise InvalidOption(f"Pixels are scrambled 'outside' or 'inside' the box, not {where!r}.")
    layer, place, box, sees_everything = _unit(classifier, model_input, operation, index)
    rgb = model_input.shown_rgb
    top, left, bottom, right = box
    mask = np.full(rgb.shape[:2], where == "outside")
    mask[top:bottom, left:right] = where == "inside"
    depth = 1 if len(model_input.mean) == 1 else 3
    noise = np.random.default_rng((_SALT, seed)).integers(0, 256, (*rgb.shape[:2], depth), dtype=np.uint8)
    scrambled = np.where(mask[..., None], noise, rgb)
    side = min(rgb.shape[:2])
    preprocessing = Preprocessing(side, side, model_input.mean, model_input.std, channels=depth)
    values = []
    for tensor in (model_input.tensor, preprocessing.from_rgb(scrambled).tensor):
        with torch.no_grad():
            output = classifier.network.run(tensor.to(classifier.device), keep=(layer.name,))[layer.name]
        values.append(float(output[(0, *place)]))
    return ScrambleTest(
        layer.name,
        place,
        where,
        seed,
        box,
        sees_everything,
        values[0],
        values[1],
        int(mask.sum()),
        mask.size,
        scrambled,
    )


def effective_field(
    classifier: Classifier, model_input: ModelInput, operation: str | Operation, index: Sequence[int] | int
) -> EffectiveField:
    """The effective receptive field of one unit on one picture: |d unit / d input|, by one backward pass.

    Raises as `scramble` does. Nothing is left on the model: no hook, no gradient, no graph.
    """
    layer, place, box, sees_everything = _unit(classifier, model_input, operation, index)
    gradients = _gradients(classifier, model_input.tensor, layer.name, place)
    return _summary(layer.name, place, list(gradients), box, sees_everything)


def average_field(
    classifier: Classifier,
    operation: str | Operation,
    index: Sequence[int] | int,
    *,
    pictures: Sequence[LibraryPicture] | None = None,
    n_pictures: int | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> EffectiveField:
    """The effective receptive field of one unit, averaged over pictures; each picture counts the same.

    pictures: None for the sample library. n_pictures: a random choice of so many, drawn from `seed`; None for all.
    on_progress(done, total) counts pictures. When should_stop() says so, the average is of those done by then.
    Raises as `scramble` does, and InvalidOption where no picture was done.
    """
    chosen = list(library(classifier) if pictures is None else pictures)
    if n_pictures is not None:
        order = np.random.default_rng(seed).permutation(len(chosen))[: max(0, n_pictures)]
        chosen = [chosen[i] for i in sorted(order)]
    found: list[NDArray[np.float64]] = []
    unit = None
    for start in range(0, len(chosen), _BATCH):
        if should_stop is not None and should_stop():
            break
        batch = [picture.model_input for picture in chosen[start : start + _BATCH]]
        for model_input in batch:
            unit = _unit(classifier, model_input, operation, index)
        assert unit is not None  # the batch holds a picture
        found.extend(_gradients(classifier, torch.cat([m.tensor for m in batch]), unit[0].name, unit[1]))
        if on_progress is not None:
            on_progress(len(found), len(chosen))
    if unit is None:
        raise InvalidOption("No picture was averaged: give at least one, and let it finish.")
    layer, place, box, sees_everything = unit
    return _summary(layer.name, place, found, box, sees_everything)


def fields_by_depth(network: Network) -> tuple[DepthEntry, ...]:
    """Receptive field, stride and depth of every operation but the softmax, in the network's order."""
    fields = receptive_fields(network)
    depth: dict[str, int] = {}
    entries = []
    for operation in network.operations[:-1]:
        before = max((depth[name] for name in operation.inputs), default=0)
        depth[operation.name] = before + (operation.kind in ("conv2d", "linear"))
        field = fields[operation.name]
        share = math.prod(min(1.0, s / n) for s, n in zip(field.size, field.input_size, strict=True))
        entries.append(
            DepthEntry(
                name=operation.name,
                title=operation.title,
                kind=operation.kind,
                stage=operation.group[0],
                depth=depth[operation.name],
                has_maps=operation.has_maps,
                size=field.size,
                stride=field.stride,
                share=share,
                sees_everything=field.sees_everything,
            )
        )
    return tuple(entries)


def _unit(
    classifier: Classifier, model_input: ModelInput, operation: str | Operation, index: Any
) -> tuple[Operation, tuple[int, ...], Box, bool]:
    """The operation, the checked index, the box clipped to the picture and to whole pixels, and sees_everything."""
    network = classifier.network
    layer = network[operation if isinstance(operation, str) else operation.name]
    place = checked_index(index, layer.output_shape, layer.name)
    size = tuple(model_input.tensor.shape[1:])
    if size != tuple(network.input_shape):
        wanted, given = ("×".join(map(str, s)) for s in (network.input_shape, size))
        raise InvalidOption(f"Receptive fields are known for this network's own input, {wanted}; this one is {given}.")
    field = receptive_field(network, layer)
    axes = dict(zip(layer.axes, place, strict=True))
    return layer, place, field.pixel_box(axes.get("row", 0), axes.get("column", 0)), field.sees_everything


def _gradients(classifier: Classifier, x: torch.Tensor, name: str, place: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """|d unit / d input| summed over the colours, float64 (h, w), for each picture of the batch (N, C, h, w)."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = x.to(classifier.device).clone().requires_grad_()
        output = classifier.network.run(leaf, keep=(name,))[name]
        flat = int(np.ravel_multi_index(place, output.shape[1:]))
        # In eval mode no picture acts on another one's unit, so the sum's gradient holds each picture's own.
        (gradient,) = torch.autograd.grad(output.reshape(len(x), -1)[:, flat].sum(), leaf)
    return list(gradient.abs().double().sum(dim=1).cpu().numpy())


def _summary(
    name: str, place: tuple[int, ...], gradients: list[NDArray[np.float64]], box: Box, sees_everything: bool
) -> EffectiveField:
    totals = np.array([g.sum() for g in gradients])
    alive = [g / total for g, total in zip(gradients, totals, strict=True) if total > 0]
    magnitude = np.mean(alive, axis=0) if alive else np.zeros_like(gradients[0])
    top, left, bottom, right = box
    falling = np.cumsum(np.sort(magnitude, axis=None)[::-1])
    area = int(np.searchsorted(falling, _SHARE * falling[-1]) + 1) if alive else 0
    magnitude.setflags(write=False)
    return EffectiveField(
        operation=name,
        index=place,
        magnitude=magnitude,
        strength=float(totals.mean()),
        n_pictures=len(gradients),
        n_silent=len(gradients) - len(alive),
        box=box,
        sees_everything=sees_everything,
        share_inside=float(magnitude[top:bottom, left:right].sum()) if alive else 0.0,
        area_90=area,
        equivalent_radius=math.sqrt(area / math.pi),
    )
