"""Every random choice of a run is drawn from a seed made of the run's own seed and what the choice is for."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A number from 0 to 2^63 - 1 for one purpose of one run, for example (0, "batches", 3).

    The first bytes of SHA-256 of the words. Since no choice is drawn from a stream that others draw from, too, a step
    needs nothing from the steps before it: a run continues from its step number alone, and two networks with a layer
    of one name and shape begin with the same weights there.
    """
    words = "\0".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8]) >> 1
