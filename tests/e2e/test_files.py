"""Figures and numbers as files, made in the browser: what is shown is saved, and nothing is asked of the server."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

import cnn_core as cc
from tests.e2e.conftest import NewPage, assert_no_complaints, frames, settled
from ui import scripts, shell

SVG = "{http://www.w3.org/2000/svg}"
PANDA = Path(__file__).resolve().parents[2] / "assets" / "samples" / "panda.jpg"


def saved(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download() as started:
        button.click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def words(svg: ElementTree.Element) -> str:
    return " ".join(text.text or "" for text in svg.iter(f"{SVG}text"))


def test_a_figure_is_saved_as_it_is_shown(new_page: NewPage) -> None:
    page = new_page("pooling?layer=features.0.2&channel=20", color_scheme="dark")
    root = page.locator(".ac")
    row = page.locator(".ac + .cl-saves")
    expect(root.locator(".readout")).to_contain_text("✓")
    frames(page).reset()

    name, content = saved(page, row.locator(".save-svg"))
    assert name == "features.0.2_channel_20_before_and_after.svg"
    svg = ElementTree.fromstring(content)
    width, height = (float(svg.get(side) or 0) for side in ("width", "height"))
    box = root.bounding_box()
    assert box and width == pytest.approx(box["width"] + 24, abs=2), "a margin of 12 pixels round it"
    shown = " ".join(root.locator(".value.in").inner_text().split())
    assert shown in words(svg) and "Channel 20" in words(svg)
    # It stands on its own: nothing of it lies elsewhere, and every viewer of SVG can draw it.
    assert not list(svg.iter(f"{SVG}foreignObject")) and b"var(--" not in content
    pictures = [image.get("href") or "" for image in svg.iter(f"{SVG}image")]
    assert len(pictures) >= 4 and all(href.startswith("data:image/png;base64,") for href in pictures)
    for canvas in (".in-map", ".out-map", ".graph"):
        assert root.locator(canvas).evaluate("canvas => canvas.toDataURL()") in pictures, "pixel by pixel"

    name, content = saved(page, row.locator(".save-png"))
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert image.shape[:2] == (round(2 * height), round(2 * width))
    assert image[4, 4].tolist() == [0x0E, 0x11, 0x17], "on the dark page's own colour"
    assert len(np.unique(image[::6, ::6].reshape(-1, 3), axis=0)) > 200, "maps in all their colours"

    name, content = saved(page, row.locator(".save-csv"))
    table = np.genfromtxt(io.BytesIO(content), delimiter=",", names=True)
    classifier = cc.load_model("mobilenet_v2")
    trace = cc.trace(classifier, PANDA)
    want = trace.activation("features.0.2")[20]
    np.testing.assert_allclose(table["after"].reshape(want.shape), want, rtol=1e-5, atol=1e-6)

    # What is no instrument is found at the page's end.
    page.locator(".keep summary").click()
    charts = page.locator(".js-plotly-plot:visible").count()
    expect(page.locator(".keep li .save-csv:visible")).to_have_count(charts)
    page.wait_for_timeout(200)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_words_in_a_file_stay_words(chrome: Browser) -> None:
    """The shared scripts alone, on an empty page: what a visitor named a file can neither be a formula nor a path."""
    page = chrome.new_page()
    page.set_content('<div id="holder"><div class="cl"></div></div>')
    made = page.evaluate(
        scripts.shared()
        + """
        ;(() => {
          const root = document.querySelector(".cl");
          root.append(make("b", "", "a <script> & “words”"), make("span", "sr", "hidden"));
          const picture = drawnSvg(root, themeOf(root), "x < y");
          return { csv: csvText([["=1+1", "@cmd", "-2", -2, "−3", "a,b", 'say "hi"', null, "two\\nlines", 1e-7]]),
            names: ["../../etc/passwd", "", "Größe ≥ 3: ✓", "a".repeat(200)].map(fileName), svg: picture.text,
            rows: csvOfArray({ data: [1, 2, 3, 4, 5, 6], shape: [2, 3] }, ["row", "column"], "v"),
            objects: csvOfObjects([{ a: 1, b: "x", c: { d: 1 } }, { a: 2, e: [1, 2] }]) };
        })()"""
    )
    (row,) = csv.reader(io.StringIO(made["csv"]))
    assert row == ["'=1+1", "'@cmd", "-2", "-2", "-3", "a,b", 'say "hi"', "", "two\nlines", "1e-7"]
    assert made["names"] == ["etc_passwd", "convlens", "Gro_e_3", "a" * 80]
    assert made["rows"] == [["row", "column", "v"], [0, 0, 1], [0, 1, 2], [0, 2, 3], [1, 0, 4], [1, 1, 5], [1, 2, 6]]
    assert made["objects"] == [["a", "b", "e"], [1, "x", ""], [2, "", "1 2"]]
    svg = ElementTree.fromstring(made["svg"])
    assert "a <script> & “words”" in words(svg) and "hidden" not in words(svg)
    page.close()


@pytest.mark.long
@pytest.mark.parametrize("key", [entry.key for entry in shell.PAGES])
def test_every_row_of_files_gives_files(new_page: NewPage, key: str) -> None:
    page = new_page("" if key == "home" else key, reduced_motion="reduce")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(1500)
    questions = page.locator('[class*="st-key-cl-question-"]')
    for i in range(questions.count()):
        questions.nth(i).locator("button").first.click()
        settled(page)
    rows = page.locator(".cl-saves:visible")
    for i in range(rows.count()):
        name, content = saved(page, rows.nth(i).locator(".save-png"))
        assert Image.open(io.BytesIO(content)).convert("L").getextrema()[0] < 250, f"{name} is empty"
        name, content = saved(page, rows.nth(i).locator(".save-svg"))
        assert ElementTree.fromstring(content).tag == f"{SVG}svg", name
        button = rows.nth(i).locator(".save-csv")
        if button.is_visible():
            name, content = saved(page, button)
            table = list(csv.reader(io.StringIO(content.decode())))
            assert len({len(line) for line in table}) <= 1, f"{name}: lines of one length"
    assert_no_complaints(page)
