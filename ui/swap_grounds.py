"""The interventions: which grounds, the versions side by side, the answer to the guess, the table and the file."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.bias.backgrounds import grounds
from cnn_core.bias.counterfactual import Counterfactuals, Kind, OwnGround, Row, counterfactuals
from cnn_core.bias.regions import Region
from cnn_core.bias.sample_boxes import sample_ground
from ui import cached, lesson, session, waiting
from ui.arithmetic import number
from ui.instruments.trial import Card, comparison
from ui.jobs import Job
from ui.text import plain
from ui.widgets import FORMATS, Bench

NONE: Final = "none"
_OWN: Final = "cl_swap_own"  # the visitor's grounds, small
_REFUSED: Final = "cl_swap_own_refused"
_MOST_OWN: Final = 6
_SIDE: Final = 600  # of a ground that is kept: no network here reads more
_FEATHER: Final = 1.0


def trial(bench: Bench, region: Region, target: int, rival: int | None, guess: str) -> None:
    """Choose the grounds, run them, and answer the guess."""
    usual, own = _controls(bench)
    found = _computed(bench, region, target, rival, usual, own)
    if found is None:
        return
    _answer(found, guess)
    _wall(found)
    _alone(found)
    _table(found, bench)


def _controls(bench: Bench) -> tuple[str | None, list[OwnGround]]:
    cards = {card.key: card.title for card in grounds()}
    chosen = session.get("usual")
    if chosen is not None and chosen not in cards and chosen != NONE:
        session.refuse("usual", f"There is no drawn ground “{plain(chosen)}”; there are {', '.join(cards)}.")
        chosen = None
    if words := session.refused("usual"):
        st.info(words, icon=":material/texture:")
    if chosen is None:
        chosen = sample_ground(session.get("picture")) or NONE
    left, middle, right = st.columns([2, 1, 2], gap="medium", vertical_alignment="bottom")
    with left:
        st.session_state["cl_swap_usual"] = chosen
        st.selectbox(
            "The ground that this object usually stands on",
            [*cards, NONE],
            format_func=lambda key: cards.get(key, "None of these"),
            key="cl_swap_usual",
            on_change=session.take,
            args=("usual", "cl_swap_usual"),
            help="Drawn three times as the control: a ground of the same class, pasted in the same way.",
        )
    with middle:
        st.session_state["cl_swap_seed"] = session.get("seed")
        st.number_input(
            "Seed",
            0,
            9999,
            key="cl_swap_seed",
            on_change=session.take,
            args=("seed", "cl_swap_seed"),
            help="Draws the grounds: the same seed, the same grounds.",
            disabled=session.locked(),
        )
    with right.popover("Grounds of your own", icon=":material/add_photo_alternate:"):
        _own_uploads()
    return (None if chosen == NONE else chosen), [entry["ground"] for entry in _own().values()]


def _own() -> dict[str, dict[str, Any]]:
    held: dict[str, dict[str, Any]] = st.session_state.setdefault(_OWN, {})
    return held


def _own_uploads() -> None:
    st.file_uploader(
        f"Photographs of places, at most {_MOST_OWN}",
        type=FORMATS,
        accept_multiple_files=True,
        key="cl_swap_own_files",
        max_upload_size=10,
        on_change=_take,
        help="They stay in your session.",
    )
    for sentence in st.session_state.get(_REFUSED, []):  # until the next files come
        st.error(sentence, icon=":material/broken_image:")
    for digest, entry in list(_own().items()):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.image(entry["ground"].rgb, width=72, alt=f"Your ground {entry['ground'].title}")
            st.session_state[f"cl_swap_own_{digest}"] = entry["ground"].control
            st.checkbox(
                f"{plain(entry['ground'].title)} is its usual kind of ground",
                key=f"cl_swap_own_{digest}",
                on_change=_retag,
                args=(digest,),
            )
    if _own():
        st.button("Forget them", key="cl_swap_own_clear", type="tertiary", on_click=_own().clear)


def _retag(digest: str) -> None:
    held = _own()[digest]
    before: OwnGround = held["ground"]
    held["ground"] = OwnGround(before.title, before.rgb, bool(st.session_state[f"cl_swap_own_{digest}"]))


def _take() -> None:
    """Keep what was uploaded, and say of each other file why it was not taken."""
    refused = []
    held = _own()
    for file in st.session_state.get("cl_swap_own_files") or []:
        try:
            picture = cc.load_image(file.getvalue(), name=file.name)
        except cc.InvalidImage as error:
            refused.append(f"{plain(file.name)}: {plain(str(error))}")
            continue
        digest = picture.digest[:16]
        if digest in held:
            continue
        if len(held) >= _MOST_OWN:
            refused.append(f"{plain(file.name)}: there are {_MOST_OWN} grounds already.")
            continue
        held[digest] = {"ground": OwnGround(picture.name[:40], picture.thumbnail(_SIDE))}
    st.session_state[_REFUSED] = refused


def _computed(
    bench: Bench, region: Region, target: int, rival: int | None, usual: str | None, own: list[OwnGround]
) -> Counterfactuals | None:
    share, seed = region.in_input(bench.model_input), session.get("seed")
    mark = hashlib.sha256(share.tobytes())
    for one in own:
        mark.update(f"{one.title}:{one.control}:{one.rgb.shape}".encode() + one.rgb.tobytes())
    key = (bench.classifier.key, bench.model_input.digest, mark.hexdigest(), target, rival, usual, seed)

    def work(job: Job) -> Counterfactuals:
        def make() -> Counterfactuals:
            return counterfactuals(
                bench.classifier,
                bench.model_input,
                share,
                target,
                rival,
                usual=usual,
                own=own,
                feather=_FEATHER,
                seed=seed,
                on_progress=waiting.step(job),
            )

        return cached.memo("swap", key, make, lambda made: made.nbytes)

    found: Counterfactuals | None = waiting.ensure(
        "swap", key, work, "Asking the network about each version", unit=" pictures", patience=1.0
    )
    return found


def _answer(found: Counterfactuals, guess: str) -> None:
    flips, n = found.flips("other")
    same, controls = found.flips("control")
    answer = "stays" if flips == 0 else "some" if 2 * flips <= n else "most"
    decision = (
        f"the sign of the margin {found.target_name} − {found.rival_name}" if found.by_margin else "the top class"
    )
    because = (
        f"On other grounds {decision} changes in {flips} of {n}; on grounds of its own class, the control, in {same} "
        f"of {controls}."
    )
    moved, moved_control = (_mean_change(found, kind) for kind in ("other", "control"))
    if moved is not None and moved_control is not None:
        because += (
            f" {_measure(found)[:1].upper()}{_measure(found)[1:]} moves by {_amount(moved)} on other grounds and by "
            f"{_amount(moved_control)} on the controls, on average."
        )
    lesson.reveal(guess, answer, because)
    excess = flips / n - same / controls if n and controls else 0.0
    if flips == 0:
        words = "On this picture the answer does not hang on the ground."
    elif excess > 0:
        words = "Other grounds do more than the seam does: on this picture the ground has a say."
    else:
        words = "The controls change it as often, so here the seam and the cut may be to blame, not the ground."
    st.markdown(f"{words} One picture is one case (n = 1): it cannot tell whether the network is biased.")


def _value(row: Row, found: Counterfactuals) -> float:
    """What the bars show: the margin where a rival was chosen, else the probability of the class."""
    return row.margin if found.by_margin else row.probability


def _measure(found: Counterfactuals) -> str:
    if found.by_margin:
        return f"the margin, logit of {found.target_name} minus logit of {found.rival_name},"
    return f"the probability of {found.target_name}"


def _amount(value: float) -> str:
    """A change in words that a newcomer reads: no powers of ten."""
    return number(value) if value == 0 or abs(value) >= 1e-4 else "less than 0.0001"


def _mean_change(found: Counterfactuals, kind: Kind) -> float | None:
    rows = found.of(kind)
    before = _value(found.original, found)
    return sum(_value(row, found) - before for row in rows) / len(rows) if rows else None


def _card(row: Row, found: Counterfactuals) -> Card:
    flips = " · flips" if row.flips else ""
    role: Literal["whole", "marked", "control"] = "marked" if row.flips else "control"
    return Card(
        row.title,
        row.shown_rgb,
        _value(row, found),
        f"{row.top_name} {row.top_probability:.2f}{flips}",
        "whole" if row.kind == "original" else role,
    )


def _caption(found: Counterfactuals) -> str:
    return (
        f"Bars: {_measure(found).removesuffix(',')}, one scale for the group; dashed, as it is. Below: the top class."
    )


def _wall(found: Counterfactuals) -> None:
    st.markdown("**On grounds of its own class, the control**")
    comparison(
        [_card(row, found) for row in found.of("original", "control")], key="cl_swap_control", caption=_caption(found)
    )
    st.markdown("**On other grounds**")
    comparison(
        [_card(row, found) for row in found.of("original", "other")], key="cl_swap_other", caption=_caption(found)
    )


def _alone(found: Counterfactuals) -> None:
    st.markdown("**Without the object, and without the ground**")
    comparison(
        [_card(row, found) for row in found.of("original", "removed", "background", "alone", "grey")],
        key="cl_swap_alone",
        caption=_caption(found),
    )
    st.warning(
        "Mid grey alone tells nothing: a network never saw an object on even grey, and unbiased ones break on it "
        "as much as biased ones (a logit drop of 0.47 in both, in a controlled experiment). The same holds for white.",
        icon=":material/warning:",
    )


def _table(found: Counterfactuals, bench: Bench) -> None:
    kinds = {
        "original": "as it is",
        "control": "same class",
        "other": "other class",
        "removed": "no object",
        "background": "no object",
        "alone": "no ground",
        "grey": "no ground",
    }
    a, b = found.target_name, found.rival_name
    with st.expander("All numbers", icon=":material/table:"):
        st.dataframe(
            {
                "version": [row.title for row in found.rows],
                "ground": [kinds[row.kind] for row in found.rows],
                "flips": ["flips" if row.flips else "" for row in found.rows],
                f"logit {a}": np.array([row.logit for row in found.rows]),
                f"probability {a}": np.array([row.probability for row in found.rows]),
                f"logit {b}": np.array([row.rival_logit for row in found.rows]),
                f"probability {b}": np.array([row.rival_probability for row in found.rows]),
                "likeliest class": [row.top_name for row in found.rows],
            },
            hide_index=True,
            key="cl_swap_table",
        )
    st.download_button(
        "All numbers as CSV",
        found.to_csv(),
        file_name=f"grounds_{bench.classifier.card.key}.csv".replace(":", "_"),
        mime="text/csv",
        key="cl_swap_csv",
        icon=":material/download:",
        on_click="ignore",
    )
