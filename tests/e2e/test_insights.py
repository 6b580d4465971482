"""Training insights in Chromium: a guess, a run on top of the bands, the table against the library, files, keyboard."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.training.first_step import load_first_steps

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

# So short that a slow machine trains it in a moment.
SHORT = {"steps": 6, "n_train": 60}
RECIPE = "steps~6,n_train~60"


pytestmark = pytest.mark.usefixtures("one_thread")


def chart(page: Page) -> Locator:
    """The panel's curves, the last instrument on the page."""
    return page.locator(".cv").last


def saved(page: Page, button: Locator) -> str:
    with page.expect_download() as started:
        button.click()
    return Path(started.value.path()).read_text(encoding="utf-8")


def trained(page: Page) -> None:
    """Wait until a run that was asked for has ended: only then does the table name it."""
    expect(page.get_by_role("cell", name="yours, seed").first).to_be_visible(timeout=90_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=90_000)
    settled(page)


def row(page: Page, title: str, whose: str) -> list[str]:
    """The cells of a table's row, its name first."""
    rows = [line.locator("th, td").all_inner_texts() for line in page.locator("table tbody tr").all()]
    for cells in rows:
        if cells[0] == title and whose in cells[1]:
            return cells
    raise AssertionError(f"no row {title!r}, {whose!r} in {rows}")


def test_predict_run_read_and_take_along(new_page: NewPage) -> None:
    page = new_page(f"insights?section=batch_norm&recipe={RECIPE}&seed=3")
    expect(page.get_by_role("button", name="Run these 2 now")).to_have_count(0)
    # Before the guess something is there already: the spread of six layers, read by the keyboard.
    first = page.locator(".cv").first
    steps = load_first_steps("batch_norm")
    assert steps is not None
    frames(page).reset()
    first.locator(".cv-plot svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(first.locator(".cv-readout b").first).to_contain_text("2")
    shown = [numbers(text)[0] for text in first.locator(".cv-readout span b").all_inner_texts()]
    medians = [sorted(steps[arm].activation_std[:, 1]) for arm in ("plain_0.03", "bn_0.03")]
    assert shown == pytest.approx([(m[4] + m[5]) / 2 for m in medians], rel=1e-3)
    assert frames(page).sent == 0

    page.get_by_role("button", name="With none").click()
    settled(page)
    page.get_by_role("button", name="Run these 2 now").click()
    trained(page)
    want = {arm: cc.train("batch_norm", seed=3, arm=arm, **SHORT) for arm in ("plain_0.03", "bn_0.03")}
    for arm, title in (("plain_0.03", "Without"), ("bn_0.03", "With batch norm")):
        cells = row(page, f"{title}, learning rate 0.03", "yours, seed 3")
        assert "steps 6" in cells[1] and "training pictures 60" in cells[1], "changed settings are named"
        assert cells[2] == "1"
        assert numbers(cells[3])[0] == pytest.approx(100 * want[arm].test_accuracy, abs=0.051)
        assert numbers(cells[4])[0] == pytest.approx(100 * want[arm].train_accuracy, abs=0.051)
        assert numbers(cells[-1])[0] == pytest.approx(max(want[arm].losses), rel=5e-3)

    # The curves are the runs' own; nothing is sent while they are read.
    panel = chart(page)
    frames(page).reset()
    panel.get_by_role("tab", name="Gradients").click()
    told = list(csv.DictReader(io.StringIO(saved(page, page.locator(".cv + .cl-saves .save-csv").last))))
    gradients = {
        (line["line"], line["name"]): float(line["L2 norm of the weights’ gradient"])
        for line in told
        if line["step"] == "6"
    }
    last = want["bn_0.03"].steps[-1].gradient_norms
    name = "With batch norm, learning rate 0.03"
    assert {layer: gradients[name, layer] for layer in last} == pytest.approx(dict(last), rel=1e-4)
    panel.locator(".cv-plot svg").focus()
    page.keyboard.press("End")
    expect(panel.locator(".cv-readout")).to_contain_text("conv1")
    panel.locator(".cv-frames input").focus()
    page.keyboard.press("Home")
    expect(panel.locator(".cv-frames output")).to_have_text("step 1")
    panel.locator(".cv-plot svg").hover()
    page.keyboard.press("Escape")
    assert frames(page).sent == 0

    every = list(csv.DictReader(io.StringIO(saved(page, page.get_by_role("button", name="Every step (CSV)")))))
    assert [float(line["loss"]) for line in every if line["arm"] == "plain_0.03"] == pytest.approx(
        [step.loss for step in want["plain_0.03"].steps], rel=1e-5
    )
    table = json.loads(saved(page, page.get_by_role("button", name="Table (JSON)")))
    assert [one["state"] for one in table["runs"]] == ["finished", "finished"]
    picture = saved(page, page.locator(".cv + .cl-saves .save-svg").last)
    assert picture.startswith("<svg") and name in picture

    # The network is one like any other.
    page.get_by_text("Your networks: open them").click()
    page.get_by_role("link", name="The whole network").last.click()
    expect(page.get_by_role("heading", name="The whole network")).to_be_visible()
    settled(page)
    assert "model=run" in page.url
    assert_no_complaints(page)


def test_divergence_and_a_wrong_address_are_said(new_page: NewPage) -> None:
    page = new_page(
        "insights?section=normalise&arms=raw,nonsense&recipe=learning_rate~10,steps~30,n_train~100,pigs~3",
        viewport=PHONE,
        color_scheme="dark",
    )
    page.get_by_role("button", name="Show it without a guess").click()
    settled(page)
    expect(page.get_by_text("has no network “nonsense”")).to_be_visible()
    expect(page.get_by_text("“pigs~3” is no setting")).to_be_visible()
    page.get_by_role("button", name="Run one now").click()
    trained(page)
    run = cc.train("input_normalisation", seed=0, arm="raw", learning_rate=10.0, steps=30, n_train=100)
    assert run.state == "diverged" or not math.isfinite(run.losses.max()) or run.losses.max() > 1e3
    if run.state == "diverged":
        expect(page.get_by_text(run.note[:30]).first).to_be_visible()
    assert overflow(page) == 0
    assert_no_complaints(page)


@pytest.mark.parametrize("section", ["relu", "augmentation", "no-such-section"])
def test_each_section_opens_on_something_to_see(new_page: NewPage, section: str) -> None:
    page = new_page(f"insights?section={section}", viewport=PHONE)
    seen = page.locator('[data-testid="stImage"] img') if section == "augmentation" else page.locator(".cv svg")
    expect(seen.first).to_be_visible()
    if section == "no-such-section":
        expect(page.get_by_text("There is no section")).to_be_visible()
    assert overflow(page) == 0
    assert_no_complaints(page)
