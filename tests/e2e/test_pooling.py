"""ReLU and pooling in the browser: numbers against torch, play without messages, and both tests of the lesson."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.pooling_lesson import PoolingRule, most_divided_channel, pooling_trial
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled
from tests.server import ROOT

PANDA = ROOT / "assets" / "samples" / "panda.jpg"


@pytest.fixture(scope="module")
def squeezenet() -> cc.Classifier:
    return cc.load_model("squeezenet1_1", device="cpu")


@pytest.fixture(scope="module")
def trace(squeezenet: cc.Classifier) -> cc.Trace:
    return cc.trace(squeezenet, PANDA)


def point_at(page: Page, canvas: Locator, row: int, column: int, shape: tuple[int, int]) -> None:
    box = canvas.bounding_box()
    assert box is not None
    x, y = (column + 0.5) * box["width"] / shape[1], (row + 0.5) * box["height"] / shape[0]
    canvas.hover(position={"x": x, "y": y})


def opened(page: Page, selector: str, check: str) -> Locator:
    root = page.locator(selector)
    expect(root.locator(check)).to_contain_text("✓")
    return root


def test_before_and_after_are_the_networks_numbers(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page("pooling?model=squeezenet1_1&layer=features.1&channel=14")
    root = opened(page, ".ac", ".zeros")
    before, after = trace.activation("features.0")[14], trace.activation("features.1")[14]
    for row, column in [(5, 50), (60, 20), (110, 110)]:
        point_at(page, root.locator(".in-map"), row, column, before.shape)
        expect(root.locator(".readout")).to_contain_text(f"Row {row}, column {column}:")
        assert float(root.get_attribute("data-before") or "nan") == pytest.approx(
            before[row, column], rel=1e-4, abs=1e-3
        )
        assert float(root.get_attribute("data-after") or "nan") == pytest.approx(after[row, column], rel=1e-4, abs=1e-3)
        expect(root.locator(".readout .right")).to_have_text("✓")
    below, zero = numbers(root.locator(".zeros").inner_text())[:1], float(np.mean(after == 0))
    assert below[0] == pytest.approx(100 * float(np.mean(before < 0)), abs=0.06)  # shown with one decimal
    assert f"{100 * zero:.1f} % are exactly zero" in root.locator(".zeros").inner_text()
    assert_no_complaints(page)


def test_another_channel_comes_by_a_click_and_stays_in_the_address(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page("pooling?model=squeezenet1_1&layer=features.1&channel=14")
    root = opened(page, ".ac", ".zeros")
    root.locator(".channels").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**channel=15**")
    expect(root.locator(".chan-now")).to_have_text("Channel 15")
    settled(page)
    before = trace.activation("features.0")[15]
    point_at(page, root.locator(".in-map"), 30, 31, before.shape)
    expect(root.locator(".readout")).to_contain_text("Row 30, column 31:")
    assert float(root.get_attribute("data-before") or "nan") == pytest.approx(before[30, 31], rel=1e-4, abs=1e-3)
    assert_no_complaints(page)


def test_the_networks_own_pooling_equals_torch(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page("pooling?model=squeezenet1_1&layer=features.1&channel=14")
    root = opened(page, ".po", ".check")
    pooled = trace.activation("features.2")[14]
    for row, column in [(0, 0), (27, 30), (54, 54)]:
        point_at(page, root.locator(".out-map"), row, column, pooled.shape)
        expect(root.locator(".readout")).to_contain_text(f"Pooled row {row}, column {column}:")
        assert float(root.get_attribute("data-value") or "nan") == pytest.approx(
            pooled[row, column], rel=1e-4, abs=1e-3
        )
        expect(root.locator(".readout .right")).to_have_text("✓")
    assert_no_complaints(page)


@pytest.mark.parametrize(("kind", "window", "stride"), [("max", 2, 2), ("average", 2, 3)])
def test_pooling_laid_on_a_map_equals_torch(new_page: NewPage, kind: str, window: int, stride: int) -> None:
    import torch

    classifier = cc.load_model("mobilenet_v2", device="cpu")
    trace = cc.trace(classifier, PANDA)
    channel = most_divided_channel(trace.activation(classifier.network["features.0.2"].inputs[0]))
    maps = torch.from_numpy(trace.activation("features.0.2")[None, [channel]].copy())
    rule = PoolingRule(kind, (window, window), (stride, stride))  # type: ignore[arg-type]
    wanted = rule.apply(maps)[0, 0].numpy()
    page = new_page("pooling")
    root = page.locator(".po")
    expect(root.locator(".controls")).to_contain_text("the network has none here")
    frames(page).reset()
    root.get_by_role("radio", name=kind).click()
    root.get_by_role("radio", name=f"{window} × {window}").click()
    root.get_by_role("radiogroup", name="stride").get_by_role("radio", name=str(stride)).click()
    expect(root.locator(".out-size")).to_contain_text(f"{wanted.shape[0]} × {wanted.shape[1]};")
    for row, column in [(0, 1), (17, 30), (wanted.shape[0] - 1, wanted.shape[1] - 1)]:
        point_at(page, root.locator(".out-map"), row, column, wanted.shape)
        expect(root.locator(".readout")).to_contain_text(f"Pooled row {row}, column {column}:")
        assert float(root.get_attribute("data-value") or "nan") == pytest.approx(
            wanted[row, column], rel=1e-4, abs=1e-5
        )
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_play_step_scrub_and_keys_send_nothing(new_page: NewPage) -> None:
    page = new_page("pooling")
    root = page.locator(".po")
    expect(root.locator(".readout")).to_contain_text("Pooled row")
    root.locator(".scrub").fill("0")
    expect(root).to_have_attribute("data-column", "0")
    page.wait_for_timeout(300)
    frames(page).reset()
    root.get_by_role("button", name="One step on").click()
    expect(root).to_have_attribute("data-column", "1")
    root.locator(".out-map").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(root).to_have_attribute("data-column", "2")
    expect(root).to_have_attribute("data-row", "1")
    root.locator(".speed").select_option("120")
    page.keyboard.press("Escape")
    root.get_by_role("button", name="Play").click()
    expect(root).not_to_have_attribute("data-row", "1", timeout=5000)  # 56 cells a row, 120 cells a second
    root.get_by_role("button", name="Pause").click()
    resting = (root.get_attribute("data-row"), root.get_attribute("data-column"))
    page.wait_for_timeout(400)
    assert (root.get_attribute("data-row"), root.get_attribute("data-column")) == resting
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_hovering_the_activation_sends_nothing(new_page: NewPage) -> None:
    page = new_page("pooling")
    root = opened(page, ".ac", ".zeros")
    frames(page).reset()
    for step in range(20):
        point_at(page, root.locator(".out-map"), 3 * step, 4 * step, (112, 112))
    root.locator(".in-map").focus()
    for key in ("ArrowUp", "Shift+ArrowRight", "Enter", "ArrowLeft", "Escape"):
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_moving_the_picture_is_measured(new_page: NewPage, squeezenet: cc.Classifier) -> None:
    trial = pooling_trial(squeezenet, squeezenet.preprocess(PANDA), "features.1", window=3, stride=2)
    page = new_page("pooling?model=squeezenet1_1")
    page.get_by_role("button", name="Max pooled 3 × 3").click()
    settled(page)
    answer = page.get_by_text("One pixel changes the maps by")
    expect(answer).to_contain_text(f"{trial.before.shift:.1%} as they are")
    expect(answer).to_contain_text(f"{trial.maximum.shift:.1%} after max")
    expect(answer).to_contain_text(f"{trial.average.shift:.1%} after average")
    least = min(trial.changes, key=lambda change: change.shift).key
    expect(page.get_by_text("As you guessed." if least == "max" else "Not this time.")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_contain_text(f"{100 * trial.maximum.shift:.1f} %")
    assert_no_complaints(page)


def test_gradients_are_computed_at_the_click(new_page: NewPage) -> None:
    page = new_page("pooling")
    assert page.locator(".js-plotly-plot").count() == 0
    page.get_by_role("button", name="Less than a millionth").click()
    expect(page.get_by_text("As you guessed.")).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("ReLU, He initialisation")
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(new_page: NewPage, scheme: str) -> None:
    page = new_page("pooling?model=lenet5", viewport=PHONE, color_scheme=scheme)
    opened(page, ".ac", ".zeros")
    opened(page, ".po", ".check")
    assert overflow(page) == 0
    for selector in (".ac", ".po"):
        assert page.locator(selector).evaluate("root => root.scrollWidth - root.clientWidth") <= 0
    assert_no_complaints(page)


def test_a_layer_of_many_channels_is_leafed_through(new_page: NewPage) -> None:
    trace = cc.trace(cc.load_model("mobilenet_v2", device="cpu"), PANDA)
    page = new_page("pooling?layer=features.18.2&channel=130")
    root = opened(page, ".ac", ".zeros")
    expect(root.locator(".chan-hint")).to_contain_text("128 to 191 are shown")
    root.get_by_role("button", name="Later channels").click()
    page.wait_for_url("**channel=192**")
    expect(root.locator(".chan-now")).to_have_text("Channel 192")
    settled(page)
    after = trace.activation("features.18.2")[192]
    point_at(page, root.locator(".out-map"), 2, 5, after.shape)
    expect(root.locator(".readout")).to_contain_text("Row 2, column 5:")
    assert float(root.get_attribute("data-after") or "nan") == pytest.approx(after[2, 5], rel=1e-4, abs=1e-3)
    assert_no_complaints(page)


def test_a_channel_chosen_by_the_page_is_no_click(new_page: NewPage) -> None:
    """Each picture has its own first channel; coming from one picture must not force its channel on the next."""
    page = new_page("pooling")
    opened(page, ".ac", ".zeros")
    page.locator('[data-testid="stSidebar"]').get_by_role("radio").nth(1).click()
    page.wait_for_url("**picture=**")
    settled(page)
    opened(page, ".ac", ".zeros")
    assert "channel=" not in page.url
    assert_no_complaints(page)
