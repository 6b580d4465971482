"""The guided tour: at most ten steps over the pages with real settings, each with one thing to look at or to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st

from ui import session, shell
from ui.components import mount

ADDRESS: Final = "tour"
_KEY: Final = "cl_tour"
_VISIT: Final = "cl_tour_visit"


@dataclass(frozen=True)
class Step:
    """One stop: a page with settings, what to see there, and what is ringed."""

    page: str
    title: str
    text: str
    target: str
    """Key of the container, widget or component that is ringed."""
    settings: Mapping[str, str | int] = field(default_factory=dict)
    """Values of `session.PARAMETERS`; all others are at their defaults."""
    act: tuple[str, str, str] | None = None
    """A button of the page that the tour can press: its name on the card, the key it stands in, a selector."""


@dataclass
class _Visit:
    """A tour under way."""

    before: dict[str, Any]
    """What the visitor chose, before the tour or on its pages: put back when it ends."""
    here: str = ""
    """The step whose settings stand."""
    applied: dict[str, Any] = field(default_factory=dict)
    """All values as that step set them."""

    def note(self) -> None:
        """Take what is not as the step set it for chosen."""
        self.before |= {name: session.get(name) for name, value in self.applied.items() if session.get(name) != value}


STEPS: Final = (
    Step(
        "pixels",
        "A picture is numbers",
        "Move over the panda. Each pixel is three numbers, and the network reads them centred and scaled: what is "
        "darker than usual comes out below zero.",
        "pixels",
        {"row": 96, "column": 88},
    ),
    Step(
        "kernel",
        "One kernel, everywhere",
        "Nine numbers slide over the picture. At each place they are multiplied with what lies under them and summed: "
        "one new number. This kernel answers where left and right differ.",
        "cl_convolution",
        {"kernel": "vertical-edge"},
        ("Play", "cl_convolution", "button.play"),
    ),
    Step(
        "network",
        "A network is many of them",
        "MobileNetV2, operation by operation, with its maps on this picture. Maps get smaller on the way, and more. "
        "Click an operation, and its arithmetic opens below.",
        "cl_networkmap",
        {},
        ("Unfold all", "cl_networkmap", "button.unfold"),
    ),
    Step(
        "features",
        "Early maps: edges and colours",
        "What the first layer’s channels answer. You still recognise the panda: each map is about one simple thing, "
        "everywhere in the picture.",
        "cl_featuremaps",
        {"layer": "features.0.2"},
    ),
    Step(
        "features",
        "Late maps: parts",
        "The same picture in the last layer, in 1,280 maps of 7 × 7 cells: no panda to be recognised. In half of them "
        "at most 7 of 49 cells reach half the map’s largest: something is there, and roughly where.",
        "cl_featuremaps",
        {"layer": "features.18.2"},
    ),
    Step(
        "decision",
        "The decision is a sum",
        "The logit of “giant panda” is added up from 49 cells and a bias, exactly. Which cell gives most? Click it in "
        "the picture.",
        "cl_decision_ledger",
    ),
    Step(
        "gradcam",
        "Where did it look?",
        "Click where you think the network found its evidence. Then the map answers, and below it the trial: what "
        "happens when that place is taken away?",
        "cl_gradcam",
    ),
    Step(
        "resnet",
        "Deeper is worse, until it is not",
        "Plain networks fit even their training pictures worse when they get deeper. Guess, and look at the curves; "
        "then train one yourself.",
        "cl-question-resnet_degradation",
    ),
    Step(
        "grass",
        "Right for the wrong reason",
        "This network names cows and camels well. Does it look at the animal, or at the ground? Buy evidence, as "
        "little as you need, and judge.",
        "cl-grass-offers",
        {"section": "mystery"},
        ("Buy a map", "cl_grass_buy_map", "button"),
    ),
    Step(
        "home",
        "Now the slow way",
        "That was the course in ten steps. Each lesson takes a few minutes, asks before it shows, and works with your "
        "own picture.",
        "cl-course",
    ),
)


def link(label: str, number: int, **options: Any) -> None:
    """A link to a step, as those of the pages: one entry in the browser's history, so that Back leads back."""
    st.page_link(shell.lesson(STEPS[number - 1].page).page, label=label, query_params=_address(number), **options)


