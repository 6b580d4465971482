"""Long work beside the page: asked for by a button, shown, cancelled, shared, and honest when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

import cnn_core as cc

# Read by the page below: what the job does in each test.
WORK: dict[str, Any] = {}


def page() -> None:
    import streamlit as st

    from tests.test_jobs_on_a_page import WORK
    from ui import jobs

    if WORK["new visitor"]:
        jobs.mine.clear()  # all pages under test are of one session
        WORK["new visitor"] = False
    value = jobs.run(
        "test_job", (WORK["key"],), WORK["work"], lambda made: 8, button="Measure", label="Measuring", unit="steps"
    )
    st.markdown(f"value {value}, kept {jobs.result('test_job', (WORK['key'],))}")


def opened(key: str, work: Callable[..., object]) -> AppTest:
    WORK.update({"key": key, "work": work, "new visitor": True})
    at = AppTest.from_function(page)
    at.run()
    return at


def until(at: AppTest, words: str) -> None:
    for _ in range(100):
        at.run()
        if any(words in str(element.value) for element in (*at.markdown, *at.caption, *at.error)):
            return
        time.sleep(0.05)
    raise AssertionError(f"{words!r} never came")


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click()
    at.run()


def test_a_value_is_asked_for_made_once_and_kept() -> None:
    made = []

    def work(progress: Any, stop: Any) -> str:
        made.append(threading.current_thread().name)
        progress(3, 3)
        return "42"

    at = opened("kept", work)
    assert "value None, kept None" in at.markdown[0].value and not made, "nothing is done before it is asked for"
    press(at, "Measure")
    until(at, "value 42, kept 42")
    assert made == ["job"], "in its own thread, once"
    # Another visitor asks for the same: it is there.
    other = opened("kept", work)
    press(other, "Measure")
    until(other, "value 42, kept 42")
    assert len(made) == 1


def test_progress_and_cancel() -> None:
    running = threading.Event()

    def work(progress: Any, stop: Any) -> str | None:
        for step in range(400):
            progress(step, 400)
            running.set()
            if stop():
                return None
            time.sleep(0.02)
        return "late"

    at = opened("cancelled", work)
    press(at, "Measure")
    assert running.wait(5)
    at.run()
    labels = [button.label for button in at.button]
    assert labels == ["Cancel"]
    press(at, "Cancel")
    until(at, "Cancelled")
    assert [button.label for button in at.button] == ["Measure"], "it can be asked for again"
    WORK["work"] = lambda progress, stop: "second"
    at.run()
    press(at, "Measure")
    until(at, "value second")  # what was cancelled is not kept as a value
    assert not at.exception


def test_what_breaks_off_is_not_called_cancelled() -> None:
    def work(progress: Any, stop: Any) -> str:
        raise ZeroDivisionError("no visitor's business")

    at = opened("broken", work)
    press(at, "Measure")
    until(at, "broke off")
    assert "business" not in at.error[0].value and not at.caption and not at.exception


def test_an_error_is_said_in_its_sentence() -> None:
    def work(progress: Any, stop: Any) -> str:
        raise cc.InvalidOption("Give at least *two* pictures.")

    at = opened("refused", work)
    press(at, "Measure")
    for _ in range(100):
        if at.error:
            break
        time.sleep(0.05)
        at.run()
    assert "at least" in at.error[0].value and not at.exception
    assert [button.label for button in at.button] == ["Measure"]
