"""How alike two maps are: rank correlation, structural similarity, and a matrix of methods against each other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidOption
from .charts import matrix_chart
from .maps import SaliencyMap
from .removal import gaussian_blur

_SIGMA: Final = 1.5  # of the window, and the constants below: Wang et al. 2004
_K1, _K2 = 0.01, 0.03


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rank of each value from 1 up, flat; equal values share the mean of their ranks."""
    _, place, counts = np.unique(np.asarray(values).ravel(), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)


def spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of two maps of one shape, -1 to 1; NaN where one of them is constant."""
    a, b = (ranks(values) - (values.size + 1) / 2 for values in (one, other))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


def ssim(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Mean structural similarity of two maps of one shape, each divided by its own largest absolute value first.

    Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 2004, with a Gaussian window of 1.5 cells
    and a range of 1. It is made for values that are nowhere negative: signed maps are brought from -1 ... 1 to 0 ... 1,
    else a map and its negative would seem alike. 1 for equal maps; NaN where one is 0 everywhere.
    """
    scaled = []
    for values in (one, other):
        largest = float(np.abs(values).max())
        if not largest > 0:
            return float("nan")
        scaled.append(np.asarray(values, dtype=np.float64) / largest)
    if min(values.min() for values in scaled) < 0:
        scaled = [(values + 1) / 2 for values in scaled]
    a, b = scaled
    mean_a, mean_b = gaussian_blur(a, _SIGMA), gaussian_blur(b, _SIGMA)
    var_a, var_b = gaussian_blur(a * a, _SIGMA) - mean_a**2, gaussian_blur(b * b, _SIGMA) - mean_b**2
    both = gaussian_blur(a * b, _SIGMA) - mean_a * mean_b
    c1, c2 = _K1**2, _K2**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return float(similarity.mean())


@dataclass(frozen=True, eq=False)
class Agreement:
    """Spearman's rank correlation of each map with each other one.

    names: of the maps, in their order. matrix: float64 (n, n), symmetric, 1 on the diagonal; NaN in the row and column
    of a map that carries nothing. grid: (rows, columns) on which they were compared. sentence: what the numbers say.
    weakness: what they cannot say.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    grid: tuple[int, int]
    sentence: str
    weakness: str = (
        "Agreement is no proof: methods that share an idea err together, and all of them may show the edges. "
        "Disagreement says that at least one of them misleads."
    )

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """names, matrix and grid as an .npz file's bytes (no pickles inside)."""
        return packed(path, names=np.array(self.names), matrix=self.matrix, grid=np.array(self.grid))

    def to_png(self, path: str | Path | None = None) -> bytes:
        """The matrix as a picture, with its numbers."""
        return written(matrix_chart("Rank correlation of the maps", self.names, self.matrix), path)


def agreement(maps: Sequence[SaliencyMap], *, names: Sequence[str] | None = None, side: int = 28) -> Agreement:
    """Compare maps of one picture, whatever their resolution: each is drawn at its place, then averaged over blocks.

    names: what to call them (default: the method, and the layer where two share a method). side: blocks along the
    picture's shorter side. Raises InvalidOption for fewer than two maps, or maps of different pictures.
    """
    if len(maps) < 2:
        raise InvalidOption("Agreement needs at least two maps.")
    if any(not np.array_equal(made.shown_rgb, maps[0].shown_rgb) for made in maps[1:]):
        raise InvalidOption("The maps are of different pictures: agreement compares maps of one picture.")
    if names is not None and len(names) != len(maps):
        raise InvalidOption(f"{len(maps)} maps and {len(names)} names were given: one name for each.")
    height, width = maps[0].input_size
    if not 2 <= side <= min(height, width):
        raise InvalidOption(f"side must lie between 2 and {min(height, width)}, and is {side}.")
    grid = (round(side * height / min(height, width)), round(side * width / min(height, width)))
    drawn = [_averaged(made.upsampled(), grid) if not made.is_empty else np.zeros(grid) for made in maps]
    matrix = np.eye(len(maps))
    for i, one in enumerate(drawn):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = spearman(one, drawn[j])
        if maps[i].is_empty:
            matrix[i, i] = np.nan
    titles = tuple(names) if names is not None else _names(maps)
    return Agreement(titles, matrix, grid, _sentence(titles, matrix))


def _names(maps: Sequence[SaliencyMap]) -> tuple[str, ...]:
    methods = [made.method for made in maps]
    return tuple(m if methods.count(m) == 1 else f"{m} {made.layer}" for m, made in zip(methods, maps, strict=True))


def _averaged(values: NDArray[np.floating], grid: tuple[int, int]) -> NDArray[np.float64]:
    """The mean over blocks that cut the picture into a grid of nearly equal parts."""
    edges = [
        np.linspace(0, side, parts + 1).round().astype(int) for side, parts in zip(values.shape, grid, strict=True)
    ]
    summed = np.add.reduceat(np.asarray(values, dtype=np.float64), edges[0][:-1], axis=0)
    summed = np.add.reduceat(summed, edges[1][:-1], axis=1)
    return np.asarray(summed / (np.diff(edges[0])[:, None] * np.diff(edges[1])[None, :]))


def _sentence(names: Sequence[str], matrix: NDArray[np.float64]) -> str:
    pairs = [(matrix[i, j], i, j) for i in range(len(names)) for j in range(i) if np.isfinite(matrix[i, j])]
    if not pairs:
        return "No two of these maps carry anything to compare."
    (low, a, b), (high, c, d) = min(pairs), max(pairs)
    words = f"{names[d]} and {names[c]} agree most (rank correlation {high:.2f})"
    if len(pairs) > 1:
        words += f", {names[b]} and {names[a]} least ({low:.2f})"
    return f"{words}.".replace("-0.", "−0.").replace("-1.", "−1.")


def packed(path: str | Path | None, **arrays: NDArray[np.generic]) -> bytes:
    """Arrays as an .npz file's bytes; also written to `path` if one is given."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return written(buffer.getvalue(), path)


def written(data: bytes, path: str | Path | None) -> bytes:
    """The bytes, also written to `path` if one is given."""
    if path is not None:
        Path(path).write_bytes(data)
    return data
