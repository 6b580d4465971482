"""Interventions in Chromium: all four kinds, undo, redo, remove, a link, a file; numbers against the library's."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.change_text import from_text, to_json
from cnn_core.changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from cnn_core.decision import logit_ledger
from cnn_core.interventions import Intervention, intervene

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
LAST = "features.18.2"
# The page shows four significant digits.
SHOWN = 1e-3


@cache
def model(key: str = "mobilenet_v2", picture: str = "panda.jpg") -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model(key)
    return classifier, cc.trace(classifier, SAMPLES / picture)


def made(*changes: Change, key: str = "mobilenet_v2", picture: str = "panda.jpg") -> Intervention:
    return intervene(*model(key, picture), changes)


def face(page: Page, name: str) -> Locator:
    return page.locator(f'.iv[data-face="{name}"]')


def tool(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).or_(page.get_by_role("button", name=name)).first.click()
    settled(page)


def skip(page: Page) -> None:
    page.get_by_role("button", name="Show it without a guess").click()
    settled(page)


def row(page: Page, index: int) -> Locator:
    return face(page, "outcome").locator(f'.iv-row[data-index="{index}"]')


def shows(page: Page, found: Intervention, *indices: int) -> None:
    """The page's before and after of these classes are the library's."""
    for index in indices:
        change = found.class_change(index)
        line = row(page, index)
        expect(line.locator(".iv-bars").first.locator(".num.after")).to_have_text(four(change.logit_after))
        assert number_of(line.locator(".iv-bars").first.locator(".num.before")) == pytest.approx(
            change.logit_before, rel=SHOWN
        )
        delta = change.logit_after - change.logit_before
        assert number_of(line.locator(".iv-change")) == pytest.approx(delta, rel=SHOWN, abs=1e-5)
        chance = line.locator(".iv-bars").nth(1).locator(".num.after").inner_text()
        assert (0 if chance.startswith("<") else float(chance)) == pytest.approx(change.probability_after, abs=6e-5)


def number_of(locator: Locator) -> float:
    return numbers(locator.inner_text().replace("±", ""))[0]


def four(value: float) -> str:
    return "0" if value == 0 else f"{value:#.4g}".rstrip(".").replace("-", "−")


def link(page: Page) -> tuple[Change, ...]:
    """The changes that the address names."""
    text = page.evaluate("new URL(location.href).searchParams.get('changes')")
    return from_text(text or "")


def wait_for_link(page: Page, holds: Callable[[tuple[Change, ...]], bool]) -> tuple[Change, ...]:
    """The address's changes once they are so: an upload, or a click, reaches the server a moment later."""
    deadline = time.monotonic() + 45
    while not holds(found := link(page)):
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(50)
    return found


def open_file(page: Page, file: Path) -> None:
    """Give the page a file of changes; what was opened to choose it may still be open, or not."""
    chooser = page.locator(".st-key-cl_changes_file input[type=file]")
    settled(page)
    page.wait_for_timeout(400)  # it closes a moment after a click elsewhere
    if not chooser.count():
        page.get_by_test_id("stPopoverButton").filter(has_text="File").click()
    expect(chooser).to_have_count(1)
    chooser.set_input_files(str(file))
    settled(page)


