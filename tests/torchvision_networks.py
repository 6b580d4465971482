"""torchvision's convolutional classifiers with random weights that keep every activation alive, and test benches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision.models as tvm
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnn_core.network import Network, build_network
from cnn_core.preprocessing import ModelInput, Preprocessing

TRANSFORMERS = ("vit_", "swin", "maxvit")
EVERY_CNN = tuple(sorted(n for n in tvm.list_models(module=tvm) if not n.startswith(TRANSFORMERS)))
# At least one of every family; small ones, so that all take some seconds together.
TWENTY = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def least_size(name: str) -> int:
    """64, or the least size that the network takes."""
    return 75 if name == "inception_v3" else 64


class _OnMeta(TorchFunctionMode):
    """Layers allocate nothing; `torch.device("meta")` would also catch the arithmetic in RegNet's constructor."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.empty:
            options["device"] = "meta"
        return func(*args, **options)


def on_meta(name: str, **options: Any) -> nn.Module:
    """The architecture without any numbers in it."""
    if name in ("googlenet", "inception_v3"):
        # The input transform is on, as with trained weights, so that its slices and sums are tested too.
        options = {"init_weights": False, "transform_input": True, "aux_logits": True} | options
    with _OnMeta():
        return tvm.get_model(name, weights=None, **options).eval()


def _take_statistics(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Before the norm is applied, so that each one normalises what those before it really give."""
    var, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
    # Of two pictures' few cells it can be next to nothing, and would blow small differences up.
    norm.running_mean, norm.running_var = mean, var.clamp(min=0.01 * float(var.mean()))


@torch.no_grad()
def with_random_weights(module: nn.Module, size: int, seed: int = 0) -> nn.Module:
    """Random weights, biases, scales and shifts; each BatchNorm's statistics from `noise_picture` 0 and 1.

    With the statistics of an untrained network the sums of deep residual networks would overflow or die out, and a test
    on zeros would test nothing.
    """
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            fresh = nn.Parameter(torch.empty(parameter.shape), requires_grad=False)
            if name == "weight" and parameter.dim() > 1:
                bound = (6 / parameter[0].numel()) ** 0.5  # uniform with He's variance 2 / fan_in
                fresh.uniform_(-bound, bound, generator=generator)
            elif name == "bias":
                fresh.uniform_(-0.2, 0.2, generator=generator)
            else:  # scales of normalisations and ConvNeXt's layer scale
                fresh.uniform_(0.6, 1.4, generator=generator)
            setattr(part, name, fresh)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    if norms:
        hooks = [norm.register_forward_pre_hook(_take_statistics) for norm in norms]
        module(torch.cat([noise_picture(size, size, seed).tensor for seed in (0, 1)]))
        for hook in hooks:
            hook.remove()
    return module


@dataclass(frozen=True, eq=False)
class Bench:
    """What trace and explain_unit read from a Classifier, around any module."""

    network: Network
    class_names: tuple[str, ...]
    key: str = "bench"

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def preprocess(self, model_input: ModelInput) -> ModelInput:
        return model_input


def bench(module: nn.Module, input_shape: tuple[int, ...], n_classes: int = 1000) -> Bench:
    return Bench(build_network(module.eval(), input_shape), tuple(f"class {i}" for i in range(n_classes)))


def noise_picture(height: int, width: int, seed: int = 0) -> ModelInput:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Preprocessing(resize=width, crop=width, mean=MEAN, std=STD).from_rgb(rgb)
