"""Pixels to tensors in the browser: every number against torch, nothing sent while moving, mistakes really made."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.preprocessing_trials import preprocessing_trials
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled
from tests.server import ROOT

SAMPLES = ROOT / "assets" / "samples"


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def seen(classifier: cc.Classifier) -> cc.ModelInput:
    return classifier.preprocess(SAMPLES / "panda.jpg")


def instrument(page: Page) -> Locator:
    root = page.locator(".px")
    expect(root.locator(".whole")).to_contain_text("✓")
    return root


def point_at(page: Page, canvas: Locator, row: int, column: int, side: int) -> None:
    box = canvas.bounding_box()
    assert box is not None
    x, y = (column + 0.5) * box["width"] / side, (row + 0.5) * box["height"] / side
    canvas.hover(position={"x": x, "y": y})


def shown_values(root: Locator) -> list[float]:
    """The normalised numbers of the channels, as they stand on the page."""
    return [numbers(text)[0] for text in root.locator(".values .formula b").all_inner_texts()]


def test_pixels_are_the_tensors_numbers(new_page: NewPage, seen: cc.ModelInput) -> None:
    page = new_page("pixels")
    root = instrument(page)
    for row, column in [(3, 5), (100, 60), (223, 223)]:
        point_at(page, root.locator(".view"), row, column, 224)
        expect(root.locator(".where")).to_have_text(f"Row {row}, column {column}")
        # The page shows four significant digits.
        assert shown_values(root) == pytest.approx(seen.tensor[0, :, row, column].tolist(), rel=5e-4)
        bytes_shown = [int(text) for text in root.locator(".values .num.in").all_inner_texts()]
        assert bytes_shown == seen.shown_rgb[row, column].tolist()
        assert root.locator(".values .right").count() == 3
        for channel in range(3):
            expect(root.locator(".values")).to_contain_text(f"tensor[0, {channel}, {row}, {column}]")
    assert_no_complaints(page)


def test_nothing_is_sent_while_moving(new_page: NewPage) -> None:
    page = new_page("pixels")
    root = instrument(page)
    point_at(page, root.locator(".view"), 10, 10, 224)
    page.wait_for_timeout(300)
    frames(page).reset()
    for step in range(20):
        point_at(page, root.locator(".view"), 10 + 5 * step, 10 + 8 * step, 224)
    root.locator(".view").focus()
    for key in ("ArrowUp", "ArrowLeft", "Shift+ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    root.get_by_role("radio", name="R numbers").click()
    root.get_by_role("radio", name="as normalised numbers").click()
    root.get_by_role("button", name="Darkest pixel").click()
    page.wait_for_timeout(300)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_keys_move_pin_and_free(new_page: NewPage) -> None:
    page = new_page("pixels")
    root = instrument(page)
    root.get_by_role("button", name="Middle").click()
    root.locator(".view").focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    expect(root.locator(".where")).to_have_text("Row 103, column 113")
    page.keyboard.press("Enter")
    expect(root.locator(".pinned")).to_contain_text("pinned")
    settled(page)
    page.wait_for_url("**row=103**")
    assert parse_qs(urlparse(page.url).query)["column"] == ["113"]
    point_at(page, root.locator(".view"), 20, 20, 224)
    page.wait_for_timeout(200)
    expect(root.locator(".where")).to_have_text("Row 103, column 113")  # pinned: the mouse does not move it
    root.locator(".view").focus()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "row=" not in url)
    point_at(page, root.locator(".view"), 20, 20, 224)
    expect(root.locator(".where")).to_have_text("Row 20, column 20")
    assert_no_complaints(page)


def test_a_link_opens_at_its_pixel(new_page: NewPage) -> None:
    page = new_page("pixels?picture=dog&row=40&column=200")
    root = instrument(page)
    expect(root.locator(".where")).to_have_text("Row 40, column 200")


def test_the_steps_have_their_real_sizes(new_page: NewPage) -> None:
    page = new_page("pixels")
    sizes = [numbers(text) for text in instrument(page).locator(".step .size").all_inner_texts()]
    assert sizes == [[341, 512], [256, 384], [224, 224], [3, 224, 224]]


def test_lenet_reads_one_grey_plane(new_page: NewPage) -> None:
    seen = cc.load_model("lenet5", device="cpu").preprocess(SAMPLES / "panda.jpg")
    side = seen.shown_rgb.shape[0]
    page = new_page("pixels?model=lenet5")
    root = instrument(page)
    assert root.locator(".plane").count() == 1
    point_at(page, root.locator(".view"), 9, 21, side)
    expect(root.locator(".where")).to_have_text("Row 9, column 21")
    assert shown_values(root) == pytest.approx([float(seen.tensor[0, 0, 9, 21])], rel=5e-4)
    assert_no_complaints(page)


def test_sabotage_is_answered_after_the_guess(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("pixels")
    assert page.locator(".tr").count() == 0
    page.get_by_role("button", name="Lying on its side").click()
    settled(page)
    wanted = preprocessing_trials(classifier, cc.load_image(SAMPLES / "panda.jpg"))
    rows = page.locator(".tr .row")
    expect(rows).to_have_count(len(wanted.trials) + 1)
    for row in rows.all():
        key = row.get_attribute("data-key") or ""
        trial = wanted.right if key == "right" else wanted[key]
        # The server may use another number of threads: float32 sums in another order.
        assert float(row.get_attribute("data-probability") or "nan") == pytest.approx(
            trial.target_probability, abs=1e-4
        )
        assert int(row.get_attribute("data-top") or -1) == trial.top_index
        expect(row).to_contain_text(trial.top_name)
    shown = [float(row.get_attribute("data-probability") or "nan") for row in rows.all()][1:]
    assert shown == sorted(shown)
    assert_no_complaints(page)


def test_an_upload_is_read_and_its_notes_are_shown(new_page: NewPage, classifier: cc.Classifier) -> None:
    array = np.random.default_rng(2).integers(0, 256, (40, 200, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.fromarray(array).save(buffer, "PNG", exif=exif)
    page = new_page("pixels")
    instrument(page)
    page.locator('input[type="file"]').first.set_input_files(
        {"name": "wide.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    root = page.locator(".px")
    expect(root.locator(".notes")).to_contain_text("rotated by 90°")
    expect(root.locator(".step .size").first).to_have_text("200 rows × 40 columns")
    settled(page)
    seen = classifier.preprocess(cc.load_image(buffer.getvalue()))
    point_at(page, root.locator(".view"), 7, 150, 224)
    expect(root.locator(".where")).to_have_text("Row 7, column 150")
    assert shown_values(root) == pytest.approx(seen.tensor[0, :, 7, 150].tolist(), rel=5e-4)
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(new_page: NewPage, scheme: str) -> None:
    page = new_page("pixels", viewport=PHONE, color_scheme=scheme)
    root = instrument(page)
    assert overflow(page) == 0
    assert root.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
    assert root.get_attribute("data-mode") == scheme
    assert_no_complaints(page)
