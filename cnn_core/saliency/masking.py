"""The network's answers to many changed versions of one picture (or of one layer), a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from ..errors import InvalidOption
from .copies import folded
from .layers import layer_facts
from .registry import Job
from .removal import FILLS, substitute
from .targets import Target

if TYPE_CHECKING:
    from ..images import ModelInput
    from ..models import Classifier

BASELINES: Final = ("zero", "black", *FILLS)
"""What stands in for a picture, or a part of it: "zero", the network's own zero (the mean colour that it was trained
with, where its preprocessing subtracts that); "black"; or one of the fills of a trial."""

# From so many passes on, making the folded copy (as long as a few passes) pays.
_MANY: Final = 128


def baseline(job: Job, kind: str, *, seed: int = 0) -> torch.Tensor:
    """A whole picture of the chosen baseline as the network reads it, (1, C, h, w)."""
    if kind not in BASELINES:
        raise InvalidOption(f"Unknown baseline {kind!r}. It is one of: {', '.join(map(repr, BASELINES))}.")
    if kind == "zero":
        return torch.zeros_like(job.x)
    rgb = job.model_input.shown_rgb
    filled = np.zeros_like(rgb) if kind == "black" else substitute(rgb, kind, seed=seed)
    return as_read(job.classifier, job.model_input, filled).to(job.x)


def as_read(classifier: Classifier, model_input: ModelInput, rgb: np.ndarray) -> torch.Tensor:
    """A picture of the model's size as the network reads it, (1, C, h, w), in the precision of `model_input`."""
    return classifier.card.preprocessing.from_rgb(rgb).tensor.to(model_input.tensor.dtype)


def answers(job: Job, n: int, make: Callable[[slice], torch.Tensor], *, layer: str = "input") -> torch.Tensor:
    """Logits (n, K) with a layer's output (or the input) replaced in n ways; only what depends on it is run again.

    make: from a slice of the n ways to the replacements (b, ...). At most `job.batch_size` are run at once; many ways
    go through a copy of the network with its batch norms folded away, which differs in float rounding only. Progress is
    told in ways. Raises Stopped.
    """
    network = job.classifier.network
    name = network[layer].name
    beside = layer_facts(network, name).needed - {name}
    if n >= _MANY and job.x.device.type == "cpu" and job.x.dtype == torch.float32:
        given = frozenset({name, *beside})
        network = job.batch.once(("folded", given), lambda: folded(job.classifier, keep=given).network)
    kept = {k: v[job.image : job.image + 1] for k, v in job.batch.outputs(beside).items()} if beside else {}
    found = []
    with torch.no_grad():
        for start in range(0, n, job.batch_size):
            job.work.check()
            part = slice(start, min(start + job.batch_size, n))
            replaced = make(part)
            values = {k: v.expand(len(replaced), *v.shape[1:]) for k, v in kept.items()}
            found.append(network.run_from(values, {name: replaced}, keep={network.output})[network.output])
            job.work.tell(part.stop, n)
    return torch.cat(found)


def scores(target: Target, logits: torch.Tensor) -> torch.Tensor:
    """y of each row of logits (n, K) -> (n,), in at least float32."""
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    with torch.no_grad():
        return target.values(logits)
