"""The parts of the trail lesson: where it starts, the walk with its turns, and the pixels at its end put on trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.trail import holding_what_leads_to
from cnn_core.trail_trial import CoveredUnit, TrailTrial, trail_trial
from ui import arithmetic, cached, depth_lesson, feature_lesson, lesson, session, widgets
from ui.instruments import trail as instrument
from ui.instruments.place import Guess
from ui.instruments.trial import Card, comparison
from ui.text import plain

STARTS = {"class": "A class's logit", "unit": "A unit of a layer", "link": "The unit of the link"}
CHOICES = {"most": "The largest part", "for": "The part that pushes most its way"}
GUESSES = "cl_trail_guesses"
QUESTION = "Where in the picture will the trail end? Click that place."
_FROM, _CHOICE = "cl_trail_from", "cl_trail_choice"
_TAKEN = "cl_trail_taken"  # the text that the page has read or written itself
_LINKED = "cl_trail_linked"
_UNDO = "cl_trail_undo"
_MOST_TURNS = 400  # characters of a trail that still take one more turn; the address takes 1000

Start = tuple[str, tuple[int, ...]]
Followed = tuple[cc.Trail, instrument.Walk]


def followed(bench: widgets.Bench, text: str, *, first: bool = False) -> Followed:
    """The trail of a text with what the browser draws of it, shared between visitors; raises InvalidUnit.

    first: only its first step and the next, which is all that is shown before the guess.
    """
    classifier, trace = bench.classifier, bench.trace
    network = classifier.network

    def make() -> Followed:
        if first:
            trail = cc.Trail.from_text(classifier, trace, without_turns(text, steps="1"))
            return trail, instrument.walk_of(classifier, trace, trail)
        # Both read every output on the way.
        whole = holding_what_leads_to(network, trace, network[network.output])
        trail = cc.Trail.from_text(classifier, whole, text)
        return trail, instrument.walk_of(classifier, whole, trail)

    return cached.memo(
        "trail",
        (classifier.key, bench.model_input.digest, text, first),
        make,
        lambda made: 4000 * len(made[0].steps) + made[1].nbytes,
    )


def adopt_link(bench: widgets.Bench) -> None:
    """Take over a trail that the address brought: its start and its turns; an unfit one is said in a sentence."""
    text = session.get("trail")
    # Controls forget what was chosen when their page is left: who comes back finds the trail that was kept.
    if text is None or (text == st.session_state.get(_TAKEN) and _FROM in st.session_state):
        return
    try:
        trail, _ = followed(bench, text)
    except cc.InvalidUnit as error:
        session.refuse("trail", f"{plain(str(error))} Shown instead: the trail of the top class.")
        return
    network, first = bench.classifier.network, trail.steps[0]
    operation = network[first.operation]
    if operation.name == network.output and len(first.index) == 1:
        st.session_state[_FROM] = "class"
        session.set("target", first.index[0])
    elif operation.is_spatial:
        st.session_state[_FROM] = "unit"
        session.set("layer", operation.name)
        for name, at in zip(("channel", "row", "column"), first.index, strict=True):
            session.set(name, at)
        feature_lesson.keep_channel(operation.name, first.index[0])
    else:
        st.session_state[_FROM] = "link"
        st.session_state[_LINKED] = (operation.name, first.index)
    st.session_state[_CHOICE] = trail.choose
    if text != st.session_state.get(_TAKEN):
        st.session_state[_UNDO] = []
    session.set("trail", trail.to_text())
    st.session_state[_TAKEN] = trail.to_text()


def pick_start(bench: widgets.Bench) -> tuple[Start, str]:
    """The controls of the start; returns (operation, index) and how parts are chosen."""
    linked: Start | None = st.session_state.get(_LINKED)
    if linked is not None and linked[0] not in bench.classifier.network:
        linked = st.session_state[_LINKED] = None
    options = [key for key in STARTS if key != "link" or linked is not None]
    for slot, choices, first in ((_FROM, options, "class"), (_CHOICE, list(CHOICES), "most")):
        if st.session_state.get(slot) not in choices:
            st.session_state[slot] = first
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        source = st.segmented_control("Start from", options, format_func=STARTS.__getitem__, key=_FROM, required=True)
        choice = st.segmented_control(
            "At each step follow",
            list(CHOICES),
            format_func=CHOICES.__getitem__,
            key=_CHOICE,
            required=True,
            help="The largest part in size, whether it raises or lowers the number; or the one that pushes most in the "
            "direction of the number's own sign.",
        )
    if source == "link" and linked is not None:
        operation = bench.classifier.network[linked[0]]
        st.caption(f"{operation.name}: {arithmetic.place(operation, linked[1])}")
        return linked, str(choice)
    if source == "unit":
        return _pick_unit(bench), str(choice)
    return (bench.classifier.network.output, (widgets.class_picker(bench),)), str(choice)


def _pick_unit(bench: widgets.Bench) -> Start:
    network = bench.classifier.network
    layer = widgets.layer_picker(bench, key="trail", default=depth_lesson.middle_layer(network))
    drawn = feature_lesson.mosaic_of(bench, layer)
    unit = feature_lesson.chosen_unit(layer, drawn)
    loudest = np.argsort(-drawn.statistics[1], kind="stable")[:8]
    strongest = [(int(c), int(drawn.peak[c][0]), int(drawn.peak[c][1])) for c in loudest]

    def pick(channel: int, row: int, column: int) -> None:
        for name, at in (("channel", channel), ("row", row), ("column", column)):
            session.set(name, at)

    maps = bench.trace.activation(layer.name)
    instrument.start_map(layer, maps, unit, strongest, key="cl_trail_start", on_pick=pick)
    return layer.name, unit


def current_text(start: Start, choice: str) -> str:
    """The trail to show: the kept one, with its turns, where it has this start, and a new one otherwise."""
    index = ".".join(map(str, start[1]))
    kept = str(session.get("trail") or "").split("~")
    if len(kept) >= 4 and (kept[0], kept[2], kept[3]) == (choice, start[0], index):
        return "~".join(kept)
    st.session_state[_UNDO] = []
    return "~".join((choice, "all", start[0], index))


def without_turns(text: str, steps: str = "all") -> str:
    """The same start and choice, followed to the end, or for so many steps, with no turn."""
    choice, _, operation, index = text.split("~")[:4]
    return "~".join((choice, steps, operation, index))


def keep(bench: widgets.Bench, text: str) -> None:
    """Put the trail into the address, but for the one that is shown when nobody chose."""
    network = bench.classifier.network
    is_default = text == f"most~all~{network.output}~{bench.trace.top(1)[0].index}"
    session.set("trail", None if is_default else text)
    st.session_state[_TAKEN] = session.get("trail")


def first_words(bench: widgets.Bench, trail: cc.Trail) -> str:
    """What the trail is about: "the logit of giant panda", "channel 3, row 1, column 2 of features.7"."""
    network, first = bench.classifier.network, trail.steps[0]
    if first.operation == network.output and len(first.index) == 1:
        return f"the logit of {bench.classifier.class_names[first.index[0]]}"
    return f"{arithmetic.place(network[first.operation], first.index)} of {first.operation}"


def subject_of(bench: widgets.Bench, start: Start) -> str:
    """What a guess is about: network, picture and first unit; other ways from there are the visitor's own."""
    return f"{bench.classifier.key}:{bench.model_input.digest[:16]}:{start[0]}:{'.'.join(map(str, start[1]))}"


