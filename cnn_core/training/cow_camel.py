"""Cow or camel: drawn animals on grass or sand, where the ground may give the answer away; everything from a seed.

A picture is an animal and a ground that know nothing of each other. `correlation` is the probability that they match
(cow on grass, camel on sand): at 1 a network can tell the classes apart without looking at the animal. The same seed
draws the same animals at every correlation, so that only grounds change (an animal that its ground would hide is drawn
anew).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption, quote
from .cow_camel_animals import camel, cow
from .cow_camel_grounds import REFERENCE, Floats, Textures, grass, sand, textures_of
from .cow_camel_grounds import neutral as neutral_ground
from .data import DataSet, Split

SIDE: Final = REFERENCE
SIDES: Final = (16, 1024)
"""The smallest and the largest side of a drawn picture, in pixels."""
N_TRAIN: Final = 400
N_TEST: Final = 400
CLASSES: Final = ("cow", "camel")
GROUNDS: Final = ("grass", "sand")
# The seeds of the two parts: part of every reported accuracy.
_TRAIN_SEED: Final = 11
_TEST_SEED: Final = 12
# Of 400 training pictures at a correlation of 1.
_MEAN: Final = 0.55
_STD: Final = 0.25

Kind = Literal["biased", "counter", "neutral"]
KINDS: Final[dict[Kind, str]] = {
    "biased": "each animal on its usual ground",
    "counter": "each animal on the other's ground",
    "neutral": "on grounds of any colour, which tell nothing",
}
_LEAST_CONTRAST: Final = 0.14


@dataclass(frozen=True, eq=False)
class Herd:
    """Drawn pictures and all that is known of them.

    pictures: uint8 (N, side, side, 3). labels: int64 (N,), 0 cow, 1 camel. masks: float32 (N, side, side), the share
    of each pixel that the animal covers. grounds: int64 (N,), 0 grass, 1 sand, -1 neutral. empty: uint8
    (N, side, side, 3), the same grounds without the animals.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.float32]
    grounds: NDArray[np.int64]
    empty: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


def draw_herd(
    n: int,
    *,
    seed: int,
    correlation: float = 1.0,
    neutral: bool = False,
    side: int = SIDE,
    textures: str = "usual",
) -> Herd:
    """`n` pictures, cows and camels in turn; the same seed gives the same pictures on every machine.

    neutral: grounds of any colour and texture for all. side: pixels; the same seed at another size shows the same
    scenes. textures: a key of TEXTURES, how grass and sand look. Raises InvalidOption for a correlation outside 0 to
    1, a side outside SIDES, and textures that there are not.
    """
    if not 0 <= correlation <= 1:
        raise InvalidOption(f"The correlation must lie between 0 and 1, not {correlation:g}.")
    if not SIDES[0] <= side <= SIDES[1]:
        raise InvalidOption(f"The side of a picture must lie between {SIDES[0]} and {SIDES[1]:,} pixels, not {side:,}.")
    look = textures_of(textures)
    pictures, empty = np.zeros((2, n, side, side, 3), np.uint8)
    masks = np.zeros((n, side, side), np.float32)
    labels, grounds = np.arange(n, dtype=np.int64) % 2, np.zeros(n, np.int64)
    for i in range(n):
        animal = int(labels[i])
        # Three streams, so that no choice moves another: which ground, how it looks, how the animal looks.
        choice, ground, body = (np.random.default_rng([seed, i, purpose]) for purpose in range(3))
        matches = choice.random() < correlation
        grounds[i] = -1 if neutral else animal if matches else 1 - animal
        scene = _scene(ground, int(grounds[i]), side, look)
        colours, mask = _seen_against(scene, body, animal)
        picture = scene * (1 - mask[..., None]) + colours * mask[..., None]
        pictures[i], empty[i], masks[i] = _bytes(picture), _bytes(scene), mask
    return Herd(pictures, labels, masks, grounds, empty)


def _scene(rng: np.random.Generator, ground: int, side: int, look: Textures) -> Floats:
    return (grass, sand, neutral_ground)[ground](rng, side, look)  # -1 is the last


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _seen_against(scene: Floats, rng: np.random.Generator, animal: int) -> tuple[Floats, Floats]:
    """An animal that stands out from the scene; a camel on sand may need a few tries."""
    for _ in range(8):
        colours, mask = (cow, camel)[animal](rng, len(scene))
        inside = mask > 0.5
        if np.abs(colours[inside].mean(0) - scene[inside].mean(0)).max() > _LEAST_CONTRAST:
            break
    return colours, mask


# --- as a data set


def correlation_of(key: str) -> int:
    """The per cent in "cow_camel:<per cent>", 100 for bare "cow_camel". Raises InvalidOption for another key."""
    name, _, text = key.partition(":")
    if name != "cow_camel" or not ((text.isdecimal() and text.isascii() and len(text) < 4) or key == "cow_camel"):
        raise InvalidOption(f"There is no data set {quote(key)}. Write cow_camel:90 for a correlation of 90 %.")
    per_cent = int(text or 100)
    if not 50 <= per_cent <= 100:
        raise InvalidOption(f"The correlation of cow_camel must lie between 50 and 100 %, not {per_cent} %.")
    return per_cent


def cow_camel_data_set(key: str) -> DataSet:
    """The data set of "cow_camel:<per cent>": both parts are drawn with that correlation, from fixed seeds."""
    per_cent = correlation_of(key)

    def load() -> tuple[Split, Split]:
        parts = ((N_TRAIN, _TRAIN_SEED), (N_TEST, _TEST_SEED))
        herds = [draw_herd(n, seed=seed, correlation=per_cent / 100) for n, seed in parts]
        train, test = (Split(herd.pictures, herd.labels, np.arange(len(herd.labels))) for herd in herds)
        return train, test

    return DataSet(
        key=f"cow_camel:{per_cent}",
        title="Cow or camel",
        class_names=CLASSES,
        n_train=N_TRAIN,
        n_test=N_TEST,
        mean=_MEAN,
        std=_STD,
        side=SIDE,
        source=f"drawn by this program; animal and ground match in {per_cent} % of the pictures",
        load=load,
        channels=3,
        light_on_black=False,
    )


def trial_herd(kind: Kind, n: int = N_TEST) -> Herd:
    """The test animals on grounds of one kind (see KINDS): the same animals in each."""
    if kind not in KINDS:
        raise InvalidOption(f"There is no kind of ground {quote(kind)}. Use {', '.join(KINDS)}.")
    return draw_herd(n, seed=_TEST_SEED, correlation=0.0 if kind == "counter" else 1.0, neutral=kind == "neutral")
