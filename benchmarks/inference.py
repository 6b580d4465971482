"""How much `trace` and `explain(method="gradcam")` cost beside a plain forward pass of the same network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch

import cnn_core as cc

from .report import Report, Row
from .timing import take_turns, threads

# Model, weights, and the last stage, which every package can name. Weights do not change the time.
MODELS = (
    ("mobilenet_v2", "default", "features"),
    ("squeezenet1_1", "default", "features"),
    ("resnet18", "random", "layer4"),
)
FORWARD, TRACE, GRADCAM = "plain forward pass", "cc.trace", "cc.explain, Grad-CAM"
BOUNDS = {TRACE: 1.3, GRADCAM: 1.15}
ROUNDS, QUICK_ROUNDS = 40, 4

_NOTES = (
    "Ratio: the median over rounds of (time / time of the plain forward pass in that round); 25 to 75 %: quartiles.",
    "One picture at the network's own size, prepared beforehand: Classifier.preprocess is not part of any time.",
    "The plain forward pass is the network's own module under inference_mode, without in-place activations, as all "
    "ConvLens measurements are; a row shows it with them.",
    "Grad-CAM is measured at the last stage (with a bound) and at a layer in the middle, from a picture and from a "
    "finished trace. grad-cam's time includes its own stretching of the map to the picture's size.",
)


def measure(*, quick: bool = False) -> tuple[Report, ...]:
    """All models, with one thread and with torch's default number of threads."""
    rows: list[Row] = []
    for n_threads in sorted({1, torch.get_num_threads()}):
        for key, weights, layer in MODELS:
            with threads(n_threads):
                rows.extend(_rows(key, weights, layer, n_threads, QUICK_ROUNDS if quick else ROUNDS))
    columns = ("model", "threads", "what", "ms", "25 to 75 %")
    return (Report("inference", "Time beside a plain forward pass", columns, "ratio", tuple(rows), _NOTES),)


def _rows(key: str, weights: str, layer: str, n_threads: int, rounds: int) -> list[Row]:
    timings = take_turns(_candidates(key, weights, layer), FORWARD, rounds=rounds)
    return [
        Row(
            (key, str(n_threads), name, f"{t.milliseconds:.1f}", f"{t.ratio_low:.2f} to {t.ratio_high:.2f}"),
            t.ratio,
            BOUNDS.get(name),
        )
        for name, t in timings.items()
    ]


def _candidates(key: str, weights: str, layer: str) -> dict[str, Callable[[], object]]:
    classifier = cc.load_model(key, weights=weights, device="cpu")
    size = classifier.card.preprocessing.crop
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    model_input = classifier.card.preprocessing.from_rgb(noise)
    middle = classifier.network.map_layers()[len(classifier.network.map_layers()) // 2].name
    finished = cc.trace(classifier, model_input)
    found: dict[str, Callable[[], object]] = {
        FORWARD: _forward(classifier.module, model_input.tensor),
        "the same, activations in place": _forward(in_place(classifier.module), model_input.tensor),
        TRACE: lambda: cc.trace(classifier, model_input),
        GRADCAM: lambda: cc.explain(classifier, model_input, layer=layer),
        "cc.explain, a middle layer": lambda: cc.explain(classifier, model_input, layer=middle),
        "cc.explain from a trace": lambda: cc.explain(classifier, model_input, layer=layer, trace=finished),
    }
    return found | _peers(classifier.module, model_input.tensor.clone(), layer)


def _forward(module: torch.nn.Module, tensor: torch.Tensor) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode():
            return module(tensor)

    return run


def in_place(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of a network as torchvision makes it: with activations in place."""
    twin = copy.deepcopy(module)
    for part in twin.modules():
        if hasattr(part, "inplace"):
            part.inplace = True  # type: ignore[assignment]
    return twin


def _peers(module: torch.nn.Module, x: torch.Tensor, layer: str) -> dict[str, Callable[[], object]]:
    """captum and grad-cam as their users call them, where they are installed: on ordinary, unfrozen modules."""
    found: dict[str, Callable[[], object]] = {}
    with torch.inference_mode():
        top = int(module(x).argmax())
    if find_spec("captum"):
        for_captum = copy.deepcopy(module).requires_grad_(True)
        captum_method = import_module("captum.attr").LayerGradCam(for_captum, for_captum.get_submodule(layer))
        found["captum LayerGradCam"] = lambda: captum_method.attribute(x, target=top)
    if find_spec("pytorch_grad_cam"):
        # Its hooks stay on the module for good, so it gets one of its own.
        for_grad_cam = copy.deepcopy(module).requires_grad_(True)
        grad_cam_method = import_module("pytorch_grad_cam").GradCAM(
            model=for_grad_cam, target_layers=[for_grad_cam.get_submodule(layer)]
        )
        targets = [import_module("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(top)]
        found["grad-cam GradCAM"] = lambda: grad_cam_method(input_tensor=x, targets=targets)
    return found
