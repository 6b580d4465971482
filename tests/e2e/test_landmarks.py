"""LeNet to ResNet in Chromium: the line of time by keys, counts against torchvision, blocks, answers, a cut."""

from __future__ import annotations

import pytest
import torchvision.models as tvm
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core import landmark_blocks as blocks
from cnn_core.landmark_trials import test_picture as picture_of
from cnn_core.models.weights import SMALL, shipped_metadata

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

# Percentages with one digit after the point.
SHOWN = 0.06


def instrument(page: Page, landmark: str) -> Locator:
    """The line of time once it shows this landmark; a redraw may hold the old copy for a moment."""
    return page.locator(f'.lm[data-landmark="{landmark}"]:visible')


def test_the_line_of_time_the_guess_and_the_blocks(new_page: NewPage) -> None:
    page = new_page("landmarks")
    expect(instrument(page, "lenet")).to_be_visible()
    assert "138,357,544" not in page.locator("body").inner_text(), "no counts before the guess"
    settled(page)

    # Moving along the line by keys draws at once and sends nothing.
    sent = frames(page).sent
    instrument(page, "lenet").get_by_role("tab", selected=True).focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(instrument(page, "vgg").get_by_role("tab", selected=True)).to_contain_text("VGG-16")
    slabs = instrument(page, "vgg").locator(".graph .unit")
    expect(slabs).to_have_count(23)  # the picture, 13 convolutions, 5 + 1 poolings, 3 linear layers
    slabs.nth(1).focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(instrument(page, "vgg").locator(".readout")).to_contain_text("64 maps of 112 × 112")
    slabs.last.hover()
    expect(instrument(page, "vgg").locator(".readout")).to_contain_text("1,000 numbers")
    assert frames(page).sent == sent

    # Enter opens its block below, and the address says so.
    instrument(page, "vgg").get_by_role("tab", selected=True).focus()
    page.keyboard.press("Enter")
    stacks = page.locator('.lb[data-view="bars"]:visible').filter(has_text="Two 3×3")
    expect(stacks).to_be_visible()
    shown = [numbers(row)[0] for row in stacks.locator(".measure:not(.macs) .num").all_inner_texts()]
    five, two, seven, three = blocks.stacks(64)
    assert shown == [two.n_weights, five.n_weights, three.n_weights, seven.n_weights]
    page.wait_for_url("**landmark=vgg**")

    # The guess, answered by counting.
    page.get_by_role("button", name="GoogLeNet", exact=True).click()
    expect(page.get_by_text("Not this time.")).to_be_visible()
    settled(page)
    expect(instrument(page, "vgg").locator(".totals")).to_contain_text("138,357,544 parameters")
    table = page.locator('[data-testid="stMarkdownContainer"] table').filter(has_text="ResNet-50").first
    for key, title in (("alexnet", "AlexNet"), ("googlenet", "GoogLeNet"), ("resnet50", "ResNet-50")):
        meta = tvm.get_model_weights(key).DEFAULT.meta
        row = table.locator("tr").filter(has_text=title)
        expect(row).to_contain_text(f"{meta['num_params']:,}")
        expect(row).to_contain_text(f"{meta['_metrics']['ImageNet-1K']['acc@1']:.2f} %")

    # A click moves, too; C3's table is read by keys.
    instrument(page, "vgg").get_by_role("tab", name="LeNet-5").click()
    c3 = page.locator('.lb[data-view="connections"]:visible')
    expect(c3.locator(".cell.on")).to_have_count(60)
    c3.get_by_role("application").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect(c3.locator(".readout")).to_contain_text("Map 6 of C3 reads 4 maps of S2 (0, 1, 2, 3)")
    expect(c3.locator(".readout")).to_contain_text("= 101 parameters")
    assert_no_complaints(page)


def test_answers_table_and_cut_on_a_phone(new_page: NewPage) -> None:
    number = 208
    page = new_page(f"landmarks?landmark=resnet&example={number}", viewport=PHONE, color_scheme="dark")
    cards = page.locator('.lb[data-view="cards"]:visible')
    expect(cards.locator(".card")).to_have_count(5, timeout=60_000)
    rgb, truth = picture_of(number)
    for place, key in enumerate(SMALL):
        classifier = cc.load_model(key, device="cpu")
        top = cc.trace(classifier, classifier.card.preprocessing.from_rgb(rgb)).top(3)
        card = cards.locator(".card").nth(place)
        assert card.locator(".w").all_inner_texts() == [guess.name for guess in top]
        shown = [numbers(text)[0] for text in card.locator(".p .num").all_inner_texts()]
        assert shown == pytest.approx([100 * guess.probability for guess in top], abs=SHOWN)
        expect(card.locator(".verdict")).to_contain_text("✓ right" if top[0].name == truth else "✗ not right")
        row = page.locator("tr").filter(has_text=classifier.card.title).last
        expect(row).to_contain_text(f"{100 * float(shipped_metadata(key)['test_accuracy']):.2f} %")
        expect(row).to_contain_text(f"{classifier.network.n_parameters:,}")
    # A residual block of the small network, and the address's landmark.
    expect(instrument(page, "resnet").locator(".models button")).to_have_count(3)
    expect(page.get_by_text("What the skip carries")).to_be_visible()
    assert overflow(page) <= 0
    page.get_by_role("button", name="Cut each part of the Small ResNet").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled; nothing was changed.")).to_be_visible()
    assert_no_complaints(page)
