"""One picture, many interventions: the same object on other grounds, on its own kind of ground, without it, alone.

Everything happens on the picture that the network saw, at its own size, so that nothing but the intervention changes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ..errors import InvalidOption
from .backgrounds import ground, grounds
from .composing import background_only, fitted, grey_ground, object_only, own_ground, remove_object, swap_ground
from .region_evidence import RegionLike, share_of

if TYPE_CHECKING:
    from ..models import Classifier
    from ..preprocessing import ModelInput

Kind = Literal["original", "control", "other", "removed", "alone", "background", "grey"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_BATCH: Final = 8
Rgb = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class OwnGround:
    """A ground that the visitor brought; control: it is of the kind that the object usually stands on."""

    title: str
    rgb: Rgb
    control: bool = False


@dataclass(frozen=True, eq=False)
class Row:
    """One version of the picture and what the network says of it.

    kind: "original"; "control", on a ground of its own class; "other", on a ground of another class; "removed", without
    the object; "alone", cut out on white; "background", its place filled with one colour; "grey", on mid grey.
    ground: the key of the shipped ground, or "". shown_rgb: uint8 (h, w, 3). logit, probability: of the target;
    rival_logit, rival_probability: of the rival. top_index: the likeliest class. flips: the decision is another one
    than on the original.
    """

    kind: Kind
    title: str
    ground: str
    shown_rgb: Rgb
    logit: float
    probability: float
    rival_logit: float
    rival_probability: float
    top_index: int
    top_name: str
    top_probability: float
    flips: bool

    @property
    def margin(self) -> float:
        """logit - rival_logit."""
        return self.logit - self.rival_logit


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """All versions of one picture, the original first.

    target, rival: class indices. by_margin: a flip is a change of the margin's sign (a rival was chosen), not of the
    likeliest class. share: float (h, w), where the object is. seed: of the drawn grounds.
    """

    rows: tuple[Row, ...]
    target: int
    target_name: str
    rival: int
    rival_name: str
    by_margin: bool
    share: NDArray[np.floating]
    feather: float
    seed: int
    model_key: str

    @property
    def original(self) -> Row:
        return self.rows[0]

    def of(self, *kinds: Kind) -> tuple[Row, ...]:
        """The rows of these kinds."""
        return tuple(row for row in self.rows if row.kind in kinds)

    def flips(self, kind: Kind) -> tuple[int, int]:
        """(how many rows of this kind flip, how many there are)."""
        rows = self.of(kind)
        return sum(row.flips for row in rows), len(rows)

    def mean_change(self, kind: Kind) -> float | None:
        """The mean change of the margin against the original over the rows of this kind; None where there is none."""
        rows = self.of(kind)
        return float(np.mean([row.margin - self.original.margin for row in rows])) if rows else None

    @property
    def nbytes(self) -> int:
        return sum(row.shown_rgb.nbytes for row in self.rows) + self.share.nbytes

    def to_csv(self) -> str:
        """A line for each version: kind, title, ground, both classes' logits and probabilities, margin, top, flips."""
        file = io.StringIO()
        writer = csv.writer(file)
        names = [f"{part} {name}" for name in (self.target_name, self.rival_name) for part in ("logit", "probability")]
        writer.writerow(["kind", "title", "ground", *names, "margin", "top_class", "top_probability", "flips"])
        for row in self.rows:
            numbers = (row.logit, row.probability, row.rival_logit, row.rival_probability, row.margin)
            told = [f"{number:.9g}" for number in numbers]
            writer.writerow(
                [row.kind, row.title, row.ground, *told, row.top_name, f"{row.top_probability:.9g}", int(row.flips)]
            )
        return file.getvalue()


