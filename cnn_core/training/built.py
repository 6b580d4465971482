"""Networks that a learner builds: a line of layers as a short text, with shapes and costs, and a word where it fails.

`build:conv16k3-bn-relu-max2-gap-linear` is a network key like any other. Its text is layers with "-" between them:

    conv<channels>[k<kernel>][s<stride>][p<padding>]   kernel 3, stride 1, and a padding that keeps the size
    bn | relu | tanh | sigmoid                         batch norm, activations
    max[<kernel>][s<stride>] | avg[...]                pooling; kernel 2, stride as the kernel
    res<channels>[s<stride>]                           residual block: two 3x3 convolutions with batch norm, and a skip
    drop<percent>                                      dropout
    gap | gmp | flatten                                maps to a list: their means, their largest values, all values
    linear<units>, and linear at the end               the last one gives a number for each class of the data
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import InvalidOption, quote, suggest
from .data import Form

PREFIX: Final = "build:"
MAX_LAYERS: Final = 48
MAX_PARAMETERS: Final = 2_000_000
MAX_MACS: Final = 60_000_000
"""Multiply-adds for one picture: what two cores train in a lesson's time."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerKind:
    """What a layer of one kind is called, which numbers it takes, and what has to come in."""

    key: str
    title: str
    numbers: tuple[str, ...] = ()
    """Fields of Layer that its text may give, the first one directly after the word."""
    wants_maps: bool = True
    """It reads maps; False for what reads either, or a list."""


KINDS: Final = {
    kind.key: kind
    for kind in (
        LayerKind("conv", "Convolution", ("units", "kernel", "stride", "padding")),
        LayerKind("bn", "Batch norm"),
        LayerKind("relu", "ReLU", wants_maps=False),
        LayerKind("tanh", "Tanh", wants_maps=False),
        LayerKind("sigmoid", "Sigmoid", wants_maps=False),
        LayerKind("max", "Max pooling", ("kernel", "stride")),
        LayerKind("avg", "Average pooling", ("kernel", "stride")),
        LayerKind("res", "Residual block", ("units", "stride")),
        LayerKind("drop", "Dropout", ("units",), wants_maps=False),
        LayerKind("gap", "Global average pooling"),
        LayerKind("gmp", "Global max pooling"),
        LayerKind("flatten", "Flatten"),
        LayerKind("linear", "Linear", ("units",), wants_maps=False),
    )
}

# Field: (letter in the text, lowest, highest). "units" are channels, units, or per cent, as the kind has it.
LIMITS: Final = {
    ("conv", "units"): (1, 128),
    ("conv", "kernel"): (1, 11),
    ("conv", "stride"): (1, 4),
    ("conv", "padding"): (0, 5),
    ("max", "kernel"): (2, 8),
    ("max", "stride"): (1, 8),
    ("avg", "kernel"): (2, 8),
    ("avg", "stride"): (1, 8),
    ("res", "units"): (1, 128),
    ("res", "stride"): (1, 4),
    ("drop", "units"): (1, 90),
    ("linear", "units"): (1, 1024),
}
_LETTERS: Final = {"k": "kernel", "s": "stride", "p": "padding"}
_WORDS: Final = {"kernel": "kernel", "stride": "stride", "padding": "padding"}
_UNITS: Final = {"conv": "channels", "res": "channels", "drop": "per cent", "linear": "units"}


