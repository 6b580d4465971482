"""Grad-CAM in Chromium: numbers, files and pictures on the page against the library, keyboard, and silence on hover."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.covering import cover, square_at
from cnn_core.saliency import cam_all, on_trial

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"
# The page shows four significant digits.
SHOWN = 1e-3


@cache
def model(key: str = "mobilenet_v2") -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model(key)
    return classifier, cc.trace(classifier, PANDA)


def library(*, rectify: bool = False, **options: object) -> cc.SaliencyMap:
    classifier, trace = model()
    return cc.explain(classifier, trace.input, trace=trace, rectify=rectify, **options)


def seen(page: Page) -> Locator:
    return page.locator(".gc-seen canvas")


def overlay(page: Page) -> Locator:
    # After the guess the page may hold the old copy of the instrument for a moment: that one still waits.
    return page.locator('.gc[data-waiting="no"] .gc-map canvas')


def skip_guess(page: Page) -> None:
    page.get_by_role("button", name="Show it without a guess").click()
    expect(page.locator('.gc[data-waiting="no"] .gc-map')).to_be_visible()
    expect(page.locator(".gc-strip button").first).to_be_visible()
    settled(page)


def at(canvas: Locator, row: float, column: float, size: int = 224) -> dict[str, float]:
    """Where an input pixel lies on a canvas."""
    box = canvas.bounding_box()
    assert box is not None
    return {"x": box["width"] * column / size, "y": box["height"] * row / size}


def cell_centre(found: cc.SaliencyMap, row: int, column: int) -> tuple[float, float]:
    return tuple(min(max(v, 8.0), 216.0) for v in found.placement.centre(row, column))  # type: ignore[return-value]


def save(page: Page, button: str) -> bytes:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).first.click()
    path = started.value.path()
    return Path(path).read_bytes()


def slide(page: Page, selector: str, value: int) -> None:
    page.locator(selector).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )
    page.wait_for_timeout(120)


def test_guess_then_map_files_and_trial_are_the_librarys(new_page: NewPage) -> None:
    page = new_page("gradcam")
    expect(overlay(page)).not_to_be_visible()
    assert page.locator(".gc-strip").count() == 0
    frames(page).reset()
    seen(page).hover(position=at(seen(page), 60, 60))
    seen(page).hover(position=at(seen(page), 100, 120))
    assert frames(page).sent == 0
    seen(page).click(position=at(seen(page), 80, 40))
    expect(overlay(page)).to_be_visible()
    settled(page)

    found, kept = library(), library(rectify=True)
    classifier, trace = model()
    peak = kept.peak()
    assert peak is not None
    boxes = [square_at(*place, 32, (224, 224)) for place in ((80, 40), peak.position)]
    here, there = cover(classifier, trace, boxes)
    answer = page.locator('[data-testid="stAlert"]').filter(has_text="Where you clicked").inner_text()
    said = numbers(answer)
    # A click falls on a whole CSS pixel, so the covered square may lie one input pixel beside the one computed here.
    assert f"rank {1 + int((kept.values > kept.values[2, 1]).sum())} of 49" in answer
    assert said[0] == pytest.approx(float(kept.values[2, 1]), rel=SHOWN)
    assert said[-1] == pytest.approx(there.logit, abs=0.02)
    assert said[-3] == pytest.approx(float(trace.logits[388]), abs=0.006)
    assert said[-2] == pytest.approx(here.logit, abs=0.5)

    frames(page).reset()
    for row, column in ((0, 0), (2, 1), (3, 6), (6, 6)):
        overlay(page).hover(position=at(overlay(page), *cell_centre(found, row, column)))
        page.wait_for_timeout(60)
        readout = page.locator(".gc-readout").inner_text()
        assert readout.startswith(f"Cell row {row}, column {column}:")
        assert numbers(readout)[2] == pytest.approx(float(found.values[row, column]), rel=SHOWN)
        assert f"rank {1 + int((found.values > found.values[row, column]).sum())} of 49" in readout
    assert frames(page).sent == 0
    raw = numbers(page.locator(".gc-unit").inner_text())
    assert raw == pytest.approx([float(found.values.min()), float(found.values.max())], rel=SHOWN)
    assert numbers(page.locator(".gc-number").inner_text())[0] == pytest.approx(float(trace.logits[388]), rel=SHOWN)

    # The files hold the raw numbers.
    table = np.genfromtxt(io.BytesIO(save(page, "Save the numbers as CSV")), delimiter=",", names=True)
    np.testing.assert_array_equal(table["value"].astype(np.float32).reshape(7, 7), found.values)
    assert table["centre_row_px"][7] == found.placement.centre(1, 0)[0]
    stored = np.load(io.BytesIO(save(page, "All numbers (.npz)")))
    np.testing.assert_array_equal(stored["values"], found.values)
    assert str(stored["layer"]) == found.layer
    np.testing.assert_array_equal(stored["shown_rgb"], found.shown_rgb)

    # The trial's numbers.
    page.get_by_role("button", name="Run the trial").click()
    expect(page.locator(".trial-card")).to_have_count(5)
    result = on_trial(classifier, trace.input, kept)
    values = [numbers(text)[0] for text in page.locator(".trial-value").all_inner_texts()]
    expected = [
        result.before.logit, result.marked.logit, result.random_logit_mean, result.edges.logit, result.rest.logit
    ]  # fmt: skip
    assert values == pytest.approx(expected, rel=SHOWN)
    assert numbers(page.locator(".trial-value").nth(2).inner_text())[1] == pytest.approx(
        result.random_logit_spread, rel=0.01
    )
    expect(page.get_by_text(result.verdict.capitalize() + ".")).to_be_visible()
    expect(page.locator(".trial-card").nth(2)).to_contain_text("n = 5")
    assert_no_complaints(page)


def test_the_picture_saved_is_the_librarys_overlay(new_page: NewPage) -> None:
    page = new_page("gradcam?layer=features.13")
    skip_guess(page)
    frames(page).reset()

    def saved() -> np.ndarray:
        picture = np.asarray(Image.open(io.BytesIO(save(page, "Overlay alone (PNG)"))).convert("RGB")).astype(int)
        assert picture.shape == (896, 896, 3)
        blocks = picture.reshape(224, 4, 224, 4, 3)
        assert (blocks == blocks[:, :1, :, :1]).all(), "each input pixel is a square of whole pixels"
        return blocks[:, 0, :, 0]

    kept, both = library(rectify=True, layer="features.13"), library(layer="features.13")
    # One step of 255 for rounding, and for a share that falls just beside a colour's limit the next colour (4 steps).
    expected = kept.overlay(opacity=0.75).astype(int)
    assert np.abs(saved() - expected).max() <= 4 and np.abs(saved() - expected).mean() < 0.1
    slide(page, ".gc-opacity", 40)
    slide(page, ".gc-threshold", 30)
    page.get_by_role("radio", name="For and against").click()
    page.wait_for_timeout(120)
    expected = both.overlay(opacity=0.4, threshold=0.3).astype(int)
    difference = np.abs(saved() - expected)
    # Pixels exactly at the threshold may fall on either side of it.
    assert (difference > 4).mean() < 1e-3 and difference.mean() < 0.1
    page.get_by_role("radio", name="Naive").click()
    slide(page, ".gc-threshold", 0)
    expected = both.overlay(opacity=0.4, aligned=False).astype(int)
    difference = np.abs(saved() - expected)
    assert difference.max() <= 4 and difference.mean() < 0.1
    slide(page, ".gc-opacity", 0)
    np.testing.assert_array_equal(saved(), both.shown_rgb)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_keyboard_then_class_layer_and_method(new_page: NewPage) -> None:
    page = new_page("gradcam")
    seen(page).focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    # From the middle (112, 112), a sixteenth of the side (14 pixels) at a time.
    expect(page.locator(".gc-readout")).to_contain_text("Row 84, column 98")
    page.keyboard.press("Enter")
    expect(overlay(page)).to_be_visible()
    settled(page)
    frames(page).reset()
    overlay(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".gc-readout")).to_contain_text("Cell row 3, column 4:")
    page.keyboard.press("Enter")
    expect(page.locator(".gc-readout")).to_contain_text("Pinned")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".gc-readout")).to_contain_text("Cell row 4, column 4:")
    page.keyboard.press("Escape")
    expect(page.locator(".gc-readout")).to_contain_text("Strongest cell")
    assert frames(page).sent == 0

    page.get_by_role("button", name="brown bear").click()
    expect(page.locator(".gc-number")).to_contain_text("Logit of brown bear")
    other = library(target=294)
    expect(page.locator(".gc-unit")).to_contain_text(f"{other.values.max():#.4g}")
    assert "target=294" in page.url

    settled(page)
    page.locator(".gc-strip button").nth(3).click()
    expect(page.locator(".gc-map figcaption")).to_contain_text("14 × 14 cells")
    assert "layer=features.14.conv.0.2" in page.url
    expect(page.locator('.gc-strip button[aria-pressed="true"]')).to_contain_text("14 × 14")
    # CAM does not fit this layer, and says why.
    settled(page)
    page.get_by_test_id("stPopover").get_by_role("button").click()
    expect(page.get_by_role("button", name="CAM", exact=True)).to_be_disabled()
    expect(page.get_by_text("CAM reads only the maps that the head pools")).to_be_visible()
    assert_no_complaints(page)


@pytest.mark.long  # one link
def test_other_methods_lead_to_the_page_where_they_stand(new_page: NewPage) -> None:
    page = new_page("gradcam?method=hirescam&score=probability")
    expect(page.get_by_text("HiResCAM stands on the page “Methods on trial”")).to_be_visible()
    assert "score=probability" in page.url
    page.get_by_role("link", name="Open HiResCAM there").click()
    page.wait_for_url("**/saliency?**methods=gradcam%2Chirescam**")
    settled(page)
    page.get_by_role("button", name="Show the maps without a guess").click()
    expect(page.locator('.sal-tile[data-method^="hirescam:"]')).to_be_visible()
    expect(page.locator(".sal-seen figcaption").first).to_contain_text("Probability of giant panda")
    assert_no_complaints(page)


def test_links_reproduce_margin_and_cam(new_page: NewPage) -> None:
    page = new_page("gradcam?target=388&rival=294&method=cam")
    skip_guess(page)
    found = library(target=(388, 294), method="cam")
    expect(page.locator(".gc-number")).to_contain_text("Logit margin, giant panda rather than brown bear")
    expect(page.locator(".gc-map figcaption")).to_contain_text("CAM:")
    raw = numbers(page.locator(".gc-unit").inner_text())
    assert raw == pytest.approx([float(found.values.min()), float(found.values.max())], rel=SHOWN)


def test_wrong_addresses_get_a_sentence(new_page: NewPage) -> None:
    page = new_page("gradcam?target=5000&layer=nowhere&method=magic&rival=7000")
    expect(page.get_by_text("there is no class 5000")).to_be_visible()
    expect(page.get_by_text("'nowhere'").first).to_be_visible()
    expect(page.get_by_text("There is no method “magic”")).to_be_visible()
    expect(page.get_by_text("there is no class 7000")).to_be_visible()
    skip_guess(page)
    expect(page.locator(".gc-number")).to_contain_text("giant panda")
    # A layer without maps.
    page = new_page("gradcam?layer=classifier.1")
    expect(page.get_by_text("classifier.1 has no maps: its output is 1000 numbers")).to_be_visible()
    skip_guess(page)
    expect(page.locator(".gc-map figcaption")).to_contain_text("7 × 7 cells")
    assert_no_complaints(page)


def test_a_map_without_evidence_says_so(new_page: NewPage) -> None:
    classifier, trace = model()
    greatest = cam_all(classifier, trace).max(axis=(1, 2))
    target = int(greatest.argmin())
    assert greatest[target] < 0, "some class of a thousand has no evidence at all in a panda"
    page = new_page(f"gradcam?target={target}")
    skip_guess(page)
    expect(page.locator(".gc-high")).to_have_text("nothing to show")
    expect(page.locator(".gc-readout")).to_contain_text("No cell speaks for")
    expect(page.get_by_role("button", name="Run the trial")).to_be_disabled()
    page.get_by_role("radio", name="For and against").click()
    expect(page.locator(".gc-low")).to_contain_text("−")


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
@pytest.mark.parametrize(("scheme", "key"), [("light", "squeezenet1_1"), ("dark", "lenet5")])
def test_phone_and_networks_without_a_pooled_linear_head(new_page: NewPage, scheme: str, key: str) -> None:
    page = new_page(f"gradcam?model={key}&method=cam", viewport=PHONE, color_scheme=scheme)
    expect(page.get_by_text("CAM needs a head of global pooling and one linear layer")).to_be_visible()
    assert overflow(page) <= 0
    seen(page).tap(position=at(seen(page), 90, 60)) if page.evaluate("'ontouchstart' in window") else seen(page).click(
        position=at(seen(page), 90, 60)
    )
    expect(overlay(page)).to_be_visible()
    settled(page)
    assert overflow(page) <= 0
    assert_no_complaints(page)
