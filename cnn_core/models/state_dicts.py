"""Fit the weights of a file to a network: find them under a wrapper's prefix, compare names and shapes, copy."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from ..errors import InvalidCheckpoint
from .architectures import TRAINING_ONLY_PREFIXES
from .checkpoint_file import read_checkpoint

# DenseNet's published files still have the names of an early torchvision: norm.1 for norm1.
_OLD_DENSENET: Final = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
_COUNTER: Final = "num_batches_tracked"  # evaluation does not use it, and some files leave it out


def read_state_dict(source: Path | bytes, max_bytes: int) -> dict[str, Tensor]:
    """Names and tensors of a safetensors file or of a state dict saved by torch; never any other object.

    Raises InvalidCheckpoint where the file is larger than max_bytes (packed or unpacked), damaged, or holds anything
    but tensors by name.
    """
    return dict(read_checkpoint(source, max_bytes).state)


def unwrap(state: Mapping[str, Tensor], wanted: Collection[str]) -> tuple[dict[str, Tensor], str]:
    """The weights of one network inside a larger module (a Lightning module's "model.", "backbone.net." ...).

    wanted: the names that the network has. Returns the tensors by these names and the prefix under which they were;
    what stands outside the prefix (a loss's weights, a second head) is left out. Without a prefix that fits, all
    tensors by their own names, and "".
    """
    modern = {_OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items()}
    needed = [name for name in wanted if not name.endswith(_COUNTER)]
    # A prefix that fits stands before every name, so a few of them suffice to find it.
    sample = [*needed[:2], *needed[-2:]]
    prefixes = [""] + [name[: -len(end)] for end in sample for name in modern if name.endswith(f".{end}")]
    counts = {prefix: sum(prefix + name in modern for name in needed) for prefix in dict.fromkeys(prefixes)}
    best = max(counts, key=lambda prefix: counts[prefix])
    return {name.removeprefix(best): t for name, t in modern.items() if name.startswith(best)}, best


def misfits(module: nn.Module, state: Mapping[str, Tensor], *, head: str | None = None) -> list[str]:
    """What keeps these weights from fitting a network, a phrase each; empty where they fit.

    head: the path of the layer whose number of outputs may differ. `num_batches_tracked` may be missing, and heads
    that only training uses may be there.
    """
    expected = module.state_dict()
    given = {name for name in state if name in expected or not name.startswith(TRAINING_ONLY_PREFIXES)}
    missing = [name for name in expected if name not in given and not name.endswith(_COUNTER)]
    unexpected = [name for name in state if name in given and name not in expected]
    found = [_few(what, names) for what, names in (("missing", missing), ("unexpected", unexpected)) if names]
    free = (f"{head}.weight", f"{head}.bias")
    shapes = [
        f"{name} has the shape {tuple(state[name].shape)}, and {tuple(wanted.shape)} is needed"
        for name, wanted in expected.items()
        if name in given
        and not name.endswith(_COUNTER)
        and state[name].shape[name in free :] != wanted.shape[name in free :]
    ]
    # Where whole layers are missing, shapes add nothing.
    return found or shapes[:3] + ([f"{len(shapes) - 3} more differ in shape"] if len(shapes) > 3 else [])


def fit(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network built by `build_architecture` these weights, as float32, every one of them and no others.

    Raises InvalidCheckpoint naming a few of the names or shapes that do not fit.
    """
    state, _ = unwrap(state, module.state_dict())
    problems = misfits(module, state)
    if problems:
        raise InvalidCheckpoint(f"The weights do not fit this architecture: {'; '.join(problems)}.")
    expected = module.state_dict()
    for name in expected:
        if name.endswith(_COUNTER):
            expected[name] = torch.zeros((), dtype=torch.long)
        else:
            expected[name] = _checked(name, state[name])
    # The dictionary of the module itself carries the version of its layout: MnasNet would rebuild its first layers for
    # weights without one.
    module.load_state_dict(expected, strict=True, assign=True)


def _checked(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        raise InvalidCheckpoint(f"{name} holds {str(tensor.dtype).removeprefix('torch.')}, not plain decimal numbers.")
    if tensor.is_meta:
        raise InvalidCheckpoint(f"{name} has a shape and no numbers: the network was saved on torch's meta device.")
    # A copy of its own: half precision becomes float32, and no tensor shares memory with another or with the file.
    ready = tensor.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if not torch.isfinite(ready).all():
        raise InvalidCheckpoint(f"{name} holds infinite numbers or NaN; the training had broken down.")
    return ready


def _few(what: str, names: list[str], limit: int = 3) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{what} " + ", ".join(name[:80] for name in names[:limit]) + rest
