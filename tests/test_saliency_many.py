"""A folder of pictures: order, batches, bad files, progress, stopping, precision."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnn_core as cc
from cnn_core.saliency import copies, explain, explain_many, lean_copy
from cnn_core.saliency.copies import folded
from cnn_core.saliency.many import PictureFailure

from .saliency_networks import PlainInput, Pooled, SmallClassifier, classifier_of, stirred

SIZE = 32
SAMPLES = Path(__file__).parents[1] / "assets" / "samples"


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    classifier = classifier_of(stirred(Pooled()), size=SIZE)
    apply = classifier.card.preprocessing.apply
    # The stand-in for a Classifier takes pictures only; here it reads files too.
    object.__setattr__(
        classifier, "preprocess", lambda s: s if isinstance(s, cc.ModelInput) else apply(cc.load_image(s))
    )
    return classifier


def png(seed: int, height: int = 40, width: int = 50) -> bytes:
    buffer = io.BytesIO()
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_order_kept_and_bad_files_reported(pooled: SmallClassifier, workers: int, batch_size: int | None) -> None:
    files = [png(seed) for seed in range(11)]
    pictures: list[object] = [*files[:3], b"no picture", *files[3:7], Path("nowhere/missing.png"), *files[7:]]
    told: list[tuple[int, int]] = []
    failed: list[PictureFailure] = []
    found = explain_many(
        pooled, pictures, layer="branch", workers=workers, batch_size=batch_size, on_error=failed.append,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    maps = list(found)
    assert [made.details["index"] for made in maps] == [0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12]
    for made in maps:
        alone = explain(pooled, pooled.preprocess(pictures[made.details["index"]]), layer="branch")  # type: ignore[arg-type]
        assert made.target == alone.target and made.note == alone.note
        # a batch sums in another order than one picture: 1e-5 of the map's largest value, as everywhere
        assert np.abs(made.values - alone.values).max() <= 1e-5 * alone.values.max()
        assert (made.shown_rgb == alone.shown_rgb).all()
    assert failed == found.failures and [failure.index for failure in failed] == [3, 8]
    assert failed[0].name == "picture 3" and "not a picture" in failed[0].reason
    assert failed[1].name == "missing.png" and failed[1].reason
    assert told[-1] == (13, 13) and told == sorted(told) and not found.was_stopped


def test_targets_one_for_all_or_one_for_each(pooled: SmallClassifier) -> None:
    inputs = [PlainInput.noise(SIZE, SIZE, seed) for seed in range(4)]
    assert {made.target.indices for made in explain_many(pooled, inputs, targets=(3, 1))} == {(3, 1)}
    each = [made.target.indices for made in explain_many(pooled, inputs, targets=[2, (0, 1), "class 4", None])]
    assert each[:3] == [(2,), (0, 1), (4,)]
    assert each[3] == explain(pooled, inputs[3]).target.indices
    with pytest.raises(cc.InvalidOption, match="4 pictures and 2 targets"):
        explain_many(pooled, inputs, targets=[1, 2])
    with pytest.raises(cc.InvalidOption, match="more pictures than the 2 targets"):
        list(explain_many(pooled, iter(inputs), targets=[1, 2]))


def test_sizes_may_differ(pooled: SmallClassifier) -> None:
    sizes = [(32, 32), (32, 48), (32, 48), (48, 32), (32, 32)]
    inputs = [PlainInput.noise(*size, seed=i) for i, size in enumerate(sizes)]
    for made, model_input in zip(explain_many(pooled, inputs, method="hirescam"), inputs, strict=True):
        alone = explain(pooled, model_input, method="hirescam")
        assert made.values.shape == alone.values.shape and np.allclose(made.values, alone.values, rtol=1e-4, atol=1e-8)


def test_a_dear_method_goes_picture_by_picture(pooled: SmallClassifier) -> None:
    inputs = [PlainInput.noise(SIZE, SIZE, seed) for seed in range(2)]
    for made, model_input in zip(explain_many(pooled, inputs, method="rise", masks=8), inputs, strict=True):
        assert (made.values == explain(pooled, model_input, method="rise", masks=8).values).all()


def test_pictures_are_read_a_little_ahead_and_no_further(pooled: SmallClassifier) -> None:
    taken = 0

    def endless() -> Iterator[cc.ModelInput]:
        nonlocal taken
        while True:
            taken += 1
            yield PlainInput.noise(SIZE, SIZE, taken)

    before = threading.active_count()
    with explain_many(pooled, endless(), batch_size=2, workers=2) as found:
        for _ in range(5):
            next(found)
        assert taken <= 6 + 2 * 2 + 2
    assert threading.active_count() == before  # the decoding threads are gone
    assert list(found) == []


def test_stopping(pooled: SmallClassifier) -> None:
    inputs = [PlainInput.noise(SIZE, SIZE, seed) for seed in range(9)]
    made: list[cc.SaliencyMap] = []
    found = explain_many(pooled, inputs, batch_size=2, should_stop=lambda: len(made) >= 4)
    for one in found:
        made.append(one)
    assert len(made) == 4 and found.was_stopped
    asked = iter([False, False, False, True])  # within the second picture's own passes
    found = explain_many(pooled, inputs, method="occlusion", size=16, stride=16, should_stop=lambda: next(asked))
    assert len(list(found)) == 1 and found.was_stopped


def test_refusals_come_at_the_call(pooled: SmallClassifier) -> None:
    inputs = [PlainInput.noise(SIZE, SIZE)]
    for error, options in [
        (cc.UnknownMethod, {"method": "gradcamera"}),
        (cc.InvalidLayer, {"layer": "linear"}),
        (cc.InvalidOption, {"dtype": "int8"}),
        (cc.InvalidOption, {"workers": -1}),
        (cc.InvalidOption, {"batch_size": 0}),
        (cc.InvalidOption, {"method": "rise", "masks": 1}),
        (cc.UnknownClass, {"targets": [1.5]}),
    ]:
        with pytest.raises(error):
            explain_many(pooled, inputs, **options)  # type: ignore[arg-type]
    with pytest.raises(cc.UnknownClass):
        list(explain_many(pooled, inputs, targets=99))


def test_lean_copies(pooled: SmallClassifier) -> None:
    x = PlainInput.noise(SIZE, SIZE)
    expected = explain(pooled, x, target=1, layer="branch", rectify=False).values
    lean = lean_copy(pooled, dtype="bfloat16")
    assert next(lean.module.parameters()).dtype == torch.bfloat16
    assert next(pooled.module.parameters()).dtype == torch.float32
    assert lean.key == "Pooled:bfloat16:channels_last"
    found = explain(lean, x, target=1, layer="branch", rectify=False)
    # 8 bits of mantissa: 0.4 % a rounding, a few of them on the way
    assert 0 < np.linalg.norm(found.values - expected) < 0.05 * np.linalg.norm(expected)
    assert found.values.dtype == np.float32
    for method in (
        "gradcampp",
        "ablationcam",
        "scorecam",
        "occlusion",
        "integrated_gradients",
        "fullgrad",
        "rise",
        "cam",
    ):
        options = {"masks": 8} if method == "rise" else {"steps": 4} if method == "integrated_gradients" else {}
        made = explain(lean, x, method=method, target=1, rectify=False, **options)  # type: ignore[arg-type]
        assert np.isfinite(made.values).all() and made.values.dtype == np.float32
    exact = explain(lean_copy(pooled, dtype=torch.float64), x, target=1, layer="branch", rectify=False).values
    assert np.abs(exact - expected).max() <= 1e-5 * np.abs(expected).max()
    (many,) = explain_many(pooled, [x], targets=1, layer="branch", rectify=False, dtype="bfloat16", channels_last=True)
    assert np.abs(many.values - found.values).max() <= 0.02 * np.abs(expected).max()


def test_a_folder_of_photographs() -> None:
    """The shipped network on shipped pictures, by their paths."""
    classifier = cc.load_model("squeezenet1_1", device="cpu")
    paths = sorted(SAMPLES.glob("*.jpg"))[:3]
    for made, path in zip(cc.explain_many(classifier, paths, batch_size=2), paths, strict=True):
        alone = cc.explain(classifier, path)
        assert made.details["name"] == path.name and made.target == alone.target
        assert np.abs(made.values - alone.values).max() <= 1e-5 * alone.limit


def test_batch_norms_are_folded_away() -> None:
    """The folded copy gives the same logits, keeps every name, and leaves the shared network and its weights alone."""
    classifier = classifier_of(stirred(FoldableNetwork()), size=SIZE, frozen=False)
    state = {name: tensor.clone() for name, tensor in classifier.module.state_dict().items()}
    x = PlainInput.noise(SIZE, SIZE).tensor
    lean = folded(classifier)  # type: ignore[arg-type]
    with torch.no_grad():
        expected, found = classifier.network.run(x, keep="all"), lean.network.run(x, keep="all")
    assert [o.name for o in lean.network.operations] == [o.name for o in classifier.network.operations]
    for name, values in expected.items():
        # The convolution before a folded norm gives the norm's own output already.
        same_as = expected[{"conv": "norm", "last": "last_norm"}.get(name, name)]
        assert (found[name] - same_as).abs().max() <= 1e-5 * same_as.abs().max(), name
        assert values.shape == found[name].shape
    kinds = {o.name: o.kind for o in lean.network.operations}
    # "shared" is read beside its norm, and "twice" normalises two inputs: these stay.
    assert kinds["norm"] == kinds["last_norm"] == "identity"
    assert kinds["shared_norm"] == kinds["twice"] == kinds["twice:2"] == "batch_norm2d"
    assert {o.name: o.kind for o in folded(classifier, keep=["conv"]).network.operations}["norm"] == "batch_norm2d"  # type: ignore[arg-type]
    assert all(torch.equal(tensor, state[name]) for name, tensor in classifier.module.state_dict().items())
    assert all(p.requires_grad for p in classifier.module.parameters())
    linear = lean.module.get_submodule("linear")
    assert linear.weight.data_ptr() == classifier.module.get_submodule("linear").weight.data_ptr()  # type: ignore[union-attr]


class FoldableNetwork(nn.Module):
    """Batch norms that can be folded into the convolution before them, and some that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.shared, self.shared_norm = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.twice = nn.BatchNorm2d(6)
        self.last, self.last_norm = nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.relu, self.pool, self.linear = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.conv(x)))
        branch = self.shared(x)
        x = self.relu(self.twice(branch + self.shared_norm(branch)))
        x = self.relu(self.last_norm(self.last(self.twice(x))))
        return self.linear(torch.flatten(self.pool(x), 1))


@pytest.mark.parametrize("layer", ["conv", "norm", "relu:2"])
def test_a_folder_in_another_layout_reads_the_layer_asked_for(layer: str) -> None:
    """With batch norms folded, the map of a convolution is still of its own output, not of the norm's."""
    classifier = classifier_of(stirred(FoldableNetwork()), size=SIZE)
    inputs = [PlainInput.noise(SIZE, SIZE, seed) for seed in range(3)]
    same = {"layer": layer, "targets": 1, "rectify": False}
    plain = explain_many(classifier, inputs, **same)  # type: ignore[arg-type]
    for one, other in zip(plain, explain_many(classifier, inputs, channels_last=True, **same), strict=True):  # type: ignore[arg-type]
        assert np.abs(one.values - other.values).max() <= 1e-5 * np.abs(one.values).max()


def test_the_fastest_precision_is_chosen_by_the_processor(
    pooled: SmallClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fast, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(copies, "has_fast_bfloat16", lambda device, fast=fast: fast)
        lean = lean_copy(pooled, dtype="auto")  # type: ignore[arg-type]
        assert next(lean.module.parameters()).dtype == dtype
