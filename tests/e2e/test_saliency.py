"""Methods on trial in Chromium: one cursor in all maps, placement, files, five experiments, against the library."""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.covering import cover, square_at
from cnn_core.marked_squares import mark_of_square
from cnn_core.saliency import agreement, cam_all, faithfulness, on_trial, sanity_check, stability

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
SHOWN = 1e-3  # the page shows four significant digits
# By what only the wall of all maps has, and only once it has drawn them: the page holds a second wall, of two layers.
WALL = '.sal[data-name="cl_saliency"][data-waiting="no"]'


@cache
def model(key: str = "mobilenet_v2", picture: str = "panda.jpg") -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model(key)
    return classifier, cc.trace(classifier, SAMPLES / picture)


def library(method: str, key: str = "mobilenet_v2", picture: str = "panda.jpg", **options: object) -> cc.SaliencyMap:
    classifier, trace = model(key, picture)
    return cc.explain(classifier, trace.input, trace=trace, method=method, **{"rectify": False, **options})


def skip_guess(page: Page) -> None:
    page.get_by_role("button", name="Show the maps without a guess").click()
    expect(page.locator(f"{WALL} .sal-tile").first).to_be_visible()
    expect(page.locator('.sal[data-part="layers"] button').first).to_be_visible()
    settled(page)


def tile(page: Page, method: str) -> Locator:
    return page.locator(WALL).locator(f'.sal-tile[data-method^="{method}:"]')


def at(canvas: Locator, row: float, column: float, size: int = 224) -> dict[str, float]:
    """Where the middle of an input pixel lies on a canvas."""
    box = canvas.bounding_box()
    assert box is not None
    return {"x": box["width"] * (column + 0.5) / size, "y": box["height"] * (row + 0.5) / size}


def value(page: Page, method: str) -> float:
    return numbers(tile(page, method).locator(".sal-value").inner_text())[0]


def save(page: Page, button: Locator) -> bytes:
    with page.expect_download() as started:
        button.click()
    return Path(started.value.path()).read_bytes()


def done(page: Page) -> None:
    """Wait until no work is under way."""
    page.wait_for_timeout(600)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=60_000)
    settled(page)


def test_one_cursor_reads_the_librarys_numbers_in_all_maps(new_page: NewPage) -> None:
    page = new_page("saliency")
    expect(page.locator(".sal-tile")).to_have_count(0)
    picture = page.locator(".sal-ask canvas")
    frames(page).reset()
    picture.hover(position=at(picture, 60, 60))
    assert frames(page).sent == 0
    picture.click(position=at(picture, 80, 40))
    expect(page.locator(WALL).locator(".sal-tile")).to_have_count(5)
    settled(page)

    methods = ("gradcam", "layercam", "gradient", "guided_backprop")
    raw = {method: library(method) for method in methods}
    kept = {method: library(method, rectify=True) for method in methods}
    drawn = {method: made.upsampled() for method, made in kept.items()}
    # The answer: each map's square against all squares, and what greying them does.
    classifier, trace = model()
    marks = {method: mark_of_square(made, 80.5, 40.5, 32) for method, made in kept.items()}
    shares = numbers(page.get_by_text("Share of all squares of this size").inner_text())
    # A click falls on a whole CSS pixel, which may be the input pixel beside the one meant: 1 percentage point.
    assert shares == pytest.approx([100 * marks[method].percentile for method in methods], abs=1.5)
    boxes = [square_at(*marks[method].best, 32, (224, 224)) for method in methods]
    expected = [one.logit for one in cover(classifier, trace, boxes)]
    shown = [numbers(text)[0] for text in page.locator(".trial-value").all_inner_texts()]
    assert shown[0] == pytest.approx(float(trace.logits[388]), rel=SHOWN)
    assert shown[2:] == pytest.approx(expected, rel=SHOWN)

    frames(page).reset()
    for row, column in ((12, 15), (100, 60), (211, 208)):
        canvas = tile(page, "gradient").locator("canvas").first
        canvas.hover(position=at(canvas, row, column))
        page.wait_for_timeout(60)
        said = page.locator(".sal-readout").first.inner_text()
        assert said.startswith(f"Row {row}, column {column}:")
        for method in methods:
            assert value(page, method) == pytest.approx(float(drawn[method][row, column]), rel=SHOWN, abs=1e-12)
    # Keyboard: from the middle in steps of a 28th, with Shift of one pixel; Enter pins, Escape frees.
    page.mouse.move(5, 5)
    tile(page, "gradcam").locator("canvas").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".sal-readout").first).to_contain_text("Row 103, column 120 (pinned)")
    assert value(page, "layercam") == pytest.approx(float(drawn["layercam"][103, 120]), rel=SHOWN)
    # Both signs, and cells instead of interpolation.
    page.get_by_role("radio", name="For and against").first.click()
    page.get_by_role("radio", name="Cells").first.click()
    page.wait_for_timeout(120)
    placed = raw["gradcam"].placement
    cell = tuple(round((p + 0.5 - o) / s) for p, o, s in zip((103, 120), placed.offset, placed.stride, strict=True))
    assert value(page, "gradcam") == pytest.approx(float(raw["gradcam"].values[cell]), rel=SHOWN)
    page.get_by_role("radio", name="Smooth").first.click()
    assert frames(page).sent == 0
    # Naive placement slides the deep maps and is kept in the address.
    page.get_by_role("radio", name="Naive").first.click()
    expect(tile(page, "gradcam").locator("figcaption")).to_contain_text("drawn 15.5 px too far down")
    page.wait_for_url("**placement=naive**")
    settled(page)
    naive = raw["gradcam"].upsampled(aligned=False)
    assert value(page, "gradcam") == pytest.approx(float(naive[103, 120]), rel=SHOWN)
    page.keyboard.press("Escape")
    assert_no_complaints(page)


