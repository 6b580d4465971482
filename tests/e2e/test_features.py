"""Feature maps in the browser: every number against the trace, nothing sent while moving, a channel put on trial."""

from __future__ import annotations

import csv
import io
import zipfile
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.channel_bench import channel_taste, without_channel
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled
from tests.server import ROOT
from ui import feature_lesson

LAYER = "features.2.conv.1.2"  # ReLU6, 96 maps of 56x56: one byte a cell in the mosaic
EXACT_LAYER = "features.14.conv.3"  # 160 maps of 7x7: all numbers travel as float32


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def trace(classifier: cc.Classifier) -> cc.Trace:
    return cc.trace(classifier, cc.load_image(ROOT / "assets" / "samples" / "panda.jpg"))


def instrument(page: Page, layer: str) -> Locator:
    root = page.locator(f'.fm[data-layer="{layer}"]')
    expect(root).to_be_visible()
    return root


def point_at_large(root: Locator, row: int, column: int, rows: int, columns: int) -> dict[str, float]:
    box = root.locator(".large").bounding_box()
    assert box is not None
    place = {"x": (column + 0.5) * box["width"] / columns, "y": (row + 0.5) * box["height"] / rows}
    root.locator(".large").hover(position=place)
    return place


def test_the_large_maps_numbers_are_the_traces(new_page: NewPage, trace: cc.Trace, classifier: cc.Classifier) -> None:
    page = new_page(f"features?layer={LAYER}&channel=17&row=20&column=30")
    root = instrument(page, LAYER)
    maps = trace.activation(LAYER)
    field = cc.receptive_field(classifier, LAYER)
    expect(root.locator(".onename")).to_have_text("Channel 17")
    for row, column in [(0, 0), (12, 30), (55, 55)]:
        point_at_large(root, row, column, 56, 56)
        value = root.locator(".value")
        expect(value).to_contain_text(f"Channel 17, row {row}, column {column}:")
        # Four significant digits on the page.
        assert numbers(value.inner_text())[-1] == pytest.approx(float(maps[17, row, column]), rel=5e-4, abs=1e-12)
        top, left, bottom, right = field.clipped_box(row, column)
        words = f"rows {top:.0f} to {bottom - 1:.0f}, columns {left:.0f} to {right - 1:.0f} of the picture"
        expect(root.locator(".place")).to_contain_text(words)
        sticks = field.box(row, column) != field.clipped_box(row, column)
        assert ("sticks out" in root.locator(".place").inner_text()) is sticks
    assert_no_complaints(page)


