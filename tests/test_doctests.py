"""The examples in the library's docstrings do what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "cnn_core").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_the_examples_are_found() -> None:
    assert len(WITH_EXAMPLES) >= 10


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # examples name the shipped pictures
    failed, tried = doctest.testmod(import_module(name))
    assert tried and not failed


def test_every_public_name_says_what_it_is() -> None:
    import cnn_core as cc

    silent = [name for name in cc.__all__ if not (getattr(cc, name).__doc__ or "").strip()]
    assert not silent
