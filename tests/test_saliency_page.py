"""Methods on trial: the page past its guess on every kind of head, its addresses, and a square against all squares."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from cnn_core.marked_squares import mark_of_square
from ui import cached, jobs, pictures, saliency_layers, saliency_options, session
from ui.instruments.place import Guess

from .test_components import _unpack
from .test_pages import open_page, texts

SHIPPED = ["mobilenet_v2", "squeezenet1_1", "lenet5"]


def opened(model: str, guess: tuple[float, float] | None = None, picture: str = "dog", **address: str) -> AppTest:
    """The page with its guess made (or skipped), as it is after the click in the picture."""
    weights = "default" if model in SHIPPED else "random"
    at = open_page("saliency", model=model, weights=weights, picture=picture, **address)
    assert not at.exception
    classifier = cached.classifier(model, weights)
    seen = cached.model_input(classifier, pictures.sample_picture(picture))
    at.session_state["cl_gradcam_guesses"] = {f"{classifier.key}:{seen.digest[:16]}": Guess(guess)}
    at.run()
    assert not at.exception
    return at


def wall(at: AppTest, key: str = "cl_saliency") -> Any:
    """What the browser is given to draw."""
    for element in at.get("bidi_component"):
        proto = element.proto
        if key in proto.id and proto.bytes:
            return _unpack(proto.bytes)
    raise AssertionError(f"No component {key}.")


def shown(at: AppTest) -> list[str]:
    return [tile["title"] for tile in wall(at)["meta"]["tiles"]]


# Random weights where none come with the app; squeeze-and-excitation and no ReLU in EfficientNet, maps that are not
# channels-first in ConvNeXt, a flattened head in AlexNet as in VGG.
@pytest.mark.parametrize("model", [*SHIPPED, "efficientnet_b0", "convnext_tiny", "alexnet", "googlenet"])
def test_every_kind_of_network_gets_maps_or_a_sentence(model: str) -> None:
    at = opened(model, (20.0, 11.0), methods="gradcam,cam,guided_backprop,gradient")
    assert not at.error
    found = texts(at)
    titles = shown(at)
    refused = {
        title: f"**{title}** has no map here" in found for title in ("Grad-CAM", "CAM", "Guided backpropagation")
    }
    assert "Gradient" in titles
    for title, is_refused in refused.items():
        assert is_refused == (title not in titles), title
    assert refused["CAM"] == (model in {"squeezenet1_1", "lenet5", "alexnet", "convnext_tiny"})
    assert refused["Guided backpropagation"] == (model in {"efficientnet_b0", "convnext_tiny"})
    assert "your place in the strongest quarter" in found + "\n".join(str(e.value) for e in at.success)
    assert "Layers made plain" in found and "On trial" in found


def test_the_wall_holds_the_librarys_raw_maps_and_marks() -> None:
    classifier = cached.classifier("squeezenet1_1")
    seen = cached.model_input(classifier, pictures.sample_picture("dog"))
    trace = cached.trace(classifier, seen)
    target = (trace.top(1)[0].index, trace.top(2)[1].index)
    address = {"methods": "gradcam,gradient_x_input", "rival": str(target[1]), "score": "probability"}
    at = opened("squeezenet1_1", (60.0, 80.0), "dog", **address)
    payload = wall(at)
    assert [tile["title"] for tile in payload["meta"]["tiles"]] == ["Grad-CAM", "Gradient × input"]
    for i, method in enumerate(("gradcam", "gradient_x_input")):
        made = cc.explain(classifier, seen, method=method, target=target, score="probability", rectify=False)
        np.testing.assert_allclose(payload[f"map{i}"], made.values, rtol=1e-4, atol=1e-7)
        square = mark_of_square(
            cc.explain(classifier, seen, method=method, target=target, score="probability"), 60, 80, 32
        )
        title = {"gradcam": "Grad-CAM", "gradient_x_input": "Gradient × input"}[method]
        assert f"{title} {100 * square.percentile:.0f} %" in texts(at)


def test_unknown_methods_layers_and_rivals_get_a_sentence() -> None:
    address = {"methods": "magic,gradcam", "rival": "7000", "fuse": "mean~nowhere", "picture": "digit_7"}
    found = texts(open_page("saliency", model="lenet5", **address))
    assert "There is no method “magic”" in found
    assert "there is no class 7000" in found
    assert "no layer with maps called “nowhere”" in found
    assert shown(opened("lenet5", None, **address)) == ["Grad-CAM"]
    assert session.PARAMETERS["methods"].parse("gradcam,rise") == "gradcam,rise"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("methods", "Grad CAM"), ("methods", "gradcam,,rise"), ("methods", "a" * 41), ("score", "loss"),
        ("placement", "left"),
        ("options", "rise.masks=3"), ("options", "rise~3"), ("options", "rise.masks~<b>"),
        ("fuse", "sum~a"), ("fuse", "mean~"), ("fuse", "mean~a,<b>"),
    ],
)  # fmt: skip
def test_addresses_are_read_strictly(name: str, wrong: str) -> None:
    with pytest.raises(ValueError):
        session.PARAMETERS[name].parse(wrong)


def test_layers_are_fused_from_the_address() -> None:
    at = opened("squeezenet1_1", methods="layercam,gradient", fuse="max~features.7", picture="panda")
    classifier = cached.classifier("squeezenet1_1")
    seen = cached.model_input(classifier, pictures.sample_picture("panda"))
    layers = (classifier.network.default_layer(), classifier.network["features.7"].name)
    made = cc.explain(classifier, seen, method="layercam", layer=layers, fusion="max", rectify=False)
    payload = wall(at)
    np.testing.assert_allclose(payload["map0"], made.values, rtol=1e-4, atol=1e-6)
    assert payload["meta"]["tiles"][0]["layer"] == made.layer
    assert payload["meta"]["tiles"][0]["unit"] == "share of each layer's largest value"


def test_chips_put_a_method_on_the_wall_and_the_last_one_stays() -> None:
    at = opened("lenet5", methods="gradcam", picture="digit_7")

    def chip(title: str) -> None:
        next(button for button in at.button if button.label == title).click().run()

    chip("HiResCAM")
    assert shown(at) == ["Grad-CAM", "HiResCAM"]
    assert at.session_state["cl_methods"] == "gradcam,hirescam"
    chip("Grad-CAM")
    chip("HiResCAM")
    assert shown(at) == ["HiResCAM"]


def test_two_layers_are_compared_in_their_own_numbers() -> None:
    at = opened("squeezenet1_1", picture="panda")
    classifier = cached.classifier("squeezenet1_1")
    table = next(str(e.value) for e in at.markdown if str(e.value).startswith("| | A"))
    here = classifier.network[classifier.network.default_layer()]
    field = cc.receptive_field(classifier, here)
    assert f"{field.size[0]:g} × {field.size[1]:g} px" in table
    assert f"{field.stride[0]:g} × {field.stride[1]:g} px" in table
    assert [t["title"][0] for t in wall(at, "cl_sal_pair")["meta"]["tiles"]] == ["A", "B"]
    reasons = next(str(e.value) for e in at.markdown if "rank correlation of the two maps" in str(e.value))
    assert "**Stride.**" in reasons and "**Receptive field.**" in reasons and "**The test.**" in reasons


def test_several_classes_are_read_side_by_side_on_one_scale() -> None:
    at = opened("lenet5", None, "digit_7", methods="gradient", target="3")
    classifier = cached.classifier("lenet5")
    seen = cached.model_input(classifier, pictures.sample_picture("digit_7"))
    payload = wall(at, "cl_sal_classes")
    top = [prediction.index for prediction in cached.trace(classifier, seen).top(5)]
    targets = list(dict.fromkeys([3, *top]))[:5]
    assert [tile["title"].split(" · ")[0] for tile in payload["meta"]["tiles"]] == [
        classifier.class_names[i] for i in targets
    ]
    assert payload["meta"]["shared"].startswith("One scale for all classes")
    for i, target in enumerate(targets):
        made = cc.explain(classifier, seen, target=target, rectify=False)
        np.testing.assert_allclose(payload[f"map{i}"], made.values, rtol=1e-4, atol=1e-6)


def test_options_come_from_the_address_and_their_controls_from_the_methods() -> None:
    address = {
        "methods": "gradient,occlusion,rise",
        "options": "gradient.channels~sum,rise.masks~24,occlusion.size~8x12",
    }
    at = opened("lenet5", None, "digit_7", **address)
    classifier = cached.classifier("lenet5")
    seen = cached.model_input(classifier, pictures.sample_picture("digit_7"))
    payload = wall(at)
    made = cc.explain(classifier, seen, method="gradient", channels="sum", rectify=False)
    np.testing.assert_allclose(payload["map0"], made.values, rtol=1e-5, atol=1e-9)
    assert payload["meta"]["tiles"][0]["settings"] == "channels sum"
    assert at.text_input("cl_sal_option_occlusion_size").value == "8x12"
    assert at.number_input("cl_sal_option_rise_masks").value == 24
    # Every option of every method, and how many pictures are run at once, has its control with its limits.
    for card in cc.saliency_methods():
        for option in saliency_options.offered(card):
            assert option.read(option.written(option.default)) == option.default if option.default is not None else True
    at.number_input("cl_sal_option_rise_seed").set_value(5).run()
    assert set(at.session_state["cl_options"].split(",")) == {*address["options"].split(","), "rise.seed~5"}
    at.text_input("cl_sal_option_occlusion_stride").set_value("all").run()
    assert "stride must be a whole number from 1, and is 'all'" in texts(at).replace("\\", "")
    next(button for button in at.button if button.label == "Back to the defaults").click().run()
    assert "cl_options" not in at.session_state
    np.testing.assert_allclose(wall(at)["map0"], np.abs(made.values), rtol=1e-5, atol=1e-9)  # one channel of colour


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("magic.size~3", "no method “magic”"), ("rise.size~3", "RISE has no option “size”"),
        ("rise.masks~1", "masks must be a whole number from 2 to 20000, and is '?1"),
        ("occlusion.fill~sand", "fill must be one of"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_get_a_sentence(options: str, says: str) -> None:
    at = open_page("saliency", model="lenet5", picture="digit_7", options=f"rise.seed~4,{options}")
    assert not at.exception and re.search(says, texts(at).replace("\\", ""))
    assert at.session_state["cl_options"] == "rise.seed~4"  # what can be read stays


def test_the_strip_of_a_large_network_is_a_job_that_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saliency_layers, "AT_ONCE", 0)
    started: list[dict[str, object]] = []
    monkeypatch.setattr(jobs, "run", lambda kind, key, work, nbytes, **words: started.append({"work": work, **words}))
    at = opened("lenet5", None, "digit_7", methods="gradcam")
    assert not [e for e in at.get("bidi_component") if "cl_sal_strip" in e.proto.id]
    (job,) = [one for one in started if one["unit"] == "layers"]
    assert job["at_once"] is True
    work: Any = job["work"]
    told: list[tuple[int, int]] = []
    made = work(lambda *now: told.append(now), lambda: False)
    assert told[-1] == (len(made), len(made)) and len(made) >= 3
    classifier = cached.classifier("lenet5")
    seen = cached.model_input(classifier, pictures.sample_picture("digit_7"))
    for name, one in made.items():
        alone = cc.explain(classifier, seen, layer=name, rectify=False).values
        np.testing.assert_allclose(one.values, alone, rtol=1e-5, atol=1e-6)
    assert work(lambda *now: None, lambda: True) is None


def test_before_the_guess_no_map_is_sent() -> None:
    at = open_page("saliency", model="lenet5", picture="digit_7")
    payload = wall(at)
    assert payload["meta"]["waiting"] is True
    assert set(payload) == {"meta", "rgb"}


def brute(values: np.ndarray, row: float, column: float, n: int) -> tuple[float, float]:
    """Mean in the square and the share of squares with a lower one, one square after the other."""
    height, width = values.shape
    means = np.array(
        [[values[r : r + n, c : c + n].mean() for c in range(width - n + 1)] for r in range(height - n + 1)]
    )
    top, left = min(max(0, round(row - n / 2)), height - n), min(max(0, round(column - n / 2)), width - n)
    return float(means[top, left]), float((means < means[top, left] - 1e-9).mean())


@pytest.mark.parametrize("place", [(14.0, 14.0), (0.0, 0.0), (28.0, 3.5), (9.0, 27.9)])
@pytest.mark.parametrize("side", [1.0, 4.0, 7.0])
def test_a_square_against_all_squares(place: tuple[float, float], side: float) -> None:
    classifier = cached.classifier("lenet5")
    seen = cached.model_input(classifier, pictures.sample_picture("digit_7"))
    made = cc.explain(classifier, seen)
    mean, share = brute(made.upsampled().astype(np.float64), *place, int(side))
    found = mark_of_square(made, *place, side)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert found.percentile == pytest.approx(share, abs=2e-3)
    best = mark_of_square(made, *found.best, side)
    assert best.mean >= found.mean and best.percentile >= found.percentile


def test_a_square_outside_the_picture_is_refused() -> None:
    classifier = cached.classifier("lenet5")
    made = cc.explain(classifier, cached.model_input(classifier, pictures.sample_picture("digit_7")))
    with pytest.raises(cc.InvalidUnit, match="outside the picture"):
        mark_of_square(made, -1, 5, 4)
