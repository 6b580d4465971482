"""The landmarks from LeNet-5 to ResNet: what each answered, and its graph and costs counted from the module itself.

Nothing heavy is made: the networks are built without weights, so that VGG-16's 138 million parameters take no memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from .errors import InvalidOption, quote, suggest

if TYPE_CHECKING:
    from .network import Network, Operation


@dataclass(frozen=True)
class Landmark:
    """One step of the history. Every figure in its words has its source beside it."""

    key: str
    title: str
    year: int
    paper: str
    problem: str
    """The pressure point: what did not work before."""
    answer: str
    """What it did about it."""
    models: tuple[str, ...]
    """Keys of the catalogue, the one that is shown first."""
    small: str
    """Key of the small member that ConvLens trained on clothing."""
    published: str
    """The number of parameters as it is published, in words, with its source."""
    published_parameters: int


LANDMARKS: Final[tuple[Landmark, ...]] = (
    Landmark(
        key="lenet",
        title="LeNet-5",
        year=1998,
        paper="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998",
        problem=(
            "Features were made by hand, and a fully connected network on pixels has a weight for every pixel: a digit "
            "that moves is a new digit to it."
        ),
        answer="One small kernel for all places, maps that shrink by averaging, and all of it learned from pixels.",
        models=("lenet5",),
        small="small_lenet",
        published="about 60 thousand (LeCun et al. 1998, section II.B)",
        published_parameters=60_000,
    ),
    Landmark(
        key="alexnet",
        title="AlexNet",
        year=2012,
        paper="Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks, 2012",
        problem=(
            "1.2 million photographs of a thousand kinds: networks large enough for them took too long to train, and "
            "learned the training pictures by heart."
        ),
        answer=(
            "ReLU, which trains faster than tanh; two graphics cards; dropout and augmentation against learning by "
            "heart. Top-5 error in ILSVRC 2012: 16.4 %, the next entry 26.2 % (Russakovsky et al. 2015)."
        ),
        models=("alexnet",),
        small="small_alexnet",
        published="61 million (60 million in Krizhevsky et al. 2012, abstract)",
        published_parameters=61_000_000,
    ),
    Landmark(
        key="vgg",
        title="VGG-16",
        year=2014,
        paper="Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition, 2015",
        problem="Kernels of 11, 7, 5 and 3 pixels: each layer was a decision of its own. Which sizes, and how deep?",
        answer=(
            "One decision: 3×3 everywhere, and depth makes up for the size. Top-5 error in ILSVRC 2014: 7.3 %, second "
            "place (Russakovsky et al. 2015)."
        ),
        models=("vgg16",),
        small="small_vgg",
        published="138 million (Simonyan and Zisserman 2015, table 2)",
        published_parameters=138_000_000,
    ),
    Landmark(
        key="googlenet",
        title="GoogLeNet",
        year=2014,
        paper="Szegedy et al.: Going deeper with convolutions, 2015",
        problem="More depth and width meant ever more weights and multiply-adds, and nobody knows the size to look at.",
        answer=(
            "Four sizes side by side, 1×1 convolutions that thin out the channels first, and an average over each map "
            "where others had millions of weights. Top-5 error in ILSVRC 2014: 6.7 %, first place (Russakovsky et al. "
            "2015)."
        ),
        models=("googlenet",),
        small="small_googlenet",
        published="6.6 million without the auxiliary heads (torchvision's weights entry)",
        published_parameters=6_600_000,
    ),
    Landmark(
        key="resnet",
        title="ResNet",
        year=2015,
        paper="He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016",
        problem=(
            "Deeper became worse, on the training pictures too: a plain network of 34 layers has 28.54 % top-1 error, "
            "one of 18 layers 27.94 % (He et al. 2016, table 2)."
        ),
        answer=(
            "A block adds what it computed to what came in, and has only the difference to learn: 34 layers 25.03 % "
            "(table 2). Top-5 error in ILSVRC 2015, several networks together: 3.57 % (He et al. 2016)."
        ),
        models=("resnet50", "resnet34", "resnet18"),
        small="small_resnet",
        published="ResNet-50: 25.6 million (torchvision's weights entry)",
        published_parameters=25_600_000,
    ),
)


def landmark(key: str) -> Landmark:
    """The landmark of this key; InvalidOption, naming the valid ones, where there is none."""
    for entry in LANDMARKS:
        if entry.key == key:
            return entry
    keys = [entry.key for entry in LANDMARKS]
    raise InvalidOption(f"There is no landmark {quote(key)}. {suggest(key, keys, limit=len(keys))}")


@dataclass(frozen=True)
class Node:
    """One box of an opened unit: an operation and those after it that only normalise, rectify or pass on."""

    name: str
    title: str
    shape: tuple[int, ...]
    n_parameters: int
    macs: int
    inputs: tuple[int, ...]
    """Positions of the boxes it reads, in the unit; -1 for what enters the unit."""


@dataclass(frozen=True)
class Unit:
    """One slab of a network's picture: a block (an Inception module, a residual block), or a layer with weights."""

    name: str
    title: str
    kind: str
    """The operation's kind, or "block"."""
    shape: tuple[int, ...]
    """What comes out, without the batch axis."""
    n_parameters: int
    macs: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Counted:
    """What one network costs for one picture of its own size; nothing of it was looked up."""

    key: str
    input_shape: tuple[int, ...]
    units: tuple[Unit, ...]
    n_parameters: int
    macs: int
    activation_bytes: int
    """4 bytes for each number that any operation gives."""
    layers: int
    """Convolutions and linear layers on the longest way from the picture to the logits."""
    n_operations: int


