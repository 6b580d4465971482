"""Why ResNet in Chromium: a block's sum cell by cell, blocks taken out, and two networks trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

import cnn_core as cc
from cnn_core.residual import block_maps, remove_each, residual_blocks

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"


pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_block_in_numbers_and_taken_out(new_page: NewPage) -> None:
    page = new_page("resnet?layer=features.13.add&recipe=steps~4,n_train~40&arms=plain_8,residual_8")
    classifier = cc.load_model("mobilenet_v2")
    trace = cc.trace(classifier, SAMPLES / "panda.jpg")
    blocks = residual_blocks(classifier.network)
    maps = block_maps(trace, next(block for block in blocks if block.name == "features.13.add"))
    channel = maps.strongest(1)[0]

    canvas = page.locator(".rs canvas[role=application]").last
    expect(page.get_by_text(f"{maps.ratio:.3f}")).to_be_visible()
    frames(page).reset()
    canvas.focus()
    # From the middle of 14 x 14 cells, which is 7, 7.
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".rs-readout")).to_contain_text("Row 5, column 6 (pinned)")
    expect(page.locator(".rs-readout")).to_contain_text("✓")
    shown = [numbers(text)[0] for text in page.locator(".rs-value").all_inner_texts()]
    expected = [float(part[channel, 5, 6]) for part in (maps.x, maps.change, maps.y)]
    assert shown == pytest.approx(expected, rel=1e-3, abs=1e-6)
    canvas.hover()
    page.keyboard.press("Escape")
    assert frames(page).sent == 0

    page.get_by_role("button", name="For half of them or more").click()
    settled(page)
    page.get_by_role("button", name="Take out each of the 10 blocks").click()
    found = remove_each(classifier, trace.input, trace, blocks)
    assert found is not None
    half = trace.top(1)[0].probability / 2
    kept = sum(one.probability >= half for one in found)
    expect(page.get_by_text(f"{kept} of 10 blocks can go")).to_be_visible(timeout=60_000)
    settled(page)
    removed = page.locator(".cv").last
    removed.locator(".cv-plot svg").focus()
    page.keyboard.press("End")
    expect(removed.locator(".cv-readout")).to_contain_text("features.16.add")
    expect(removed.locator(".cv-readout")).to_contain_text(f"{100 * found[-1].probability:.1f} %")

    # The experiment: training accuracy of both, as the library has it.
    page.get_by_role("button", name="44 layers").first.click()
    settled(page)
    page.get_by_role("button", name="Run these 2 now").click()
    expect(page.get_by_role("cell", name="yours, seed 0").nth(1)).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=60_000)
    settled(page)
    for arm, title in (("plain_8", "Plain, 8 layers"), ("residual_8", "Residual, 8 layers")):
        run = cc.train("degradation", seed=0, arm=arm, steps=4, n_train=40)
        own = [line for line in page.locator("table tbody tr").all_inner_texts() if "yours" in line]
        line = own[0 if arm == "plain_8" else 1]
        accuracies = list(numbers(line.split("\t", 3)[3]))
        assert accuracies[0] == pytest.approx(100 * run.train_accuracy, abs=0.051), title
    assert_no_complaints(page)


def test_on_a_phone_with_a_network_without_shortcuts(new_page: NewPage) -> None:
    page = new_page("resnet?model=lenet5&picture=digit_3", viewport=PHONE, color_scheme="dark")
    expect(page.locator(".rs canvas").first).to_be_visible()
    expect(page.get_by_text("A residual block of MobileNetV2")).to_be_visible()
    assert overflow(page) == 0
    assert_no_complaints(page)
    assert np.isfinite(overflow(page))
