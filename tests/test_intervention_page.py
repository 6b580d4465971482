"""The interventions page without a browser: its stack, links for every kind of network, and what it says."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnn_core.change_text import MAX_CHANGES, from_text, to_json, to_text
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SwitchOff
from ui import intervention_trial, session
from ui.intervention_stack import MAX_ADDRESS, MAX_HISTORY, Stack

from .test_pages import open_page, texts

LAST = "features.18.2"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What the stack tells the address."""
    kept: dict[str, str | None] = {}
    monkeypatch.setattr(session, "set", kept.__setitem__)
    return kept


def test_undo_redo_and_remove(told: dict[str, str | None]) -> None:
    stack = Stack()
    first, second, third = SwitchOff("a", (1,)), ChangePicture("flip"), EditBias("b", 0, 1.0)
    for change in (first, second, third):
        stack.add(change)
    stack.remove(1)
    assert stack.now == (first, third)
    stack.undo()
    assert stack.now == (first, second, third)
    stack.undo()
    stack.undo()
    assert stack.now == (first,) and told["changes"] == to_text((first,))
    stack.redo()
    assert stack.now == (first, second)
    stack.add(third)  # a new step forgets the way forth
    stack.redo()
    assert stack.now == (first, second, third) and not stack.future
    stack.go(())
    assert stack.now == () and told["changes"] is None and stack.told is None
    stack.undo()
    assert stack.now == (first, second, third)
    while stack.past:
        stack.undo()
    stack.undo()
    assert stack.now == ()


def test_a_new_edit_of_the_same_place_replaces_the_old(told: dict[str, str | None]) -> None:
    stack = Stack()
    for change in (
        EditKernel("a", (0, 1), [[1.0]]),
        EditKernel("a", (0, 2), [[1.0]]),
        EditKernel("a", (0, 1), [[2.0]]),
        EditBias("a", 0, 1.0),
        EditBias("a", 0, 2.0),
        SwitchOff("a", (1, 2)),
        SwitchOff("a", (2, 1), "mean"),
    ):
        stack.add(change)
    assert stack.now == (
        EditKernel("a", (0, 2), [[1.0]]),
        EditKernel("a", (0, 1), [[2.0]]),
        EditBias("a", 0, 2.0),
        SwitchOff("a", (2, 1), "mean"),
    )


def test_the_stack_is_bounded(told: dict[str, str | None]) -> None:
    stack = Stack()
    for channel in range(MAX_CHANGES + 3):
        stack.add(SwitchOff("a", (channel,)))
    assert len(stack.now) == MAX_CHANGES and "remove one" in stack.refused
    for n in range(3 * MAX_HISTORY):
        stack.go((SwitchOff("a", (n,)),))
    assert len(stack.past) == MAX_HISTORY
    # Too long for a link: it is kept, and the address says nothing.
    long = (SwitchOff("a", tuple(range(0, 2000, 2))),)
    stack.go(long)
    assert len(stack.text) > MAX_ADDRESS and stack.too_long and told["changes"] is None
    stack.load(to_json((ChangePicture("flip"),)).encode())
    assert stack.now == (ChangePicture("flip"),)
    stack.load(b"{}")
    assert stack.now == (ChangePicture("flip"),) and stack.refused.endswith("What was done before stays.")


def opened(model: str, changes: tuple[Change, ...], **address: str) -> AppTest:
    """The page by a link, its answer shown."""
    weights = "default" if model in ("mobilenet_v2", "squeezenet1_1", "lenet5") else "random"
    at = open_page("interventions", model=model, weights=weights, changes=to_text(changes), **address)
    assert not at.exception
    assert "Before and after" not in texts(at), "the question comes first"
    skip = [button for button in at.button if button.key == "cl_interventions_skip"]
    if skip:
        skip[0].click()
        at.run()
    answered(at)
    assert not at.exception and not at.error
    return at


def answered(at: AppTest) -> None:
    """A changed network that takes more than a moment runs beside the page, which shows a bar meanwhile."""
    for _ in range(240):
        if at.exception or at.error or not [button for button in at.button if "_stop_" in str(button.key)]:
            return
        time.sleep(0.25)
        at.run()
    raise AssertionError("the changed network never came to its end")


