"""A browser that has not heard of the newest address yet does not undo what was chosen; one that goes there does."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ui import session


def _page() -> None:
    import streamlit as st

    from ui import session

    session.adopt_address("page")
    session.bind("seed")
    for seed in (1, 2, 3):
        st.button(f"Seed {seed}", on_click=session.set, args=("seed", seed))
    st.text(session.get("seed"))


def _said(at: AppTest) -> str:
    """What the address says, which AppTest tells as a text or as a list of one."""
    said = at.query_params["seed"]
    return said if isinstance(said, str) else said[-1]


@pytest.mark.parametrize(("late", "shown"), [(60.0, "2"), (0.0, "1")])
def test_what_stood_a_moment_ago_is_late_and_later_it_is_a_link(
    monkeypatch: pytest.MonkeyPatch, late: float, shown: str
) -> None:
    monkeypatch.setattr(session, "_LATE", late)
    at = AppTest.from_function(_page).run()
    at.button[0].click().run()
    at.button[1].click().run()
    assert at.text[0].value == "2" and _said(at) == "2"
    at.query_params["seed"] = "1"
    at.run()
    assert at.text[0].value == shown and _said(at) == shown
    at.query_params["seed"] = "4"  # what never stood there is a link, however soon
    at.run()
    assert at.text[0].value == "4"


@pytest.mark.parametrize(("late", "shown"), [(60.0, "3"), (0.0, "1")])
def test_of_several_quick_choices_none_is_undone(monkeypatch: pytest.MonkeyPatch, late: float, shown: str) -> None:
    monkeypatch.setattr(session, "_LATE", late)
    at = AppTest.from_function(_page).run()
    for button in range(3):
        at.button[button].click().run()
    at.query_params["seed"] = "1"  # as a browser that has heard of neither of the two after it
    at.run()
    assert at.text[0].value == shown and _said(at) == shown


def test_back_to_before_a_choice_is_no_matter_of_another_one_made_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LATE", 0.0)
    at = AppTest.from_function(_page).run()
    at.button[0].click().run()
    monkeypatch.setattr(session, "_LATE", 60.0)
    at.session_state["cl_address_stood"] = [("picture", None, session.time.monotonic())]
    del at.query_params["seed"]
    at.run()
    assert at.text[0].value == "0", "it was told long ago that a seed stands there"
