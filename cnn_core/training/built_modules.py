"""Built networks as torch modules, and as a file of plain PyTorch code that needs nothing of ConvLens."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from torch import nn

from ..errors import InvalidOption
from .built import PREFIX, Plan, Planned, parse, plan, write
from .data import Form, data_set
from .modules import Block, sequence

if TYPE_CHECKING:
    from .networks import SmallNetwork
    from .run import TrainingRun

# So that the running averages have caught up after the few hundred steps of these runs; torch's own 0.1 has not.
_BN_MOMENTUM: Final = 0.2


def _conv(step: Planned) -> nn.Module:
    layer = step.layer
    return nn.Conv2d(
        step.input_shape[0], layer.units, layer.kernel, stride=layer.stride, padding=layer.padding, bias=step.bias
    )


_MODULES: Final[dict[str, Callable[[Planned], nn.Module]]] = {
    "conv": _conv,
    "bn": lambda step: nn.BatchNorm2d(step.input_shape[0], momentum=_BN_MOMENTUM),
    "relu": lambda step: nn.ReLU(),
    "tanh": lambda step: nn.Tanh(),
    "sigmoid": lambda step: nn.Sigmoid(),
    "max": lambda step: nn.MaxPool2d(step.layer.kernel, stride=step.layer.stride),
    "avg": lambda step: nn.AvgPool2d(step.layer.kernel, stride=step.layer.stride),
    "res": lambda step: Block(step.input_shape[0], step.layer.units, stride=step.layer.stride),
    "drop": lambda step: nn.Dropout(step.layer.units / 100),
    "gap": lambda step: nn.AdaptiveAvgPool2d(1),
    "gmp": lambda step: nn.AdaptiveMaxPool2d(1),
    "flatten": lambda step: nn.Flatten(),
    "linear": lambda step: nn.Linear(step.input_shape[0], step.output_shape[0]),
}


def module_of(found: Plan) -> nn.Module:
    """The module of a plan that fits: float32 (N, channels, side, side) in, logits (N, classes) out.

    Raises InvalidOption, with the plan's own sentence, for one that does not fit.
    """
    if found.problem:
        raise InvalidOption(found.problem)
    layers: dict[str, nn.Module] = {}
    for step in found.steps:
        layers[step.name] = _MODULES[step.layer.kind](step)
        if step.layer.kind in ("gap", "gmp"):
            layers["flatten"] = nn.Flatten()  # 1 x 1 maps become a list
    return sequence(**layers)


def built_network(key: str, form: Form) -> SmallNetwork:
    """The entry of a built network, for data of one form. Raises InvalidOption where it does not fit."""
    from .networks import SmallNetwork

    found = plan(parse(key), form)
    return SmallNetwork(write([step.layer for step in found.steps]), "Your network", partial(module_of, found), "torch",
                        2026, "Built layer by layer in ConvLens")  # fmt: skip


_BLOCK: Final = '''
class Block(nn.Module):
    """Two convolutions with batch norm, added to what came in (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + self.shortcut(x))

'''

_HEAD: Final = '''"""A network that was built and trained in ConvLens; it needs torch and safetensors, and nothing else.

    from network import CLASSES, load, preprocess
    model = load()
    logits = model(preprocess(pictures))  # pictures: uint8 {pictures}
    print(CLASSES[int(logits[0].argmax())])
"""

from pathlib import Path

import torch
from torch import Tensor, nn

CLASSES = {classes}
SIDE, CHANNELS = {side}, {channels}
MEAN, STD = {mean}, {std}  # of pixels from 0 to 1, for each channel
SPECIFICATION = {specification}

'''

_TAIL: Final = '''

def preprocess(pictures: Tensor) -> Tensor:
    """uint8 {pictures} -> what the network reads, float32 (N, {channels}, {side}, {side})."""
    x = pictures.unsqueeze(1) if pictures.dim() == 3 else pictures.permute(0, 3, 1, 2)
    mean, std = (torch.tensor(value).view(-1, 1, 1) for value in (MEAN, STD))
    return (x.float() / 255 - mean) / std


def load(path: str | Path = Path(__file__).with_name("weights.safetensors")) -> Network:
    """The trained network, ready to predict."""
    from safetensors.torch import load_file

    model = Network()
    model.load_state_dict(load_file(path))
    return model.eval()


if __name__ == "__main__":
    model = load()
    print(f"{{sum(p.numel() for p in model.parameters()):,}} parameters, classes: {{', '.join(CLASSES)}}")
