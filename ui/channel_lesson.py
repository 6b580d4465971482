"""The page of one channel: which one, the bench, what excites it, who fires alike, and what the decision loses."""

from __future__ import annotations

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.channel_trials import ChannelTrials, Lesions
from cnn_core.filters import pointwise_followers
from ui import arithmetic, channel_data, feature_lesson, lesson, pictures, session, shell, waiting, widgets
from ui.channel_data import Collected
from ui.instruments import channel as instruments
from ui.text import plain

N_PATCHES = 8
N_ALIKE = 7
N_LESIONS = 24
_OPEN = "cl_channel_open"
_RUN = "cl_channel_lesions"
_CELL_OF = "cl_channel_cell_of"


def choose(bench: widgets.Bench, layer: cc.Operation) -> int:
    """The channel's map, the strongest channels and the field for a number; returns the channel."""
    maps = bench.trace.activation(layer.name)
    drawn = feature_lesson.mosaic_of(bench, layer)
    channel, row, column = feature_lesson.chosen_unit(layer, drawn)
    instruments.pick(
        maps,
        channel,
        (row, column),
        bench.model_input.shown_rgb,
        cc.receptive_field(bench.classifier, layer),
        network=bench.classifier.key,
        layer=layer.name,
        title=layer.title,
        picture_key=bench.model_input.digest,
        key="cl_channel_pick",
        on_pick=go_to,
    )
    return channel


def go_to(layer: str, channel: int) -> None:
    """Open another channel, of this layer or of another one."""
    session.set("layer", layer)
    session.set("channel", channel)
    session.set("row", None)
    session.set("column", None)
    feature_lesson.keep_channel(layer, channel)


def on_bench(bench: widgets.Bench, layer: cc.Operation, channel: int) -> None:
    """The guess, and the seven pictures that answer it."""
    st.header("Colour or shape", anchor=False, divider="gray")
    about = f"{bench.classifier.key}_{bench.model_input.digest[:12]}_{layer.name}_{channel}"
    guess = lesson.guess(
        "channel", f"What does channel {channel} answer to more on this picture?", feature_lesson.TASTES, about=about
    )
    if guess is None:
        st.caption(
            "Guess, and the network sees the picture in grey, with its hues turned, in shuffled patches, as a "
            "silhouette, as edges, and as nothing at all. The rule: what moves the channel's mean more, taking the "
            "colours away (grey or turned, the larger) or moving patches about. Below 10 % both ways it is neither."
        )
        return
    found = channel_data.trials(bench, layer, channel)
    if found.is_silent:
        st.info(
            f"Channel {channel} is 0 all over this picture, so there is nothing to lose. Choose a channel from the "
            "strongest ones above.",
            icon=":material/do_not_disturb_on:",
        )
    else:
        lesson.reveal(guess, found.verdict, because(found))
    field = cc.receptive_field(bench.classifier, layer)
    instruments.bench(found, field, key="cl_channel_bench", subject=about)
    st.caption(notes(found))


def because(found: ChannelTrials) -> str:
    """The computed reason, in a sentence or two."""
    grey, hue, shuffled = (found.answers[key].change for key in ("grey", "hue", "shuffled"))
    said = (
        f"Without its colours the channel's mean moved by {moved(grey)} (grey) and {moved(hue)} (hues turned); "
        f"with patches of {found.patch} × {found.patch} pixels shuffled by {moved(shuffled)}, "
        "all in shares of the mean size of its numbers. "
    )
    said += {
        "colour": "Colour moves it more.",
        "shape": "How things are arranged moves it more.",
        "neither": "Both are below 10 %: on this picture it depends on neither.",
    }[found.verdict]
    blank, whole = found.answers["blank"].mean, found.answers["picture"].mean
    if found.enough("edges") is None:
        return said + " To nothing at all it answers no less than to the picture, so no drawing can be enough."
    for key, words in (("silhouette", "the silhouette alone"), ("edges", "edges alone")):
        kept = (found.answers[key].mean - blank) / (whole - blank)
        said += f" Beyond its answer to nothing, {words} keep{'s' * (key == 'silhouette')} {share(kept)}"
        said += " (at least half: enough)." if found.enough(key) else " (less than half: not enough)."
    return said


def moved(change: float) -> str:
    """A signed change in three digits, as the bench shows it, so that 9.85 is not said to be 10: "+9.85 %"."""
    return f"{100 * change:+.3g} %".replace("-", "−") if change else "0 %"


def signed(change: float) -> str:
    """Four digits with a sign: "+0.1588", "−0.1541"."""
    return f"{change:+.4g}".replace("-", "−")


