"""How sure a count or a difference is: intervals, computed by scipy and by a seeded bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..errors import InvalidOption
from .swap_result import Interval, Rate

RESAMPLES: Final = 10_000
LEVEL: Final = 0.95
_AT_ONCE: Final = 1_000_000
"""Numbers drawn at a time, 8 bytes each."""


def rate(count: int, n: int, *, level: float = LEVEL) -> Rate:
    """`count` of `n` with the interval of Wilson (1927), which stays within 0 and 1 and is never empty."""
    if n == 0:
        return Rate(0, 0, 0.0, 1.0)
    from scipy.stats import binomtest  # here: scipy's statistics take half a second to import

    found = binomtest(count, n).proportion_ci(level, method="wilson")
    return Rate(count, n, float(found.low), float(found.high))


def paired_bootstrap(
    control: Sequence[float],
    treated: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """The mean of treated - control over pictures, with the percentile bootstrap interval (Efron 1979).

    Whole pictures are drawn again, so that what makes a picture easy or hard counts in both. Raises InvalidOption where
    there is no pair, the lengths differ, or resamples or level make no interval.
    """
    if len(control) != len(treated) or not len(control):
        raise InvalidOption(f"Pairs are needed, and these are {len(control)} and {len(treated)} numbers.")
    if resamples < 1 or not 0 < level < 1:
        raise InvalidOption(f"resamples must be 1 or more and level between 0 and 1, not {resamples} and {level:g}.")
    differences = np.asarray(treated, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    n = len(differences)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _AT_ONCE // n)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        means[start : start + count] = differences[generator.integers(0, n, (count, n))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(differences.mean()), float(low), float(high), level)
