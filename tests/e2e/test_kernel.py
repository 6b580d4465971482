"""The kernel page in Chromium: its numbers against torch, its keys, and no message while pointing or playing."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.kernels import Region, convolve, kernel_preset, luminance, torch_convolve
from cnn_core.samples import list_samples
from tests.e2e.conftest import (
    PHONE,
    NewPage,
    assert_no_complaints,
    frames,
    numbers,
    overflow,
    settled,
)

PANDA = next(sample.path for sample in list_samples() if sample.key == "panda")
# The page shows four significant digits.
FOUR_DIGITS = 6e-4


def region_values() -> np.ndarray:
    """The 48 x 48 numbers that the page opens with, from the picture itself."""
    rgb = cc.load_image(PANDA).thumbnail(256)
    return Region.centred(rgb.shape[0], rgb.shape[1], 48).values(luminance(rgb))


def readout(page: Page, mode: str = "kernel") -> str:
    return page.locator(f".{mode}-mode .readout").inner_text()


def output(page: Page) -> Locator:
    return page.locator(".output-map > canvas")


def downloaded(page: Page) -> np.ndarray:
    with page.expect_download() as download:
        page.locator(".save-csv").first.click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    return np.array(rows, dtype=np.float64)


@pytest.fixture
def kernel(new_page: NewPage) -> Page:
    page = new_page("kernel")
    expect(page.locator(".truth")).to_contain_text("equal torch")
    return page


def test_the_whole_map_is_torchs(kernel: Page) -> None:
    expected = torch_convolve(region_values(), kernel_preset("vertical-edge").weights)
    shown = downloaded(kernel)
    assert shown.shape == (46, 46)
    # torch computes in float32, the browser in float64.
    np.testing.assert_allclose(shown, expected, rtol=0, atol=2e-6)
    exact = convolve(region_values(), kernel_preset("vertical-edge").weights)
    np.testing.assert_allclose(shown, exact, rtol=0, atol=1e-12)
    expect(kernel.locator(".truth")).to_contain_text("2116 numbers equal torch")
    assert_no_complaints(kernel)


def test_arrows_pick_cells_and_their_numbers_add_up(kernel: Page) -> None:
    canvas = output(kernel)
    canvas.focus()
    kernel.keyboard.press("Home")
    values, weights = region_values(), np.array(kernel_preset("vertical-edge").weights)
    expected = convolve(values, weights)
    seen = frames(kernel)
    seen.reset()
    for key, (row, column) in {
        "ArrowDown": (1, 0),
        "ArrowRight": (1, 1),
        "End": (45, 45),
        "ArrowLeft": (45, 44),
    }.items():
        kernel.keyboard.press(key)
        expect(kernel.locator(".kernel-mode .readout")).to_contain_text(f"row {row}, column {column}: 9 products")
        value = numbers(readout(kernel))[-1]
        assert value == pytest.approx(expected[row, column], rel=FOUR_DIGITS, abs=1e-7)
        products = [numbers(text)[0] for text in kernel.locator(".kernel-mode .products .cell").all_inner_texts()]
        window = values[row : row + 3, column : column + 3]
        np.testing.assert_allclose(np.reshape(products, (3, 3)), window * weights, rtol=0, atol=5e-4)
    assert seen.sent == 0


def test_pointing_playing_and_scrubbing_send_nothing(kernel: Page) -> None:
    canvas = output(kernel)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    seen = frames(kernel)
    seen.reset()
    kernel.mouse.move(box["x"] + 20, box["y"] + 20)
    before = readout(kernel)
    kernel.mouse.move(box["x"] + box["width"] - 30, box["y"] + 60, steps=25)
    expect(kernel.locator(".kernel-mode .readout")).not_to_have_text(before)
    kernel.locator(".kernel-mode .play").click()
    expect(kernel.locator(".kernel-mode .play")).to_contain_text("Pause")
    kernel.wait_for_timeout(800)
    kernel.locator(".kernel-mode .play").click()
    expect(kernel.locator(".kernel-mode .play")).to_contain_text("Play")
    played = int(kernel.locator(".scrub").input_value())
    assert 5 <= played < 2115
    kernel.locator(".kernel-mode .step").click()
    assert int(kernel.locator(".scrub").input_value()) == played + 1
    kernel.locator(".scrub").fill("46")
    expect(kernel.locator(".kernel-mode .readout")).to_contain_text("row 1, column 0")
    assert seen.sent == 0
    assert_no_complaints(kernel)


def test_frames_come_fast_enough_while_playing(kernel: Page) -> None:
    kernel.locator(".speed").fill("7")
    measure = """() => new Promise((done) => {
            const gaps = []; let last = performance.now();
            const tick = (now) => {
              gaps.push(now - last);
              last = now;
              gaps.length < 60 ? requestAnimationFrame(tick) : done(gaps);
            };
            requestAnimationFrame(tick);
        })"""
    idle = float(np.median(kernel.evaluate(measure)))
    kernel.locator(".kernel-mode .play").click()
    playing = float(np.median(kernel.evaluate(measure)))
    assert int(kernel.locator(".scrub").input_value()) > 0
    # 60 a second are 16.7 ms; where the machine itself has no time for that, playing must not make it worse.
    assert playing <= max(20.0, 1.3 * idle)


def test_an_edited_kernel_is_checked_again_shared_and_undone(kernel: Page) -> None:
    middle = kernel.get_by_label("Weight in row 1, column 1")
    middle.fill("1/4")
    middle.press("Tab")
    weights = np.array(kernel_preset("vertical-edge").weights, dtype=np.float64)
    weights[1, 1] = 0.25
    expect(kernel.locator(".truth")).to_contain_text("equal torch")
    np.testing.assert_allclose(downloaded(kernel), convolve(region_values(), weights), rtol=0, atol=1e-12)
    settled(kernel)
    assert "weights%3A-1%3A0%3A1%3A-2%3A0.25" in kernel.url
    middle.press("ArrowUp")
    expect(middle).to_have_value("0.35")
    middle.fill("nonsense")
    expect(middle).to_have_attribute("aria-invalid", "true")
    expect(kernel.locator(".kernel-mode .readout")).to_contain_text("is not a number")
    middle.press("Escape")
    expect(middle).to_have_value("0.35")
    kernel.locator(".kernel-mode .undo").click()
    kernel.locator(".kernel-mode .undo").click()
    expect(middle).to_have_value("0")
    np.testing.assert_allclose(
        downloaded(kernel), convolve(region_values(), kernel_preset("vertical-edge").weights), rtol=0, atol=1e-12
    )
    assert_no_complaints(kernel)


def test_settings_from_a_link_and_the_formula(new_page: NewPage) -> None:
    page = new_page("kernel?kernel=laplacian&stride=3&padding=2&dilation=4")
    expect(page.locator(".truth")).to_contain_text("equal torch")
    expected = convolve(region_values(), kernel_preset("laplacian").weights, stride=3, padding=2, dilation=4)
    formula = page.locator(".formula").inner_text()
    assert "⌊(48 + 2·2 − 4·(3 − 1) − 1) / 3⌋ + 1 = 15" in re.sub(r"\s+", " ", formula)
    assert expected.shape == (15, 15)
    np.testing.assert_allclose(downloaded(page), expected, rtol=0, atol=1e-12)
    output(page).focus()
    page.keyboard.press("Home")
    expect(page.locator(".kernel-mode .readout")).to_contain_text("are padding, so 0")
    assert page.locator(".kernel-mode .window .pad").count() == 5  # three above, two to the left


def test_a_setting_without_output_is_a_sentence(kernel: Page) -> None:
    kernel.get_by_role("radio", name="12", exact=True).click()
    for _ in range(6):
        kernel.get_by_label("dilation up").click()
    expect(kernel.locator(".refusal")).to_contain_text("No output: the kernel spans 15 cells")
    expect(kernel.locator(".truth")).to_contain_text("refuses this setting too")
    expect(kernel.locator(".kernel-mode .play")).to_be_disabled()
    kernel.get_by_label("dilation down").click()
    kernel.get_by_label("dilation down").click()
    expect(kernel.locator(".refusal")).to_be_hidden()
    expect(kernel.locator(".truth")).to_contain_text("equal torch")
    assert_no_complaints(kernel)


def test_digits_and_the_frame(kernel: Page) -> None:
    kernel.get_by_role("radio", name="digit 7").click()
    expect(kernel.locator(".input-map .size")).to_have_text("28 × 28")
    expect(kernel.locator(".truth")).to_contain_text("676 numbers equal torch")
    kernel.get_by_role("radio", name="Your picture", exact=True).click()
    before = downloaded(kernel)
    kernel.locator(".picture").focus()
    kernel.keyboard.press("ArrowDown")
    # One press moves the frame by one cell, so its map moves up by one row.
    np.testing.assert_allclose(downloaded(kernel)[:-1], before[1:], rtol=0, atol=1e-12)
    expect(kernel.locator(".truth")).to_contain_text("equal torch")


def test_the_frame_is_dragged_without_a_message(kernel: Page) -> None:
    before = downloaded(kernel)  # this scrolls to the button, so it comes before the frame is measured
    frame = kernel.locator(".picture")
    # To the middle of the window: at its top the page's own bar would lie over the frame.
    frame.evaluate("element => element.scrollIntoView({ block: 'center', behavior: 'instant' })")
    frame.hover()
    box = frame.bounding_box()
    assert box
    seen = frames(kernel)
    seen.reset()
    kernel.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    kernel.mouse.down()
    kernel.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2, steps=12)
    assert seen.sent == 0  # the server hears of it when the hand rests
    kernel.mouse.up()
    expect(kernel.locator(".picture")).to_have_attribute("aria-label", re.compile("column 0"))
    moved = downloaded(kernel)
    rgb = cc.load_image(PANDA).thumbnail(256)
    region = Region.centred(rgb.shape[0], rgb.shape[1], 48)
    left = Region(region.top, 0, 48, 48, region.zoom).values(luminance(rgb))
    np.testing.assert_allclose(moved, convolve(left, kernel_preset("vertical-edge").weights), rtol=0, atol=1e-12)
    assert np.abs(moved - before).max() > 0.1
    kernel.locator(".kernel-mode .undo").click()
    np.testing.assert_array_equal(downloaded(kernel), before)


def test_guess_and_tests(kernel: Page) -> None:
    answers = np.abs(convolve(region_values(), kernel_preset("horizontal-edge").weights, padding=1))
    kernel.get_by_role("button", name="A", exact=True).click()
    settled(kernel)
    told = kernel.get_by_text("Mean size of its answers").inner_text()
    a, b, c = numbers(told)[:3]
    assert max(a, b, c) == pytest.approx(
        max(answers[r : r + 12, k : k + 12].mean() for r in (1, 13, 25) for k in (1, 13, 25)), abs=6e-4
    )
    kernel.get_by_text("Move it", exact=True).click()
    kernel.get_by_text("Shuffle them", exact=True).click()
    expect(kernel.get_by_text("The map moved with it")).to_be_visible()
    expect(kernel.get_by_text("the largest difference is 0")).to_be_visible()
    expect(kernel.get_by_text("The pattern is lost")).to_be_visible()
    assert_no_complaints(kernel)


@pytest.fixture(scope="module")
def mobilenet() -> tuple[cc.Classifier, cc.Trace]:
    model = cc.load_model("mobilenet_v2")
    return model, cc.trace(model, model.preprocess(PANDA))


LOCAL, REMOTE = "features.14.conv.2", "features.3.conv.2"  # the first one's whole input fits into the payload


@pytest.mark.parametrize("layer", [LOCAL, REMOTE])
def test_a_real_unit_from_a_link(new_page: NewPage, mobilenet: tuple[cc.Classifier, cc.Trace], layer: str) -> None:
    model, trace = mobilenet
    page = new_page(f"kernel?layer={layer}&channel=5&row=3&column=2")
    unit = cc.explain_unit(model, trace, layer, (5, 3, 2))
    top, count, rest = unit.ranked(6)
    expect(page.locator(".unit-mode .readout")).to_contain_text("row 3, column 2")
    assert f"= {unit.value:#.4g}".replace("-", "−") in readout(page, "unit")
    assert "✓ torch’s number" in readout(page, "unit")
    rows = page.locator(".unit-mode .rows .row")
    expect(rows).to_have_count(6)
    for row, term in zip(rows.all(), top, strict=True):
        assert row.locator(".label").inner_text() == f"in {term.source_index[0]}"
        assert numbers(row.locator(".num").inner_text().replace(" ", ""))[0] == pytest.approx(
            term.value, rel=FOUR_DIGITS
        )
    more = page.locator(".unit-mode .all")
    assert more.locator(".label").inner_text() == f"{count} more"
    assert numbers(more.locator(".num").inner_text().replace(" ", ""))[0] == pytest.approx(rest, rel=FOUR_DIGITS)
    more.click()
    expect(rows).to_have_count(count + 6)
    follower = model.network.consumers(layer)[0]
    normalised = float(trace.activation(follower)[5, 3, 2])
    expect(page.locator(".result-row", has_text="BatchNorm")).to_contain_text(f"{normalised:#.4g}".replace("-", "−"))
    expect(page.locator(".unit-mode .tick.wrong")).to_have_count(0)
    assert page.locator(".unit-mode .tick.right").count() == 2
    assert_no_complaints(page)


def test_cells_open_under_the_pointer_without_a_message(
    new_page: NewPage, mobilenet: tuple[cc.Classifier, cc.Trace]
) -> None:
    _, trace = mobilenet
    page = new_page(f"kernel?layer={LOCAL}&channel=5&row=3&column=2")
    expect(page.locator(".unit-mode .readout")).to_contain_text("row 3, column 2")
    canvas = page.locator(".answer-map > canvas")
    canvas.focus()
    seen = frames(page)
    seen.reset()
    for key, (row, column) in {"ArrowUp": (2, 2), "ArrowRight": (2, 3), "ArrowDown": (3, 3)}.items():
        page.keyboard.press(key)
        expect(page.locator(".unit-mode .readout")).to_contain_text(f"row {row}, column {column}: 576 × 1 products")
        expect(page.locator(".result-row", has_text="= this unit")).to_contain_text(
            f"{float(trace.activation(LOCAL)[5, row, column]):#.4g}".replace("-", "−")
        )
        expect(page.locator(".unit-mode .tick.wrong")).to_have_count(0)
    assert seen.sent == 0
    page.keyboard.press("Enter")
    settled(page)
    assert 1 <= seen.sent <= 2
    assert "row=3" in page.url and "column=3" in page.url
    page.get_by_label("Next channel").click()
    expect(page.locator(".answer-map figcaption")).to_contain_text("channel 6")
    assert "channel=6" in page.url
    assert_no_complaints(page)


def test_the_first_layer_reads_the_picture_itself(new_page: NewPage, mobilenet: tuple[cc.Classifier, cc.Trace]) -> None:
    model, trace = mobilenet
    page = new_page("kernel?mode=unit&layer=features.0.0&channel=3&row=40&column=50")
    unit = cc.explain_unit(model, trace, "features.0.0", (3, 40, 50))
    expect(page.locator(".unit-mode .readout")).to_contain_text("✓ torch’s number")
    names = dict(zip(("red", "green", "blue"), unit.terms, strict=True))
    for row in page.locator(".unit-mode .rows .row").all():
        term = names[row.locator(".label").inner_text()]
        shown = numbers(row.locator(".num").inner_text().replace(" ", ""))[0]
        # Four digits; a contribution may be a small difference of large products, so also an absolute bound.
        assert shown == pytest.approx(term.value, rel=FOUR_DIGITS, abs=1e-6)


def test_zeroing_a_channel_lowers_the_value_by_its_contribution(new_page: NewPage) -> None:
    page = new_page(f"kernel?layer={LOCAL}&channel=5&row=3&column=2")
    group = page.get_by_test_id("stButtonGroup").filter(has_text="in ")
    group.get_by_role("radio").first.click()
    expect(page.get_by_text("by just that contribution")).to_be_visible()
    values = page.get_by_test_id("stMetricValue")
    expect(values).to_have_count(4)
    texts = values.all_inner_texts()
    before, after, drop, contribution = (numbers(text)[0] for text in texts)
    # Each is rounded to four decimals.
    assert before - after == pytest.approx(drop, abs=1.1e-4)
    assert drop == pytest.approx(contribution, abs=1.1e-4)


@pytest.mark.parametrize("path", ["kernel", f"kernel?mode=unit&layer={LOCAL}"])
def test_on_a_phone_nothing_leaves_the_page(new_page: NewPage, path: str) -> None:
    page = new_page(path, viewport=PHONE, has_touch=True, color_scheme="dark")
    mode = "unit" if "unit" in path else "kernel"
    expect(page.locator(f".{mode}-mode .readout")).to_contain_text("products")
    assert overflow(page) <= 0
    clipped = page.evaluate(
        """(mode) => [...document.querySelectorAll('*')].flatMap((host) => host.shadowRoot ? [host.shadowRoot] : [])
             .concat([document]).flatMap((root) => [...root.querySelectorAll(`.${mode}-mode .cell`)])
             .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)""",
        mode,
    )
    assert clipped == [], json.dumps(clipped)
    assert_no_complaints(page)


def test_reduced_motion_moves_nothing(new_page: NewPage) -> None:
    page = new_page("kernel", reduced_motion="reduce")
    output(page).focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".kernel-mode .ghosts *").count() == 0
