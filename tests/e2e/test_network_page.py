"""The whole network in the browser: unfolded by click and key, counted, opened; hover sends nothing."""

from __future__ import annotations

import csv
import io
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


@pytest.fixture(scope="module")
def classifier() -> cc.Classifier:
    return cc.load_model("mobilenet_v2", device="cpu")


@pytest.fixture(scope="module")
def trace(classifier: cc.Classifier) -> cc.Trace:
    return cc.trace(classifier, cc.load_image(ROOT / "assets" / "samples" / "panda.jpg"))


def instrument(page: Page) -> Locator:
    root = page.locator(".nm[data-network]")
    expect(root).to_be_visible()
    return root


def show_costs(page: Page) -> Locator:
    page.get_by_text("Show the costs without guessing").click()
    root = page.locator(".nm")
    expect(root.locator(".strip svg")).to_be_visible()
    settled(page)
    return root


def unfold(root: Locator, *names: str) -> None:
    """Click stages and blocks by the name that stands on their card."""
    for name in names:
        root.locator(".graph g.card", has_text=name).first.click()


def card(root: Locator, classifier: cc.Classifier, name: str) -> Locator:
    index = [o.name for o in classifier.network.operations].index(name)
    return root.locator(f'.graph g.card[data-id="o{index}"]')


def test_it_opens_folded_and_ends_in_the_prediction(new_page: NewPage, trace: cc.Trace) -> None:
    page = new_page("network")
    root = instrument(page)
    assert root.locator(".graph g.card").count() == 7  # the picture, five resolutions, the classifier
    last = root.locator(".graph g.card").last
    top = trace.top(3)
    expect(last).to_contain_text(top[0].name)
    expect(last).to_contain_text(f"{top[0].probability:.3f}")
    expect(root.locator(".graph g.card").nth(1)).to_contain_text("16 × 112 × 112")
    # Maps are drawn on every stage: three pictures each, none empty.
    for stage in range(1, 6):
        images = root.locator(".graph g.card").nth(stage).locator("image")
        assert images.count() == 3
        assert all(image.get_attribute("href").startswith("data:image/png") for image in images.all())
    assert root.locator(".strip svg").count() == 0, "costs come after the guess"
    assert_no_complaints(page)


