"""Put one channel to the test: is it colour or shape that it answers to, and what does the decision lose without it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidLayer, InvalidOption, InvalidUnit
from .network import Operation
from .receptive_field import receptive_field

if TYPE_CHECKING:
    from .models import Classifier
    from .tracing import Prediction, Trace

Taste = Literal["colour", "shape", "neither"]
LEAST_CHANGE: Final = 0.1
"""Below a change of a tenth of the channel's mean size, it is said to depend on neither."""
_LUMA: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, the brightness of R, G, B to the eye
_PATCHES: Final = (2, 28)


@dataclass(frozen=True, eq=False)
class Variant:
    """A changed picture and the channel's answer: shown_rgb uint8 (h, w, 3); map float32 (H, W); mean of the map;
    change: (mean - mean on the picture) / mean of |map| on the picture, 0 for a channel that is all zero."""

    key: str
    title: str
    shown_rgb: NDArray[np.uint8]
    map: NDArray[np.float32]
    mean: float
    change: float


@dataclass(frozen=True, eq=False)
class ChannelTaste:
    """A channel on the picture itself, in grey, with hues turned to their opposites, and cut into shuffled patches."""

    operation: str
    channel: int
    patch: int
    variants: Mapping[str, Variant]

    @property
    def colour(self) -> float:
        """The larger change of the two that leave every edge where it was: grey, and hues turned."""
        return max(abs(self.variants["grey"].change), abs(self.variants["hue"].change))

    @property
    def shape(self) -> float:
        """The change when patches of the picture change places: colours stay, what is larger than a patch goes."""
        return abs(self.variants["shuffled"].change)

    @property
    def verdict(self) -> Taste:
        """What the channel depends on more, or "neither" where both changes are small."""
        if max(self.colour, self.shape) < LEAST_CHANGE:
            return "neither"
        return "colour" if self.colour >= self.shape else "shape"


@dataclass(frozen=True, eq=False)
class ChannelOff:
    """Predictions with one channel set to zero: before and after are the top classes of each; kept holds, for the
    classes of `before` in their order, the probability after."""

    operation: str
    channel: int
    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]
    kept: tuple[float, ...]


def to_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture's brightness (BT.601 luma) in all three channels, uint8 (h, w, 3)."""
    return np.repeat(np.round(rgb @ _LUMA).astype(np.uint8)[..., None], 3, axis=2)


def turn_hue(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every hue turned by 180 degrees at equal luma (red becomes cyan), uint8 (h, w, 3), cut at 0 and 255.

    Turning the chroma plane of YIQ by 180 degrees negates it, so each channel v becomes 2 luma - v.
    """
    luma = (rgb @ _LUMA)[..., None]
    return np.clip(np.round(2 * luma - rgb), 0, 255).astype(np.uint8)


def shuffle_patches(rgb: NDArray[np.uint8], patch: int, seed: int = 0) -> NDArray[np.uint8]:
    """Whole patches of patch x patch pixels in a random order, uint8 (h, w, 3); what is left at the edge stays."""
    rows, columns = rgb.shape[0] // patch, rgb.shape[1] // patch
    made = rgb.copy()
    inner = rgb[: rows * patch, : columns * patch].reshape(rows, patch, columns, patch, 3).swapaxes(1, 2)
    order = np.random.default_rng(seed).permutation(rows * columns)
    mixed = inner.reshape(rows * columns, patch, patch, 3)[order].reshape(rows, columns, patch, patch, 3)
    made[: rows * patch, : columns * patch] = mixed.swapaxes(1, 2).reshape(rows * patch, columns * patch, 3)
    return made


def patch_side(field: float) -> int:
    """Half of the receptive field, from 2 to 28 pixels: small enough to break what the unit sees as a whole."""
    return int(np.clip(field // 2, *_PATCHES))


def channel_taste(classifier: Classifier, trace: Trace, operation: str, channel: int, *, seed: int = 0) -> ChannelTaste:
    """The mean answer of a channel to the traced picture and to three changed ones; one batch of forward passes.

    seed: of the patches' order. Raises InvalidLayer where the operation has no maps (channel, row, column), InvalidUnit
    for a channel that it does not have, InvalidOption for a trace without its picture.
    """
    layer = channel_layer(classifier, operation, channel)
    if trace.input is None:
        raise InvalidOption("This trace holds no picture; make it from a picture or from classifier.preprocess(...).")
    rgb = trace.input.shown_rgb
    patch = patch_side(min(receptive_field(classifier, layer).size))
    pictures = {
        "picture": ("The picture", rgb),
        "grey": ("In grey", to_grey(rgb)),
        "hue": ("Hues turned", turn_hue(rgb)),
        "shuffled": (f"Shuffled in patches of {patch} × {patch}", shuffle_patches(rgb, patch, seed)),
    }
    prepare = classifier.card.preprocessing.from_rgb
    batch = torch.cat([prepare(shown).tensor for _, shown in pictures.values()]).to(classifier.device)
    with torch.inference_mode():
        answers = classifier.network.run(batch, keep=(layer.name,))[layer.name][:, channel].float().cpu().numpy()
    size = float(np.abs(answers[0]).mean())
    means = [float(answer.mean(dtype=np.float64)) for answer in answers]
    return ChannelTaste(
        operation=layer.name,
        channel=channel,
        patch=patch,
        variants={
            key: Variant(key, title, shown, answer, mean, (mean - means[0]) / size if size > 0 else 0.0)
            for (key, (title, shown)), answer, mean in zip(pictures.items(), answers, means, strict=True)
        },
    )


def without_channel(classifier: Classifier, trace: Trace, operation: str, channel: int, *, k: int = 5) -> ChannelOff:
    """The prediction with one channel of an operation's output set to zero; only what follows it is computed again.

    Raises InvalidLayer and InvalidUnit as `channel_taste` does.
    """
    layer = channel_layer(classifier, operation, channel)
    network = classifier.network
    values = {name: trace.tensor(name) for name in network.needed((layer.name,))}
    with torch.inference_mode():
        changed = trace.tensor(layer.name).clone()
        changed[:, channel] = 0
        logits = network.run_from(values, {layer.name: changed})[network.output][0].double().cpu()
        probabilities = torch.softmax(logits, dim=0).numpy()
    before = trace.top(k)
    order = np.argsort(-probabilities, kind="stable")[: len(before)]
    prediction = type(before[0])
    return ChannelOff(
        operation=layer.name,
        channel=channel,
        before=before,
        after=tuple(
            prediction(int(i), classifier.class_names[i], float(logits[i]), float(probabilities[i])) for i in order
        ),
        kept=tuple(float(probabilities[p.index]) for p in before),
    )


def channel_layer(classifier: Classifier, operation: str, channel: int) -> Operation:
    """The operation whose channel that is; InvalidLayer where it has no maps, InvalidUnit for no such channel."""
    layer = classifier.network[operation]
    if not layer.has_maps:
        raise InvalidLayer(f"{layer.name} ({layer.title}) has no maps (channel, row, column), so no channel to test.")
    if not 0 <= channel < layer.output_shape[0]:
        raise InvalidUnit(f"{layer.name} has channels 0 to {layer.output_shape[0] - 1}; there is no channel {channel}.")
    return layer
