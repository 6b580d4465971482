"""The browser's Back takes back what was chosen, however soon: the address, the page and its numbers."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.conftest import NewPage


def test_back_takes_a_class_back_and_then_another_kernel(new_page: NewPage) -> None:
    page = new_page("gradcam")
    first = page.get_by_role("button", name="giant panda")
    expect(first).to_have_attribute("kind", "primary")
    page.get_by_role("button", name="brown bear").click()
    page.wait_for_url(re.compile("target=294"))
    page.go_back()
    expect(first).to_have_attribute("kind", "primary")
    expect(page).not_to_have_url(re.compile("target="))

    page.goto(page.url.split("/gradcam")[0] + "/kernel?kernel=laplacian")
    toggle = page.get_by_text("Move it", exact=True)
    moved = page.get_by_text("The map moved with it")
    toggle.click()
    page.wait_for_url(re.compile("move=4"))
    expect(moved).to_be_visible()
    page.go_back()
    expect(page).not_to_have_url(re.compile("move="))
    expect(page).to_have_url(re.compile("kernel=laplacian"))
    expect(moved).to_have_count(0)
    assert page.complaints.errors == []  # type: ignore[attr-defined]