def test_unfolding_shows_blocks_operations_and_the_skip(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    root = instrument(page)
    frames(page).reset()
    unfold(root, "Stage 2", "features.3")
    names = [o.name for o in classifier.network.operations]
    inside = [i for i, name in enumerate(names) if name.startswith("features.3.")]
    for i in inside:
        expect(root.locator(f'.graph g.card[data-id="o{i}"]')).to_have_count(1)
    add = card(root, classifier, "features.3.add")
    add.scroll_into_view_if_needed()
    add.hover()
    # What feeds the addition is lit: the block's last batch normalisation, and the skip from the block before.
    lit = {element.get_attribute("data-id") for element in root.locator(".graph g.card.source").all()}
    feeding = [names.index(name) for name in classifier.network["features.3.add"].inputs]
    assert f"o{max(feeding)}" in lit and len(lit) == 2
    assert root.locator(".graph path.edge.feeds").count() == 2
    expect(root.locator(".what")).to_have_text(classifier.network["features.3.add"].title)
    assert frames(page).sent == 0
    root.get_by_role("button", name="Unfold all").click()
    assert root.locator(".graph g.card").count() == len(names)
    root.get_by_role("button", name="Fold all", exact=True).click()
    assert root.locator(".graph g.card").count() == 7
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_every_edge_of_the_graph_is_drawn(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    root = instrument(page)
    root.get_by_role("button", name="Unfold all").click()
    edges = {(name, o.name) for o in classifier.network.operations for name in o.inputs}
    assert root.locator(".graph path.edge").count() == len(edges)


def test_hover_reads_costs_and_sends_nothing(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    instrument(page)
    root = show_costs(page)
    page.wait_for_timeout(300)
    frames(page).reset()
    unfold(root, "Stage 1")
    box = root.locator(".strip").bounding_box()
    assert box is not None
    operations = classifier.network.operations
    for index in range(1, len(operations), 17):
        root.locator(".strip").hover(position={"x": (index + 0.5) * box["width"] / len(operations), "y": 60})
        operation = operations[index]
        expect(root.locator(".what")).to_have_text(operation.title)
        said = root.locator(".numbers").inner_text()
        assert said.startswith(operation.name)
        assert f"output {' × '.join(map(str, operation.output_shape))}" in said
        if operation.macs >= 1e6:
            words = next(part for part in said.split(" · ") if "multiply-adds" in part)
            assert numbers(words)[0] * 1e6 == pytest.approx(operation.macs, rel=5e-4)  # four digits are shown
        assert ("parameters" in said) == (operation.n_parameters > 0)
    for key in ("ArrowRight", "Home", "End", "PageUp"):
        root.locator(".strip").press(key)
    for name in ("Parameters", "Memory"):
        root.get_by_role("radio", name=name).click()
    page.wait_for_timeout(300)
    assert frames(page).sent == 0
    assert_no_complaints(page)


def test_totals_bars_and_table_are_counted(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    instrument(page)
    root = show_costs(page)
    network = classifier.network
    expect(root.locator(".total")).to_contain_text("million multiply-adds")
    assert numbers(root.locator(".total").inner_text())[0] * 1e6 == pytest.approx(network.macs, rel=5e-4)
    bars = root.locator(".strip rect.cost")
    assert bars.count() == sum(o.macs > 0 for o in network.operations)
    heights = {int(b.get_attribute("data-index") or -1): float(b.get_attribute("height") or 0) for b in bars.all()}
    most = max(o.macs for o in network.operations)
    for index, height in heights.items():
        # A bar is never thinner than a pixel, so that no cost is lost.
        assert height == pytest.approx(max(1, network.operations[index].macs / most * max(heights.values())), rel=1e-6)
    root.get_by_role("radio", name="Parameters").click()
    parameters = sum(p.numel() for p in classifier.module.parameters())
    assert numbers(root.locator(".total").inner_text())[0] * 1e6 == pytest.approx(parameters, rel=5e-4)
    expect(page.get_by_test_id("stMetric").nth(1)).to_contain_text(f"{parameters:,}")
    page.get_by_text("All operations as a table").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert sum(int(row["parameters"]) for row in table) == parameters
    assert [row["operation"] for row in table] == [o.name for o in network.operations]
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


def test_an_operation_opens_its_arithmetic_and_its_maps(
    new_page: NewPage, classifier: cc.Classifier, trace: cc.Trace
) -> None:
    page = new_page("network")
    root = instrument(page)
    unfold(root, "Stage 2", "features.3")
    name = "features.3.conv.0.0"
    card(root, classifier, name).click()
    expect(page.get_by_text(f"{name}: ")).to_be_visible()
    expect(root.locator("g.card.chosen")).to_have_count(1)
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
    assert parse_qs(urlparse(page.url).query)["layer"] == [name]
    page.get_by_role("link", name="All 144 maps of this operation").click()
    settled(page)
    expect(page.locator(f'.fm[data-layer="{name}"]')).to_be_visible()
    assert_no_complaints(page)


def test_keyboard_unfolds_opens_and_folds(new_page: NewPage) -> None:
    page = new_page("network?model=lenet5")
    root = instrument(page)
    before = root.locator(".graph g.card").count()
    root.locator(".graph").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert root.locator(".graph g.card").count() > before
    page.keyboard.press("ArrowRight")
    what = root.locator(".what").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=what)).to_be_visible()
    page.keyboard.press("Escape")
    expect(root.locator(".graph g.card")).to_have_count(before)
    assert_no_complaints(page)


def test_the_graph_is_saved_as_svg(new_page: NewPage, classifier: cc.Classifier) -> None:
    page = new_page("network")
    root = instrument(page)
    root.get_by_role("button", name="Unfold all").click()
    with page.expect_download() as download:
        root.get_by_role("button", name="Graph as SVG").click()
    tree = ElementTree.parse(download.value.path()).getroot()
    assert tree.tag == f"{SVG}svg"
    words = {element.text for element in tree.iter(f"{SVG}text")}
    assert {"Picture", "Softmax"} <= words
    cards = [g for g in tree.iter(f"{SVG}g") if "card" in (g.get("class") or "")]
    assert len(cards) == len(classifier.network.operations)
    pictures = [image.get("href") for image in tree.iter(f"{SVG}image")]
    assert len(pictures) > 100 and all((href or "").startswith("data:image/") for href in pictures)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_the_graph_scrolls(new_page: NewPage, scheme: str) -> None:
    page = new_page("network", viewport=PHONE, color_scheme=scheme, device_scale_factor=2)
    root = instrument(page)
    show_costs(page)
    assert overflow(page) <= 0
    graph = root.locator(".graph")
    assert graph.evaluate("(g) => g.scrollWidth > g.clientWidth")
    expect(root).to_have_attribute("data-mode", scheme)


def test_a_deep_network_with_random_weights(new_page: NewPage) -> None:
    """ResNet-152: over 500 operations unfold."""
    page = new_page("network?model=resnet152&weights=random")
    root = page.locator(".nm[data-network]")
    expect(root).to_be_visible(timeout=90_000)
    root.get_by_role("button", name="Unfold all").click()
    what = root.locator(".what").inner_text()
    assert root.locator(".graph g.card").count() == numbers(what.split(":")[1])[0] > 500
    assert_no_complaints(page)
