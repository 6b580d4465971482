"""ImageNet in Chromium: the challenge's curve by pointer and keys, and the small benchmark against the library."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import cnn_core as cc
from cnn_core import ilsvrc
from cnn_core.training.benchmark import evaluate
from cnn_core.training.machines import shipped_machines

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled


def test_the_curve_and_the_table(new_page: NewPage) -> None:
    page = new_page("imagenet?table=digits&entry=2014-vgg")
    plot = page.locator('.il[data-part="history"]')
    expect(plot.locator(".il-dot")).to_have_count(2)
    page.locator(".st-key-cl_guess_imagenet_drop_button_2012 button").click()
    expect(page.locator('.il[data-part="history"][data-waiting="no"] .il-dot')).to_have_count(len(ilsvrc.ENTRIES))
    settled(page)
    expect(page.get_by_role("heading", name="2014: VGG")).to_be_visible()
    expect(page.get_by_text("In 2012 it fell by 9.4 points, 36 % of the errors")).to_be_visible()
    frames(page).reset()
    plot.locator("svg").focus()
    page.keyboard.press("End")
    expect(plot.locator(".readout")).to_contain_text("2017, SENet: top-5 error 2.25 %")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(plot.locator(".readout")).to_contain_text("2015, ResNet (ensemble): top-5 error 3.57 %, −3.1 points")
    plot.get_by_role("button", name="Log scale").click()
    assert frames(page).sent == 0
    plot.locator('.il-dot[data-key="2015-resnet"] circle').first.click(force=True)
    page.wait_for_url("**entry=2015-resnet**")
    settled(page)
    # The entry's link, and the one to the next lesson at the foot.
    links = page.locator('[data-testid="stMain"] a[href$="resnet"]')
    expect(links).to_have_count(2)
    expect(page.get_by_text("Plain and residual networks of 8 to 44 layers, trained live.")).to_be_visible()

    # The table: every number is the library's own on the same 2,000 pictures.
    page.locator(".st-key-cl_guess_imagenet_size_button_no button").click()
    table = page.locator('.il[data-part="ranking"]')
    expect(table.locator(".il-line")).to_have_count(4, timeout=150_000)
    settled(page)
    models = {"digits:mlp": shipped_machines("digits")[1], cc.load_model("lenet5").key: cc.load_model("lenet5")}
    for key, model in models.items():
        found = evaluate(model, "digits")  # type: ignore[arg-type]
        cells = table.locator(f'.il-line[data-key="{key}"] .il-end').all_inner_texts()
        assert numbers(cells[0])[0] == pytest.approx(100 * found.error1, abs=0.05)
        assert numbers(cells[1])[0] == pytest.approx(100 * found.error3, abs=0.05)
    assert numbers(table.locator('.il-line[data-key="digits:mlp"] .il-end').nth(2).inner_text())[0] == 101_770
    frames(page).reset()
    table.locator(".il-line").first.focus()
    page.keyboard.press("ArrowDown")
    expect(table.locator(".readout")).to_contain_text("of 2,000 pictures right, 95 % interval")
    table.get_by_role("button", name="multiply-adds").click()
    expect(table.locator(".il-line").first).to_have_attribute("data-key", "digits:hog_svm")
    assert frames(page).sent == 0

    # The causal test: moved by two pixels, the MLP loses most of these.
    page.get_by_role("button", name="MLP 784-128-10").click()
    said = page.get_by_text("Accuracy in points:")
    expect(said).to_be_visible(timeout=150_000)
    mlp = models["digits:mlp"]
    lost = 100 * (evaluate(mlp, "digits", moved=2).top1.mean() - evaluate(mlp, "digits").top1.mean())  # type: ignore[arg-type]
    assert f"MLP 784-128-10 −{-lost:.1f}" in said.inner_text()
    assert_no_complaints(page)


def test_phone(new_page: NewPage) -> None:
    page = new_page("imagenet?entry=1999-nobody", viewport=PHONE, color_scheme="dark")
    page.locator(".st-key-cl_guess_imagenet_drop_button_2015 button").click()
    expect(page.locator('.il[data-part="history"][data-waiting="no"]')).to_be_visible()
    settled(page)
    expect(page.get_by_text("There is no entry").first).to_be_visible()
    assert overflow(page) <= 0
    assert_no_complaints(page)
