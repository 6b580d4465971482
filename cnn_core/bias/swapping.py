"""The swap test: each boxed object on the others' backgrounds, of its own class (the control) and of other classes.

Backgrounds come from the folder itself: other boxed pictures, their objects painted over. A pasted seam is an artefact
that the control has too, which is why only the difference counts (BG-Gap: Xiao et al., arXiv 2006.09994).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..errors import InvalidOption
from ..saliency.progress import ShouldStop
from .boxed import Boxed
from .composing import remove_object, swap_ground
from .passing import go_on
from .result import By, PictureRow
from .statistics import paired_bootstrap, rate
from .store import jpeg_of
from .swap_result import Arm, Interval, Rate, SideSwap, SwapExample, SwapRow, SwapTest

DONORS: Final = 5
MOST_DONORS: Final = 50
FEATHER: Final = 1.0
_EXAMPLES: Final = 8
_MOST_COVERED: Final = 0.9
"""A box that covers more leaves no background to give, and none to swap."""

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class _Plan:
    """What one picture is put on: places of donors in the list of boxed pictures."""

    place: int
    same: tuple[int, ...]
    other: tuple[int, ...]


def side_of(row: PictureRow, by: By) -> str | None:
    """What a picture's background is taken to be of; None where that is not known of this picture."""
    return {"label": row.label, "predicted": row.predicted_name, "tag": row.tag}[by]


def choose_by(rows: Sequence[PictureRow], *, tagged: bool) -> By:
    """Tags given by hand say most of a background; then labels; where there are no two of them, the predictions."""
    for by, wanted in (("tag", tagged), ("label", True)):
        if wanted and len({side_of(row, by) for row in rows} - {None}) > 1:  # type: ignore[arg-type]
            return by  # type: ignore[return-value]
    return "predicted"


def swap_test(
    boxed: Sequence[Boxed],
    logits: Logits,
    class_names: Sequence[str],
    *,
    by: By,
    donors: int,
    n_boxed: int,
    resamples: int,
    level: float,
    seed: int,
    on_done: Callable[[int, int], None],
    should_stop: ShouldStop | None,
) -> SwapTest | None:
    """Flips on other classes' backgrounds minus flips on the own class's, over pictures that have both.

    logits: of pictures of the model's input size, uint8 (N, h, w, 3) to float32 (N, K). donors: at most so many of each
    kind for each picture, drawn by the seed and the picture's index. Returns None where nothing is boxed.
    on_done(done, total) counts composites. Raises Stopped.
    """
    if not boxed:
        return None
    usable = [i for i, one in enumerate(boxed) if 0 < float(one.share.mean()) <= _MOST_COVERED]
    grounds = _grounds(boxed, usable, should_stop)
    plans = [plan for i in grounds if (plan := _plan(boxed, list(grounds), i, by, donors, seed)) is not None]
    total = sum(len(plan.same) + len(plan.other) for plan in plans) + len(grounds)
    shown = _shown_in_full(boxed, plans)
    done = 0
    rows: list[SwapRow] = []
    examples: list[SwapExample] = []
    removed = 0
    both = {plan.place: plan for plan in plans}
    for place in grounds:
        go_on(should_stop)
        one, plan = boxed[place], both.get(place)
        arms: list[tuple[Arm, int | None]] = [("removed", None)]
        if plan is not None:
            arms += [("same", donor) for donor in plan.same] + [("other", donor) for donor in plan.other]
        pictures = np.stack(
            [grounds[place] if donor is None else swap_ground(one.shown_rgb, one.share, grounds[donor], FEATHER)
             for _, donor in arms]
        )  # fmt: skip
        answers = logits(pictures)
        tops, shares = answers.argmax(axis=1), softmax(answers.astype(np.float64), axis=1)
        flips = tops != one.row.predicted
        removed += int(flips[0])
        if plan is not None:
            rows.append(_row(one, by, arms, flips, one.row.probability - shares[:, one.row.predicted]))
        if place in shown:
            examples += [
                SwapExample(
                    index=one.row.index,
                    arm=arm,
                    donor=None if donor is None else boxed[donor].row.index,
                    predicted_name=class_names[int(tops[i])],
                    probability=float(shares[i, tops[i]]),
                    flipped=bool(flips[i]),
                    jpeg=jpeg_of(pictures[i]),
                )
                for i, (arm, donor) in enumerate(arms)
                if i == 0 or arms[i - 1][0] != arm  # the first of each arm
            ]
        done += len(arms)
        on_done(done, total)
    left = rate(removed, len(grounds), level=level)
    return _result(rows, examples, left, (n_boxed, len(boxed)), resamples, level, seed)