def test_scales_pictures_and_a_map_that_says_nothing(new_page: NewPage) -> None:
    page = new_page("saliency?methods=gradcam,layercam,gradient&score=probability&rival=294&placement=naive")
    skip_guess(page)
    made = {m: library(m, target=(388, 294), score="probability", rectify=True) for m in ("gradcam", "layercam")}
    expect(page.locator(".sal-seen figcaption").first).to_contain_text("Probability margin, giant panda rather than")
    frames(page).reset()

    def limit(method: str) -> float:
        return numbers(tile(page, method).locator(".sal-high").inner_text())[0]

    for method, one in made.items():
        assert limit(method) == pytest.approx(float(one.values.max()), rel=0.006)  # three digits
    page.get_by_role("radio", name="Picture", exact=True).first.click()
    page.wait_for_timeout(120)
    png = save(page, page.get_by_role("button", name="Save the picture of LayerCAM as PNG"))
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)[::4, ::4]
    expected = made["layercam"].overlay(opacity=0.85, aligned=False).astype(int)
    # One step of 255 for rounding, and for a share beside a colour's limit the next colour (4 steps).
    assert np.abs(picture - expected).max() <= 5 and np.abs(picture - expected).mean() < 0.2
    page.get_by_role("radio", name="All shown").first.click()
    page.wait_for_timeout(120)
    assert limit("gradcam") == limit("layercam") == limit("gradient")
    page.get_by_role("radio", name="Fixed").first.click()
    page.wait_for_timeout(120)
    before = limit("gradcam")
    assert before == pytest.approx(float(made["gradcam"].values.max()), rel=0.006)
    assert frames(page).sent == 0
    # Another picture, of the same class, keeps the limits that were fixed.
    page.get_by_role("radio", name="Polar bear").click()
    expect(page.locator(".sal-ask")).to_be_visible()
    skip_guess(page)
    expect(page.locator(f"{WALL} .sal-note")).to_contain_text("Limits kept from")
    assert limit("gradcam") == pytest.approx(before, rel=1e-6)
    # The numbers of one map, from its card.
    page.get_by_text("What each method computes").click()
    stored = np.load(io.BytesIO(save(page, page.get_by_role("button", name="All numbers (.npz)").first)))
    top = int(model(picture="polar_bear.jpg")[1].logits.argmax())
    there = library("gradcam", picture="polar_bear.jpg", target=(top, 294), score="probability")
    np.testing.assert_allclose(stored["values"], there.values, rtol=1e-4, atol=1e-7)
    assert_no_complaints(page)

    # A class that nothing in a panda speaks for: the map says so instead of stretching noise.
    empty = int(cam_all(*model()).max(axis=(1, 2)).argmin())
    page = new_page(f"saliency?methods=gradcam&target={empty}")
    skip_guess(page)
    expect(tile(page, "gradcam").locator(".sal-nothing")).to_contain_text("No cell speaks for")
    expect(page.get_by_text("No map on the wall marks anything")).to_be_visible()
    assert_no_complaints(page)


