"""The parts of “Teach with this”: the link for a class, the room that counts guesses, the plan of a lesson."""

from __future__ import annotations

from typing import Final

import streamlit as st

import cnn_core as cc
from ui import classroom, own_models, rooms, session, shell, teach_link, training
from ui.rooms import ROOMS
from ui.teaching import CODE, MOST_MINUTES, Answers, Teaching
from ui.text import plain

_KEY: Final = "cl_teach_room_key"
_ANSWERS: Final[dict[Answers, str]] = {"after": "After the guess", "hidden": "Hidden", "shown": "Shown at once"}
_ANSWERS_MEAN: Final[dict[Answers, str]] = {
    "after": "Each learner sees the answer as soon as they have guessed.",
    "hidden": "Guesses are taken and not answered. With a room, you show the answers to all at once.",
    "shown": "The answers stand there from the start.",
}
_FROM: Final = {"mine": "As I last set it", "pasted": "From a link", "plain": "As it opens"}
_OWN: Final = (training.PREFIX, own_models.PREFIX)
_PLAN: Final = shell.ROOT / "docs" / "lesson_plan.md"


def link() -> None:
    """Choose a lesson, its settings and how it is taught; get the link."""
    st.header("A link for your class", anchor=False, divider="gray")
    making, made = st.columns([3, 2], gap="large")
    with making:
        page, settings = _lesson_and_settings()
        taught = _options()
    with made:
        _handed_out(page, settings, taught)


def _lesson_and_settings() -> tuple[str, dict[str, str]]:
    lessons = shell.course()
    keys = [entry.key for entry in lessons]
    source = st.segmented_control(
        "Settings", list(_FROM), default="mine", required=True, format_func=_FROM.__getitem__, key="cl_teach_from"
    )
    if source == "pasted":
        text = st.text_input(
            "The link", key="cl_teach_pasted", placeholder="features?picture=koala&layer=features.3", max_chars=4000
        )
        found = teach_link.pasted(text) if text else None
        if found is None:
            if text:
                st.error("This is no link to a lesson. Copy the whole address of a page.", icon=":material/link_off:")
            return keys[0], {}
        if found.unread:
            st.warning(f"Left out, since it cannot be read: {plain(', '.join(found.unread)[:200])}.")
        return found.page, dict(found.settings)
    last = session.last_page()
    page = st.selectbox(
        "Lesson",
        keys,
        index=keys.index(last) if last in keys else 0,
        format_func=lambda key: shell.lesson(key).title,
        key="cl_teach_page",
    )
    settings = session.told(page) if source == "mine" else {}
    if settings.get("model", "").startswith(_OWN):
        del settings["model"]
        st.caption("Your own network is not in the link: nobody but you can open it.")
    return page, settings


def _options() -> Teaching:
    answers = st.segmented_control(
        "Answers",
        list(_ANSWERS),
        default="after",
        required=True,
        format_func=_ANSWERS.__getitem__,
        key="cl_teach_answers",
    )
    answers = answers or "after"  # a browser may say that nothing is chosen
    st.caption(_ANSWERS_MEAN[answers])
    with st.container(horizontal=True, gap="large", vertical_alignment="center"):
        locked = st.toggle(
            "Lock the settings",
            value=True,
            key="cl_teach_lock",
            help="Picture, network and settings stay as you set them.",
        )
        large = st.toggle("Larger type", key="cl_teach_large", help="For a projector.")
        minutes = st.number_input("Timer, minutes (0: none)", 0, MOST_MINUTES, 0, key="cl_teach_minutes", width=200)
    code = _own_room()
    counted = bool(code) and st.toggle(f"Count guesses in room {code}", value=True, key="cl_teach_counted")
    return Teaching(locked=locked, answers=answers, large=large, minutes=int(minutes), room=code if counted else "")


def _handed_out(page: str, settings: dict[str, str], taught: Teaching) -> None:
    root = teach_link.root_of(st.context.url, "teach")
    whole = root + teach_link.address(page, settings, taught)
    st.code(whole, language=None, wrap_lines=True)
    st.link_button("Open it in a new tab", whole, icon=":material/open_in_new:")
    if teach_link.is_local(root):
        st.caption(
            "This address leads to your own machine only. Open ConvLens by the machine’s name in the network, and the "
            "link is one for your class."
        )
    with st.container(key="cl-teach-qr"):
        st.image(teach_link.qr(whole), width=220, alt="The link as a QR code")
    said = ", ".join(f"{name} = {value[:60]}" for name, value in settings.items())
    st.caption(
        f"It opens **{shell.lesson(page).title}**" + (f" with {plain(said)}." if said else " as it opens by itself.")
    )
    if str(session.get("picture")).startswith("upload-"):
        st.caption("Your own picture is not in it: an upload is seen by nobody but you.")