def _guesses() -> dict[str, Guess]:
    """All guesses of this visitor, by what they are about."""
    kept: dict[str, Guess] = st.session_state.setdefault(GUESSES, {})
    return kept


def guess_at(bench: widgets.Bench, start: Start, text: str) -> Guess | None:
    """The guess at the end of this trail, None while it is awaited; who is sent another way is not asked."""
    subject = subject_of(bench, start)
    made = _guesses() if text == without_turns(text) else {subject: Guess(None), **_guesses()}
    return lesson.placed("trail", made, subject, Guess(None))


def walk(bench: widgets.Bench, way: Followed, text: str, start: Start, guess: Guess | None) -> None:
    """The trail itself, its first step alone while the guess is awaited."""
    trail, made = way
    subject = subject_of(bench, start)
    guesses = _guesses()
    undo: list[str] = st.session_state.setdefault(_UNDO, [])
    if trail.turns:
        guesses.setdefault(subject, Guess(None))  # who was sent another way has no default way to guess

    def act(message: dict[str, Any]) -> None:
        what = message["what"]
        if what == "skip":
            guesses[subject] = Guess(None)
        elif what == "guess":
            guesses[subject] = Guess((float(message["row"]), float(message["column"])))
        elif what == "undo" and undo:
            keep(bench, undo.pop())
        elif what == "again":
            undo.append(text)
            keep(bench, without_turns(text))
        elif what == "turn" and len(text) <= _MOST_TURNS:
            undo.append(text)
            turns = {n: way for n, way in trail.turns.items() if n < message["step"]}
            turns[message["step"]] = (message["input"], tuple(message["index"]))
            ways = [f"{n}-{number}-{'.'.join(map(str, index))}" for n, (number, index) in sorted(turns.items())]
            keep(bench, "~".join([*text.split("~")[:4], *ways]))

    picture = session.get("picture")
    private = str(picture).startswith("upload-")
    link = {name: session.get(name) for name in ("picture", "model", "weights")} | {"trail": text}
    if private:
        del link["picture"]
    instrument.trail_walk(
        bench.classifier,
        bench.model_input,
        trail,
        made,
        text=text,
        key="cl_trail_walk",
        subject=subject,
        question=QUESTION,
        guess=guess,
        can_undo=bool(undo),
        link={name: str(value) for name, value in link.items()},
        is_private=private,
        on_act=act,
    )


