"""Running an audit in the background: which network, with a bar that says how long it takes, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.bias import mystery
from cnn_core.bias.result import AuditProgress
from cnn_core.saliency.progress import Stopped
from ui import cached, engine, jobs, own_models, session, training
from ui.audit_room import Held, Role, Room
from ui.text import plain

_EXAMPLE: Final = "example:"
_EXAMPLE_BYTES: Final = 2**20
FIRST_EXAMPLE: Final = f"{_EXAMPLE}first"
SECOND_EXAMPLE: Final = f"{_EXAMPLE}second"


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be put on trial: how an address calls it, its title, and how it is opened."""

    reference: str
    title: str
    open: Callable[[], cc.Classifier]


def examples() -> dict[str, mystery.Suspect]:
    """Two of the networks that come along: the one that goes by the ground most, and the one that does so least."""
    everyone = sorted(mystery.suspects(), key=lambda one: one.fall)
    return {FIRST_EXAMPLE: everyone[-1], SECOND_EXAMPLE: everyone[0]}


def networks() -> dict[str, Network]:
    """Every network whose weights are here, by reference: the examples, the visitor's own, the catalogue's."""
    found = {}
    for (reference, suspect), place in zip(examples().items(), ("first", "second"), strict=True):
        found[reference] = Network(reference, f"Cow or camel, {place} example network", _opener(suspect.key))
    for name, run in training.runs().items():
        reference = training.reference(name)
        found[reference] = Network(reference, f"Your run: {training.title(run)}, seed {run.seed}", _run_opener(run))
    for reference, own in own_models.shelf().all().items():
        found[reference] = Network(reference, f"Your network: {own_models.title(own)}", _own_opener(own))
    for card in cc.list_models():
        if card.weights_available:
            found[card.key] = Network(card.key, card.title, _card_opener(card.key))
    return found


def _opener(key: str) -> Callable[[], cc.Classifier]:
    return lambda: cached.own_classifier(f"mystery_{key}", lambda: mystery.open_suspect(key), _EXAMPLE_BYTES)


def _run_opener(run: cc.TrainingRun) -> Callable[[], cc.Classifier]:
    return lambda: training.open_run(run)


def _own_opener(own: own_models.Own) -> Callable[[], cc.Classifier]:
    return lambda: own_models.open_own(own)


def _card_opener(key: str) -> Callable[[], cc.Classifier]:
    return lambda: cached.classifier(key)


def method() -> str:
    """The method that makes the maps; one that reads a layer."""
    chosen = session.get("method")
    if chosen not in methods():
        session.refuse("method", f"An audit has no method “{plain(chosen)}”. Shown instead: Grad-CAM.")
        chosen = session.get("method")
    return str(chosen)


def methods() -> dict[str, str]:
    return {card.key: card.title for card in cc.saliency_methods() if card.needs_layer}


def slot(role: Role) -> str:
    return f"audit_{role}"


def identity(classifier: cc.Classifier) -> Hashable:
    """All of the choices that a report depends on besides pictures and marks."""
    return (classifier.key, method())


def start(room: Room, role: Role, classifier: cc.Classifier, title: str) -> None:
    """Begin an audit of what is there now; what was looked at before is not looked at again."""
    items, boxes, kept_in = room.items(), dict(room.boxes), room.folder.work
    tags: Any = dict(room.tags) or None
    if room.tags_origin == "proposed" and room.n_proposed:
        tags = room.n_proposed
    names = {item.name for item in items}
    boxes = {name: region for name, region in boxes.items() if name in names}
    pictures, marks, network, by = room.pictures, room.marks, identity(classifier), method()

    def work(job: jobs.Job) -> Held:
        def tell(progress: AuditProgress) -> None:
            job.check()
            job.progress(progress.done, progress.total, progress)

        engine.load()
        from cnn_core.bias.auditing import audit

        try:
            report = audit(
                classifier,
                items,
                boxes=boxes or None,
                tags=tags,
                method=by,
                store=kept_in,
                on_progress=tell,
                should_stop=job.stop.is_set,
            )
        except Stopped:
            raise jobs.Stopped from None
        held = Held(report, pictures, marks, network, title)
        room.keep(role, held)
        return held

    jobs.mine().start(slot(role), (network, pictures, marks), work, heavy=True)


def under_way(role: Role) -> bool:
    """Draw the bar of an audit that runs (and say what became of one that did not end well)."""
    job = jobs.mine().job(slot(role))
    if job is None:
        return False
    if job.is_active:
        jobs.watch(slot(role), "Pictures", key=f"cl_audit_cancel_{role}", show=_how_long, every=1.0)
        return True
    if job.state == "failed":
        st.error(plain(job.message), icon=":material/error:")
    elif job.state == "stopped":
        st.info(
            "Cancelled. What was looked at so far is kept: starting again goes on from there.",
            icon=":material/stop_circle:",
        )
    return False


def _how_long(progress: AuditProgress) -> None:
    left = progress.seconds_left
    rest = "" if left is None or progress.done >= progress.total else f", about {duration(left)} left"
    st.caption(f"{progress.title}: {progress.done:,} of {progress.total:,}{rest}")


def duration(seconds: float) -> str:
    """Seconds in words: "8 s", "3 min"."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
