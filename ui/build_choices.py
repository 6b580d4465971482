"""What is built and how it is trained, as the address has it: layers, data, recipe, seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from cnn_core.training.built import PREFIX, PRESETS, Layer, Plan, examine, parse, write
from cnn_core.training.data import DataSet, data_set
from cnn_core.training.recipe import OPTIMISERS, SCHEDULES
from ui import build_own, session
from ui.text import plain

DATA: Final = {
    "digits": "Digits",
    "fashion": "Clothing",
    "cow_camel": "Cow or camel",
    "own": "Your own pictures",
}
AUGMENTATIONS: Final = {"none": "None", "affine": "Turn, shift, scale, shear", "affine_flip": "The same, and mirror"}
_SCHEDULE_WORDS: Final = {"constant": "Constant", "cosine": "Cosine", "one_cycle": "One cycle"}
LARGEST_WORK: Final = 6e12
"""Multiply-adds of a whole run: some minutes of a core."""


@dataclass(frozen=True)
class Number:
    """A setting that is a number: its title, its limits, its default, and what it does."""

    title: str
    low: float
    high: float
    default: float
    step: float
    words: str
    whole: bool = False


NUMBERS: Final = {
    "epochs": Number("Epochs", 1, 40, 3, 1, "Passes through the training pictures.", True),
    "n_train": Number(
        "Training pictures", 8, 8_000, 4_000, 100, "As many of each class; never more than there are.", True
    ),
    "learning_rate": Number("Learning rate", 1e-5, 10.0, 5e-3, 1e-3, "The largest one, where the schedule changes it."),
    "batch_size": Number("Batch", 1, 512, 64, 16, "Pictures in one step.", True),
    "momentum": Number("Momentum", 0.0, 0.999, 0.9, 0.05, "Of SGD; Adam has its own averages."),
    "weight_decay": Number("Weight decay", 0.0, 1.0, 0.0, 0.0005, "Pulls each weight towards 0 at every step."),
}
CHOICES: Final = {
    "optimiser": ("Optimiser", {"adam": "Adam", "sgd": "SGD"}, "adam"),
    "schedule": ("Learning rate over time", {key: _SCHEDULE_WORDS[key] for key in SCHEDULES}, "one_cycle"),
    "augmentation": ("Augmentation", AUGMENTATIONS, "none"),
}
assert set(CHOICES["optimiser"][1]) == set(OPTIMISERS)


def layers() -> tuple[Layer, ...]:
    """The layers of the address; one that cannot be read is told once, and the first preset stands."""
    text = session.get("layers")
    try:
        return parse(text if text is not None else PRESETS["tiny"][1])
    except cc.InvalidOption as error:
        st.info(f"{plain(str(error))} Here is {PRESETS['tiny'][0]} instead.", icon=":material/construction:")
        session.set("layers", None)
        return parse(PRESETS["tiny"][1])


def keep_layers(found: tuple[Layer, ...]) -> None:
    text = write(found).removeprefix(PREFIX)
    session.set("layers", None if text == PRESETS["tiny"][1] else text or "-")


def chosen_data() -> DataSet | None:
    """The data set that is chosen; None where it is the visitor's own pictures and there are none yet."""
    kind = session.get("data")
    if kind == "own":
        key = build_own.current()
        return None if key is None else data_set(key)
    return data_set(f"cow_camel:{session.get('correlation')}" if kind == "cow_camel" else kind)


def plan_of(found: tuple[Layer, ...], data: DataSet | None) -> Plan:
    return examine(found, (data or data_set("cow_camel")).form)


def defaults(data: DataSet) -> dict[str, Any]:
    """What holds where nobody chose: a run of seconds, for each kind of data."""
    values: dict[str, Any] = {name: number.default for name, number in NUMBERS.items()}
    values |= {name: default for name, (_, _, default) in CHOICES.items()}
    if data.channels == 3:
        few = data.n_train < 100
        values |= {"epochs": 20 if few else 8, "n_train": data.n_train, "learning_rate": 3e-3}
        values["batch_size"] = 8 if few else 32
    values["n_train"] = min(values["n_train"], data.n_train)
    values["batch_size"] = min(values["batch_size"], data.n_train)
    return values


