"""The packages beside which ConvLens is measured, called as their users call them."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Final

import captum.attr
import pytorch_grad_cam
import torch
import torchcam.methods
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import cnn_core as cc

from .inference import in_place

Run = Callable[[], object]

FORWARD: Final = "plain forward pass"
CONVLENS: Final = "ConvLens"
TORCHCAM, CAPTUM, GRAD_CAM = "torchcam", "captum", "grad-cam"
CONTESTANTS: Final = (FORWARD, CONVLENS, CAPTUM, TORCHCAM, GRAD_CAM)

# The last stage of each network, a module that every package can name.
LAYERS: Final = {
    "resnet18": "layer4",
    "resnet50": "layer4",
    "mobilenet_v2": "features",
    "googlenet": "inception5b",
    "vgg16": "features",
}


class Contest:
    """One network and one batch of noise for all contestants. Weights, random here, do not change the time.

    The peers and the plain forward pass get the module as torchvision makes it, with in-place activations and trainable
    parameters; each package has a module of its own, because some leave their hooks on it.
    """

    def __init__(self, key: str, *, size: int | None = None) -> None:
        self.classifier = cc.load_model(key, weights="random", device="cpu")
        self.layer = LAYERS[key]
        self.size = size or self.classifier.card.preprocessing.crop
        self._module = in_place(self.classifier.module)

    def inputs(self, batch: int) -> list[cc.ModelInput]:
        """So many pictures of noise, prepared."""
        numbers = torch.Generator().manual_seed(0)
        shape = (batch, self.size, self.size, 3)
        pictures = torch.randint(0, 256, shape, dtype=torch.uint8, generator=numbers).numpy()
        return [self.classifier.card.preprocessing.from_rgb(rgb) for rgb in pictures]

    def candidates(self, batch: int, names: Sequence[str] = CONTESTANTS) -> dict[str, Run]:
        """Grad-CAM of each picture's top class at the last stage, by each of the named contestants."""
        inputs = self.inputs(batch)
        x = torch.cat([one.tensor for one in inputs])
        makers: dict[str, Callable[[list[cc.ModelInput], torch.Tensor], Run]] = {
            FORWARD: self._forward,
            CONVLENS: self._convlens,
            CAPTUM: self._captum,
            TORCHCAM: self._torchcam,
            GRAD_CAM: self._grad_cam,
        }
        return {name: makers[name](inputs, x) for name in names}

    def convlens(self, batch: int, classifier: cc.Classifier) -> Run:
        """ConvLens' Grad-CAM with another (a lean) copy of the classifier."""
        return self._many(classifier, self.inputs(batch))

    def dear(self, method: str) -> dict[str, Run]:
        """A method of many passes, on one picture: the plain forward pass, ConvLens and grad-cam."""
        (model_input,) = self.inputs(1)
        classes = {"ablationcam": pytorch_grad_cam.AblationCAM, "scorecam": pytorch_grad_cam.ScoreCAM}
        module = self._peer_module()
        theirs = classes[method](model=module, target_layers=[module.get_submodule(self.layer)])
        targets = [ClassifierOutputTarget(self._top(model_input.tensor)[0])]
        return {
            FORWARD: self._forward([model_input], model_input.tensor),
            CONVLENS: lambda: cc.explain(self.classifier, model_input, method=method, layer=self.layer),
            GRAD_CAM: _quietly(lambda: theirs(input_tensor=model_input.tensor, targets=targets)),
        }

    def _forward(self, inputs: list[cc.ModelInput], x: torch.Tensor) -> Run:
        def run() -> object:
            with torch.inference_mode():
                return self._module(x)

        return run

    def _convlens(self, inputs: list[cc.ModelInput], x: torch.Tensor) -> Run:
        if len(inputs) == 1:
            return lambda: cc.explain(self.classifier, inputs[0], layer=self.layer)
        return self._many(self.classifier, inputs)

    def _many(self, classifier: cc.Classifier, inputs: list[cc.ModelInput]) -> Run:
        return lambda: list(cc.explain_many(classifier, inputs, layer=self.layer, batch_size=len(inputs), workers=0))

    def _captum(self, inputs: list[cc.ModelInput], x: torch.Tensor) -> Run:
        module = self._peer_module()
        method = captum.attr.LayerGradCam(module, module.get_submodule(self.layer))
        top = self._top(x)
        return lambda: method.attribute(x, target=top)

    def _torchcam(self, inputs: list[cc.ModelInput], x: torch.Tensor) -> Run:
        module = self._peer_module()
        method = torchcam.methods.GradCAM(module, target_layer=self.layer)
        top = self._top(x)
        return lambda: method(top if len(top) > 1 else top[0], module(x))

    def _grad_cam(self, inputs: list[cc.ModelInput], x: torch.Tensor) -> Run:
        module = self._peer_module()
        method = pytorch_grad_cam.GradCAM(model=module, target_layers=[module.get_submodule(self.layer)])
        targets = [ClassifierOutputTarget(index) for index in self._top(x)]
        return lambda: method(input_tensor=x, targets=targets)

    def _top(self, x: torch.Tensor) -> list[int]:
        with torch.inference_mode():
            return [int(index) for index in self._module(x).argmax(dim=1)]

    def _peer_module(self) -> torch.nn.Module:
        return copy.deepcopy(self._module).requires_grad_(True)


def _quietly(run: Run) -> Run:
    """Without the progress bars that the package prints."""

    def inner() -> object:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run()

    return inner
