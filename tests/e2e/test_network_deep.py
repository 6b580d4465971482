"""The deepest network in the browser: ResNet-152 is painted, moved, zoomed, unfolded by click and key, and opened."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Locator, WebSocket, expect

from tests.e2e.conftest import NewPage, assert_no_complaints, frames, numbers, settled
from tests.e2e.test_network_page import STILL, cards, click, drawn, instrument


@pytest.mark.long  # the largest graph
def test_resnet152_moves_zooms_unfolds_and_opens(new_page: NewPage, server_url: str) -> None:
    """Over 500 operations: painted within a second of its data, moved without the server, and one unit adds up."""
    page = new_page("network?model=lenet5", **STILL)
    arrived: list[float] = []

    def big(payload: str | bytes) -> None:
        if len(payload) > 150_000:  # the graph's own message: maps of 517 operations
            arrived.append(time.monotonic())

    def watch(websocket: WebSocket) -> None:
        websocket.on("framereceived", big)

    page.on("websocket", watch)
    # First paint within 1 s of the data: 0.06 to 0.33 s were measured. The best of three, as the machine may be busy.
    waits: list[float] = []
    while not waits or (min(waits) > 1 and len(waits) < 3):
        arrived.clear()
        page.goto(f"{server_url}/network?model=resnet152&weights=random")
        page.wait_for_selector('.nm[data-network^="resnet152"]', timeout=90_000)
        assert arrived, "the graph's data came over the websocket"
        waits.append(time.monotonic() - arrived[0])
    assert min(waits) <= 1
    assert float(page.locator(".nm").get_attribute("data-first-paint") or "inf") < 1000 * waits[-1]
    root = instrument(page)
    settled(page)
    frames(page).reset()
    frame = root.locator(".graph").bounding_box()
    assert frame is not None
    root.get_by_role("button", name="Unfold all").click()
    count = int(numbers(root.locator(".what").inner_text().split(":")[1])[0])
    assert len(cards(root)) == count > 500

    # Pan by the mouse: the drawing goes with it, pixel for pixel.
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + 40
    start = drawn(root)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y)
    page.mouse.move(x - 200, y)
    page.mouse.up()
    moved = drawn(root)
    assert moved["x"] == pytest.approx(start["x"] - 200) and moved["zoom"] == start["zoom"]
    assert len(moved["cards"]) == count, "a drag is not a click"
    # The wheel scrolls the page at first, and zooms round the pointer once the graph is active.
    root.locator(".graph").focus()
    page.mouse.move(x, y + 100)
    page.mouse.wheel(0, -240)
    zoomed = wait_for(root, lambda told: told["zoom"] > 1.2 * moved["zoom"])
    under = (x - frame["x"] - moved["x"]) / moved["zoom"]
    assert (x - frame["x"] - zoomed["x"]) / zoomed["zoom"] == pytest.approx(under, abs=0.5)
    page.keyboard.press("Shift+ArrowRight")
    assert drawn(root)["x"] < zoomed["x"]
    # The overview: dragged to its end, the last operation is seen.
    strip = root.locator(".minimap").bounding_box()
    assert strip is not None
    page.mouse.move(strip["x"] + 30, strip["y"] + 20)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] - 4, strip["y"] + 20, steps=4)
    page.mouse.up()
    last = drawn(root)["cards"][-1]
    assert last["x"] < frame["x"] + frame["width"] and last["name"] == "softmax"
    # Drawing one frame of all this leaves room in the 16.7 ms of a frame; the machine may be busy: a median.
    spent = root.locator(".graph").evaluate(
        """async (graph) => {
          const spent = [];
          for (let k = 0; k < 41; k++) {
            graph.dispatchEvent(new WheelEvent("wheel", { deltaX: k % 2 ? 300 : -340, cancelable: true }));
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            spent.push(graph.drawn().spent);
          }
          return spent.sort((a, b) => a - b)[20];
        }"""
    )
    assert spent < 16.7
    assert frames(page).sent == 0

    # Unfold by click and by key, and open a unit.
    root.get_by_role("button", name="Fold all", exact=True).click()
    folded = len(cards(root))
    click(page, root, "Stage 2")
    by_click = len(cards(root))
    assert by_click > folded
    root.locator(".graph").press("Home")
    root.locator(".graph").press("ArrowRight")
    root.locator(".graph").press("Enter")
    assert len(cards(root)) > by_click
    assert frames(page).sent == 0
    what = root.locator(".what").inner_text()
    root.locator(".graph").press("Enter")
    expect(page.get_by_role("heading", name=what)).to_be_visible()
    expect(page.get_by_text("The terms give")).to_contain_text("✓")
    assert frames(page).sent > 0
    assert_no_complaints(page)


def wait_for(root: Locator, holds: Any) -> dict[str, Any]:
    """What is drawn, once it is so: an event of the mouse reaches the page a moment later."""
    deadline = time.monotonic() + 10
    while not holds(told := drawn(root)):
        assert time.monotonic() < deadline, told["zoom"]
        time.sleep(0.05)
    return told
