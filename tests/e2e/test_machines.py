"""Three machines in Chromium: a digit moved and shuffled by hand, and what six machines say of it at every place."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import cnn_core as cc
from cnn_core.training.data import load_data_set
from cnn_core.training.machines import shipped_machines
from cnn_core.training.variants import shift

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

DIGIT = 8
KINDS = ("hog_svm", "mlp", "cnn")


def guessed(page: Page) -> None:
    for key in ("machines_shift", "machines_shuffle"):
        page.locator(f".st-key-cl_guess_{key}_button_mlp button").click()
        settled(page)
    expect(page.locator('.mm[data-part="hand"][data-waiting="no"] .mm-card[data-right]')).to_have_count(3)


def test_a_digit_by_hand_and_all_that_six_machines_say(new_page: NewPage) -> None:
    page = new_page("machines?moved=3~-2~plain")
    expect(page.locator('.mm[data-waiting="yes"]')).to_be_visible()
    expect(page.locator(".mm-map")).to_have_count(0)
    guessed(page)
    _, test = load_data_set("digits")
    digit, label = test.pictures[DIGIT], int(test.labels[DIGIT])
    sets = {name: dict(zip(KINDS, shipped_machines(name), strict=True)) for name in ("digits", "shuffled")}
    card = {kind: page.locator(f'.mm-card[data-machine="{kind}"]') for kind in KINDS}

    def compare(name: str, down: int, right: int) -> None:
        expect(page.locator(f'.mm-digit[data-down="{down}"][data-right="{right}"]')).to_be_visible()
        for kind, machine in sets[name].items():
            scores = machine.scores(shift(digit[None], down, right))[0].astype(np.float64)
            expect(card[kind]).to_have_attribute("data-says", str(int(scores.argmax())))
            shown = [numbers(text)[0] for text in card[kind].locator(".mm-value").all_inner_texts()]
            if kind == "hog_svm":
                assert shown == pytest.approx(list(scores), abs=0.006, rel=0.006)  # three digits
            else:
                powers = np.exp(scores - scores.max())
                assert shown == pytest.approx(list(100 * powers / powers.sum()), abs=0.06)  # one decimal

    compare("digits", 3, -2)
    for kind, machine in sets["digits"].items():
        right = int((machine.everywhere(digit).argmax(2) == label).sum())
        expect(card[kind]).to_have_attribute("data-right", str(right))
    frames(page).reset()
    page.locator(".mm-digit").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    compare("digits", 4, 1)
    page.keyboard.press("s")
    expect(page.locator('.mm-digit[data-shuffled="true"]')).to_be_visible()
    compare("shuffled", 4, 1)
    # A map's cell is a place: pointing shows it, and leaving brings the digit back.
    chart = card["cnn"].locator(".mm-map")
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": box["width"] * 8.5 / 17, "y": box["height"] * 0.5 / 17})
    compare("shuffled", -8, 0)
    page.mouse.move(2, 2)
    compare("shuffled", 4, 1)
    page.locator('.mm[data-part="inside"]').scroll_into_view_if_needed()
    page.get_by_role("radio", name="digits shuffled").click()
    page.get_by_role("button", name="Put the pixels back in order").click()
    expect(page.locator('.mm[data-set="shuffled"][data-sorted="yes"]')).to_be_visible()
    page.locator(".mm-weights canvas").first.focus()
    assert frames(page).sent == 0
    said = page.locator('.mm[data-part="inside"] .readout')
    expect(said).to_contain_text("MLP, hidden unit")
    unit, answer, _ = numbers(said.inner_text())[:3]
    dense = sets["shuffled"]["mlp"]
    from cnn_core.training.variants import shuffle_pixels

    x = (shuffle_pixels(digit[None]).reshape(-1) / 255 - 0.1307) / 0.3081
    hidden = dense.weights["fc1.weight"].numpy()[int(unit)] @ x + float(dense.weights["fc1.bias"][int(unit)])
    assert answer == pytest.approx(float(hidden), rel=2e-3)
    # Only the wish for a link goes to the server.
    page.get_by_role("button", name="Keep in the link").click()
    page.wait_for_url("**moved=4~1~shuffled**")
    settled(page)

    # The answers are those of the precomputed seeds.
    bands = cc.load_bands("three_machines")
    assert bands is not None and bands.current
    mean = {(cell.arm, cell.measure): float(np.mean(cell.values)) for cell in bands.cells}
    answer_text = page.get_by_text("Moved by 4 pixels:").first.inner_text()
    for kind, title in zip(KINDS, ("HOG + linear SVM", "MLP", "CNN"), strict=True):
        assert f"{title} {100 * mean[kind, 'shift_4']:.1f}" in answer_text
    assert_no_complaints(page)


@pytest.mark.long  # the page on a phone is among test_frame's
def test_parameters_and_a_phone(new_page: NewPage) -> None:
    page = new_page("machines?moved=9~0~plain&digit=99999", viewport=PHONE, color_scheme="dark")
    expect(page.locator('.mm-digit[data-down="0"]')).to_be_visible()
    assert overflow(page) <= 0
    guessed(page)
    assert overflow(page) <= 0
    page.get_by_role("button", name="about 190 times as many").click()
    settled(page)
    expect(page.get_by_text("19,269,002").first).to_be_visible()
    expect(page.get_by_text("14,666").first).to_be_visible()
    assert overflow(page) <= 0
    assert_no_complaints(page)
