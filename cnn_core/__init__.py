"""The library under ConvLens: open a convolutional network and read its own numbers.

Names are imported when they are first used, so that `import cnn_core` costs nothing and does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported at once: a module of this name would otherwise hide the function. It is plain Python and loads no torch.
from .receptive_field import ReceptiveField, receptive_field

_HOMES: dict[str, str] = {
    "ConvLensError": "errors",
    "InvalidCheckpoint": "errors",
    "InvalidImage": "errors",
    "InvalidLayer": "errors",
    "InvalidOption": "errors",
    "InvalidUnit": "errors",
    "UnknownClass": "errors",
    "UnknownMethod": "errors",
    "UnknownModel": "errors",
    "WeightsUnavailable": "errors",
    "Picture": "images",
    "ModelInput": "images",
    "Preprocessing": "images",
    "load_image": "images",
    "ModelCard": "models",
    "Classifier": "models",
    "list_models": "models",
    "load_checkpoint": "models",
    "load_model": "models",
    "read_class_names": "models",
    "fetch_weights": "models",
    "Network": "network",
    "Operation": "network",
    "Trace": "tracing",
    "trace": "tracing",
    "UnitExplanation": "operations",
    "explain_unit": "operations",
    "MethodCard": "saliency",
    "SaliencyMap": "saliency",
    "saliency_methods": "saliency",
    "explain": "saliency",
    "explain_classes": "saliency",
    "Stopped": "saliency",
    "Agreement": "saliency",
    "Faithfulness": "saliency",
    "SanityCheck": "saliency",
    "Stability": "saliency",
    "agreement": "saliency",
    "explain_many": "saliency",
    "faithfulness": "saliency",
    "sanity_check": "saliency",
    "stability": "saliency",
    "AuditReport": "bias",
    "audit": "bias",
    "LogitLedger": "decision",
    "logit_ledger": "decision",
    "Trail": "trail",
    "follow": "trail",
    "ScrambleTest": "effective_field",
    "scramble": "effective_field",
    "ChangePicture": "interventions",
    "EditBias": "interventions",
    "EditKernel": "interventions",
    "Intervention": "interventions",
    "SwitchOff": "interventions",
    "intervene": "interventions",
    "Bands": "training.bands",
    "load_bands": "training.bands",
    "Experiment": "training.experiment",
    "list_experiments": "training.experiments",
    "ResultTable": "training.results",
    "compare_runs": "training.results",
    "run_experiment": "training.results",
    "Step": "training.run",
    "TrainingRun": "training.run",
    "load_run": "training.storage",
    "save_run": "training.storage",
    "resume": "training.trainer",
    "train": "training.trainer",
    "Worksheet": "worksheets",
    "WorksheetKind": "worksheets",
    "list_worksheets": "worksheets",
    "make_worksheet": "worksheets",
    "worksheets_html": "worksheets",
}

__all__ = [
    "Agreement",
    "AuditReport",
    "Bands",
    "ChangePicture",
    "Classifier",
    "ConvLensError",
    "EditBias",
    "EditKernel",
    "Experiment",
    "Faithfulness",
    "Intervention",
    "InvalidCheckpoint",
    "InvalidImage",
    "InvalidLayer",
    "InvalidOption",
    "InvalidUnit",
    "LogitLedger",
    "MethodCard",
    "ModelCard",
    "ModelInput",
    "Network",
    "Operation",
    "Picture",
    "Preprocessing",
    "ReceptiveField",
    "ResultTable",
    "SaliencyMap",
    "SanityCheck",
    "ScrambleTest",
    "Stability",
    "Step",
    "Stopped",
    "SwitchOff",
    "Trace",
    "Trail",
    "TrainingRun",
    "UnitExplanation",
    "UnknownClass",
    "UnknownMethod",
    "UnknownModel",
    "WeightsUnavailable",
    "Worksheet",
    "WorksheetKind",
    "agreement",
    "audit",
    "compare_runs",
    "explain",
    "explain_classes",
    "explain_many",
    "explain_unit",
    "faithfulness",
    "fetch_weights",
    "follow",
    "intervene",
    "list_experiments",
    "list_models",
    "list_worksheets",
    "load_bands",
    "load_checkpoint",
    "load_image",
    "load_model",
    "load_run",
    "logit_ledger",
    "make_worksheet",
    "read_class_names",
    "receptive_field",
    "resume",
    "run_experiment",
    "saliency_methods",
    "sanity_check",
    "save_run",
    "scramble",
    "stability",
    "trace",
    "train",
    "worksheets_html",
]

if TYPE_CHECKING:
    from .bias.auditing import audit
    from .bias.result import AuditReport
    from .decision import LogitLedger, logit_ledger
    from .effective_field import ScrambleTest, scramble
    from .errors import (
        ConvLensError,
        InvalidCheckpoint,
        InvalidImage,
        InvalidLayer,
        InvalidOption,
        InvalidUnit,
        UnknownClass,
        UnknownMethod,
        UnknownModel,
        WeightsUnavailable,
    )
    from .images import ModelInput, Picture, Preprocessing, load_image
    from .interventions import ChangePicture, EditBias, EditKernel, Intervention, SwitchOff, intervene
    from .models import (
        Classifier,
        ModelCard,
        fetch_weights,
        list_models,
        load_checkpoint,
        load_model,
        read_class_names,
    )
    from .network import Network, Operation
    from .operations import UnitExplanation, explain_unit
    from .saliency import (
        Agreement,
        Faithfulness,
        MethodCard,
        SaliencyMap,
        SanityCheck,
        Stability,
        Stopped,
        agreement,
        explain,
        explain_classes,
        explain_many,
        faithfulness,
        saliency_methods,
        sanity_check,
        stability,
    )
    from .tracing import Trace, trace
    from .trail import Trail, follow
    from .training.bands import Bands, load_bands
    from .training.experiment import Experiment
    from .training.experiments import list_experiments
    from .training.results import ResultTable, compare_runs, run_experiment
    from .training.run import Step, TrainingRun
    from .training.storage import load_run, save_run
    from .training.trainer import resume, train
    from .worksheets import Worksheet, WorksheetKind, list_worksheets, make_worksheet, worksheets_html


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
