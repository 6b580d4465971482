"""The small networks that train while a class watches, behind one registry, with how each one's weights begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import torch
from torch import nn

from ..errors import InvalidOption, quote, suggest
from . import landmark_modules, modules
from .built import PREFIX
from .data import Form, data_set
from .seeds import derived_seed

Scheme = Literal["torch", "he", "xavier"]
DEPTHS: Final = (8, 20, 32, 44)

_GREYS: Final = Form(1, 28, 10)
_HE: Final = "He et al. 2016"
_LENET: Final = "LeCun et al. 1998"


@dataclass(frozen=True)
class SmallNetwork:
    """One entry: how it is built, and how its weights are drawn.

    scheme: "torch" for torch's own beginning (uniform within 1 / sqrt(fan_in), biases too); "he" for normal weights of
    variance 2 / fan_in in the convolutions (He et al. 2015); "xavier" for normal weights of variance
    2 / (fan_in + fan_out) in the convolutions (Glorot and Bengio 2010). Linear layers always begin as torch's do.
    """

    key: str
    title: str
    build: Callable[[], nn.Module]
    scheme: Scheme
    year: int
    source: str
    prepare: Callable[[nn.Module], None] | None = None
    """What is set after the weights were drawn."""


_NETWORKS: dict[str, SmallNetwork] = {}


def register_network(network: SmallNetwork) -> SmallNetwork:
    """Add a network; ValueError where its key is taken."""
    if network.key in _NETWORKS:
        raise ValueError(f"there is a network {network.key!r} already")
    _NETWORKS[network.key] = network
    return network


def list_networks() -> tuple[SmallNetwork, ...]:
    """Every small network."""
    return tuple(_NETWORKS.values())


def small_network(key: str, data: str = "digits") -> SmallNetwork:
    """The network of this key for a data set's pictures and classes; "build:..." is one that a learner built.

    Raises InvalidOption, with close keys, where there is none, and for a network that reads other pictures.
    """
    form = data_set(data).form
    if str(key).startswith(PREFIX):
        from .built_modules import built_network

        return built_network(key, form)
    if key not in _NETWORKS:
        raise InvalidOption(f"There is no small network {quote(key)}. {suggest(str(key), _NETWORKS)}")
    if form != _GREYS:
        raise InvalidOption(
            f"{_NETWORKS[key].title} reads greys of {_GREYS.side} × {_GREYS.side} pixels and tells {_GREYS.classes} "
            f"classes apart; {data_set(data).title} is another form. Build a network for it (build:conv16-relu-...)."
        )
    return _NETWORKS[key]


def fresh_network(key: str, seed: int, data: str = "digits") -> nn.Module:
    """The network with the first weights of a seed, in training mode, on the CPU.

    Each parameter is drawn by itself, from the seed and its name: a layer of one name and shape begins alike in every
    network of one scheme. Nothing global is drawn from.
    """
    network = small_network(key, data)
    with torch.device("meta"):  # shapes without values: torch would draw these from the global generator
        module = network.build()
    module.to_empty(device="cpu")
    draw_weights(module, seed, network.scheme)
    if network.prepare is not None:
        network.prepare(module)
    return module.train().requires_grad_(True)


@torch.no_grad()
def draw_weights(module: nn.Module, seed: int, scheme: Scheme) -> None:
    """Fill every parameter and buffer of a module; see `SmallNetwork` for the schemes.

    Raises TypeError for a module with parameters of a kind that is not known here.
    """
    for name, part in module.named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            _draw_layer(part, name, seed, scheme if isinstance(part, nn.Conv2d) else "torch")
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()  # constants, nothing is drawn
        elif any(True for _ in part.parameters(recurse=False)):
            raise TypeError(f"how a {type(part).__name__} begins is not known")


def _draw_layer(layer: nn.Conv2d | nn.Linear, name: str, seed: int, scheme: Scheme) -> None:
    generator = torch.Generator().manual_seed(derived_seed(seed, "weights", f"{name}.weight"))
    if scheme == "he":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    elif scheme == "xavier":
        nn.init.xavier_normal_(layer.weight, generator=generator)
    else:
        bound = layer.weight[0].numel() ** -0.5
        layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        if scheme == "torch":
            generator.manual_seed(derived_seed(seed, "weights", f"{name}.bias"))
            layer.bias.uniform_(-bound, bound, generator=generator)
        else:
            layer.bias.zero_()


def _lenet5() -> nn.Module:
    from ..models.lenet5 import LeNet5

    return LeNet5()


for _network in (
    SmallNetwork("lenet5", "LeNet-5 with ReLU and max pooling", _lenet5, "torch", 1998, _LENET),
    SmallNetwork("lenet5_1998", "LeNet-5 with tanh and average pooling", modules.lenet5_1998, "torch", 1998, _LENET),
    SmallNetwork("mlp", "MLP 784-128-10", modules.mlp, "torch", 1986, "Rumelhart, Hinton and Williams 1986"),
    SmallNetwork(
        "cnn", "CNN 16-32-32, global max pooling", modules.cnn, "torch", 2014, "Lin et al. 2014 (global pooling)"
    ),
    SmallNetwork(
        "six_convolutions",
        "Six convolutions",
        partial(modules.six_convolutions, batch_norm=False),
        "torch",
        2015,
        "Ioffe and Szegedy 2015",
    ),
    SmallNetwork(
        "six_convolutions_bn",
        "Six convolutions with batch norm",
        partial(modules.six_convolutions, batch_norm=True),
        "torch",
        2015,
        "Ioffe and Szegedy 2015",
    ),
    SmallNetwork(
        "deep_sigmoid",
        "20 convolutions with sigmoid",
        partial(modules.deep_stack, nn.Sigmoid),
        "xavier",
        2010,
        "Glorot and Bengio 2010",
    ),
    SmallNetwork(
        "deep_tanh",
        "20 convolutions with tanh",
        partial(modules.deep_stack, nn.Tanh),
        "xavier",
        2010,
        "Glorot and Bengio 2010",
    ),
    SmallNetwork(
        "deep_relu_xavier",
        "20 convolutions with ReLU, Xavier weights",
        partial(modules.deep_stack, nn.ReLU),
        "xavier",
        2010,
        "Glorot and Bengio 2010",
    ),
    SmallNetwork(
        "deep_relu",
        "20 convolutions with ReLU, He weights",
        partial(modules.deep_stack, nn.ReLU),
        "he",
        2015,
        "He et al. 2015",
    ),
    SmallNetwork("small_cnn", "Small CNN", modules.small_cnn, "torch", 2012, "after Krizhevsky et al. 2012"),
    SmallNetwork(
        "small_cnn_input_bn",
        "Small CNN with batch norm on the picture",
        partial(modules.small_cnn, input_bn=True),
        "torch",
        2015,
        "Ioffe and Szegedy 2015",
    ),
    SmallNetwork("big_cnn", "Big CNN with batch norm", modules.big_cnn, "torch", 2015, "after Ioffe and Szegedy 2015"),
    SmallNetwork("resnet7", "ResNet-7", modules.resnet7, "torch", 2015, _HE),
    SmallNetwork("small_lenet", "Small LeNet", landmark_modules.small_lenet, "torch", 1998, _LENET),
    SmallNetwork(
        "small_alexnet", "Small AlexNet", landmark_modules.small_alexnet, "he", 2012, "Krizhevsky et al. 2012"
    ),
    SmallNetwork("small_vgg", "Small VGG", landmark_modules.small_vgg, "he", 2014, "Simonyan and Zisserman 2015"),
    SmallNetwork(
        "small_googlenet", "Small GoogLeNet", landmark_modules.small_googlenet, "he", 2014, "Szegedy et al. 2015"
    ),
    SmallNetwork(
        "small_resnet", "Small ResNet", landmark_modules.small_resnet, "he", 2015, _HE, modules.start_as_identity
    ),
    *(
        SmallNetwork(
            f"plain_{depth}",
            f"Plain network, {depth} layers",
            partial(modules.deep_network, depth, residual=False),
            "he",
            2015,
            _HE,
        )
        for depth in DEPTHS
    ),
    *(
        SmallNetwork(
            f"residual_{depth}",
            f"Residual network, {depth} layers",
            partial(modules.deep_network, depth, residual=True),
            "he",
            2015,
            _HE,
            modules.start_as_identity,
        )
        for depth in DEPTHS
    ),
):
    register_network(_network)
