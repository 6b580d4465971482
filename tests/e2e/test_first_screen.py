"""Home before Streamlit: it stands and moves without any script, and makes way for the page."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import NewPage
from ui import welcome


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_home_stands_before_any_script(
    chrome: Browser, server_url: str, motion: Literal["no-preference", "reduce"]
) -> None:
    context = chrome.new_context(
        java_script_enabled=False, reduced_motion=motion, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(server_url)
    expect(page.get_by_role("heading", name=welcome.TITLE)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    moving = page.locator("#cl-first .window")
    if motion == "reduce":
        expect(moving).to_be_hidden()
    else:
        places = set()
        for _ in range(6):
            places.add(str(moving.bounding_box()))
            page.wait_for_timeout(80)
        assert len(places) > 1, "the window moves over the picture"
    page.get_by_role("link", name=welcome.INSPECT).click()
    expect(page).to_have_url(re.compile(r"/gradcam$"))
    context.close()


def test_it_makes_way_for_the_page(new_page: NewPage) -> None:
    page = new_page("")
    assert page.locator("#cl-first").count() == 0
    expect(page.get_by_role("heading", name=welcome.TITLE)).to_have_count(1)


def test_it_makes_way_where_the_living_picture_never_draws(chrome: Browser, server_url: str) -> None:
    context = chrome.new_context()
    page = context.new_page()
    page.route("**/BidiComponent*", lambda route: route.abort())
    page.goto(server_url)
    start = page.get_by_test_id("stMain").get_by_role("button", name=welcome.START)
    start.wait_for()
    expect(page.locator("#cl-first")).to_be_hidden(timeout=10_000)
    start.click()
    expect(page).to_have_url(re.compile(r"/pixels$"))
    expect(page.locator("#cl-first")).to_be_hidden()
    context.close()