CASES: dict[str, tuple[Change, ...]] = {
    "mobilenet_v2": (EditKernel("features.2.conv.1.0", (4, 0), [[0.0] * 3] * 3), *from_text("off~features.3~1_2~mean")),
    "squeezenet1_1": from_text("off~classifier.2~3~zero~~kernel~classifier.1~3_5~1x1~0.5"),
    "lenet5": from_text("kernel~conv1~0_0~5x5~" + "_".join(["1"] * 25) + "~~mistake~swapped_light"),
    "shufflenet_v2_x0_5": from_text("off~conv1~3~zero~~picture~hue~default~0"),
    "convnext_tiny": from_text("off~features.1.0.block.3~7~mean~~bias~classifier.2~3~2.5"),
    "googlenet": from_text("off~inception5b.cat~0-99~zero~~picture~shuffle~28~3"),
}


@pytest.mark.parametrize("tool", ["channels", "kernel"])
@pytest.mark.parametrize("model", CASES)
def test_links_for_every_kind_of_network(model: str, tool: str) -> None:
    at = opened(model, CASES[model], tool=tool, picture="digit_4" if model == "lenet5" else "dog")
    found = texts(at)
    assert "Before and after" in found and "bit for bit" in found
    assert "It rests" not in found
    assert "The ledger foretold" not in found, "none of these changes the ledger's own parts alone"
    for key in ("undo", "redo"):
        at.button(key=f"cl_changes_{key}").click()
        at.run()
        answered(at)
        assert not at.exception and not at.error
    assert at.session_state["cl_changes_stack"].now == CASES[model]


def test_another_networks_changes_rest() -> None:
    at = opened("lenet5", (*CASES["mobilenet_v2"], ChangePicture("flip")))
    found = texts(at)
    assert found.count("It rests") == 2 and "Before and after" in found
    at.button(key="cl_changes_reset").click()
    at.run()
    assert "All is undone" in texts(at) and "bit for bit" in texts(at)
    assert "changes" not in at.query_params


def test_a_guess_is_answered_by_the_numbers() -> None:
    at = open_page("interventions", changes=f"off~{LAST}~1223~zero")
    at.button(key="cl_guess_interventions_button_rise").click()
    at.run()
    found = texts(at)
    assert "Not this time." in found and "It falls: from 18.31" in found
    assert "✓" in found and "The ledger foretold a change of **−" in found
    # Another class is looked at without being asked about; the first guess stays with its class.
    other = next(b for b in at.button if b.label.startswith("brown bear"))
    other.click()
    at.run()
    assert not at.exception
    assert "Before and after" in texts(at) and "Not this time." not in texts(at)


@pytest.mark.parametrize("text", ["burn~all", "off~" + "x" * 200 + "~1~zero", "[x](http://example.org)"])
def test_a_bad_link_gets_one_sentence(text: str) -> None:
    at = open_page("interventions", changes=text)
    assert not at.exception
    said = [error.value for error in at.error]
    assert len(said) == 1 and "cannot be read" in said[0]
    assert "[x](" not in said[0], "a visitor's words are never read as Markdown"
    at.run()
    assert not at.error, "said once, not for ever"


def test_a_slow_run_shows_how_far_it_is_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, may_end = intervention_trial.report, threading.Event()

    def slow(*arguments: Any, on_progress: Any) -> Any:
        while not may_end.is_set():
            on_progress(1, 3)  # raises once it was cancelled
            time.sleep(0.01)
        return whole(*arguments, on_progress=on_progress)

    monkeypatch.setattr(intervention_trial, "report", slow)
    monkeypatch.setattr(intervention_trial, "_PATIENCE", 0.02)
    at = open_page("interventions", changes=to_text((SwitchOff(LAST, (1031,)),)))
    at.button(key="cl_interventions_skip").click().run()
    assert not at.exception and "The decision" not in texts(at)
    at.button(key="cl_wait_stop_intervention").click().run()
    for _ in range(100):
        if any("Cancelled. Nothing was changed." in info.value for info in at.info):
            break
        time.sleep(0.05)
        at.run()
    assert "Channel 1031" in texts(at), "the list of changes stays"
    may_end.set()
    at.button(key="cl_wait_again_intervention").click().run()
    for _ in range(100):
        if "The decision" in texts(at):
            break
        time.sleep(0.05)
        at.run()
    assert "The decision" in texts(at) and not at.exception
