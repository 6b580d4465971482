"""The frame round every page: its settings, the ordered list of lessons, the navigation."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

import cnn_core as cc
from ui import admission, engine, health, session
from ui.text import plain

ROOT = Path(__file__).resolve().parent.parent
ICON = ROOT / "assets" / "icon.png"
_MADE = "cl_pages"
_GROUPS = "cl_navigation"


@dataclass(frozen=True)
class Lesson:
    """One page: its file in pages/, its address, and how it is listed."""

    key: str
    title: str
    group: str
    icon: str
    sentence: str
    default: bool = False
    in_course: bool = True

    @property
    def address(self) -> str:
        """The page's path, "" for Home."""
        return "" if self.default else self.key

    @property
    def page(self) -> st.Page:
        """Streamlit's page, made once a visit: it looks at the file system."""
        made: dict[str, st.Page] = st.session_state.setdefault(_MADE, {})
        if self.key not in made:
            made[self.key] = st.Page(
                ROOT / "pages" / f"{self.key}.py",
                title=self.title,
                icon=f":material/{self.icon}:",
                url_path=self.address,
                default=self.default,
            )
        return made[self.key]


PAGES: tuple[Lesson, ...] = (
    Lesson("home", "Home", "Learn", "home", "Start here.", default=True, in_course=False),
    Lesson("pixels", "Pixels to tensors", "Learn", "grid_on", "What the network really sees of your picture."),
    Lesson("kernel", "Convolution kernel", "Learn", "select_all", "One kernel slides over it, number by number."),
    Lesson("pooling", "ReLU and pooling", "Learn", "compress", "What is kept, and what is thrown away."),
    Lesson("network", "The whole network", "Explore", "account_tree", "Every operation, with its cost and its maps."),
    Lesson("features", "Feature maps", "Explore", "apps", "What each channel of a layer answers."),
    Lesson("channel", "One channel", "Explore", "biotech", "What a single channel answers to, put to the test."),
    Lesson("depth", "Depth and receptive field", "Explore", "zoom_out_map", "How far one unit sees, and the proof."),
    Lesson("trail", "Follow the value", "Explore", "route", "From one number back to the pixels that made it."),
    Lesson("decision", "The decision", "Explore", "balance", "From the last maps to one class."),
    Lesson("gradcam", "Grad-CAM", "Inspect", "center_focus_strong", "Where it looked, and whether that is true."),
    Lesson("saliency", "Methods on trial", "Inspect", "gavel", "What other methods say, and whether it holds."),
    Lesson("interventions", "Interventions", "Inspect", "healing", "Switch parts off, edit a kernel, and see."),
    Lesson(
        "machines",
        "Three machines, same data",
        "Train",
        "precision_manufacturing",
        "HOG, MLP and CNN, and what each takes for granted.",
    ),
    Lesson("landmarks", "LeNet to ResNet", "Train", "timeline", "Five networks, and what each of them answered."),
    Lesson(
        "imagenet", "ImageNet and ILSVRC", "Train", "emoji_events", "One benchmark, one number a year; and our own."
    ),
    Lesson("resnet", "Why ResNet", "Train", "stacked_line_chart", "Deeper is worse, until there are shortcuts."),
    Lesson("insights", "Training insights", "Train", "insights", "Four habits of training, put to the test."),
    Lesson("build", "Build your own", "Train", "construction", "Layer by layer, on your data, and a fair test."),
    Lesson("grass", "The cow and the grass", "Bias", "grass", "Make a biased network, catch it, and repair it."),
    Lesson("swap", "One picture, other grounds", "Bias", "texture", "Keep the object, change the ground: what stays?"),
    Lesson("audit", "Audit a folder", "Bias", "rule_folder", "Many pictures, one network: object or background?"),
    Lesson("teach", "Teach with this", "Teach", "school", "A link for a class, a room, worksheets.", in_course=False),
)


def course() -> tuple[Lesson, ...]:
    """The lessons, in the order of the course: all pages but Home and what is for teachers."""
    return tuple(entry for entry in PAGES if entry.in_course)


def lesson(key: str) -> Lesson:
    """The lesson of that key; KeyError when there is none."""
    return {entry.key: entry for entry in PAGES}[key]


def run(before_page: Callable[[], None]) -> None:
    """Draw the visitor's page inside the frame, when it is its turn; `before_page` draws what stands on every page."""
    with admission.PAGES.turn():
        _run(before_page)


@cache
def looks() -> tuple[str, str, str]:
    """The icon and the logo as data URLs, and the style sheet: read, and made ready, once for all pages."""
    images = (("image/png", ICON), ("image/svg+xml", ROOT / "assets" / "logo.svg"))
    icon, logo = (f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}" for kind, path in images)
    return icon, logo, f"<style>{(ROOT / 'assets' / 'style.css').read_text(encoding='utf-8')}</style>"


def _groups() -> dict[str, list[st.Page]]:
    """All pages as the navigation lists them, gathered once a visit."""
    if _GROUPS not in st.session_state:
        groups: dict[str, list[st.Page]] = {}
        for entry in PAGES:
            groups.setdefault(entry.group, []).append(entry.page)
        st.session_state[_GROUPS] = groups
    kept: dict[str, list[st.Page]] = st.session_state[_GROUPS]
    return kept


def _run(before_page: Callable[[], None]) -> None:
    icon, logo, style = looks()
    st.set_page_config(page_title="ConvLens", page_icon=icon, layout="wide", initial_sidebar_state="auto")
    st.html(style)
    st.logo(logo, size="large", icon_image=logo)
    chosen = st.navigation(_groups(), position="top")
    session.adopt_address(chosen.url_path)
    with st.container():  # always there, so that a sentence that comes or goes moves no instrument
        for sentence in session.refused_values():
            st.info(plain(sentence), icon=":material/link_off:")
    before_page()
    if chosen.url_path:  # Home, whose address is the root, needs nothing that computes
        engine.load_for_page()
    try:
        chosen.run()
    except cc.ConvLensError as error:
        # What a visitor can cause is said in a sentence, and the pickers above still work.
        st.error(plain(str(error)), icon=":material/error:")
    finally:
        health.first_screen.set()
