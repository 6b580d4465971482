"""A page that fails, in a real browser: a kind sentence, two ways on, and the details in the log alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import server

from .conftest import settled

_PAGE = """
import streamlit as st
import cnn_core as cc
from ui import session

session.bind("channel")
st.title("A lesson that breaks")
st.write(f"Channel {session.get('channel')}")

def break_callback():
    raise RuntimeError("detail of the callback")

@st.fragment
def part():
    if st.button("Break a part"):
        raise KeyError("detail of the part")

st.button("Break a callback", on_click=break_callback)
part()
nonsense, broken = st.button("Ask for nonsense"), st.button("Break the page")
if nonsense:
    raise cc.InvalidOption("There is no such <option>; take another.")
if broken or session.get("channel") == 13:
    raise ZeroDivisionError("detail of the page")
st.write("The end of the lesson")
"""
_MAIN = """
from dataclasses import replace
from pathlib import Path
import streamlit as st
from ui import engine, shell

class Broken(shell.Lesson):
    @property
    def page(self):
        return st.Page(Path(__file__).parent / "broken.py", title=self.title, url_path="broken")

engine._loaded.set()  # nothing here computes
if shell.PAGES[-1].key != "broken":  # this script runs anew each time, the module stays
    shell.PAGES = (*shell.PAGES, Broken("broken", "A lesson that breaks", "Learn", "home", ""))
shell.run(lambda: None)
"""
_APP = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st
from ui import failures, logs

logs.set_up()
app = st.App("main.py", on_script_error=failures.tell)
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with one more lesson, which breaks, and its log."""
    for name, code in (("broken", _PAGE), ("main", _MAIN), ("app", _APP.format(root=str(server.ROOT)))):
        (tmp_path / f"{name}.py").write_text(code)
    with server.running(tmp_path / "log", {"CONVLENS_LOG": "json"}, script=tmp_path / "app.py") as url:
        yield url, tmp_path / "log"


def _incidents(log: Path) -> list[dict[str, object]]:
    told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [entry for entry in told if entry["message"] == "A page failed"]


def _message(page: Page) -> str:
    alert = page.get_by_test_id("stAlert").filter(has_text="our mistake, not yours")
    expect(alert).to_be_visible()
    text = alert.inner_text()
    assert "detail of" not in page.inner_text("body") and "Traceback" not in page.inner_text("body")
    (number,) = re.findall(r"\b[0-9a-f]{6}\b", text)
    return number


def test_a_page_that_fails_says_so_kindly_and_leads_on(chrome: Browser, app: tuple[str, Path]) -> None:
    url, log = app
    page = chrome.new_page()
    page.goto(f"{url}/broken?channel=13&picture=koala")
    settled(page)
    numbers = [_message(page)]

    page.get_by_role("button", name="Start this page afresh").click()
    expect(page.get_by_text("The end of the lesson")).to_be_visible()
    expect(page.get_by_text("Channel None")).to_be_visible()
    expect(page.get_by_text("our mistake")).to_have_count(0)
    assert "channel" not in page.url

    for button in ("Break a callback", "Break a part"):
        page.get_by_role("button", name=button).click()
        numbers.append(_message(page))
        page.reload()
        settled(page)
        expect(page.get_by_text("The end of the lesson")).to_be_visible()

    page.get_by_role("button", name="Ask for nonsense").click()
    expect(page.get_by_text("There is no such <option>; take another.")).to_be_visible()
    expect(page.get_by_text("our mistake")).to_have_count(0)

    page.get_by_role("button", name="Break the page").click()
    numbers.append(_message(page))
    page.get_by_role("link", name="Back to Home").click()
    expect(page.get_by_role("heading", name="See inside a convolutional network")).to_be_visible()
    page.close()

    told = _incidents(log)
    assert [entry["incident"] for entry in told] == numbers
    assert [
        "detail of " + part in str(entry["traceback"])
        for part, entry in zip(("the page", "the callback", "the part", "the page"), told, strict=True)
    ] == [True] * 4
    assert told[0]["page"] == "broken" and told[0]["chosen"] == {"picture": "koala", "channel": "13"}
    assert log.read_text().count("Traceback") == 4, "each failure is told once"


def test_the_real_app_tells_failures_that_way() -> None:
    code = "import app; from ui import failures; assert app.app._on_script_error is failures.tell"
    assert subprocess.run([sys.executable, "-c", code], cwd=server.ROOT, check=False).returncode == 0
