"""Saliency: where in the picture a network found evidence for a class, and the trial that tests the claim."""

from __future__ import annotations

from . import methods as _methods  # noqa: F401  (fills the registry)
from .checks import SanityCheck, SanityStep, Stability, sanity_check, stability
from .comparing import Agreement, agreement, spearman, ssim
from .copies import has_fast_bfloat16, lean_copy
from .curves import Curve, Faithfulness, faithfulness
from .explaining import explain, explain_classes, explain_layers, placement_of
from .many import Explanations, PictureFailure, explain_many
from .maps import Peak, SaliencyMap
from .masking import BASELINES
from .methods.cam import cam_all
from .options import Option
from .placement import Placement
from .progress import Stopped
from .registry import MethodCard, method_card, saliency_methods
from .removal import FILLS
from .targets import SCORES, Target
from .trial import Reading, Trial, on_trial

__all__ = [
    "BASELINES", "FILLS", "SCORES", "Agreement", "Curve", "Explanations", "Faithfulness", "MethodCard", "Option",
    "Peak", "PictureFailure", "Placement", "Reading", "SaliencyMap", "SanityCheck", "SanityStep", "Stability",
    "Stopped", "Target", "Trial", "agreement", "cam_all", "explain", "explain_classes", "explain_layers",
    "explain_many", "faithfulness",
    "has_fast_bfloat16", "lean_copy", "method_card", "on_trial", "placement_of", "saliency_methods", "sanity_check",
    "spearman", "ssim", "stability",
]  # fmt: skip
