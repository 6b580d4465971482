"""Depth and trail on every kind of network: vectors, side paths, other orders of axes, links of every sort."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core as cc
from cnn_core.effective_field import EffectiveField
from ui import cached, depth_lesson, pictures, session
from ui.instruments.place import Guess

from .test_pages import open_page, texts


def network(model: str) -> str:
    return "default" if model in ("mobilenet_v2", "squeezenet1_1", "lenet5") else "random"


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        ("lenet5", "fc2"),
        ("lenet5", "input"),
        ("squeezenet1_1", "flatten"),
        ("mobilenet_v2", "softmax"),
        ("mobilenet_v3_small", "features.5.block.2.mul"),
        ("convnext_tiny", "features.1.0.block.3"),
        ("inception_v3", "Mixed_5b.cat"),
    ],
)
def test_depth_opens_any_operation(model: str, layer: str) -> None:
    at = open_page("depth", model=model, weights=network(model), picture="dog", layer=layer)
    assert not at.exception and not at.error
    classifier = cached.classifier(model, network(model))
    operation = classifier.network[layer]
    field = cc.receptive_field(classifier, operation)
    said = texts(at)
    if field.sees_everything and "row" not in operation.axes:
        assert "covers the whole picture" in said
        return
    next(button for button in at.button if button.label == "No, not at all").click()
    at.run()
    assert not at.exception and not at.error
    said = "\n".join([texts(at), *(str(element.value) for element in (*at.success, *at.info))])
    if field.sees_everything:
        assert "this unit sees the whole picture by a global path" in said
    else:
        assert "stayed the same" in said and "As you guessed" in said


def test_middle_share_is_the_gradient_of_the_middle_quarter() -> None:
    magnitude = np.zeros((10, 10))
    magnitude[4:6, 4:6] = 0.2  # the middle four pixels
    # Pixels 3 to 6 are the middle half of a box from 1 to 9: these two lie beside it.
    magnitude[2, 2] = magnitude[7, 5] = 0.1
    field = cc.ReceptiveField((8, 8), (1, 1), (5, 5), False, (1, 1), (10, 10))
    found = EffectiveField("x", (0, 0, 0), magnitude, 1.0, 2, 0, (1, 1, 9, 9), False, 0.8, 4, 1.0)
    assert depth_lesson.middle_share(field, (0, 0), found) == pytest.approx(0.8)


def test_the_first_unit_lies_in_the_picture_and_a_link_names_another() -> None:
    at = open_page("depth")
    classifier = cached.classifier("mobilenet_v2")
    layer = depth_lesson.middle_layer(classifier.network)
    assert max(cc.receptive_field(classifier, layer).size) <= 112
    assert not at.exception
    other = open_page("depth", layer="features.3", channel="5", row="0", column="55")
    assert not other.exception
    assert "features.3" in str(other.query_params["layer"]) and "5" in other.query_params["channel"]
    far = open_page("depth", layer="features.3", channel="5000", row="99", column="99")
    assert not far.exception and not far.error


@pytest.mark.parametrize(
    ("model", "trail"),
    [
        ("lenet5", "most~all~fc3~7"),
        ("squeezenet1_1", "for~all~features.6.cat~3.4.5"),
        ("mobilenet_v2", "most~all~softmax~151"),
        ("mobilenet_v3_small", "most~all~features.5.block.2.mul~3.4.5"),
        ("convnext_tiny", "most~all~features.1.0.block.3~4.5.6"),
        ("convnext_tiny", "most~all~features.1.0.add~6.4.5"),
    ],
)
def test_a_link_is_followed_and_kept(model: str, trail: str) -> None:
    at = open_page("trail", model=model, weights=network(model), picture="dog", trail=trail)
    assert not at.exception and not at.error
    assert at.query_params["trail"] == [trail] or at.query_params["trail"] == trail
    classifier = cached.classifier(model, network(model))
    seen = cached.model_input(classifier, pictures.sample_picture("dog"))
    _, _, operation, index = trail.split("~")
    subject = f"{classifier.key}:{seen.digest[:16]}:{operation}:{index}"
    at.session_state["cl_trail_guesses"] = {subject: Guess((20.0, 11.0))}
    at.run()
    assert not at.exception and not at.error
    followed = cc.Trail.from_text(classifier, cached.trace(classifier, seen), trail)
    if followed.end != "input":
        return
    next(button for button in at.button if button.label == "Cover the end of the trail").click()
    at.run()
    assert not at.exception and not at.error
    said = "\n".join(str(element.value) for element in (*at.success, *at.warning))
    assert "It led to a place" in said or "It did not lead" in said or "no room for an equal square" in said


def test_a_link_with_a_turn_opens_without_a_guess_and_an_unfit_one_gets_a_sentence() -> None:
    classifier = cached.classifier("mobilenet_v2")
    trace = cached.trace(classifier, cached.model_input(classifier, pictures.sample_picture("panda")))
    plain = cc.follow(classifier, trace, "features.8.conv.0.2", (12, 4, 9))
    step = next(n for n, s in enumerate(plain.steps) if s.n_parts > 3)
    part = plain.steps[step].contributors[2]
    turned = f"{plain.to_text()}~{step}-{part.input_number}-{'.'.join(map(str, part.index))}"
    at = open_page("trail", trail=turned)
    assert not at.exception and not at.info
    assert turned in at.query_params["trail"]
    assert any(button.label == "Cover the end of the trail" for button in at.button), "who is sent a way sees it"
    for wrong in (f"{plain.to_text()}~{step}-0-9.99.99", "most~all~no.such~1", "most~all~classifier.1~100000"):
        at = open_page("trail", trail=wrong)
        assert not at.exception
        assert [info.value for info in at.info if "Shown instead: the trail of the top class." in info.value]
        assert "trail" not in at.query_params


@pytest.mark.parametrize("text", ["", "most", "least~all~x~1", "most~all~<b>~1", "most~" + "1" * 1100, "most~a\nb"])
def test_what_is_no_trail_never_enters_the_session(text: str) -> None:
    with pytest.raises(ValueError):
        session.PARAMETERS["trail"].parse(text)
    assert session.PARAMETERS["trail"].parse("most~all~layer1.0.relu:2~3.4.5~2-0-1.2.3")