def thread(trail: cc.Trail) -> str:
    """How thin one trail is: the shares at its sums, and their product."""
    shares = [s.share for s in trail.steps if s.share is not None and s.n_parts > 1]
    if not shares:
        return ""
    most = sum(share > 0.5 for share in shares)
    product = float(np.prod(shares))
    return (
        f"On the way {len(shares)} sums were met. The part that was followed made from {percent(min(shares))} to "
        f"{percent(max(shares))} of all that was added there, more than half of it in {most} of {len(shares)}. "
        f"Multiplied, the shares leave {power(product)}: one trail is one thread of a very thick rope."
    )


def percent(share: float) -> str:
    return "less than 0.1 %" if share < 0.001 else f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def power(value: float) -> str:
    """A tiny share as a power of ten: "2.1 × 10⁻³¹"."""
    if value >= 0.001:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{raised}"


def trial(bench: widgets.Bench, trail: cc.Trail, guess: Guess) -> None:
    """Cover the end, the guessed place and random squares; the numbers decide."""
    words = first_words(bench, trail)
    with lesson.test("The test: do the pixels at its end matter?"):
        if trail.end != "input":
            st.info(f"{trail.sentence} So there is no place in the picture to cover.", icon=":material/info:")
            return
        key = (bench.classifier.key, bench.model_input.digest, trail.to_text(), guess.position)
        seeds: dict[Any, int] = st.session_state.setdefault("cl_trail_seeds", {})
        seed = seeds.get(key)

        def again() -> None:
            seeds[key] = 0 if seed is None else seed + 1

        label = "Cover the end of the trail" if seed is None else "Other random squares"
        icon = ":material/gavel:" if seed is None else ":material/casino:"
        st.button(
            label, key="cl_trail_cover", type="primary" if seed is None else "secondary", icon=icon, on_click=again
        )
        if seed is None:
            st.caption(
                "A grey square covers the end, then equal ones other places; the first number is computed again."
            )
            return
        places = () if guess.position is None else (guess.position,)
        trace = bench.trace
        with st.spinner("Running the network on the covered pictures"):
            found: TrailTrial = cached.memo(
                "trail_trial",
                (*key, seed),
                lambda: trail_trial(bench.classifier, trace, trail, places=places, seed=seed),
                lambda made: sum(one.shown_rgb.nbytes for one in (made.end, *made.others, *made.random)),
            )
        comparison(_cards(bench, found), key="cl_trail_trial", caption=_caption(found, words))
        strong = found.end.taken > 0 and found.n_less > len(found.random) / 2
        (st.success if strong else st.warning)(
            verdict(found, words), icon=":material/check_circle:" if strong else ":material/balance:"
        )


