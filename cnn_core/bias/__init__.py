"""The bias lab: does a classifier look at the object or at its background? A map proposes, an intervention decides.

Names are imported when they are first used, as those of `cnn_core` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES: dict[str, str] = {
    "Box": "regions",
    "Counterfactuals": "counterfactual",
    "Evidence": "region_evidence",
    "GroundCard": "backgrounds",
    "MarginSplit": "region_evidence",
    "OwnGround": "counterfactual",
    "Region": "regions",
    "background_only": "composing",
    "counterfactuals": "counterfactual",
    "cut_out": "cutting",
    "fitted": "composing",
    "grey_ground": "composing",
    "ground": "backgrounds",
    "grounds": "backgrounds",
    "margin_split": "region_evidence",
    "object_only": "composing",
    "own_ground": "composing",
    "remove_object": "composing",
    "swap_ground": "composing",
    "AuditProgress": "result",
    "AuditReport": "result",
    "BadFile": "result",
    "PictureRow": "result",
    "SwapTest": "swap_result",
    "Verdict": "result",
    "AuditStore": "store",
    "audit": "auditing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