'''


def _written(step: Planned) -> str:
    """The layer as a line of Python."""
    layer, inputs = step.layer, step.input_shape[0]
    if layer.kind == "conv":
        more = (f", stride={layer.stride}" if layer.stride != 1 else "") + (
            f", padding={layer.padding}" if layer.padding else ""
        )
        return f"nn.Conv2d({inputs}, {layer.units}, {layer.kernel}{more}{'' if step.bias else ', bias=False'})"
    if layer.kind == "res":
        return f"Block({inputs}, {layer.units}{f', stride={layer.stride}' if layer.stride != 1 else ''})"
    if layer.kind in ("max", "avg"):
        name = "MaxPool2d" if layer.kind == "max" else "AvgPool2d"
        return f"nn.{name}({layer.kernel}{f', stride={layer.stride}' if layer.stride != layer.kernel else ''})"
    return {
        "bn": f"nn.BatchNorm2d({inputs}, momentum={_BN_MOMENTUM})",
        "relu": "nn.ReLU()",
        "tanh": "nn.Tanh()",
        "sigmoid": "nn.Sigmoid()",
        "drop": f"nn.Dropout({layer.units / 100})",
        "gap": "nn.AdaptiveAvgPool2d(1)",
        "gmp": "nn.AdaptiveMaxPool2d(1)",
        "flatten": "nn.Flatten()",
        "linear": f"nn.Linear({inputs}, {step.output_shape[0]})",
    }[layer.kind]


def code_of(found: Plan, *, classes: Sequence[str], mean: Sequence[float], std: Sequence[float]) -> str:
    """A Python file with the network as a plain module, its preprocessing, and a function that loads its weights."""
    form = found.form
    pictures = f"(N, {form.side}, {form.side})" if form.channels == 1 else f"(N, {form.side}, {form.side}, 3)"
    text = _HEAD.format(
        pictures=pictures,
        classes=repr(tuple(classes)),
        side=form.side,
        channels=form.channels,
        mean=repr(list(mean)),
        std=repr(list(std)),
        specification=json.dumps(write([step.layer for step in found.steps])),
    )
    if any(step.layer.kind == "res" for step in found.steps):
        text += _BLOCK
    lines, calls = [], []
    for step in found.steps:
        after = " × ".join(map(str, step.output_shape))
        lines.append(f"        self.{step.name} = {_written(step)}  # -> {after}")
        calls.append(f"        x = self.{step.name}(x)")
        if step.layer.kind in ("gap", "gmp"):
            lines.append("        self.flatten = nn.Flatten()")
            calls.append("        x = self.flatten(x)")
    text += "\nclass Network(nn.Module):\n"
    text += f'    """{found.n_parameters:,} parameters, {found.macs:,} multiply-adds for one picture."""\n\n'
    text += "    def __init__(self) -> None:\n        super().__init__()\n" + "\n".join(lines)
    text += "\n\n    def forward(self, x: Tensor) -> Tensor:\n" + "\n".join(calls) + "\n        return x\n"
    return text + _TAIL.format(pictures=pictures, channels=form.channels, side=form.side)


def export_zip(run: TrainingRun) -> bytes:
    """A zip with network.py, weights.safetensors and run.json (recipe, seed, accuracies) of a built network's run.

    Raises InvalidOption for a run whose network was not built layer by layer.
    """
    from safetensors.torch import save

    from .run import preprocessing_of

    if not run.recipe.network.startswith(PREFIX):
        raise InvalidOption("Only a network that was built layer by layer is written as code; save the run instead.")
    data = data_set(run.recipe.data)
    preprocessing = preprocessing_of(run.recipe)
    code = code_of(
        plan(parse(run.recipe.network), data.form),
        classes=data.class_names,
        mean=preprocessing.mean,
        std=preprocessing.std,
    )
    told = {
        "recipe": run.recipe.to_dict(),
        "seed": run.seed,
        "state": run.state,
        "steps_done": run.steps_done,
        "train_accuracy": run.train_accuracy,
        "test_accuracy": run.test_accuracy,
        "n_test": data.n_test,
        "data": data.title,
        "source": data.source,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("network.py", code.encode()),
            ("weights.safetensors", save({name: tensor.contiguous() for name, tensor in run.weights.items()})),
            ("run.json", json.dumps(told, indent=2).encode()),
        ):
            # A fixed date: equal runs give equal files.
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
