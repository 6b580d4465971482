"""ImageNet and ILSVRC: the guess, the curve, the entry that was picked, and what the human line means."""

from __future__ import annotations

from typing import Final

import streamlit as st

from cnn_core import ilsvrc
from ui import lesson, session, shell
from ui.instruments.ilsvrc import history
from ui.text import plain

_YEARS: Final = (2011, 2012, 2014, 2015)


def challenge() -> None:
    """The history, with the guess before it and the picked entry beside it."""
    guess = lesson.guess(
        "imagenet_drop",
        "From 28.2 % to 2.25 % in seven years: in which year did the best entry’s error fall by the most points?",
        {str(year): str(year) for year in _YEARS},
    )
    left, right = lesson.columns()
    entry = chosen_entry()
    with left:
        history(
            entry.key,
            waiting=guess is None,
            key="cl_imagenet_history",
            on_pick=lambda key: session.set("entry", key),
        )
    if guess is None:
        with right:
            _what_is_measured()
        return
    lesson.reveal(guess, *drop_answer())
    with right:
        _details(entry)
    _person()


def chosen_entry() -> ilsvrc.Entry:
    """The entry of the address, else the default one, which is then said."""
    by_key = {entry.key: entry for entry in ilsvrc.ENTRIES}
    wanted = session.get("entry")
    if wanted not in by_key:
        default = by_key[session.PARAMETERS["entry"].default]
        session.refuse("entry", f"There is no entry “{plain(wanted)}”; here is {default.name} of {default.year}.")
    if told := session.refused("entry"):
        st.info(told, icon=":material/emoji_events:")
    return by_key[session.get("entry")]


def drop_answer() -> tuple[str, str]:
    """The year of the largest drop in points, and the year of the largest share."""
    drops = ilsvrc.drops()
    year, part = ilsvrc.largest_drop(), ilsvrc.largest_drop(relative=True)
    return str(year), (
        f"In {year} it fell by {100 * drops[year][0]:.1f} points, {100 * drops[year][1]:.0f} % of the errors. "
        f"Counted as a share of what was left, the largest step is {part}: {100 * drops[part][1]:.0f} % of the errors "
        "gone."
    )


def _what_is_measured() -> None:
    st.markdown(
        "**What is measured.** A thousand classes, five guesses for each picture; it counts as an error when the label "
        "is none of the five. The labels of the test pictures were kept back, so nobody could tune to them."
    )
    st.caption("Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, IJCV 115, section 4.1")


def _details(entry: ilsvrc.Entry) -> None:
    st.markdown(f"## {entry.year}: {entry.name}")
    st.markdown(f"Top-5 error **{100 * entry.error:.3g} %**{'' if entry.is_winner else ', second place'}. {entry.idea}")
    st.caption(f"Error: {entry.source}.  \nIdea: {entry.paper}.")
    st.markdown("**Try the idea**")
    for page, words in entry.opens:
        found = shell.lesson(page)
        with st.container(gap=None):
            st.page_link(found.page, label=found.title, icon=f":material/{found.icon}:")
            st.caption(f"{words[0].upper()}{words[1:]}.")


def _person() -> None:
    """What 5.1 % is, and is not."""
    first, second = ilsvrc.PEOPLE
    low, high = ilsvrc.interval(first.error, first.n_pictures)
    below = ilsvrc.first_below(first.error)
    with st.expander("What the human line means", icon=":material/person:"):
        st.markdown(
            f"One person, {first.name}, practised on {first.n_practice:,} pictures and then named "
            f"{first.n_pictures:,}: **{100 * first.error:.1f} %** top-5 error. With so many pictures the 95 % interval "
            f"is {100 * low:.1f} to {100 * high:.1f} % (Wilson), the pale band. A second person, who practised on "
            f"{second.n_practice}, had **{100 * second.error:.1f} %** on {second.n_pictures}. So it is not what people "
            "can do, but what one trained person did, among a thousand classes with over a hundred kinds of dogs."
        )
        if below is not None:
            st.markdown(
                f"{below.name} was the first winner below that line, in {below.year} ({100 * below.error:.3g} %): on "
                "these classes and these pictures, by this count of errors. It says nothing about seeing in general."
            )
        st.caption(f"{first.source}, section 6.4")
