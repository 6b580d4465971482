"""What came out: a table with spread, runs that stopped or diverged, files, and each network opened elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import streamlit as st

import cnn_core as cc
from cnn_core.training.experiment import Arm
from cnn_core.training.recipe import Recipe
from cnn_core.training.strict_json import to_json
from ui import shell, text, training
from ui.experiment_controls import changed_settings, settings_words
from ui.experiment_records import Record, Records, Source, listed
from ui.experiment_runs import record_of
from ui.text import plain

_OPENED = ("network", "features", "channel", "decision", "gradcam", "trail")


def table(experiment: cc.Experiment, arms: Sequence[Arm], sources: Sequence[Source], measures: Sequence[str]) -> None:
    """A row for each arm and origin: mean ± standard deviation and n."""
    from cnn_core.training.measures import MEASURES
    from cnn_core.training.results import words_of

    shown = [key for key in measures if any(source.find(arm.key, key) for source in sources for arm in arms)]
    rows = []
    for arm in arms:
        for source in sources:
            cells = [source.find(arm.key, key) for key in shown]
            n = max((cell.n for cell in cells if cell is not None), default=0)
            if n:
                whose = f"**{_whose(source, arm)}**" if source.is_own else "precomputed"
                rows.append([arm.title, whose, str(n), *(words_of(cell) for cell in cells)])
    if not rows:
        st.caption("No result yet.")
        return
    heads = ["network", "whose", "n", *(MEASURES[key].title for key in shown)]
    shown_rows = [[cell.replace("-0.", "−0.") for cell in row] for row in rows]
    st.markdown(text.table(heads, shown_rows, words="whose"), unsafe_allow_html=True)
    st.caption(
        "Mean ± standard deviation over n seeds. Test and training: accuracy on the whole test part, and on all "
        "pictures learned from."
    )


def _whose(source: Source, arm: Arm) -> str:
    changed = f", {settings_words(source.settings)}" if source.settings else ""
    seeds = source.seeds_of(arm.key)
    return f"yours, seed{'' if len(seeds) == 1 else 's'} {listed(seeds)}{changed}"


def steps_csv(experiment: cc.Experiment, records: Sequence[Record]) -> str:
    """Every step of every run: loss, accuracies where they were read, learning rate, seconds, gradient norms."""
    layers = list(
        dict.fromkeys(name for record in records for step in record.steps[:1] for name in step.gradient_norms)
    )
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(
        [
            *("experiment", "arm", "seed", "settings", "state", "step", "epoch", "loss", "learning_rate", "momentum"),
            *("seconds", "core_seconds", "train_accuracy", "test_accuracy"),
            *(f"gradient_norm:{name}" for name in layers),
        ]
    )
    for record in records:
        for step in record.steps:
            found = step.evaluation
            writer.writerow(
                [
                    *(experiment.key, record.arm, record.seed, settings_words(record.settings), record.state),
                    *(step.number, step.epoch, step.loss, step.learning_rate, step.momentum),
                    *(step.seconds, step.cpu_seconds),
                    *(("", "") if found is None else (found.train_accuracy, found.test_accuracy)),
                    *(step.gradient_norms.get(name, "") for name in layers),
                ]
            )
    return made.getvalue()


def table_json(experiment: cc.Experiment, sources: Sequence[Source], records: Sequence[Record]) -> str:
    """The table with every single value, its seeds, and what is compared."""
    told = {
        "experiment": experiment.key,
        "title": experiment.title,
        "compares": experiment.compares,
        "source": experiment.source,
        "tables": [
            {
                "whose": "precomputed" if not source.is_own else "own",
                "seeds": list(source.seeds),
                "settings": dict(source.settings),
                "cells": [
                    {
                        "arm": arm.key,
                        "measure": key,
                        "mean": cell.mean,
                        "sd": cell.sd,
                        "n": cell.n,
                        "values": cell.values,
                    }
                    for arm in experiment.arms
                    for key in experiment.measures
                    if (cell := source.find(arm.key, key)) is not None
                ],
            }
            for source in sources
        ],
        "runs": [
            {
                "arm": record.arm,
                "seed": record.seed,
                "settings": dict(record.settings),
                "state": record.state,
                "note": record.note,
                "steps": len(record.steps),
                **record.values,
            }
            for record in records
        ],
    }
    return to_json(told, indent=2)


def downloads(experiment: cc.Experiment, sources: Sequence[Source], records: Sequence[Record]) -> None:
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Table (JSON)",
            lambda: table_json(experiment, sources, records),
            f"{experiment.key}_results.json",
            "application/json",
            key=f"cl_experiment_json_{experiment.key}",
            icon=":material/download:",
            on_click="ignore",
        )
        if any(record.steps for record in records):
            st.download_button(
                "Every step (CSV)",
                lambda: steps_csv(experiment, records),
                f"{experiment.key}_steps.csv",
                "text/csv",
                key=f"cl_experiment_csv_{experiment.key}",
                icon=":material/download:",
                on_click="ignore",
            )


def open_elsewhere(experiment: cc.Experiment, records: Records) -> None:
    """Choose one of the networks that were trained: links to other pages, its files, and runs that were saved."""
    own = {record.run_id: record for record in reversed(records.all()) if record.run_id}
    kept = {run_id: record for run_id, record in own.items() if training.run_of(run_id)}
    with st.expander("Your networks: open them on other pages, save and load", icon=":material/open_in_new:"):
        chosen = None
        if kept:
            chosen = st.selectbox(
                "Network",
                list(kept),
                format_func=lambda run_id: _run_words(experiment, kept[run_id]),
                key=f"cl_experiment_open_{experiment.key}",
            )
        run = training.run_of(chosen) if chosen in kept else None
        if run is None:
            st.caption("What you train here can be opened on every other page, and saved. Train one, or load one:")
        else:
            _links(run, chosen or "")
        opened = training.file_controls(chosen, key=f"experiment_{experiment.key}")
        found = None if opened is None else training.run_of(opened)
        if found is None or opened is None:
            return
        arm = next((arm for arm in experiment.arms if arm.key == found.arm), None)
        if found.experiment != experiment.key or arm is None or not isinstance(arm.recipe, Recipe):
            st.info("It is of another experiment, so it is not drawn here; it is among your runs on every page.")
            return
        records.add(record_of(experiment, found, changed_settings(arm.recipe, found.recipe), opened))
        records.shown = changed_settings(arm.recipe, found.recipe)
        st.rerun()


def _links(run: cc.TrainingRun, name: str) -> None:
    st.caption(f"{plain(training.detail(run))}. It is a network like any other now, for you, until you leave:")
    query = {"model": training.reference(name)}
    if picture := training.fitting_picture(run):
        query["picture"] = picture
    with st.container(horizontal=True, gap="small"):
        for key in _OPENED:
            page = shell.lesson(key)
            st.page_link(page.page, label=page.title, icon=f":material/{page.icon}:", query_params=query)


def _run_words(experiment: cc.Experiment, record: Record) -> str:
    changed = f", {settings_words(record.settings)}" if record.settings else ""
    state = "" if record.state == "finished" else f", {record.state} after {len(record.steps)} steps"
    return f"{experiment.arm(record.arm).title}, seed {record.seed}{changed}{state}"
