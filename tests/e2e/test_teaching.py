"""A teacher's link in a browser, and visitors who speak Streamlit's protocol and send what no browser would."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, expect

import cnn_core as cc
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, overflow, settled
from tests.server import ROOT
from tests.test_links import quiet
from tests.visitors import Visitor
from ui import shell

SAMPLES = ROOT / "assets" / "samples"
FIRST, SECOND = "A negative number", "A positive number"
LOCKED = "picture=koala&layer=features.3&teach=locked"


def said(visitor: Visitor) -> dict[str, list[str]]:
    return parse_qs(visitor.address.partition("?")[2])


def meddle(visitor: Visitor) -> int:
    """Change every native control that can be changed, enabled or not, as if it were; how many there were."""
    changed = 0
    for kind in ("selectbox", "slider", "number_input", "button_group", "checkbox", "text_input"):
        for element in visitor.elements(kind):
            value = _another(kind, element)
            if value is not None and any(one.id == element.id for one in visitor.elements(kind)):
                visitor.give(element, value)
                changed += 1
    for element in visitor.elements("bidi_component"):
        for event, value in (("pick", "dog"), ("pick", "squeezenet1_1"), ("pick", "features.7"), ("pick", 3)):
            visitor.tell(element.id.rpartition("-")[2], event, value)
            changed += 1
    return changed


def _another(kind: str, element: Any) -> Any:
    if kind == "slider":
        return None if element.type == element.SELECT_SLIDER else [float(element.max)] * len(element.default)
    if kind == "number_input":
        return float(element.max if element.has_max else element.default + 1)
    if kind == "selectbox":
        return element.options[-1] if element.options else None
    if kind == "checkbox":
        return not element.default
    if kind == "button_group":
        return [element.options[-1].content] if element.options else None
    return "dog"


OTHERS = [entry.key for entry in shell.course() if entry.key != "gradcam"]


@pytest.mark.parametrize("page", ["gradcam", *(pytest.param(key, marks=pytest.mark.long) for key in OTHERS)])
def test_a_locked_page_cannot_be_unlocked_from_the_page(server_url: str, page: str) -> None:
    with Visitor(server_url, f"{page}?{LOCKED}") as visitor:
        # What is computed behind the page has come; on One channel that is a look through the whole library.
        visitor.until(lambda one: "This waits for" not in one.text(), "the end of the computation")
        quiet(visitor)
        before, text = said(visitor), visitor.text()

        def stands(one: Visitor) -> bool:
            return said(one) == before and one.text() == text

        assert before["picture"] == ["koala"] and before["layer"] == ["features.3"]
        assert meddle(visitor) > 0
        assert said(visitor) == before
        # Another link in the same session, one without the lock: still locked, to the same.
        visitor.open(f"{page}?picture=dog&layer=features.7&teach=large")
        visitor.until(stands, "the page as it was locked")
        visitor.open(page)
        visitor.until(stands, "the page as it was locked")
        # To another page and back.
        visitor.open("features?picture=dog")
        assert {**said(visitor), **before} == said(visitor)
        visitor.open(f"{page}?picture=dog")
        visitor.until(stands, "the page as it was locked")
        visitor.open("teach")
        assert not visitor.elements("selectbox") and "A link for your class" not in visitor.text()
        assert not visitor.broken


def test_a_room_counts_guesses_and_its_teacher_decides_who_sees_them(server_url: str) -> None:
    with Visitor(server_url, "teach") as teacher:
        teacher.press("Open a room")
        (code,) = re.findall(r"Room ([A-HJKMNP-Z2-9]{5})$", teacher.text(), re.MULTILINE)
        link = f"pixels?teach=locked,hidden,room~{code}"
        with Visitor(server_url, link) as one, Visitor(server_url, link) as other:
            one.press(FIRST)
            other.press(SECOND)
            assert not answered(one) and not answered(other), "hidden until the teacher shows it"
            assert not bars(one) and not bars(other), "nobody sees the class before the teacher shows it"
            teacher.until(lambda v: f"{FIRST}: **1** of 2" in bars(v), "the tally")
            teacher.until(lambda v: f"{SECOND}: **1** of 2" in bars(v), "the rest of the tally")
            other.press("Guess again")
            other.press(FIRST)
            teacher.until(lambda v: f"{FIRST}: **2** of 2" in bars(v), "the guess that was changed")
            teacher.press("Show to the class")
            one.until(lambda v: f"{FIRST}: **2** of 2" in bars(v), "the tally on a learner's screen")
            assert not answered(one)
            # A guess in a picture counts at once, too; it is compared when answers come, and not before.
            one.open("gradcam")
            classifier = cc.load_model("mobilenet_v2")
            seen = classifier.preprocess(cc.load_image(SAMPLES / "panda.jpg"))
            where = {"subject": f"{classifier.key}:{seen.digest[:16]}", "row": 96, "column": 88}
            one.tell("cl_gradcam", "guess", where)
            assert "Your guess is taken." in one.text()
            waits = "Not compared yet: **1** of 1"
            teacher.until(lambda v: waits in bars(v), "the click in the picture")
            assert not answered(one) and not bars(one)
            teacher.give(teacher.find("checkbox", "The class sees the answers"), True)
            one.until(answered, "the answer on a learner's screen")
            teacher.until(lambda v: waits.replace("**1**", "**0**") in bars(v), "the click that is compared now")
            other.until(answered, "the answer on the other learner's screen")
            teacher.press("Close the room")
            teacher.until(lambda v: any(b.label == "Open a room" for b in v.elements("button")), "the closed room")
            one.open("pixels")
            one.until(lambda v: not bars(v), "the page without the closed room")
        assert not teacher.broken


def bars(visitor: Visitor) -> list[str]:
    return [element.text for element in visitor.elements("progress")]


def answered(visitor: Visitor) -> bool:
    return any(words in visitor.text() for words in ("**As you guessed.**", "**Not this time.**"))


def test_a_locked_page_in_a_browser(new_page: NewPage) -> None:
    page = new_page("gradcam?picture=koala&teach=locked,hidden,large,minutes~2")
    expect(page.get_by_text("Set by your teacher")).to_be_visible()
    expect(page.get_by_role("button", name="koala .99")).to_be_disabled()
    assert page.get_by_role("radiogroup", name="Picture").count() == 0, "there is nothing to choose from"
    clock = page.get_by_role("timer")
    expect(clock).to_contain_text("1:5")
    frames(page).reset()
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    clock.get_by_role("button", name="Pause").click()
    held = clock.inner_text()
    page.wait_for_timeout(1200)
    assert clock.inner_text() == held
    assert frames(page).sent == 0, "the clock counts in the browser"
    # A guess is taken, and not answered; nobody looks without one.
    expect(page.get_by_text("Show it without a guess")).to_be_hidden()
    page.locator(".gc canvas").first.click(position={"x": 60, "y": 60})
    expect(page.get_by_text("Your guess is taken.")).to_be_visible()
    settled(page)
    assert page.get_by_text("As you guessed").count() + page.get_by_text("Not this time").count() == 0
    # Loaded again: still locked, the clock still paused where it was.
    page.reload()
    expect(page.get_by_text("Set by your teacher")).to_be_visible()
    expect(page.get_by_role("timer")).to_contain_text("Go on")
    assert page.get_by_role("timer").inner_text() == held
    page.set_viewport_size(PHONE)
    assert overflow(page) == 0
    assert_no_complaints(page)


@pytest.mark.long
def test_a_teacher_makes_a_link(new_page: NewPage) -> None:
    page = new_page("features?picture=koala&layer=features.3")
    page.get_by_test_id("stTopNavSection").filter(has_text="Teach").click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text="Teach with this").click()
    expect(page.get_by_role("heading", name="Teach with this", level=1)).to_be_visible()
    link = page.get_by_test_id("stCode").first
    expect(link).to_contain_text("/features?picture=koala&layer=features.3&teach=locked")
    page.get_by_role("radio", name="Hidden").click()
    expect(link).to_contain_text("teach=locked,hidden")
    page.get_by_role("radio", name="From a link").click()
    page.get_by_label("The link", exact=True).fill("http://elsewhere.example/depth?picture=dog&row=3&nonsense=1")
    page.get_by_label("The link", exact=True).press("Enter")
    expect(link).to_contain_text("/depth?picture=dog&row=3&teach=locked,hidden")
    expect(page.get_by_text("Left out, since it cannot be read: nonsense")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Make and download the sheet").click()
    assert "One kernel, by hand" in download.value.path().read_text(encoding="utf-8")
    assert overflow(page) == 0
    assert_no_complaints(page)


@pytest.mark.long
@pytest.mark.parametrize("kind", [each.key for each in cc.list_worksheets()])
def test_each_sheet_fits_on_one_page_of_a4(chrome: Browser, kind: str) -> None:
    page = chrome.new_page(viewport={"width": 680, "height": 1017})  # 180 × 269 mm: A4 less its margins
    page.emulate_media(media="print")
    page.set_content(cc.worksheets_html([cc.make_worksheet(kind, seed=seed) for seed in range(10)], answers=False))
    heights = page.locator(".sheet").evaluate_all(
        "sheets => sheets.map((sheet) => sheet.getBoundingClientRect().height)"
    )
    assert len(heights) == 10 and max(heights) <= 1017, heights
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    page.close()
