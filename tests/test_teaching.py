"""A teacher's link: what it says, that a locked one stays locked whatever is done, and when answers come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from tests.test_pages import open_page
from ui import shell, teaching
from ui.teaching import Teaching

SETTINGS = st.builds(
    Teaching,
    locked=st.booleans(),
    answers=st.sampled_from(["after", "hidden", "shown"]),
    large=st.booleans(),
    minutes=st.integers(0, 90),
    room=st.sampled_from(["", "KXW7Q"]),
)


@given(SETTINGS)
def test_what_is_written_is_read(found: Teaching) -> None:
    text = found.to_text()
    assert (teaching.read(text) if text else Teaching()) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unlocked",
        "locked,locked",
        "minutes~0",
        "minutes~91",
        "minutes~²",
        "room~kxw7q",
        "room~KXW7I",
        "after,hidden",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        teaching.read(text)


def address_of(at: AppTest) -> dict[str, list[str]]:
    found = {name: at.query_params[name] for name in at.query_params}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in found.items()}


def locked(key: str, **address: str) -> AppTest:
    return open_page(key, teach="locked", **address)


QUICK = ("kernel", "interventions", "grass")
OTHERS = [pytest.param(entry.key, marks=pytest.mark.long) for entry in shell.course() if entry.key not in QUICK]


@pytest.mark.parametrize("key", [*QUICK, *OTHERS])
def test_every_lesson_opens_locked_and_stays_as_it_is(key: str) -> None:
    at = locked(key, picture="koala", layer="features.3", seed="7", steps="32", channel="5", correlation="80")
    assert not at.exception
    before = address_of(at)
    assert [*before["teach"], *before["picture"], *before["seed"]] == ["locked", "koala", "7"]
    at.query_params.clear()
    at.query_params["picture"] = "dog"
    at.query_params["teach"] = "large"
    at.run()
    assert not at.exception
    assert address_of(at) == before
