"""Saliency: where in the picture a network found evidence for a class, and the trial that tests the claim."""

from __future__ import annotations

from . import methods as _methods  # noqa: F401  (fills the registry)
from .explaining import explain, explain_classes, placement_of
from .maps import Peak, SaliencyMap
from .methods.cam import cam_all
from .options import Option
from .placement import Placement
from .progress import Stopped
from .registry import MethodCard, method_card, saliency_methods
from .removal import FILLS
from .targets import SCORES, Target
from .trial import Reading, Trial, on_trial

__all__ = [
    "FILLS",
    "SCORES",
    "MethodCard",
    "Option",
    "Peak",
    "Placement",
    "Reading",
    "SaliencyMap",
    "Stopped",
    "Target",
    "Trial",
    "cam_all",
    "explain",
    "explain_classes",
    "method_card",
    "on_trial",
    "placement_of",
    "saliency_methods",
]
