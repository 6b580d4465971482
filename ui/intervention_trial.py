"""What an intervention is put to: the changed network run with a way to stop it, the ledger, and random channels."""

from __future__ import annotations

import hashlib

import streamlit as st

from cnn_core.change_text import to_text
from cnn_core.changes import Change, SwitchOff
from cnn_core.intervention_effects import Foretold, RandomChannels, Report, random_channels, report
from ui import cached, waiting
from ui.arithmetic import number
from ui.instruments import interventions as instrument
from ui.jobs import Job
from ui.widgets import Bench

DRAWS = 5
_PATIENCE = 1.0  # seconds that the page waits for the changed network before it shows a bar


def key_of(bench: Bench, active: tuple[Change, ...]) -> tuple[str, ...]:
    # What the network sees of two pictures may be equal while a sabotage reads the pictures themselves.
    text = hashlib.sha256(to_text(active).encode()).hexdigest()
    return (bench.classifier.key, bench.model_input.digest, bench.picture.digest, text)


def reported(bench: Bench, active: tuple[Change, ...]) -> Report | None:
    """What the changes did; None while that is computed, or where it was cancelled, which the page then says."""
    key, trace = key_of(bench, active), bench.trace  # the trace takes a slot for heavy work itself

    def work(job: Job) -> Report:
        def make() -> Report:
            return report(bench.classifier, trace, active, on_progress=waiting.step(job))

        return cached.memo("intervention", key, make, lambda made: made.nbytes)

    with st.spinner("Running the changed network"):
        found: Report | None = waiting.ensure(
            "intervention", key, work, "Running the changed network", unit=" runs", patience=_PATIENCE
        )
    return found


def forecast(told: Foretold | None, label: str, bench: Bench, active: tuple[Change, ...]) -> None:
    """What the ledger foretold, beside what was measured."""
    if told is None:
        head = bench.classifier.network.linear_head()
        if head is not None:
            st.caption(
                f"The ledger can foretell only its own parts: switch off channels of `{head.maps}` alone, and it gives "
                "the change of every logit exactly. What is changed before it goes through layers that are not linear."
            )
        return
    tick = ":green[✓]" if told.matches else ":red[✗]"
    st.markdown(
        f"{tick} The ledger foretold a change of **{signed(told.change)}** in the logit of {label}; measured was "
        f"**{signed(told.measured)}** (relative error {told.relative_error:.0e}). The logit is a sum, and what you "
        "changed are entries of it."
    )


def random_control(bench: Bench, active: tuple[Change, ...], target: int, change: float, label: str) -> None:
    """As many other channels of the same layers switched off, drawn at random: is the effect these channels' own?"""
    off = [c for c in active if isinstance(c, SwitchOff)]
    if not off:
        return
    trace, key = bench.trace, (*key_of(bench, active), target)

    def work(job: Job) -> RandomChannels | str:
        def make() -> RandomChannels | str:
            found = random_channels(
                bench.classifier, trace, active, target, change, draws=DRAWS, on_progress=waiting.step(job)
            )
            return found or "none"

        return cached.memo("intervention_control", key, make, lambda made: 4096)

    drawn: RandomChannels | str | None = waiting.ensure(
        "intervention_control", key, work, "Random channels switched off", unit=" draws", patience=_PATIENCE
    )
    if drawn is None:
        return
    if isinstance(drawn, str):
        st.caption("There is no control: a layer has no equal number of other channels left to draw from.")
        return
    logit = float(bench.trace.logits[target])
    if max(abs(v) for v in (change, *drawn.changes)) < 1e-5 * max(1.0, abs(logit)):
        st.markdown(
            f"Neither your channels nor {DRAWS} random draws of as many others (seed {drawn.seed}) move the logit of "
            f"{label} by more than float32 rounds it ({number(1e-5 * max(1.0, abs(logit)))})."
        )
        return
    n = sum(len(set(c.channels)) for c in off)
    instrument.control(
        f"Your {n} channel{'s' if n > 1 else ''}",
        drawn,
        bench.classifier.class_names[target],
        key="cl_interventions_control",
    )
    beyond = abs(change - drawn.mean) > 2 * drawn.spread
    st.markdown(
        f"Your channels change the logit of {label} by **{signed(change)}**; {DRAWS} random draws of as many other "
        f"channels of the same layer{'s' if len({c.operation for c in off}) > 1 else ''} (seed {drawn.seed}) by "
        f"{signed(drawn.mean)} ± {number(drawn.spread)}. "
        + (
            "More than two standard deviations apart: it matters **which** channels these are."
            if beyond
            else "Within two standard deviations: any channels of this layer would have done much the same."
        )
    )


def signed(value: float) -> str:
    """A change: "+0.4120", "−2.288"."""
    return ("+" if value > 0 else "") + number(value)
