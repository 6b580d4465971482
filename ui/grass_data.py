"""What the lesson on cows and grass shares between its sections: training, what came out, and the precomputed runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.bias.exhibit import Exhibit, exhibit
from cnn_core.training.cow_camel import CLASSES, Herd, Kind, draw_herd
from ui import build_training, cached, jobs, session, training, waiting
from ui.instruments.curves import Series, Style, View, curves

MAIN: Final = "grass"
REPAIRED: Final = "grass_repair"
EVALUATE_EVERY: Final = 8
N_SHOWN: Final = 12
EXPERIMENTS: Final = ("cow_grass", "cow_repair")


def exhibit_of(run: cc.TrainingRun, slot: str) -> Exhibit | None:
    """What the lesson shows of a run; None while it is being made, which the page then says."""
    network = training.open_run(run)
    return exhibit_of_network(network, run.digest, slot)


def exhibit_of_network(network: cc.Classifier, name: str, slot: str) -> Exhibit | None:
    """The same for any network; name: what it is kept under."""

    def work(job: jobs.Job) -> Exhibit:
        return cached.memo(
            "grass_exhibit", (name,), lambda: exhibit(network, on_progress=waiting.step(job)), lambda made: made.nbytes
        )

    found: Exhibit | None = waiting.ensure(
        f"exhibit_{slot}", name, work, "Asking about 600 pictures, explaining, swapping grounds", unit=" steps"
    )
    return found


def kept_exhibit(run: cc.TrainingRun) -> Exhibit | None:
    """What was shown of a run before, without making it."""
    for slot in (MAIN, REPAIRED):
        kept = jobs.mine().kept(f"exhibit_{slot}")
        if kept is not None and kept[0] == run.digest:
            found: Exhibit = kept[1]
            return found
    return None


def shown_herd(correlation: int, *, extra: int = 0) -> Herd:
    """A few training pictures of a correlation: what a learner sees before training."""

    def draw() -> Herd:
        return draw_herd(N_SHOWN, seed=11, correlation=correlation / 100)

    return cached.memo("grass_herd", (correlation,), draw, lambda made: made.pictures.nbytes + made.masks.nbytes)


def bands_of(key: str) -> cc.Bands | None:
    """What was precomputed of an experiment."""
    found: cc.Bands | None = cached.memo(
        "bands", (key,), lambda: cc.load_bands(key), lambda made: 1 if made is None else 200_000
    )
    return found


def start(slot: str, experiment: str, arm: str) -> None:
    """Train an arm in the background."""
    import time

    training.start(slot, experiment, arm=arm, seed=session.get("seed"), evaluate_every=EVALUATE_EVERY)
    st.session_state[f"cl_{slot}_began"] = time.monotonic()


def is_run(run: cc.TrainingRun | None, experiment: str, arm: str) -> bool:
    """Whether a run is of this arm and of the seed that is chosen, trained to its end."""
    return (
        run is not None
        and (run.experiment, run.arm, run.seed) == (experiment, arm, session.get("seed"))
        and run.state == "finished"
    )


def live_curves(slot: str, run: cc.TrainingRun | None, *, name: str) -> None:
    """Accuracy and loss of the slot's run as it learns, or of a run that is there."""
    running = build_training.is_running(slot)
    live = training.live(slot) if running else None
    steps: Sequence[cc.Step] = live.steps if live is not None else run.steps if run is not None and not running else ()
    views = build_training.curve_views([(name, steps, "")], len(CLASSES))
    curves(views, key=f"cl_{slot}_curves", file="cow_camel_training", label=f"{name} as it learns", running=running)


def seed_picker() -> None:
    """First weights and the order of the pictures."""
    st.session_state["cl_grass_seed"] = session.get("seed")
    st.number_input(
        "Seed",
        0,
        9999,
        key="cl_grass_seed",
        on_change=session.take,
        args=("seed", "cl_grass_seed"),
        help="Decides the first weights and the order of the pictures. The pictures stay the same.",
        width=140,
        disabled=session.locked(),
    )


_LINES: Final[tuple[tuple[Kind, str, Style], ...]] = (
    ("biased", "Usual ground", Style("input", "dot", "diamond")),
    ("neutral", "Neutral ground", Style("kernel", "dash", "square")),
    ("counter", "Other’s ground", Style("output", "solid", "circle")),
)


def response_views(
    key: str, places: Sequence[tuple[float, str]], x_title: str, own: Sequence[tuple[float, str, Exhibit]], *, log: bool
) -> list[View]:
    """Accuracy and evidence against a dose, with precomputed bands and the visitor's own points.

    places: (x, arm) of the precomputed arms; own: (x, what it is, what came out).
    """
    bands = bands_of(key)
    accuracy: list[Series] = []
    evidence: list[Series] = []
    for kind, title, style in _LINES:
        accuracy += _precomputed(bands, places, f"ground_{kind}", title, style)
        accuracy += _own(own, title, style, [found.report.accuracies[kind] for _, _, found in own])
    style = Style("output", "solid", "circle")
    evidence += _precomputed(bands, places, "evidence_inside", "Evidence on the animal", style)
    evidence += _own(own, "Evidence on the animal", style, [found.report.wall.share for _, _, found in own])
    area = own[0][2].report.wall.area if own else None
    empty = "Nothing was precomputed, and nothing trained yet: train a network above."
    said = "Lines: precomputed, mean and range of the seeds. Points without a line: your runs."
    return [
        View("accuracy", "Accuracy", x_title, "share of test animals named right", tuple(accuracy), share=True,
             x_log=log, note=said, guide=(0.5, "chance, 50 %"), empty=empty),
        View("evidence", "Evidence on the animal", x_title, "share of the evidence", tuple(evidence), share=True,
             x_log=log, note=said, guide=None if area is None else (area, "the animal’s part of the picture"),
             empty=empty),
    ]  # fmt: skip


def _precomputed(
    bands: cc.Bands | None, places: Sequence[tuple[float, str]], measure: str, title: str, style: Style
) -> list[Series]:
    if bands is None:
        return []
    cells = {(cell.arm, cell.measure): np.array(cell.values) for cell in bands.cells}
    found = [(x, cells[arm, measure]) for x, arm in places if (arm, measure) in cells]
    if not found:
        return []
    many = len(bands.seeds) > 1
    return [
        Series(
            title,
            style,
            "precomputed",
            np.array([x for x, _ in found]),
            np.array([values.mean() for _, values in found]),
            np.array([values.min() for _, values in found]) if many else None,
            np.array([values.max() for _, values in found]) if many else None,
            note=bands.label + (", mean" if many else ""),
        )
    ]


def _own(own: Sequence[tuple[float, str, Exhibit]], title: str, style: Style, values: Sequence[float]) -> list[Series]:
    if not own:
        return []
    x = np.array([place for place, _, _ in own])
    labels = tuple(words for _, words, _ in own)
    return [Series(title, style, "own", x, np.array(values), note="your runs", labels=labels, joined=False)]


_POINTS: Final = "cl_grass_points"


def remember(experiment: str, x: float, words: str, name: Hashable, found: Exhibit) -> None:
    """Keep a run's point for this session's curves."""
    kept = st.session_state.setdefault(_POINTS, {})
    kept[experiment, name] = (x, words, found)
    while len(kept) > 40:
        del kept[next(iter(kept))]


def points(experiment: str) -> list[tuple[float, str, Exhibit]]:
    """The visitor's own points of an experiment, in their order along the curve."""
    kept = st.session_state.get(_POINTS, {})
    return sorted((point for (of, _), point in kept.items() if of == experiment), key=lambda point: point[0])
