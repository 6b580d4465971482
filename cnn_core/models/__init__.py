"""Models: the catalogue, trained and random weights, a user's own checkpoint."""

from __future__ import annotations

from .card import ModelCard
from .catalogue import card_of, list_models
from .checkpoint import load_checkpoint
from .class_names import read_class_names
from .classifier import Classifier
from .fetch import fetch_weights
from .loading import load_model

__all__ = [
    "Classifier",
    "ModelCard",
    "card_of",
    "fetch_weights",
    "list_models",
    "load_checkpoint",
    "load_model",
    "read_class_names",
]
