"""Each landmark's signature in numbers: the same place built in several ways, counted from modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import streamlit as st

from cnn_core.residual import block_maps, residual_blocks
from ui import cached, landmarks_pictures, session
from ui.instruments.landmarkblock import Group, Row, bars, connections
from ui.instruments.residual import residual

if TYPE_CHECKING:
    from cnn_core.landmark_blocks import Way

_CHANNELS: Final = (64, 128, 256, 512)


def in_numbers(key: str) -> None:
    """Draw the block of the landmark of this key."""
    _BLOCKS[key]()


def _row(way: Way, note: str = "", *, other: bool = False) -> Row:
    return Row(way.title, note, way.n_parameters, way.n_weights, way.macs, other)


def _saving(small: int, large: int) -> str:
    """How many times fewer, in three digits."""
    return f"{large / small:.3g} times"


def _lenet() -> None:
    from cnn_core import landmark_blocks as blocks

    table, full = blocks.connections()
    st.markdown(
        "LeNet-5's second convolution, C3, does not let every map read every map. A table says who reads whom (LeCun "
        "et al. 1998, table I): different maps see different inputs, so they must find different things, and it costs "
        "less."
    )
    connections(
        blocks.C3_READS,
        blocks.LENET_KERNEL**2,
        [
            Group(
                "C3 in two ways",
                [
                    _row(table, "60 connections of 25 weights, 16 biases"),
                    _row(full, "96 connections: what today's networks do", other=True),
                ],
            )
        ],
        key="cl_landmark_block_lenet",
    )
    layers = blocks.lenet_of_1998()
    total = sum(layer.n_parameters for layer in layers)
    rows = "\n".join(f"| {layer.name} | {layer.what} | {layer.n_parameters:,} |" for layer in layers)
    with st.expander(f"All of LeNet-5 as published: {total:,} trained numbers"):
        st.markdown(
            f"| layer | what | parameters |\n| --- | --- | ---: |\n{rows}\n| **all** | | **{total:,}** |\n\n"
            "LeCun et al. 1998, section II.B."
        )


def _alexnet() -> None:
    from cnn_core import landmark_blocks as blocks

    found = blocks.towers()
    second = found[1]
    grouped, whole = (blocks.alexnet_of_2012(grouped=value) for value in (True, False))
    st.markdown(
        "In 2012 AlexNet was trained on two cards of 3 GB each (Krizhevsky et al. 2012, section 3.2). The second, "
        "fourth "
        "and fifth convolution come in **two groups**: each half of the filters reads only the half of the maps that "
        "is "
        "on its own card. That halves their weights and their multiply-adds."
    )
    bars(
        [
            Group(
                f"{one.name}",
                [
                    _row(one.grouped, "as published"),
                    _row(one.whole, "the same without groups", other=True),
                    _row(one.torchvision, "torchvision's AlexNet", other=True),
                ],
            )
            for one in found
            if one.grouped.n_parameters != one.whole.n_parameters
        ],
        ["parameters", "macs"],
        key="cl_landmark_block_alexnet",
    )
    st.markdown(
        f"With its groups the AlexNet of 2012 has **{grouped:,}** parameters, without them it would have {whole:,}. "
        "**Why torchvision's has no groups:** it follows the one-tower variant that Krizhevsky wrote down in 2014 (One "
        "weird trick, arXiv 1404.5997), made for one card, with fewer filters instead: its second convolution goes "
        "from "
        f"64 to 192 channels and has {second.torchvision.n_weights:,} weights, just as many as the grouped one "
        f"({second.grouped.n_weights:,})."
    )


def _vgg() -> None:
    from cnn_core import landmark_blocks as blocks

    st.markdown(
        "Two 3×3 convolutions in a row see as far as one 5×5, three as far as one 7×7: with fewer weights, and with a "
        "ReLU after each (Simonyan and Zisserman 2015, section 2.3)."
    )
    st.segmented_control(
        "Channels in and out", _CHANNELS, required=True, **session.control("channels", "cl_landmarks_channels")
    )
    five, two, seven, three = blocks.stacks(session.get("channels"))
    bars(
        [
            Group(
                f"Sees {small.sees} × {small.sees} cells",
                [_row(small, _seen(small)), _row(large, _seen(large), other=True)],
            )
            for small, large in ((two, five), (three, seven))
        ],
        ["weights", "macs"],
        key="cl_landmark_block_vgg",
    )
    st.markdown(
        f"Two 3×3 have 18/25 = **{two.n_weights / five.n_weights:.0%}** of the weights of one 5×5, three have 27/49 = "
        f"**{three.n_weights / seven.n_weights:.0%}** of those of one 7×7, whatever the number of channels. The "
        "receptive fields are computed from the layers, the weights counted from modules without biases; maps of "
        "56 × 56.".replace("%", " %")
    )


def _seen(way: Way) -> str:
    return f"receptive field {way.sees} × {way.sees}, {way.relus} ReLU{'s' if way.relus != 1 else ''}"


def _googlenet() -> None:
    from cnn_core import landmark_blocks as blocks

    branches = blocks.inception()
    through, straight = blocks.five_by_five()
    built = sum(branch.built.n_parameters for branch in branches)
    direct = [branch for branch in branches if branch.direct is not None]
    outputs = [str(branch.outputs) for branch in branches]
    st.markdown(
        "An Inception module looks at the same 192 maps in four ways at once and stacks what it finds: "
        f"{' + '.join(outputs)} = {sum(branch.outputs for branch in branches)} maps. Two of the branches first thin "
        "the "
        "channels out with a **1×1 convolution**: the bottleneck."
    )
    groups = [
        Group(
            "inception3a, its four branches as torchvision has them",
            [_row(branch.built, f"gives {branch.outputs} maps") for branch in branches],
        ),
        *(
            Group(
                f"{branch.title}: with the bottleneck and without",
                [
                    _row(
                        branch.built,
                        f"through the 1×1: {_saving(branch.built.macs, branch.direct.macs)} fewer multiply-adds",
                    ),
                    _row(branch.direct, "the same maps without it", other=True),
                ],
            )
            for branch in direct
            if branch.direct is not None
        ),
        Group(
            "The third branch as in the paper, 5×5",
            [
                _row(through, f"{_saving(through.macs, straight.macs)} fewer multiply-adds"),
                _row(straight, "the same maps without the 1×1", other=True),
            ],
        ),
    ]
    bars(groups, ["weights", "macs"], key="cl_landmark_block_googlenet")
    st.markdown(
        f"All of inception3a has {built:,} parameters, batch norm included, on maps of 28 × 28. The paper's third "
        "branch "
        "has 5×5 kernels; torchvision's has 3×3, a slip that its trained weights keep."
    )


def _resnet() -> None:
    from cnn_core import landmark_blocks as blocks

    basic, bottleneck, wide = blocks.residual_blocks()
    st.markdown(
        "A residual block gives $y = x + F(x)$. ResNet-18 and 34 compute $F$ with two 3×3 convolutions; ResNet-50 "
        "first "
        "narrows 256 channels to 64, looks with one 3×3, and widens again: a **bottleneck** four times as wide for "
        "about "
        "the same price."
    )
    bars(
        [
            Group(
                "One block, maps of 56 × 56",
                [
                    _row(basic, "layer1.0 of ResNet-18"),
                    _row(bottleneck, "layer1.1 of ResNet-50"),
                    _row(wide, f"{_saving(bottleneck.n_weights, wide.n_weights)} the bottleneck's weights", other=True),
                ],
            )
        ],
        ["weights", "macs"],
        key="cl_landmark_block_resnet",
    )
    _skip()


def _skip() -> None:
    """What the skip of the small ResNet carries on the picture of the comparison below."""
    model = cached.classifier("small_resnet")
    shown = landmarks_pictures.chosen(model)
    found = residual_blocks(model.network)
    names = [block.name.removesuffix(".add") for block in found]
    st.markdown(f"**What the skip carries** in the small ResNet, on {shown.words}:")
    st.segmented_control(
        "Block",
        names,
        required=True,
        **session.control("block", "cl_landmarks_skip", (names[1], *names)),
    )
    picked = session.get("block")
    block = found[names.index(picked if picked in names else names[1])]
    maps = block_maps(cached.trace(model, shown.seen), block)
    residual(maps, key="cl_landmarks_residual", title=f"Small ResNet, {block.name}")
    unchanged = block.is_identity or model.network[block.skip].kind == "identity"
    carried = "x goes round unchanged" if unchanged else "x goes round through a 1×1 convolution"
    st.caption(
        f"In {names[found.index(block)]} {carried}; |F(x)| / |x| is {maps.ratio:.3g} (L2 norms over all channels and "
        "cells). A ReLU follows the sum."
    )


_BLOCKS: Final[dict[str, Callable[[], None]]] = {
    "lenet": _lenet,
    "alexnet": _alexnet,
    "vgg": _vgg,
    "googlenet": _googlenet,
    "resnet": _resnet,
}
