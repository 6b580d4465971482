"""Progress over the course: noted by the frame, saved, loaded, refused in a sentence, forgotten and brought back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import cnn_core as cc
from ui import progress
from ui.progress import Progress

ROOT = Path(__file__).resolve().parent.parent


def test_a_question_counts_once_whatever_is_tried() -> None:
    own = Progress()
    for guessed, right in (("=a", False), ("=a", False), ("=b", True), ("=b", True)):
        own.answer("pixels_bright", "pixels", guessed=guessed, right=right)
    own.answer("kernel_edge", "kernel", guessed="=x", right=False)
    assert (own.answers["pixels_bright"].tries, own.answers["pixels_bright"].right) == (2, True)
    assert own.of("pixels") == (1, 1) and own.of("kernel") == (1, 0) and own.n_right == 1


def test_a_guess_is_graded_by_what_it_met_first() -> None:
    own = Progress()
    own.answer("relu_zeros", "pooling", guessed="=some", right=True)
    own.answer("relu_zeros", "pooling", guessed="=some", right=False)  # another layer is looked at
    own.answer("features", "features", guessed="layer a=colour", right=True)
    own.answer("features", "features", guessed="layer b=shape", right=False)
    own.answer("features", "features", guessed="layer a=colour", right=True)  # and back
    assert (own.answers["relu_zeros"].right, own.answers["relu_zeros"].tries) == (True, 1)
    assert (own.answers["features"].right, own.answers["features"].tries) == (False, 2)


def test_what_is_saved_comes_back() -> None:
    own = Progress()
    own.visit("pixels")
    own.visit("build")
    own.visit("pixels")
    own.visit("no such lesson")
    own.answer("q", "build", guessed="=a", right=True)
    found = progress.from_json(own.to_json().encode())
    assert found.opened == ["pixels", "build"]
    assert {key: (one.lesson, one.right, one.tries) for key, one in found.answers.items()} == {"q": ("build", True, 1)}


def test_taking_up_keeps_what_is_there() -> None:
    own, saved = Progress(), Progress()
    own.visit("kernel")
    own.answer("q", "kernel", guessed="=a", right=True)
    saved.visit("pixels")
    saved.answer("q", "kernel", guessed="=b", right=False)
    saved.answer("r", "pixels", guessed="=b", right=False)
    own.add(saved)
    assert own.opened == ["kernel", "pixels"]
    assert own.answers["q"].right and not own.answers["r"].right


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"format": "convlens progress", "version": 2, "opened": [], "answers": {}}',
        b'{"format": "convlens progress", "version": 1, "opened": 3, "answers": {}}',
        b'{"format": "convlens progress", "version": 1, "opened": [], "answers": {"a b": {}}}',
        b"[" * 50_000,
        json.dumps(
            {
                "format": "convlens progress",
                "version": 1,
                "opened": [],
                "answers": {"q": {"lesson": "kernel", "right": 1, "tries": True}},
            }
        ).encode(),
        b" " * (progress.MAX_BYTES + 1),
    ],
)
def test_another_file_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(cc.InvalidOption, match=r"Choose (a|the) file"):
        progress.from_json(content)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(content: bytes) -> None:
    with pytest.raises(cc.InvalidOption):
        progress.from_json(content)


def test_home_shows_the_way_so_far() -> None:
    at = AppTest.from_file(str(ROOT / "ui" / "main.py"), default_timeout=60)
    own = Progress()
    at.session_state["cl_progress"] = own
    at.run()
    assert "Start here" in [button.label for button in at.button]
    own.visit("pixels")
    own.answer("q", "pixels", guessed="=a", right=True)
    own.answer("r", "pixels", guessed="=a", right=False)
    at.run()
    assert "Go on: Convolution kernel" in [button.label for button in at.button]
    assert any("1 of 2 guessed right" in caption.value for caption in at.caption)
    next(button for button in at.button if button.label == "Begin anew").click().run()
    assert "Start here" in [button.label for button in at.button]
    next(button for button in at.button if button.label == "Bring my progress back").click().run()
    assert "Go on: Convolution kernel" in [button.label for button in at.button]
    assert not at.exception
