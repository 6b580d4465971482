"""A visitor's runs in the app: opened on every page like any network, kept from others, saved, loaded, continued."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from cnn_core.training.recipe import Recipe
from cnn_core.training.storage import zip_run
from ui import cached, session
from ui.training import Runs, place_in_line

ROOT = Path(__file__).resolve().parent.parent
# Looked at once on all pages; these four between them use whatever a page needs of a network.
PAGES = ("features", "decision", "gradcam", "interventions")


@pytest.fixture(scope="module")
def run() -> cc.TrainingRun:
    torch.set_num_threads(1)
    return cc.train("lenet", seed=3, steps=100, n_train=1_600, evaluate_every=0)


def opened(page: str, runs: Runs | None = None, **address: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=120)
    if runs is not None:
        at.session_state["cl_runs"] = runs
    at.run()
    for name, value in address.items():
        at.query_params[name] = value
    at.switch_page(f"../pages/{page}.py")
    at.run()
    return at


def words(at: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*at.markdown, *at.info, *at.caption, *at.error, *at.success))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_a_run_like_any_network(page: str, run: cc.TrainingRun) -> None:
    own = Runs()
    name = own.add(run)
    cached._traces.drop(lambda key: True)
    at = opened(page, own, model=f"run:{name}", picture="digit_7")
    assert not at.exception and not at.error
    assert "**Your runs**" in words(at)
    assert at.session_state["cl_model"] == f"run:{name}"
    # What the page computed is this network's: its forward pass is the one that is kept.
    picture = cc.load_image(ROOT / "assets" / "samples" / "digit_7.png")
    classifier = run.classifier()
    key = (classifier.key, classifier.preprocess(picture).digest)
    assert key in cached._traces
    kept: cc.Trace = cached._traces.get(key, lambda: pytest.fail("made again"), lambda made: 0)
    with torch.no_grad():
        logits = run.module()(classifier.preprocess(picture).tensor)[0].numpy()
    assert kept.logits == pytest.approx(logits, abs=1e-5)


@pytest.mark.parametrize("page", ["features", "gradcam"])
def test_somebody_elses_run_is_said_in_a_sentence(page: str, run: cc.TrainingRun) -> None:
    at = opened(page, None, model=f"run:{run.digest[:16]}", picture="digit_7")
    assert not at.exception
    said = [info.value for info in at.info if "another session" in info.value]
    assert len(said) == 1 and "default one" in said[0]
    assert "cl_model" not in at.session_state or at.session_state["cl_model"] == session.PARAMETERS["model"].default
    assert "**Your runs**" not in words(at)


def test_two_runs_of_one_network_are_never_taken_for_each_other(run: cc.TrainingRun) -> None:
    other = cc.train("lenet", seed=4, steps=2, n_train=100, evaluate_every=0)
    clothes = cc.train("lenet", seed=3, steps=2, n_train=100, evaluate_every=0, data="fashion")
    from ui import training

    picture = cc.load_image(ROOT / "assets" / "samples" / "digit_7.png")
    seen = {}
    for one in (run, other, clothes):
        classifier = training.open_run(one)
        made = cached.model_input(classifier, picture)
        assert torch.equal(made.tensor, one.classifier().preprocess(picture).tensor)
        seen[classifier.key] = cached.trace(classifier, made).logits.tobytes()
    assert len(seen) == 3 and len(set(seen.values())) == 3
    assert training.fitting_picture(run) == "digit_7" or str(training.fitting_picture(run)).startswith("digit")
    assert str(training.fitting_picture(clothes)).startswith("clothing")


def test_a_run_whose_pictures_are_gone_is_not_offered(run: cc.TrainingRun) -> None:
    own = Runs()
    gone = own.add(replace(run, recipe=_Gone(**run.recipe.to_dict())))
    here = own.add(run)
    at = opened("features", own, model=f"run:{gone}", picture="digit_7")
    assert not at.exception and "another session" in words(at)
    assert len(own.all()) == 2 and here != gone and words(at).count("**Your runs**") == 1


class _Gone(Recipe):
    """A recipe on a learner's own pictures, after these were let go."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", "own:" + "0" * 32)


def test_a_visitor_keeps_a_bounded_number_of_runs(run: cc.TrainingRun) -> None:
    own = Runs()
    names = [own.add(replace(run, seed=seed)) for seed in range(30)]
    assert list(own.all()) == names[:5:-1] and own.get(names[0]) is None
    assert own.add(replace(run, seed=10)) == names[10] and next(iter(own.all())) == names[10]


CONTROLS: dict[str, Any] = {}


def controls_page() -> None:
    import streamlit as st

    from tests.test_training_pages import CONTROLS
    from ui import training

    name = training.keep(CONTROLS["run"]) if CONTROLS["run"] is not None else None
    got = training.file_controls(name, key="here", on_resume=CONTROLS["resumed"].append)
    st.markdown(f"opened {got}; {len(training.runs())} runs")


def test_a_run_is_saved_opened_again_and_continued(run: cc.TrainingRun) -> None:
    half = cc.train("lenet", seed=0, steps=4, n_train=100, should_stop=iter([False, False, True]).__next__)
    CONTROLS.update(run=half, resumed=[])
    at = AppTest.from_function(controls_page).run()
    (button,) = [button for button in at.button if button.label == "Go on with it"]
    button.click()
    at.run()
    assert CONTROLS["resumed"] == [half]
    CONTROLS.update(run=run)
    at = AppTest.from_function(controls_page).run()
    assert not [button for button in at.button if button.label == "Go on with it"], "it is finished"

    CONTROLS.update(run=None)
    at = AppTest.from_function(controls_page).run()
    at.file_uploader[0].upload("mine.zip", zip_run(run), "application/zip")
    at.run()
    assert not at.exception and not at.error
    assert f"opened {run.digest[:16]}; 1 runs" in words(at) and "1,600" not in words(at)
    assert f"{100 * run.test_accuracy:.1f}" in words(at).replace("\\", "")
    at.run()
    assert "opened None; 1 runs" in words(at), "it is told once"


@pytest.mark.parametrize("broken", ["no zip", "other zip", "cut", "changed"])
def test_a_broken_file_is_said_in_a_sentence(run: cc.TrainingRun, broken: str) -> None:
    content = zip_run(run)
    if broken == "no zip":
        content = b"GIF89a"
    elif broken == "cut":
        content = content[: len(content) // 2]
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                text = old.read(name)
                new.writestr(name if broken == "changed" else f"x/{name}", text.replace(b'"finished"', b'"asleep"'))
        content = buffer.getvalue()
    CONTROLS.update(run=None, resumed=[])
    at = AppTest.from_function(controls_page).run()
    at.file_uploader[0].upload("mine.zip", content, "application/zip")
    at.run()
    assert not at.exception and len(at.error) == 1 and "opened None; 0 runs" in words(at)
    said = "A run cannot be" if broken == "changed" else "no training run saved by ConvLens"
    assert said in at.error[0].value.replace("\\", "")


def test_the_place_in_line_is_told_in_words() -> None:
    assert [place_in_line(n) for n in (1, 2, 7)] == ["You are next in line", "Second in line", "Number 7 in line"]