def _address(number: int) -> dict[str, str]:
    return {ADDRESS: str(number), **{name: str(value) for name, value in STEPS[number - 1].settings.items()}}


def _way(label: str, here: int, number: int) -> None:
    """To another step; a link to the page that is open would leave the browser's address as it is."""
    icon = f":material/arrow_{'forward' if number > here else 'back'}:"
    if STEPS[number - 1].page == STEPS[here - 1].page:
        st.button(
            label,
            key=f"cl_tour_to_{number}",
            icon=icon,
            on_click=st.query_params.from_dict,
            args=(_address(number),),
        )
    else:
        link(label, number, icon=icon)


def hold() -> None:
    """Keep what the visitor chose; to be called before what the address of a step says takes its place."""
    asked = st.query_params.get(ADDRESS, "")
    visit: _Visit | None = st.session_state.get(_VISIT)
    if visit is None and asked and not session.locked():
        st.session_state[_VISIT] = _Visit({name: session.get(name) for name in session.PARAMETERS})
    elif visit is not None and asked != visit.here:
        visit.note()


def bar() -> None:
    """The tour's card, where the address names a step of this page; nothing otherwise."""
    slot = st.container()  # always there, so that the page keeps its place when the tour begins or ends
    here = _here()
    if here is None:
        _put_back()
        return
    step = STEPS[here - 1]
    visit: _Visit = st.session_state[_VISIT]
    asked = st.query_params[ADDRESS]
    if visit.here != asked:
        for name in session.PARAMETERS:
            said = st.query_params.get(name)
            session.set(name, step.settings.get(name) if said is None else said, address=False)
            if said is not None and said != str(step.settings.get(name)):
                visit.before[name] = session.get(name)  # who opens a link chooses what it says
        visit.here, visit.applied = asked, {name: session.get(name) for name in session.PARAMETERS}
    with slot.container(key="cl-tour", gap="small"):
        mount("tour", key=_KEY, data=_told(here, step))
        with st.container(horizontal=True, key="cl-tour-ways", gap="small"):
            with st.container(key="cl-tour-leave", width="content"):
                st.button("Leave the tour", key="cl_tour_leave", type="tertiary", on_click=_leave)
            with st.container(key="cl-tour-back", width="content"):
                if here > 1:
                    _way("Back", here, here - 1)
                else:
                    st.page_link(shell.PAGES[0].page, label="Home", icon=":material/arrow_back:")
            with st.container(key="cl-tour-next", width="content"):
                if here < len(STEPS):
                    _way("Next", here, here + 1)
                else:
                    st.button("Finish", key="cl_tour_finish", type="primary", on_click=_leave)


def _leave() -> None:
    """The card goes, and what the visitor had chosen comes back; where that was nothing, the page stays as it is."""
    visit: _Visit | None = st.session_state.pop(_VISIT, None)
    if visit is None:
        return  # pressed twice
    visit.note()
    for name, value in visit.before.items():
        if value != session.PARAMETERS[name].default or name not in st.query_params:
            session.set(name, value, address=False)
    others = {name: text for name, text in st.query_params.items() if name not in (ADDRESS, *session.PARAMETERS)}
    # At once: each change of an address is a step of its own for Back.
    st.query_params.from_dict({**others, **session.told(session.page())})


def _put_back() -> None:
    """Away by a link, or by Back: what the visitor chose stands again, but for what the address says."""
    visit: _Visit | None = st.session_state.pop(_VISIT, None)
    if visit is not None and visit.applied:
        for name, value in visit.before.items():
            if name not in st.query_params:
                session.set(name, value, address=False)


def _told(here: int, step: Step) -> dict[str, Any]:
    """What the browser is told."""
    act = None
    if step.act is not None:
        label, inside, selector = step.act
        act = {"label": label, "inside": inside, "find": selector}
    return {
        "step": here,
        "of": len(STEPS),
        "title": step.title,
        "text": step.text,
        "target": step.target,
        "act": act,
    }


def _here() -> int | None:
    """The step that the address names; a number that is none, or one of another page, is dropped."""
    text = st.query_params.get(ADDRESS)
    if text is None:
        return None
    # A page that a teacher has set stays as it is.
    is_step = text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= len(STEPS)
    if not session.locked() and is_step and session.page() == shell.lesson(STEPS[int(text) - 1].page).address:
        return int(text)
    st.query_params.pop(ADDRESS, None)
    return None
