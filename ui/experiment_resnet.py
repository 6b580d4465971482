"""The lesson "Why ResNet": degradation trained live, a real block in numbers, and blocks taken out."""

from __future__ import annotations

from typing import Final

import numpy as np
import streamlit as st

import cnn_core as cc
from cnn_core.residual import BlockMaps, Removed, ResidualBlock, block_maps, block_words, remove_each, residual_blocks
from ui import cached, experiment_exhibits, jobs, lesson, session
from ui.experiment_lesson import Chart, Line, Question, panel
from ui.experiment_records import Source
from ui.instruments.curves import Series, Style, View, curves
from ui.instruments.residual import residual
from ui.text import plain
from ui.widgets import Bench

DEPTHS: Final = (8, 20, 32, 44)
PLAIN: Final = Style("kernel", "dash", "square")
RESIDUAL: Final = Style("output", "solid", "circle")
_BESIDE: Final = Style("quiet", "dot", "none")
_SAME: Final = 0.05  # within five points the two depths fit about equally well


def degradation(bench: Bench) -> None:
    """Guess beside a real block; bands, own runs: accuracy on the training pictures by depth, gradient by layer."""
    pair = {
        "plain_8": ("Plain, 8 layers", Style("input", "dash", "triangle")),
        "plain_44": ("Plain, 44 layers", PLAIN),
        "residual_44": ("Residual, 44 layers", RESIDUAL),
    }
    panel(
        "degradation",
        question=Question(
            "resnet_degradation",
            "Two plain networks learn the same digits: one with 8 layers, one with 44. Which fits its own **training** "
            "pictures better?",
            {"deep": "44 layers", "same": "Both alike", "shallow": "8 layers"},
            _answer,
        ),
        says=_says,
        chosen=("plain_8", "residual_8"),
        charts=[
            Chart(
                "depth",
                "Training accuracy by depth",
                "layers",
                "accuracy on training pictures",
                tuple(
                    Line(title, style, tuple((depth, f"{kind}_{depth}", "train_accuracy") for depth in DEPTHS))
                    for kind, title, style in (("plain", "Plain", PLAIN), ("residual", "Residual", RESIDUAL))
                ),
                x_names=tuple((float(depth), str(depth)) for depth in DEPTHS),
                note="Mean and range over the seeds, all 3,000 training pictures.",
            )
        ],
        views=experiment_exhibits.gradient_view(
            "degradation",
            pair,
            note="Zero inside residual blocks: their last batch norm begins with scale 0, so a block begins as "
            "“nothing added”, and the gradient goes round it.",
        ),
        styles={
            f"{kind}_{depth}": Style(role, dash, symbol)  # type: ignore[arg-type]
            for kind, roles in (("plain", ("kernel", "wrong")), ("residual", ("output", "input")))
            for (depth, dash, symbol), role in zip(
                ((8, "dot", "triangle"), (20, "dashdot", "diamond"), (32, "dash", "square"), (44, "solid", "circle")),
                (roles[1], roles[1], roles[0], roles[0]),
                strict=True,
            )
        },
        exhibit=lambda: _block(*_with_shortcuts(bench)),
        title="Test: train plain and residual networks",
    )


def _answer(numbers: Source) -> tuple[str, str]:
    shallow, deep = numbers.mean("plain_8", "train_accuracy"), numbers.mean("plain_44", "train_accuracy")
    key = "same" if abs(shallow - deep) <= _SAME else "shallow" if shallow > deep else "deep"
    return key, (
        f"On its own training pictures the plain network reaches {numbers.percent('plain_8', 'train_accuracy')} with 8 "
        f"layers and {numbers.percent('plain_44', 'train_accuracy')} with 44. It is no overfitting: these are the "
        "pictures that it learned from."
    )


def _says(numbers: Source) -> str:
    told = []
    for depth in DEPTHS:
        plain_key, residual_key = f"plain_{depth}", f"residual_{depth}"
        if numbers.find(plain_key, "train_accuracy") and numbers.find(residual_key, "train_accuracy"):
            told.append(
                f"{depth} layers {numbers.percent(plain_key, 'train_accuracy')} plain and "
                f"{numbers.percent(residual_key, 'train_accuracy')} residual"
            )
    if not told:
        numbers.mean("residual_44", "train_accuracy")  # says what is missing
    return f"Accuracy on the training pictures: {'; '.join(told)}."


def published() -> None:
    """What He et al. measured on ImageNet, as points with their source."""
    st.header("The same at full size, as published", anchor=False, divider="gray")
    depths = (18.0, 34.0)
    note = "published, one network, ten crops"
    left, right = lesson.columns()
    with right:
        st.markdown(
            "On a million pictures of 1,000 classes, **plain** networks got worse from 18 to 34 layers: 27.94 → 28.54 "
            "% "
            "top-1 error. With shortcuts the same 34 layers reached **25.03 %**.\n\n"
            "The plain network’s *training* error was higher throughout as well, the paper’s figure 4 shows: the same "
            "as in your experiment."
        )
        st.caption("He et al. 2016, Deep residual learning for image recognition, table 2 and figure 4.")
    left.markdown("**ImageNet, top-1 error: lower is better**")
    with left:
        curves(
            [
                View(
                    "published",
                    "ImageNet",
                    "layers",
                    "top-1 error on validation pictures, %",
                    (
                        Series("Plain", PLAIN, "own", np.array(depths), np.array([27.94, 28.54]), note=note),
                        Series("ResNet", RESIDUAL, "own", np.array(depths), np.array([27.88, 25.03]), note=note),
                    ),
                    x_names=tuple((depth, f"{depth:.0f}") for depth in depths),
                    fitted=True,
                    note="Validation pictures, ten crops each. He et al. 2016, table 2.",
                )
            ],
            key="resnet_published",
            file="resnet_published",
            label="Plain and residual networks on ImageNet",
        )