def _own_room() -> str:
    """The code of the room that this session holds the key of, "" for none."""
    key = st.session_state.get(_KEY, "")
    found = ROOMS.view(key) if key else None
    return "" if found is None else found.code


def room() -> None:
    """Open a room, see how the class guessed, show it; or guess along in another one's."""
    st.header("A room that counts guesses", anchor=False, divider="gray")
    if _own_room():
        _tallies()
        return
    st.markdown(
        "Open a room, and links that you make above carry its code. You see at once how many chose what; the class "
        f"sees it when you show it. No names; after {rooms.HOURS} hours without a guess it is gone."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if st.button("Open a room", type="primary", icon=":material/groups:", key="cl_teach_open"):
            _open()
        with st.popover("I have a key", icon=":material/key:"):
            st.text_input("The room’s key", key="cl_teach_key", on_change=_take_key, max_chars=40)
            st.caption("You see it when you open a room. It brings the room back after this page was loaded again.")
        with st.popover("I am in a class", icon=":material/login:"):
            st.text_input("The room’s code", key="cl_teach_code", on_change=_join, max_chars=10)
            st.caption("Your guesses are then counted there, without your name.")
    if words := st.session_state.get("cl_teach_said"):
        st.info(words)


def _open() -> None:
    try:
        st.session_state[_KEY] = ROOMS.open()
    except cc.InvalidOption as error:
        st.session_state["cl_teach_said"] = plain(str(error))
    st.rerun()


def _take_key() -> None:
    key = str(st.session_state["cl_teach_key"]).strip().upper()
    if ROOMS.view(key) is None:
        st.session_state["cl_teach_said"] = "No room has this key (any more)."
    else:
        st.session_state[_KEY] = key


def _join() -> None:
    code = str(st.session_state["cl_teach_code"]).strip().upper()
    if CODE.fullmatch(code) and ROOMS.exists(code):
        session.join(code)
        st.session_state["cl_teach_said"] = f"You are in room {code}."
    else:
        st.session_state["cl_teach_said"] = "There is no such room on this server (any more). Ask for its code again."


@st.fragment(run_every=2)
def _tallies() -> None:
    """The room as it fills."""
    key = st.session_state.get(_KEY, "")
    found = ROOMS.view(key)
    if found is None:
        st.session_state.pop(_KEY, None)
        st.rerun()
    assert found is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="large"):
        st.markdown(f"### Room {found.code}")
        st.markdown(f"**{found.n_learners}** {'learner has' if found.n_learners == 1 else 'learners have'} guessed.")
        st.toggle(
            "The class sees the answers",
            value=found.answers_open,
            key="cl_teach_open_answers",
            on_change=lambda: ROOMS.open_answers(key, st.session_state["cl_teach_open_answers"]),
            help="For links that hide answers: switch it on when all have guessed.",
        )
        with st.popover("Key", icon=":material/key:"):
            st.code(key, language=None)
            st.caption("It brings this room back after you have loaded the page again. Keep it to yourself.")
        if st.button("Close the room", type="tertiary", icon=":material/close:", key="cl_teach_close"):
            ROOMS.close(key)
            st.rerun()
    if not found.tallies:
        st.caption("No guess yet. Open the link on another screen and guess: it is counted here within two seconds.")
    for i, one in enumerate(found.tallies):
        _tally(key, i, one)


def _tally(key: str, i: int, one: rooms.Tally) -> None:
    lesson = next((entry for entry in shell.course() if entry.key == one.page), None)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{lesson.title if lesson else one.page}.** {plain(one.question)}")
            st.button(
                "Hide from the class" if one.shown else "Show to the class",
                key=f"cl_teach_show_{i}",
                icon=":material/visibility_off:" if one.shown else ":material/visibility:",
                on_click=ROOMS.show,
                args=(key, one.key, not one.shown),
            )
        classroom.bars(one)


def plan() -> None:
    """A lesson by the clock."""
    st.header("A lesson of 50 minutes", anchor=False, divider="gray")
    text = _PLAN.read_text(encoding="utf-8")
    with st.expander("From pixels to a decision, and whether to believe it: by the clock", icon=":material/schedule:"):
        st.markdown(text.partition("\n")[2].replace("\n## ", "\n### ").replace("([deploy.md](deploy.md))", ""))
