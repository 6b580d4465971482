"""Build a network without weights: nothing is drawn, allocated or initialised until the weights are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
import torchvision.models as tvm
from torch import nn
from torch.overrides import TorchFunctionMode

from ..training import landmark_modules
from .families import family_of
from .lenet5 import LeNet5
from .weights import OWN


class _NoAllocation(TorchFunctionMode):
    """Every parameter that a layer allocates with torch.empty is a meta tensor: a shape without memory.

    Unlike `with torch.device("meta")`, which also catches the arithmetic by which RegNet finds its widths. Modes
    belong to the thread that enters them, so builds may run side by side.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.empty:
            options["device"] = "meta"
        return func(*args, **options)


def build_architecture(key: str, *, n_classes: int | None = None, trained: bool) -> nn.Module:
    """The network of a model's key, in eval mode, its layers' parameters on torch's meta device.

    n_classes: the number of logits, or None for the architecture's own. trained: True where trained weights follow:
    GoogLeNet and Inception v3 then convert the input's range as their weights expect. Heads that only training uses
    are left out, and nothing works in place, so that no activation is overwritten.
    """
    options: dict[str, Any] = {} if n_classes is None else {"num_classes": n_classes}
    row = family_of(key)
    if row is not None and row[0].transforms_input and key not in OWN:
        # The slow initialisation is for weights that we fill ourselves.
        options |= {"transform_input": trained, "aux_logits": False, "init_weights": False}
    with _NoAllocation():
        module = _own(key, **options) if key in OWN else tvm.get_model(key, weights=None, **options)
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    return module.eval()


def _own(key: str, **options: Any) -> nn.Module:
    return LeNet5(**options) if key == "lenet5" else landmark_modules.build(key, **options)


def allocate(module: nn.Module) -> None:
    """Give memory, not yet values, to every parameter that `build_architecture` left without."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if parameter.is_meta:
                setattr(part, name, nn.Parameter(torch.empty_like(parameter, device="cpu"), requires_grad=False))


def head_of(module: nn.Module) -> str:
    """The path of the layer that gives the logits: the last convolution or linear layer."""
    return [path for path, part in module.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))][-1]


TRAINING_ONLY_PREFIXES: Final = ("AuxLogits.", "aux1.", "aux2.")
"""Parameters of the heads that only the training of Inception v3 and GoogLeNet uses; trained files hold them."""
