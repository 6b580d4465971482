"""JSON that every reader takes: NaN and the infinities, which JSON does not have, are written as words."""

from __future__ import annotations

import json
import math
from typing import Any, Final

_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any, *, indent: int | None = None) -> str:
    """The value as strict JSON text; mappings and sequences may be nested."""
    return json.dumps(to_words(value), allow_nan=False, indent=indent)


def to_words(value: Any) -> Any:
    """The value with "NaN", "Infinity" and "-Infinity" for numbers that are not finite, and lists for tuples."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: to_words(item) for key, item in value.items()}
    return [to_words(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_words(value: Any) -> Any:
    """The other way: numbers for the three words."""
    if isinstance(value, str):
        return _WORDS.get(value, value)
    if isinstance(value, dict):
        return {key: from_words(item) for key, item in value.items()}
    return [from_words(item) for item in value] if isinstance(value, list) else value
