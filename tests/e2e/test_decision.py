"""The decision in Chromium: ledger, cells, test and softmax on the page against torch and the library."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.covering import cover, grid_boxes, square_at
from cnn_core.decision import LogitLedger, logit_ledger, without_cells
from cnn_core.nearest import feature_library

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"
# The page shows four significant digits.
SHOWN = 1e-3


@cache
def model(key: str = "mobilenet_v2") -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model(key)
    return classifier, cc.trace(classifier, PANDA)


@cache
def ledger(key: str = "mobilenet_v2", target: int = 388) -> LogitLedger:
    return logit_ledger(*model(key), target)


def picture(page: Page) -> Locator:
    return page.locator(".lg-figure > canvas").first


def hover_cell(page: Page, row: int, column: int) -> str:
    """Hover the centre of a 7 x 7 map's cell on MobileNetV2 (0.5 + 32 k pixels) and read the line."""
    box = picture(page).bounding_box()
    assert box is not None
    place = [(2 + 32 * k) / 224 for k in (row, column)]
    picture(page).hover(position={"x": box["width"] * place[1], "y": box["height"] * place[0]})
    page.wait_for_timeout(60)
    return page.locator(".lg-readout").first.inner_text()


def click_cell(page: Page, row: int, column: int) -> None:
    box = picture(page).bounding_box()
    assert box is not None
    picture(page).click(
        position={"x": box["width"] * (2 + 32 * column) / 224, "y": box["height"] * (2 + 32 * row) / 224}
    )
    expect(page.locator('.ledger[data-waiting="no"]').first).to_be_visible()
    settled(page)


def skip_guess(page: Page) -> None:
    page.get_by_role("button", name="Show it without a guess").click()
    expect(page.locator('.ledger[data-waiting="no"]').first).to_be_visible()
    settled(page)


def test_guess_cells_and_the_test(new_page: NewPage) -> None:
    page = new_page("decision")
    frames(page).reset()
    assert hover_cell(page, 1, 1).startswith("Cell row 1, column 1. Enter or click")
    assert frames(page).sent == 0
    click_cell(page, 3, 3)
    own = ledger()
    assert own.cells is not None
    best, worst = own.cell_ranking()[0], own.cell_ranking()[-1]
    answer = page.locator('[data-testid="stAlert"]').filter(has_text="The strongest cell").first.inner_text()
    assert f"row {best[0]}, column {best[1]}: +{own.cells[best]:.3f}" in answer
    assert f"rank {own.cell_ranking().index((3, 3)) + 1} of 49" in answer

    frames(page).reset()
    for row, column in ((2, 1), (4, 5), (6, 3)):
        readout = hover_cell(page, row, column)
        assert readout.startswith(f"Cell row {row}, column {column}:")
        assert numbers(readout.split(":")[1].replace("+ ", "").replace("− ", "-"))[0] == pytest.approx(
            float(own.cells[row, column]), rel=SHOWN
        )
    assert frames(page).sent == 0

    classifier, trace = model()
    boxes = [square_at(0.5 + 32 * r, 0.5 + 32 * c, 32, (224, 224)) for r, c in (best, (3, 3), worst)]
    expected = [float(trace.logits[388]), *(one.logit for one in cover(classifier, trace, boxes, target=388))]
    shown = [numbers(text)[0] for text in page.locator(".trial-value").all_inner_texts()]
    assert shown == pytest.approx(expected, rel=SHOWN)
    assert_no_complaints(page)


