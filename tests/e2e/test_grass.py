"""The cow and the grass in Chromium: a mystery network is judged by bought evidence; one is trained and caught."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

import cnn_core as cc
from cnn_core.bias.exhibit import exhibit
from cnn_core.bias.ground_report import report_of_run
from cnn_core.bias.mystery import POINTS, PRICES, open_suspect, pictures_of_case, suspect_of_case

from .conftest import PHONE, NewPage, assert_no_complaints, frames, overflow, settled

WALL = ".hd canvas"


def test_a_mystery_network_is_judged_by_what_was_bought(new_page: NewPage) -> None:
    page = new_page("grass?section=mystery&case=3", viewport=PHONE)
    suspect = suspect_of_case(3)
    truth = exhibit(open_suspect(suspect.key))
    expect(page.get_by_role("button", name=re.compile("^A map"))).to_be_enabled(timeout=60_000)
    assert overflow(page) <= 0
    page.get_by_role("button", name=re.compile("^A map")).click()
    wall = page.locator(WALL).first
    expect(wall).to_be_visible()
    settled(page)
    frames(page).reset()
    wall.hover()
    wall.focus()
    page.keyboard.press("ArrowRight")
    shown = pictures_of_case(3, 12)[0]
    share = truth.walls["biased"].shares[shown]
    said = page.locator(".hd .readout").first
    expect(said).to_contain_text(f"{100 * share:.0f} % of its evidence lies on the animal")
    assert frames(page).sent == 0, "reading a map is the browser's own"
    page.get_by_role("button", name=re.compile("^The group table")).click()
    expect(page.get_by_text("worst group")).to_be_visible()
    left = POINTS - PRICES["map"] - PRICES["table"]
    expect(page.get_by_text(f"{left} of {POINTS} points left")).to_be_visible()
    right = "It goes by the ground" if suspect.goes_by_the_ground else "It goes by the animal"
    page.get_by_role("button", name=right).click()
    expect(page.get_by_text("As you guessed")).to_be_visible()
    expect(page.get_by_text(f"You keep {left} points")).to_be_visible()
    counter = 100 * truth.report.accuracies["counter"]
    expect(page.get_by_text(f"on the other’s {counter:.1f} %")).to_be_visible()
    assert overflow(page) <= 0
    assert_no_complaints(page)


@pytest.mark.long
def test_a_network_that_goes_by_the_ground_is_trained_and_caught(new_page: NewPage) -> None:
    page = new_page("grass?correlation=100&seed=1")
    page.get_by_role("button", name="Fewer than 10 %").click()
    page.get_by_role("button", name="Train it").click()
    expect(page.get_by_text("As you guessed")).to_be_visible(timeout=180_000)
    found = report_of_run(cc.train("cow_grass", arm="at_100", seed=1, evaluate_every=0))
    for kind in ("biased", "counter", "neutral"):
        expect(page.get_by_test_id("stMetricValue").filter(has_text=f"{100 * found.accuracies[kind]:.1f} %").first
               ).to_be_visible()  # fmt: skip
    expect(page.get_by_text(f"{100 * found.wall.share:.1f} %").first).to_be_visible()
    assert_no_complaints(page)