def test_hover_says_how_exact_it_is_and_a_click_makes_it_exact(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page(f"features?layer={LAYER}&channel=60&row=1&column=1")
    root = instrument(page, LAYER)
    maps = trace.activation(LAYER)
    root.locator(".wall").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    value = root.locator(".value")
    expect(value).to_contain_text("Channel 2,")
    text = value.inner_text()
    assert "to within ±" in text
    _, row, column, about, within = numbers(text)
    true = float(maps[2, int(row), int(column)])
    assert true == maps[2].max(), "the keyboard points at the peak"
    # The bound says half a step; it and the value are rounded for people, to two and to one digit.
    assert abs(about - true) <= 1.5 * within + 0.05 * abs(true)
    assert within <= (maps[2].max() - maps[2].min()) / 510 * 1.5
    page.keyboard.press("Enter")
    expect(page.locator('.fm[data-exact="2"]')).to_be_visible()
    expect(value).not_to_contain_text("about")
    assert numbers(value.inner_text())[-1] == pytest.approx(true, rel=5e-4)
    query = parse_qs(urlparse(page.url).query)
    assert (query["channel"], query["row"], query["column"]) == (["2"], [f"{row:.0f}"], [f"{column:.0f}"])
    # Escape frees what is pointed at; the pinned unit stays.
    page.keyboard.press("ArrowRight")
    expect(value).to_contain_text("Channel 3,")
    page.keyboard.press("Escape")
    expect(value).to_contain_text("Channel 2,")
    assert_no_complaints(page)


def test_small_layers_are_exact_everywhere(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page(f"features?layer={EXACT_LAYER}")
    root = instrument(page, EXACT_LAYER)
    maps = trace.activation(EXACT_LAYER)
    root.locator(".wall").focus()
    page.keyboard.press("Home")
    for channel in range(4):
        value = root.locator(".value")
        expect(value).to_contain_text(f"Channel {channel},")
        assert "about" not in value.inner_text()
        peak = maps[channel].flat[np.abs(maps[channel]).argmax()]
        assert numbers(value.inner_text())[-1] == pytest.approx(float(peak), rel=5e-4)
        page.keyboard.press("ArrowRight")


def test_nothing_is_sent_while_moving_sorting_or_scaling(new_page: NewPage) -> None:
    page = new_page(f"features?layer={LAYER}")
    root = instrument(page, LAYER)
    root.locator(".wall").hover(position={"x": 40, "y": 40})
    page.wait_for_timeout(500)
    frames(page).reset()
    for step in range(15):
        root.locator(".wall").hover(position={"x": 20 + 30 * step, "y": 30 + 30 * step})
        point_at_large(root, step, 2 * step, 56, 56)
    root.locator(".sort").select_option("variance")
    root.get_by_role("radio", name="One shared scale").click()
    root.get_by_role("button", name="Larger maps").click()
    root.locator(".wall").evaluate("(wall) => { wall.scrollTop = 400; }")
    page.wait_for_timeout(400)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_sorting_puts_the_largest_first(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page(f"features?layer={LAYER}")
    root = instrument(page, LAYER)
    maps = trace.activation(LAYER).astype(np.float64)
    for name, ranked in (("mean", maps.mean((1, 2))), ("peak", maps.max((1, 2))), ("variance", maps.var((1, 2)))):
        root.locator(".sort").select_option(name)
        root.locator(".wall").focus()
        page.keyboard.press("Home")
        expect(root.locator(".value")).to_contain_text(f"Channel {int(ranked.argmax())},")
        page.keyboard.press("End")
        expect(root.locator(".value")).not_to_contain_text(f"Channel {int(ranked.argmax())},")
        assert ranked[int(numbers(root.locator(".value").inner_text())[0])] == ranked.min()
    expect(root.locator(".wallscale .words")).to_contain_text("own scale")
    root.get_by_role("radio", name="One shared scale").click()
    expect(root.locator(".wallscale .words")).to_contain_text("shared scale")
    assert numbers(root.locator(".wallscale .to").inner_text())[0] == pytest.approx(maps.max(), rel=5e-3)


def test_large_layers_say_that_they_are_averaged(new_page: NewPage, trace: cc.Trace) -> None:
    layer = "features.2.conv.0.2"  # 96 maps of 112x112
    page = new_page(f"features?layer={layer}")
    root = instrument(page, layer)
    expect(root.locator(".count")).to_contain_text("each cell drawn is the mean of 2 × 2")
    maps = trace.activation(layer)
    root.locator(".wall").focus()
    page.keyboard.press("Home")
    expect(root.locator(".value")).to_contain_text("Channel 0, rows")
    expect(root.locator(".value")).to_contain_text("mean")
    channel, first, last, left, right, value, *within = numbers(root.locator(".value").inner_text())
    block = maps[int(channel), int(first) : int(last) + 1, int(left) : int(right) + 1]
    assert block.shape == (2, 2)
    # Two digits are shown of a value that is right to half a step.
    assert value == pytest.approx(float(block.mean()), rel=0.05, abs=2 * within[0] if within else 1e-3)


def test_files_hold_the_exact_numbers(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page(f"features?layer={LAYER}&channel=17")
    root = instrument(page, LAYER)
    expect(root.locator(".onename")).to_have_text("Channel 17")
    expected = trace.activation(LAYER)[17]
    with page.expect_download() as download:
        page.locator(".fm + .cl-saves .save-csv").click()
    text = download.value.path().read_text()
    read = np.array([[float(cell) for cell in line] for line in csv.reader(io.StringIO(text))], dtype=np.float32)
    assert np.array_equal(read, expected)
    with page.expect_download() as download:
        root.get_by_role("button", name="as .npz").click()
    assert zipfile.ZipFile(download.value.path()).testzip() is None
    assert np.array_equal(np.load(download.value.path())["feature_map"], expected)
    with page.expect_download() as download:
        root.get_by_role("button", name="Maps as PNG").click()
    assert download.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_another_layer_is_picked_and_its_unit_opened(
    new_page: NewPage, trace: cc.Trace, classifier: cc.Classifier
) -> None:
    page = new_page(f"features?layer={LAYER}&channel=17&row=4&column=4")
    instrument(page, LAYER)
    layers = [o.name for o in classifier.network.map_layers()]
    target = layers[layers.index(LAYER) + 1]  # the convolution after it
    page.get_by_role("button", name="Next layer").click()
    root = instrument(page, target)
    settled(page)
    # A new layer begins at its own liveliest channel, not at the old layer's unit.
    channel = int(trace.activation(target).var(axis=(1, 2)).argmax())
    expect(root.locator(".onename")).to_have_text(f"Channel {channel}")
    page.get_by_text("Open this unit:").click()
    panel = page.get_by_test_id("stExpanderDetails")
    expect(panel).to_contain_text("✓ The terms give")
    expect(panel.locator(".katex").first).to_be_visible()
    shown = numbers(panel.get_by_text("The terms give").inner_text())
    peak = trace.activation(target)[channel]
    assert shown[0] == pytest.approx(float(peak.flat[np.abs(peak).argmax()]), rel=5e-4)
    panel.get_by_role("link", name="Open this unit, product by product").click()
    settled(page)
    query = parse_qs(urlparse(page.url).query)
    assert urlparse(page.url).path == "/kernel"
    assert (query["layer"], query["channel"]) == ([target], [str(channel)])
    assert_no_complaints(page)


def test_the_guess_is_answered_by_the_computed_test(
    new_page: NewPage, trace: cc.Trace, classifier: cc.Classifier
) -> None:
    page = new_page(f"features?layer={LAYER}&channel=3")
    instrument(page, LAYER)
    assert page.get_by_text("Switch channel 3 off").count() == 0, "nothing is told before the guess"
    taste = channel_taste(classifier, trace, LAYER, 3)
    wrong = next(key for key in feature_lesson.TASTES if key != taste.verdict)
    page.get_by_role("button", name=feature_lesson.TASTES[wrong], exact=True).click()
    expect(page.get_by_text("Not this time.")).to_be_visible()
    for variant in list(taste.variants.values())[1:]:
        expect(page.get_by_test_id("stMain")).to_contain_text(feature_lesson.percent(variant.change))
    off = without_channel(classifier, trace, LAYER, 3)
    expect(page.get_by_test_id("stMain")).to_contain_text(f"{off.kept[0]:.4f}")
    page.get_by_role("button", name="Guess again").click()
    page.get_by_role("button", name=feature_lesson.TASTES[taste.verdict], exact=True).click()
    expect(page.get_by_text("As you guessed.")).to_be_visible()
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(new_page: NewPage, scheme: str) -> None:
    page = new_page(f"features?layer={LAYER}", viewport=PHONE, color_scheme=scheme, device_scale_factor=2)
    root = instrument(page, LAYER)
    assert overflow(page) <= 0
    wall, picture = root.locator(".wall").bounding_box(), root.locator(".picture").bounding_box()
    assert wall is not None and picture is not None
    assert picture["y"] >= wall["y"] + wall["height"], "the picture comes under the maps"
    expect(root).to_have_attribute("data-mode", scheme)


def test_a_digit_network_works_too(new_page: NewPage) -> None:
    page = new_page("features?model=lenet5")
    expect(page.locator(".fm .count")).to_contain_text("maps of")
    assert page.get_by_test_id("stException").count() == 0
    assert_no_complaints(page)


@pytest.mark.long  # seldom met
def test_another_network_with_the_same_layer_name_is_drawn_anew(new_page: NewPage, classifier: cc.Classifier) -> None:
    """The same architecture with random weights has the same layer names: nothing of the first may stay on the page."""
    page = new_page(f"features?layer={LAYER}&channel=17&row=20&column=30")
    root = instrument(page, LAYER)
    before = root.locator(".value").inner_text()
    page.goto(page.url + "&weights=random")
    settled(page)
    random = cc.load_model("mobilenet_v2", weights="random", device="cpu")
    maps = cc.trace(random, cc.load_image(ROOT / "assets" / "samples" / "panda.jpg")).activation(LAYER)
    value = root.locator(".value")
    expect(value).to_contain_text("Channel 17, row 20, column 30:")
    assert value.inner_text() != before
    assert numbers(value.inner_text())[-1] == pytest.approx(float(maps[17, 20, 30]), rel=5e-4)