def test_rows_sum_to_torchs_logit(new_page: NewPage) -> None:
    page = new_page("decision")
    skip_guess(page)
    own = ledger()
    frames(page).reset()
    rows = page.locator(".lg-rows button")
    expect(rows).to_have_count(10)
    for i, k in enumerate(own.order[:10]):
        text = rows.nth(i).inner_text()
        assert f"channel {k}" in text
        shown = numbers(rows.nth(i).locator(".in").inner_text() + " " + rows.nth(i).locator(".ker").inner_text())
        assert shown == pytest.approx([own.features[k], own.weights[k]], rel=SHOWN)
        assert numbers(rows.nth(i).locator(".lg-made").inner_text())[0] == pytest.approx(
            abs(own.contributions[k]), rel=SHOWN
        )
    total = page.locator(".lg-total").inner_text()
    assert "✓ torch computed" in total
    with torch.no_grad():
        classifier, trace = model()
        torchs = float(classifier.module(trace.input.tensor)[0, 388])
    assert f"torch computed {torchs:#.4g}" in total

    # A row shows its channel's map: the numbers on hover are that map's.
    rows.nth(2).click()
    k = int(own.order[2])
    value = float(trace.activation("features.18.2")[k, 4, 2])
    shown = numbers(hover_cell(page, 4, 2))
    assert shown[2] == pytest.approx(value, rel=SHOWN, abs=1e-6)
    page.get_by_role("radio", name="Most against").click()
    assert f"channel {own.against[0]}" in rows.nth(0).inner_text()
    assert "−" in rows.nth(0).locator(".lg-made").inner_text()
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_softmax_and_temperature(new_page: NewPage) -> None:
    page = new_page("decision")
    classifier, trace = model()
    order = np.argsort(-trace.logits)[:10]
    rows = page.locator(".sm-table button")
    expect(rows).to_have_count(10)

    def shown(i: int) -> tuple[float, float]:
        text = rows.nth(i).locator(".sm-p").inner_text()
        z = numbers(rows.nth(i).locator(".num").first.inner_text())[0]
        return z, 0.0 if text.startswith("<") else float(text)

    def check(temperature: float) -> None:
        expected = torch.softmax(torch.from_numpy(np.array(trace.logits, dtype=np.float64)) / temperature, 0).numpy()
        for i, k in enumerate(order):
            z, p = shown(i)
            assert z == pytest.approx(float(trace.logits[k]), rel=SHOWN)
            # Four decimals.
            assert p == pytest.approx(float(expected[k]), abs=6e-5)

    check(1.0)
    expect(page.locator(".sm-readout")).to_contain_text("✓ as torch computed")
    frames(page).reset()
    slider = page.get_by_role("slider", name="Temperature")
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator(".sm-temperature output")).to_have_text("10.0")
    check(10.0)
    page.keyboard.press("Home")
    expect(page.locator(".sm-temperature output")).to_have_text("0.100")
    check(0.1)
    page.get_by_role("button", name="Back to").click()
    check(1.0)
    assert frames(page).sent == 0
    rows.nth(1).click()
    expect(page.locator(".lg-title").first).to_contain_text(classifier.class_names[order[1]])
    assert f"target={order[1]}" in page.url
    assert_no_complaints(page)


def test_keyboard_guess(new_page: NewPage) -> None:
    page = new_page("decision")
    picture(page).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".lg-readout").first).to_contain_text("Cell row 3, column 4")
    page.keyboard.press("Enter")
    expect(page.locator('[data-testid="stAlert"]').filter(has_text="Your cell, row 3, column 4").first).to_be_visible()


def test_class_maps_open_into_the_last_convolution(new_page: NewPage) -> None:
    page = new_page("decision?model=squeezenet1_1")
    expect(page.get_by_text("The last convolution already has one map (13 × 13)")).to_be_visible()
    skip_guess(page)
    classifier, trace = model("squeezenet1_1")
    own = ledger("squeezenet1_1")
    row, column = own.cell_ranking()[0]
    unit = cc.explain_unit(classifier, trace, "classifier.1", (388, row, column))
    expect(page.get_by_text(f"unit (388, {row}, {column})")).to_be_visible()
    opened = page.locator(".ledger").nth(1)
    assert unit.matches
    expect(opened.locator(".lg-total")).to_contain_text(f"torch computed {unit.value:#.4g}")
    term = unit.ranked(1)[0][0]
    assert numbers(opened.locator(".lg-rows button .lg-made").first.inner_text())[0] == pytest.approx(
        abs(term.value), rel=SHOWN
    )
    # Another row opens another cell.
    page.locator(".ledger").first.locator(".lg-rows button").nth(3).click()
    row, column = own.cell_ranking()[3]
    expect(page.get_by_text(f"unit (388, {row}, {column})")).to_be_visible()
    assert_no_complaints(page)


