"""What a page shows once its questions are answered, screen by screen, for the accessibility check."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Page, expect

from .conftest import settled
from .test_audit import DROP, pictures
from .ways import MINUTES, WAYS, Way, answered, guess_all, interventions, point, press

SMALL = "build?layers=conv4k3s2-relu-flatten-linear&recipe=epochs~1,n_train~600,learning_rate~0.01"
BOXES = (
    "picture,top,left,bottom,right\nanimal0.png,100,60,240,230\nanimal1.png,72,72,216,216\nanimal2.png,80,40,250,250\n"
)


def screens(key: str) -> dict[str, Way]:
    """By name, in order: what is done on the page of this key to come to its next screen."""
    return SCREENS.get(key, {"answered": WAYS.get(key, guess_all)})


def at(page: Page, address: str) -> None:
    """Open the page again, at another of its addresses."""
    page.goto(urljoin(page.url, f"/{address}"))
    settled(page)
    expect(page.get_by_role("heading", level=1).first).to_be_visible(timeout=MINUTES)
    settled(page)


def section(name: str, n: int = 1) -> Way:
    """Choose a section, or a tool, and answer what it asks."""

    def way(page: Page) -> None:
        page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first.click()
        settled(page)
        guess_all(page, n)

    return way


def begun(page: Page) -> None:
    """Home of a learner who has opened a lesson and answered its questions."""
    page.get_by_role("button", name="Start here").click()
    page.wait_for_url("**/pixels**")
    guess_all(page, 2)
    page.go_back()
    expect(page.get_by_text(re.compile("^1 of .* lessons opened"))).to_be_visible()


def counted(page: Page) -> None:
    """A room in which one learner has guessed."""
    press(page, "^Open a room")
    link = page.get_by_role("link", name="Open it in a new tab")
    expect(page.get_by_text("No guess yet")).to_be_visible()
    learner = page.context.new_page()
    learner.goto(str(link.get_attribute("href")))
    settled(learner)
    guess_all(learner)
    learner.close()
    expect(page.get_by_text("learner has guessed")).to_be_visible()


def opened(page: Page) -> None:
    """The costs, and an operation's arithmetic."""
    at(page, "network?layer=features.1.conv.0.0")
    guess_all(page)


def unit_of_kernel(page: Page) -> None:
    page.get_by_text("A real unit of a network").click()
    settled(page)
    guess_all(page)


def tool(name: str) -> Way:
    def way(page: Page) -> None:
        page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).click()
        settled(page)

    return way


def trained(page: Page) -> None:
    at(page, SMALL)
    guess_all(page)
    press(page, "^Train this network")
    expect(page.locator('.trd[data-part="report"]')).to_be_visible(timeout=MINUTES)


def without(page: Page) -> None:
    guess_all(page)
    press(page, "^Train the twin")
    expect(answered(page)).to_have_count(2, timeout=MINUTES)


def biased(page: Page) -> None:
    at(page, "grass?correlation=100&seed=1")
    guess_all(page)
    press(page, "^Train it")
    expect(answered(page)).to_have_count(1, timeout=MINUTES)


def mystery(page: Page) -> None:
    page.get_by_text("Mystery network", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("^A map"))).to_be_enabled(timeout=MINUTES)
    settled(page)
    press(page, "^A map")
    press(page, "^The group table")
    press(page, "^It goes by the ground")
    expect(answered(page)).to_have_count(1, timeout=MINUTES)


def looked(page: Page) -> None:
    """Three pictures of the visitor's own, looked at."""
    at(page, "audit?network=example:first")
    with tempfile.TemporaryDirectory() as folder:
        page.locator(f'{DROP}[accept*="png"]').first.set_input_files(pictures(Path(folder)))
        expect(page.get_by_text("3 pictures, without labels")).to_be_visible()
    settled(page)
    guess_all(page)
    press(page, "^Look at the 3 pictures")
    expect(page.locator('.wal-grid[data-ready="yes"]').first).to_be_visible(timeout=MINUTES)


def boxed(page: Page) -> None:
    press(page, "^3 Box")
    page.get_by_text("Boxes from a file, and as a file").click()
    file = {"name": "boxes.csv", "mimeType": "text/csv", "buffer": BOXES.encode()}
    page.locator(f'{DROP}[accept*="json"]').set_input_files(file)  # type: ignore[arg-type]
    expect(page.get_by_text("3 pictures have boxes or a mask now")).to_be_visible()


def swapped(page: Page) -> None:
    press(page, "^Run the swaps with 3 boxed")
    expect(page.get_by_text("What the network saw")).to_be_visible(timeout=MINUTES)


def herd(page: Page) -> None:
    """The drawn herd, for which there are enough pictures for a verdict, and so an answer."""
    at(page, "audit?network=example:first")
    press(page, "drawn cows and camels$")
    guess_all(page)
    press(page, "^Look at the 40 pictures")
    expect(page.locator('.wal-grid[data-ready="yes"]').first).to_be_visible(timeout=MINUTES)
    press(page, "^3 Box")
    press(page, "^Use the boxes")
    press(page, "^Run the swaps with 40")
    expect(answered(page)).to_have_count(1, timeout=MINUTES)


def compared(page: Page) -> None:
    press(page, "^5 Verdict")
    press(page, "^Audit it, too")
    expect(page.get_by_text(re.compile("^The report of"))).to_be_visible(timeout=MINUTES)


SCREENS: dict[str, dict[str, Way]] = {
    "home": {"begun": begun},
    "teach": {"counted": counted},
    "kernel": {"answered": guess_all, "unit": unit_of_kernel},
    "network": {"answered": opened},
    "saliency": {"answered": point},
    "interventions": {
        "answered": interventions,
        "kernel": tool("Edit a kernel"),
        "picture": tool("Change the picture"),
        "preprocessing": tool("Sabotage the preprocessing"),
    },
    "insights": {
        "relu": section("Why ReLU"),
        "batch norm": section("Why batch norm"),
        "normalise": section("Why normalise"),
        "augmentation": section("Augmentation", 2),
    },
    "build": {"trained": trained, "twin": without},
    "grass": {"trained": biased, "repair": section("Repair it"), "mystery": mystery},
    "audit": {
        "looked": looked,
        "group": lambda page: press(page, "^2 Group"),
        "boxed": boxed,
        "swapped": swapped,
        "verdict": lambda page: press(page, "^5 Verdict"),
        "herd": herd,
        "two networks": compared,
    },
}
