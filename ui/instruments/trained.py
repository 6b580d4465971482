"""A run as it learned and what it knows: kernels and confusions over the steps, the whole confusion, worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnn_core.training.report import Report
from ui.components import mount, pack


@dataclass(frozen=True, eq=False)
class Watched:
    """The evaluations of a run, one for each of `steps`.

    kernels: float32 (n, filters, channels, rows, columns), None where the network begins with no convolution;
    confusion: int32 (n, classes, classes), of the first `n_test` test pictures.
    """

    steps: tuple[int, ...]
    accuracies: tuple[float, ...]
    n_test: int
    kernels: NDArray[np.float32] | None
    confusion: NDArray[np.int32] | None
    class_names: tuple[str, ...]


def film(watched: Watched, *, key: str, running: bool) -> None:
    """First-layer kernels and the confusion matrix at each evaluation, with a slider and Play."""
    arrays: dict[str, np.ndarray] = {}
    if watched.kernels is not None:
        arrays["kernels"] = watched.kernels
    if watched.confusion is not None:
        arrays["confusion"] = watched.confusion
    meta = {
        "part": "film",
        "steps": list(watched.steps),
        "accuracies": list(watched.accuracies),
        "nTest": watched.n_test,
        "names": list(watched.class_names),
        "running": running,
    }
    mount("trained", key=key, data=pack(meta, **arrays))


def confusion(report: Report, *, key: str) -> None:
    """The confusion matrix of all test pictures, and the worst mistakes as pictures."""
    meta = {
        "part": "report",
        "names": list(report.class_names),
        "nTest": report.n_test,
        "nMistakes": report.n_mistakes,
        "mistakes": [
            {"index": m.index, "label": m.label, "named": m.named, "p": m.probability, "q": m.probability_of_label}
            for m in report.mistakes
        ],
    }
    arrays: dict[str, np.ndarray] = {"confusion": report.confusion.astype(np.int32)}
    if len(report.mistakes):
        arrays["pictures"] = report.pictures
    mount("trained", key=key, data=pack(meta, **arrays))
