"""The whole network in the browser: moved, zoomed, unfolded, counted, opened; only a click on an operation is sent."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import cnn_core as cc
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, frames, numbers, overflow, settled
from tests.server import ROOT
from ui import arithmetic, network_lesson

SVG = "{http://www.w3.org/2000/svg}"
STILL = {"reduced_motion": "reduce"}  # the view is where it shall be at once, so that a test need not wait


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def trace(classifier: cc.Classifier) -> cc.Trace:
    return cc.trace(classifier, cc.load_image(ROOT / "assets" / "samples" / "panda.jpg"))


def instrument(page: Page, timeout: float = 20_000) -> Locator:
    root = page.locator(".nm[data-network]")
    expect(root).to_be_visible(timeout=timeout)
    root.locator(".graph").evaluate("g => g.scrollIntoView({block: 'center'})")
    return root


def show_costs(page: Page) -> Locator:
    page.get_by_text("Show the costs without guessing").click()
    root = page.locator(".nm")
    expect(root.locator(".strip svg")).to_be_visible()
    settled(page)
    return root


def drawn(root: Locator) -> dict[str, Any]:
    """What stands on the canvas and where, in the page's pixels."""
    told: dict[str, Any] = root.locator(".graph").evaluate("g => g.drawn()")
    return told


def place(root: Locator, name: str) -> tuple[float, float]:
    """The middle of what is seen of a card or of the title of what is unfolded: by id, operation or title."""
    told, frame = drawn(root), root.locator(".graph").bounding_box()
    assert frame is not None
    boxes = [box | {"height": 24 * told["zoom"]} for box in told["boxes"]]
    entries = [e for e in [*told["cards"], *boxes] if name == e["id"] or name in e["title"]]
    entry = (entries or [e for e in told["cards"] if e["name"] == name])[0]
    left, right = max(entry["x"], frame["x"]), min(entry["x"] + entry["width"], frame["x"] + frame["width"])
    assert left < right, f"{name} is out of sight"
    return (left + right) / 2, entry["y"] + entry["height"] / 2


def click(page: Page, root: Locator, *names: str) -> None:
    for name in names:
        page.mouse.click(*place(root, name))


def cards(root: Locator) -> list[str]:
    return [card["id"] for card in drawn(root)["cards"]]


def saved(page: Page, root: Locator) -> ElementTree.Element:
    with page.expect_download() as download:
        page.locator(".nm + .cl-saves .save-svg").click()
    return ElementTree.parse(download.value.path()).getroot()


def words(element: ElementTree.Element) -> str:
    return " | ".join(text.text or "" for text in element.iter(f"{SVG}text"))


def test_it_opens_folded_unfolds_to_every_operation_and_lights_what_feeds(
    new_page: NewPage, classifier: cc.Classifier, trace: cc.Trace
) -> None:
    page = new_page("network", **STILL)
    root = instrument(page)
    frames(page).reset()
    assert len(cards(root)) == 7  # the picture, five resolutions, the classifier
    assert not root.locator(".ranking").is_visible() and not root.locator(".strip").is_visible(), "after the guess"
    tree = saved(page, root)
    groups = [g for g in tree.iter(f"{SVG}g") if g.get("class") == "card"]
    top = trace.top(3)
    assert top[0].name in words(groups[-1]) and f"{top[0].probability:.3f}" in words(groups[-1])
    assert "16 × 112 × 112" in words(groups[1])
    for stage in groups[1:6]:
        wide = sorted(float(image.get("width", 0)) for image in stage.iter(f"{SVG}image"))
        assert len(wide) == 4 and wide[-1] > 3 * wide[-2], "a stage's strongest map large, and three more"

    click(page, root, "Stage 2", "features.3 ")
    names = [o.name for o in classifier.network.operations]
    inside = {f"o{i}" for i, name in enumerate(names) if name.startswith("features.3.")}
    assert inside < set(cards(root))
    number = names.index("features.3.add")
    root.locator(".graph").press("Home")
    for _ in range(20):
        root.locator(".graph").press("ArrowRight")
        if root.locator(".what").inner_text() == classifier.network["features.3.add"].title:
            break
    # What feeds the addition is lit: the block's last batch normalisation, and the skip from the block before.
    feeding = [names.index(name) for name in classifier.network["features.3.add"].inputs]
    lit = drawn(root)["feeds"]
    assert len(lit) == 2 and all(target == f"o{number}" for _, target in lit)
    assert f"o{max(feeding)}" in {source for source, _ in lit}

    root.get_by_role("button", name="Unfold all").click()
    assert cards(root) == [f"o{i}" for i in range(len(names))]
    edges = {
        (f"o{names.index(name)}", f"o{i}") for i, o in enumerate(classifier.network.operations) for name in o.inputs
    }
    assert {tuple(edge) for edge in drawn(root)["edges"]} == edges
    tree = saved(page, root)
    groups = [g for g in tree.iter(f"{SVG}g") if g.get("class") == "card"]
    assert len(groups) == len(names)
    assert {"Picture", "Softmax"} <= {element.text for element in tree.iter(f"{SVG}text")}
    pictures = [image.get("href") for image in tree.iter(f"{SVG}image")]
    assert len(pictures) > 100 and all((href or "").startswith("data:image/png") for href in pictures)
    root.get_by_role("button", name="Fold all", exact=True).click()
    assert len(cards(root)) == 7
    assert frames(page).sent == 0
    assert_no_complaints(page)


