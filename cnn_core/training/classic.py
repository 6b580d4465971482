"""The machine before networks: histograms of gradients that people designed, and a linear SVM on top."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .experiment import ClassicRecipe
from .run import parts_of
from .variants import subset

# Both solvers of the SVM reach the same optimum; this is how closely, and after how many passes they give up.
_PASSES: Final = 10_000


def hog_features(pictures: NDArray[np.uint8], recipe: ClassicRecipe) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal and Triggs 2005) of pictures uint8 (N, H, W): float32 (N, features).

    With 9 orientations, cells of 7 x 7 and blocks of 2 x 2 cells a picture of 28 x 28 has 9 blocks of 36: 324 numbers.
    """
    return np.stack([_hog(picture, recipe) for picture in pictures]).astype(np.float32)


def hog_picture(picture: NDArray[np.uint8], recipe: ClassicRecipe) -> NDArray[np.float64]:
    """What HOG keeps of a picture uint8 (H, W): a star of strokes in each cell, float64 (H, W), 0 to its own peak."""
    from skimage.feature import hog

    _, drawn = hog(picture / 255, **_options(recipe), visualize=True)
    return np.asarray(drawn)


def _hog(picture: NDArray[np.uint8], recipe: ClassicRecipe) -> NDArray[np.float64]:
    from skimage.feature import hog

    return np.asarray(hog(picture / 255, **_options(recipe)))


def _options(recipe: ClassicRecipe) -> dict[str, Any]:
    return {
        "orientations": recipe.orientations,
        "pixels_per_cell": (recipe.cell, recipe.cell),
        "cells_per_block": (recipe.block, recipe.block),
        "block_norm": "L2-Hys",
    }


@dataclass(frozen=True, eq=False)
class ClassicRun:
    """HOG and a linear SVM, fitted: one weight for each feature and class, and one threshold a class."""

    recipe: ClassicRecipe
    seed: int
    weights: NDArray[np.float64]
    """(classes, features)"""
    thresholds: NDArray[np.float64]
    """(classes,)"""
    train_accuracy: float
    test_accuracy: float
    seconds: float
    """Time on the clock for the training pictures' features and the SVM."""
    cpu_seconds: float
    """The same in seconds of this thread on a core."""

    @property
    def n_parameters(self) -> int:
        return self.weights.size + self.thresholds.size

    def scores(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Distance from each class's plane, float64 (N, classes); the largest one is the prediction."""
        return hog_features(pictures, self.recipe) @ self.weights.T + self.thresholds

    def accuracy(self, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
        return float((self.scores(pictures).argmax(1) == labels).mean())


def fit_classic(recipe: ClassicRecipe, seed: int) -> ClassicRun:
    """Fit on the same balanced subset that a network of this seed learns from (one against the rest, squared hinge)."""
    from sklearn.svm import LinearSVC

    whole, test = parts_of(recipe)
    train = subset(whole, recipe.n_train, seed)
    begin, cpu_begin = time.perf_counter(), time.thread_time()
    features = hog_features(train.pictures, recipe)
    machine = LinearSVC(C=recipe.penalty, dual=False, max_iter=_PASSES, random_state=0)
    machine.fit(features, train.labels)
    seconds, cpu_seconds = time.perf_counter() - begin, time.thread_time() - cpu_begin
    return ClassicRun(
        recipe,
        seed,
        weights=machine.coef_,
        thresholds=machine.intercept_,
        train_accuracy=float((machine.predict(features) == train.labels).mean()),
        test_accuracy=float((machine.predict(hog_features(test.pictures, recipe)) == test.labels).mean()),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
    )
