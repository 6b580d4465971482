"""Small networks for the saliency tests, and Grad-CAM written once more, with a hook, as the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cnn_core.errors import UnknownClass
from cnn_core.images import ModelInput, Picture, Preprocessing
from cnn_core.network import Network, build_network
from cnn_core.saliency.batch import Batch
from cnn_core.saliency.layers import layer_facts
from cnn_core.saliency.registry import Evidence, Job, method_card, run_method
from cnn_core.saliency.targets import TargetRequest


@dataclass(frozen=True)
class _Card:
    title: str
    preprocessing: Preprocessing


@dataclass(frozen=True, eq=False)
class SmallClassifier:
    """What the saliency code reads from a Classifier, around any module."""

    module: nn.Module
    network: Network
    class_names: tuple[str, ...]
    card: _Card
    key: str

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def class_index(self, target: int | str) -> int:
        if isinstance(target, str) and target in self.class_names:
            return self.class_names.index(target)
        if isinstance(target, int) and 0 <= target < len(self.class_names):
            return target
        raise UnknownClass(f"No class {target!r}.")

    def preprocess(self, picture: Picture | ModelInput) -> ModelInput:
        if isinstance(picture, ModelInput):
            return picture
        return self.card.preprocessing.apply(picture)


def classifier_of(module: nn.Module, *, size: int, frozen: bool = True, double: bool = False) -> SmallClassifier:
    """A module as a classifier whose preprocessing is x = rgb / 255; `double` computes in float64."""
    module = module.double() if double else module
    module = module.eval().requires_grad_(not frozen)
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    with torch.no_grad():
        zeros = torch.zeros(1, 3, size, size, dtype=torch.float64 if double else torch.float32)
        n_classes = module(zeros).shape[1]
    names = getattr(module, "class_names", tuple(f"class {i}" for i in range(n_classes)))
    card = _Card(type(module).__name__, PlainInput.preprocessing(size))
    return SmallClassifier(module, build_network(module, (3, size, size)), names, card, type(module).__name__)


class PlainInput:
    """Inputs whose tensor is rgb / 255."""

    @staticmethod
    def preprocessing(size: int) -> Preprocessing:
        return Preprocessing(resize=size, crop=size, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    @classmethod
    def of(cls, rgb: np.ndarray) -> ModelInput:
        return cls.preprocessing(min(rgb.shape[:2])).from_rgb(rgb)

    @classmethod
    def noise(cls, height: int, width: int, seed: int = 0) -> ModelInput:
        return cls.of(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


class RedPatch(nn.Module):
    """Logit 'red' = 10 x the mean of relu(red - green); logit 'grey' = 0."""

    class_names = ("red", "grey")

    def __init__(self) -> None:
        super().__init__()
        self.contrast = nn.Conv2d(3, 1, 1, bias=False)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(1, 2)
        with torch.no_grad():
            self.contrast.weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1))
            self.linear.weight.copy_(torch.tensor([[10.0], [0.0]]))
            self.linear.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.flatten(self.pool(self.relu(self.contrast(x))), 1))


class Pooled(nn.Module):
    """Strided convolutions, one ReLU module used twice, a skip connection, pooling + linear."""

    def __init__(self, n_classes: int = 5, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.branch = nn.Conv2d(8, 8, 3, padding=1)
            self.norm = nn.BatchNorm2d(8)
            self.last = nn.Conv2d(8, 12, 3, stride=2, padding=1)
            self.relu = nn.ReLU()
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.linear = nn.Linear(12, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.first(x))
        x = self.relu(x + self.norm(self.branch(x)))
        return self.linear(torch.flatten(self.pool(functional.relu(self.last(x))), 1))


class ClassMaps(nn.Module):
    """A head like SqueezeNet's: dropout, a 1 x 1 convolution to one map for each class, ReLU, pooling."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 7, 3), nn.ReLU())
            scoring = nn.Conv2d(7, 5, 1)
            torch.manual_seed(4)  # with these weights ReLU leaves between 28 and 80 % of each class's cells
            nn.init.normal_(scoring.weight)
            nn.init.zeros_(scoring.bias)  # type: ignore[arg-type]
            self.classifier = nn.Sequential(nn.Dropout(), scoring, nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


class Flattened(nn.Module):
    """A head that is not pooling + linear: the maps are flattened into two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(inplace=True))
            self.hidden = nn.Linear(6 * 8 * 8, 16)
            self.linear = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.tanh(self.hidden(torch.flatten(self.features(x), 1))))


def random_weights(build: Callable[..., nn.Module], **options: object) -> nn.Module:
    """A torchvision model with random weights, the same at each call, and torch's own random state untouched."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(weights=None, **options)


def stirred(module: nn.Module, seed: int = 0) -> nn.Module:
    """Biases and batch norms' numbers made random, as training leaves them: torch starts them at 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.modules():
            for name, tensor in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)):
                if name in ("bias", "running_mean"):
                    tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
                elif name == "running_var" or (name == "weight" and tensor.dim() == 1):
                    tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return module


def doubled(model_input: ModelInput) -> ModelInput:
    """The same input in float64."""
    return replace(model_input, tensor=model_input.tensor.double())


def evidence_of(
    classifier: SmallClassifier,
    model_input: ModelInput,
    method: str,
    target: TargetRequest = 0,
    *,
    layer: str | None = None,
    score: str = "logit",
    batch_size: int = 8,
    **options: object,
) -> Evidence:
    """What a method returns before it becomes a float32 map: signed values in the network's own precision."""
    batch = Batch(classifier, [model_input], [target], score)  # type: ignore[arg-type]
    operation = layer_facts(classifier.network, layer).operation if method_card(method).needs_layer else None
    return run_method(method, Job(batch, layer=operation, batch_size=batch_size), options)


def hooked(
    module: nn.Module, part: nn.Module, x: torch.Tensor, score: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A part's output A and dy/dA, both (C, h, w), by a forward hook and a backward pass through the whole network.

    `part` must run once in a forward pass. score: logits (K,) -> y.
    """
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output)
        return output.clone()  # a residual `out += identity` then changes the copy, not what is kept

    handle = part.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = module(x.clone().requires_grad_(True))[0]
            (gradient,) = torch.autograd.grad(score(logits), kept[0])
    finally:
        handle.remove()
    assert len(kept) == 1
    return kept[0][0].detach(), gradient[0]


def reference_gradcam(
    module: nn.Module, part: nn.Module, x: torch.Tensor, score: Callable[[torch.Tensor], torch.Tensor]
) -> np.ndarray:
    """Signed Grad-CAM (h, w) from what `hooked` finds."""
    activation, gradient = hooked(module, part, x, score)
    return (gradient.mean(dim=(1, 2))[:, None, None] * activation).sum(dim=0).numpy()
