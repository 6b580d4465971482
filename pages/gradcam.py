"""Grad-CAM: where in the picture the network found its evidence, and whether removing that place changes its mind."""

from __future__ import annotations

import streamlit as st

import cnn_core as cc
from cnn_core.covering import Covered, cover, square_at
from cnn_core.pointing import point_at
from cnn_core.saliency import Trial, on_trial
from cnn_core.saliency.removal import Fill
from ui import cached, lesson, session, shell, widgets
from ui.instruments.gradcam import Depth, depth_strip, evidence_map
from ui.instruments.place import Guess
from ui.instruments.trial import comparison, trial_cards
from ui.saliency_layers import say_where
from ui.text import plain
from ui.widgets import Bench

SCORES = {"logit": "Logit", "probability": "Probability", "centred": "Logit above the mean"}
FILL_WORDS: dict[Fill, str] = {"mean": "mean colour", "blur": "blur", "grey": "mid grey"}
GUESSES = "cl_gradcam_guesses"
OFFERED = ("gradcam", "cam")


def others_link(methods: str | None, label: str) -> None:
    """A link to the page that puts all methods side by side, with some of them chosen."""
    chosen = None if methods is None else {"methods": methods}
    st.page_link(shell.lesson("saliency").page, label=label, icon=":material/arrow_forward:", query_params=chosen)


def ask(bench: Bench, layer: cc.Operation, target: int) -> tuple[dict[str, object], str, str]:
    """The method, score and rival that the visitor chose: options for `explain`, the method's title, its formula."""
    cards = {card.key: card for card in cc.saliency_methods()}
    head = bench.classifier.network.linear_head()
    if head is None:
        refusal = f"CAM needs a head of global pooling and one linear layer; {bench.classifier.card.title} has another."
    else:
        refusal = f"CAM reads only the maps that the head pools: choose {head.maps}." if layer.name != head.maps else ""
    wanted = session.get("method")
    if wanted not in OFFERED:
        if wanted in cards:
            st.info(
                f"{cards[wanted].title} stands on the page “Methods on trial”, beside the others; here is Grad-CAM."
            )
            others_link(f"gradcam,{wanted}", f"Open {cards[wanted].title} there")
        else:
            offered = " and ".join(cards[key].title for key in OFFERED)
            st.info(f"There is no method “{plain(str(wanted))}”; here are {offered}.")
        session.set("method", None)
        wanted = "gradcam"
    method = "gradcam" if wanted == "cam" and refusal else wanted
    rival = widgets.wanted_rival(bench, target)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        widgets.rival_picker(bench, target, rival, key="cl_gradcam_rival")
        chosen_score = session.get("score")
        st.session_state.cl_gradcam_score = chosen_score
        with st.popover(f"{cards[method].title} · {SCORES[chosen_score].lower()}", icon=":material/tune:"):
            st.markdown("Method")
            with st.container(horizontal=True, gap="small"):
                for key in OFFERED:
                    st.button(
                        cards[key].title,
                        key=f"cl_gradcam_method_{key}",
                        type="primary" if key == method else "secondary",
                        disabled=(key == "cam" and bool(refusal)) or session.locked(),
                        on_click=session.set,
                        args=("method", key),
                    )
            if refusal:
                st.caption(refusal)
            score = st.segmented_control(
                "What the map explains",
                list(SCORES),
                required=True,
                format_func=SCORES.__getitem__,
                key="cl_gradcam_score",
                on_change=session.take,
                args=("score", "cl_gradcam_score"),
                disabled=session.locked(),
            )
            others_link(None, f"{len(cards) - len(OFFERED)} more methods, side by side")
    if wanted == "cam" and refusal:
        st.info(f"{refusal} Shown instead: Grad-CAM.", icon=":material/info:")
    request = target if rival is None else (target, rival)
    return {"method": method, "target": request, "score": score}, cards[method].title, cards[method].formula


def depths(bench: Bench, request: dict[str, object]) -> list[Depth]:
    """The same class at the last layer of each resolution, always by Grad-CAM, which reads any layer."""
    last = {operation.output_shape[1:]: operation for operation in bench.classifier.network.map_layers()}
    return [
        Depth(
            operation,
            cached.explain(
                bench.classifier, bench.model_input, **{**request, "method": "gradcam", "layer": operation.name}
            ),
        )
        for operation in last.values()
        if operation.kind != "input"
    ]


def covered_at(
    bench: Bench, request: object, places: tuple[tuple[float, float], ...], side: float
) -> tuple[Covered, ...]:
    """The network's answers with a square of mid grey at each place."""
    size, trace = bench.model_input.shown_rgb.shape, bench.trace
    boxes = [square_at(row, column, side, (size[0], size[1])) for row, column in places]
    return cached.memo(
        "cover",
        (bench.classifier.key, bench.model_input.digest, str(request), places, side),
        lambda: cover(bench.classifier, trace, boxes, target=request),  # type: ignore[arg-type]
        lambda made: sum(one.shown_rgb.nbytes for one in made),
    )


def answer(bench: Bench, kept: cc.SaliencyMap, request: object, position: tuple[float, float], subject: str) -> None:
    """Compare the visitor's click with the map, and with what greying a square there really does."""
    found = point_at(kept, *position)
    peak = kept.peak()
    if peak is None:
        st.info(f"The map cannot answer. {kept.note}", icon=":material/lightbulb:")
        return
    side = max(kept.input_size[0] / 7, *kept.placement.stride)
    here, there = covered_at(bench, request, (found.position, peak.position), side)
    name = "margin" if kept.target.is_margin else "logit"
    before = here.logit + here.logit_drop
    strong = found.percentile >= 0.75
    chosen = (
        f"Where you clicked the map reads {found.value:.4g}: rank {found.rank} of {found.n_cells} cells, "
        f"{'in' if strong else 'not in'} its strongest quarter. With a {side:.0f} × {side:.0f} grey square there the "
        f"{name} goes from {before:.2f} to {here.logit:.2f}; with one on the map's strongest cell it "
        f"goes to {there.logit:.2f}."
    ).replace("-", "−")
    lesson.reveal(lesson.clicked("gradcam", "strong" if strong else "weak", position, about=subject), "strong", chosen)


