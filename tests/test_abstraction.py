"""Abstraction by depth against correlations worked out here, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import cnn_core as cc
from cnn_core.abstraction import measure_abstraction, measured_layers
from cnn_core.errors import InvalidOption
from cnn_core.library import library

from .torchvision_networks import bench, least_size, on_meta


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def lenet() -> cc.Classifier:
    return cc.load_model("lenet5", device="cpu")


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - float(np.corrcoef(a.reshape(-1), b.reshape(-1))[0, 1])


def test_against_correlations_of_all_numbers(lenet: cc.Classifier) -> None:
    found = measure_abstraction(lenet, n_pictures=5)
    assert found is not None and found.n_pictures == 5
    assert found.layers == ("input", "conv1", "conv2", "fc1", "fc2", "fc3")
    assert [change.key for change in found.changes] == ["shift"], "a mirrored digit is another sign; grey has no hue"
    tensors = [picture.model_input.tensor for picture in library(lenet)[:5]]
    rgb = [picture.model_input.shown_rgb for picture in library(lenet)[:5]]
    moved = []
    for one in rgb:
        columns = np.clip(np.arange(28) - 2, 0, 27)  # a fourteenth of 28 pixels, the edge repeated
        moved.append(lenet.card.preprocessing.from_rgb(np.ascontiguousarray(one[:, columns])).tensor)
    with torch.no_grad():
        layers = {
            "input": ([t.numpy() for t in tensors], [t.numpy() for t in moved]),
            "fc3": ([lenet.module(t).numpy() for t in tensors], [lenet.module(t).numpy() for t in moved]),
        }
    for name, (before, after) in layers.items():
        same = np.mean([distance(a, b) for a, b in zip(before, after, strict=True)])
        others = np.mean([distance(before[i], before[j]) for i in range(5) for j in range(5) if i != j])
        # float32 outputs of a batch of two, or of one picture.
        assert found.changes[0].sensitivity[found.layers.index(name)] == pytest.approx(same / others, rel=1e-3)
    assert found.changes[0].sensitivity[-1] < 0.5 * found.changes[0].sensitivity[0], "the logits notice it less"


def test_photographs_are_mirrored_and_their_hues_turned_too() -> None:
    classifier = cc.load_model("squeezenet1_1", device="cpu")
    seen: list[tuple[int, int]] = []
    found = measure_abstraction(classifier, n_pictures=2, on_progress=lambda done, total: seen.append((done, total)))
    assert found is not None
    assert [change.key for change in found.changes] == ["shift", "flip", "hue"]
    assert seen[-1] == (8, 8) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    for change in found.changes:
        assert change.sensitivity.shape == (len(found.layers),) and (change.sensitivity >= 0).all()
    # Global pooling forgets where things stand, and mirroring moves them.
    assert found.changes[1].sensitivity[-1] < found.changes[1].sensitivity[-2]


def test_side_paths_of_one_cell_are_left_out() -> None:
    size = least_size("efficientnet_b0")
    network = bench(on_meta("efficientnet_b0"), (3, size, size)).network
    names = [operation.name for operation in measured_layers(network)]
    assert names[0] == "input" and names[-1] == network.output
    assert not any("fc1" in name or "fc2" in name for name in names)
    assert sum(network[name].kind == "conv2d" for name in names) == 49  # 81 less two for each of 16 gates


def test_stopped_and_refused(lenet: cc.Classifier) -> None:
    assert measure_abstraction(lenet, should_stop=lambda: True) is None
    with pytest.raises(InvalidOption, match="at least two"):
        measure_abstraction(lenet, n_pictures=1)
