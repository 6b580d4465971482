"""The numbers by which arms are compared, each with a name, a unit, and the way it is read off a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from .classic import ClassicRun
from .experiments import SHIFTS
from .measuring import accuracy, to_tensor
from .run import TrainingRun, parts_of, preprocessing_of
from .variants import shift

Unit = Literal["share", "count", "seconds", "ratio", "loss"]
AnyRun = TrainingRun | ClassicRun


@dataclass(frozen=True)
class Measure:
    """One column of a result table."""

    key: str
    title: str
    unit: Unit
    read: Callable[[AnyRun], float | None]
    """None where the machine has no such number (an SVM has no gradient through layers)."""

    def format(self, value: float) -> str:
        """For people: a share as per cent, a count with its thousands."""
        if self.unit == "share":
            return f"{100 * value:.1f} %"
        if self.unit == "count":
            return f"{value:,.0f}"
        return f"{value:.1f} s" if self.unit == "seconds" else f"{value:.3g}"


def _shifted(pixels: int) -> Callable[[AnyRun], float | None]:
    def read(run: AnyRun) -> float | None:
        if run.recipe.shuffled_pixels:
            return None  # moving a shuffled picture is another question
        _, test = parts_of(run.recipe)
        moved = shift(test.pictures, pixels, pixels)
        if isinstance(run, ClassicRun):
            return run.accuracy(moved, test.labels)
        labels = torch.from_numpy(test.labels.copy())
        return accuracy(run.module(), to_tensor(moved, preprocessing_of(run.recipe)), labels)

    return read


def _reaching(run: AnyRun) -> float | None:
    """First step: the gradient norm of the first convolution's weights over the last convolution's."""
    if isinstance(run, ClassicRun) or not run.steps:
        return None
    norms = [norm for name, norm in run.steps[0].gradient_norms.items() if name.startswith("conv")]
    return norms[0] / norms[-1] if len(norms) > 1 and norms[-1] > 0 else None


def _largest_loss(run: AnyRun) -> float | None:
    return None if isinstance(run, ClassicRun) or not run.steps else float(np.max(run.losses))


def _on_ground(kind: Literal["biased", "counter", "neutral"]) -> Callable[[AnyRun], float | None]:
    def read(run: AnyRun) -> float | None:
        if isinstance(run, ClassicRun) or not run.recipe.data.startswith("cow_camel"):
            return None
        from ..bias.ground_report import report_of_run

        return report_of_run(run).accuracies[kind]

    return read


def _evidence_inside(run: AnyRun) -> float | None:
    """Share of the positive Grad-CAM evidence that lies on the animal, on its usual ground: the mean of 200."""
    if isinstance(run, ClassicRun) or not run.recipe.data.startswith("cow_camel"):
        return None
    from ..bias.ground_report import report_of_run

    return report_of_run(run).wall.share


MEASURES: dict[str, Measure] = {
    m.key: m
    for m in (
        Measure("test_accuracy", "test", "share", lambda run: run.test_accuracy),
        Measure("train_accuracy", "training", "share", lambda run: run.train_accuracy),
        Measure("parameters", "parameters", "count", lambda run: float(run.n_parameters)),
        Measure("core_seconds", "core time", "seconds", lambda run: run.cpu_seconds),
        Measure("gradient_reaching_first_layer", "gradient, first / last", "ratio", _reaching),
        Measure("largest_loss", "largest loss", "loss", _largest_loss),
        Measure("ground_biased", "usual ground", "share", _on_ground("biased")),
        Measure("ground_counter", "other's ground", "share", _on_ground("counter")),
        Measure("ground_neutral", "neutral ground", "share", _on_ground("neutral")),
        Measure("evidence_inside", "evidence on the animal", "share", _evidence_inside),
        *(Measure(f"shift_{pixels}", f"moved {pixels} px", "share", _shifted(pixels)) for pixels in SHIFTS),
    )
}
