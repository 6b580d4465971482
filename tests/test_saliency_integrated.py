"""Integrated gradients: against captum, complete, and with their points where a score changes."""

from __future__ import annotations

from pathlib import Path

import captum.attr
import pytest
import torch
from torch import nn
from torch.nn import functional

import cnn_core as cc
from cnn_core.saliency import explain

from .saliency_networks import Pooled, SmallClassifier, classifier_of, evidence_of, stirred
from .test_saliency_methods import SIZE, Chain, X, assert_equal

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"


@pytest.fixture(scope="module")
def chain() -> SmallClassifier:
    return classifier_of(stirred(Chain()), size=SIZE, double=True)


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(stirred(Pooled()), size=SIZE, double=True)


@pytest.mark.parametrize("steps", [7, 20])
def test_integrated_gradients_equal_captum(chain: SmallClassifier, steps: int) -> None:
    """Both by Gauss and Legendre's rule, whose points captum keeps in float32; black is 0 here, grey 128 / 255."""
    method = captum.attr.IntegratedGradients(chain.module)
    for name, start in (("black", torch.zeros_like(X.tensor)), ("grey", torch.full_like(X.tensor, 128 / 255))):
        theirs = method.attribute(X.tensor, start, target=2, n_steps=steps)[0].sum(dim=0)
        # the preprocessing divides 128 by 255 in float32, 3e-8 off
        options = {"steps": steps, "baseline": name, "rule": "gauss", "batch_size": 3}
        found = evidence_of(chain, X, "integrated_gradients", 2, **options)
        assert_equal(found.values, theirs, 1e-7 if name == "black" else 1e-6)


def test_integrated_gradients_are_complete_at_fifty_steps(pooled: SmallClassifier) -> None:
    """Random weights: a small difference of logits (0.002); captum's rule leaves 0.9 %."""
    for rule in ("adaptive", "gauss"):
        assert evidence_of(pooled, X, "integrated_gradients", 2, rule=rule).details["completeness_error"] < 0.03


class Saturating(nn.Module):
    """A score that rises on the first eighth of the path and hardly after it, as trained networks' scores do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.flatten(1).mean(dim=1, keepdim=True)
        return torch.cat([6 * functional.relu6(100 * bright) + 0.1 * bright, bright], dim=1)


@pytest.mark.parametrize("steps", [2, 5, 9, 50, 65, 200])
def test_integrated_gradients_put_their_points_where_the_score_changes(steps: int) -> None:
    """The parts are (x - b) times the mean gradient, which is the same at every pixel here, so the map is known."""
    classifier = classifier_of(Saturating(), size=SIZE, double=True)
    share = X.tensor[0].sum(dim=0) / X.tensor.sum()
    with torch.no_grad():
        rise = float(classifier.module(X.tensor)[0, 0])  # from 0 at black
    found = evidence_of(classifier, X, "integrated_gradients", 0, steps=steps, batch_size=7)
    assert found.details["difference"] == pytest.approx(rise, rel=1e-9)
    assert_equal(found.values, share * found.details["sum"])
    one = evidence_of(classifier, X, "integrated_gradients", 0, steps=steps, batch_size=1)
    assert_equal(one.values, found.values)
    gauss = evidence_of(classifier, X, "integrated_gradients", 0, steps=steps, rule="gauss")
    if steps >= 50:  # the kink is known to 1 / 2^k of the path after k halvings, at Gauss' points to about 1 / n
        assert found.details["completeness_error"] < 1e-4 < gauss.details["completeness_error"]
    told: list[tuple[int, int]] = []
    explain(
        classifier, X, method="integrated_gradients", target=0, steps=steps, on_progress=lambda *now: told.append(now)
    )
    assert told[-1] == (steps, steps) and told == sorted(told)


def test_integrated_gradients_of_a_trained_network_on_a_photograph() -> None:
    """At 50 steps Gauss and Legendre's rule is 5 % off on the panda, and halving the worst parts less than 2.5 %."""
    classifier = cc.load_model("mobilenet_v2", device="cpu")
    seen = classifier.preprocess(SAMPLES / "panda.jpg")
    assert explain(classifier, seen, method="integrated_gradients").details["completeness_error"] < 0.025
