"""The channel's bench and its lesions against plain torch with hooks on the module itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnn_core as cc
from cnn_core.channel_bench import channel_taste, patch_side, shuffle_patches, to_grey, turn_hue
from cnn_core.channel_trials import Answer, ChannelTrials, channel_trials, compare_lesions
from cnn_core.silhouettes import Foreground, edges_only, silhouette, subject_by_colour

ROOT = Path(__file__).resolve().parent.parent
LAYER, CHANNEL = "features.6.conv.1.2", 5
SIGNED = "features.6.conv.3"


@pytest.fixture(scope="module", autouse=True)
def one_thread():  # type: ignore[no-untyped-def]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def trace(classifier: cc.Classifier) -> cc.Trace:
    return cc.trace(classifier, cc.load_image(ROOT / "assets" / "samples" / "scarlet_macaw.jpg"))


def hooked(
    classifier: cc.Classifier, rgb: np.ndarray, layer: str, off: int | None = None
) -> tuple[np.ndarray, torch.Tensor]:
    """The layer's output, and the logits with one of its channels at zero, by a hook on the module."""
    seen: list[torch.Tensor] = []

    def hook(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        seen.append(output.clone())
        if off is None:
            return output
        changed = output.clone()
        changed[:, off] = 0
        return changed

    handle = classifier.module.get_submodule(layer).register_forward_hook(hook)
    try:
        with torch.no_grad():
            logits = classifier.module(classifier.card.preprocessing.from_rgb(rgb).tensor)
    finally:
        handle.remove()
    return seen[0][0].numpy(), logits[0].double()


@pytest.mark.parametrize("layer", [LAYER, SIGNED])
def test_answers_are_the_modules_own(classifier: cc.Classifier, trace: cc.Trace, layer: str) -> None:
    found = channel_trials(classifier, trace, layer, CHANNEL)
    rgb = trace.input.shown_rgb
    patch = patch_side(min(cc.receptive_field(classifier, layer).size))
    blank = np.broadcast_to(np.round(rgb.reshape(-1, 3).mean(axis=0)).astype(np.uint8), rgb.shape)
    expected = {
        "picture": rgb,
        "grey": to_grey(rgb),
        "hue": turn_hue(rgb),
        "shuffled": shuffle_patches(rgb, patch),
        "silhouette": silhouette(subject_by_colour(rgb).mask),
        "edges": edges_only(rgb),
        "blank": blank,
    }
    assert list(found.answers) == list(expected) and found.patch == patch
    top = trace.top(1)[0]
    assert (found.target, found.target_name) == (top.index, top.name)
    plain = hooked(classifier, rgb, layer)[0][CHANNEL]
    for key, shown in expected.items():
        answer = found.answers[key]
        np.testing.assert_array_equal(answer.shown_rgb, shown)
        maps, logits = hooked(classifier, shown, layer)
        # A batch may be summed in another order than one picture: float32 rounding.
        np.testing.assert_allclose(answer.map, maps[CHANNEL], rtol=1e-4, atol=1e-4)
        assert answer.mean == pytest.approx(float(maps[CHANNEL].mean()), abs=1e-4)
        assert answer.peak == pytest.approx(float(maps[CHANNEL].max()), abs=1e-4)
        assert answer.change == pytest.approx(
            float(maps[CHANNEL].mean() - plain.mean()) / float(np.abs(plain).mean()), abs=1e-3
        )
        assert answer.logit == pytest.approx(float(logits[top.index]), abs=1e-3)
        assert answer.probability == pytest.approx(float(torch.softmax(logits, 0)[top.index]), abs=1e-3)
        assert answer.top.index == int(logits.argmax())
        if layer == SIGNED:
            assert answer.ratio is None, "a ratio of means of both signs misleads"
        else:
            assert answer.ratio == pytest.approx(float(maps[CHANNEL].mean() / plain.mean()), rel=1e-3)


def test_the_verdict_is_the_feature_pages(classifier: cc.Classifier, trace: cc.Trace) -> None:
    for channel in (0, 3, 20):
        mine, theirs = (f(classifier, trace, LAYER, channel) for f in (channel_trials, channel_taste))
        assert mine.verdict == theirs.verdict
        assert mine.colour == pytest.approx(theirs.colour, abs=1e-4)
        assert mine.arrangement == pytest.approx(theirs.shape, abs=1e-4)


def made(**means: float) -> ChannelTrials:
    """Trials whose channel has these means."""
    nothing = np.zeros((2, 2), np.float32)
    top = cc.tracing.Prediction(0, "a", 0.0, 1.0)
    whole = {"picture": 1.0, "grey": 1.0, "hue": 1.0, "shuffled": 1.0, "silhouette": 0.0, "edges": 0.0, "blank": 0.0}
    answers = {
        key: Answer(key, key, "", np.zeros((2, 2, 3), np.uint8), nothing, mean, mean, mean, mean - 1.0, 0.0, 1.0, top)
        for key, mean in (whole | means).items()
    }
    return ChannelTrials("a", 0, 0, "a", 4, Foreground(np.zeros((2, 2), bool), ""), answers)


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        ({"grey": 0.4, "shuffled": 1.2}, "colour"),
        ({"hue": 1.7, "shuffled": 0.5}, "colour"),
        ({"grey": 0.9, "hue": 1.1, "shuffled": 0.4}, "shape"),
        ({"grey": 0.95, "shuffled": 1.09}, "neither"),
    ],
)
def test_the_rule(means: dict[str, float], verdict: str) -> None:
    assert made(**means).verdict == verdict


