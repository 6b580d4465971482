"""Depth and receptive field in Chromium: boxes, fields, scrambled values against the library; keys; silent hover."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.abstraction import measure_abstraction
from cnn_core.effective_field import average_field, effective_field, fields_by_depth

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"
LAYER = "features.8.conv.0.2"
UNIT = (12, 6, 9)
ADDRESS = f"depth?layer={LAYER}&channel=12&row=6&column=9"
# The page shows four significant digits, or three in its list of facts.
SHOWN = 1e-3


@cache
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2")
    return classifier, cc.trace(classifier, PANDA)


def seen(page: Page) -> Locator:
    return page.locator(".dp-stage:not([hidden]) .dp-seen canvas")


def cells(page: Page) -> Locator:
    return page.locator(".dp-stage:not([hidden]) .dp-mapside > canvas")


def readout(page: Page) -> str:
    page.wait_for_timeout(60)
    return page.locator(".dp-readout:visible").inner_text()


def on_cell(page: Page, row: int, column: int, n: int = 14) -> dict[str, float]:
    box = cells(page).bounding_box()
    assert box is not None
    return {"x": box["width"] * (column + 0.5) / n, "y": box["height"] * (row + 0.5) / n}


def facts(page: Page) -> dict[str, float]:
    names = page.locator(".dp-facts:visible dt").all_inner_texts()
    values = page.locator(".dp-facts:visible dd").all_inner_texts()
    return {name: numbers(value)[0] for name, value in zip(names, values, strict=True)}


def save(page: Page, button: str, *, last: bool = False) -> bytes:
    found = page.get_by_role("button", name=button, exact=True)
    with page.expect_download() as started:
        (found.last if last else found.first).click()
    return Path(started.value.path()).read_bytes()


def check_facts(page: Page, unit: tuple[int, ...]) -> None:
    classifier, trace = panda()
    assert trace.input is not None
    found = effective_field(classifier, trace.input, LAYER, unit)
    told = facts(page)
    assert told["90 % of the gradient"] == found.area_90
    assert told["a disc of radius"] == pytest.approx(found.equivalent_radius, rel=5e-3)
    assert told["that is, of the box"] == pytest.approx(100 * found.share_of_box, rel=5e-3)
    assert told["gradient in the box"] == pytest.approx(100, abs=0.01)
    assert found.equivalent_radius < told["half its side"], "what acts is less than what can"


def test_boxes_and_fields_follow_the_cell(new_page: NewPage) -> None:
    classifier, trace = panda()
    maps, field = trace.activation(LAYER), cc.receptive_field(classifier, LAYER)
    page = new_page(ADDRESS)
    expect(seen(page)).to_be_visible()
    assert numbers(readout(page))[:3] == list(UNIT)
    assert numbers(readout(page))[3] == pytest.approx(float(maps[UNIT]), rel=SHOWN)
    check_facts(page, UNIT)

    frames(page).reset()
    for row, column in ((0, 0), (13, 5), (3, 7)):
        cells(page).hover(position=on_cell(page, row, column))
        told = readout(page)
        assert told.startswith(f"Channel 12, row {row}, column {column}:")
        assert numbers(told)[3] == pytest.approx(float(maps[12, row, column]), rel=SHOWN, abs=1e-6)
        top, left, bottom, right = field.pixel_box(row, column)
        assert f"rows {top} to {bottom - 1} and columns {left} to {right - 1}" in told
        assert ("sticks out" in told) == (field.box(row, column) != field.clipped_box(row, column))
    cells(page).hover(position=on_cell(page, 0, 0))
    out_top, out_left = -field.box(0, 0)[0], -field.box(0, 0)[1]
    assert f"{out_top:g} above, {out_left:g} to the left" in readout(page)
    # On the picture the nearest cell is meant: its box is centred there.
    box = seen(page).bounding_box()
    assert box is not None
    most = 0.12 * 224
    margins = [min(most, out_top), min(most, out_left)]
    last = field.box(13, 13)
    wide = 224 + margins[1] + min(most, last[3] - 224)
    zoom = box["width"] / wide
    centre = field.centre(5, 8)
    seen(page).hover(position={"x": (centre[1] + margins[1]) * zoom, "y": (centre[0] + margins[0]) * zoom})
    assert "row 5, column 8:" in readout(page)

    cells(page).focus()
    page.mouse.move(1, 1)
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert "row 8, column 10:" in readout(page)
    page.keyboard.press("Escape")
    assert "row 6, column 9:" in readout(page)
    assert frames(page).sent == 0

    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**row=5**")
    settled(page)
    check_facts(page, (12, 5, 9))
    assert maps[12, 9, 3] == 0, "a unit that its activation holds at 0"
    cells(page).click(position=on_cell(page, 9, 3))
    page.wait_for_url("**row=9**")
    expect(page.get_by_text("no pixel acts on this unit", exact=True)).to_be_visible()
    settled(page)
    row, column = (int(i) for i in np.unravel_index(int(maps[12].argmax()), maps[12].shape))
    cells(page).click(position=on_cell(page, row, column))
    page.wait_for_url(f"**row={row}**")
    settled(page)
    assert f"column={column}" in page.url
    check_facts(page, (12, row, column))
    table = np.genfromtxt(io.BytesIO(save(page, "Save the numbers as CSV")), delimiter=",", names=True)
    assert trace.input is not None
    magnitude = effective_field(classifier, trace.input, LAYER, (12, row, column)).magnitude
    np.testing.assert_allclose(table["share_of_gradient"].reshape(224, 224), magnitude, rtol=1e-4, atol=1e-9)
    assert_no_complaints(page)


def test_the_proof_and_the_averages(new_page: NewPage) -> None:
    classifier, trace = panda()
    assert trace.input is not None
    page = new_page(ADDRESS)
    assert page.locator(".trial-card").count() == 0, "nothing before the guess"
    page.get_by_role("button", name="A little, less than 10 %").click()
    expect(page.locator(".trial-card")).to_have_count(3)
    expect(page.get_by_text("Not this time")).to_be_visible()
    settled(page)
    for seed in (0, 1):
        table = page.locator("table").inner_text()
        for where in ("outside", "inside"):
            found = cc.scramble(classifier, trace.input, LAYER, UNIT, where=where, seed=seed)
            shortest = np.format_float_positional(np.float32(found.after), unique=True, trim="0")
            assert shortest.replace("-", "−") in table
            assert f"{np.float32(found.after).view(np.uint32):08x}" in table
            if where == "outside":
                assert found.unchanged
        if seed == 0:
            page.get_by_role("button", name="Scramble with other colours").click()
            expect(page.get_by_text("Random colours of seed 1")).to_be_visible()
            assert "seed=1" in page.url
            settled(page)

    page.get_by_role("button", name="Average the field over the samples").click()
    expect(page.get_by_role("radio", name="Samples")).to_be_enabled()
    mean = average_field(classifier, LAYER, UNIT)
    expect(page.locator(".dp-facts:visible")).to_contain_text(f"{mean.n_pictures}")
    assert facts(page)["90 % of the gradient"] == pytest.approx(mean.area_90, rel=1e-3)
    expect(page.get_by_text("the middle quarter of the box's area holds")).to_be_visible()
    settled(page)
    assert_no_complaints(page)


def test_sight_by_depth(new_page: NewPage) -> None:
    classifier, _ = panda()
    page = new_page(ADDRESS)
    chart = page.locator(".dp-chart svg")
    expect(chart).to_be_visible()
    entries = {entry.name: entry for entry in fields_by_depth(classifier.network)}
    told = page.locator(".dp-plotread:visible")
    expect(told).to_contain_text(f"{LAYER} ")
    frames(page).reset()
    chart.focus()
    page.keyboard.press("Home")
    expect(told).to_contain_text("input")
    for _ in range(4):
        page.keyboard.press("PageUp")
    name = told.inner_text().split(" · ")[0]
    size, stride = entries[name].size[0], entries[name].stride[0]
    assert f"a box of {size:g} pixels a side, one every {stride:g}" in told.inner_text()
    box = chart.bounding_box()
    assert box is not None
    chart.hover(position={"x": box["width"] * 0.7, "y": 60})
    hovered = told.inner_text().split(" · ")[0]
    assert hovered != name and f"depth {entries[hovered].depth}" in told.inner_text()
    assert frames(page).sent == 0
    table = save(page, "Save the numbers as CSV", last=True).decode().splitlines()
    rows = {line.split(",")[0]: line.split(",") for line in table[1:]}
    for key in ("features.0.0", LAYER, "classifier.1"):
        assert float(rows[key][3]) == max(entries[key].size) and int(rows[key][2]) == entries[key].depth

    page.get_by_role("button", name="Measure abstraction by depth").click()
    expect(page.get_by_text("How new a changed picture looks")).to_be_visible()
    settled(page)
    found = measure_abstraction(classifier)
    assert found is not None
    table = save(page, "Save the numbers as CSV", last=True).decode().splitlines()
    assert table[0].endswith("moved_by_16_pixels,mirrored,hues_turned")
    rows = {line.split(",")[0]: line.split(",") for line in table[1:]}
    for at, key in enumerate(found.layers):
        for n, change in enumerate(found.changes):
            assert float(rows[key][7 + n]) == pytest.approx(change.sensitivity[at], rel=1e-3, abs=1e-6)
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url("**layer=input**")
    settled(page)
    expect(page.locator(".dp-facts:visible")).to_contain_text("1 × 1 px")
    assert_no_complaints(page)


@pytest.mark.long  # a rare kind of unit
def test_units_that_see_everything(new_page: NewPage) -> None:
    page = new_page("depth?layer=classifier.1&channel=388", viewport=PHONE, color_scheme="dark")
    expect(page.locator(".dp-vector:visible")).to_contain_text("1,000 numbers without a place")
    expect(page.locator(".dp-readout:visible")).to_contain_text("Logit of giant panda")
    assert overflow(page) <= 0
    page.get_by_role("button", name="whose units see less").click()
    expect(page.get_by_text("Your guess.")).to_be_visible()
    settled(page)
    assert overflow(page) <= 0
    assert_no_complaints(page)
    page = new_page("depth?model=efficientnet_b0&weights=random&layer=features.4.1.block.2.mul")
    expect(page.locator(".dp-readout:visible")).to_contain_text("It sees the whole picture, by a side path")
    expect(page.locator(".dp-readout:visible")).to_contain_text("115 × 115 pixels, is its local path")
    page.get_by_role("button", name="No, not at all").click()
    expect(page.get_by_text("this unit sees the whole picture by a global path")).to_be_visible()
    assert_no_complaints(page)