@cache
def counted(key: str) -> Counted:
    """A network of the catalogue, counted from its graph; built without weights, once. Raises UnknownModel."""
    from .models.architectures import build_architecture
    from .models.catalogue import card_of
    from .network import build_network

    card = card_of(key)
    network = build_network(build_architecture(key, trained=False), (card.channels, *card.input_size))
    return Counted(
        key=key,
        input_shape=network.input_shape,
        units=units_of(network),
        n_parameters=network.n_parameters,
        macs=network.macs,
        activation_bytes=4 * sum(math.prod(operation.output_shape) for operation in network.operations),
        layers=longest_way(network),
        n_operations=len(network.operations),
    )


_RESHAPING: Final = frozenset({"softmax", "flatten", "view", "dropout"})


def longest_way(network: Network) -> int:
    """Convolutions and linear layers on the longest way from the picture to the logits."""
    depth: dict[str, int] = {}
    for operation in network.operations:
        before = max((depth[name] for name in operation.inputs), default=0)
        depth[operation.name] = before + (operation.kind in ("conv2d", "linear"))
    return depth[network.output]


# What stands in the box of the operation before it.
_FOLLOWING: Final = frozenset(
    {"batch_norm2d", "relu", "tanh", "dropout", "flatten", "view", "identity", "softmax", "permute", "squeeze"}
)


def units_of(network: Network) -> tuple[Unit, ...]:
    """The network as a chain of slabs; what is in a block of the module tree is one slab."""
    units: list[list[Operation]] = []
    for block, members in groupby(network.operations, key=lambda operation: operation.group[1]):
        if block:
            units.append(list(members))
            continue
        for operation in members:
            if operation.kind in _FOLLOWING and units:
                units[-1].append(operation)
            else:
                units.append([operation])
    return tuple(_unit(members) for members in units)


def _unit(members: list[Operation]) -> Unit:
    nodes = _nodes(members)
    path, _, title = members[0].group[1].partition(" · ")
    return Unit(
        name=path or members[0].name,
        title=title if path and len(nodes) > 1 else nodes[0].title,
        kind="block" if path and len(nodes) > 1 else members[0].kind,
        shape=_shape(members),
        n_parameters=sum(operation.n_parameters for operation in members),
        macs=sum(operation.macs for operation in members),
        nodes=nodes,
    )


def _shape(members: list[Operation]) -> tuple[int, ...]:
    """What comes out before it is only laid out anew for the next layer, or turned into probabilities."""
    return next(o.output_shape for o in reversed(members) if o is members[0] or o.kind not in _RESHAPING)


def _nodes(members: list[Operation]) -> tuple[Node, ...]:
    place: dict[str, int] = {}
    runs: list[list[Operation]] = []
    for operation in members:
        source = place.get(operation.inputs[0]) if len(operation.inputs) == 1 else None
        # Only the end of a box goes on in it; a second reader of its output begins a box of its own.
        if operation.kind in _FOLLOWING and source is not None and runs[source][-1].name == operation.inputs[0]:
            runs[source].append(operation)
            place[operation.name] = source
        else:
            place[operation.name] = len(runs)
            runs.append([operation])
    return tuple(
        Node(
            name=run[0].name,
            title=", ".join(dict.fromkeys(o.short_title for o in run if o is run[0] or o.kind not in _RESHAPING)),
            shape=_shape(run),
            n_parameters=sum(o.n_parameters for o in run),
            macs=sum(o.macs for o in run),
            inputs=tuple(dict.fromkeys(place.get(name, -1) for name in run[0].inputs)),
        )
        for run in runs
    )


@dataclass(frozen=True)
class Reported:
    """One set of trained weights of torchvision, as its own entry reports it."""

    weights: str
    top1: float
    """Per cent of ImageNet's 50,000 validation pictures named right, one crop."""
    top5: float
    megabytes: float


def reported(key: str) -> tuple[Reported, ...]:
    """What torchvision reports of its trained weights, the oldest first; () for this project's own networks."""
    from .models.weights import OWN, entries

    if key in OWN:
        return ()
    found = []
    for entry in entries(key):
        metrics = entry.meta["_metrics"]["ImageNet-1K"]
        found.append(Reported(entry.name, metrics["acc@1"], metrics["acc@5"], float(entry.meta["_file_size"])))
    return tuple(sorted(found, key=lambda entry: entry.weights))
