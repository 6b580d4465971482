"""Which methods are on the wall: chips, what each costs, which must be asked for by a button, and why one cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st

import cnn_core as cc
from ui import cached, jobs, saliency_options, session
from ui.instruments.saliency import Tile, file_name
from ui.text import plain
from ui.widgets import Bench

DEFAULT: Final = ("gradcam", "layercam", "gradient", "guided_backprop", "occlusion")
FAMILIES: Final = {
    "class activation": "Class activation: a layer's maps, weighted",
    "gradient": "Gradients: how each pixel would change the number",
    "perturbation": "Perturbation: what really happens when parts are taken away",
}
SCORES: Final = {"logit": "Logit", "probability": "Probability", "centred": "Logit above the mean"}
_U: Final = {"logit": "logits", "probability": "probability", "centred": "logits above the mean"}
# What one unit of a map is, by method; {u} is the score's own unit.
_UNITS: Final = {
    "cam": "{u}, whose mean over cells is the score less its bias",
    "gradcam": "{u} for each cell",
    "hirescam": "{u} for each cell",
    "xgradcam": "{u} for each cell",
    "layercam": "{u} for each cell, gains only",
    "gradcampp": "weighted activation",
    "eigencam": "length along the first component",
    "ablationcam": "{u} lost × activation",
    "scorecam": "weighted activation",
    "fullgrad": "sum of layers, each scaled to 0 to 1",
    "gradient": "{u} for each unit of input, size only",
    "gradient_x_input": "{u} for each pixel, to first order",
    "smoothgrad": "{u} for each unit of input, size only",
    "integrated_gradients": "{u} for each pixel",
    "guided_backprop": "guided {u} for each unit of input",
    "guided_gradcam": "guided {u} × Grad-CAM",
    "occlusion": "{u} lost by covering the window",
    "rise": "{u} gained where the mask shows it",
}


@dataclass(frozen=True)
class Asked:
    """What all maps of the page have in common: what they explain, and where they are read; and what each method was
    told beside that (`settings`)."""

    target: int | tuple[int, int]
    score: str
    layer: str
    fuse: tuple[str, ...] = ()
    fusion: str = "mean"
    settings: saliency_options.Settings = field(default_factory=dict, hash=False)

    def options(self, card: cc.MethodCard) -> dict[str, Any]:
        """The arguments of `cc.explain` for one method; raw maps, both signs."""
        return self.request(card) | dict(self.settings.get(card.key, {}))

    def checked(self, card: cc.MethodCard) -> dict[str, Any]:
        """The same for `cc.sanity_check` and `cc.stability`, which have steps and seeds of their own."""
        own = dict(self.settings.get(card.key, {}))
        batch = {"batch_size": own.pop("batch_size")} if "batch_size" in own else {}
        return self.request(card) | batch | {"method_options": own}

    def request(self, card: cc.MethodCard) -> dict[str, Any]:
        """What holds for all methods: target, score, layers; raw maps, both signs."""
        found: dict[str, Any] = {
            "method": card.key,
            "target": self.target,
            "score": self.score,
            "rectify": False,
            "layer": None,
        }
        if card.needs_layer:
            found["layer"] = (self.layer, *self.fuse) if self.fuse else self.layer
            if self.fuse:
                found["fusion"] = self.fusion
        return found


def cards() -> dict[str, cc.MethodCard]:
    """All methods by key."""
    return {card.key: card for card in cc.saliency_methods()}


def chosen() -> tuple[str, ...]:
    """The methods that the address or the chips name; unknown ones are said and dropped."""
    known = cards()
    text = session.get("methods")
    if text is None:
        return DEFAULT
    wanted = list(dict.fromkeys(text.split(",")))
    unknown = [key for key in wanted if key not in known]
    if unknown:
        names = ", ".join(f"“{plain(key)}”" for key in unknown)
        st.info(
            f"There is no method {names}. The methods are: {', '.join(sorted(known))}.", icon=":material/label_off:"
        )
        wanted = [key for key in wanted if key in known]
        session.set("methods", ",".join(wanted) or None)
    return tuple(wanted) or DEFAULT


def toggle(key: str) -> None:
    """Put a method on the wall, or take it off; the last one stays."""
    now = list(chosen())
    if key in now and len(now) > 1:
        now.remove(key)
    elif key not in now:
        now.append(key)
    session.set("methods", None if tuple(now) == DEFAULT else ",".join(now))


def chips(bench: Bench, current: Sequence[str], asked: Asked) -> None:
    """All methods by family; a click puts one on the wall or takes it off."""
    known = cards()
    with st.expander(f"Choose from {len(known)} methods", icon=":material/checklist:"):
        for family, words in FAMILIES.items():
            st.caption(words)
            with st.container(horizontal=True, gap="small"):
                for key, card in known.items():
                    if card.family == family:
                        st.button(
                            card.title,
                            key=f"cl_sal_chip_{key}",
                            type="primary" if key in current else "secondary",
                            icon=None if is_cheap(bench, card, asked) else ":material/hourglass_top:",
                            help=f"{card.cost}. {card.warning}",
                            on_click=toggle,
                            args=(key,),
                            disabled=session.locked(),
                        )
        st.caption("An hourglass marks a method that takes many forward passes: it waits for a button.")


def is_cheap(bench: Bench, card: cc.MethodCard, asked: Asked) -> bool:
    """Whether a method's map is made at once; Ablation-CAM is, in closed form, where the head pools the layer."""
    if card.key == "ablationcam":
        head = bench.classifier.network.linear_head()
        return head is not None and head.maps == asked.layer and not asked.fuse
    return not card.is_dear