def share(part: float) -> str:
    """A part of a whole, which may be negative or more than all of it: "52 %", "−3 %"."""
    return f"{100 * part:.0f} %".replace("-", "−")


def notes(found: ChannelTrials) -> str:
    """How to read the bench, and how its pictures were made."""
    blank = found.answers["blank"]
    scale = (
        "× is the channel's mean over its mean on the picture"
        if blank.ratio is not None
        else (
            "the signed % is the change of the channel's mean in shares of the mean size of its numbers on the picture"
        )
    )
    seen = found.answers["picture"].shown_rgb
    greys = (
        " This picture has no colours for the network, so grey and turned hues are the picture itself."
        if (seen == seen[..., :1]).all()
        else ""
    )
    unclear = "" if found.subject.is_clear else " Here that is next to nothing, or next to everything: do not trust it."
    return (
        f"{scale[0].upper()}{scale[1:]}. “{plain(found.target_name)}” leads on the picture as it is; its probability "
        f"and logit stand under each version. The silhouette is {found.subject.how} "
        f"({100 * found.subject.share:.0f} % of the picture); no person drew it, so look at it before you believe "
        f"it.{unclear} "
        "“Nothing” tells what the channel answers without being shown anything: compare drawings with that, "
        f"not only with 0.{greys}"
    )


def surveyed(bench: widgets.Bench, layer: cc.Operation) -> Collected | None:
    """Every channel of the layer on the samples and on this session's uploads; draws a bar while it is made."""
    uploads = dict(pictures.uploads())
    key = channel_data.survey_key(bench, layer)
    found: Collected | None = waiting.ensure(
        "survey", key, lambda job: channel_data.collect(bench, layer, uploads, job), "Pictures looked through"
    )
    return found


def excites(bench: widgets.Bench, layer: cc.Operation, channel: int, found: Collected) -> None:
    """The patches that excite the channel most, blind ones and the least exciting, and its mean on every picture."""
    survey = found.samples
    most = found.patches(channel, N_PATCHES)
    blind = survey.random(channel, N_PATCHES)
    shown = {p.key: p.model_input.shown_rgb for one in (survey, *found.own) for p in one.pictures}
    side = " × ".join(arithmetic.number(round(size)) for size in survey.field.size)
    cut = f"cut at what the cell reads, {side} input pixels, clipped to the picture"
    if survey.field.sees_everything:
        cut += "; by a global branch the rest of the picture acts on it too"
    own = f" and {len(found.own)} of yours" if found.own else ""
    average = float(np.mean([patch.value for patch in blind]))
    rows = [
        instruments.PatchRow("most", "Excite it most", f"the best place of each picture, {cut}", most),
        instruments.PatchRow(
            "blind",
            "At a place drawn blindly",
            f"mean {arithmetic.number(average)} of these {len(blind)}: what any patch gives",
            blind,
        ),
        instruments.PatchRow(
            "least",
            "Excite it least",
            "the best place of those pictures whose best is lowest",
            survey.least(channel, N_PATCHES),
        ),
    ]
    here = session.get("picture")
    titles = {p.key: p.title for p in survey.pictures} | {k: u.name for k, u in pictures.uploads().items()}
    means = [
        instruments.Mean(titles.get(key, "Your picture"), value, is_own, key == here)
        for key, value, is_own in found.means(channel)
    ]
    st.caption(
        f"{len(survey.pictures)} pictures of the library{own}, one patch for each. A click opens that picture in "
        "Feature maps at that unit. Your own pictures are compared in your session only."
    )
    instruments.patches(
        rows,
        means,
        shown,
        layer=layer.name,
        channel=channel,
        subject=f"{bench.classifier.key}|{layer.name}|{channel}",
        key="cl_channel_patches",
        on_open=lambda picture, row, column: st.session_state.update({_OPEN: (picture, row, column)}),
    )


def follow_open(layer: cc.Operation, channel: int) -> None:
    """Go to the Feature maps page where a patch was clicked."""
    opened = st.session_state.pop(_OPEN, None)
    if opened is None:
        return
    picture, row, column = opened
    values = {"picture": picture, "layer": layer.name, "channel": channel, "row": row, "column": column}
    for name, value in values.items():
        session.set(name, value)
    address = {k: str(v) for k, v in values.items() if not str(v).startswith(pictures.UPLOAD_PREFIX)}
    st.switch_page(shell.lesson("features").page, query_params=address)


