"""The frame in a real browser: deep links on a fresh server, Home before torch, pictures of one's own, the theme."""

from __future__ import annotations

import io
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import cnn_core as cc
from tests import server
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, overflow, settled
from tests.test_pages import WITHOUT_PICTURE
from tests.visitors import Visitor
from ui import shell


def picture_file() -> dict[str, object]:
    """A picture that nobody else has: a red disc on green, 90 x 120 pixels."""
    rows, columns = np.mgrid[:90, :120]
    disc = (rows - 45) ** 2 + (columns - 60) ** 2 < 30**2
    rgb = np.where(disc[..., None], (200, 40, 40), (40, 160, 60)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return {"name": "disc.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def upload(page: Page, file: dict[str, object]) -> None:
    page.locator('[data-testid="stSidebar"] input[type="file"]').set_input_files(file)  # type: ignore[arg-type]
    settled(page)


def test_home_moves_and_asks_nobody_else(page: Page) -> None:
    expect(page.get_by_role("heading", name="See inside a convolutional network")).to_be_visible()
    reading = page.locator(".hero .readout")
    before = reading.inner_text()
    sent = frames(page).sent
    page.wait_for_timeout(600)
    assert reading.inner_text() != before, "the living picture moves"
    assert frames(page).sent == sent, "and tells the server nothing"
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(100)
    still = reading.inner_text()
    page.wait_for_timeout(300)
    assert reading.inner_text() == still
    assert_no_complaints(page)


def test_home_is_still_under_reduced_motion(new_page: NewPage) -> None:
    page = new_page("", reduced_motion="reduce")
    reading = page.locator(".hero .readout")
    before = reading.inner_text()
    page.wait_for_timeout(400)
    assert reading.inner_text() == before


def test_the_hero_is_what_the_network_computes() -> None:
    from ui import hero_data

    stored, computed = hero_data.load(), hero_data.compute()
    assert np.array_equal(stored["photograph"], computed["photograph"])
    # Another processor may order a sum of 27 products differently: a few roundings of float32.
    assert np.allclose(stored["map"], computed["map"], rtol=1e-5, atol=1e-5)


@pytest.mark.long  # tests/e2e/test_course.py sees every lesson at this width
@pytest.mark.parametrize(("place", "key"), enumerate(entry.key for entry in shell.PAGES))
def test_pages_fit_a_phone_and_complain_of_nothing(new_page: NewPage, place: int, key: str) -> None:
    scheme = ("light", "dark")[place % 2]  # colours change no widths
    page = new_page("" if key == "home" else key, viewport=PHONE, color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(500)
    assert overflow(page) <= 0
    # A window of 1440 pixels at 200 % zoom is one of 720.
    page.set_viewport_size({"width": 720, "height": 450})
    page.wait_for_timeout(200)
    assert overflow(page) <= 0
    assert_no_complaints(page)


def test_deep_links_on_a_fresh_server_open_their_pages(chrome: Browser, tmp_path: Path) -> None:
    """Several visitors at once, while torch is still being imported."""
    links = {
        "features?layer=features.3&picture=koala": "Feature maps",
        "kernel": "Convolution kernel",
        "pixels?model=lenet5": "Pixels to tensors",
        "": "See inside a convolutional network",
    }
    with server.running(tmp_path / "server.log") as url:
        pages = {link: chrome.new_page() for link in links}
        for link, page in pages.items():
            page.goto(f"{url}/{link}", wait_until="commit")
        for link, page in pages.items():
            heading = page.get_by_role("heading", name=links[link], level=1)
            expect(heading).to_be_visible(timeout=90_000)
            settled(page)
            assert page.get_by_text("encountered an error").count() == 0
        assert "features.3" in pages["features?layer=features.3&picture=koala"].url
        # The navigation is the new one, for these visitors and for the next.
        page = pages["kernel"]
        page.goto(url)
        expect(page.get_by_role("heading", name="See inside a convolutional network")).to_be_visible()
        for page in pages.values():
            page.close()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_health(server_url: str) -> None:
    with urllib.request.urlopen(f"{server_url}/_stcore/health", timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.long  # tests/e2e/test_course.py walks the same way with a sample
def test_walk_through_the_lessons_with_a_picture_of_ones_own(new_page: NewPage) -> None:
    page = new_page("pixels")
    upload(page, picture_file())
    expect(page.get_by_text("disc.png, 120 × 90 pixels")).to_be_visible()
    assert "picture=" not in page.url, "an upload never stands in a link"
    following = shell.course()[1:]
    for lesson in following:
        page.locator(".st-key-cl-next a").click()
        expect(page.get_by_role("heading", name=lesson.title, level=1, exact=True)).to_be_visible()
        settled(page)
        if lesson.key not in WITHOUT_PICTURE:
            expect(page.get_by_text("disc.png, 120 × 90 pixels")).to_be_visible()
    assert_no_complaints(page)


def test_a_file_that_is_no_picture_gets_one_sentence(new_page: NewPage) -> None:
    page = new_page("pixels?picture=koala")
    upload(page, {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture at all"})
    alert = page.locator('[data-testid="stAlert"]').filter(has_text="The picture before stays.")
    expect(alert).to_be_visible()
    expect(page.get_by_text("Koala, ")).to_be_visible()
    assert_no_complaints(page)


def test_picking_a_sample_by_keyboard(new_page: NewPage) -> None:
    page = new_page("pixels")
    page.locator('.picker .thumbs [aria-checked="true"]').focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    expect(page.locator('.picker .thumbs [aria-checked="true"]')).to_have_attribute("aria-label", "German shepherd")
    assert "picture=dog" in page.url


def test_predictions_on_the_page_are_the_networks(server_url: str) -> None:
    """What the issue asks to be seen: six shipped photographs, right at 0.9 or more, the same on the page."""
    from cnn_core.samples import list_samples

    model = cc.load_model("mobilenet_v2")
    samples = {sample.key: sample for sample in list_samples()}
    for key in ("panda", "polar_bear", "scarlet_macaw", "dog", "koala", "bison"):
        best = cc.trace(model, cc.load_image(samples[key].path)).top(1)[0]
        assert best.probability >= 0.9
        with Visitor(server_url, f"gradcam?picture={key}") as visitor:
            visitor.find("button", f"{best.name} {best.probability:.2f}".replace(" 0.", " ."))
            assert not visitor.broken