@pytest.mark.parametrize("model", ["mobilenet_v2", "squeezenet1_1"])
def test_no_line_runs_through_a_card(new_page: NewPage, model: str) -> None:
    page = new_page(f"network?model={model}", **STILL)
    root = instrument(page)
    root.get_by_role("button", name="Unfold all").click()
    tree = saved(page, root)
    boxes = []
    for group in tree.iter(f"{SVG}g"):
        if group.get("class") == "card":
            x, y = numbers(group.get("transform") or "")
            sides = [float((group.find(f"{SVG}rect").attrib)[side]) for side in ("width", "height")]  # type: ignore[union-attr]
            boxes.append((x + 2, y + 2, x + sides[0] - 2, y + sides[1] - 2))
    paths = [path.get("d") for path in tree.iter(f"{SVG}path") if path.get("class") == "edge"]
    hits = page.evaluate(
        """([paths, boxes]) => paths.filter((d) => {
          const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
          path.setAttribute("d", d);
          const length = path.getTotalLength();
          for (let at = 0; at <= length; at += 3) {
            const { x, y } = path.getPointAtLength(at);
            if (boxes.some(([l, t, r, b]) => x > l && x < r && y > t && y < b)) return true;
          }
          return false;
        })""",
        [paths, boxes],
    )
    assert hits == []


