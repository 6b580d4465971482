"""axe-core on every page, light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests import axe
from ui import shell

from .conftest import NewPage


@pytest.mark.long
@pytest.mark.parametrize("answered", [False, True], ids=["asked", "answered"])
def test_no_page_has_a_serious_violation(
    chrome: Browser, server_url: str, say: Callable[[str], None], answered: bool
) -> None:
    table = list(axe.check_all(chrome, server_url, [entry.key for entry in shell.PAGES], answered=answered))
    say("\n".join([axe.HEAD, *map(axe.row, table)]))
    for scheme in axe.SCHEMES:
        assert {one.page.split(":")[0] for one in table if one.scheme == scheme} == {one.key for one in shell.PAGES}
    assert not any(found.rule == "heading-order" for checked in table for found in checked.violations)
    wrong = [f"{checked.page}, {checked.scheme}\n{axe.details(checked)}" for checked in table if checked.grave]
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_the_check_sees_what_is_wrong(new_page: NewPage) -> None:
    page = new_page("")
    page.evaluate(
        """() => {
          const host = document.createElement("div");
          document.querySelector('[data-testid="stMainBlockContainer"]').prepend(host);
          host.attachShadow({mode: "open"}).innerHTML =
            '<button></button><p style="color:#ccc;background:#fff">faint words in a component</p>';
        }"""
    )
    found = axe.check_page(page, axe.rules(), "home", "light")
    assert {"button-name", "color-contrast"} <= {violation.rule for violation in found.grave}