def _with_shortcuts(bench: Bench) -> tuple[cc.Classifier, cc.ModelInput, tuple[ResidualBlock, ...]]:
    """The chosen network where it has residual blocks, else MobileNetV2."""
    model, seen = bench.classifier, bench.model_input
    blocks = residual_blocks(model.network)
    if not blocks:
        model = cached.classifier("mobilenet_v2")
        blocks, seen = residual_blocks(model.network), cached.model_input(model, bench.picture)
    return model, seen, blocks


def removal(bench: Bench) -> None:
    """The network with each of its blocks taken out in turn."""
    model, seen, blocks = _with_shortcuts(bench)
    with lesson.test("Test: take one block out of a real network"):
        _take_out(model, seen, cached.trace(model, seen), blocks)


@st.fragment
def _block(model: cc.Classifier, seen: cc.ModelInput, blocks: tuple[ResidualBlock, ...]) -> None:
    """One block of a real network on the visitor's picture, in numbers."""
    names = [one.name for one in blocks]
    wanted = session.get("layer")
    st.session_state.cl_resnet_block = wanted if wanted in names else names[0]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.markdown(f"**A residual block of {plain(model.card.title)}, on your picture**")
        chosen = st.selectbox(
            "Block",
            names,
            format_func=lambda name: f"{names.index(name) + 1} of {len(names)}: {name}",
            key="cl_resnet_block",
            on_change=session.take,
            args=("layer", "cl_resnet_block"),
            label_visibility="collapsed",
            width=260,
        )
    maps = block_maps(cached.trace(model, seen), blocks[names.index(chosen)])
    residual(maps, key="resnet_maps", title=f"{model.card.title}, {chosen}")
    _reading(model, maps)


def _reading(model: cc.Classifier, maps: BlockMaps) -> None:
    words = block_words(model.network, maps.block)
    tick = "✓" if maps.error <= 1e-4 else "⚠"
    how = "unchanged" if maps.block.is_identity else "through one layer that brings it to the same shape"
    st.markdown(
        f"$y = x + F(x)$: :blue[x] goes round {how}, :orange[F] is {words['operations']} operations "
        f"({words['convolutions']} convolutions), and :green[y] goes on, {words['shape']}.\n\n"
        f"On this picture $|F(x)| / |x|$ is **{maps.ratio:.3f}** (L2 norms over all channels and cells). All sums "
        f"match what the network has {tick} (largest error {maps.error:.1e} of the largest number)."
    )


def _take_out(model: cc.Classifier, seen: cc.ModelInput, trace: cc.Trace, blocks: tuple[ResidualBlock, ...]) -> None:
    top = trace.top(1)[0]
    half = top.probability / 2
    guess = lesson.guess(
        "resnet_removed",
        f"{len(blocks)} blocks, one is taken out (y = x in its place), nothing is trained again. For how many of them "
        f"does “{plain(top.name)}” keep at least half of its probability ({100 * top.probability:.1f} %)?",
        {"none": "For none", "few": "For less than half of them", "most": "For half of them or more"},
        about=f"{model.key}_{seen.digest}",
    )
    if guess is None:
        st.caption("Guess first; then every block is really taken out, one at a time.")
        return
    found: tuple[Removed, ...] | None = jobs.run(
        "resnet_removed",
        (model.key, seen.digest),
        lambda on_progress, should_stop: remove_each(
            model, seen, trace, blocks, on_progress=on_progress, should_stop=should_stop
        ),
        lambda made: 400 * len(made),
        button=f"Take out each of the {len(blocks)} blocks",
        label="Taking out",
        unit="blocks",
        icon=":material/alt_route:",
    )
    if found is None:
        return
    kept = [one for one in found if one.probability >= half]
    worst = min(found, key=lambda one: one.probability)
    lesson.reveal(
        guess,
        "none" if not kept else "most" if 2 * len(kept) >= len(found) else "few",
        f"{len(kept)} of {len(found)} blocks can go and “{plain(top.name)}” keeps at least {100 * half:.1f} %. What "
        f"matters "
        f"most "
        f"is {plain(worst.block.name)}: without it {100 * worst.probability:.1f} % are left, and the answer is "
        f"“{plain(worst.top)}”. Taken out of a plain network, a layer leaves the next one with numbers that it has "
        f"never "
        "met.",
    )
    places = np.arange(1.0, len(found) + 1)
    curves(
        [
            View(
                "removed",
                "One block taken out",
                "block that was taken out",
                f"probability of “{top.name}”",
                (
                    Series(
                        "Whole network",
                        _BESIDE,
                        "own",
                        places,
                        np.full(len(found), top.probability),
                        note="nothing taken out",
                    ),
                    Series(
                        "One block taken out",
                        RESIDUAL,
                        "own",
                        places,
                        np.array([one.probability for one in found]),
                        note="this picture",
                        labels=tuple(one.block.name for one in found),
                        joined=False,
                    ),
                ),
                share=True,
                note=f"{model.card.title}, this picture, {len(found)} forward passes. After Veit, Wilber and Belongie "
                "2016.",
            )
        ],
        key="resnet_removed_chart",
        file="resnet_removed",
        label="One block taken out",
    )
