"""What is run: which arms, which seeds, and which settings of the recipe differ from the declared ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import streamlit as st

import cnn_core as cc
from cnn_core.training.experiment import Arm, ClassicRecipe
from cnn_core.training.recipe import NORMALISATIONS, OPTIMISERS, SCHEDULES, Recipe, adapt
from ui import session, widgets
from ui.experiment_records import Settings

SEEDS: Final = (1, 2, 3, 5)
MOST_RUNS: Final = 20


@dataclass(frozen=True)
class Field:
    """A setting of the recipe that a visitor may change for all arms alike."""

    name: str
    title: str
    kind: Literal["number", "whole", "choice"]
    low: float = 0.0
    high: float = 0.0
    step: float = 1.0
    choices: tuple[str, ...] = ()


FIELDS: Final = (
    Field("learning_rate", "Learning rate", "number", 1e-5, 10.0, 0.01),
    Field("steps", "Steps", "whole", 1, 2_000, 10),
    Field("batch_size", "Batch size", "whole", 1, 512, 16),
    Field("n_train", "Training pictures", "whole", 10, 8_000, 100),
    Field("optimiser", "Optimiser", "choice", choices=OPTIMISERS),
    Field("schedule", "Schedule of the learning rate", "choice", choices=SCHEDULES),
    Field("momentum", "Momentum of SGD", "number", 0.0, 0.999, 0.05),
    Field("weight_decay", "Weight decay", "number", 0.0, 1.0, 0.0005),
    Field("normalisation", "Input", "choice", choices=NORMALISATIONS),
    Field("augmentation", "Augmentation", "choice", choices=("none", "affine", "affine_flip")),
)
_BY_NAME: Final = {field.name: field for field in FIELDS}
_WORDS: Final = {"sgd": "SGD", "adam": "Adam", "one_cycle": "one cycle", "affine_flip": "affine, mirrored"}


@dataclass(frozen=True, eq=False)
class Choice:
    """What the visitor wants to be run."""

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    settings: Settings
    problem: str
    """Why it cannot be run, in a sentence; "" where it can."""


def short_title(arm: Arm) -> str:
    """An arm's title without what its group says already."""
    return arm.title.removesuffix(f", {arm.group}")


def settings_words(settings: Settings) -> str:
    """ "learning rate 0.1, steps 200", or "as declared"."""
    told = [f"{_BY_NAME[name].title.lower()} {value_words(value)}" for name, value in settings]
    return ", ".join(told) if told else "as declared"


def value_words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else _WORDS.get(str(value), str(value).replace("_", " "))


def changed_settings(declared: Recipe, recipe: Recipe) -> Settings:
    """The settings in which a recipe differs from the declared one."""
    pairs = ((field.name, getattr(recipe, field.name)) for field in FIELDS)
    return tuple((name, value) for name, value in pairs if value != getattr(declared, name))


def wanted_arms(experiment: cc.Experiment, offered: Sequence[Arm], default: Sequence[str]) -> tuple[Arm, ...]:
    """The arms of the address that this experiment has, else the default ones; what no experiment has is said."""
    text = session.get("arms")
    found: tuple[Arm, ...] = ()
    if text is not None:
        keys = text.split(",")
        found = tuple(arm for arm in offered if arm.key in keys)
        # Those of another experiment were chosen on its page, and are no mistake here.
        everywhere = {arm.key for other in cc.list_experiments() for arm in other.arms}
        unknown = [key for key in keys if key not in everywhere]
        if len(found) < len(keys):
            session.set("arms", ",".join(arm.key for arm in found) or None)
        if unknown:
            instead = "the others were chosen" if found else "here are the ones it opens with"
            session.tell("arms", f"“{experiment.title}” has no network “{unknown[0]}”; {instead}.")
    widgets.said("arms", ":material/tune:")
    return found or tuple(arm for arm in offered if arm.key in default)


def wanted_settings() -> Settings:
    """The changed settings of the address; what is no setting, or out of its range, is said and left out."""
    text = session.get("recipe")
    found: dict[str, Any] = {}
    wrong = []
    for part in text.split(",") if text is not None else ():
        name, _, value = part.partition("~")
        read = read_setting(name, value)
        if read is None:
            wrong.append(part)
        else:
            found[name] = read
    if wrong:
        _tell(found)
        session.tell("recipe", f"“{wrong[0]}” is no setting that can be changed here; it was left out.")
    widgets.said("recipe", ":material/tune:")
    return _ordered(found)


def read_setting(name: str, text: str) -> Any:
    """The value of a setting as an address writes it; None where there is no such setting or value."""
    field = _BY_NAME.get(name)
    if field is None:
        return None
    if field.kind == "choice":
        return text if text in field.choices else None
    try:
        value = int(text) if field.kind == "whole" else float(text)
    except ValueError:
        return None
    return value if field.low <= value <= field.high else None


def _ordered(found: dict[str, Any]) -> Settings:
    return tuple((field.name, found[field.name]) for field in FIELDS if field.name in found)


def _tell(found: dict[str, Any]) -> None:
    session.set("recipe", ",".join(f"{name}~{value}" for name, value in _ordered(found)) or None)


