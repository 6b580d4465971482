"""Audit a folder in Chromium: hostile files, boxes by pointer, keys and file, the swaps, a report without network."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from cnn_core.bias import mystery
from cnn_core.bias.annotations import read_annotations
from cnn_core.bias.auditing import audit
from cnn_core.bias.items import Item
from cnn_core.bias.regions import Box, Region
from cnn_core.bias.result import AuditReport
from cnn_core.training.cow_camel import draw_herd

from .conftest import PHONE, NewPage, assert_no_complaints, frames, overflow, settled

SIDE = 288
DROP = '[data-testid="stFileUploaderDropzoneInput"]'
SLOW = 90_000  # milliseconds for an audit of three pictures beside other tests


def pictures(folder: Path) -> list[Path]:
    """A cow, a camel and a cow, large enough for a pointer to hit a pixel."""
    paths = []
    for i, rgb in enumerate(draw_herd(3, seed=5).pictures):
        paths.append(folder / f"animal{i}.png")
        Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(paths[-1])
    return paths


def boxed(page: Page, name: str, n: int) -> None:
    """The instrument shows this picture with so many boxes."""
    expect(page.locator(f'.rgn[data-subject$=":{name}"][data-boxes="{n}"] canvas')).to_be_visible()
    settled(page)


def saved(page: Page, button: str, path: Path) -> Path:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    started.value.save_as(path)
    return path


def draw_by_pointer(page: Page, box: Box) -> None:
    canvas = page.locator(".rgn canvas")
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    assert place is not None
    scale = place["width"] / SIDE
    page.mouse.move(place["x"] + box.left * scale, place["y"] + box.top * scale)
    page.mouse.down()
    page.mouse.move(place["x"] + (box.left + box.right) / 2 * scale, place["y"] + (box.top + box.bottom) / 2 * scale)
    page.mouse.move(place["x"] + box.right * scale, place["y"] + box.bottom * scale)
    page.mouse.up()


def same_numbers(page: Page, report: AuditReport) -> None:
    """The table of rates and the verdict are the library's."""
    swap = report.swap
    assert swap is not None and swap.n == 2  # the camel has no other camel to lend it a background
    rates = page.get_by_role("row")
    expect(rates.filter(has_text="of another kind")).to_contain_text(f"{100 * swap.other:.0f} %")
    expect(rates.filter(has_text="(control)")).to_contain_text(f"{100 * swap.same:.0f} %")
    estimate = f"{100 * swap.difference.estimate:.0f} points".replace("-", "−")
    expect(rates.filter(has_text="difference")).to_contain_text(estimate)
    assert report.verdict.key == "too_few"
    expect(page.get_by_test_id("stAlert").filter(has_text=report.verdict.title)).to_contain_text(
        report.verdict.sentence.split(". ")[0]
    )


def test_three_pictures_from_the_upload_to_a_report_that_opens_offline(
    new_page: NewPage, chrome: Browser, tmp_path: Path
) -> None:
    page = new_page("audit?network=example:first")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.png", b"x")
    page.locator(f'{DROP}[accept*="zip"]').set_input_files(tmp_path / "evil.zip")
    expect(page.get_by_text("leads out of it")).to_be_visible()
    paths = pictures(tmp_path)
    page.locator(f'{DROP}[accept*="png"]').first.set_input_files(paths)
    expect(page.get_by_text("3 pictures, without labels")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="The background").click()
    page.get_by_role("button", name="Look at the 3 pictures", exact=False).click()
    wall = page.locator('.wal-grid[data-ready="yes"]').first
    expect(wall).to_be_visible(timeout=SLOW)
    settled(page)
    expect(page.get_by_text("None yet. A map proposes")).to_be_visible()

    # The wall is read without the server; Enter opens the picture.
    frames(page).reset()
    wall.get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    readout = page.locator(".wal .readout").first
    expect(readout).to_contain_text("animal1.png")
    wall.get_by_role("option").nth(2).hover()
    expect(readout).to_contain_text("animal2.png")
    page.get_by_label("How strongly the maps cover").first.fill("20")
    assert frames(page).sent == 0
    wall.get_by_role("option").nth(0).focus()
    page.keyboard.press("Enter")
    boxed(page, "animal0.png", 0)

    # A box by pointer, one by keys, one from a file; a file with a box outside is refused before.
    drawn = Box(100, 60, 240, 230)
    draw_by_pointer(page, drawn)
    boxed(page, "animal0.png", 1)
    page.get_by_role("button", name="Next", exact=True).click()
    boxed(page, "animal1.png", 0)
    page.locator(".rgn canvas").focus()
    page.keyboard.press("n")
    boxed(page, "animal1.png", 1)
    page.get_by_text("Boxes from a file, and as a file").click()
    chooser = page.locator(f'{DROP}[accept*="json"]')
    (tmp_path / "outside.csv").write_text("picture,top,left,bottom,right\nanimal2.png,10,10,400,200\n")
    chooser.set_input_files(tmp_path / "outside.csv")
    expect(page.get_by_text("does not lie in the picture of 288 × 288 pixels")).to_be_visible()
    settled(page)
    (tmp_path / "one.csv").write_text("picture,top,left,bottom,right\nanimal2.png,80,40,250,250\n")
    chooser.set_input_files(tmp_path / "one.csv")
    expect(page.get_by_text("1 picture has boxes or a mask now, from CSV.")).to_be_visible()
    settled(page)
    names = {path.name: (SIDE, SIDE) for path in paths}
    regions = read_annotations(saved(page, "Save the boxes of 3", tmp_path / "boxes.json"), names)
    first, second, third = (regions[name].boxes[0] for name in names)
    # A pointer falls on whole CSS pixels.
    assert [first.top, first.left, first.bottom, first.right] == pytest.approx([100, 60, 240, 230], abs=1.5)
    assert second == Box(72, 72, 216, 216)  # the middle half, as N puts it
    assert third == Box(80, 40, 250, 250)

    page.get_by_role("button", name="Run the swaps with 3 boxed pictures").click()
    expect(page.get_by_text("What the network saw")).to_be_visible(timeout=SLOW)
    settled(page)
    items = [Item(path.name, path) for path in paths]
    biased = max(mystery.suspects(), key=lambda one: one.fall)
    report = audit(
        mystery.open_suspect(biased.key), items, boxes={name: Region(own.boxes) for name, own in regions.items()}
    )
    same_numbers(page, report)

    page.get_by_role("button", name="5 Verdict").click()
    settled(page)
    path = saved(page, "Report (.html)", tmp_path / "report.html")
    context = chrome.new_context(offline=True)
    asked: list[str] = []
    offline = context.new_page()
    offline.on("request", lambda request: asked.append(request.url))
    offline.goto(path.as_uri())
    expect(offline.get_by_text(report.verdict.title).first).to_be_visible()
    for name in names:
        expect(offline.get_by_text(name).first).to_be_attached()
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert offline.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    context.close()
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(300)
    assert overflow(page) <= 0
    assert_no_complaints(page)
