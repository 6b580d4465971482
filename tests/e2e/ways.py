"""How each lesson's questions are answered in a browser: by the walk of the course, and by the accessibility check."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from .conftest import PHONE, settled

Way = Callable[[Page], None]
MINUTES = 180_000  # what is computed or trained on the way, beside other tests
OPEN = '[class*="st-key-cl-question-"]:not(:has([class*="_undo"]))'
ANSWERED = re.compile(r"(As you guessed|Not this time)\.")


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
    if page.viewport_size == PHONE:  # four machines; the other table, of all that come with ConvLens, on the wide walk
        page.get_by_text("Handwritten digits", exact=True).click()
        page.wait_for_url("**table=digits**")
        settled(page)
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


WAYS: dict[str, Way] = {
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
