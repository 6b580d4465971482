"""The guided tour: real settings on each of its steps, in the address, and nothing of it where it does not belong."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from tests.test_pages import open_page
from ui import session, shell, tour

ROOT = Path(__file__).resolve().parent.parent


def test_its_steps_fit_the_pages() -> None:
    assert 5 <= len(tour.STEPS) <= 10
    pages = {entry.key for entry in shell.PAGES}
    sources = "".join(
        path.read_text(encoding="utf-8") for folder in ("ui", "pages") for path in (ROOT / folder).rglob("*.py")
    )
    for step in tour.STEPS:
        assert step.page in pages
        assert len(step.text) <= 260, "a phone shows the card and the page"
        for name, value in step.settings.items():
            assert str(session.PARAMETERS[name].parse(str(value))) == str(value)
        for key in (step.target, *([step.act[1]] if step.act else [])):
            # A question's and an offer's containers get the last word of their key where they are drawn.
            last = key.removeprefix("cl-question-").rpartition("_buy_")[2]
            assert f'"{key}"' in sources or f'"{last}"' in sources, f"nothing on a page is called {key}"


def test_what_it_says_is_so() -> None:
    classifier = cc.load_model("mobilenet_v2")
    picture = cc.load_image(ROOT / "assets" / "samples" / "panda.jpg")
    seen = classifier.preprocess(picture)
    trace = cc.trace(classifier, seen)
    assert classifier.class_names[int(trace.logits.argmax())] == "giant panda"
    early, late = (trace.activation(step.settings["layer"]) for step in tour.STEPS if step.page == "features")
    assert early.shape[1:] == (112, 112) and late.shape[1:] == (7, 7)
    assert late.shape[0] == 1280
    high = (late > late.max((1, 2), keepdims=True) / 2).sum((1, 2))
    assert (high <= 7).mean() >= 0.5, "in half of them at most 7 cells reach half the largest"


@pytest.mark.parametrize("number", [2, 5])
def test_a_step_sets_the_page_and_lets_it_be_changed(number: int) -> None:
    step = tour.STEPS[number - 1]
    at = open_page(step.page, tour=str(number), picture="dog")
    assert not at.exception
    assert at.session_state["cl_picture"] == "dog", "what the address says goes before the tour"
    assert all(at.session_state[f"cl_{name}"] == value for name, value in step.settings.items())
    name, other = {2: ("kernel", "blur"), 5: ("layer", "features.3.conv.2")}[number]
    at.session_state[f"cl_{name}"] = other
    at.run()
    assert at.session_state[f"cl_{name}"] == other, "the tour sets a page once"
    assert at.query_params["tour"] in (str(number), [str(number)])


@pytest.mark.parametrize("number", ["0", "11", "x", "3", "²", ""])
def test_what_is_no_step_of_this_page_is_dropped(number: str) -> None:
    at = open_page("pooling", tour=number)
    assert not at.exception
    assert "tour" not in at.query_params
    assert not [button for button in at.button if button.label == "Leave the tour"]


def test_leaving_keeps_the_page() -> None:
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=60)
    at.query_params["tour"] = "10"
    at.run()
    next(button for button in at.button if button.label == "Leave the tour").click().run()
    assert "tour" not in at.query_params
    assert not [button for button in at.button if button.label == "Leave the tour"]


def go(at: AppTest, number: int) -> None:
    """To a step of the page that is open, as its link does."""
    at.query_params.clear()
    for name, value in {"tour": number, **tour.STEPS[number - 1].settings}.items():
        at.query_params[name] = str(value)
    at.run()


def leave(at: AppTest) -> None:
    next(button for button in at.button if button.label == "Leave the tour").click().run()
    assert not at.exception and "tour" not in at.query_params


def test_leaving_puts_back_what_was_chosen_before_or_on_the_way() -> None:
    at = open_page("features", picture="koala", layer="features.7")
    go(at, 4)
    assert at.session_state["cl_layer"] == "features.0.2" and "cl_picture" not in at.session_state
    at.session_state["cl_layer"] = "features.3"  # chosen on the page, before the next step sets it anew
    at.run()
    go(at, 5)
    assert at.session_state["cl_layer"] == "features.18.2"
    leave(at)
    assert (at.session_state["cl_picture"], at.session_state["cl_layer"]) == ("koala", "features.3")
    assert "koala" in at.query_params["picture"] and "features.3" in at.query_params["layer"]
    # Back into the tour and out of it again.
    go(at, 5)
    assert at.session_state["cl_layer"] == "features.18.2" and "cl_picture" not in at.session_state
    at.query_params.clear()
    at.query_params["picture"] = "dog"
    at.run()  # away by a link, which goes before what was chosen
    assert (at.session_state["cl_picture"], at.session_state["cl_layer"]) == ("dog", "features.3")


def test_who_had_chosen_nothing_leaves_on_the_page_as_it_is() -> None:
    at = open_page("features", tour="5", layer="features.18.2")
    leave(at)
    assert at.session_state["cl_layer"] == "features.18.2" and at.session_state["cl_picture"] == "panda"
