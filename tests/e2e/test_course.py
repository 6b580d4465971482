"""A newcomer walks the whole course by the links at the foot of each lesson, and answers every question on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.answers import questions
from ui import shell, tour

from .conftest import PHONE, WIDE, NewPage, assert_no_complaints, overflow, settled
from .ways import MINUTES, WAYS, Way, guess_all

# These are answered by a network that must be trained first, or by an audit of many pictures: the long walk does them.
TRAINED = {"build", "build_without", "grass_bias", "grass_repair", "audit"}


def walk(page: Page, ways: dict[str, Way]) -> set[str]:
    """From Home through the course and back to Home; the keys of the questions that were answered."""
    course = shell.course()
    page.get_by_role("button", name="Start here").click()
    for entry in course:
        expect(page.get_by_role("heading", name=entry.title, level=1, exact=True)).to_be_visible(timeout=MINUTES)
        settled(page)
        ways.get(entry.key, guess_all)(page)
        settled(page)
        assert overflow(page) <= 0, entry.key
        assert page.get_by_test_id("stException").count() == 0, entry.key
        page.locator(".st-key-cl-next a").click()
    expect(page.get_by_text(re.compile(f"{len(course)} of {len(course)} lessons opened"))).to_be_visible()
    settled(page)
    assert overflow(page) <= 0
    assert_no_complaints(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Save my progress").click()
    saved = json.loads(Path(started.value.path()).read_text(encoding="utf-8"))
    assert saved["opened"] == [entry.key for entry in course]
    return set(saved["answers"])


@pytest.mark.parametrize("size", [pytest.param(WIDE, id="1440", marks=pytest.mark.long), pytest.param(PHONE, id="390")])
def test_the_whole_course(new_page: NewPage, size: dict[str, int]) -> None:
    page = new_page("", viewport=size, color_scheme="light" if size == WIDE else "dark")
    assert walk(page, WAYS) == questions() - TRAINED


def test_the_tour_by_keyboard_and_back(new_page: NewPage) -> None:
    page = new_page("", viewport=PHONE, reduced_motion="reduce")
    page.get_by_role("link", name="Take the tour").click()
    for number, step in enumerate(tour.STEPS, 1):
        expect(page.locator(".tour-count")).to_have_text(f"{number} of {len(tour.STEPS)}")
        settled(page)
        onward = page.locator(".st-key-cl-tour-next").locator("a, button")
        expect(onward).to_be_focused()
        expect(page.locator(".tour-ring")).to_be_visible(timeout=MINUTES)
        assert f"tour={number}" in page.url
        for name, value in step.settings.items():
            assert f"{name}={value}" in page.url
        assert overflow(page) <= 0
        if step.page == "kernel":
            page.get_by_role("button", name="Play").first.click()
            expect(page.locator(".convolution .play")).to_have_attribute("aria-pressed", "true")
        if number < len(tour.STEPS):
            onward.focus()
            page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tour-count")).to_have_text("9 of 10")
    page.go_back()
    expect(page.locator(".tour-count")).to_have_text("10 of 10")
    page.go_back()
    expect(page.locator(".tour-count")).to_have_text("9 of 10")
    settled(page)
    page.locator(".st-key-cl-tour-next a").focus()
    page.keyboard.press("Escape")
    expect(page.locator(".tour-count")).to_have_count(0)
    assert "tour=" not in page.url and "section=mystery" in page.url
    assert_no_complaints(page)
