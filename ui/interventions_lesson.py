"""The parts of the interventions lesson: the stack, the guess, before and after, the ledger's forecast, the control."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import streamlit as st

import cnn_core as cc
from cnn_core.change_text import to_json
from cnn_core.changes import Change, SabotagePreprocessing, SwitchOff
from cnn_core.intervention_effects import (
    ChannelChanges,
    Report,
    changed_channels,
    foretell,
    same_bits,
)
from cnn_core.interventions import intervene, unfit
from ui import cached, lesson, session
from ui.arithmetic import number
from ui.instruments import interventions as instrument
from ui.intervention_stack import Stack
from ui.intervention_tools import channel_axis, workshop
from ui.intervention_trial import forecast, key_of, random_control, reported, signed
from ui.intervention_words import sentence
from ui.text import plain
from ui.widgets import Bench, said

VERDICTS = {"rise": "It rises", "fall": "It falls", "stay": "Nothing much"}
WAYS = {"rise": "rises", "fall": "falls", "stay": "hardly moves"}
_MAP_NUMBERS = 500_000  # of the channels that are sent, before and after: 2 MB
_SEEN = "cl_interventions_seen"
_ANSWERED = "cl_interventions_answered"
_KEPT = 200


def laboratory(bench: Bench, stack: Stack, target: int) -> None:
    """Tool and stack side by side, then what came of it."""
    reasons = unfit(bench.classifier, stack.now)
    active = tuple(
        dataclasses.replace(change, picture=bench.picture) if isinstance(change, SabotagePreprocessing) else change
        for place, change in enumerate(stack.now)
        if place not in reasons
    )
    left, right = lesson.columns()
    with left:
        workshop(bench, stack, active, target)
    with right:
        done(bench, stack, reasons)
        open_now = asked(bench, stack, active, target)
    if open_now:
        answer(bench, active, target)


def done(bench: Bench, stack: Stack, reasons: dict[int, str]) -> None:
    """The list of what was done: each can be removed; undo, redo, reset; as a file, and from one."""
    st.header("What you did", anchor=False)
    if stack.refused:
        st.error(plain(stack.refused), icon=":material/error:")
        stack.refused = ""
    if not stack.now:
        st.markdown("Nothing yet: the network and its picture are as they were. Choose something to change.")
    for place, change in enumerate(stack.now):
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"cl-change-{place}"):
            st.markdown(f"{place + 1}. {sentence(change, bench.classifier)}", width="stretch")
            st.button(
                "Remove",
                key=f"cl_change_remove_{place}",
                icon=":material/close:",
                type="tertiary",
                help="Take this change away",
                on_click=_stepped,
                args=(stack, bench, "remove", place),
            )
        if place in reasons:
            st.caption(f":material/pause_circle: It rests: {plain(reasons[place])}")
    with st.container(horizontal=True, gap="small"):
        for label, icon, way, off in (
            ("Undo", "undo", "undo", not stack.past),
            ("Redo", "redo", "redo", not stack.future),
            ("Reset", "restart_alt", "reset", not stack.now),
        ):
            st.button(
                label,
                key=f"cl_changes_{way}",
                icon=f":material/{icon}:",
                disabled=off,
                on_click=_stepped,
                args=(stack, bench, way),
            )
        with st.popover("File", icon=":material/save:"):
            _files(bench, stack)
    if stack.too_long:
        st.caption("These are too many numbers for a link: save them as a file to keep or share them.")
    if not stack.now and stack.past:
        steps = len(stack.past) + len(stack.future)  # looked at anew after each step
        trace = bench.trace
        n = cached.memo(
            "same_bits",
            (bench.classifier.key, bench.model_input.digest, steps),
            lambda: same_bits(bench.classifier, trace),
            lambda made: 64,
        )
        _bits(n, len(bench.trace.logits), "All is undone. Computed again with the shared network,")


def _bits(same: int, total: int, start: str) -> None:
    if same == total:
        st.markdown(f":green[✓] {start} all {total:,} logits are the first ones, **bit for bit**.")
    else:
        st.warning(f"{start} {same:,} of {total:,} logits are the first ones bit for bit.", icon=":material/error:")


def _files(bench: Bench, stack: Stack) -> None:
    picture = session.get("picture")
    st.download_button(
        "Save the changes (JSON)",
        data=to_json(stack.now, network=bench.classifier.card.key, picture=_public(str(picture))),
        file_name="convlens_changes.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        disabled=not stack.now,
    )

    def take() -> None:
        file = st.session_state.get("cl_changes_file")
        if file is not None:
            stack.load(file.getvalue())

    st.file_uploader("Open a file of changes", type=["json"], key="cl_changes_file", max_upload_size=1, on_change=take)


def _public(picture: str) -> str:
    return "" if picture.startswith("upload-") else picture


def _stepped(stack: Stack, bench: Bench, way: str, place: int = 0) -> None:
    """A step through lists that were opened before needs no new guess."""
    if way == "remove":
        stack.remove(place)
    elif way == "undo":
        stack.undo()
    elif way == "redo":
        stack.redo()
    else:
        stack.go(())
    _show(_about(bench, stack))


def _about(bench: Bench, stack: Stack) -> str:
    subject = f"{bench.classifier.key}|{bench.model_input.digest}|{stack.text}"
    return hashlib.sha256(subject.encode()).hexdigest()[:24]


def _show(about: str) -> None:
    seen: dict[str, None] = st.session_state.setdefault(_SEEN, {})
    _keep(seen, about, None)


def _keep(kept: dict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    while len(kept) > _KEPT:
        kept.pop(next(iter(kept)))


def asked(bench: Bench, stack: Stack, active: tuple[Change, ...], target: int) -> bool:
    """The guess about the stack as it is now; whether its answer may be shown."""
    if not active:
        return False
    about = _about(bench, stack)
    seen: dict[str, None] = st.session_state.setdefault(_SEEN, {})
    answered: dict[str, int] = st.session_state.setdefault(_ANSWERED, {})
    # Who has guessed about one class, and then looks at another, has seen the answer to both.
    if about in seen or answered.get(about, target) != target:
        return True
    st.space("small")
    label = plain(bench.classifier.class_names[target])
    threshold = 0.1 * float(bench.trace.logits.std())
    guess = lesson.guess(
        "interventions",
        f"What becomes of the logit of “{label}”, now {number(float(bench.trace.logits[target]))}? “Nothing much” is "
        f"less than {number(threshold)}, a tenth of the standard deviation of all logits.",
        VERDICTS,
        about=f"{about}_{target}",
    )
    if guess is None:
        answered.pop(about, None)
        if lesson.may_peek():
            st.button(
                "Show it without a guess",
                key="cl_interventions_skip",
                type="tertiary",
                on_click=_show,
                args=(about,),
            )
        return False
    _keep(answered, about, target)
    found = reported(bench, active)
    if found is None:
        return False
    verdict = found.verdict(target)
    before, after = float(found.logits_before[target]), float(found.logits_after[target])
    lesson.reveal(
        guess,
        verdict,
        f"It {WAYS[verdict]}: from {number(before)} to {number(after)}, a change of {signed(after - before)}.",
    )
    return True


def answer(bench: Bench, active: tuple[Change, ...], target: int) -> None:
    """Before and after, layer by layer, and the tests."""
    st.header("Before and after", anchor=False, divider="gray")
    trace = bench.trace  # outside of the slot for heavy work, which it takes itself
    found = reported(bench, active)
    if found is None:
        return
    st.markdown(headline(found))
    instrument.outcome(found, target, key="cl_interventions_outcome", on_pick=lambda i: session.set("target", i))
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "All classes (CSV)",
            data=found.to_csv,
            file_name="convlens_before_after.csv",
            mime="text/csv",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )
    _through(bench, active, found)
    named = any(isinstance(c, SwitchOff) for c in active)
    with lesson.test(
        "The test: is it these channels, and is it so much?" if named else "The test: was anything else touched?"
    ):
        change = found.change(target)
        label = plain(bench.classifier.class_names[target])
        told = foretell(bench.classifier, trace, active, target, change)
        forecast(told, label, bench, active)
        random_control(bench, active, target, change, label)
        _bits(
            found.same_bits, len(found.logits_before), "Meanwhile the shared network answers everybody else as before:"
        )


def headline(found: Report) -> str:
    """What became of the decision, in a sentence."""
    first, last = int(found.logits_before.argmax()), int(found.logits_after.argmax())
    names, p, q = found.class_names, found.probabilities_before, found.probabilities_after
    if first == last:
        return (
            f"The decision stays **{plain(names[first])}**: its probability goes from {p[first]:.4f} to {q[first]:.4f}."
        )
    return (
        f"The decision turns from **{plain(names[first])}** ({p[first]:.4f}, now {q[first]:.4f}) to "
        f"**{plain(names[last])}** ({q[last]:.4f})."
    )


def _through(bench: Bench, active: tuple[Change, ...], found: Report) -> None:
    st.markdown("**Where in the network it shows**")
    names = [layer.name for layer in found.layers]
    watched = session.get("watch")
    if watched is not None and watched not in names:
        session.refuse("watch", f"The strip has no layer “{plain(str(watched))}” for this network.")
    said("watch", ":material/layers:")
    if watched not in names:
        edited = [layer.name for layer in found.layers if layer.edited and layer.name != "input"]
        moved = [layer.name for layer in found.layers if layer.relative > 0 and layer.name not in ("input", "softmax")]
        watched = next(iter([*edited, *moved, *names]))
    operation = bench.classifier.network[watched]
    trace = bench.trace

    def make() -> ChannelChanges:
        made = intervene(bench.classifier, trace, active)
        cells = max(1, _size(operation.output_shape) // max(1, _channels(operation)))
        n = max(2, min(12, _MAP_NUMBERS // (2 * cells)))
        return changed_channels(bench.classifier, made, watched, n=n)

    moved_most = cached.memo(
        "intervention_maps", (*key_of(bench, active), watched), make, lambda made: 2 * made.before.nbytes
    )
    instrument.through(
        found,
        watched,
        operation.title,
        moved_most,
        key="cl_interventions_through",
        on_watch=lambda name: session.set("watch", name),
    )


def _size(shape: tuple[int, ...]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def _channels(operation: cc.Operation) -> int:
    axis = channel_axis(operation)
    return 1 if axis is None else operation.output_shape[axis]
