"""Follow the value in Chromium: steps, parts, turns, links, files against the library; keys; silence while walking."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from cnn_core.trail_trial import trail_trial

from .conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled

PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"
# The page shows four significant digits.
SHOWN = 1e-3


@cache
def panda() -> tuple[cc.Classifier, cc.Trace]:
    classifier = cc.load_model("mobilenet_v2")
    return classifier, cc.trace(classifier, PANDA)


def picture(page: Page) -> Locator:
    return page.locator(".tl-picture:visible")


def steps(page: Page) -> Locator:
    return page.locator(".tl-list:visible")


def skip_guess(page: Page) -> None:
    page.get_by_role("button", name="Show it without a guess").click()
    expect(steps(page)).to_be_visible()
    settled(page)


def save(page: Page, kind: str) -> str:
    button = (
        page.get_by_role("button", name="JSON") if kind == "JSON" else page.locator(".tl + .cl-saves:visible .save-csv")
    )
    with page.expect_download() as started:
        button.last.click()
    return Path(started.value.path()).read_text()


def check_walk(page: Page, trail: cc.Trail) -> None:
    """Every listed step of the trail, walked by the arrow key, with its numbers."""
    listed = [
        n for n, s in enumerate(trail.steps) if n in (0, len(trail.steps) - 1) or s.turned or s.n_parts > 1
    ]  # fmt: skip
    expect(steps(page).locator(".tl-row")).to_have_count(len(listed))
    steps(page).focus()
    page.keyboard.press("Home")
    stage = page.locator(".tl-stage:visible")
    for n in listed:
        step = trail.steps[n]
        # One question to the browser for each step.
        at, value, parts = stage.evaluate(
            """(stage) => [
              stage.querySelector('.tl-row[aria-selected="true"]').dataset.step,
              stage.querySelector(".tl-value").textContent,
              [...stage.querySelectorAll(".tl-part .num:not(.quiet)")].map((one) => one.textContent),
            ]"""
        )
        assert int(at) == n
        assert numbers(value)[0] == pytest.approx(step.value, rel=SHOWN) and value.endswith("✓")
        assert [numbers(text)[0] for text in parts] == pytest.approx([c.value for c in step.contributors], rel=SHOWN)
        page.keyboard.press("ArrowDown")


def test_guess_walk_and_test(new_page: NewPage) -> None:
    classifier, trace = panda()
    trail = cc.follow(classifier, trace, classifier.network.output, trace.top(1)[0].index)
    page = new_page("trail")
    assert steps(page).count() == 0, "nothing before the guess"
    box = picture(page).bounding_box()
    assert box is not None
    at = {"x": box["width"] * 0.25, "y": box["height"] * 0.5}
    frames(page).reset()
    picture(page).hover(position=at)
    assert frames(page).sent == 0
    picture(page).click(position=at)
    expect(steps(page)).to_be_visible()
    settled(page)
    row, column = trail.steps[-1].index[1:]
    answer = page.locator('[data-testid="stAlert"]').first.inner_text()
    assert f"row {row}, column {column}" in answer
    away = ((row + 0.5 - 112) ** 2 + (column + 0.5 - 56) ** 2) ** 0.5
    assert numbers(answer)[2] == pytest.approx(away, abs=1.5)
    assert ("As you guessed" in answer) == (away <= 32)

    frames(page).reset()
    check_walk(page, trail)
    expect(page.locator(".tl-readout:visible")).to_contain_text("The trail ends at the picture")
    page.get_by_text("every operation").click()
    expect(steps(page).locator(".tl-row")).to_have_count(len(trail.steps))
    page.get_by_text("every operation").click()
    page.emulate_media(reduced_motion="reduce")
    steps(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.wait_for_timeout(900)
    page.keyboard.press("Escape")
    at_step = int(steps(page).locator('[aria-selected="true"]').get_attribute("data-step") or 0)
    assert at_step > 0, "Space plays"
    page.wait_for_timeout(750)
    expect(steps(page).locator('[aria-selected="true"]')).to_have_attribute("data-step", str(at_step))
    assert frames(page).sent == 0, "walking, playing and stopping ask the server nothing"
    assert "trail=" not in page.url, "the trail that nobody chose is left out of the address"

    page.get_by_role("button", name="Cover the end of the trail").click()
    expect(page.locator(".trial-card")).to_have_count(4)
    settled(page)
    found = trail_trial(classifier, trace, trail, seed=0)
    values = [numbers(text)[0] for text in page.locator(".trial-value").all_inner_texts()]
    assert values[0] == pytest.approx(found.before, rel=SHOWN)
    assert values[1] == pytest.approx(found.end.after, rel=SHOWN)
    assert values[3] == pytest.approx(found.before - found.random_mean, rel=SHOWN)
    expect(page.get_by_text(f"{found.n_less} of 8 took less than the trail's own")).to_be_visible()
    page.get_by_role("button", name="Other random squares").click()
    expect(page.get_by_text("(seed 1)")).to_be_visible()
    assert_no_complaints(page)


def test_turns_links_and_files(new_page: NewPage) -> None:
    classifier, trace = panda()
    plain = cc.follow(classifier, trace, "features.8.conv.0.2", (12, 4, 9))
    page = new_page(f"trail?trail={plain.to_text()}", permissions=["clipboard-read", "clipboard-write"])
    skip_guess(page)
    turned = plain
    for _ in range(2):
        # Another part at the next place where there is a choice.
        n = next(i for i, s in enumerate(turned.steps) if s.n_parts > 4 and i > max([*turned.turns, 0]))
        other = next(k for k, one in enumerate(turned.steps[n].contributors) if k > 1 and not one.followed)
        part = turned.steps[n].contributors[other]
        steps(page).locator(f'[data-step="{n}"]').click()
        page.locator(".tl-part:visible").nth(other).click()
        turns = {**turned.turns, n: (part.input_number, part.index)}
        turned = cc.follow(classifier, trace, "features.8.conv.0.2", (12, 4, 9), turns=turns)
        page.wait_for_url(f"**trail={turned.to_text()}")
        settled(page)
        expect(steps(page).locator('[aria-selected="true"]')).to_have_attribute("data-step", str(n))
    check_walk(page, turned)
    assert page.locator('.tl-row[data-turned="yes"]:visible').count() == 2
    # Away and back: the page is drawn anew, and opens at the step that was read.
    middle = len(turned.steps) // 2
    page.locator(".tl-all:visible").click()
    steps(page).locator(f'[data-step="{middle}"]').click()
    page.get_by_role("link", name="Next: The decision").click()
    page.wait_for_url("**/decision**")
    settled(page)
    page.get_by_role("button", name="Explore").click()
    page.get_by_text("Follow the value", exact=True).click()
    expect(steps(page).locator('[aria-selected="true"]')).to_have_attribute("data-step", str(middle))
    settled(page)
    page.locator(".tl-all:visible").click()

    lines = save(page, "CSV").splitlines()
    assert len(lines) == len(turned.steps) + 1
    for line, step in zip(lines[1:], turned.steps, strict=True):
        cells = line.split(",")
        assert cells[1] == step.operation and tuple(map(int, cells[3].split())) == step.index
        assert float(cells[4]) == step.value and (cells[10] == "1") == step.turned
    told = json.loads(save(page, "JSON"))
    assert told["trail"] == turned.to_text() and told["end"] == turned.end
    assert [c["value"] for c in told["steps"][1]["contributors"]] == [c.value for c in turned.steps[1].contributors]
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".tl-readout:visible")).to_contain_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == told["link"]
    again = new_page(link.split("/", 3)[3])
    expect(steps(again)).to_be_visible()  # who is sent a way sees it at once
    assert save(again, "CSV").splitlines() == lines

    page.get_by_role("button", name="Undo turn").click()
    once = cc.follow(classifier, trace, "features.8.conv.0.2", (12, 4, 9), turns=dict([min(turned.turns.items())]))
    page.wait_for_url(f"**trail={once.to_text()}")
    settled(page)
    page.get_by_role("button", name="Start again").click()
    page.wait_for_url(f"**trail={plain.to_text()}")
    settled(page)
    expect(page.get_by_role("button", name="Start again")).to_be_disabled()
    assert_no_complaints(page)
    assert_no_complaints(again)


@pytest.mark.long  # the other two walk the page as well
def test_starts_keyboard_and_phone(new_page: NewPage) -> None:
    page = new_page("trail?model=lenet5&picture=digit_7", viewport=PHONE, color_scheme="dark")
    assert overflow(page) <= 0
    picture(page).focus()
    for key in ("ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(".tl-readout:visible")).to_contain_text("Row 12, column 12")
    page.keyboard.press("Enter")
    expect(steps(page)).to_be_visible()
    settled(page)
    assert overflow(page) <= 0

    page.get_by_text("A unit of a layer").click()
    start = page.locator(".tl-map:visible")
    expect(start).to_be_visible()
    settled(page)
    frames(page).reset()
    start.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(60)
    told = page.locator(".tl-choose:visible").inner_text()
    classifier = cc.load_model("lenet5")
    trace = cc.trace(classifier, PANDA.parent / "digit_7.png")
    channel, row, column = (int(v) for v in numbers(told)[:3])
    assert numbers(told)[3] == pytest.approx(
        float(trace.activation("relu2")[channel, row, column]), rel=SHOWN, abs=1e-6
    )
    assert frames(page).sent == 0
    page.keyboard.press("Enter")
    page.wait_for_url(f"**trail=most~all~relu2~{channel}.{row}.{column}")
    settled(page)
    page.locator(".tl-thumbs:visible button").nth(2).click()
    settled(page)
    assert f"relu2~{channel}." not in page.url
    page.get_by_text("The part that pushes most its way").click()
    page.wait_for_url("**trail=for~all~relu2**")
    assert overflow(page) <= 0
    assert_no_complaints(page)
    wrong = new_page("trail?trail=most~all~nowhere~3")
    expect(wrong.get_by_text("Shown instead: the trail of the top class.")).to_be_visible()
    assert_no_complaints(wrong)