def test_the_five_experiments_say_what_the_library_says(new_page: NewPage) -> None:
    page = new_page("saliency?model=lenet5&picture=digit_7&methods=gradcam,layercam,occlusion&options=occlusion.size~8")
    skip_guess(page)
    expect(tile(page, "occlusion")).to_have_count(0)
    # A method's own options: one from the address, one by its control.
    page.get_by_role("button", name="Options, 1 changed").click()
    expect(page.get_by_role("textbox", name="Size")).to_have_value("8")
    page.get_by_role("textbox", name="Stride").fill("3")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("occlusion.stride(~|%7E)3"))
    page.keyboard.press("Escape")
    settled(page)
    page.get_by_role("button", name="Compute Occlusion").click()
    expect(tile(page, "occlusion")).to_be_visible()
    done(page)
    options = {"key": "lenet5", "picture": "digit_7.png"}
    classifier, trace = model(**options)
    seen = trace.input
    assert seen is not None
    own = {"gradcam": {}, "layercam": {}, "occlusion": {"size": 8, "stride": 3}}
    maps = {method: library(method, **options, **own[method]) for method in own}
    claims = {method: library(method, **options, **own[method], rectify=True) for method in maps}
    expect(tile(page, "occlusion").locator("figcaption")).to_contain_text("Set: size 8, stride 3")
    high = numbers(tile(page, "occlusion").locator(".sal-high").inner_text())[0]
    assert high == pytest.approx(float(claims["occlusion"].values.max()), rel=0.006)

    page.get_by_role("button", name="Remove and ask again").click()
    rows = page.locator('.sal[data-part="removal"] .sal-row:not(.head-row)')
    expect(rows).to_have_count(3)
    for i, claim in enumerate(claims.values()):
        result = on_trial(classifier, seen, claim)
        said = numbers(rows.nth(i).locator(".numbers").first.inner_text())
        random = [reading.logit for reading in result.random]
        assert said[:3] == pytest.approx([result.before.logit, result.marked.logit, np.mean(random)], rel=SHOWN)
        assert said[3:5] == pytest.approx([min(random), max(random)], rel=0.006, abs=0.006)
        assert said[5] == pytest.approx(result.edges.logit, rel=SHOWN)
        expect(rows.nth(i)).to_contain_text(result.verdict)
    done(page)

    stored = np.load(io.BytesIO(save(page, page.get_by_role("button", name="All numbers (.npz)").first)))
    first = on_trial(classifier, seen, claims["gradcam"])
    assert stored["logit"][1] == pytest.approx(first.marked.logit, rel=1e-6)
    chart = save(page, page.get_by_role("button", name="Chart (PNG)").first)
    assert Image.open(io.BytesIO(chart)).format == "PNG"

    page.get_by_role("tab", name="Deletion and insertion").click()
    page.get_by_role("button", name="Draw the curves of Grad-CAM").click()
    plots = page.locator('.sal[data-part="curves"] .sal-plot svg')
    expect(plots.first).to_be_visible()
    done(page)
    found = faithfulness(classifier, seen, claims["gradcam"])
    table = [numbers(row) for row in page.locator('.sal[data-part="curves"] tbody tr').all_inner_texts()]
    assert table[0] == pytest.approx([found.deletion.logit_area, found.insertion.logit_area], rel=SHOWN)
    frames(page).reset()
    plots.first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    readout = page.locator('.sal[data-part="curves"] .readout')
    expect(readout).to_contain_text("30 % removed")
    band = found.band("deletion")
    said = numbers(readout.inner_text())
    assert said[1:3] == pytest.approx([found.deletion.logit[3], band[1, 3]], rel=SHOWN)
    page.get_by_role("radio", name="Probability", exact=True).last.click()
    table = [numbers(row) for row in page.locator('.sal[data-part="curves"] tbody tr').all_inner_texts()]
    assert table[0] == pytest.approx([found.deletion.area, found.insertion.area], rel=SHOWN)
    csv = save(page, page.locator('.sal[data-part="curves"] + .cl-saves .save-csv')).decode().splitlines()
    assert len(csv) == 1 + 2 * 5 * 11
    assert float(csv[3].split(",")[3]) == pytest.approx(found.deletion.logit[2], rel=1e-6)
    assert frames(page).sent == 0

    page.get_by_role("tab", name="Randomise the weights").click()
    page.get_by_role("button", name="Randomise the weights under").click()
    steps = page.locator('.sal[data-part="sanity"] .sal-step')
    check = sanity_check(classifier, seen, "gradcam", steps=6)
    expect(steps).to_have_count(1 + len(check.steps))
    expect(page.get_by_text(check.sentence.split(":")[-1].strip())).to_be_visible()
    page.locator('.sal[data-part="sanity"] svg').first.focus()
    page.keyboard.press("End")
    expect(page.locator('.sal[data-part="sanity"] .readout')).to_contain_text(f"down to {check.steps[-1].operation}")
    done(page)

    page.get_by_role("tab", name="Add noise").click()
    page.get_by_role("button", name="Add noise under").click()
    steps = page.locator('.sal[data-part="stability"] .sal-step')
    noisy = stability(classifier, seen, "gradcam", noise=8.0)
    expect(steps).to_have_count(6)
    said = numbers(steps.nth(2).locator(".small").inner_text())
    assert said[-1] == pytest.approx(float(noisy.target_values[1]), rel=SHOWN)
    assert said[-2] == pytest.approx(float(noisy.spearman[1]), abs=0.006)
    done(page)

    page.get_by_role("tab", name="Agreement").click()
    matrix = agreement(list(maps.values())).matrix
    cells = page.locator('.sal[data-part="matrix"] tbody td')
    expect(cells).to_have_count(9)
    assert [numbers(text)[0] for text in cells.all_inner_texts()] == pytest.approx(list(matrix.ravel()), abs=0.006)
    frames(page).reset()
    cells.first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('.sal[data-part="matrix"] .readout')).to_contain_text("LayerCAM and Grad-CAM: rank correlation")
    assert frames(page).sent == 0
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_and_addresses_that_do_not_fit(new_page: NewPage, scheme: str) -> None:
    addresses = {
        "light": "model=squeezenet1_1&methods=cam,gradcam,magic&layer=softmax&options=rise.masks~1",
        "dark": "model=lenet5&picture=digit_7",
    }
    page = new_page(f"saliency?{addresses[scheme]}", viewport=PHONE, color_scheme=scheme)
    assert overflow(page) <= 0
    if scheme == "light":
        expect(page.get_by_text("There is no method “magic”")).to_be_visible()
        expect(page.get_by_text("softmax has no maps: its output is 1000 numbers")).to_be_visible()
        expect(page.get_by_text("masks must be a whole number from 2 to 20000, and is 1")).to_be_visible()
    skip_guess(page)
    assert overflow(page) <= 0
    if scheme == "light":
        expect(page.get_by_text("CAM has no map here").first).to_be_visible()
    page.locator('.sal[data-part="layers"] button').first.click()
    page.wait_for_url("**layer=**")
    settled(page)
    expect(page.locator('.sal[data-part="layers"] button[aria-pressed="true"]')).to_have_count(1)
    assert_no_complaints(page)
