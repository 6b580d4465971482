"""Fingers: a tap reads what a mouse reads by hovering, and a drag moves what is dragged, not the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, finger, frames, settled

PHONE_IN_HAND = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "reduced_motion": "reduce"}


def place(target: Locator, across: float, down: float) -> tuple[float, float]:
    """A point of an element that is in sight, by shares of its width and height."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def tap(page: Page, target: Locator, across: float = 0.5, down: float = 0.5) -> None:
    page.touchscreen.tap(*place(target, across, down))


def drag(page: Page, target: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """One finger from one point of an element to another, both as shares of it, (across, down)."""
    finger(page, place(target, *start), place(target, *end))


def scrolled(page: Page) -> float:
    return float(page.evaluate("""() => document.querySelector('[data-testid="stMain"]').scrollTop"""))


def picture(canvas: Locator) -> str:
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))


def test_a_finger_moves_the_frame_and_reads_a_cell(new_page: NewPage) -> None:
    page = new_page("kernel", **PHONE_IN_HAND)
    expect(page.locator(".truth")).to_contain_text("equal torch")
    frame, seen = page.locator(".kernel-mode .picture"), page.locator(".kernel-mode .input-map > canvas")
    place(frame, 0.5, 0.5)
    before, top = picture(seen), scrolled(page)
    drag(page, frame, (0.5, 0.5), (0.75, 0.8))
    expect(page.locator(".truth")).to_contain_text("equal torch")
    assert picture(seen) != before, "the frame was dragged to another part of the picture"
    assert scrolled(page) == top, "and the page stayed where it was"
    frames(page).reset()
    said = page.locator(".kernel-mode .readout")
    words = said.inner_text()
    tap(page, page.locator(".output-map > canvas"), 0.2, 0.3)
    expect(said).not_to_have_text(words)
    assert frames(page).sent == 0
    assert_no_complaints(page)


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "target", "answer"),
    [
        ("pixels", ".px .view", ".px .readout"),
        ("pooling", ".ac .in-map", ".ac .readout"),
        ("landmarks", ".lb .c3", ".lb .readout"),
        ("resnet", ".cv-plot svg", ".cv-readout"),
        ("insights", ".cv-plot svg", ".cv-readout"),
        ("depth", ".dp-chart svg", ".dp-plotread"),
    ],
)
def test_a_tap_reads_a_place(new_page: NewPage, key: str, target: str, answer: str) -> None:
    page = new_page(key, **PHONE_IN_HAND)
    instrument, said = page.locator(f"{target}:visible").first, page.locator(f"{answer}:visible").first
    expect(instrument).to_be_visible()
    page.wait_for_timeout(500)
    words = said.inner_text()
    tap(page, instrument, 0.62, 0.4)
    expect(said).not_to_have_text(words)
    settled(page)
    assert_no_complaints(page)


@pytest.mark.long
def test_a_finger_drags_the_digit_and_the_graph(new_page: NewPage) -> None:
    page = new_page("machines", **PHONE_IN_HAND)
    digit = page.locator(".mm-digit")
    place(digit, 0.5, 0.5)
    before, top = picture(digit), scrolled(page)
    drag(page, digit, (0.5, 0.5), (0.7, 0.7))
    page.wait_for_timeout(300)
    assert picture(digit) != before and scrolled(page) == top
    page = new_page("network", **PHONE_IN_HAND)
    graph = page.locator(".nm .graph")
    page.wait_for_timeout(500)
    page.locator(".nm .natural").tap()
    place(graph, 0.5, 0.5)
    page.wait_for_timeout(500)
    before = picture(graph)
    drag(page, graph, (0.8, 0.5), (0.2, 0.5))
    page.wait_for_timeout(500)
    assert picture(graph) != before