def test_a_drawing_is_measured_against_nothing() -> None:
    found = made(silhouette=0.65, edges=0.6, blank=0.25)
    # Half of what the picture adds to 0.25 is 0.375, so from 0.625 on it is enough.
    assert found.enough("silhouette") and not found.enough("edges")
    assert made(blank=1.0).enough("edges") is None


def test_a_grey_network_and_a_silent_channel() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    seven = cc.trace(lenet, cc.load_image(ROOT / "assets" / "samples" / "digit_7.png"))
    found = channel_trials(lenet, seven, "relu1", 2)
    assert found.answers["grey"].mean == found.answers["picture"].mean
    drawing = found.answers["silhouette"].shown_rgb
    # The strokes are light, as the network's digits are.
    assert set(np.unique(drawing)) == {0, 255} and (drawing > 0).mean() == pytest.approx(found.subject.share)
    assert found.answers["picture"].shown_rgb[drawing > 0].mean() > 128
    dark = cc.trace(lenet, cc.load_image(Image.new("RGB", (28, 28))))
    for channel in range(6):
        silent = channel_trials(lenet, dark, "relu1", channel)
        assert all(np.isfinite(answer.change) for answer in silent.answers.values())
        assert silent.is_silent == (not dark.activation("relu1")[channel].any())


def test_lesions_are_what_hooks_do(classifier: cc.Classifier, trace: cc.Trace) -> None:
    told: list[tuple[int, int]] = []
    found = compare_lesions(
        classifier, trace, LAYER, CHANNEL, n=6, seed=3, on_progress=lambda done, total: told.append((done, total))
    )
    channels = classifier.network[LAYER].output_shape[0]
    assert told == [(i, 7) for i in range(2, 8)] and found.is_complete and found.n_channels == channels
    drawn = [other.channel for other in found.others]
    assert len(set(drawn)) == 6 and CHANNEL not in drawn
    whole = hooked(classifier, trace.input.shown_rgb, LAYER)[1]
    effects = []
    for lesion in (found.chosen, *found.others):
        logits = hooked(classifier, trace.input.shown_rgb, LAYER, lesion.channel)[1]
        assert lesion.logit == pytest.approx(float(logits[found.target]), abs=1e-3)
        assert lesion.probability == pytest.approx(float(torch.softmax(logits, 0)[found.target]), abs=1e-4)
        assert lesion.top.index == int(logits.argmax())
        effects.append(abs(float(logits[found.target] - whole[found.target])))
        assert found.effect(lesion) == pytest.approx(effects[-1], abs=1e-3)
    assert found.as_much == sum(effect >= effects[0] for effect in effects[1:])
    assert found.turned == sum(other.top.index != found.target for other in found.others)
    again = compare_lesions(classifier, trace, LAYER, CHANNEL, n=6, seed=3)
    assert [o.channel for o in again.others] == drawn
    assert [o.channel for o in compare_lesions(classifier, trace, LAYER, CHANNEL, n=6, seed=4).others] != drawn


def test_lesions_stop_and_run_out() -> None:
    lenet = cc.load_model("lenet5", device="cpu")
    seven = cc.trace(lenet, cc.load_image(ROOT / "assets" / "samples" / "digit_7.png"))
    every = compare_lesions(lenet, seven, "relu1", 2, n=50)
    assert sorted(o.channel for o in every.others) == [0, 1, 3, 4, 5] and every.is_complete
    stops = iter([False, False, True])
    cut = compare_lesions(lenet, seven, "relu1", 2, n=50, should_stop=lambda: next(stops))
    assert [o.channel for o in cut.others] == [o.channel for o in every.others][:2] and not cut.is_complete


def test_refusals(classifier: cc.Classifier, trace: cc.Trace) -> None:
    for ask in (channel_trials, compare_lesions):
        with pytest.raises(cc.InvalidLayer, match="no maps"):
            ask(classifier, trace, "classifier.1", 0)
        with pytest.raises(cc.InvalidUnit, match="channels 0 to"):
            ask(classifier, trace, LAYER, 10_000)
