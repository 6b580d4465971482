"""A newcomer walks the whole course by the links at the foot of each lesson, and answers every question on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.answers import questions
from ui import shell, tour

from .conftest import PHONE, WIDE, NewPage, assert_no_complaints, overflow, settled

MINUTES = 180_000  # what is computed or trained on the way, beside other tests
OPEN = '[class*="st-key-cl-question-"]:not(:has([class*="_undo"]))'
ANSWERED = re.compile(r"(As you guessed|Not this time)\.")
# These are answered by a network that must be trained first, or by an audit of many pictures: the long walk does them.
TRAINED = {"build", "build_without", "grass_bias", "grass_repair", "audit"}


def guess_all(page: Page, n: int = 1) -> None:
    """Press the first choice of n questions, one after the other, as they come."""
    for _ in range(n):
        waiting = page.locator(OPEN).filter(visible=True).first
        expect(waiting).to_be_visible(timeout=MINUTES)
        name = next(one for one in str(waiting.get_attribute("class")).split() if "cl-question-" in one)
        page.locator(f".{name}").get_by_role("button").first.click()
        expect(page.locator(f'.{name} [class*="_undo"]')).to_be_visible(timeout=MINUTES)
        settled(page)


def answered(place: Page | Locator) -> Locator:
    return place.get_by_test_id("stAlert").filter(has_text=ANSWERED)


def point(page: Page) -> None:
    """Guess by a click in the middle of the picture that asks, at a phone by the keyboard."""
    canvas = page.locator('[data-waiting="yes"] canvas[role="application"]').filter(visible=True).first
    canvas.scroll_into_view_if_needed()
    if page.viewport_size == PHONE:
        canvas.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
    else:
        canvas.click()
    expect(answered(page).first).to_be_visible(timeout=MINUTES)
    settled(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()
    settled(page)


def kernel(page: Page) -> None:
    guess_all(page)
    page.get_by_text("A real unit of a network").click()
    settled(page)
    guess_all(page)


def decision(page: Page) -> None:
    point(page)
    guess_all(page)
    before = answered(page).count()
    press(page, "^Look through the library")
    expect(answered(page)).to_have_count(before + 1, timeout=MINUTES)


def interventions(page: Page) -> None:
    wall = page.locator(".iv-wall").first
    wall.scroll_into_view_if_needed()
    wall.click(position={"x": 30, "y": 30})
    press(page, "^Switch off channel")
    expect(page.locator(OPEN).first).to_be_visible()
    guess_all(page)
    expect(answered(page)).to_have_count(1, timeout=MINUTES)


def landmarks(page: Page) -> None:
    guess_all(page, 2)
    press(page, "^Cut each part")
    expect(answered(page)).to_have_count(2, timeout=MINUTES)


def imagenet(page: Page) -> None:
    guess_all(page, 2)
    expect(answered(page)).to_have_count(2, timeout=MINUTES)  # the table has come, and with it a third question
    settled(page)
    guess_all(page)
    expect(answered(page)).to_have_count(3, timeout=MINUTES)


def resnet(page: Page) -> None:
    guess_all(page, 2)
    press(page, "^Take")
    expect(answered(page)).to_have_count(2, timeout=MINUTES)


def insights(page: Page) -> None:
    for section in ("Why ReLU", "Why batch norm", "Why normalise", "Augmentation"):
        page.get_by_test_id("stButtonGroup").get_by_text(section, exact=True).first.click()
        settled(page)
        guess_all(page, 2 if section == "Augmentation" else 1)
        expect(answered(page).first).to_be_visible()


def grass(page: Page) -> None:
    guess_all(page)
    page.get_by_text("Repair it", exact=True).click()
    settled(page)
    guess_all(page)
    page.get_by_text("Mystery network", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("^A map"))).to_be_enabled(timeout=MINUTES)
    settled(page)
    press(page, "^It goes by the ground")
    expect(answered(page)).to_have_count(1)


def swap(page: Page) -> None:
    page.locator(".rgn canvas").first.focus()
    page.keyboard.press("n")  # a box in the middle
    expect(page.locator('.rgn[data-boxes="1"]')).to_be_visible()
    settled(page)
    expect(page.locator(OPEN).first).to_be_visible()
    guess_all(page)
    expect(answered(page)).to_have_count(1, timeout=MINUTES)


def audit(page: Page) -> None:
    press(page, "drawn cows and camels$")
    expect(page.locator(OPEN).first).to_be_visible(timeout=MINUTES)
    guess_all(page)


WAYS: dict[str, Callable[[Page], None]] = {
    "pixels": lambda page: guess_all(page, 2),
    "pooling": lambda page: guess_all(page, 3),
    "machines": lambda page: guess_all(page, 4),
    "kernel": kernel,
    "trail": point,
    "decision": decision,
    "gradcam": point,
    "saliency": lambda page: expect(answered(page)).to_have_count(1, timeout=MINUTES),  # the guess of the lesson before
    "interventions": interventions,
    "landmarks": landmarks,
    "imagenet": imagenet,
    "resnet": resnet,
    "insights": insights,
    "grass": grass,
    "swap": swap,
    "audit": audit,
}


def walk(page: Page, ways: dict[str, Callable[[Page], None]]) -> set[str]:
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