def test_flattened_heads_are_answered_by_covering(new_page: NewPage) -> None:
    page = new_page("decision?model=lenet5")
    expect(page.get_by_text("3 linear layers")).to_be_visible()
    skip_guess(page)
    classifier, trace = model("lenet5")
    top = trace.top(1)[0]
    assert trace.input is not None
    boxes = grid_boxes(*trace.input.shown_rgb.shape[:2], 4, 4)
    drops = [one.logit_drop for one in cover(classifier, trace, boxes, target=top.index)]
    best = divmod(int(np.argmax(drops)), 4)
    expect(page.get_by_text(f"Greying row {best[0]}, column {best[1]}")).to_be_visible()
    box = picture(page).bounding_box()
    assert box is not None
    picture(page).hover(position={"x": box["width"] * (best[1] + 0.5) / 4, "y": box["height"] * (best[0] + 0.5) / 4})
    page.wait_for_timeout(60)
    readout = page.locator(".lg-readout").first.inner_text()
    assert numbers(readout)[2] == pytest.approx(max(drops), rel=SHOWN)
    expect(page.locator(".lg-total").first).to_contain_text("✓ torch computed")
    assert_no_complaints(page)


@pytest.mark.long  # the page on a phone is among test_frame's; here with both kinds of head
@pytest.mark.parametrize(("key", "scheme"), [("mobilenet_v2", "light"), ("squeezenet1_1", "dark")])
def test_phone(new_page: NewPage, scheme: str, key: str) -> None:
    page = new_page(f"decision?model={key}", viewport=PHONE, color_scheme=scheme)
    expect(picture(page)).to_be_visible()
    assert overflow(page) <= 0
    skip_guess(page)
    assert overflow(page) <= 0
    assert_no_complaints(page)


def test_margins_cells_and_neighbours(new_page: NewPage) -> None:
    classifier, trace = model()
    rival = trace.top(2)[1].index
    own = logit_ledger(classifier, trace, 388, rival)
    assert own.cells is not None
    page = new_page(f"decision?rival={rival}")
    skip_guess(page)
    expect(page.locator(".lg-title").first).to_contain_text(f"rather than {classifier.class_names[rival]}")
    total = page.locator(".lg-total").first.inner_text()
    assert f"✓ torch computed {own.logit:#.4g}" in total
    # A click after the guess takes the cell away, in both ways.
    click_cell(page, 4, 5)
    assert "row=4" in page.url and "column=5" in page.url
    said = page.locator('[data-testid="stAlert"]').filter(has_text="Cell row 4, column 5").first.inner_text()
    shown = numbers(said.replace("+", ""))
    (zeroed,) = without_cells(classifier, trace, own, [(4, 5)])
    (box,) = [square_at(0.5 + 32 * 4, 0.5 + 32 * 5, 32, (224, 224))]
    (greyed,) = cover(classifier, trace, [box], target=(388, rival))
    assert shown[3:6] == pytest.approx(
        [zeroed - own.logit, -own.cells[4, 5], greyed.logit_drop * -1], rel=SHOWN, abs=1e-5
    )
    # What the cell itself and the others lost add up to all that was lost; four digits of each.
    assert shown[6] + shown[9] == pytest.approx(shown[5], abs=2e-3)
    page.locator(".lg-figure > canvas").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator('[data-testid="stAlert"]').filter(has_text="Cell row 3, column 5").first).to_be_visible()
    # Without a rival it is the logit again.
    page.goto(page.url.replace(f"rival={rival}", "rival="))
    settled(page)

    page.get_by_role("button", name="1 or 2").click()
    settled(page)
    page.get_by_role("button", name="Look through the library").click()
    expect(page.get_by_text("nearest in raw pixels:")).to_be_visible(timeout=60_000)
    found = feature_library(classifier)
    near = [n for n in found.nearest(trace, 5) if not n.is_same]
    cards = page.locator(".trial").last.locator(".trial-card")
    expect(cards).to_have_count(5)
    for card, neighbour in zip(cards.all()[1:], near, strict=True):
        assert neighbour.picture.title in card.inner_text()
        assert numbers(card.locator(".trial-value").inner_text())[0] == pytest.approx(neighbour.cosine, rel=SHOWN)
        assert neighbour.prediction.name in card.inner_text()
    first, far = found.nearest_in_pixels(trace, 1)[0]
    expect(page.get_by_text(f"{first.title} ({far:.0f})")).to_be_visible()
    assert_no_complaints(page)


@pytest.mark.long  # one link
def test_a_mixed_head_leads_to_gradcam(new_page: NewPage) -> None:
    page = new_page("decision?model=lenet5&picture=digit_3")
    skip_guess(page)
    expect(page.get_by_text("Why there is no exact split by cell")).to_be_visible()
    page.get_by_role("link", name="Grad-CAM for this class").click()
    page.wait_for_url("**/gradcam?**")
    settled(page)
    assert "target=3" in page.url
    assert_no_complaints(page)