def fires_alike(bench: widgets.Bench, layer: cc.Operation, channel: int, found: Collected) -> None:
    """The channels that rise and fall with this one."""
    survey = found.samples
    alike = survey.alike(channel, N_ALIKE)
    n = len(survey.pictures) * survey.cells
    if not alike:
        st.info(f"Channel {channel} is the same everywhere in the library, so it is like none.", icon=":material/info:")
        return
    rows = [(channel, 1.0, survey.patches(channel, 1)[0])]
    rows += [(one.channel, one.correlation, survey.patches(one.channel, 1)[0]) for one in alike]
    maps = bench.trace.activation(layer.name)[[channel, *(one.channel for one in alike)]]
    words = (
        f"r is Pearson's correlation of the two channels' numbers over {n:,} cells ({len(survey.pictures)} pictures of "
        f"{survey.cells:,} cells). Left the map on this picture, own scale; right the patch that excites it most."
    )
    instruments.alike(rows, maps, layer=layer.name, words=words, key="cl_channel_alike", on_pick=go_to)


def first_layer(bench: widgets.Bench, layer: cc.Operation, channel: int) -> None:
    """The filters that read the picture itself."""
    found = channel_data.filters(bench)
    if isinstance(found, str):
        st.info(plain(found), icon=":material/info:")
        return
    network = bench.classifier.network
    reads = "the grey picture" if found.weights.shape[1] == 1 else "red, green and blue"
    is_layer = layer.name == found.operation
    near = is_layer or layer.name in _followers(network, found.operation)
    chosen = channel if near else int(np.abs(found.weights).sum(axis=(1, 2, 3)).argmax())
    st.caption(
        f"All {len(found.weights)} filters of {found.operation}, which read {reads}: each is the pattern that it "
        "answers to most. Deeper filters read other channels, and have no such picture."
    )
    instruments.filters(
        found,
        chosen,
        is_layer=is_layer,
        subject=f"{bench.classifier.key}|{chosen}",
        key="cl_channel_filters",
        on_pick=go_to,
    )


def _followers(network: cc.Network, name: str) -> set[str]:
    return {operation.name for operation in pointwise_followers(network, name)}


def switched_off(bench: widgets.Bench, layer: cc.Operation, channel: int) -> None:
    """The causal test: this channel at zero, beside others of its layer at zero."""
    with lesson.test(f"The test: switch channel {channel} off"), st.container():
        others = min(N_LESIONS, layer.output_shape[0] - 1)
        seed = session.get("seed")
        key = (bench.classifier.key, bench.model_input.digest, layer.name, channel, seed)
        if st.session_state.get(_RUN) != key:
            st.markdown(
                f"Set the channel to zero and let the network decide again; then do the same to {others} other "
                f"channels of {layer.name}, drawn with seed {seed}. How many of them matter as much?"
            )
            st.button(
                f"Switch off {others + 1} channels, one at a time",
                key="cl_channel_off",
                type="primary",
                icon=":material/power_settings_new:",
                on_click=lambda: st.session_state.update({_RUN: key}),
            )
            return
        found: Lesions | None = waiting.ensure(
            "lesions",
            key,
            lambda job: channel_data.lesions(bench, layer, channel, N_LESIONS, seed, job),
            "Channels switched off",
        )
        if found is not None:
            st.markdown(lesion_sentence(found))
            instruments.lesions(found, key="cl_channel_lesions_view")


def lesion_sentence(found: Lesions) -> str:
    """What the decision lost, and how many others cost as much."""
    chosen, name = found.chosen, plain(found.target_name)
    change = chosen.logit - found.logit
    decision = (
        f"**{name}** still leads, at {chosen.probability:.4f}"
        if chosen.top.index == found.target
        else f"the decision turns to **{plain(chosen.top.name)}** ({chosen.top.probability:.4f})"
    )
    n = len(found.others)
    as_much = f"{found.as_much} of them move{'s' * (found.as_much == 1)} it as far or farther"
    turned = f"{found.turned or 'None'} of them turn{'s' * (found.turned <= 1)} the decision."
    verdict = (
        "none of them moves it as far."
        if found.as_much == 0
        else f"{as_much}, so this channel is nothing special for the decision."
        if found.as_much > n / 4
        else f"{as_much}."
    )
    return (
        f"With channel {chosen.channel} at zero the logit of {name} goes from {arithmetic.number(found.logit)} to "
        f"{arithmetic.number(chosen.logit)} ({signed(change)}); {decision}. Of {n} other channels of the "
        f"{found.n_channels - 1}, drawn with seed {found.seed}: {verdict} {turned}"
    )
