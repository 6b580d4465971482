"""What the server's first answer shows of Home: its own texts, links and numbers, and no script of ours."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from cnn_core import palette
from ui import first_screen, guard, hero_data, routes, shell, tour


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=routes.own()))


def test_the_first_screen_has_homes_links_in_the_course_order(client: TestClient) -> None:
    page = client.get("/").text
    drawn = page[page.index('<div id="cl-first">') :]
    links = re.findall(r'<a (?:class="main" )?href="([^"]*)"', drawn)
    doors, course = links[:4], links[4:]
    assert course == [entry.key for entry in shell.course()]
    assert doors[0] == course[0] and doors[2:] == ["gradcam", "teach"]
    assert doors[1].startswith(f"{tour.STEPS[0].page}?{tour.ADDRESS}=1&amp;")


def test_its_map_is_the_stored_one(client: TestClient) -> None:
    drawn = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")).astype(int)
        for text in re.findall(r"data:image/png;base64,([^\"]+)", client.get("/").text)
    ]
    assert len(drawn) == 2, "one for a dark page, one for a light one"
    values = hero_data.load()["map"]
    strongest = np.unravel_index(np.abs(values).argmax(), values.shape)
    end = palette.DIVERGING_LIGHT[-1 if values[strongest] > 0 else 0]
    assert (drawn[1][strongest] == end).all()
    # On a light page a number is drawn darker the farther it is from zero.
    lightness = drawn[1].sum(axis=2)
    far, near = np.abs(values) > 0.5 * np.abs(values).max(), np.abs(values) < 0.05 * np.abs(values).max()
    assert lightness[far].max() < lightness[near].min()


def test_it_brings_no_script_and_nothing_from_elsewhere(client: TestClient) -> None:
    page, plain = client.get("/").text, client.get("/?tour=1").text
    assert "cl-first" not in plain and "<title>ConvLens</title>" in plain
    added = page.replace(plain[plain.index("<body") : plain.index('<div id="root">')], "")
    assert page.count("<script") == plain.count("<script")
    assert not re.search(r"(?:src|href|url)\W{1,3}(?:https?:)?//", added[added.index("#cl-first") :])
    # The policy names the scripts that stand in Streamlit's page by their digest: they must be unchanged in ours.
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(inline) == len(guard._inline_scripts())


def test_a_page_without_the_place_for_it_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_screen, "_streamlits_page", lambda: "<body><div id='app'></div></body>")
    assert first_screen.with_first_screen.__wrapped__() == "<body><div id='app'></div></body>"
