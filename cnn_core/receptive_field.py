"""How far one unit sees: the receptive field of any operation."""

from __future__ import annotations

from typing import Any


class ReceptiveField: ...


def receptive_field(*args: Any) -> ReceptiveField:
    raise RuntimeError("under construction")