def controls(experiment: cc.Experiment, offered: Sequence[Arm], default: Sequence[str], *, running: bool) -> Choice:
    """Draw the choices; `offered` are the arms that may be run, `default` the keys of those chosen at first."""
    chosen = wanted_arms(experiment, offered, default)
    arms = _arm_pills(experiment, offered, chosen, default)
    seed, count = _seed_inputs()
    settings = _settings_inputs(experiment, arms or tuple(offered))
    return Choice(arms, tuple(range(seed, seed + count)), settings, _problem(arms, count, settings))


def _arm_pills(
    experiment: cc.Experiment, offered: Sequence[Arm], chosen: Sequence[Arm], default: Sequence[str]
) -> tuple[Arm, ...]:
    groups: dict[str, list[Arm]] = {}
    for arm in offered:
        groups.setdefault(arm.group, []).append(arm)
    keys = [f"cl_experiment_{experiment.key}_arms_{i}" for i in range(len(groups))]

    def changed() -> None:
        picked = {key for slot in keys for key in st.session_state[slot]}
        told = [arm.key for arm in offered if arm.key in picked]
        # The last one cannot be taken away: there would be nothing to run.
        if told:
            session.set("arms", None if told == list(default) else ",".join(told))

    marked = {arm.key for arm in chosen}
    for slot, (group, members) in zip(keys, groups.items(), strict=True):
        titles = {arm.key: short_title(arm) if len(groups) > 1 else arm.title for arm in members}
        st.session_state[slot] = [key for key in titles if key in marked]
        st.pills(
            group[:1].upper() + group[1:] if group else "Networks",
            list(titles),
            selection_mode="multi",
            format_func=titles.__getitem__,
            key=slot,
            on_change=changed,
            wrap=True,
            disabled=session.locked(),
        )
    return tuple(chosen)


def _seed_inputs() -> tuple[int, int]:
    seed_column, count_column = st.columns([1, 1.5], vertical_alignment="bottom")
    with seed_column:
        st.session_state.cl_experiment_seed = session.get("seed")
        st.number_input(
            "Seed",
            0,
            9999,
            key="cl_experiment_seed",
            on_change=session.take,
            args=("seed", "cl_experiment_seed"),
            help="Decides which pictures are drawn, the first weights, and the order: the same seed, the same run.",
            disabled=session.locked(),
        )
    with count_column:
        held = session.get("seeds")
        st.session_state.cl_experiment_runs = held if held in SEEDS else 1
        st.segmented_control(
            "How many seeds",
            list(SEEDS),
            required=True,
            wrap=True,
            key="cl_experiment_runs",
            on_change=session.take,
            args=("seeds", "cl_experiment_runs"),
            help="Several seeds show how much luck is in it: they are drawn as a band of your own.",
            disabled=session.locked(),
        )
    return session.get("seed"), st.session_state.cl_experiment_runs


def _settings_inputs(experiment: cc.Experiment, arms: Sequence[Arm]) -> Settings:
    held = dict(wanted_settings())
    recipes = [arm.recipe for arm in arms if isinstance(arm.recipe, Recipe)]
    if not recipes:
        return ()
    slots = {field.name: f"cl_experiment_set_{field.name}" for field in FIELDS}

    def changed() -> None:
        told = {name: st.session_state.get(slot) for name, slot in slots.items()}
        # A browser may send any text.
        _tell({name: value for name, value in told.items() if read_setting(name, str(value)) is not None})

    def reset() -> None:
        session.set("recipe", None)

    with st.expander("Settings of the recipe", icon=":material/tune:"):  # another label would close it at each change
        st.caption("Empty: as declared. What you set holds for all chosen networks alike.")
        left, right = st.columns(2)
        for i, field in enumerate(FIELDS):
            declared = " · ".join(dict.fromkeys(value_words(getattr(recipe, field.name)) for recipe in recipes))
            slot = slots[field.name]
            st.session_state[slot] = held.get(field.name)
            mark = "**:orange[changed]** " if field.name in held else ""
            with (left, right)[i % 2]:
                label = f"{field.title}"
                if field.kind == "choice":
                    st.selectbox(
                        label,
                        list(field.choices),
                        index=None,
                        placeholder=declared,
                        format_func=value_words,
                        key=slot,
                        on_change=changed,
                        disabled=session.locked(),
                    )
                else:
                    whole = field.kind == "whole"
                    st.number_input(
                        label,
                        min_value=int(field.low) if whole else field.low,
                        max_value=int(field.high) if whole else field.high,
                        step=int(field.step) if whole else field.step,
                        format="%d" if whole else "%g",
                        value=None,
                        placeholder=declared,
                        key=slot,
                        on_change=changed,
                        disabled=session.locked(),
                    )
                if mark:
                    st.caption(f"{mark}(declared: {declared})")
        if held:
            st.button(
                "Back to the declared recipe",
                on_click=reset,
                type="tertiary",
                icon=":material/undo:",
                key="cl_experiment_reset",
                disabled=session.locked(),
            )
    return _ordered(held)


def _problem(arms: Sequence[Arm], count: int, settings: Settings) -> str:
    if len(arms) * count > MOST_RUNS:
        return (
            f"{len(arms)} networks with {count} seeds are {len(arms) * count} runs; at most {MOST_RUNS} go at once. "
            "Choose fewer networks or seeds."
        )
    try:
        for arm in arms:
            if not isinstance(arm.recipe, ClassicRecipe):
                adapt(arm.recipe, dict(settings))
    except cc.InvalidOption as error:
        return str(error)
    return ""
