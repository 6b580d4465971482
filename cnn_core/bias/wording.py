"""What an audit says about itself: the programs that made it, and what its numbers cannot tell."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .result import AuditSettings, BadFile, GroupTable, PictureRow, Versions
from .swap_result import SwapTest

if TYPE_CHECKING:
    from ..models import Classifier

_RESTLESS = 0.3
_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def versions(classifier: Classifier) -> Versions:
    """Of the programs, and the machine, on which this classifier runs."""
    import numpy
    import sklearn
    import torch
    import torchvision

    return Versions(
        convlens=_own_version(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        torchvision=str(torchvision.__version__),
        numpy=numpy.__version__,
        scikit_learn=sklearn.__version__,
        machine=f"{platform.system()} {platform.machine()}, {classifier.device_note}",
    )


def _own_version() -> str:
    try:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):  # the package alone was copied somewhere
        return "unknown"


def limits_of(
    classifier: Classifier,
    settings: AuditSettings,
    rows: Sequence[PictureRow],
    bad: Sequence[BadFile],
    swap: SwapTest | None,
    groups: GroupTable | None,
) -> tuple[str, ...]:
    """Sentences that belong beside the numbers of this audit."""
    said = [
        f"{settings.method_title} maps are hypotheses: they show where the network's last maps speak for a class, not "
        "what would change its answer. The verdict rests on the swaps alone.",
        f"Each picture was seen as the network sees it, {settings.input_size[0]} × {settings.input_size[1]} pixels "
        "from its middle; what lies outside that was not judged.",
    ]
    if classifier.weights == "random":
        said.append("The weights are random: this network has learned nothing, and its numbers mean nothing.")
    if any(row.is_boxed for row in rows):
        said.append(
            "A cell of the map that lies in a box also reads pixels beyond it (its receptive field), so “inside the "
            "box” is no proof that the object itself was read."
        )
    if swap is not None:
        if swap.n and swap.same > _RESTLESS:
            said.append(
                f"This network changes its answer easily: in the control, too, {100 * swap.same:.0f} % flipped. The "
                "difference still counts, but look at the composites."
            )
        said.append(
            "Swapped pictures are pasted, and a pasted edge can change an answer by itself. The control on backgrounds "
            "of the same class has the same edges, so only the difference counts."
        )
        said.append(
            "A box takes along what of the old background lies in it, which makes the swap weaker than a mask would."
        )
        by = {"label": "label", "predicted": "predicted class", "tag": "background tag"}[settings.by]
        said.append(f"“Of the same class” means: of the same {by}.")
    if settings.by == "label" and (groups is None or groups.origin == "proposed"):
        said.append(
            "If every label of this folder stands on the same backgrounds, swapping between labels changes little; tag "
            "the backgrounds by hand to swap those."
        )
    if groups is not None and groups.origin == "proposed":
        said.append(
            "The background tags were proposed by a program from colour and texture; nobody looked at them yet."
        )
    unknown = sorted({row.label for row in rows if row.label is not None and row.label_index is None})
    if unknown:
        shown = ", ".join(f"“{label}”" for label in unknown[:5]) + (" …" if len(unknown) > 5 else "")
        said.append(f"No class of the network is called {shown}: these pictures count in no accuracy.")
    if bad:
        said.append(f"{len(bad)} file{'s' * (len(bad) != 1)} could not be read and took no part.")
    return tuple(said)