def _grounds(
    boxed: Sequence[Boxed], usable: Sequence[int], should_stop: ShouldStop | None
) -> dict[int, NDArray[np.uint8]]:
    """Each usable picture without its object, by its place."""
    found: dict[int, NDArray[np.uint8]] = {}
    for i in usable:
        go_on(should_stop)
        try:
            found[i] = remove_object(boxed[i].shown_rgb, boxed[i].share)
        except InvalidOption:  # a thin rest of background along the edge is none to continue
            continue
    return found


def _plan(boxed: Sequence[Boxed], usable: Sequence[int], place: int, by: By, donors: int, seed: int) -> _Plan | None:
    """The donors of one picture; None where it has no background of one of the two kinds."""
    side = side_of(boxed[place].row, by)
    if side is None:
        return None
    sides = {other: side_of(boxed[other].row, by) for other in usable if other != place}
    generator = np.random.default_rng([seed, 2, boxed[place].row.index])
    drawn = []
    for wanted in (True, False):
        fit = [other for other, its in sides.items() if its is not None and (its == side) is wanted]
        if not fit:
            return None
        chosen = generator.choice(np.array(fit), min(donors, len(fit)), replace=False)
        drawn.append(tuple(int(other) for other in chosen))
    return _Plan(place, drawn[0], drawn[1])


def _shown_in_full(boxed: Sequence[Boxed], plans: Sequence[_Plan]) -> frozenset[int]:
    """The pictures whose composites are kept to be shown: evenly spread over the folder, not the most striking ones."""
    if not plans:
        return frozenset()
    chosen = np.linspace(0, len(plans) - 1, min(_EXAMPLES, len(plans))).round().astype(int)
    return frozenset(plans[int(i)].place for i in chosen)


def _row(
    one: Boxed, by: By, arms: Sequence[tuple[Arm, int | None]], flips: NDArray[np.bool_], drops: NDArray[np.floating]
) -> SwapRow:
    kinds = np.array([arm for arm, _ in arms])
    same, other = kinds == "same", kinds == "other"
    return SwapRow(
        index=one.row.index,
        name=one.row.name,
        side=side_of(one.row, by) or "",
        flips_same=int(flips[same].sum()),
        n_same=int(same.sum()),
        flips_other=int(flips[other].sum()),
        n_other=int(other.sum()),
        drop_same=float(drops[same].mean()),
        drop_other=float(drops[other].mean()),
        removed_flipped=bool(flips[0]),
    )


def _result(
    rows: Sequence[SwapRow],
    examples: Sequence[SwapExample],
    removed: Rate,
    counts: tuple[int, int],
    resamples: int,
    level: float,
    seed: int,
) -> SwapTest:
    """counts: pictures that are boxed, and those of them that were drawn for the test."""
    n_boxed, n_drawn = counts
    same = [row.flips_same / row.n_same for row in rows]
    other = [row.flips_other / row.n_other for row in rows]
    sides = []
    for side in sorted({row.side for row in rows}):
        own = [i for i, row in enumerate(rows) if row.side == side]
        sides.append(SideSwap(side, len(own), _mean([same[i] for i in own]), _mean([other[i] for i in own])))
    return SwapTest(
        n=len(rows),
        n_boxed=n_boxed,
        same=_mean(same),
        other=_mean(other),
        removed=removed,
        difference=paired_bootstrap(same, other, resamples=resamples, level=level, seed=seed)
        if rows
        else Interval(0.0, -1.0, 1.0, level),
        sides=tuple(sides),
        rows=tuple(rows),
        examples=tuple(examples),
        not_tried=_not_tried(len(rows), n_boxed, n_drawn),
    )


def _not_tried(n: int, n_boxed: int, n_drawn: int) -> str:
    said = []
    if n_drawn < n_boxed:
        said.append(f"Of {n_boxed} boxed pictures {n_drawn} were drawn by the seed for the test.")
    if n < n_drawn:
        said.append(
            f"{n_drawn - n} boxed picture{'s' * (n_drawn - n != 1)} took no part: no other boxed picture of the same "
            "kind, or none of another kind, could lend a background, or the box left none."
        )
    return " ".join(said)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
