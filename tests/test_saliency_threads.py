"""Sixteen threads, fifty maps each, methods mixed, one shared model: every map as in one thread, nothing left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from cnn_core.saliency import explain, explain_classes, saliency_methods, sanity_check

from .saliency_networks import PlainInput, Pooled, SmallClassifier, classifier_of, stirred

SIZE = 16
FEW = {
    "smoothgrad": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "rise": {"masks": 6, "cells": 3},
    "occlusion": {"size": 8, "stride": 8},
    "scorecam": {},
}
METHODS = [card.key for card in saliency_methods()]


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    # Parameters that ask for gradients are the harder case: a careless backward pass would leave them some.
    return classifier_of(stirred(Pooled()), size=SIZE, frozen=False)


def one(classifier: SmallClassifier, job: int) -> np.ndarray:
    method = METHODS[job % len(METHODS)]
    target = (job % 5, (job + 2) % 5) if job % 3 == 0 else job % 5
    reads = next(card for card in saliency_methods() if card.key == method).needs_layer and method != "cam"
    layer = ("branch", "last", ("branch", "last"), None)[job // len(METHODS) % 4] if reads else None
    x = PlainInput.noise(SIZE, SIZE + 8 * (job % 2), seed=job % 7)
    options = FEW.get(method, {})
    return explain(classifier, x, method=method, target=target, layer=layer, rectify=False, **options).values  # type: ignore[arg-type]


def test_sixteen_threads_of_fifty_maps(pooled: SmallClassifier) -> None:
    state = {name: value.clone() for name, value in pooled.module.state_dict().items()}
    alone = [one(pooled, job) for job in range(50)]

    def run(thread: int) -> list[np.ndarray]:
        order = np.random.default_rng(thread).permutation(50)  # so that different methods meet
        found = {int(job): one(pooled, int(job)) for job in order}
        return [found[job] for job in range(50)]

    with ThreadPoolExecutor(16) as pool:
        threads = list(pool.map(run, range(16)))
    for maps in threads:
        for found, expected in zip(maps, alone, strict=True):
            assert found.shape == expected.shape and (found == expected).all()
    assert all(parameter.grad is None and parameter.requires_grad for parameter in pooled.module.parameters())
    assert all((value == state[name]).all() for name, value in pooled.module.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("frozen", [True, False])
def test_every_method_works_anywhere_and_leaves_nothing(method: str, frozen: bool) -> None:
    classifier = classifier_of(stirred(Pooled()), size=SIZE, frozen=frozen)
    x, options = PlainInput.noise(SIZE, SIZE), FEW.get(method, {})
    state = {name: value.clone() for name, value in classifier.module.state_dict().items()}

    def maps() -> np.ndarray:
        single = explain(classifier, x, method=method, target=2, rectify=False, **options)  # type: ignore[arg-type]
        several = explain_classes(classifier, x, [2, 4], method=method, rectify=False, **options)  # type: ignore[arg-type]
        assert np.abs(single.values - several[0].values).max() <= 1e-5 * np.abs(single.values).max()
        return single.values

    expected = maps()
    with torch.no_grad():
        assert (maps() == expected).all()
    with torch.inference_mode():
        assert (maps() == expected).all()
        inside = PlainInput.noise(SIZE, SIZE)  # its tensor can enter no graph
        found = explain(classifier, inside, method=method, target=2, rectify=False, **options)  # type: ignore[arg-type]
        assert inside.tensor.is_inference() and (found.values == expected).all()
    for parameter in classifier.module.parameters():
        assert parameter.grad is None and parameter.requires_grad is not frozen
    for part in classifier.module.modules():
        assert not part.training and not part._forward_hooks and not part._backward_hooks
        assert not part._forward_pre_hooks and not part._backward_pre_hooks
    assert x.tensor.grad is None and not x.tensor.requires_grad
    assert all((value == state[name]).all() for name, value in classifier.module.state_dict().items())
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_the_sanity_check_leaves_the_shared_model_alone(pooled: SmallClassifier) -> None:
    state = {name: value.clone() for name, value in pooled.module.state_dict().items()}
    x = PlainInput.noise(SIZE, SIZE)
    before, global_state = explain(pooled, x).values, torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        checks = [pool.submit(sanity_check, pooled, x, "gradcam", steps=3) for _ in range(4)]
        during = [explain(pooled, x).values for _ in range(20)]
        found = [check.result() for check in checks]
    assert all((values == before).all() for values in during)
    assert all((value == state[name]).all() for name, value in pooled.module.state_dict().items())
    assert (torch.get_rng_state() == global_state).all()
    assert all(
        (one.map.values == other.map.values).all() for one, other in zip(found[0].steps, found[1].steps, strict=True)
    )