def test_costs_are_read_ranked_and_coloured_without_the_server(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network", **STILL)
    instrument(page)
    root = show_costs(page)
    page.wait_for_timeout(300)
    frames(page).reset()
    operations, network = classifier.network.operations, classifier.network
    root.locator(".strip").scroll_into_view_if_needed()
    box = root.locator(".strip").bounding_box()
    assert box is not None
    for index in range(1, len(operations), 31):
        root.locator(".strip").hover(position={"x": (index + 0.5) * box["width"] / len(operations), "y": 60})
        operation = operations[index]
        expect(root.locator(".what")).to_have_text(operation.title)
        said = root.locator(".numbers").inner_text()
        assert said.startswith(operation.name)
        assert f"output {' × '.join(map(str, operation.output_shape))}" in said
        if operation.macs >= 1e6:
            part = next(part for part in said.split(" · ") if "multiply-adds" in part)
            assert numbers(part)[0] * 1e6 == pytest.approx(operation.macs, rel=5e-4)  # four digits are shown
        assert ("parameters" in said) == (operation.n_parameters > 0)
    bars = root.locator(".strip rect.cost")
    told = bars.evaluate_all("list => list.map((b) => [Number(b.dataset.index), Number(b.getAttribute('height'))])")
    assert len(told) == sum(o.macs > 0 for o in operations)
    most, tallest = max(o.macs for o in operations), max(height for _, height in told)
    for index, height in told:
        # A bar is never thinner than a pixel, so that no cost is lost.
        assert height == pytest.approx(max(1, operations[index].macs / most * tallest), rel=1e-6)

    # The table: sorted by the metric, its rows light the graph, its total is the network's.
    rows = root.locator(".ranking tbody tr")
    order = [int(row) for row in rows.evaluate_all("list => list.map((row) => row.dataset.index)")]
    assert [operations[i].macs for i in order] == sorted((o.macs for o in operations), reverse=True)
    rows.nth(3).hover()
    expect(root.locator(".what")).to_have_text(operations[order[3]].title)
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    expect(root.locator(".numbers")).to_contain_text(operations[order[1]].name)
    page.keyboard.press("Enter")
    assert f"o{order[1]}" in cards(root)
    root.locator(".ranking").get_by_role("button", name="№").click()
    order = [int(row) for row in rows.evaluate_all("list => list.map((row) => row.dataset.index)")]
    assert order == list(range(len(operations)))
    for label, count, unit in (("Parameters", network.n_parameters, 1e6), ("Multiply-adds", network.macs, 1e6)):
        root.get_by_role("radio", name=label).click()
        assert numbers(root.locator(".total").inner_text())[0] * unit == pytest.approx(count, rel=5e-4)
        assert numbers(root.locator("tfoot td").nth(2).inner_text())[0] * unit == pytest.approx(count, rel=5e-4)
        expect(root.locator(".legend")).to_contain_text("one shared scale")
    tree = saved(page, root)
    papers = {
        group.get("data-id"): next(r.get("fill") for r in group.iter(f"{SVG}rect"))
        for group in tree.iter(f"{SVG}g")
        if group.get("class") == "card" and (group.get("data-id") or "").startswith("o")
    }
    free = [f for i, f in papers.items() if operations[int((i or "o0")[1:])].macs == 0]
    dear = [f for i, f in papers.items() if operations[int((i or "o0")[1:])].macs > 1e6]
    assert set(free) == {"#ffffff"} and dear and "#ffffff" not in dear
    with page.expect_download() as download:
        page.locator(".nm + .cl-saves .save-csv").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert sum(int(row["parameters"]) for row in table) == sum(p.numel() for p in classifier.module.parameters())
    assert sum(int(row["multiply-adds"]) for row in table) == network.macs
    assert [row["operation"] for row in table] == [o.name for o in operations]
    page.wait_for_timeout(300)
    assert frames(page).sent == 0
    expect(page.get_by_test_id("stMetric").nth(1)).to_contain_text(f"{network.n_parameters:,}")
    assert_no_complaints(page)


def test_the_guess_is_answered_from_the_model(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    root = instrument(page)
    network = classifier.network
    most = max(network.operations, key=lambda o: o.macs)
    wrong = next(o for o in network_lesson.candidates(network) if o is not most)
    page.get_by_role("button", name=f"{wrong.name} ({wrong.short_title})", exact=True).click()
    expect(page.get_by_text("Not this time.")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_contain_text(most.name)
    expect(root.locator(".strip svg")).to_be_visible()
    page.get_by_role("button", name="Guess again").click()
    page.get_by_role("button", name=f"{most.name} ({most.short_title})", exact=True).click()
    expect(page.get_by_text("As you guessed.")).to_be_visible()


def test_an_operation_opens_its_arithmetic_at_any_unit(
    new_page: NewPage, classifier: cc.Classifier, trace: cc.Trace
) -> None:
    page = new_page("network", **STILL)
    root = instrument(page)
    click(page, root, "Stage 2", "features.3 ")
    name = "features.3.conv.0.0"
    number = [o.name for o in classifier.network.operations].index(name)
    click(page, root, f"o{number}")
    expect(page.get_by_role("heading", name=f"{name}: ")).to_be_visible()
    assert drawn(root)["chosen"] == name
    index = arithmetic.strongest_unit(classifier.network[name], trace)
    value = float(trace.activation(name)[index])
    assert abs(value) == np.abs(trace.activation(name)).max()
    line = page.get_by_text("The terms give")
    expect(line).to_contain_text("✓")
    assert numbers(line.inner_text())[:2] == pytest.approx([value, value], rel=5e-4)
    unit = cc.explain_unit(classifier, trace, name, index)
    table = page.get_by_test_id("stMarkdown").locator("table")
    rows = [row.inner_text().split("\t") for row in table.locator("tbody tr").all()]
    terms, others, rest = unit.ranked(arithmetic.SHOWN_TERMS)
    assert [numbers(row[2])[0] for row in rows[: len(terms)]] == pytest.approx([t.value for t in terms], rel=5e-4)
    assert numbers(rows[len(terms)][0])[0] == others
    assert numbers(rows[len(terms)][2])[0] == pytest.approx(rest, rel=5e-4)
    # Another unit, kept in the address.
    settled(page)
    field = page.get_by_role("spinbutton", name="Row, 0 to 55")
    field.fill("7")
    field.press("Enter")
    other = (index[0], 7, index[2])
    expect(page.get_by_text(arithmetic.place(classifier.network[name], other))).to_be_visible()
    value = float(trace.activation(name)[other])
    expect(line).to_contain_text("✓")
    assert numbers(line.inner_text())[1] == pytest.approx(value, rel=5e-4)
    query = parse_qs(urlparse(page.url).query)
    wanted = {"layer": [name], "channel": [str(other[0])], "row": ["7"], "column": [str(other[2])]}
    assert {key: query[key] for key in wanted} == wanted
    expect(page.get_by_role("link", name="How far does it see?")).to_be_visible()
    page.get_by_role("link", name="Follow this value").click()
    settled(page)
    expect(page.get_by_role("heading", name="Follow the value")).to_be_visible()
    assert f"~{name}~{'.'.join(map(str, other))}" in parse_qs(urlparse(page.url).query)["trail"][0]
    assert_no_complaints(page)


def test_keyboard_unfolds_opens_moves_and_folds(new_page: NewPage) -> None:
    page = new_page("network?model=lenet5", **STILL)
    root = instrument(page)
    before = len(cards(root))
    root.locator(".graph").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert len(cards(root)) > before
    page.keyboard.press("ArrowRight")
    what = root.locator(".what").inner_text()
    zoom = drawn(root)["zoom"]
    page.keyboard.press("+")
    assert drawn(root)["zoom"] == pytest.approx(1.25 * zoom)
    page.keyboard.press("1")
    assert drawn(root)["zoom"] == 1
    page.keyboard.press("0")
    assert drawn(root)["zoom"] <= 1.25
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=what)).to_be_visible()
    settled(page)
    root.locator(".graph").focus()
    page.keyboard.press("Escape")
    assert len(cards(root)) == before
    assert_no_complaints(page)


def test_on_a_phone_only_the_graph_moves(new_page: NewPage) -> None:
    page = new_page("network", viewport=PHONE, color_scheme="dark", device_scale_factor=2, has_touch=True, **STILL)
    instrument(page)
    root = show_costs(page)
    assert overflow(page) <= 0
    assert drawn(root)["deep"]
    expect(root.locator(".minimap")).to_be_visible()
    expect(root).to_have_attribute("data-mode", "dark")
    # Two fingers: what lies between them stays there, and grows as they part.
    graph = root.locator(".graph")
    graph.scroll_into_view_if_needed()
    box = graph.bounding_box()
    assert box is not None
    before = drawn(root)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *halves: float) -> None:
        points = [{"x": x + side * half, "y": y, "id": n} for half in halves for n, side in enumerate((-1, 1))]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    frames(page).reset()
    touch("touchStart", 40)
    for half in (50, 65, 80):
        touch("touchMove", half)
    touch("touchEnd")
    after = drawn(root)
    assert after["zoom"] / before["zoom"] == pytest.approx(2, rel=0.02)
    middle = box["width"] / 2
    assert (middle - after["x"]) / after["zoom"] == pytest.approx((middle - before["x"]) / before["zoom"], abs=2)
    assert len(after["cards"]) == len(before["cards"]), "a pinch is not a click"
    assert frames(page).sent == 0
    assert_no_complaints(page)
