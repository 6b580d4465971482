"""Which piece of clothing the small networks look at: a test picture by its number, or the picture of the side bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import streamlit as st

import cnn_core as cc
from cnn_core.landmarks import LANDMARKS
from ui import cached, pictures, session
from ui.text import plain

FIRST: Final = 208  # an ankle boot
_BESIDE: Final = "cl_landmarks_own"


@dataclass(frozen=True, eq=False)
class Shown:
    """What the small networks see, what it is for people, and its class where that is known."""

    seen: cc.ModelInput
    words: str
    truth: str | None


def small_networks() -> tuple[cc.Classifier, ...]:
    """The five small networks, oldest first."""
    return tuple(cached.classifier(entry.small) for entry in LANDMARKS)


def number() -> int:
    """The test picture that was chosen."""
    value: int | None = session.get("example")
    return FIRST if value is None else value


def beside() -> str | None:
    """The side bar's picture where these networks could know it: a piece of clothing, or a visitor's own."""
    reference: str = session.get("picture")
    sample = pictures.samples().get(reference)
    return reference if sample is None or sample.kind == "clothing" else None


def uses_own() -> bool:
    """Whether the side bar's picture is looked at."""
    return beside() is not None and session.get("example") is None


def chosen(model: cc.Classifier) -> Shown:
    """The picture as one of the small networks sees it; all five see the same."""
    from cnn_core.landmark_trials import test_picture

    reference = beside()
    if uses_own() and reference is not None:
        picture = pictures.open_picture(reference)
        if picture is not None:
            sample = pictures.samples().get(reference)
            words = f"the picture “{plain(sample.title if sample else picture.name)}”"
            return Shown(cached.model_input(model, picture), words, _class_of(sample.key, model) if sample else None)
    rgb, truth = test_picture(number())
    return Shown(model.card.preprocessing.from_rgb(rgb), f"test picture {number():,}, labelled “{truth}”", truth)


def _class_of(key: str, model: cc.Classifier) -> str | None:
    """The class of a shipped piece of clothing: its key begins like one of the names."""
    word = key.removeprefix("clothing_").replace("_", " ").replace("t shirt", "t-shirt")
    return next((name for name in model.class_names if word.startswith(name.removesuffix("/top").lower())), None)


def picker() -> None:
    """Choose a test picture by number, the next one that the networks are divided over, or the side bar's picture."""
    from cnn_core.landmark_trials import next_divided

    def typed() -> None:
        session.set("example", st.session_state["cl_landmarks_number"])

    def divided() -> None:
        found = next_divided(small_networks(), number())
        if found is not None:
            session.set("example", found)

    st.session_state["cl_landmarks_number"] = number()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "Test picture, 0 to 1,999",
            0,
            1999,
            key="cl_landmarks_number",
            on_change=typed,
            width=190,
            step=1,
            disabled=session.locked(),
        )
        st.button(
            "Next one they are divided over", on_click=divided, icon=":material/call_split:", disabled=session.locked()
        )
        st.button(
            "The picture of the side bar",
            on_click=lambda: session.set("example", None),
            disabled=beside() is None or uses_own() or session.locked(),
            help="A piece of clothing from the samples, or your own picture: light on dark works best.",
            icon=":material/image:",
        )
