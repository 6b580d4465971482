"""Third section: a network that nobody tells you about; buy as little evidence as you need, and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import streamlit as st

from cnn_core.bias.exhibit import Exhibit
from cnn_core.bias.ground_report import some_of
from cnn_core.bias.mystery import (
    BIASED_FALL,
    POINTS,
    PRICES,
    Suspect,
    open_suspect,
    pictures_of_case,
    score,
    suspect_of_case,
    suspects,
)
from cnn_core.training.cow_camel import CLASSES, GROUNDS
from ui import cached, grass_bias, lesson, session
from ui import grass_data as data
from ui.instruments import herd

_CASES: Final = "cl_grass_cases"
_SHOWN: Final = 12
_OFFERS: Final = {
    "map": ("A map", "Where the evidence lies on one more picture.", ":material/visibility:"),
    "swap": (
        "A swap",
        "One more animal on the other kind of ground: what is it called there?",
        ":material/swap_horiz:",
    ),
    "table": ("The group table", "Accuracy of cows and camels on each ground, 200 of each.", ":material/table:"),
}
_VERDICTS: Final = {"ground": "It goes by the ground", "animal": "It goes by the animal"}


def draw() -> None:
    """One case: evidence, verdict, truth, score."""
    case = session.get("case")
    suspect = suspect_of_case(case)
    state = st.session_state.setdefault(_CASES, {}).setdefault(case, {"bought": {}, "verdict": None})
    st.markdown(
        f"**Case {case + 1}.** This network names {100 * suspect.biased_accuracy:.1f} % of cows on grass and camels on "
        f"sand right; the {len(suspects())} networks here all do that well. Some look at the animal, some at the "
        f"ground. You begin with {POINTS} points and may buy evidence; a right verdict keeps what is left, a wrong one "
        "loses all."
    )
    network = cached.own_classifier(f"mystery_{suspect.key}", lambda: open_suspect(suspect.key), 80_000)
    found = data.exhibit_of_network(network, f"mystery_{suspect.key}", "mystery")
    if found is None:
        return
    _offers(case, state, found)
    _evidence(case, state, found)
    _verdict(case, state, suspect, found)
    if lesson.may_peek():
        _standing()


def _left(state: dict[str, Any]) -> int:
    return score(state["bought"], right=True)


def _buy(state: dict[str, Any], kind: str) -> None:
    state["bought"][kind] = state["bought"].get(kind, 0) + 1


def _offers(case: int, state: dict[str, Any], found: Exhibit) -> None:
    decided = state["verdict"] is not None
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="cl-grass-offers"):
        for kind, (title, what, icon) in _OFFERS.items():
            price = PRICES[kind]
            only_once = kind == "table" and state["bought"].get("table")
            st.button(
                f"{title} · {price} point{'s' if price > 1 else ''}",
                key=f"cl_grass_buy_{kind}",
                help=what,
                icon=icon,
                disabled=decided or _left(state) < price or bool(only_once),
                on_click=_buy,
                args=(state, kind),
            )
        st.markdown(f"**{_left(state)}** of {POINTS} points left")


def _evidence(case: int, state: dict[str, Any], found: Exhibit) -> None:
    bought = state["bought"]
    if not bought:
        st.caption("Nothing was bought yet. A map costs least; does it also tell least?")
        return
    order = pictures_of_case(case, _SHOWN)
    if n := bought.get("map", 0):
        st.markdown("**Maps**")
        herd.wall(
            [herd.Look("", {"biased": some_of(found.walls["biased"], order[:n])})], key=f"cl_grass_mystery_wall_{n}"
        )
    if n := bought.get("swap", 0):
        st.markdown("**Swaps**: on its own ground, and on one of the other kind")
        _swaps(found, order[::-1][:n])
    if bought.get("table"):
        st.markdown("**Groups**")
        st.table(group_table(found))


def _swaps(found: Exhibit, chosen: Sequence[int]) -> None:
    swaps = found.swaps
    with st.container(horizontal=True, gap="medium"):
        for i in chosen:
            with st.container(width=216, gap=None):
                pair = np.concatenate([swaps.own[i], np.full((48, 4, 3), 255, np.uint8), swaps.swapped[i]], axis=1)
                st.image(pair.repeat(2, 0).repeat(2, 1), width=200, alt="The animal on its own ground, and on another")
                first, second = (CLASSES[named[i]] for named in (swaps.named, swaps.swapped_named))
                st.caption(f"called {first}, then {second}" + (": the name changed" if first != second else ""))


def group_table(found: Exhibit) -> list[dict[str, str]]:
    """Share named right of each animal on each ground, with n; the worst group says so."""
    rows = []
    cells: dict[tuple[int, int], tuple[int, int]] = {}
    for kind in ("biased", "counter"):
        trial = found.report.trials[kind]
        for label in (0, 1):
            own = trial.herd.labels == label
            ground = int(trial.herd.grounds[own][0])
            cells[label, ground] = (int(trial.correct[own].sum()), int(own.sum()))
    worst = min(cells, key=lambda cell: cells[cell][0] / cells[cell][1])
    for label, name in enumerate(CLASSES):
        row = {"": name.capitalize()}
        for ground, title in enumerate(GROUNDS):
            right, n = cells[label, ground]
            row[f"on {title}"] = f"{100 * right / n:.0f} % of {n}" + (
                " · worst group" if (label, ground) == worst else ""
            )
        rows.append(row)
    return rows


def _verdict(case: int, state: dict[str, Any], suspect: Suspect, found: Exhibit) -> None:
    st.header("Your verdict", anchor=False, divider="gray")

    def commit(choice: str) -> None:
        state["verdict"] = choice

    with st.container(horizontal=True, gap="small"):
        for key, words in _VERDICTS.items():
            st.button(
                words,
                key=f"cl_grass_verdict_{key}",
                on_click=commit,
                args=(key,),
                disabled=state["verdict"] not in (None, key),
                type="primary" if state["verdict"] == key else "secondary",
            )
    if lesson.placed("grass_mystery", {str(case): state["verdict"]}, str(case), None) is None:
        return
    truth = "ground" if suspect.goes_by_the_ground else "animal"
    gained = score(state["bought"], state["verdict"] == truth)
    report = found.report
    said = (
        f"It was {suspect.trained}. On the usual ground it names {100 * report.accuracies['biased']:.1f} % of 200 "
        f"right, on the other’s {100 * report.accuracies['counter']:.1f} %: a fall of "
        f"{100 * (report.accuracies['biased'] - report.accuracies['counter']):.1f} points".replace("-", "−")
        + f", and more than {100 * BIASED_FALL:.0f} counts as going by the ground. {100 * report.wall.share:.1f} % of "
        f"its evidence lies on the animal, which covers {100 * report.wall.area:.1f} %. You keep {gained} points."
    )
    lesson.reveal(lesson.clicked("grass_mystery", state["verdict"], (case,), about=str(case)), truth, said)
    with st.expander("All the evidence", icon=":material/folder_open:"):
        st.table(group_table(found))
        st.markdown(grass_bias.swap_words(found.swaps))
        herd.wall([herd.Look("", found.walls)], key="cl_grass_mystery_all")
    st.button(
        "Next case",
        key="cl_grass_next",
        icon=":material/arrow_forward:",
        type="primary",
        on_click=lambda: session.set("case", case + 1),
        disabled=session.locked(),
    )


def _standing() -> None:
    """What the cases so far have brought."""
    done = {case: state for case, state in st.session_state[_CASES].items() if state["verdict"] is not None}
    if not done:
        return
    points, right, paid = 0, 0, 0
    for case, state in done.items():
        truth = "ground" if suspect_of_case(case).goes_by_the_ground else "animal"
        ok = state["verdict"] == truth
        points += score(state["bought"], ok)
        right += ok
        paid += POINTS - _left(state)
    st.caption(
        f"{right} of {len(done)} cases right, {points} of {POINTS * len(done)} points kept, "
        f"{paid / len(done):.1f} points spent on evidence in a case."
    )
