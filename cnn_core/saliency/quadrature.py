"""An integral of maps along a path whose ends and middle are known: where the error is, the points go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

RULES: Final = ("adaptive", "gauss")
"""How the points on the path are chosen: where the error is, or at Gauss and Legendre's fixed places."""

Evaluate = Callable[[NDArray[np.float64]], tuple[torch.Tensor, NDArray[np.float64]]]
_FIRST: Final = (9, 33)  # half the points, but from 9 to 33 of them, lie at equal distances; the error places the rest
_AT_ONCE: Final = 8  # parts halved in one round, if their errors are at least a quarter of the largest
_HELD: Final = 64  # maps kept until their weights are known: 13 MB at 224 x 224


def by_gauss(evaluate: Evaluate, steps: int, batch: int) -> torch.Tensor:
    """Gauss and Legendre's rule with `steps` points: exact for polynomials, and blind to where a path has its kinks.

    evaluate: as in `by_error`; `batch` places at a time. Returns (h, w).
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return _streamed(evaluate, (nodes + 1) / 2, weights / 2, batch)


def by_error(evaluate: Evaluate, steps: int, batch: int) -> torch.Tensor:
    """The trapezoidal rule with `steps` points, put where its error is largest.

    evaluate(alphas (n,)) gives at each place of the path, 0 to 1, the integrand's map (n, h, w) and the value F (n,)
    whose derivative the map sums to. So the error of each part of the path is known exactly at no further cost: its
    trapezoid less F(end) - F(start). The parts with the largest errors are halved, a few in each round; after 64 points
    the rest is shared out among the parts by their errors, so that few maps are held at once. Returns (h, w), which
    does not depend on `batch`, the number of places evaluated at once.
    """
    alphas = np.linspace(0.0, 1.0, min(steps, int(np.clip(steps // 2, *_FIRST))))
    maps, values, slopes = _look(evaluate, alphas, batch)
    while len(alphas) < min(steps, _HELD):
        errors = _errors(alphas, slopes, values)
        worst = np.argsort(-errors, kind="stable")[: min(_AT_ONCE, min(steps, _HELD) - len(alphas))]
        worst = worst[errors[worst] >= errors.max() / 4]
        new = np.sort((alphas[worst] + alphas[worst + 1]) / 2)
        more, new_values, new_slopes = _look(evaluate, new, batch)
        order = np.argsort(np.concatenate([alphas, new]))
        maps = [[*maps, *more][i] for i in order]
        alphas, values, slopes = (
            np.concatenate(pair)[order] for pair in ((alphas, new), (values, new_values), (slopes, new_slopes))
        )
    inside = _shared_out(alphas, _errors(alphas, slopes, values), steps - len(alphas))
    grid = np.sort(np.concatenate([alphas, inside]))
    weights = _trapezoid(grid)
    held = torch.from_numpy(weights[np.searchsorted(grid, alphas)]).to(maps[0])
    total = torch.einsum("n,nhw->hw", held, torch.stack(maps))
    maps.clear()
    return total + _streamed(evaluate, inside, weights[np.searchsorted(grid, inside)], batch) if len(inside) else total


def _look(
    evaluate: Evaluate, alphas: NDArray[np.float64], batch: int
) -> tuple[list[torch.Tensor], NDArray[np.float64], NDArray[np.float64]]:
    """Maps, values and the maps' sums at places on the path."""
    maps: list[torch.Tensor] = []
    values: list[float] = []
    for start in range(0, len(alphas), batch):
        found, at = evaluate(alphas[start : start + batch])
        maps.extend(found)
        values.extend(at.tolist())
    return maps, np.array(values), np.array([float(one.double().sum()) for one in maps])


def _streamed(
    evaluate: Evaluate, alphas: NDArray[np.float64], weights: NDArray[np.float64], batch: int
) -> torch.Tensor:
    """The weighted sum of the maps at places whose weights are known."""
    total = torch.zeros(())
    for start in range(0, len(alphas), batch):
        found, _ = evaluate(alphas[start : start + batch])
        total = total.to(found) + torch.einsum(
            "n,nhw->hw", torch.from_numpy(weights[start : start + batch]).to(found), found
        )
    return total


def _errors(
    alphas: NDArray[np.float64], slopes: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each part between two neighbours."""
    return np.asarray(np.abs((slopes[1:] + slopes[:-1]) / 2 * np.diff(alphas) - np.diff(values)))


def _trapezoid(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    width = np.diff(grid)
    return np.asarray((np.append(width, 0) + np.insert(width, 0, 0)) / 2)


def _shared_out(alphas: NDArray[np.float64], errors: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """n further places, in each part as many as its share of the error, at equal distances inside it."""
    if n <= 0:
        return np.empty(0)
    share = errors / errors.sum() if errors.sum() > 0 else np.full(len(errors), 1 / len(errors))
    counts = np.floor(share * n).astype(int)
    for part in np.argsort(-(share * n - counts), kind="stable")[: n - counts.sum()]:
        counts[part] += 1
    found: Sequence[NDArray[np.float64]] = [
        np.linspace(alphas[i], alphas[i + 1], count + 2)[1:-1] for i, count in enumerate(counts) if count
    ]
    return np.concatenate(found)
