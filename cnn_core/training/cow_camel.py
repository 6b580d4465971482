"""Cow or camel: drawn animals on grass or sand, where the ground may give the answer away; everything from a seed.

A picture is an animal and a ground that know nothing of each other. `correlation` is the probability that they match
(cow on grass, camel on sand): at 1 a network can tell the classes apart without looking at the animal. The same seed
draws the same animals at every correlation, so that only grounds change (an animal that its ground would hide is drawn
anew).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption, quote
from .cow_camel_animals import camel, cow
from .cow_camel_grounds import REFERENCE, Floats, Textures, grass, sand, textures_of
from .cow_camel_grounds import neutral as neutral_ground
from .data import Cutouts, DataSet, Split

SIDE: Final = REFERENCE
SIDES: Final = (16, 1024)
"""The smallest and the largest side of a drawn picture, in pixels."""
N_TRAIN: Final = 400
N_TEST: Final = 400
CLASSES: Final = ("cow", "camel")
GROUNDS: Final = ("grass", "sand")
# The seeds of the parts: part of every reported accuracy.
_TRAIN_SEED: Final = 11
_TEST_SEED: Final = 12
_EXTRA_SEED: Final = 14
_INVENTED_SEED: Final = 15
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


MOST_EXTRA: Final = 400
"""Counter-examples that can be added to the training pictures."""
_N_INVENTED: Final = 300


def parts_of_key(key: str) -> tuple[int, int]:
    """(per cent, counter-examples) in "cow_camel:<per cent>" or "cow_camel:<per cent>:<counter-examples>".

    100 and 0 for bare "cow_camel". Raises InvalidOption for another key.
    """
    match = re.fullmatch(r"cow_camel(?::([0-9]{1,3})(?::([0-9]{1,3}))?)?", key)
    if match is None:
        raise InvalidOption(
            f"There is no data set {quote(key)}. Write cow_camel:90 for a correlation of 90 %, cow_camel:90:20 for 20 "
            "more pictures of animals on the other's ground."
        )
    per_cent, extra = int(match[1] or 100), int(match[2] or 0)
    if not 50 <= per_cent <= 100:
        raise InvalidOption(f"The correlation of cow_camel must lie between 50 and 100 %, not {per_cent} %.")
    if extra > MOST_EXTRA:
        raise InvalidOption(f"cow_camel has at most {MOST_EXTRA} more counter-examples, not {extra}.")
    return per_cent, extra


def correlation_of(key: str) -> int:
    """The per cent in "cow_camel:<per cent>", 100 for bare "cow_camel". Raises InvalidOption for another key."""
    return parts_of_key(key)[0]


def key_of(per_cent: int, extra: int = 0) -> str:
    """The data set's key of a correlation and a number of counter-examples."""
    return f"cow_camel:{per_cent}" + (f":{extra}" if extra else "")


@lru_cache(maxsize=2)
def training_herd(per_cent: int, extra: int = 0) -> Herd:
    """What networks learn from: 400 pictures of a correlation, and `extra` animals on the other's ground after them."""
    herd = draw_herd(N_TRAIN, seed=_TRAIN_SEED, correlation=per_cent / 100)
    if extra:
        more = draw_herd(extra, seed=_EXTRA_SEED, correlation=0.0)
        herd = Herd(*(np.concatenate([getattr(h, f.name) for h in (herd, more)]) for f in fields(Herd)))
    for field in fields(Herd):
        getattr(herd, field.name).setflags(write=False)
    return herd


def draw_grounds(n: int, *, seed: int) -> NDArray[np.uint8]:
    """`n` grounds of any colour and texture with nobody on them, uint8 (n, 48, 48, 3)."""
    look = textures_of("usual")
    return np.stack([_bytes(neutral_ground(np.random.default_rng([seed, i]), SIDE, look)) for i in range(n)])


def cow_camel_data_set(key: str) -> DataSet:
    """The data set of "cow_camel:<per cent>[:<counter-examples>]", drawn from fixed seeds.

    The test part has the same correlation, and no added counter-examples.
    """
    per_cent, extra = parts_of_key(key)

    def load() -> tuple[Split, Split]:
        herds = training_herd(per_cent, extra), draw_herd(N_TEST, seed=_TEST_SEED, correlation=per_cent / 100)
        train, test = (Split(herd.pictures, herd.labels, np.arange(len(herd))) for herd in herds)
        return train, test

    def cutouts() -> Cutouts:
        herd = training_herd(per_cent, extra)
        return Cutouts(herd.masks, herd.empty, draw_grounds(_N_INVENTED, seed=_INVENTED_SEED))

    more = f", and {extra} more animals stand on the other's ground" if extra else ""
    return DataSet(
        key=key_of(per_cent, extra),
        title="Cow or camel",
        class_names=CLASSES,
        n_train=N_TRAIN + extra,
        n_test=N_TEST,
        mean=_MEAN,
        std=_STD,
        side=SIDE,
        source=f"drawn by this program; animal and ground match in {per_cent} % of the pictures{more}",
        load=load,
        channels=3,
        light_on_black=False,
        cutouts=cutouts,
    )


@lru_cache(maxsize=6)
def trial_herd(kind: Kind, n: int = N_TEST) -> Herd:
    """The test animals on grounds of one kind (see KINDS): the same animals in each; read-only."""
    if kind not in KINDS:
        raise InvalidOption(f"There is no kind of ground {quote(kind)}. Use {', '.join(KINDS)}.")
    herd = draw_herd(n, seed=_TEST_SEED, correlation=0.0 if kind == "counter" else 1.0, neutral=kind == "neutral")
    for field in fields(Herd):
        getattr(herd, field.name).setflags(write=False)
    return herd