def test_all_four_kinds_undo_redo_remove_and_the_link(new_page: NewPage) -> None:
    page = new_page("interventions")
    classifier, trace = model()
    ledger = logit_ledger(classifier, trace, 388)

    # 1. Channels: the ledger's strongest, picked from the wall without a word to the server.
    wall = face(page, "channels")
    frames(page).reset()
    wall.get_by_role("radio", name="By the ledger").click()
    box = wall.locator(".iv-wall").bounding_box()
    assert box is not None
    wall.locator(".iv-wall").click(position={"x": 30, "y": 30})
    strongest = int(ledger.order[0])
    expect(wall.get_by_role("button", name=f"Switch off channel {strongest}")).to_be_enabled()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    expect(wall.locator(".readout")).to_contain_text(f"Channel {strongest}: mean")
    shown = numbers(wall.locator(".readout").inner_text())
    assert shown[1] == pytest.approx(ledger.features[strongest], rel=SHOWN)
    assert shown[4] == pytest.approx(ledger.contributions[strongest], rel=SHOWN)
    assert frames(page).sent == 0
    wall.get_by_role("button", name=f"Switch off channel {strongest}").click()
    settled(page)
    wait_for_link(page, lambda found: found == (SwitchOff(LAST, (strongest,)),))
    # The answer comes after the guess, and not before.
    expect(face(page, "outcome")).to_have_count(0)
    page.get_by_role("button", name="It falls").click()
    settled(page)
    off = made(SwitchOff(LAST, (strongest,)))
    change = float(off.logits_after[388]) - float(off.logits_before[388])
    expect(page.get_by_text("As you guessed.")).to_be_visible()
    shows(page, off, 388, trace.top(3)[1].index)
    told = page.get_by_text("The ledger foretold").inner_text()
    assert "✓" in told
    assert numbers(told.replace("+", ""))[:2] == pytest.approx([change, change], rel=SHOWN)
    bars = face(page, "control").locator(".iv-controlrow")
    expect(bars).to_have_count(6)
    assert number_of(bars.first.locator(".num").last) == pytest.approx(change, rel=SHOWN)
    draw = bars.nth(2)
    other = int(numbers(draw.locator(".num").first.inner_text())[0])
    alone = made(SwitchOff(LAST, (other,)))
    assert number_of(draw.locator(".num").last) == pytest.approx(
        float(alone.logits_after[388]) - float(alone.logits_before[388]), rel=SHOWN, abs=1e-5
    )
    expect(page.get_by_text("all 1,000 logits are the first ones")).to_be_visible()

    # 2. A kernel, by keyboard; the first convolution's opens by itself.
    tool(page, "Edit a kernel")
    editor = face(page, "kernel")
    weights = classifier.network.parameters("features.0.0")["weight"][0].numpy()
    longest = int((weights**2).sum(axis=(1, 2)).argmax())
    cells = editor.locator(".iv-grid input")
    expect(cells).to_have_count(9)
    for cell, weight in zip(cells.all(), weights[longest].reshape(-1), strict=True):
        assert numbers(cell.input_value())[0] == pytest.approx(float(weight), rel=1e-4)
    frames(page).reset()
    cells.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(cells.nth(4)).to_be_focused()
    page.keyboard.type("half")
    expect(editor.locator(".readout")).to_contain_text("Row 1, column 1: write a number")
    expect(editor.get_by_role("button", name="Use these numbers")).to_be_disabled()
    page.keyboard.press("Escape")
    editor.get_by_role("button", name="Flip sign").click()
    cells.nth(4).fill("-1.25")
    assert frames(page).sent == 0
    cells.nth(4).press("Enter")
    settled(page)
    kernel = -weights[longest]
    kernel[1, 1] = -1.25
    edit = EditKernel("features.0.0", (0, longest), kernel)
    edited = wait_for_link(page, lambda found: len(found) >= 2)[1]
    assert isinstance(edited, EditKernel) and edited.index == (0, longest)
    # The page shows five digits; a number that was not typed is sent as it was.
    np.testing.assert_array_equal(np.float32(edited.values), kernel)
    skip(page)
    both = made(SwitchOff(LAST, (strongest,)), edit)
    shows(page, both, 388)

    # 3. The picture, and 4. its preprocessing, which cannot both be had.
    tool(page, "Change the picture")
    gallery = face(page, "gallery")
    gallery.get_by_role("radio", name="Blurred").click()
    gallery.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    gallery.get_by_role("button", name="Do this").click()
    settled(page)
    skip(page)
    blur = ChangePicture("blur", 4.0)
    three = made(SwitchOff(LAST, (strongest,)), edit, blur)
    shows(page, three, 388, three.after[0].index)
    expect(face(page, "outcome").locator("figure canvas")).to_have_count(2)
    tool(page, "Sabotage the preprocessing")
    gallery.get_by_role("radio", name="Blue and red swapped").click()
    gallery.get_by_role("button", name="Do this").click()
    settled(page)
    expect(page.get_by_text("It rests")).to_be_visible()
    skip(page)
    shows(page, three, 388)
    # Without the blur the sabotage takes effect.
    page.get_by_role("button", name="Remove").nth(2).click()
    settled(page)
    swapped = made(
        SwitchOff(LAST, (strongest,)), edit, SabotagePreprocessing("bgr", cc.load_image(SAMPLES / "panda.jpg"))
    )
    shows(page, swapped, 388)
    kinds = ["SwitchOff", "EditKernel", "SabotagePreprocessing"]
    wait_for_link(page, lambda found: [type(change).__name__ for change in found] == kinds)

    # Undo twice, redo twice; a link in another window; reset, and the first logits bit for bit.
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
        settled(page)
    shows(page, three, 388)
    wait_for_link(page, lambda found: found == (SwitchOff(LAST, (strongest,)), edited, blur))
    for _ in range(2):
        page.get_by_role("button", name="Redo").click()
        settled(page)
    shows(page, swapped, 388)
    other_page = new_page(page.url.split("/", 3)[3])
    expect(other_page.get_by_text("What becomes of the logit")).to_be_visible()
    expect(other_page.get_by_role("button", name="Remove")).to_have_count(3)
    skip(other_page)
    shows(other_page, swapped, 388)
    assert_no_complaints(other_page)
    page.get_by_role("button", name="Reset").click()
    settled(page)
    expect(page.get_by_text("all 1,000 logits are the first ones")).to_be_visible()
    expect(face(page, "outcome")).to_have_count(0)
    wait_for_link(page, lambda found: found == ())
    assert_no_complaints(page)