def settings(data: DataSet) -> dict[str, Any]:
    """The settings of the address over the defaults; what is none, or out of range, is told once and dropped."""
    held, bad = _read()
    if bad:
        st.info(f"“{plain(bad)}” is no setting that can be changed here; it was left out.", icon=":material/tune:")
        _write(held)
    values = defaults(data) | held
    values["n_train"] = min(values["n_train"], data.n_train)
    values["batch_size"] = min(values["batch_size"], data.n_train)
    return values


def _read() -> tuple[dict[str, Any], str]:
    held: dict[str, Any] = {}
    bad = ""
    for part in (session.get("recipe") or "").split(","):
        name, _, text = part.partition("~")
        if name in CHOICES and text in CHOICES[name][1]:
            held[name] = text
            continue
        number = NUMBERS.get(name)
        try:
            value = None if number is None else int(text) if number.whole else float(text)
        except ValueError:
            value = None
        if number is not None and value is not None and number.low <= value <= number.high:
            held[name] = value
        elif part:
            bad = part
    return held, bad


def _write(held: dict[str, Any]) -> None:
    told = [f"{name}~{value:g}" if isinstance(value, float) else f"{name}~{value}" for name, value in held.items()]
    session.set("recipe", ",".join(told) or None)


def change(data: DataSet, name: str, value: Any) -> None:
    """Keep one setting in the address; a default is left out."""
    if name in CHOICES and value not in CHOICES[name][1]:
        return  # a browser may send any text
    held, _ = _read()
    held.pop(name, None)
    if value is not None and value != defaults(data)[name]:
        held[name] = value
    _write(held)


def controls(data: DataSet, values: dict[str, Any]) -> None:
    """The fields of the recipe."""

    def number(name: str) -> None:
        told = NUMBERS[name]
        slot = f"cl_build_set_{name}"
        kind = int if told.whole else float
        high = min(told.high, data.n_train) if name in ("n_train", "batch_size") else told.high
        low = min(told.low, high)
        st.session_state[slot] = kind(min(max(values[name], low), high))
        st.number_input(
            told.title,
            kind(low),
            kind(high),
            step=kind(told.step),
            format="%d" if told.whole else "%g",
            key=slot,
            help=told.words,
            on_change=lambda: change(data, name, st.session_state[slot]),
            disabled=(name == "momentum" and values["optimiser"] != "sgd") or session.locked(),
        )

    def choice(name: str) -> None:
        title, options, _ = CHOICES[name]
        slot = f"cl_build_set_{name}"
        st.session_state[slot] = values[name]
        st.selectbox(
            title,
            list(options),
            format_func=options.__getitem__,
            key=slot,
            on_change=lambda: change(data, name, st.session_state[slot]),
            disabled=session.locked(),
        )

    left, right = st.columns(2, gap="small")
    with left:
        number("epochs")
        number("learning_rate")
    with right:
        number("n_train")
        number("batch_size")
    with st.expander("More settings", icon=":material/tune:"):
        left, right = st.columns(2, gap="small")
        with left:
            choice("optimiser")
            number("momentum")
            choice("augmentation")
        with right:
            choice("schedule")
            number("weight_decay")
            st.session_state["cl_build_seed"] = session.get("seed")
            st.number_input(
                "Seed",
                0,
                9999,
                key="cl_build_seed",
                on_change=session.take,
                args=("seed", "cl_build_seed"),
                help="Decides the pictures, the first weights and the order: the same seed, the same run.",
                disabled=session.locked(),
            )


def work_of(plan: Plan, values: dict[str, Any]) -> float:
    """Multiply-adds of the whole run: forward once, backward about twice."""
    return 3.0 * plan.macs * values["n_train"] * values["epochs"]
