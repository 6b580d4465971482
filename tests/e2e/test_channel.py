"""One channel in Chromium: its numbers against the library, keyboard, silence on hover, uploads, a cancelled run."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.channel_trials import channel_trials, compare_lesions
from cnn_core.exciting import Survey, first_filters, survey
from cnn_core.maximise import MaximiseSettings, maximise_channel

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"
LAYER, CHANNEL = "features.2.conv.1.2", 60
ADDRESS = f"channel?layer={LAYER}&channel={CHANNEL}"
SHOWN = 1e-3  # the page shows four significant digits


@cache
def model() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2")
    return classifier, cc.trace(classifier, PANDA)


@cache
def surveyed() -> Survey:
    return survey(model()[0], LAYER)


def part(page: Page, name: str) -> Locator:
    return page.locator(f'.ch[data-part="{name}"]')


def opened(new_page: NewPage, address: str = ADDRESS, **options: object) -> Page:
    page = new_page(address, **options)
    expect(part(page, "patches")).to_be_visible()
    settled(page)
    return page


def data(locator: Locator, name: str) -> list[float]:
    return [float(one.get_attribute(f"data-{name}")) for one in locator.all()]  # type: ignore[arg-type]


def test_the_numbers_are_the_librarys_and_hovering_is_silent(new_page: NewPage) -> None:
    page = opened(new_page)
    classifier, trace = model()
    maps = trace.activation(LAYER)
    pick = part(page, "pick")
    view = pick.locator(".one canvas").first
    row, column = np.unravel_index(maps[CHANNEL].argmax(), maps.shape[1:])
    readout = pick.locator(".readout")
    assert numbers(readout.inner_text())[:3] == pytest.approx([row, column, maps[CHANNEL].max()], rel=SHOWN)
    frames(page).reset()
    view.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text(f"Row {row - 1}, column {column + 1}:")
    assert numbers(readout.inner_text())[2] == pytest.approx(float(maps[CHANNEL, row - 1, column + 1]), rel=SHOWN)
    view.hover(position={"x": 30, "y": 40})
    view.hover(position={"x": 90, "y": 20})
    page.keyboard.press("Escape")
    order = np.argsort(-maps.reshape(len(maps), -1).max(axis=1), kind="stable")[:16]
    assert [int(text) for text in pick.locator(".thumb b").all_inner_texts()] == order.tolist()

    # The guess, then the bench.
    assert part(page, "bench").count() == 0 and frames(page).sent == 0
    page.get_by_role("button", name="Shape and arrangement").click()
    expect(part(page, "bench")).to_be_visible()
    settled(page)
    found = channel_trials(classifier, trace, LAYER, CHANNEL)
    versions = part(page, "bench").locator(".version")
    answers = list(found.answers.values())
    assert [one.get_attribute("data-key") for one in versions.all()] == list(found.answers)
    assert data(versions, "mean") == pytest.approx([a.mean for a in answers], abs=1e-4)
    assert data(versions, "peak") == pytest.approx([a.peak for a in answers], abs=1e-3)
    assert data(versions, "logit") == pytest.approx([a.logit for a in answers], abs=1e-2)
    assert data(versions, "top") == [a.top.index for a in answers]
    verdict = page.locator('[data-testid="stAlert"]').filter(has_text="Without its colours").inner_text()
    assert found.verdict == "shape" and "As you guessed" in verdict
    said = numbers(verdict)
    assert said[:2] == pytest.approx([100 * answers[1].change, 100 * answers[2].change], rel=6e-3)  # three digits
    frames(page).reset()
    versions.locator("canvas").nth(2).hover(position={"x": 40, "y": 50})
    versions.locator("canvas").nth(4).hover(position={"x": 60, "y": 50})
    versions.locator("canvas").nth(0).focus()
    page.keyboard.press("ArrowDown")
    spoken = part(page, "bench").locator(".readout")
    expect(spoken).to_contain_text("Row 29, column 28:")
    at = numbers(spoken.inner_text().split(":", 1)[1])
    assert at == pytest.approx([float(a.map[29, 28]) for a in answers], rel=SHOWN, abs=1e-3)

    # What excites it, and who fires alike.
    seen = surveyed()
    values = part(page, "patches").locator(".patchrow")
    for name, expected in {
        "most": seen.patches(CHANNEL, 8),
        "blind": seen.random(CHANNEL, 8),
        "least": seen.least(CHANNEL, 8),
    }.items():
        buttons = values.and_(page.locator(f".{name}")).locator("button")
        assert [one.get_attribute("data-picture") for one in buttons.all()] == [p.picture for p in expected]
        assert data(buttons, "value") == pytest.approx([p.value for p in expected], abs=1e-3)
    histogram = part(page, "patches").locator(".spread canvas")
    spread = part(page, "patches").locator(".readout")
    means = np.sort(seen.means[:, CHANNEL])
    here = float(maps[CHANNEL].mean(dtype=np.float64))
    assert numbers(spread.inner_text())[0] == pytest.approx(here, rel=SHOWN)
    histogram.focus()
    page.keyboard.press("ArrowRight")
    expect(spread).not_to_contain_text("on the bench")
    assert numbers(spread.inner_text())[0] == pytest.approx(float(means[means > here * 1.0001][0]), rel=SHOWN)
    relatives = part(page, "alike").locator("button.alike")
    alike = seen.alike(CHANNEL, 7)
    assert data(relatives, "channel") == [a.channel for a in alike]
    assert data(relatives, "correlation") == pytest.approx([a.correlation for a in alike], abs=1e-3)

    # The first filters.
    filters, weights = part(page, "filters"), first_filters(classifier).weights
    buttons = filters.get_by_role("radio", name="Filter ")
    assert buttons.count() == len(weights) == 32
    strongest = int(np.abs(weights).sum(axis=(1, 2, 3)).argmax())
    buttons.nth(strongest).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(filters.locator("h3")).to_have_text(f"Filter {strongest + 1} of features.0.0")
    sums = numbers(filters.locator(".readout").inner_text())[:3]
    assert sums == pytest.approx(weights[strongest + 1].sum(axis=(1, 2)).tolist(), rel=SHOWN, abs=1e-5)
    filters.get_by_role("radio", name="Each its own").click()
    filters.locator(".planes canvas").nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(filters.locator(".readout")).to_contain_text("Row 0, column 0:")
    read = numbers(filters.locator(".readout").inner_text())[2:]
    assert read == pytest.approx(weights[strongest + 1, :, 0, 0].tolist(), rel=SHOWN)
    assert frames(page).sent == 0

    # Going to a relative asks anew; going to a filter's channel changes the layer too.
    relatives.nth(1).click()
    settled(page)
    assert f"channel={alike[1].channel}" in page.url and part(page, "bench").count() == 0
    part(page, "filters").get_by_role("button", name="Look at this channel").click()
    expect(pick.locator(".one b")).to_have_text(f"Channel {strongest + 1}")
    settled(page)
    assert "layer=features.0.0" in page.url and f"channel={strongest + 1}" in page.url
    assert_no_complaints(page)


def test_a_patch_opens_its_unit_and_uploads_stay_private(new_page: NewPage) -> None:
    page = new_page(f"features?layer={LAYER}&channel={CHANNEL}")
    page.get_by_role("link", name=f"What does channel {CHANNEL} answer to?").click()
    expect(part(page, "patches")).to_be_visible()
    settled(page)
    assert "/channel?" in page.url and f"channel={CHANNEL}" in page.url and LAYER in page.url

    sharp = np.kron(np.random.default_rng(0).integers(0, 2, (40, 60)) * 255, np.ones((9, 9))).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(sharp).save(buffer, "PNG")
    file = {"name": "mine <b>.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.locator('input[type="file"]').first.set_input_files(file)  # type: ignore[arg-type]
    most = part(page, "patches").locator(".patchrow.most")
    expect(most.get_by_text("mine <b>.png")).to_be_visible()
    classifier, _ = model()
    own = cc.trace(classifier, cc.load_image(buffer.getvalue())).activation(LAYER)[CHANNEL]
    mine = most.locator("button").filter(has_text="yours")
    assert data(mine, "value") == pytest.approx([float(own.max())], abs=1e-3)
    expect(part(page, "patches")).to_contain_text("n = 25 pictures")
    assert "upload" not in page.url

    other = opened(new_page)
    expect(part(other, "patches")).to_contain_text("n = 24 pictures")
    assert other.get_by_text("yours").count() == 0 and other.get_by_text("mine").count() == 0

    second = surveyed().patches(CHANNEL, 2)[1]
    most.locator(f'button[data-picture="{second.picture}"]').click()
    page.wait_for_url("**/features?**")
    settled(page)
    row, column = second.cell
    for text in (f"picture={second.picture}", f"channel={CHANNEL}", f"row={row}", f"column={column}"):
        assert text in page.url
    expect(page.locator(".fm .onename")).to_contain_text(f"hannel {CHANNEL}")
    assert_no_complaints(page)
    assert_no_complaints(other)


def test_lesions_and_a_picture_that_is_made_and_cancelled(new_page: NewPage) -> None:
    page = opened(new_page, f"{ADDRESS}&steps=8&seed=3")
    classifier, trace = model()
    page.get_by_role("button", name="Switch off 25 channels").click()
    rows = part(page, "lesions").locator(".lesions .lesion")
    expect(rows).to_have_count(25)
    settled(page)
    found = compare_lesions(classifier, trace, LAYER, CHANNEL, n=24, seed=3)
    expected = {one.channel: one.logit - found.logit for one in (found.chosen, *found.others)}
    told = dict(zip(data(rows, "channel"), data(rows, "change"), strict=True))
    assert told.keys() == expected.keys()
    assert [told[c] for c in expected] == pytest.approx(list(expected.values()), abs=5e-3)
    assert f"{found.as_much} of them move" in page.locator("p").filter(has_text="at zero the logit").inner_text()

    page.get_by_text("Optional: a picture made to excite it").click()
    make = page.get_by_role("button", name="Make the picture")
    make.click()
    expect(page.get_by_role("button", name="Save as PNG")).to_be_visible()
    settled(page)
    settings = MaximiseSettings(steps=8, seed=3)
    made = maximise_channel(classifier, LAYER, CHANNEL, settings=settings)
    sentence = page.locator("p").filter(has_text="The channel's mean went from")
    said = numbers(sentence.inner_text())
    best = float(surveyed().means[:, CHANNEL].max())
    assert [*said[:2], said[3]] == pytest.approx([made.start_value, made.end_value, best], rel=5e-3)
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as PNG").click()
    saved = np.asarray(Image.open(started.value.path()))
    assert saved.shape == made.rgb.shape and np.abs(saved.astype(int) - made.rgb).mean() < 1
    dream = part(page, "dream")
    frames(page).reset()
    dream.locator(".rise canvas").focus()
    page.keyboard.press("ArrowLeft")
    expect(dream.locator(".readout")).to_contain_text("Step 7 of 8")
    assert numbers(dream.locator(".readout").inner_text())[2] == pytest.approx(made.values[6], rel=5e-3)
    assert frames(page).sent == 0

    # A long run is cancelled: what was made before stays, and a new one can be started.
    slider = page.get_by_role("slider", name="Steps")
    slider.focus()
    page.keyboard.press("End")
    settled(page)
    assert "steps=256" in page.url
    make.click()
    progress = page.locator('[data-testid="stProgress"]')
    expect(progress).to_contain_text("of 256")
    expect(page.locator("figcaption").filter(has_text="After step")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator('[data-testid="stAlert"]').filter(has_text="Cancelled after step")).to_be_visible()
    settled(page)
    expect(progress).to_have_count(0)
    assert numbers(sentence.inner_text()) == said
    expect(make).to_be_enabled()
    assert_no_complaints(page)


@pytest.mark.long  # opening and width on a phone are among test_frame's for every page
def test_a_phone_a_small_network_and_a_channel_that_is_not_there(new_page: NewPage) -> None:
    page = opened(new_page, "channel?model=lenet5&picture=digit_7&channel=99", viewport=PHONE, color_scheme="dark")
    said = page.locator('[data-testid="stAlert"]').filter(has_text="there is no channel 99")
    expect(said).to_contain_text("channels 0 to 5")
    assert overflow(page) <= 0
    page.get_by_role("button", name="Neither, much").click()
    expect(part(page, "bench")).to_be_visible()
    settled(page)
    assert part(page, "filters").get_by_role("radio", name="Filter ").count() == 6
    assert overflow(page) <= 0
    assert_no_complaints(page)
