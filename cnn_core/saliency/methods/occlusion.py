"""Occlusion: a window is slid over the picture, and what the target loses under it is read off."""

from __future__ import annotations

import torch

from ..masking import BASELINES, answers, baseline, scores
from ..options import Option
from ..placement import Placement
from ..registry import Evidence, Job, MethodCard, register

_PARTS = 7  # the default window is a seventh of the shorter side: one cell of most networks' last layer


@register(
    MethodCard(
        key="occlusion",
        title="Occlusion",
        paper="Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014 (arXiv 1311.2901)",
        needs_layer=False,
        cost="1 forward pass for each place of the window (169 at 224 × 224 by default), for all classes together",
        formula=r"M_{uv} = y(x) - y(x \text{ with window } (u, v) \text{ filled})",
        needs="any network",
        family="perturbation",
        options=(
            Option("size", None, "The window in pixels, one side or (rows, columns).", low=1, is_pair=True),
            Option("stride", None, "How far it moves, in pixels; left out: half the window.", low=1, is_pair=True),
            Option("fill", "mean", "What stands in the window.", choices=BASELINES),
            Option("seed", 0, "Of the fill “noise”.", low=0, high=2**31 - 1),
        ),
        warning="A filled window is unlike any picture that the network was trained on, and evidence that is there "
        "twice is missed: covering one of the two costs little.",
        is_dear=True,
    )
)
def occlusion(
    job: Job,
    *,
    size: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    fill: str = "mean",
    seed: int = 0,
) -> Evidence:
    """Section 4.2 of the paper, as a drop: positive where covering hurts the target.

    Values (n, m), one for each place of the window, each cell placed at its window's centre. size: by default a seventh
    of the picture's shorter side. Windows begin at 0, stride, 2 stride, ... until the picture is covered; a last one
    that sticks out covers what is left of the picture. A window larger than the picture, or a stride larger than the
    window (which would leave gaps that nobody looked at), is cut to it.
    """
    height, width = job.x.shape[-2:]
    window = _smaller(_pair(size or max(1, round(min(height, width) / _PARTS))), (height, width))
    step = _smaller(_pair(stride or (max(1, window[0] // 2), max(1, window[1] // 2))), window)
    starts = [range(0, max(1, side - w + s), s) for side, w, s in zip((height, width), window, step, strict=True)]
    corners = [(top, left) for top in starts[0] for left in starts[1]]

    def logits() -> torch.Tensor:
        filled = baseline(job, fill, seed=seed)

        def make(part: slice) -> torch.Tensor:
            covered = job.x.repeat(len(corners[part]), 1, 1, 1)
            for picture, (top, left) in zip(covered, corners[part], strict=True):
                place = (slice(None), slice(top, top + window[0]), slice(left, left + window[1]))
                picture[place] = filled[0][place]
            return covered

        return answers(job, len(corners), make)

    found = job.batch.once(("occlusion", job.image, window, step, fill, seed), logits)
    drops = scores(job.target, job.logits[None]) - scores(job.target, found)
    return job.evidence(
        drops.reshape(len(starts[0]), len(starts[1])),
        placement=Placement((window[0] / 2, window[1] / 2), (float(step[0]), float(step[1])), (height, width)),
        note=f"Window {window[0]} × {window[1]}, moved by {step[0]} × {step[1]} pixels, filled with {fill}.",
        details={"window": window, "stride": step, "n_windows": len(corners)},
    )


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (int(value), int(value)) if not isinstance(value, tuple | list) else (int(value[0]), int(value[1]))


def _smaller(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return (min(one[0], other[0]), min(one[1], other[1]))