def _cards(bench: widgets.Bench, found: TrailTrial) -> list[Card]:
    def card(title: str, one: CoveredUnit, role: str = "control") -> Card:
        return Card(title, one.shown_rgb, one.after, f"{_taken(found, one.taken)}", role)  # type: ignore[arg-type]

    cards = [Card("Whole picture", bench.model_input.shown_rgb, found.before, "the first number", "whole")]
    cards.append(card("The trail's end covered", found.end, "marked"))
    cards += [card("Your guess covered", one) for one in found.others]
    if found.random:
        mean = float(np.mean([one.after for one in found.random]))
        cards.append(
            Card(
                f"Equal squares elsewhere, n = {len(found.random)}",
                found.random[0].shown_rgb,
                mean,
                f"{_taken(found, found.random_mean)} on average",
                spread=found.random_spread,
            )
        )
    return cards


def _taken(found: TrailTrial, taken: float) -> str:
    share = taken / abs(found.before) if found.before else 0.0
    word = "takes" if taken >= 0 else "adds"
    return f"{word} {arithmetic.number(abs(taken))} ({percent(abs(share))})"


def _caption(found: TrailTrial, words: str) -> str:
    return (
        f"Bars: {words}, one shared scale; dashed, the whole picture. Squares of {found.side} × {found.side} pixels, a "
        f"seventh of what the unit sees. The random ones (seed {found.seed}) lie in what it sees, apart from the "
        "trail's own; of these one is shown."
    )


def verdict(found: TrailTrial, words: str) -> str:
    """What the numbers support, in a sentence."""
    square = f"{found.side} × {found.side} pixels"
    end = f"Covering {square} at the trail's end {_taken(found, found.end.taken)} of {words}"
    if not found.random:
        return f"{end}. What the unit sees has no room for an equal square elsewhere."
    n = len(found.random)
    others = f"{arithmetic.number(found.random_mean)} ± {arithmetic.number(found.random_spread)}"
    less = f"{found.n_less} of {n} took less than the trail's own"
    line = f"{end}; equal squares elsewhere took {others} (n = {n}), and {less}."
    if found.end.taken > 0 and found.n_less == n:
        return f"**It led to a place that matters.** {line}"
    if found.end.taken > 0 and found.n_less > n / 2:
        return f"**It led to a place that matters more than most.** {line}"
    return (
        f"**It did not lead to a place that matters most.** {line} The largest part of a sum is still a small part of "
        "the whole: following it step by step may lose what matters."
    )


def answer(trail: cc.Trail, guess: Guess, side: int, subject: str) -> None:
    """Where it ends, against the guess about `subject`."""
    if guess.position is None:
        return
    if trail.end != "input":
        st.info(trail.sentence, icon=":material/lightbulb:")
        return
    row, column = trail.steps[-1].index[1:]
    away = float(np.hypot(row + 0.5 - guess.position[0], column + 0.5 - guess.position[1]))
    found = "near" if away <= side else "far"
    lesson.reveal(
        # Who chose another way on the trail could lead it to the own cross: that is no answer to the question.
        found if trail.turns else lesson.clicked("trail", found, guess.position, about=subject),
        "near",
        f"The trail ends at row {row}, column {column}: {away:.0f} pixels from your cross (orange); "
        f"closer than {side} pixels, a seventh of the picture, counts as found.",
    )
