"""The experiment panel: predict, see what was precomputed, run it now, compare fairly, take the results along.

One call draws the whole of it for any entry of `cnn_core/training/experiments.py`:

    experiment_lesson.panel(
        "batch_norm",
        question=Question(
            "rate", "Which network still learns at a learning rate of 0.1?", {"plain": "Without", "bn": "With", ...},
            answer=lambda numbers: ("bn", f"{numbers.percent('bn_0.1')} against {numbers.percent('plain_0.1')}."),
        ),
        chosen=("plain_0.03", "bn_0.03"),
        says=lambda numbers: f"At 0.03 batch norm makes {numbers.percent('bn_0.03')} of it.",
        charts=(Chart("rates", "Accuracy by learning rate", ...),),
    )

`answer` and `says` get a `Source` (ui/experiment_records.py): `numbers.mean(arm, measure)`,
`numbers.percent(arm, measure)`, `numbers.cell(arm, measure)`, `numbers.words` ("precomputed, 10 seeds" or "your run,
seed 3"). Where a number is not there yet they raise `Missing`, which the panel understands: no answer is stored
anywhere. Address: call `session.bind(*experiment_lesson.ADDRESS)` (with your own names beside them) at the page's top.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.training.experiment import Arm
from cnn_core.training.experiments import experiment_of
from ui import cached, jobs, lesson, training
from ui import experiment_results as results
from ui import experiment_runs as runs
from ui.experiment_charts import Chart, Line, Question, chart_view
from ui.experiment_controls import Choice, controls, settings_words
from ui.experiment_records import Missing, Record, Records, Source, own, precomputed, records_of
from ui.experiment_views import Drawn, styles_of, training_views
from ui.instruments.curves import Style, View, curves
from ui.text import plain

__all__ = ["ADDRESS", "Chart", "Line", "Question", "chart_view", "panel"]

ADDRESS: Final = ("arms", "seed", "seeds", "recipe")
_SECONDS: Final = 0.6  # between two looks at a run
_WARMED: Final = "cl_experiment_warmed"


def panel(
    experiment_key: str,
    *,
    question: Question | Sequence[Question],
    says: Callable[[Source], str],
    chosen: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
    measures: Sequence[str] | None = None,
    charts: Sequence[Chart] = (),
    views: Sequence[View] = (),
    styles: Mapping[str, Style] | None = None,
    first: str = "",
    exhibit: Callable[[], None] | None = None,
    title: str = "Test: train them yourself",
) -> None:
    """Draw the whole experiment, guess included; see the module's docstring.

    says: the sentence that the numbers support, drawn for the precomputed ones and for the visitor's own. chosen: keys
    of the arms that are chosen at first (all that are offered). arms: those that are offered (all). measures: columns
    of the table (the experiment's own). charts: drawn as the first views; views: more of them, ready made. styles: by
    arm, where the default ones (by group and place) will not do. first: the view that opens ("test_accuracy", "loss",
    "gradients", a chart's key ...). exhibit: draws what stands beside the guess, to be looked at before anything runs.
    """
    experiment = experiment_of(experiment_key)
    offered = tuple(experiment.arms if arms is None else (experiment.arm(arm) for arm in arms))
    bands = _bands(experiment.key)
    records = records_of(experiment.key)
    questions = (question,) if isinstance(question, Question) else tuple(question)
    beside: AbstractContextManager[Any] = nullcontext()
    if exhibit is not None:
        left, beside = lesson.columns()
        with left:
            exhibit()
    with beside:
        answered = _asked(experiment.key, questions, records, bands)
    if not answered:
        return
    if not st.session_state.setdefault(_WARMED, False):
        st.session_state[_WARMED] = True
        training.warm()
    with lesson.test(title):
        st.markdown(f"**What is compared.** {experiment.compares}")
        job = jobs.mine().job(runs.slot_of(experiment.key))
        running = job is not None and job.is_active
        part = _Panel(
            experiment,
            offered,
            tuple(chosen if chosen is not None else (arm.key for arm in offered)),
            tuple(measures if measures is not None else experiment.measures),
            tuple(charts),
            tuple(views),
            {**styles_of(experiment), **(styles or {})},
            first,
            says,
            bands,
            records,
        )
        st.fragment(_body, run_every=_SECONDS if running else None)(part, running)


@dataclass(frozen=True, eq=False)
class _Panel:
    experiment: cc.Experiment
    offered: tuple[Arm, ...]
    default: tuple[str, ...]
    measures: tuple[str, ...]
    charts: tuple[Chart, ...]
    views: tuple[View, ...]
    styles: Mapping[str, Style]
    first: str
    says: Callable[[Source], str]
    bands: cc.Bands | None
    records: Records

    def sources(self, shown: Sequence[Record]) -> list[Source]:
        return [source for source in (precomputed(self.bands), own(shown)) if source is not None]


def _bands(key: str) -> cc.Bands | None:
    return cached.memo("bands", (key,), lambda: cc.load_bands(key), lambda made: 1 if made is None else 200_000)


def _asked(key: str, questions: Sequence[Question], records: Records, bands: cc.Bands | None) -> bool:
    """Ask, and answer each question once it is guessed; False while one is open that was not skipped."""
    skipped = f"cl_experiment_skipped_{key}"
    for question in questions:
        guess = lesson.guess(question.key, question.text, question.options)
        if guess is None and not st.session_state.get(skipped):
            st.caption("Guess first: the curves, and the networks to train, are under your guess.")
            if lesson.may_peek():
                st.button(
                    "Show it without a guess",
                    key=f"cl_experiment_skip_{key}",
                    type="tertiary",
                    on_click=lambda: st.session_state.__setitem__(skipped, True),
                )
            return False
        _reveal(guess, question, records, bands)
    return True


def _reveal(guess: str | None, question: Question, records: Records, bands: cc.Bands | None) -> None:
    """The answer, computed from the precomputed numbers, else from the visitor's own declared runs."""
    if guess is None:
        return
    for source in (precomputed(bands), own(records.with_settings(()))):
        if source is None:
            continue
        try:
            answer, because = question.answer(source)
        except Missing:
            continue
        lesson.reveal(guess, answer, f"{because} Numbers: {source.words}.")
        return
    st.info("Nothing is precomputed for this yet: run it below, and your run answers.", icon=":material/science:")


def _body(part: _Panel, running: bool) -> None:
    slot = runs.slot_of(part.experiment.key)
    job = jobs.mine().job(slot)
    active = job is not None and job.is_active
    if active != running:
        st.rerun()
    live = job.detail if job is not None and active and isinstance(job.detail, runs.Live) else None
    shown = part.records.with_settings(part.records.shown)
    left, right = lesson.columns()
    with right:
        choice = controls(part.experiment, part.offered, part.default, running=active)
        _start_and_stop(part, choice, job, live)
    with left:
        _curves(part, choice, shown, live)
    _groups(part)
    sources = part.sources(shown)
    results.table(part.experiment, part.offered, sources, part.measures)
    _say(part, sources)
    _ended(part, shown, active=active)
    results.downloads(part.experiment, sources, part.records.all())
    results.open_elsewhere(part.experiment, part.records)
    st.caption(f"When the experiment was declared: {part.experiment.expected} Source: {part.experiment.source}.")


def _start_and_stop(part: _Panel, choice: Choice, job: jobs.Job | None, live: runs.Live | None) -> None:
    slot = runs.slot_of(part.experiment.key)
    if job is not None and job.is_active:
        _progress(live)
        st.button(
            "Stop",
            key="cl_experiment_stop",
            icon=":material/stop:",
            on_click=training.stop,
            args=(slot,),
            help="What was learned is kept.",
            disabled=job.stop.is_set(),
        )
        return
    if job is not None and job.state == "failed":
        st.error(plain(job.message), icon=":material/error:")
    if choice.problem:
        st.warning(plain(choice.problem), icon=":material/tune:")
    n = len(choice.arms) * len(choice.seeds)
    st.button(
        "Run one now" if n == 1 else f"Run these {n} now",
        key="cl_experiment_run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(choice.problem),
        on_click=runs.start,
        args=(part.experiment, choice.arms, choice.seeds, choice.settings, part.records),
    )
    if choice.settings:
        st.caption(f"With changes: {settings_words(choice.settings)}. It is drawn and tabled apart from declared runs.")


def _progress(live: runs.Live | None) -> None:
    if live is None:
        st.progress(0.0, text="Starting")
        return
    which = f"{live.arm.title}, seed {live.seed}" + (f" (run {live.number} of {live.of})" if live.of > 1 else "")
    if live.position:
        st.progress(0.0, text=f"{training.place_in_line(live.position)}: others are training")
    elif not live.steps:
        st.progress((live.number - 1) / live.of, text=f"{which}: starting")
    else:
        step = live.steps[-1]
        share = (live.number - 1 + step.number / step.of) / live.of
        rest = "asking the whole test part" if live.measuring else f"{_left(live):.0f} s left"
        st.progress(
            min(1.0, share),
            text=f"{which}: step {step.number:,} of {step.of:,}, loss {step.loss:.3g}, {step.seconds:.1f} s, {rest}",
        )


def _left(live: runs.Live) -> float:
    """Seconds to the end of this run by the clock on the wall, which other visitors' work slows down."""
    step = live.steps[-1]
    done = step.number - live.first
    passed = time.monotonic() - live.began
    return step.seconds_left if done < 1 else passed / done * (step.of - step.number)


def _curves(part: _Panel, choice: Choice, shown: Sequence[Record], live: runs.Live | None) -> None:
    records = list(shown)
    if live is not None and live.steps:
        records = [one for one in records if (one.arm, one.seed) != (live.arm.key, live.seed)]
        records.append(Record(live.arm.key, live.seed, live.settings, "running", "", live.steps, {}, None))
    ran = {record.arm for record in records}
    chosen = {arm.key for arm in choice.arms}
    arms = [arm for arm in part.offered if arm.key in ran | chosen]
    bands = part.bands if part.bands is not None and part.bands.current else None
    sources = part.sources(shown)
    views = [*(chart_view(chart, sources) for chart in part.charts), *part.views]
    views += training_views(Drawn(part.experiment, arms, bands, records, part.styles))
    curves(
        views,
        key=f"curves_{part.experiment.key}",
        file=part.experiment.key,
        label=part.experiment.title,
        first=part.first or next((view.key for view in views if view.series), ""),
        running=live is not None,
    )


def _groups(part: _Panel) -> None:
    """Runs with other settings are another comparison: choose which one is shown."""
    groups = part.records.groups()
    if len(groups) < 2:
        return
    key = f"cl_experiment_group_{part.experiment.key}"
    st.session_state[key] = part.records.shown if part.records.shown in groups else groups[-1]

    def show() -> None:
        part.records.shown = st.session_state[key]

    st.segmented_control(
        "Your runs with these settings", groups, required=True, format_func=settings_words, key=key, on_change=show
    )


def _say(part: _Panel, sources: Sequence[Source]) -> None:
    for source in sources:
        try:
            sentence = part.says(source)
        except Missing:
            continue
        changed = f" with {settings_words(source.settings)}" if source.settings else ""
        whose = f"In {source.words}{changed}" if source.is_own else f"{source.words[:1].upper()}{source.words[1:]}"
        st.markdown(f"**{plain(whose)}.** {sentence}")


def _ended(part: _Panel, shown: Sequence[Record], *, active: bool) -> None:
    """A word on each run that diverged or was stopped, and a way to go on with a stopped one."""
    for record in shown:
        name = f"{part.experiment.arm(record.arm).title}, seed {record.seed}"
        if record.state == "diverged":
            st.warning(f"**{plain(name)}.** {plain(record.note)}", icon=":material/trending_up:")
        elif record.state == "stopped":
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(
                    f"**{plain(name)}.** {plain(record.note)} What it learned is kept; the table leaves it out."
                )
                if record.run_id is not None and training.run_of(record.run_id) is not None:
                    st.button(
                        "Continue",
                        key=f"cl_experiment_continue_{record.run_id}",
                        icon=":material/resume:",
                        disabled=active,
                        on_click=runs.start,
                        args=(
                            part.experiment,
                            (part.experiment.arm(record.arm),),
                            (record.seed,),
                            record.settings,
                            part.records,
                        ),
                        kwargs={"resume": record},
                    )