def counterfactuals(
    classifier: Classifier,
    model_input: ModelInput,
    region: RegionLike,
    target: int | str,
    rival: int | str | None = None,
    *,
    usual: str | None = None,
    own: Sequence[OwnGround] = (),
    feather: float = 1.0,
    seed: int = 0,
    controls: int = 3,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Counterfactuals:
    """Make every intervention and ask the network.

    usual: the shipped ground that is of the same class as the picture's own, drawn `controls` times with other seeds;
    None where none is, and then the controls are the picture's own ground (the object taken away, mirrored) alone.
    Without a rival, the likeliest other class is compared with, and a flip is another likeliest class; with one, a flip
    is another sign of the margin. on_progress(done, total) is told pictures; what it raises ends the work.
    Raises InvalidOption for a region that the network did not see, an unknown ground, or a rival that is the target;
    UnknownClass for a class that the model lacks.
    """
    share = share_of(region, model_input)
    a = classifier.class_index(target)
    b = None if rival is None else classifier.class_index(rival)
    if a == b:
        raise InvalidOption(f"The margin of {classifier.class_names[a]} with itself is always 0: choose two classes.")
    if len(classifier.class_names) < 2:
        raise InvalidOption("A network with one class has no other to flip to.")
    if usual is not None and usual not in {card.key for card in grounds()}:
        ground(usual, 1, 1)  # raises, with the valid names
    made = _versions(model_input.shown_rgb, share, usual, own, feather, seed, controls)
    logits = _logits(classifier, [rgb for _, _, _, rgb in made], on_progress)
    order = np.argsort(-logits[0], kind="stable")
    other = b if b is not None else int(next(i for i in order if i != a))
    probabilities = softmax(logits, axis=1)
    decisions = [int(z[a] > z[other]) if b is not None else int(z.argmax()) for z in logits]
    rows = []
    for (kind, title, key, rgb), z, p, decision in zip(made, logits, probabilities, decisions, strict=True):
        top = int(z.argmax())
        rgb.setflags(write=False)
        rows.append(
            Row(
                kind=kind,
                title=title,
                ground=key,
                shown_rgb=rgb,
                logit=float(z[a]),
                probability=float(p[a]),
                rival_logit=float(z[other]),
                rival_probability=float(p[other]),
                top_index=top,
                top_name=classifier.class_names[top],
                top_probability=float(p[top]),
                flips=decision != decisions[0],
            )
        )
    names = classifier.class_names
    return Counterfactuals(
        tuple(rows), a, names[a], other, names[other], b is not None, share, feather, seed, classifier.key
    )


def _versions(
    rgb: Rgb,
    share: NDArray[np.floating],
    usual: str | None,
    own: Sequence[OwnGround],
    feather: float,
    seed: int,
    controls: int,
) -> list[tuple[Kind, str, str, Rgb]]:
    """(kind, title, ground, picture) of every version, the original first."""
    height, width = rgb.shape[:2]
    made: list[tuple[Kind, str, str, Rgb]] = [("original", "As it is", "", np.array(rgb))]

    def on(kind: Kind, title: str, key: str, other: Rgb) -> None:
        made.append((kind, title, key, swap_ground(rgb, share, other, feather)))

    covers_all = bool((np.asarray(share) > 0).all())
    if not covers_all:
        on("control", "Its own ground, mirrored", "", own_ground(rgb, share))
    for card in grounds():
        if card.key == usual:
            for copy in range(controls):
                on("control", f"{card.title} {copy + 1}", card.key, ground(card.key, height, width, seed + copy))
    for brought in own:
        if brought.control:
            on("control", brought.title, "", fitted(brought.rgb, height, width))
    for card in grounds():
        if card.key != usual:
            on("other", card.title, card.key, ground(card.key, height, width, seed))
    for brought in own:
        if not brought.control:
            on("other", brought.title, "", fitted(brought.rgb, height, width))
    if not covers_all:
        made.append(("removed", "Object painted over", "", remove_object(rgb, share)))
    made.append(("alone", "Object only, on white", "", object_only(rgb, share)))
    made.append(("background", "Background only", "", background_only(rgb, share)))
    made.append(("grey", "On mid grey", "", grey_ground(rgb, share)))
    return made


def _logits(
    classifier: Classifier, pictures: Sequence[Rgb], on_progress: Callable[[int, int], None]
) -> NDArray[np.float64]:
    prepare = classifier.card.preprocessing.from_rgb
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            on_progress(start, len(pictures))
            batch = torch.cat([prepare(picture).tensor for picture in pictures[start : start + _BATCH]])
            found.append(classifier.module(batch.to(classifier.device)).double().cpu().numpy())
    on_progress(len(pictures), len(pictures))
    return np.concatenate(found)
