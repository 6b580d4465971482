"""Fair timing: the candidates take turns in one process, so that whatever else the machine does hits all of them."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """One candidate against the baseline: medians over rounds, and the quartiles of the ratio within a round."""

    milliseconds: float
    ratio: float
    ratio_low: float
    ratio_high: float


def take_turns(
    candidates: Mapping[str, Callable[[], object]], baseline: str, *, rounds: int, warm_up: int = 2, seed: int = 0
) -> dict[str, Timing]:
    """Run every candidate once in each round, in an order shuffled anew, and compare within the round.

    The median of the ratios within rounds is steadier than a ratio of medians when other work shares the machine.
    The garbage collector rests meanwhile, as in the standard library's timeit.
    """
    for candidate in candidates.values():
        for _ in range(warm_up):
            candidate()
    order, shuffle = list(candidates), random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            shuffle.shuffle(order)
            for name in order:
                start = time.perf_counter()
                candidates[name]()
                seconds[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: _summary(times, seconds[baseline]) for name, times in seconds.items()}


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
    )