def unit(made: cc.SaliencyMap) -> str:
    """What the numbers of a map are, in words."""
    if "fusion" in made.details:
        return "share of each layer's largest value"
    return _UNITS.get(made.method, "{u}").format(u=_U[made.target.score])


def tile(made: cc.SaliencyMap, asked: Asked | None = None) -> Tile:
    """A map as the wall shows it."""
    card = cards()[made.method]
    chosen = {} if asked is None else asked.settings.get(card.key, {})
    key = f"{made.method}:{made.layer}:{made.target.score}"
    return Tile(key, card.title, unit(made), made, saliency_options.in_words(card, chosen))


def compute(bench: Bench, current: Sequence[str], asked: Asked) -> tuple[list[Tile], dict[str, str]]:
    """The maps that are there, in the order chosen, and a sentence for each method that this network refuses."""
    tiles, refused = [], {}
    known = cards()
    for key in current:
        card = known[key]
        try:
            made = (
                cached.explain(bench.classifier, bench.model_input, **asked.options(card))
                if is_cheap(bench, card, asked)
                else jobs.result(_kind(key), _slot(bench, card, asked))
            )
        except cc.ConvLensError as error:
            refused[key] = str(error)
            continue
        if made is not None:
            tiles.append(tile(made, asked))
    return tiles, refused


def dear(bench: Bench, current: Sequence[str], asked: Asked) -> None:
    """A row for each dear method that is chosen and not made yet: its cost, the button, then progress and Cancel."""
    known = cards()
    for key in current:
        card = known[key]
        if is_cheap(bench, card, asked) or jobs.result(_kind(key), _slot(bench, card, asked)) is not None:
            continue
        with st.container(horizontal=True, vertical_alignment="center", gap="medium", key=f"cl_sal_dear_{key}"):
            told = saliency_options.in_words(card, asked.settings.get(card.key, {}))
            st.markdown(f"**{card.title}** · {card.cost}{f' · set: {told}' if told else ''}", width="content")
            jobs.run(
                _kind(key),
                _slot(bench, card, asked),
                _work(bench, card, asked),
                lambda made: made.values.nbytes + 2048,
                button=f"Compute {card.title}",
                label=card.title,
                unit="passes",
            )


def _kind(key: str) -> str:
    return f"saliency_{key}"


def _slot(bench: Bench, card: cc.MethodCard, asked: Asked) -> tuple[str, ...]:
    options = asked.options(card)
    return (bench.classifier.key, bench.model_input.digest, *(f"{name}={options[name]}" for name in sorted(options)))


def _work(bench: Bench, card: cc.MethodCard, asked: Asked) -> Any:
    trace, options = bench.trace, asked.options(card)

    def work(on_progress: jobs.Progress, should_stop: jobs.ShouldStop) -> cc.SaliencyMap | None:
        try:
            return cc.explain(
                bench.classifier,
                bench.model_input,
                trace=trace,
                on_progress=on_progress,
                should_stop=should_stop,
                **options,
            )
        except cc.Stopped:
            return None

    return work


def method_cards(tiles: Sequence[Tile], refused: dict[str, str], current: Sequence[str]) -> None:
    """Each method's formula, paper, cost and weakness, and its raw numbers to keep."""
    known, made = cards(), {tile.map.method: tile.map for tile in tiles}
    with st.expander("What each method computes, what it costs, where it fails", icon=":material/menu_book:"):
        for key, tab in zip(current, st.tabs([known[key].title for key in current]), strict=True):
            card = known[key]
            with tab:
                st.latex(card.formula)
                st.markdown(
                    f"**Needs** {card.needs}.  \n**Costs** {card.cost}.  \n**Known weakness** {plain(card.warning)}  \n"
                    f"**Paper** {plain(card.paper)}"
                )
                if key in refused:
                    st.info(plain(refused[key]), icon=":material/info:")
                if key in made:
                    st.caption(f"On this picture: {plain(made[key].note)}")
                    st.download_button(
                        "All numbers (.npz)",
                        data=made[key].to_npz,
                        file_name=f"{file_name(made[key])}.npz",
                        mime="application/octet-stream",
                        on_click="ignore",
                        key=f"cl_sal_npz_{key}",
                        type="tertiary",
                        icon=":material/download:",
                        help="The raw map, the picture, the placement and what it explains, for numpy.load.",
                    )
