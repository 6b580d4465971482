"""Faithfulness, sanity check, stability, agreement: against hand-worked cases and scipy."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from PIL import Image

import cnn_core as cc
from cnn_core.decision import logit_ledger
from cnn_core.errors import InvalidOption
from cnn_core.saliency import agreement, explain, faithfulness, on_trial, sanity_check, spearman, ssim, stability
from cnn_core.saliency.comparing import ranks
from cnn_core.saliency.progress import Stopped

from .saliency_networks import PlainInput, Pooled, RedPatch, SmallClassifier, classifier_of, stirred

SIZE = 32


@pytest.fixture(scope="module")
def red() -> SmallClassifier:
    return classifier_of(RedPatch(), size=SIZE)


@pytest.fixture(scope="module")
def pooled() -> SmallClassifier:
    return classifier_of(stirred(Pooled()), size=SIZE)


def red_square() -> np.ndarray:
    """A red square of 8 x 8 pixels on grey, and black and white stripes for an edge detector to fall for."""
    rgb = np.full((SIZE, SIZE, 3), 90, dtype=np.uint8)
    rgb[20:30, ::2], rgb[20:30, 1::2] = 0, 255
    rgb[4:12, 6:14] = (250, 90, 90)
    return rgb


# --- likeness ---


def test_spearman_is_scipys() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        a, b = random.integers(0, 6, (2, 5, 7)).astype(float)  # with many ties
        expected = scipy.stats.spearmanr(a.ravel(), b.ravel()).statistic
        assert spearman(a, b) == pytest.approx(expected, abs=1e-12)
        assert (ranks(a) == scipy.stats.rankdata(a.ravel())).all()
    assert spearman(a, a) == pytest.approx(1) and spearman(a, -a) == pytest.approx(-1)
    assert np.isnan(spearman(a, np.zeros_like(a)))


def test_ssim() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 14, 14))
    assert ssim(a, a) == pytest.approx(1) and ssim(a, 5 * a) == pytest.approx(1)  # each on its own scale
    assert ssim(a, b) == pytest.approx(ssim(b, a)) and abs(ssim(a, b)) < 0.5 and ssim(a, -a) < 0
    assert ssim(a, a + 0.3 * b) > ssim(a, a + b) > ssim(a, a + 3 * b)
    assert np.isnan(ssim(a, np.zeros_like(a)))


# --- faithfulness ---


def test_curves_by_hand(red: SmallClassifier) -> None:
    """The logit is 10 x the mean of relu(red - green), so each point of each curve is known from its mask alone."""
    model_input = PlainInput.of(red_square())
    found = explain(red, model_input, target="red")
    told: list[tuple[int, int]] = []
    trial = faithfulness(
        red, model_input, found, steps=8, fill="grey", seeds=range(3), batch_size=5,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    full = 10 * 64 * (160 / 255) / SIZE**2
    assert trial.shares.tolist() == [i / 8 for i in range(9)]
    # The square is 64 of 1024 pixels, the first eighth is 128: gone after one step, and there after one step.
    # 1e-5: float32 sums of 1024 cells
    np.testing.assert_allclose(trial.deletion.logit, [full] + [0] * 8, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trial.insertion.logit, [0] + [full] * 8, rtol=1e-5, atol=1e-6)
    assert trial.deletion.logit_area == pytest.approx(full / 16, rel=1e-5)
    assert trial.insertion.logit_area == pytest.approx(full * 15 / 16, rel=1e-5)
    p = 1 / (1 + np.exp(-full))
    assert trial.deletion.probability[[0, -1]] == pytest.approx([p, 0.5], rel=1e-5)
    for curve in (*trial.random_deletion, trial.edges_deletion):
        assert curve.logit[0] == pytest.approx(full, rel=1e-5) and curve.logit[-1] == pytest.approx(0, abs=1e-6)
        assert (np.diff(curve.logit) <= 1e-6).all()  # nothing but red counts, so removing never helps
    assert [curve.seed for curve in trial.random_deletion] == [0, 1, 2]
    band = trial.band("deletion")
    assert band.shape == (3, 9) and (band[0] <= band[1] + 1e-12).all() and (band[1] <= band[2] + 1e-12).all()
    assert trial.verdict == "supported" and trial.sentence.startswith("Supported.") and trial.weakness
    n = 2 * 7 * 5 + 2
    assert told[-1] == (n, n) and told == sorted(told)


def test_a_map_that_points_elsewhere_is_not_supported(red: SmallClassifier) -> None:
    model_input = PlainInput.of(red_square())
    right = explain(red, model_input, target="red")
    wrong = replace(right, values=np.where(right.values > 0, 0, 1).astype(np.float32))
    trial = faithfulness(red, model_input, wrong, steps=6, seeds=range(3), fill="grey")
    assert trial.verdict == "not supported" and trial.deletion.logit_area > max(
        c.logit_area for c in trial.random_deletion
    )
    margin = faithfulness(red, model_input, explain(red, model_input, target=("red", "grey")), steps=4, seeds=[0])
    alone = faithfulness(red, model_input, right, steps=4, seeds=[0])
    np.testing.assert_allclose(margin.deletion.logit, alone.deletion.logit, rtol=1e-5, atol=1e-6)  # the other is 0
    np.testing.assert_allclose(margin.deletion.probability, 2 * alone.deletion.probability - 1, atol=1e-6)


@pytest.mark.parametrize("fill", ["mean", "blur", "noise", "black", "zero"])
def test_curves_against_single_passes(pooled: SmallClassifier, fill: str) -> None:
    """Each point again by hand: one picture, one forward pass."""
    model_input = PlainInput.noise(SIZE, 48)
    found = explain(pooled, model_input, target=2, rectify=False)
    trial = faithfulness(pooled, model_input, found, steps=3, fill=fill, seeds=[4])
    drawn = found.upsampled()
    cut = [np.sort(drawn, axis=None)[::-1][round(drawn.size * share) - 1] for share in (1 / 3, 2 / 3)]
    with torch.no_grad():
        whole = float(pooled.module(model_input.tensor)[0, 2])
        assert trial.deletion.logit[0] == pytest.approx(whole, rel=1e-5)
        assert trial.insertion.logit[-1] == pytest.approx(whole, rel=1e-5)
        if fill in ("black", "zero"):
            kept = torch.from_numpy(drawn < cut[0]) * model_input.tensor
            assert trial.deletion.logit[1] == pytest.approx(float(pooled.module(kept)[0, 2]), rel=1e-3)
            shown = torch.from_numpy(drawn >= cut[1]) * model_input.tensor
            assert trial.insertion.logit[2] == pytest.approx(float(pooled.module(shown)[0, 2]), rel=1e-3)
    assert trial.deletion.logit[-1] == pytest.approx(trial.insertion.logit[0], rel=1e-6)


def test_faithfulness_saves_and_refuses(red: SmallClassifier, tmp_path: Path) -> None:
    model_input = PlainInput.of(red_square())
    found = explain(red, model_input, target="red")
    trial = faithfulness(red, model_input, found, steps=4, seeds=[0, 1])
    data = trial.to_npz(tmp_path / "curves.npz")
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        assert (saved["deletion_logit"] == trial.deletion.logit).all() and saved[
            "random_insertion_probability"
        ].shape == (2, 5)
        assert str(saved["verdict"]) == trial.verdict
    assert (tmp_path / "curves.npz").read_bytes() == data
    for kind in ("deletion", "insertion"):
        picture = Image.open(io.BytesIO(trial.to_png(kind=kind, score="probability")))  # type: ignore[arg-type]
        assert picture.size == (1440, 800) and len(picture.getcolors(10**6) or ()) > 20
    for options in ({"steps": 0}, {"seeds": []}, {"fill": "sand"}):
        with pytest.raises(InvalidOption):
            faithfulness(red, model_input, found, **options)  # type: ignore[arg-type]
    grey = PlainInput.of(np.full((SIZE, SIZE, 3), 90, dtype=np.uint8))
    with pytest.raises(InvalidOption, match="another picture"):
        faithfulness(red, grey, found)
    with pytest.raises(InvalidOption, match="no claim"):
        faithfulness(red, grey, explain(red, grey, target="red"))
    with pytest.raises(Stopped):
        faithfulness(red, model_input, found, should_stop=lambda: True)


# --- sanity check, stability, agreement ---


def test_sanity_check(pooled: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    told: list[tuple[int, int]] = []
    check = sanity_check(
        pooled, model_input, "gradcam", target=(1, 2), steps=3, on_progress=lambda d, t: told.append((d, t))
    )
    # From the logits down: linear, last | norm, branch | first.
    assert [step.operation for step in check.steps] == ["last", "branch", "first"]
    assert [step.n_randomised for step in check.steps] == [2, 4, 5] and check.n_operations == 5
    assert check.original.target.indices == (1, 2) and {step.map.target.indices for step in check.steps} == {(1, 2)}
    for step in check.steps:
        a, b = check.original.values, step.map.values
        assert step.spearman == pytest.approx(scipy.stats.spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-9)
        assert step.ssim == ssim(a, b) and (a != b).any()
    assert (
        told[-1] == (4, 4) and check.weakness and f"{check.steps[-1].spearman:.2f}".replace("-", "−") in check.sentence
    )
    again = sanity_check(pooled, model_input, "gradcam", target=(1, 2), steps=3)
    other = sanity_check(pooled, model_input, "gradcam", target=(1, 2), steps=3, seed=1)
    assert (again.steps[-1].map.values == check.steps[-1].map.values).all()
    assert (other.steps[-1].map.values != check.steps[-1].map.values).any()
    # More steps end in the same place: the randomised weights do not depend on how they are grouped.
    fine = sanity_check(pooled, model_input, "gradcam", target=(1, 2), steps=99)
    assert len(fine.steps) == 5 and (fine.steps[-1].map.values == check.steps[-1].map.values).all()


def test_a_method_that_ignores_the_weights_fails_the_sanity_check(pooled: SmallClassifier) -> None:
    """Occlusion's map moves; a map that only repeats the picture's shape does not. Guided backpropagation through one
    ReLU and fixed edges stands between: here the extreme is built by hand."""
    model_input = PlainInput.noise(SIZE, SIZE)
    check = sanity_check(pooled, model_input, "gradient_x_input", steps=2, target=0)
    assert check.depends_on_weights and "depends on the weights" in check.sentence
    from cnn_core.saliency.checks import _checked

    same = [replace(step, spearman=0.93, spearman_abs=0.95) for step in check.steps]
    stuck = _checked("edges", check.original, same, 5, model_input)
    assert not stuck.depends_on_weights and "says little of the network" in stuck.sentence
    gone = [replace(step, spearman=float("nan"), spearman_abs=float("nan")) for step in check.steps]
    assert "carries nothing" in _checked("x", check.original, gone, 5, model_input).sentence


def test_stability(pooled: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    still = stability(pooled, model_input, "gradcam", noise=0.0, seeds=range(2))
    assert still.spearman.tolist() == pytest.approx([1, 1]) and (still.maps[0].values == still.original.values).all()
    little, much = (stability(pooled, model_input, "hirescam", noise=noise, layer="branch") for noise in (2.0, 60.0))
    assert much.spearman.mean() < little.spearman.mean() < 1
    assert len(little.maps) == 5 and {made.target.indices for made in much.maps} == {much.original.target.indices}
    assert little.target_values == pytest.approx([made.target_value for made in little.maps])
    assert f"{little.spearman.mean():.2f}" in little.sentence
    for options in ({"noise": -1.0}, {"noise": float("nan")}, {"seeds": []}):
        with pytest.raises(InvalidOption):
            stability(pooled, model_input, "gradcam", **options)  # type: ignore[arg-type]


def test_agreement(pooled: SmallClassifier) -> None:
    model_input = PlainInput.noise(SIZE, 48)
    maps = [
        explain(pooled, model_input, method=method, target=1, rectify=False)
        for method in ("gradcam", "hirescam", "layercam", "gradient")
    ]
    empty = replace(maps[0], is_empty=True, layer="nothing")
    found = agreement([*maps, empty], side=8)
    assert found.grid == (8, 12) and found.matrix.shape == (5, 5)
    assert found.names == (f"gradcam {maps[0].layer}", "hirescam", "layercam", "gradient", "gradcam nothing")
    assert found.matrix[0, 1] == pytest.approx(1) and (found.matrix[:4, :4] == found.matrix[:4, :4].T).all()
    assert np.isnan(found.matrix[4]).all() and (np.diag(found.matrix)[:4] == 1).all()
    # One entry again: means over blocks of 4 x 4 pixels, ranked by scipy.
    blocks = [made.upsampled().astype(float).reshape(8, 4, 12, 4).mean(axis=(1, 3)).ravel() for made in maps]
    expected = scipy.stats.spearmanr(blocks[2], blocks[3]).statistic
    assert found.matrix[2, 3] == pytest.approx(expected, abs=1e-9)
    assert "gradcam" in found.sentence and found.weakness
    with np.load(io.BytesIO(found.to_npz()), allow_pickle=False) as saved:
        assert saved["names"].tolist() == list(found.names)
    assert Image.open(io.BytesIO(found.to_png())).size[0] > 500
    with pytest.raises(InvalidOption, match="two maps"):
        agreement(maps[:1])
    with pytest.raises(InvalidOption, match="different pictures"):
        agreement([maps[0], explain(pooled, PlainInput.noise(SIZE, 48, 1))])
    with pytest.raises(InvalidOption, match="one name for each"):
        agreement(maps, names=["a"])


def test_results_save_pictures_and_numbers(pooled: SmallClassifier, tmp_path: Path) -> None:
    model_input = PlainInput.noise(SIZE, SIZE)
    for name, made in (
        ("sanity", sanity_check(pooled, model_input, "gradcam", steps=2)),
        ("stability", stability(pooled, model_input, "gradcam", seeds=range(2))),
    ):
        assert made.to_png(tmp_path / f"{name}.png") == (tmp_path / f"{name}.png").read_bytes()
        assert Image.open(tmp_path / f"{name}.png").format == "PNG"
        with np.load(io.BytesIO(made.to_npz()), allow_pickle=False) as saved:
            assert (saved["original"] == made.original.values).all() and len(saved["maps"]) == 2


def test_trials_and_ledgers_save_pictures_and_numbers(red: SmallClassifier, pooled: SmallClassifier) -> None:
    model_input = PlainInput.of(red_square())
    claim = explain(red, model_input, target=0)
    trial = on_trial(red, model_input, claim)
    assert Image.open(io.BytesIO(trial.to_png())).format == "PNG"
    with np.load(io.BytesIO(trial.to_npz()), allow_pickle=False) as saved:
        assert saved["names"].tolist() == ["whole", "marked", "edges", "rest", *["random"] * 5]
        assert saved["seeds"].tolist() == [-1, -1, -1, -1, 0, 1, 2, 3, 4]
        assert saved["logit"][1] == trial.marked.logit and (saved["masks"][1] == trial.marked.mask).all()
    ledger = logit_ledger(pooled, cc.trace(pooled, PlainInput.noise(SIZE, SIZE)), 1)
    assert Image.open(io.BytesIO(ledger.to_png())).format == "PNG"
    with np.load(io.BytesIO(ledger.to_npz()), allow_pickle=False) as saved:
        assert saved["bias"] + saved["contributions"].sum() == pytest.approx(ledger.logit, rel=1e-5)
        assert saved["cells"].sum() + saved["bias"] == pytest.approx(ledger.logit, rel=1e-5)


def test_fused_layers_are_checked_as_they_are_shown(pooled: SmallClassifier) -> None:
    """The map whose weights are randomised, and to which noise is added, is the fused one that the visitor sees."""
    model_input, layers = PlainInput.noise(SIZE, SIZE), ("last", "branch")
    for fusion in ("mean", "max", "product"):
        shown = explain(pooled, model_input, layer=layers, fusion=fusion, rectify=False)  # type: ignore[arg-type]
        check = sanity_check(pooled, model_input, "gradcam", layer=layers, fusion=fusion, steps=1)  # type: ignore[arg-type]
        steady = stability(pooled, model_input, "gradcam", layer=layers, fusion=fusion, seeds=[0])  # type: ignore[arg-type]
        for made in (check.original, steady.original, check.steps[0].map, steady.maps[0]):
            assert made.details["fusion"] == fusion
        assert (check.original.values == shown.values).all() and (steady.original.values == shown.values).all()


def test_a_check_takes_the_methods_own_steps_and_seeds(pooled: SmallClassifier) -> None:
    """Those that share a name with the check's own arguments, as integrated gradients' steps do."""
    model_input, own = PlainInput.noise(SIZE, SIZE), {"steps": 3}
    shown = explain(pooled, model_input, method="integrated_gradients", rectify=False, **own)  # type: ignore[arg-type]
    check = sanity_check(pooled, model_input, "integrated_gradients", steps=1, method_options=own)
    assert len(check.steps) == 1 and (check.original.values == shown.values).all()
    noisy = {"noise": 0.05, "seed": 3, "samples": 2}
    shown = explain(pooled, model_input, method="smoothgrad", rectify=False, **noisy)  # type: ignore[arg-type]
    steady = stability(pooled, model_input, "smoothgrad", noise=4.0, seeds=[0], method_options=noisy)
    assert steady.noise == 4.0 and (steady.original.values == shown.values).all()
