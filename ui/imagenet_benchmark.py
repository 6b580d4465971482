"""A small benchmark of our own: guess, table, your own runs in it, and how far its order can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st

from ui import cached, imagenet_scores, lesson, session, training
from ui.imagenet_scores import Result, in_order
from ui.instruments.ilsvrc import Row, ranking
from ui.text import plain

if TYPE_CHECKING:
    from cnn_core.training.benchmark import Noise

TABLES: Final = {"fashion": "Clothing", "digits": "Handwritten digits"}
_SIZES: Final = (100, 500, 1_000, 2_000)
_MOVES: Final = (0, 1, 2, 3, 4)
_TRIED: Final = 2  # pixels by which the causal test moves the pictures
_DRAWS: Final = 2_000
_BUDGETS: Final = {
    "fashion": "Equal budget: all that come with ConvLens learned from the same 6,000 pictures, the networks in 940 "
    "steps of the same batches.",
    "digits": "Unequal budget: LeNet-5 learned from 8,000 digits, the other three from 4,000 of them.",
}
_REFUSED: Final = "cl_imagenet_refused"


def benchmark() -> None:
    """The whole section."""
    st.header("A small benchmark of our own", anchor=False, divider="gray")
    st.markdown(
        "The same idea on a scale that fits a class: one data set, one split, one question to all. Nothing below is "
        "stored: every machine is asked about the same 2,000 test pictures when you open the table."
    )
    data = _table_picker()
    guess = lesson.guess(
        "imagenet_size",
        "Does the machine with the most parameters lead this table?",
        {"yes": "Yes, the largest leads", "no": "No, a smaller one leads"},
        about=data,
    )
    if guess is None:
        st.caption("Guess first: the table is computed under your guess.")
        return
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        st.select_slider(
            "Move the test pictures down and right by",
            _MOVES,
            width=280,
            format_func=_pixels,
            **session.control("shift", "cl_imagenet_moved", _MOVES),
        )
        st.segmented_control(
            "Pictures in the test",
            _SIZES,
            required=True,
            format_func=lambda n: f"{n:,}",
            **session.control("pictures", "cl_imagenet_size", (2_000, *_SIZES)),
        )
    moved = next((moved for moved in _MOVES if moved == session.get("shift")), _MOVES[0])
    size = next((size for size in _SIZES if size == session.get("pictures")), 2_000)
    found = imagenet_scores.results(data, int(moved))
    if found is None:
        return
    lesson.reveal(guess, *size_answer(found))
    _table(found, data, int(moved), int(size))
    _own_runs(data)
    _order_test(data, found)
    st.caption(
        "**Can show:** who makes fewer mistakes on pictures like these, with what error bar. **Cannot show:** that the "
        "order holds on other pictures, after other training, or for what you need it for; one test set that everybody "
        "tunes to wears out."
    )


def _pixels(n: int) -> str:
    return f"{n} px"


def _table_picker() -> str:
    st.session_state.cl_imagenet_data = session.get("table")
    st.segmented_control(
        "Data set",
        list(TABLES),
        required=True,
        format_func=TABLES.__getitem__,
        key="cl_imagenet_data",
        on_change=session.take,
        args=("table", "cl_imagenet_data"),
        label_visibility="collapsed",
        disabled=session.locked(),
    )
    return str(st.session_state.cl_imagenet_data)


def size_answer(found: Sequence[Result]) -> tuple[str, str]:
    """Whether the largest machine leads, with the numbers of both."""
    leader = in_order(found)[0]
    largest = max(found, key=lambda one: one.parameters)
    if leader is largest:
        return "yes", (
            f"{_name(leader)} has the most parameters ({leader.parameters:,}) and the smallest top-1 error "
            f"({share(leader.score.error1)})."
        )
    return "no", (
        f"{_name(leader)} leads with {share(leader.score.error1)} top-1 error and {leader.parameters:,} parameters; "
        f"the largest, {_name(largest)}, has {largest.parameters:,} and {share(largest.score.error1)}."
    )


def _name(one: Result) -> str:
    return plain(one.entrant.title)


def share(part: float) -> str:
    """A share as per cent, as the table shows it."""
    return f"{100 * part:.1f} %" if part >= 0.09995 else f"{100 * part:.3g} %"


def _noise(found: Sequence[Result], data: str, moved: int, size: int) -> Noise:
    """How the table might have come out with other pictures of the same kind."""
    from cnn_core.training.benchmark import bootstrap

    right = np.stack([(one.moved if moved else one.score).top1 for one in found])
    return cached.memo(
        "benchmark_noise",
        (tuple(one.entrant.key for one in found), data, moved, size),
        lambda: bootstrap(right, n=size, draws=_DRAWS),
        lambda made: 3 * made.low.nbytes + 512,
    )


def _table(found: Sequence[Result], data: str, moved: int, size: int) -> None:
    still, noise = _noise(found, data, 0, size), _noise(found, data, moved, size)
    rows = [
        Row(
            key=one.entrant.key,
            title=one.entrant.title,
            own=one.entrant.own,
            parameters=one.parameters,
            macs=one.macs,
            accuracy=1 - one.score.error1,
            low=float(still.low[i]),
            high=float(still.high[i]),
            error3=(one.moved if moved else one.score).error3,
            first=float(noise.first[i]),
            moved_accuracy=1 - one.moved.error1,
            note=one.entrant.note,
        )
        for i, one in enumerate(found)
    ]
    n = found[0].score.n
    ranking(
        rows,
        title=TABLES[data],
        n=n,
        drawn=size,
        draws=_DRAWS,
        moved=moved,
        note=f"{_BUDGETS[data]} Filled dot: accuracy on {n:,} test pictures; bar: 95 % of {_DRAWS:,} draws of {size:,} "
        "of these pictures, with replacement; “leads in”: share of these draws in which it is first. "
        + ("Hollow dot: the same pictures moved. " if moved else "")
        + "Top-3 error: the label is not among the first three guesses of ten. HOG’s own arithmetic is not counted "
        "among the multiply-adds.",
        file=f"benchmark_{data}",
        key=f"cl_imagenet_table_{data}",
    )
    ordered = in_order(found, moved=bool(moved))
    shares = dict(zip((one.entrant.key for one in found), noise.first, strict=True))
    first, second = ordered[:2]
    contenders = int((noise.first >= 0.05).sum())
    st.markdown(
        f"With **{size:,}** pictures {_name(first)} leads in {100 * shares[first.entrant.key]:.0f} % of the draws, "
        f"{_name(second)} in {100 * shares[second.entrant.key]:.0f} %; {_machines(contenders)} "
        f"in at least one of twenty. The whole order comes out the same in "
        f"{100 * noise.same_order:.0f} % of the draws."
    )


def _machines(n: int) -> str:
    return "one machine leads" if n == 1 else f"{n} machines lead"


def _own_runs(data: str) -> None:
    """One click adds a run of the visitor; one that learned something else is refused in a sentence."""
    runs = training.runs()
    inside = imagenet_scores.added(data)
    st.markdown("**Your own runs**")
    if not runs:
        st.caption(
            "None in this session yet. Train something under Train (three machines, landmarks, build your own): it "
            "then stands here to be added."
        )
        return
    with st.container(horizontal=True, gap="small"):
        for name, run in runs.items():
            title = f"{run.title}, seed {run.seed}"
            if name in inside:
                st.button(
                    f"Remove {title}",
                    key=f"cl_imagenet_remove_{name}",
                    on_click=imagenet_scores.remove,
                    args=(name, data),
                    icon=":material/remove:",
                )
            else:
                st.button(
                    f"Add {title}",
                    key=f"cl_imagenet_add_{name}",
                    on_click=_add,
                    args=(name, data),
                    icon=":material/add:",
                )
    told = st.session_state.pop(_REFUSED, None)
    if told:
        st.warning(plain(told), icon=":material/block:")


def _add(name: str, data: str) -> None:
    if why := imagenet_scores.add(name, data):
        st.session_state[_REFUSED] = why


def _order_test(data: str, found: Sequence[Result]) -> None:
    """The causal test: does the order survive a change of the test that a person hardly notices?"""
    with lesson.test("The test: move every picture by two pixels"):
        asked = [one for one in found if one.entrant.key.startswith(f"{data}:")]
        leader = in_order(found)[0]
        asked += [leader] * (leader not in asked)
        guess = lesson.guess(
            "imagenet_moved",
            f"All test pictures move {_TRIED} pixels down and right, which you would hardly notice. Which of these "
            "loses most?",
            {one.entrant.key: plain(one.entrant.title) for one in asked},
            about=data,
        )
        if guess is None:
            return
        moved = imagenet_scores.results(data, _TRIED)
        if moved is None:
            return
        keys = [one.entrant.key for one in asked]
        lesson.reveal(guess, *moved_answer([one for one in moved if one.entrant.key in keys], moved))


def moved_answer(asked: Sequence[Result], found: Sequence[Result]) -> tuple[str, str]:
    """Who loses most, and what happens to the first place."""
    worst = max(asked, key=_loss)
    changes = [f"{-100 * _loss(one):+.1f}".replace("-", "−") for one in asked]
    told = ", ".join(f"{_name(one)} {change}" for one, change in zip(asked, changes, strict=True))
    before, after = in_order(found)[0], in_order(found, moved=True)[0]
    lead = (
        f"{_name(before)} keeps the first place."
        if before is after
        else f"The first place goes from {_name(before)} to {_name(after)}."
    )
    return worst.entrant.key, (
        f"Accuracy in points: {told}. {lead} A table ranks machines on its own test; another test may rank them "
        "otherwise."
    )


def _loss(one: Result) -> float:
    return one.moved.error1 - one.score.error1
