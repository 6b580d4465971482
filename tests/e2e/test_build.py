"""Build your own in Chromium: layers by keyboard, live costs, a run as the library trains it, a drawing, files."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import torch
from playwright.sync_api import Page, expect
from safetensors.torch import load

import cnn_core as cc
from cnn_core.training.built import PREFIX, examine, parse
from cnn_core.training.data import Form
from cnn_core.training.report import report_on

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

TEXT = "conv4k3s2-relu-flatten-linear"
SETTINGS = {"epochs": 1, "n_train": 600, "learning_rate": 0.01}
BUILDER = '.bld[data-waiting="no"]'


def says(page: Page, text: str) -> None:
    """The builder shows the costs and the judgement that the library comes to."""
    plan = examine(parse(text), Form(1, 28, 10))
    builder = page.locator(BUILDER).first
    expect(builder.locator(".bld-sums")).to_contain_text(f"{plan.n_parameters:,} parameters")
    expect(builder.locator(".bld-sums")).to_contain_text(f"{plan.macs:,} multiply-adds")
    expect(builder.locator(".bld-say")).to_contain_text(plan.problem or "All layers fit")


def test_layers_are_put_together_by_keyboard_and_pointer(new_page: NewPage) -> None:
    page = new_page("build")
    says(page, "conv8k3-relu-max2-conv16k3-relu-max2-flatten-linear")
    frames(page).reset()
    for card in page.locator(".bld-card[data-index]").all()[:4]:
        card.hover()
    page.locator('.bld-card[data-index="0"]').focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('.bld-card[data-index="1"]')).to_be_focused()
    assert frames(page).sent == 0, "choosing a card is the browser's own"
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**layers=conv8k3-max2-relu-conv16k3-relu-max2-flatten-linear**")
    says(page, "conv8k3-max2-relu-conv16k3-relu-max2-flatten-linear")
    expect(page.locator('.bld-card[data-index="2"]')).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")  # flatten
    says(page, "conv8k3-max2-relu-conv16k3-relu-max2-linear")
    expect(page.locator(".bld-say")).to_contain_text("16 maps of 7 × 7 come in. Put flatten")
    expect(page.get_by_role("button", name="Train without a guess")).to_be_disabled()
    page.keyboard.press("Control+z")
    says(page, "conv8k3-max2-relu-conv16k3-relu-max2-flatten-linear")
    page.locator('[data-preset="residual"]').click()
    page.wait_for_url("**layers=conv16k3-bn-relu-max2-res16-res32s2-gap-linear**")
    says(page, "conv16k3-bn-relu-max2-res16-res32s2-gap-linear")
    page.locator('input[data-field="units"]').fill("12")
    page.locator('input[data-field="units"]').press("Enter")
    says(page, "conv12k3-bn-relu-max2-res16-res32s2-gap-linear")
    page.locator('[data-add="drop"]').click()
    says(page, "conv12k3-drop25-bn-relu-max2-res16-res32s2-gap-linear")
    # A card is carried to another's place.
    held, place = (page.locator(f'.bld-card[data-index="{i}"]').bounding_box() for i in (1, 3))
    assert held is not None and place is not None
    page.mouse.move(held["x"] + held["width"] / 2, held["y"] + 12)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + 12, steps=6)
    page.mouse.up()
    says(page, "conv12k3-bn-relu-drop25-max2-res16-res32s2-gap-linear")
    assert_no_complaints(page)


def test_a_network_is_trained_asked_and_taken_along(new_page: NewPage) -> None:
    recipe = ",".join(f"{name}~{value}" for name, value in SETTINGS.items())
    page = new_page(f"build?layers={TEXT}&recipe={recipe}&seed=3")
    says(page, TEXT)
    page.get_by_role("button", name="60 to 90 %").click()
    page.get_by_role("button", name="Train this network").click()
    run = cc.train("build", seed=3, arm="own", network=PREFIX + TEXT, evaluate_every=0, **SETTINGS)
    report = page.locator('.trd[data-part="report"]')
    expect(report).to_be_visible(timeout=120_000)
    settled(page)
    said = page.get_by_test_id("stAlert").filter(has_text="test pictures named right").inner_text()
    assert f"{100 * run.test_accuracy:.1f} % of 2,000 test pictures" in said
    assert f"{100 * run.train_accuracy:.1f} % of the 600" in said and f"{run.n_parameters:,} parameters" in said
    right = 0.6 <= run.test_accuracy < 0.9
    assert ("As you guessed." if right else "Not this time.") in said
    # The confusion matrix, read by keyboard, is the library's.
    found = report_on(run)
    frames(page).reset()
    matrix = report.locator(".trd-matrix canvas")
    matrix.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(report.locator(".readout")).to_have_text(
        f"{found.confusion[1, 1]} of {found.confusion[1].sum()} pictures of “1” are named right."
    )
    expect(report.locator("figcaption").last).to_contain_text(f"{len(found.mistakes)} of {found.n_mistakes:,}")
    film = page.locator('.trd[data-part="film"]')
    film.locator("input[type=range]").fill("0")
    expect(film.locator(".trd-where")).to_contain_text("step 1:")
    # The pen by keyboard: nothing is sent until the stroke ends.
    board = page.locator(".drw-board canvas")
    board.focus()
    page.keyboard.press(" ")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    assert frames(page).sent == 0
    page.keyboard.press(" ")
    answered = page.locator('.drw[data-answered="yes"]')
    expect(answered).to_be_visible()
    settled(page)
    shown = [numbers(text)[0] for text in answered.locator(".drw-p").all_inner_texts()]
    assert sum(shown) == 100 or abs(sum(shown) - 100) < 0.6  # ten roundings to 0.1
    # A test picture: the bars are the network's probabilities, the layers its maps.
    page.get_by_label("Or a test picture").fill("17")
    page.get_by_label("Or a test picture").press("Enter")
    expect(answered.locator(".drw-seen figcaption")).to_contain_text("a test picture of")
    trace = cc.trace(run.classifier(), run.example(17))
    bars = answered.locator(".drw-p")
    expect(bars.nth(int(trace.probabilities.argmax()))).to_have_text(f"{100 * trace.probabilities.max():.1f} %")
    expect(answered.locator(".drw-words").first).to_contain_text("4 × 14 × 14")
    # Code and weights.
    with page.expect_download() as started:
        page.get_by_role("button", name=re.compile("PyTorch code")).click()
    with zipfile.ZipFile(io.BytesIO(Path(started.value.path()).read_bytes())) as archive:
        weights = load(archive.read("weights.safetensors"))
        assert "self.conv1 = nn.Conv2d(1, 4, 3, stride=2, padding=1)" in archive.read("network.py").decode()
    # Equal up to the order of sums: the server trains in a process of its own.
    assert all(torch.allclose(weights[name], value, atol=1e-6) for name, value in run.weights.items())
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(300)
    assert overflow(page) <= 0
    assert_no_complaints(page)


def test_own_pictures_are_taken_or_refused_in_a_sentence(new_page: NewPage, tmp_path: Path) -> None:
    from tests.test_own_data import folders, zipped

    page = new_page("build?data=own", viewport=PHONE, color_scheme="dark")
    expect(page.get_by_text("Nothing is here yet.")).to_be_visible()
    chooser = page.locator('[data-testid="stFileUploaderDropzoneInput"][accept*="zip"]').first
    (tmp_path / "empty.zip").write_bytes(zipped(folders(**{"pets/green/": b""})))
    chooser.set_input_files(tmp_path / "empty.zip")
    expect(page.get_by_text("The class 'green' is empty")).to_be_visible()
    (tmp_path / "good.zip").write_bytes(zipped(folders()))
    chooser.set_input_files(tmp_path / "good.zip")
    expect(page.get_by_text("Here are 10 pictures")).to_be_visible()
    settled(page)
    expect(page.locator(".bld-sums").first).to_contain_text("layers")
    expect(page.get_by_text("Of 2 test pictures")).to_be_visible()
    assert "own:" not in page.url, "whose pictures these are never stands in a link"
    assert overflow(page) <= 0
    assert_no_complaints(page)
