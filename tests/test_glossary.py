"""The course's words: each with a lesson and a short meaning, marked once a page, never opening a door to HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import glossary, shell


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(glossary.st, "session_state", {})
    yield


def terms(marked: str) -> list[str]:
    return re.findall(r'data-means="[^"]*">([^<]*)</span>', marked)


def test_each_term_has_a_short_meaning_and_a_lesson() -> None:
    lessons = {entry.key for entry in shell.PAGES}
    names = [form.lower() for term in glossary.TERMS for form in (term.name, *term.forms)]
    assert len(names) == len(set(names)), "one meaning for each word"
    for term in glossary.TERMS:
        assert term.lesson in lessons
        assert 20 <= len(term.meaning) <= 130 and term.meaning.endswith("."), term.name


def test_the_first_mention_is_marked_and_stays_so_when_the_same_text_is_drawn_again() -> None:
    first = glossary.marked("Kernels and strides: a kernel moves by its stride.")
    assert terms(first) == ["Kernels", "strides"]
    assert terms(glossary.marked("Another kernel.")) == []
    assert glossary.marked("Kernels and strides: a kernel moves by its stride.") == first
    glossary.begin_page()
    assert terms(glossary.marked("Another kernel.")) == ["kernel"]


def test_the_longest_term_wins_and_parts_of_words_do_not() -> None:
    assert terms(glossary.marked("Max pooling, not overkernelled; a max-pooling layer; sub-batch")) == ["Max pooling"]


def test_code_formulas_links_and_icons_stay_as_they_are() -> None:
    text = "`kernel` $stride$ [loss](https://example.org) :green[logit] :material/filter:"
    assert glossary.marked(text) == text


@given(st.text(alphabet="<>&\"'`\\$[]() kernelsimgonerror=x", max_size=80))
def test_no_text_becomes_html(text: str) -> None:
    glossary.begin_page()
    outside = re.sub(
        r'<span class="cl-term" tabindex="0" role="note" aria-label="[^"<]*" data-means="[^"<]*">',
        "",
        glossary.marked(text),
    )
    assert "<" not in outside.replace("</span>", "")
