"""Activation maximisation on the page of one channel: settings, a run that can be stopped, and what was made."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import streamlit as st
from PIL import Image

import cnn_core as cc
from cnn_core.maximise import Maximised, MaximiseSettings, MaximiseStep, maximise_channel, maximise_class
from ui import arithmetic, jobs, session, widgets
from ui.channel_data import Collected
from ui.instruments import channel as instruments
from ui.text import plain

SLOT = "dream"
STRENGTHS = {"off": "Off", "weak": "Weak", "medium": "Medium", "strong": "Strong"}
_FACTORS = {"off": 0.0, "weak": 0.5, "medium": 1.0, "strong": 2.0}
WHATS = {"channel": "This channel", "class": "A class"}


@dataclass(frozen=True)
class Wish:
    """What is to be made: index is a channel of `layer`, or a class where layer is ""; the settings of the address."""

    network: str
    layer: str
    index: int
    steps: int
    seed: int
    strength: str

    @property
    def subject(self) -> tuple[str, str, int]:
        return (self.network, self.layer, self.index)

    def settings(self, side: int) -> MaximiseSettings:
        """The library's settings; `side` is of the network's own picture, and small ones are shifted less."""
        factor = _FACTORS[self.strength]
        usual = MaximiseSettings(steps=self.steps, seed=self.seed, jitter=8 if side >= 64 else 2)
        if factor == 0:
            return replace(usual, jitter=0, total_variation=0.0, l2=0.0, blur=0.0, smoothness=0.0)
        return replace(
            usual,
            total_variation=factor * usual.total_variation,
            l2=factor * usual.l2,
            blur=factor * usual.blur,
        )


def section(bench: widgets.Bench, layer: cc.Operation, channel: int, found: Collected | None) -> None:
    """The optional view, closed until it is asked for."""
    opened = st.expander(
        "Optional: a picture made to excite it", key="cl_channel_dream", icon=":material/brush:", on_change="rerun"
    )
    if not opened.open:
        return
    with opened:
        st.markdown(
            "Start from grey noise, and change each pixel a little, step by step, so that the channel (or a class) "
            "answers more strongly. Without regularisation the pixels find grain that no photograph has; with it, "
            "broad shapes come first."
        )
        wish = ask(bench, layer, channel)
        job = jobs.mine().job(SLOT)
        running = job is not None and job.is_active
        st.button(
            "Make the picture",
            key="cl_channel_make",
            type="primary",
            icon=":material/brush:",
            disabled=running,
            on_click=start,
            args=(bench, wish),
        )
        if job is not None and running:
            jobs.watch(SLOT, "Step", key="cl_channel_stop_dream", show=live)
        elif job is not None and job.state == "failed":
            st.error(plain(job.message), icon=":material/error:")
        elif job is not None and job.state == "stopped":
            st.info(
                f"Cancelled after step {job.done} of {job.total or wish.steps}. What was made before stays.",
                icon=":material/stop_circle:",
            )
        show(bench, wish, found)


def ask(bench: widgets.Bench, layer: cc.Operation, channel: int) -> Wish:
    """The controls, which the address keeps."""
    st.segmented_control(
        "For", list(WHATS), required=True, format_func=WHATS.__getitem__, **session.control("wish", "cl_channel_for")
    )
    index, name = channel, layer.name
    if session.get("wish") == "class":
        index, name = widgets.class_picker(bench), ""
    for setting in ("steps", "seed", "strength"):
        st.session_state[f"cl_channel_{setting}"] = session.get(setting)

    def take(setting: str) -> None:
        session.set(setting, st.session_state[f"cl_channel_{setting}"])

    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.slider(
            "Steps",
            8,
            256,
            step=8,
            key="cl_channel_steps",
            on_change=take,
            args=("steps",),
            width=240,
            disabled=session.locked(),
        )
        st.segmented_control(
            "Regularisation",
            list(STRENGTHS),
            required=True,
            format_func=STRENGTHS.__getitem__,
            key="cl_channel_strength",
            on_change=take,
            args=("strength",),
            disabled=session.locked(),
        )
        st.number_input(
            "Seed",
            0,
            9999,
            step=1,
            key="cl_channel_seed",
            on_change=take,
            args=("seed",),
            width=120,
            help="Of the noise that it starts from and of the shifts. The same seed gives the same picture.",
            disabled=session.locked(),
        )
    return Wish(bench.classifier.key, name, index, session.get("steps"), session.get("seed"), session.get("strength"))


@dataclass(frozen=True, eq=False)
class Sofar:
    """A run that goes on: its last step, and the value before each one done."""

    wish: Wish
    step: MaximiseStep
    values: tuple[float, ...]


def live(sofar: Sofar) -> None:
    """The picture as it is being made."""
    step, wish = sofar.step, sofar.wish
    unit = f"Mean of channel {wish.index}" if wish.layer else "Logit of the class"
    instruments.dream(
        step.rgb, sofar.values, step.steps, title=f"After step {step.step}", unit=unit, key="cl_channel_live"
    )


def start(bench: widgets.Bench, wish: Wish) -> None:
    """Begin the ascent in a thread of its own."""
    classifier = bench.classifier
    settings = wish.settings(min(classifier.network.input_shape[1:]))

    def work(job: jobs.Job) -> Maximised:
        values: list[float] = []

        def tell(step: MaximiseStep) -> None:
            job.check()
            values.append(step.value)
            job.progress(step.step, step.steps, Sofar(wish, step, tuple(values)))

        if wish.layer:
            return maximise_channel(classifier, wish.layer, wish.index, settings=settings, on_step=tell)
        return maximise_class(classifier, wish.index, settings=settings, on_step=tell)

    jobs.mine().start(SLOT, wish, work, heavy=True)


def show(bench: widgets.Bench, wish: Wish, found: Collected | None) -> None:
    """The last picture that was made for this channel or class, its rise, and what it is worth beside photographs."""
    kept = jobs.mine().kept(SLOT)
    if kept is None or not isinstance(kept[0], Wish) or kept[0].subject != wish.subject:
        st.caption("Nothing was made for this yet. It takes a few seconds; you can stop it at any step.")
        return
    made: Maximised = kept[1]
    done: Wish = kept[0]
    marks: list[tuple[str, float, str]] = []
    number = arithmetic.number
    if done.layer:
        unit = f"Mean of channel {done.index}"
        words = f"The channel's mean went from {number(made.start_value)} on noise to **{number(made.end_value)}**"
        if found is not None and found.samples.operation == done.layer:
            best = max(value for _, value, _ in found.means(done.index))
            patch = found.patches(done.index, 1)[0]
            marks = [("best picture", best, "input")]
            words += f"; the best of {found.n} pictures gives {number(best)}, {compared(made.end_value, best)}"
            if made.peak is not None:
                words += (
                    f". Its largest single number is **{number(made.peak)}**, and that of the best patch "
                    f"({plain(patch.title)}) is {number(patch.value)}"
                )
                words += (
                    ". Both means are over whole maps; a photograph has other things in it, a made picture need not"
                )
    else:
        name = bench.classifier.class_names[done.index]
        unit = f"Logit of {name}"
        own = float(bench.trace.logits[done.index])
        marks = [("your picture", own, "input")]
        words = (
            f"The logit of {plain(name)} went from {number(made.start_value)} on noise to **{number(made.end_value)}**;"
            f" on the picture on the bench it is {number(own)}, {compared(made.end_value, own)}"
        )
    st.markdown(words + ".")
    title = f"Seed {done.seed}, {len(made.values)} steps, regularisation {STRENGTHS[done.strength].lower()}"
    steps = made.settings.steps
    instruments.dream(made.rgb, made.values, steps, title=title, unit=unit, marks=marks, key="cl_channel_made")
    buffer = io.BytesIO()
    Image.fromarray(made.rgb).save(buffer, "PNG")
    st.download_button(
        "Save as PNG",
        data=buffer.getvalue(),
        file_name=f"convlens_{done.layer or 'class'}_{done.index}_seed{done.seed}.png".replace(" ", "_"),
        mime="image/png",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
    warning()


def compared(made: float, photograph: float) -> str:
    """Whether the made picture outdoes the photograph."""
    return "less than the made one" if made > photograph else "no less than the made one"


def warning() -> None:
    """What such a picture can and cannot show."""
    st.warning(
        "This is one picture that excites it, not the picture of what it detects. Another seed gives another one; the "
        "regularisation decides how it looks; and no photograph need look like it. A strong answer shows what the "
        "arithmetic allows, not what the network meets in photographs. Compare it with the patches above.",
        icon=":material/warning:",
    )
