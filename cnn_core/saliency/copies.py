"""Private copies of a classifier: lean ones for work that takes many passes, or with weights of its own."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import InvalidOption
from ..network import build_network

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import Network

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


def lean_copy(
    classifier: Classifier,
    *,
    dtype: str | torch.dtype = "bfloat16",
    channels_last: bool = True,
    fold_batch_norms: bool = False,
) -> Classifier:
    """The same network on a copy of its weights in another precision and memory layout; the shared one is not touched.

    bfloat16 with channels_last is several times faster where the processor has instructions for it (elsewhere it is
    many times slower: dtype "auto" chooses bfloat16 or float32 by `has_fast_bfloat16`), and moves a map by about 1 %:
    right for a folder of pictures, not for a number that a page takes apart. fold_batch_norms: see `folded`. The copy
    takes as much memory as its weights; `explain`, `explain_many` and the others take it like any classifier. Its key
    names the precision. Raises InvalidOption for another dtype.
    """
    found = checked_dtype(dtype, classifier.device)
    module = copy.deepcopy(classifier.module)
    if fold_batch_norms:
        fold(module, classifier.network)
    return _converted(classifier, module, found, channels_last, fold_batch_norms)


def folded(
    classifier: Classifier, *, channels_last: bool = True, dtype: torch.dtype | None = None, keep: Collection[str] = ()
) -> Classifier:
    """A copy to be run many times: batch norms folded into the convolutions before them, conv weights channels last.

    Names and layers stay: where a batch norm was folded, it passes its input on, and the convolution before it already
    gives what the batch norm gave. keep: operations whose own outputs are wanted, and are left as they are. Without a
    dtype the numbers are the shared network's up to float rounding, and everything but the convolutions' weights is
    shared with it.
    """
    shared: dict[int, Any] = {}  # what deepcopy takes for copies made already: views of the same numbers
    if dtype is None:
        shared |= {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in classifier.module.parameters()}
        shared |= {id(b): b.detach() for b in classifier.module.buffers()}
    module = copy.deepcopy(classifier.module, shared)
    fold(module, classifier.network, keep=keep)
    if dtype is not None:
        return _converted(classifier, module, dtype, channels_last, True)
    if channels_last:
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                part.weight = nn.Parameter(part.weight.detach().contiguous(memory_format=torch.channels_last), False)
    return with_module(classifier, module, f"{classifier.key}:folded{':channels_last' if channels_last else ''}")


def fold(module: nn.Module, network: Network, *, keep: Collection[str] = ()) -> None:
    """Fold every batch norm of a private module into the convolution that alone feeds it, in place of both.

    network: the graph of a module of the same architecture. Only where both are modules that the network calls once.
    """
    kept = {network[name].name for name in keep}
    calls: dict[str, int] = {}
    for operation in network.operations:
        calls[operation.module_path] = calls.get(operation.module_path, 0) + 1
    for operation in network.operations:
        if operation.kind != "batch_norm2d" or not operation.module_path:
            continue
        source = network[operation.inputs[0]]
        paths = (source.module_path, operation.module_path)
        alone = network.consumers(source.name) == (operation.name,) and all(calls[path] == 1 for path in paths)
        if source.kind != "conv2d" or not source.module_path or not alone or source.name in kept:
            continue
        convolution, norm = (module.get_submodule(path) for path in paths)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None:
            _replace(module, paths[0], fuse_conv_bn_eval(convolution, norm))
            _replace(module, paths[1], nn.Identity())


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 by instructions of its own; without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not hasattr(torch.cpu, "get_capabilities"):  # torch before 2.12 does not say
        return False
    return any(has is True for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


def checked_dtype(dtype: Any, device: torch.device) -> torch.dtype:
    """One of DTYPES, by name or as torch's own, or "auto": the fastest on this device. InvalidOption for another."""
    if isinstance(dtype, str) and dtype == "auto":
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    for name, found in DTYPES.items():
        if dtype in (name, found):
            return found
    raise InvalidOption(f"dtype must be 'auto' or one of {', '.join(map(repr, DTYPES))}, and is {dtype!r}.")


def with_module(classifier: Classifier, module: nn.Module, key: str) -> Classifier:
    """The same classifier around another module of the same architecture, which it keeps to itself."""
    module = module.eval().requires_grad_(False)
    made = copy.copy(classifier)
    network = build_network(module, classifier.network.input_shape)
    for name, value in (("module", module), ("network", network), ("key", key)):
        object.__setattr__(made, name, value)  # a classifier may be a frozen dataclass; this one is not shared yet
    return made


def _converted(
    classifier: Classifier, module: nn.Module, dtype: torch.dtype | None, channels_last: bool, is_folded: bool
) -> Classifier:
    module = module.to(dtype)
    if channels_last:
        module = module.to(memory_format=torch.channels_last)
    name = next(name for name, value in DTYPES.items() if value == dtype)
    marks = [name, *(["channels_last"] if channels_last else []), *(["folded"] if is_folded else [])]
    return with_module(classifier, module, ":".join([classifier.key, *marks]))


def _replace(module: nn.Module, path: str, part: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, part)