def test_layers_maps_files_and_hover(new_page: NewPage, tmp_path: Path) -> None:
    changes = (SwitchOff("features.6.conv.2", (3, 5)), EditBias("classifier.1", 7, 9.5))
    page = new_page("interventions")
    file = tmp_path / "changes.json"
    file.write_text('{"format": "something else"}')
    open_file(page, file)
    expect(page.get_by_text("What was done before stays")).to_be_visible()
    file.write_text(to_json(changes))
    open_file(page, file)
    wait_for_link(page, lambda found: found == changes)
    page.keyboard.press("Escape")
    skip(page)
    found = made(*changes)
    shows(page, found, 388)

    through = face(page, "through")
    frames(page).reset()
    strip = through.locator(".iv-strip")
    strip.focus()
    page.keyboard.press("Home")
    expect(through.locator(".readout").first).to_contain_text("input")
    expect(through.locator(".readout").first).to_contain_text("nothing moved")
    maps = through.locator(".iv-maps")
    before, after = found.values_before("features.6.conv.2"), found.values_after("features.6.conv.2")
    expect(through.locator(".iv-mapshead")).to_contain_text("features.6.conv.2")
    expect(through.locator(".iv-mapshead")).to_contain_text("2 of 32 channels moved")
    maps.focus()
    page.keyboard.press("ArrowDown")
    line = through.locator(".readout").last
    expect(line).to_contain_text("Channel")
    shown = numbers(line.inner_text())
    channel, r, c = (int(v) for v in shown[:3])
    assert channel in (3, 5)
    assert shown[3] == pytest.approx(before[channel, r, c], rel=SHOWN)
    assert shown[4] == 0 == after[channel, r, c]
    assert frames(page).sent == 0, "arrows and hover are the browser's own"
    strip.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    settled(page)
    expect(through.locator(".iv-mapshead")).to_contain_text("classifier.1")
    assert "watch=classifier.1" in page.url
    expect(strip).to_be_focused()  # the keyboard stays where it was

    with page.expect_download() as download:
        page.get_by_role("button", name="All classes (CSV)").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert np.float32(rows[7]["logit_after"]) == found.logits_after[7]
    page.get_by_test_id("stPopoverButton").filter(has_text="File").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the changes (JSON)").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved["network"] == "mobilenet_v2" and len(saved["changes"]) == 2
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
def test_other_networks_a_bad_link_and_a_phone(new_page: NewPage) -> None:
    page = new_page(
        "interventions?model=lenet5&picture=digit_7&changes=kernel~conv1~0_0~5x5~" + "_".join(["0"] * 25),
        viewport=PHONE,
        color_scheme="dark",
    )
    expect(page.get_by_text("all 0")).to_be_visible()
    skip(page)
    found = made(EditKernel("conv1", (0, 0), np.zeros((5, 5))), key="lenet5", picture="digit_7.png")
    shows(page, found, 7)
    assert overflow(page) <= 0
    tool(page, "Edit a kernel")
    expect(face(page, "kernel").locator(".iv-grid input")).to_have_count(25)
    assert overflow(page) <= 0
    assert_no_complaints(page)

    page = new_page("interventions?changes=burn~everything")
    expect(page.get_by_text("The address names changes that cannot be read")).to_be_visible()
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    assert "changes=" not in page.url
    # Squeezenet: a class's own map carries its whole logit.
    page = new_page("interventions?model=squeezenet1_1&changes=off~classifier.2~388~zero")
    skip(page)
    expect(page.get_by_text("The ledger foretold")).to_contain_text("✓")
    shows(page, made(SwitchOff("classifier.2", (388,)), key="squeezenet1_1"), 388)
    assert_no_complaints(page)