@dataclass(frozen=True)
class Layer:
    """One layer as it was asked for; numbers that its kind does not have are 0."""

    kind: str
    units: int = 0
    """Channels of conv and res, units of linear (0: one for each class), per cent of drop."""
    kernel: int = 0
    stride: int = 0
    padding: int = 0

    @property
    def text(self) -> str:
        """As it stands in a specification, without what goes without saying."""
        word = self.kind
        if self.kind in ("conv", "res", "drop", "linear"):
            word += str(self.units or "")
        if self.kind in ("max", "avg"):
            return word + str(self.kernel) + (f"s{self.stride}" if self.stride != self.kernel else "")
        if self.kind == "conv":
            word += f"k{self.kernel}" + (f"s{self.stride}" if self.stride != 1 else "")
            return word + (f"p{self.padding}" if self.padding != (self.kernel - 1) // 2 else "")
        return word + (f"s{self.stride}" if self.kind == "res" and self.stride != 1 else "")

    @property
    def title(self) -> str:
        """For people."""
        name = KINDS[self.kind].title
        if self.kind == "conv":
            return f"{name} {self.kernel} × {self.kernel}, {self.units} channels"
        if self.kind in ("max", "avg"):
            return f"{name} {self.kernel} × {self.kernel}"
        if self.kind == "res":
            return f"{name}, {self.units} channels"
        if self.kind == "drop":
            return f"{name} {self.units} %"
        return f"{name}, {self.units} units" if self.kind == "linear" and self.units else name


def parse(text: str) -> tuple[Layer, ...]:
    """The layers of a specification, with or without "build:". Raises InvalidOption naming the layer that is wrong."""
    words = text.removeprefix(PREFIX).strip("-").split("-")
    if words == [""]:
        return ()
    if len(words) > MAX_LAYERS:
        raise InvalidOption(f"A network here has at most {MAX_LAYERS} layers, not {len(words)}.")
    return tuple(_layer(place, word) for place, word in enumerate(words, 1))


def _layer(place: int, word: str) -> Layer:
    match = re.fullmatch(r"([a-z]+)([0-9ksp]*)", word)
    kind = KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        names = {"k", "s", "p"} | set(KINDS)
        close = suggest(re.sub(r"[^a-z].*", "", word), sorted(names - {"k", "s", "p"}), limit=len(KINDS))
        raise InvalidOption(f"Layer {place}, {quote(word, limit=24)}, is no layer. {close}")
    parts = re.fullmatch(r"(\d*)((?:[ksp]\d+)*)", match[2])
    if parts is None:
        raise InvalidOption(f"Layer {place}, {quote(word, limit=24)}, cannot be read: write it like conv16k3s1p1.")
    given: dict[str, int] = {}
    if parts[1]:
        if not kind.numbers:
            raise InvalidOption(f"Layer {place}, {quote(word, limit=24)}: {kind.key} takes no number.")
        given[kind.numbers[0]] = _whole(parts[1])
    for letter, digits in re.findall(r"([ksp])(\d+)", parts[2]):
        name = _LETTERS[letter]
        if name not in kind.numbers or name in given:
            raise InvalidOption(f"Layer {place}, {quote(word, limit=24)}: {kind.key} takes no {name} there.")
        given[name] = _whole(digits)
    if kind.key in ("conv", "res", "drop") and "units" not in given:
        raise InvalidOption(f"Layer {place}, {kind.key}, needs a number of {_UNITS[kind.key]}, such as {kind.key}16.")
    for name, value in given.items():
        low, high = LIMITS[kind.key, name]
        if not low <= value <= high:
            said = _UNITS[kind.key] if name == "units" else _WORDS[name]
            raise InvalidOption(
                f"Layer {place}, {quote(word, limit=24)}: {said} must lie between {low} and {high}, not {value:,}."
            )
    return _filled(kind.key, given)


def _whole(digits: str) -> int:
    return int(digits[:9])  # long enough to be refused by every limit


def _filled(kind: str, given: dict[str, int]) -> Layer:
    if kind == "conv":
        kernel = given.get("kernel", 3)
        return Layer(kind, given["units"], kernel, given.get("stride", 1), given.get("padding", (kernel - 1) // 2))
    if kind in ("max", "avg"):
        kernel = given.get("kernel", 2)
        return Layer(kind, kernel=kernel, stride=given.get("stride", kernel))
    if kind == "res":
        return Layer(kind, given["units"], kernel=3, stride=given.get("stride", 1), padding=1)
    return Layer(kind, given.get("units", 0))


def write(layers: Sequence[Layer]) -> str:
    """The network key of these layers; `parse` reads it."""
    return PREFIX + "-".join(layer.text for layer in layers)


def tidy(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Give the last linear layer no number of its own, since the classes decide it, and every other one a number."""
    last = len(layers) - 1
    return tuple(
        replace(layer, units=0 if i == last else layer.units or 64) if layer.kind == "linear" else layer
        for i, layer in enumerate(layers)
    )


@dataclass(frozen=True)
class Planned:
    """One layer in its place: its name in the module, what comes in and out, and what it costs."""

    layer: Layer
    name: str
    input_shape: Shape
    """(channels, rows, columns), or (numbers,); without the batch axis."""
    output_shape: Shape
    n_parameters: int
    macs: int
    """Multiply-adds for one picture, of convolutions and linear layers."""
    bias: bool = True
    """False for a convolution directly before batch norm, which brings a bias of its own."""


@dataclass(frozen=True)
class Plan:
    """A network laid out for one form of data, as far as its layers fit."""

    form: Form
    steps: tuple[Planned, ...]
    problem: str
    """Why it is no network (yet), in a sentence that says what would be right; "" where it is one."""
    problem_at: int | None
    """The layer that does not fit, from 0; None where all fit, or where one is missing at the end."""

    @property
    def n_parameters(self) -> int:
        return sum(step.n_parameters for step in self.steps)

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)


def examine(layers: Sequence[Layer], form: Form) -> Plan:
    """Lay the layers out, and say where they do not fit; never raises for what a learner builds."""
    steps: list[Planned] = []
    shape: Shape = (form.channels, form.side, form.side)
    names = _names(layers)
    for i, layer in enumerate(layers):
        problem = _misfit(i, layer, shape, last=i == len(layers) - 1)
        if problem:
            return Plan(form, tuple(steps), problem, i)
        bare = layer.kind == "conv" and i + 1 < len(layers) and layers[i + 1].kind == "bn"
        step = _planned(layer, names[i], shape, form.classes, bias=not bare)
        steps.append(step)
        shape = step.output_shape
    return _judged(Plan(form, tuple(steps), "", None), layers)


def plan(layers: Sequence[Layer], form: Form) -> Plan:
    """The same for a network that is to be made. Raises InvalidOption, with the sentence, where it does not fit."""
    found = examine(layers, form)
    if found.problem:
        raise InvalidOption(found.problem)
    return found


def _judged(found: Plan, layers: Sequence[Layer]) -> Plan:
    problem = ""
    if not layers or layers[-1].kind != "linear":
        what = f"The last layer is {layers[-1].text}" if layers else "There is no layer yet"
        problem = (
            f"{what}. The last one must be linear: it gives a number for each of the {found.form.classes} classes."
        )
    elif found.n_parameters > MAX_PARAMETERS:
        costly = max(found.steps, key=lambda step: step.n_parameters)
        problem = (
            f"{found.n_parameters:,} parameters are more than the {MAX_PARAMETERS:,} that are trained here; "
            f"{costly.name} alone has {costly.n_parameters:,}. Pool before flatten, or take fewer units."
        )
    elif found.macs > MAX_MACS:
        costly = max(found.steps, key=lambda step: step.macs)
        problem = (
            f"{found.macs:,} multiply-adds for one picture are more than the {MAX_MACS:,} that are trained here; "
            f"{costly.name} alone takes {costly.macs:,}. Pool earlier, or take fewer channels."
        )
    return replace(found, problem=problem)


def _names(layers: Sequence[Layer]) -> list[str]:
    """Numbered by what they are: a convolution keeps its name, and so its first weights, when a ReLU is taken out."""
    word = {"max": "pool", "avg": "pool", "res": "block", "drop": "dropout", "linear": "fc"}
    word |= {"gap": "global_pool", "gmp": "global_pool"}
    total = Counter(layer.kind for layer in layers)
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = word.get(layer.kind, layer.kind)
        seen[name] += 1
        only = layer.kind in ("gap", "gmp", "flatten") or (layer.kind == "linear" and total["linear"] == 1)
        names.append(name if only and seen[name] == 1 else f"{name}{seen[name]}")
    return names


def in_words(shape: Shape) -> str:
    """ "16 × 14 × 14" for maps, "512" for a list."""
    return " × ".join(f"{n:,}" for n in shape)


def _maps(shape: Shape) -> str:
    return f"{shape[0]} map{'s' if shape[0] > 1 else ''} of {shape[1]} × {shape[2]}"


def _misfit(i: int, layer: Layer, shape: Shape, *, last: bool) -> str:
    head = f"Layer {i + 1}, {layer.text},"
    is_list = len(shape) == 1
    if is_list and KINDS[layer.kind].wants_maps:
        return (
            f"{head} needs maps, but a list of {shape[0]:,} numbers comes in. Put it before flatten, global pooling "
            "and linear."
        )
    if layer.kind == "linear":
        if not is_list:
            return (
                f"{head} needs a list of numbers, but {_maps(shape)} come in. Put flatten "
                "or a global pooling before it."
            )
        if last and layer.units:
            return f"{head} is the last one and gives one number for each class: write linear without a number."
        if not last and not layer.units:
            return f"{head} is not the last layer and needs a number of units, such as linear64."
    if layer.kind in ("conv", "max", "avg") and layer.kernel > shape[1] + 2 * layer.padding:
        room = shape[1] + 2 * layer.padding
        padded = f", {room} × {room} with its padding," if layer.padding else ""
        right = "a smaller kernel, more padding," if layer.kind == "conv" else "a smaller window"
        return (
            f"{head} has a window of {layer.kernel} × {layer.kernel}, but maps of {shape[1]} × {shape[2]}{padded} come "
            f"in. Use {right} or less pooling before it."
        )
    return ""


def _planned(layer: Layer, name: str, shape: Shape, classes: int, *, bias: bool) -> Planned:
    out, parameters, macs = shape, 0, 0
    if layer.kind in ("conv", "res", "max", "avg"):
        side = (shape[1] + 2 * layer.padding - layer.kernel) // layer.stride + 1
        out = (layer.units or shape[0], side, side)
    if layer.kind == "conv":
        weights = layer.units * shape[0] * layer.kernel**2
        parameters, macs = weights + layer.units * bias, weights * side * side
    elif layer.kind == "res":
        weights = 9 * layer.units * (shape[0] + layer.units)
        if shape[0] != layer.units or layer.stride != 1:
            weights += shape[0] * layer.units
        parameters, macs = weights + 4 * layer.units, weights * side * side
    elif layer.kind == "bn":
        parameters = 2 * shape[0]
    elif layer.kind in ("gap", "gmp"):
        out = (shape[0],)
    elif layer.kind == "flatten":
        out = (shape[0] * shape[1] * shape[2],)
    elif layer.kind == "linear":
        out = (layer.units or classes,)
        macs = shape[0] * out[0]
        parameters = macs + out[0]
    return Planned(layer, name, shape, out, parameters, macs, bias)


PRESETS: Final = {
    "tiny": ("Tiny CNN", "conv8k3-relu-max2-conv16k3-relu-max2-flatten-linear"),
    "lenet": (
        "LeNet-5",
        "conv6k5-relu-max2-conv16k5p0-relu-max2-flatten-linear120-relu-linear84-relu-linear",
    ),
    "mlp": ("MLP", "flatten-linear128-relu-linear"),
    "residual": ("Residual", "conv16k3-bn-relu-max2-res16-res32s2-gap-linear"),
}
"""Networks to begin with: key -> (title, specification)."""
