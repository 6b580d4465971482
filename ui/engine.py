"""Torch and the library's heavy parts, imported once, by whoever needs them first."""

from __future__ import annotations

import os
import threading
from importlib import import_module

import streamlit as st

_HEAVY = ("torch", "torchvision", "cnn_core.models", "cnn_core.operations", "cnn_core.tracing", "cnn_core.saliency")
_lock = threading.Lock()
_loaded = threading.Event()


def load() -> None:
    """Import what computes; later callers return at once.

    One thread at a time: torchvision's modules import each other, and a second thread that entered by another of
    them meanwhile would meet one that is half made.
    """
    if _loaded.is_set():
        return
    with _lock:
        if _loaded.is_set():
            return
        for name in _HEAVY:
            import_module(name)
        import torch

        # Few threads for each visitor's computation; more visitors at once are what the cores are for.
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", max(1, (os.cpu_count() or 1) // 2))))
        _loaded.set()


def load_for_page() -> None:
    """The same with a word to the visitor, who sees it only while the server has just started."""
    if not _loaded.is_set():
        with st.spinner("Starting: the first page after a start waits for torch…"):
            load()
