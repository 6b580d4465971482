"""Experiments with one kernel on one picture: where it answers, what a moved and a shuffled picture do to its map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .errors import InvalidOption
from .kernels import Grid, convolve


@dataclass(frozen=True)
class Place:
    """A square part of a grid, and how strongly a kernel answers there."""

    top: int
    left: int
    side: int
    strength: float
    """Mean of |answer| over the output cells whose window's middle lies in the square."""


def candidate_places(values: ArrayLike, kernel: ArrayLike) -> tuple[Place, ...]:
    """Three squares of a grid for a guess: where the kernel answers most, least, and in between, in reading order.

    values: (H, W), cut into squares of a quarter of its shorter side; the kernel slides with stride 1 over the grid
    padded by half its size, so that each cell has one answer, and squares at the border are left out, because the
    padding's own edge answers there. Empty where there are fewer than three squares, or where the strongest does not
    answer at least one and a half times as much as the second candidate: then there would be nothing to guess.
    """
    grid, weights = np.asarray(values, dtype=np.float64), np.asarray(kernel, dtype=np.float64)
    side = min(grid.shape) // 4
    if side < max(weights.shape) or weights.shape[0] % 2 == 0 or weights.shape[0] != weights.shape[1]:
        return ()
    answers = np.abs(convolve(grid, weights, padding=weights.shape[0] // 2))
    margin = weights.shape[0] // 2
    tops = range(margin, grid.shape[0] - margin - side + 1, side)
    lefts = range(margin, grid.shape[1] - margin - side + 1, side)
    places = [
        Place(top, left, side, float(answers[top : top + side, left : left + side].mean()))
        for top in tops
        for left in lefts
    ]
    places.sort(key=lambda place: -place.strength)
    if len(places) < 3:
        return ()
    chosen = [places[0], places[len(places) // 2], places[-1]]
    if places[0].strength < 1.5 * chosen[1].strength or places[0].strength < 1e-6:
        return ()
    return tuple(sorted(chosen, key=lambda place: (place.top, place.left)))


@dataclass(frozen=True, eq=False)
class Moved:
    """A picture moved down and to the right, and what its map did. All grids are float64.

    `shift` is by how many cells the map is compared, floor(pixels / stride); `exact` says whether pixels is a multiple
    of the stride. `largest_difference` is taken over the `compared` cells whose window sees only what both pictures
    hold, never the padding or the black that came in; `largest_answer` is the largest |answer| among those cells.
    """

    picture: Grid
    before: Grid
    after: Grid
    shift: int
    exact: bool
    compared: int
    largest_difference: float
    largest_answer: float


def move_picture(
    values: ArrayLike,
    kernel: ArrayLike,
    pixels: int,
    bias: float = 0.0,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Moved:
    """Move a grid (H, W) by `pixels` down and to the right, black coming in, and slide the kernel over both.

    Raises InvalidOption unless 1 <= pixels < min(H, W).
    """
    grid, weights = np.asarray(values, dtype=np.float64), np.asarray(kernel, dtype=np.float64)
    if not 1 <= pixels < min(grid.shape):
        raise InvalidOption(f"pixels must lie between 1 and {min(grid.shape) - 1}, not {pixels}.")
    moved = np.zeros_like(grid)
    moved[pixels:, pixels:] = grid[:-pixels, :-pixels]
    before = convolve(grid, weights, bias, stride=stride, padding=padding, dilation=dilation)
    after = convolve(moved, weights, bias, stride=stride, padding=padding, dilation=dilation)
    shift = pixels // stride
    keep = []
    for axis in (0, 1):
        n = before.shape[axis]
        start = np.arange(n) * stride - padding
        end = start + dilation * (weights.shape[axis] - 1)
        # The window lies inside the picture, and inside what is still there after the move (both shifts of the window).
        inside = (start >= 0) & (end + pixels < grid.shape[axis]) & (start + shift * stride >= pixels)
        keep.append(np.flatnonzero(inside & (np.arange(n) + shift < n)))
    rows, columns = keep
    first, second = before[np.ix_(rows, columns)], after[np.ix_(rows + shift, columns + shift)]
    return Moved(
        picture=moved,
        before=before,
        after=after,
        shift=shift,
        exact=pixels % stride == 0,
        compared=int(first.size),
        largest_difference=float(np.abs(first - second).max(initial=0.0)),
        largest_answer=float(np.abs(first).max(initial=0.0)),
    )


@dataclass(frozen=True, eq=False)
class Shuffled:
    """A picture with its pixels in random order, and what is left of its map. All grids are float64.

    `likeness` is the correlation of each answer with its right-hand and lower neighbours, over the whole map: near 1
    where the answers form lines and areas; 0 for a map without variation. `likeness_of_noise` is what overlapping
    windows alone would give to random pixels. `same_map` is the correlation of the two maps, cell by cell.
    """

    picture: Grid
    before: Grid
    after: Grid
    likeness_before: float
    likeness_after: float
    likeness_of_noise: float
    same_map: float


def shuffle_pixels(
    values: ArrayLike,
    kernel: ArrayLike,
    bias: float = 0.0,
    *,
    seed: int = 0,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Shuffled:
    """Put a grid's numbers in a random order (numpy's generator with this seed) and slide the kernel over both."""
    grid = np.asarray(values, dtype=np.float64)
    mixed = np.random.default_rng(seed).permutation(grid.reshape(-1)).reshape(grid.shape)
    before = convolve(grid, kernel, bias, stride=stride, padding=padding, dilation=dilation)
    after = convolve(mixed, kernel, bias, stride=stride, padding=padding, dilation=dilation)
    return Shuffled(
        picture=mixed,
        before=before,
        after=after,
        likeness_before=neighbour_likeness(before),
        likeness_after=neighbour_likeness(after),
        likeness_of_noise=likeness_of_noise(kernel, stride=stride, dilation=dilation),
        same_map=_likeness(before, after),
    )


def likeness_of_noise(kernel: ArrayLike, *, stride: int = 1, dilation: int = 1) -> float:
    """The expected correlation of neighbouring answers where all pixels are independent and alike.

    Two windows share pixels where they overlap, so the answers correlate as the kernel does with itself, moved by one
    stop: sum(w(p) w(p + stop)) / sum(w(p)^2), here the mean over a stop to the right and a stop down.
    """
    weights = np.asarray(kernel, dtype=np.float64)
    spread = np.zeros(tuple(dilation * (n - 1) + 1 for n in weights.shape))
    spread[::dilation, ::dilation] = weights
    energy = float((spread**2).sum())
    if energy == 0:
        return 0.0
    right = float((spread[:, stride:] * spread[:, :-stride]).sum())
    down = float((spread[stride:] * spread[:-stride]).sum())
    return (right + down) / (2 * energy)


def neighbour_likeness(answers: Grid) -> float:
    """The correlation of each cell with its right-hand and its lower neighbour, both kinds of pairs taken together."""
    first = np.concatenate([answers[:, :-1].reshape(-1), answers[:-1].reshape(-1)])
    second = np.concatenate([answers[:, 1:].reshape(-1), answers[1:].reshape(-1)])
    return _likeness(first, second)


def _likeness(first: Grid, second: Grid) -> float:
    """Pearson's correlation; 0 where one of them does not vary (rounding errors are no variation)."""
    if first.size < 2 or min(np.ptp(first), np.ptp(second)) < 1e-9:
        return 0.0
    return float(np.corrcoef(first.reshape(-1), second.reshape(-1))[0, 1])
