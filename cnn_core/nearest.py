"""Nearest pictures: which pictures of the library look most like this one to the network's last maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption
from .library import LibraryPicture, Progress, ShouldStop, library, passes
from .tracing import Prediction

if TYPE_CHECKING:
    from .images import Picture
    from .models import Classifier
    from .tracing import Trace


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A picture of the library: cosine, from -1 to 1, of the angle between its features and the asked picture's.

    prediction: the class that the network finds likeliest for it. is_same: it is the very picture that was asked about.
    """

    picture: LibraryPicture
    cosine: float
    prediction: Prediction
    is_same: bool


@dataclass(frozen=True, eq=False)
class FeatureLibrary:
    """The library's pictures in a network's feature space.

    layer: the operation whose maps' means are the features; features: float32 (pictures, C). predictions: the
    likeliest class of each picture. classifier_key: of the classifier that they belong to.
    """

    classifier_key: str
    layer: str
    pictures: tuple[LibraryPicture, ...]
    features: NDArray[np.float32]
    predictions: tuple[Prediction, ...]

    def nearest(self, trace: Trace, k: int = 5) -> tuple[Neighbour, ...]:
        """The k pictures nearest to the traced one, the nearest first; the picture itself is among them, and marked.

        Cosine similarity of the maps' means. A picture whose features are all 0 has the cosine 0 with every other.
        Raises InvalidOption for the trace of another classifier.
        """
        if trace.classifier_key != self.classifier_key:
            raise InvalidOption("The features are another network's: make them with the classifier of the trace.")
        asked = trace.activation(self.layer).mean(axis=(1, 2), dtype=np.float64)
        features = self.features.astype(np.float64)
        sizes = np.linalg.norm(features, axis=1) * np.linalg.norm(asked)
        dots = features @ asked
        cosines = np.clip(np.divide(dots, sizes, out=np.zeros_like(dots), where=sizes > 0), -1, 1)
        digest = None if trace.input is None else trace.input.digest
        return tuple(
            Neighbour(
                self.pictures[i],
                float(cosines[i]),
                self.predictions[i],
                is_same=self.pictures[i].model_input.digest == digest,
            )
            for i in np.argsort(-cosines, kind="stable")[:k]
        )

    def nearest_in_pixels(self, trace: Trace, k: int = 5) -> tuple[tuple[LibraryPicture, float], ...]:
        """The k pictures nearest in raw pixels, for comparison, and how far: the asked picture itself is left out.

        Distance: root of the mean square difference, in levels of 255, of what the network sees averaged to 16 x 16.
        Raises InvalidOption for a trace without its picture.
        """
        if trace.input is None:
            raise InvalidOption("The trace is of a bare tensor, which has no pixels to compare: trace a picture.")
        asked = _coarse(trace.input.shown_rgb)
        others = [p for p in self.pictures if p.model_input.digest != trace.input.digest]
        far = [float(np.sqrt(((_coarse(p.model_input.shown_rgb) - asked) ** 2).mean())) for p in others]
        return tuple((others[i], far[i]) for i in np.argsort(far, kind="stable")[:k])

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds, the pictures as the network sees them included."""
        seen = sum(p.model_input.tensor.nbytes + p.model_input.shown_rgb.nbytes for p in self.pictures)
        return self.features.nbytes + seen


def _coarse(rgb: NDArray[np.uint8], side: int = 16) -> NDArray[np.float64]:
    """Means over side x side blocks of a picture, float64 (side, side, 3)."""
    rows, columns = (np.linspace(0, n, side + 1).astype(int) for n in rgb.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(rgb.astype(np.float64), rows[:-1], axis=0), columns[:-1], axis=1)
    return sums / (np.diff(rows)[:, None, None] * np.diff(columns)[None, :, None])


def feature_library(
    classifier: Classifier,
    *,
    pictures: Sequence[LibraryPicture] | None = None,
    extra: Sequence[Picture] = (),
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> FeatureLibrary:
    """One batched pass over the library (and the extra pictures behind it): the last maps' means, and predictions.

    The maps are the ones that a global-pooling head averages, else the last ones before the head
    (`Network.default_layer`). When should_stop() says so, the library ends with those done by then.
    Raises InvalidLayer for a network without maps, InvalidOption where no picture was done.
    """
    network = classifier.network
    head = network.linear_head()
    layer = network[network.default_layer() if head is None else head.maps].name
    chosen = library(classifier, extra) if pictures is None else tuple(pictures)
    features: list[NDArray[np.float32]] = []
    predictions: list[Prediction] = []
    wanted = {layer, network.output}
    for _, outputs in passes(classifier, chosen, wanted, on_progress=on_progress, should_stop=should_stop):
        features.extend(outputs[layer].mean(dim=(2, 3)).cpu().numpy())
        logits = outputs[network.output]
        probabilities = torch.softmax(logits.double(), dim=1)
        for row, index in enumerate(logits.argmax(dim=1).tolist()):
            name = classifier.class_names[index]
            predictions.append(Prediction(index, name, float(logits[row, index]), float(probabilities[row, index])))
    if not features:
        raise InvalidOption("No picture was looked at: give at least one, and let it finish.")
    done = len(features)
    return FeatureLibrary(classifier.key, layer, chosen[:done], np.stack(features), tuple(predictions))
