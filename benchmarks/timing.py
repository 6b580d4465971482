"""Fair timing: the candidates take turns in one process, so that whatever else the machine does hits all of them."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """One candidate against the baseline: medians over rounds, and the quartiles of the ratio within a round.

    times: seconds, one for each round.
    """

    milliseconds: float
    ratio: float
    ratio_low: float
    ratio_high: float
    times: tuple[float, ...]

    def over(self, other: Timing) -> float:
        """How many times as long as the other this one takes: the median over rounds."""
        return statistics.median(one / two for one, two in zip(self.times, other.times, strict=True))


def take_turns(
    candidates: Mapping[str, Callable[[], object]],
    baseline: str,
    *,
    rounds: int,
    warm_up: int = 2,
    seed: int = 0,
    seconds: float = math.inf,
    least: int = 2,
) -> dict[str, Timing]:
    """Run every candidate once in each round, in an order shuffled anew, and compare within the round.

    The median of the ratios within rounds is steadier than a ratio of medians when other work shares the machine.
    The garbage collector rests meanwhile, as in the standard library's timeit. After `seconds` no further round is
    begun, once there are `least`.
    """
    for candidate in candidates.values():
        for _ in range(warm_up):
            candidate()
    order, shuffle = list(candidates), random.Random(seed)
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    try:
        for done in range(rounds):
            if done >= least and time.perf_counter() - begin > seconds:
                break
            shuffle.shuffle(order)
            for name in order:
                start = time.perf_counter()
                candidates[name]()
                taken[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: _summary(times, taken[baseline]) for name, times in taken.items()}


@contextmanager
def threads(n: int) -> Iterator[None]:
    """torch with n threads, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _summary(times: list[float], baseline: list[float]) -> Timing:
    ratios = sorted(one / base for one, base in zip(times, baseline, strict=True))
    last = len(ratios) - 1
    return Timing(
        statistics.median(times) * 1000,
        statistics.median(ratios),
        ratios[round(last * 0.25)],
        ratios[round(last * 0.75)],
        tuple(times),
    )