def trial(bench: Bench, kept: cc.SaliencyMap) -> None:
    """Remove what the map marks, and equal areas that it does not mark; the numbers decide."""
    with lesson.test("The trial: does what it marks matter?"):
        st.markdown("Choose how much to take away and what to put in its place, then let the network answer.")
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            percent = st.slider(
                "Area to remove", 2, 50, format="%d %%", width=260, **session.control("area", "cl_trial_fraction")
            )
            st.segmented_control(
                "Fill with",
                list(FILL_WORDS),
                required=True,
                format_func=FILL_WORDS.__getitem__,
                **session.control("fill", "cl_trial_fill", FILL_WORDS),
            )
            fill: Fill = next((fill for fill in FILL_WORDS if fill == session.get("fill")), "mean")
            started = st.button("Run the trial", type="primary", icon=":material/gavel:", disabled=kept.is_empty)
        if kept.is_empty:
            st.info(f"There is no claim to put on trial. {kept.note}", icon=":material/info:")
            return
        key = (bench.classifier.key, bench.model_input.digest, kept.method, kept.layer, kept.target, percent, fill)
        done: set[tuple[object, ...]] = st.session_state.setdefault("cl_trials_run", set())
        if started:
            done.add(key)
        if key not in done:
            st.caption(
                "9 forward passes: the picture whole, without the marked area, without each of 5 equal areas, without "
                "the strongest edges, and with the marked area alone."
            )
            return
        with st.spinner("Running the network on the changed pictures"):
            result: Trial = cached.memo(
                "trial",
                key,
                lambda: on_trial(bench.classifier, bench.model_input, kept, fraction=percent / 100, fill=fill),
                lambda made: 9 * made.before.shown_rgb.nbytes,
            )
        name = "logit margin" if result.target.is_margin else "logit"
        comparison(
            trial_cards(result),
            key="cl_trial",
            caption=f"Bars: the {name} of {result.target.label}, one shared scale; dashed, the whole picture. "
            "Random areas have the marked area's own shape, turned and moved; of these one is shown.",
        )
        icon = {"supported": ":material/check_circle:", "no better than edges": ":material/balance:"}.get(
            result.verdict, ":material/cancel:"
        )
        (st.success if result.verdict == "supported" else st.warning)(
            f"**{result.verdict.capitalize()}.** {result.sentence}", icon=icon
        )


@st.fragment
def laboratory(bench: Bench) -> None:
    """Everything that answers to a click on this page."""
    subject = f"{bench.classifier.key}:{bench.model_input.digest[:16]}"
    guesses: dict[str, Guess] = st.session_state.setdefault(GUESSES, {})
    guess = lesson.placed("gradcam", guesses, subject, Guess(None))

    def forget() -> None:
        guesses.pop(subject, None)

    target = widgets.class_picker(bench)
    question_slot = st.container()
    view = st.container()
    verdict = st.container()
    layer = widgets.layer_picker(bench, key="gradcam")
    say_where(bench, layer)
    with question_slot:
        request, method_title, formula = ask(bench, layer, target)
    try:
        signed = cached.explain(bench.classifier, bench.model_input, layer=layer.name, rectify=False, **request)
        kept = cached.explain(bench.classifier, bench.model_input, layer=layer.name, **request)
    except cc.ConvLensError as error:
        view.error(str(error), icon=":material/error:")
        return
    with view:
        evidence_map(
            signed,
            kept,
            cc.receptive_field(bench.classifier, layer),
            key="cl_gradcam",
            subject=subject,
            question=f"Where did the network look for “{signed.target.label}”? Click that place in the picture.",
            method_title=method_title,
            guess=guess,
            on_guess=lambda made: guesses.update({subject: made}),
        )
    if guess is None:
        return
    with verdict:
        if guess.position is not None:
            answer(bench, kept, request["target"], guess.position, subject)
        with st.container(horizontal=True, gap="small"):
            st.button("Guess again", on_click=forget, type="tertiary", icon=":material/undo:")
            st.download_button(
                "All numbers (.npz)",
                data=signed.to_npz,
                file_name="convlens_map.npz",
                mime="application/octet-stream",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
                help="The raw map, the picture, the placement and what it explains, for numpy.load.",
            )
    st.markdown("**The same class, layer by layer**")
    depth_strip(
        depths(bench, request), layer.name, key="cl_gradcam_strip", on_open=lambda name: session.set("layer", name)
    )
    st.caption("The last layer of each resolution, evidence for the class only, each map on its own scale.")
    trial(bench, kept)
    lesson.why(
        "The layer's maps are added up, each weighted by how much the chosen number would rise with that map. "
        "What is drawn is a hypothesis: it says where the evidence was found, not that the network needs it. "
        "The trial asks that."
    )
    st.latex(formula)


session.bind("layer", "target", "rival", "method", "score", "area", "fill")
lesson.header("Grad-CAM", "Where in the picture the network found its evidence, and whether that is true.")
laboratory(widgets.bench())
lesson.try_this(
    [
        "Choose the second prediction: does its map mark another place, or the same one?",
        "Set “Rather than” to the second prediction: what is left is what tells the two apart.",
        "Go to an early layer: the map is finer, and says less about the class.",
        "Switch to naive placement and watch the map slide.",
    ]
)
lesson.footer("saliency")
