"""On trial: five experiments beside the maps, each run by a button, each with what it can and cannot show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import streamlit as st

import cnn_core as cc
from cnn_core.saliency import Faithfulness, Trial, agreement, faithfulness, on_trial, sanity_check, stability
from ui import cached, jobs, lesson, saliency_methods, session
from ui.instruments.saliency import Tile, judged, positive
from ui.instruments.saliency_charts import (
    agreement_table,
    curves_chart,
    removal_chart,
    sanity_chart,
    stability_chart,
)
from ui.instruments.trial import comparison, trial_cards
from ui.saliency_methods import Asked
from ui.text import plain
from ui.widgets import Bench

T = TypeVar("T")
FILLS: Final = {"mean": "mean colour", "blur": "blur", "noise": "noise"}
_STEPS: Final = 10
_CHECKS: Final = 6
_NOISES: Final = {4: "4 of 255", 8: "8 of 255", 16: "16 of 255", 32: "32 of 255"}
TABS: Final = (
    "Remove the top",
    "Deletion and insertion",
    "Randomise the weights",
    "Add noise",
    "Agreement",
)


def trials(bench: Bench, asked: Asked, tiles: Sequence[Tile]) -> None:
    """The section: which map is on trial, and the five experiments."""
    with lesson.test("On trial: does what a map marks matter?"):
        speaking = [tile for tile in tiles if not judged(tile.map)[0]]
        if not speaking:
            st.info("No map on the wall marks anything, so there is no claim to try.", icon=":material/info:")
            return
        st.markdown("A map is a claim about the network. Each experiment below can refute it, none can prove it.")
        titles = {tile.title: tile for tile in speaking}
        if st.session_state.get("cl_sal_on_trial") not in titles:
            st.session_state.cl_sal_on_trial = next(iter(titles))
        st.segmented_control("On trial", list(titles), key="cl_sal_on_trial", required=True)
        tile = titles[st.session_state.cl_sal_on_trial]
        removed, curves, sanity, noise, agree = st.tabs(TABS)
        with removed:
            _removal(bench, speaking, tile)
        with curves:
            _curves(bench, speaking, tile)
        with sanity:
            _sanity(bench, asked, tile)
        with noise:
            _noise(bench, asked, tile)
        with agree:
            _agreement(bench, tiles)


def _limits(can: str, cannot: str, weakness: str) -> None:
    st.caption(f"**Can show:** {can}  \n**Cannot show:** {cannot}  \n**Known weakness:** {weakness}")


def _files(found: Any, name: str, key: str) -> None:
    """What an experiment found, to keep: its chart and its numbers."""
    with st.container(horizontal=True, gap="small"):
        for label, data, ending, mime in (
            ("Chart (PNG)", found.to_png, "png", "image/png"),
            ("All numbers (.npz)", found.to_npz, "npz", "application/octet-stream"),
        ):
            st.download_button(
                label,
                data=data,
                file_name=f"{name}.{ending}",
                mime=mime,
                on_click="ignore",
                key=f"{key}_{ending}",
                type="tertiary",
                icon=":material/download:",
            )


def _fill(key: str) -> str:
    st.segmented_control(
        "Fill with",
        list(FILLS),
        required=True,
        format_func=FILLS.__getitem__,
        **session.control("fill", key, FILLS),
    )
    wanted: str = session.get("fill")
    return wanted if wanted in FILLS else next(iter(FILLS))


def _subject(bench: Bench, tile: Tile) -> tuple[str, ...]:
    made = tile.map
    joined = str(made.details.get("fusion", ""))
    told = tile.settings
    return (
        bench.classifier.key,
        bench.model_input.digest,
        made.method,
        made.layer or "",
        joined,
        str(made.target),
        told,
    )


def _stoppable(make: Callable[[jobs.Progress, jobs.ShouldStop], T]) -> Callable[[Any, Any], T | None]:
    """Work for `jobs.run`: None where it was stopped."""

    def work(on_progress: jobs.Progress, should_stop: jobs.ShouldStop) -> T | None:
        try:
            return make(on_progress, should_stop)
        except cc.Stopped:
            return None

    return work


def _removal(bench: Bench, speaking: Sequence[Tile], tile: Tile) -> None:
    _limits(
        "whether the network needs what a map marks more than equal areas elsewhere, and more than strong edges.",
        "that each part of the marked area matters, or that nothing outside it does: all of it goes at once.",
        "a picture with a hole is unlike any that the network was trained on (Hooker et al. 2019), so another fill may "
        "say otherwise.",
    )
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        percent = st.slider(
            "Area to remove", 2, 50, format="%d %%", width=260, **session.control("area", "cl_sal_fraction")
        )
        fill = _fill("cl_sal_fill")
    key = (percent, fill, *(part for one in speaking for part in _subject(bench, one)))

    def make(on_progress: jobs.Progress, should_stop: jobs.ShouldStop) -> list[Trial]:
        found = []
        for i, one in enumerate(speaking):
            if should_stop():
                raise cc.Stopped("The work was stopped.")
            found.append(
                on_trial(bench.classifier, bench.model_input, positive(one.map), fraction=percent / 100, fill=fill)  # type: ignore[arg-type]
            )
            on_progress(9 * (i + 1), 9 * len(speaking))
        return found

    st.caption(f"{len(speaking)} maps × 9 forward passes: the picture whole, and with eight areas removed in turn.")
    found = jobs.run(
        "saliency_removal",
        key,
        _stoppable(make),
        lambda made: sum(9 * one.before.shown_rgb.nbytes for one in made),
        button="Remove and ask again",
        label="Removing",
        unit="passes",
        icon=":material/gavel:",
    )
    if found is None:
        return
    pairs = [(one.title, trial) for one, trial in zip(speaking, found, strict=True)]
    removal_chart(pairs, tile.title, key="cl_sal_removal")
    result = dict(pairs)[tile.title]
    _verdict(result.verdict == "supported", f"{tile.title}: {result.verdict}.", result.sentence)
    _files(result, f"removal_{result.fill}_{tile.map.method}", "cl_sal_removal_file")
    with st.expander(f"The pictures that the network was shown for {tile.title}"):
        comparison(
            trial_cards(result),
            key="cl_sal_removal_cards",
            caption=f"Bars: the {'logit margin' if result.target.is_margin else 'logit'} of {result.target.label}, one "
            "shared scale; dashed, the whole picture.",
        )


def _verdict(good: bool, head: str, sentence: str) -> None:
    (st.success if good else st.warning)(
        f"**{plain(head)}** {plain(sentence)}", icon=":material/check_circle:" if good else ":material/balance:"
    )


def _curves(bench: Bench, speaking: Sequence[Tile], tile: Tile) -> None:
    _limits(
        "whether a map's order of pixels loses, or finds, the answer sooner than its shape moved at random, and than "
        "edges.",
        "which of two maps is right, where one is coarser than the other.",
        "such curves favour blurry maps (arXiv 2304.13836): compare maps of like coarseness, and try another fill.",
    )
    fill = _fill("cl_sal_curve_fill")

    def key(one: Tile) -> tuple[Any, ...]:
        return (fill, *_subject(bench, one))

    claim = positive(tile.map)
    n = 2 * (_STEPS - 1) * 7 + 2
    st.caption(f"{n} forward passes: {_STEPS} steps in both directions, by the map, by 5 random orders and by edges.")
    found: Faithfulness | None = jobs.run(
        "saliency_curves",
        key(tile),
        _stoppable(
            lambda on_progress, should_stop: faithfulness(
                bench.classifier,
                bench.model_input,
                claim,
                steps=_STEPS,
                fill=fill,
                on_progress=on_progress,
                should_stop=should_stop,
            )
        ),
        lambda made: 8 * 2 * 14 * (_STEPS + 1) + 4096,
        button=f"Draw the curves of {tile.title}",
        label="Deleting and inserting",
        unit="passes",
        icon=":material/show_chart:",
    )
    if found is None:
        return
    results = [(one.title, jobs.result("saliency_curves", key(one))) for one in speaking]
    curves_chart([(name, one) for name, one in results if one is not None], tile.title, key="cl_sal_curves")
    _verdict(found.verdict == "supported", f"{tile.title}:", found.sentence)
    _files(found, f"deletion_insertion_{found.fill}_{tile.map.method}", "cl_sal_curves_file")


def _sanity(bench: Bench, asked: Asked, tile: Tile) -> None:
    _limits(
        "whether a map depends on what the network learned: with random weights it should become another map.",
        "whether the map is right: a map can depend on the weights and still mislead.",
        "a likeness that stays can come from the picture, where one object is all there is to mark, and from what "
        "randomised layers still pass on (Binder et al., arXiv 2211.12486).",
    )
    card = saliency_methods.cards()[tile.map.method]
    options = asked.checked(card)
    st.caption(
        f"{card.title} again after each of {_CHECKS} steps, on a copy of the network whose weights become random from "
        f"the logits down. {'This method takes ' + card.cost + ', each time.' if card.is_dear else ''}"
    )
    found = jobs.run(
        "saliency_sanity",
        (*_subject(bench, tile), str(options)),
        _stoppable(
            lambda on_progress, should_stop: sanity_check(
                bench.classifier,
                bench.model_input,
                steps=_CHECKS,
                on_progress=on_progress,
                should_stop=should_stop,
                **options,
            )
        ),
        lambda made: sum(step.map.values.nbytes for step in made.steps) + made.original.values.nbytes,
        button=f"Randomise the weights under {tile.title}",
        label="Randomising",
        unit="steps",
        icon=":material/casino:",
    )
    if found is None:
        return
    sanity_chart(found, key="cl_sal_sanity")
    edges = f" Its rank correlation with the picture's edges is {found.edges:.2f}.".replace("-", "−")
    _verdict(found.depends_on_weights, f"{tile.title}:", found.sentence + (edges if found.edges == found.edges else ""))
    _files(found, f"sanity_check_{tile.map.method}", "cl_sal_sanity_file")


def _noise(bench: Bench, asked: Asked, tile: Tile) -> None:
    _limits(
        "whether a map stays when the picture changes less than an eye can see, and the answer hardly does.",
        "whether it is true: a map may be steady and wrong, and an edge detector is the steadiest of all.",
        "random noise is a mild test; noise made on purpose moves many maps (Ghorbani et al., arXiv 1710.10547).",
    )
    card = saliency_methods.cards()[tile.map.method]
    st.segmented_control(
        "Noise, standard deviation in levels",
        list(_NOISES),
        required=True,
        format_func=_NOISES.__getitem__,
        **session.control("noise", "cl_sal_noise"),
    )
    noise = session.get("noise")
    options = asked.checked(card)
    found = jobs.run(
        "saliency_noise",
        (*_subject(bench, tile), str(options), noise),
        _stoppable(
            lambda on_progress, should_stop: stability(
                bench.classifier,
                bench.model_input,
                noise=float(noise),
                on_progress=on_progress,
                should_stop=should_stop,
                **options,
            )
        ),
        lambda made: sum(one.values.nbytes for one in made.maps) + made.original.values.nbytes,
        button=f"Add noise under {tile.title}",
        label="Adding noise",
        unit="maps",
        icon=":material/grain:",
    )
    if found is None:
        return
    stability_chart(found, key="cl_sal_stability")
    st.markdown(f"**{tile.title}.** {plain(found.sentence)}")
    _files(found, f"noise_{found.noise:g}_{tile.map.method}", "cl_sal_noise_file")


def _agreement(bench: Bench, tiles: Sequence[Tile]) -> None:
    _limits(
        "which methods say the same of this picture, and that where two disagree at least one of them misleads.",
        "which one is right.",
        "methods that share an idea err together, and all may show the edges; a rank correlation weighs the many cells "
        "that hardly matter like the few that do.",
    )
    if len(tiles) < 2:
        st.info("Choose at least two methods: agreement is between maps.", icon=":material/info:")
        return
    found = cached.memo(
        "saliency_agreement",
        tuple(_subject(bench, tile) for tile in tiles),
        lambda: agreement([tile.map for tile in tiles], names=[tile.title for tile in tiles]),
        lambda made: made.matrix.nbytes + 1024,
    )
    agreement_table(found, key="cl_sal_agreement")
    st.markdown(plain(found.sentence))
    st.caption(
        f"Both signs, averaged over a grid of {found.grid[0]} × {found.grid[1]} blocks, each map at its receptive "
        "fields' centres. Maps of sizes only (gradient, guided) cannot say “against”."
    )
    _files(found, "agreement", "cl_sal_agreement_file")
