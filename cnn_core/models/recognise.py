"""Which architecture a file's weights belong to, and how that architecture is built for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import torch
from torch import Tensor, nn

from ..errors import InvalidOption, UnknownModel, quote, suggest
from ..preprocessing import Preprocessing
from ..training.built import PREFIX, Layer, Planned, examine, parse, tidy, write
from ..training.built_modules import module_of
from ..training.data import Form, data_set
from ..training.networks import SmallNetwork, list_networks
from ..training.snapshots import first_convolution
from .architectures import TRAINING_ONLY_PREFIXES, build_architecture, head_of
from .catalogue import card_of, class_names_of, list_models, model_keys
from .families import family_of
from .normalisations import SMALLEST_SIDE, with_channels
from .state_dicts import misfits, unwrap

# Whose preprocessing a built network has when nothing is said.
_GREYS: Final = "digits"
_COLOURS: Final = "cow_camel"
_MOST_HEADS: Final = 200
_UNTRAINED: Final = (".running_mean", ".running_var", ".num_batches_tracked")


@dataclass(frozen=True)
class Architecture:
    """A kind of network that a file of weights can be for."""

    key: str
    title: str
    family: str
    year: int
    source: str
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    """The classes that it has when nobody says otherwise; empty where that depends on the data."""
    build: Callable[[int | None], nn.Module]
    """The network for so many classes (None: its own number), in eval mode, without values."""


def architecture_keys() -> tuple[str, ...]:
    """Every architecture that has a name: the catalogue's, then the small networks of the training lab."""
    known = model_keys()
    return (*known, *(network.key for network in list_networks() if network.key not in known))


def architecture_titles() -> dict[str, str]:
    """Titles of `architecture_keys()` by key, for people."""
    titles = {card.key: f"{card.title} ({card.year})" for card in list_models()}
    return titles | {n.key: f"{n.title} ({n.year})" for n in list_networks() if n.key not in titles}


def architecture_of(key: str, state: Mapping[str, Tensor]) -> Architecture:
    """The architecture of a key, or of a "build:..." specification, as these weights want it.

    state: decides a built network's channels and side, and whether the first layer reads greys or colours. Raises
    UnknownModel or InvalidOption where there is no such architecture.
    """
    if key.startswith(PREFIX):
        return _built(key, state)
    if key in model_keys():
        return _of_catalogue(key, state)
    networks = {network.key: network for network in list_networks()}
    if key not in networks:
        raise UnknownModel(
            f"There is no architecture {quote(key)}. {suggest(key, architecture_keys())} A network that was built "
            f"layer by layer is given as its specification, {PREFIX}conv16-relu-gap-linear for example."
        )
    return _small(networks[key], _preprocessing(_GREYS))


def recognise(state: Mapping[str, Tensor], told: str | None = None) -> tuple[str, ...]:
    """The keys of all architectures that these weights fit, whatever the number of classes; at most a few.

    told: what the file itself says; where it fits, it is the only one. torchvision's networks are found by their number
    of parameters, so that only those that can fit are built.
    """
    if told is not None and _fits(told, state):
        return (told,)
    found = tuple(key for key in dict.fromkeys(_by_parameters(state)) if _fits(key, state))
    if found:
        return found  # no small network has the names of one of torchvision's
    ends = {".".join(name.split(".")[-depth:]) for name in state for depth in (1, 2, 3, 4, 5)}
    small = (key for key in architecture_keys() if not _is_torchvision(key) and _names_of(key) <= ends)
    return tuple(key for key in small if _fits(key, state))


@cache
def _names_of(key: str) -> frozenset[str]:
    """The parameters' names of an architecture."""
    return frozenset(name for name, _ in architecture_of(key, {}).build(None).named_parameters())


def _is_torchvision(key: str) -> bool:
    return key in model_keys() and card_of(key).input_size[0] > 32


def _fits(key: str, state: Mapping[str, Tensor]) -> bool:
    try:
        module = architecture_of(key, state).build(None)
    except (UnknownModel, InvalidOption):
        return False
    found, _ = unwrap(state, module.state_dict())
    return not misfits(module, found, head=head_of(module))


def _by_parameters(state: Mapping[str, Tensor]) -> Iterator[str]:
    cards = [card for card in list_models() if _is_torchvision(card.key)]
    for group in _groups(state):
        total = sum(tensor.numel() for tensor in group.values())
        # Every head of torchvision is a linear layer, or a convolution of 1 x 1, with a bias; without it the rest of a
        # network has a number of parameters of its own.
        for classes, inputs in sorted(_possible_heads(group))[:_MOST_HEADS]:
            body = total - classes * (inputs + 1)
            for card in cards:
                if card.n_parameters - card.n_classes * (inputs + 1) == body:
                    yield card.key


def _possible_heads(group: Mapping[str, Tensor]) -> set[tuple[int, int]]:
    """(outputs, inputs) of all layers that could be a head; the order of tensors in a file says nothing."""
    found = set()
    for name, weight in group.items():
        bias = group.get(f"{name.removesuffix('.weight')}.bias")
        is_weight = name.endswith(".weight") and weight.dim() in (2, 4) and tuple(weight.shape[2:]) in ((), (1, 1))
        if is_weight and bias is not None and bias.shape == weight.shape[:1]:
            found.add((weight.shape[0], weight.shape[1]))
    return found


def _groups(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The learned tensors: all of them, and those under the first one and two names of a path."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if name.endswith(_UNTRAINED) or name.startswith(TRAINING_ONLY_PREFIXES):
            continue
        parts = name.split(".", 2)
        for prefix in {"", parts[0], ".".join(parts[:2])}:
            groups.setdefault(prefix, {})[name] = tensor
    yield from groups.values()


def _of_catalogue(key: str, state: Mapping[str, Tensor]) -> Architecture:
    card = card_of(key)
    row = family_of(key)
    converts = row is not None and row[0].transforms_input
    module = build_architecture(key, trained=True)
    given = None if converts else _channels_given(module, state)

    def build(n_classes: int | None) -> nn.Module:
        made = build_architecture(key, n_classes=n_classes, trained=True)
        if given is not None:
            _replace_first(made, given)
        return made

    preprocessing = card.preprocessing if given is None else with_channels(card.preprocessing, given)
    return Architecture(key, card.title, card.family, card.year, card.source, preprocessing, class_names_of(key), build)


def _channels_given(module: nn.Module, state: Mapping[str, Tensor]) -> int | None:
    """1 or 3 where the file's first convolution reads that many channels and the architecture's own another number."""
    first = first_convolution(module)
    found, _ = unwrap(state, module.state_dict())
    path = next((path for path, part in module.named_modules() if part is first), "")
    weight = found.get(f"{path}.weight")
    if first is None or first.groups != 1 or weight is None or weight.dim() != 4:
        return None
    return weight.shape[1] if weight.shape[1] in (1, 3) and weight.shape[1] != first.in_channels else None


def _replace_first(module: nn.Module, channels: int) -> None:
    first = first_convolution(module)
    assert first is not None
    first.in_channels = channels
    first.weight = nn.Parameter(
        torch.empty(first.out_channels, channels, *first.kernel_size, device="meta"), requires_grad=False
    )


def _small(network: SmallNetwork, preprocessing: Preprocessing, classes: tuple[str, ...] = ()) -> Architecture:
    def build(n_classes: int | None) -> nn.Module:
        with torch.device("meta"):
            module = network.build()
            path = head_of(module)
            head = module.get_submodule(path)
            if n_classes is not None and isinstance(head, nn.Linear) and head.out_features != n_classes:
                module.set_submodule(path, nn.Linear(head.in_features, n_classes, bias=head.bias is not None))
        return module.eval()

    return Architecture(
        network.key, network.title, "Training lab", network.year, network.source, preprocessing, classes, build
    )


def _preprocessing(key: str) -> Preprocessing:
    data = data_set(key)
    return Preprocessing(
        resize=data.side,
        crop=data.side,
        mean=(data.mean,) * data.channels,
        std=(data.std,) * data.channels,
        channels=data.channels,
        invert_light_background=data.light_on_black,
    )


def _built(key: str, state: Mapping[str, Tensor]) -> Architecture:
    layers = tidy(parse(key))
    form = _form_of(layers, state)
    plan = examine(layers, form)
    if plan.problem:
        raise InvalidOption(f"{quote(key, limit=120)} is no network: {plan.problem}")
    preprocessing = _preprocessing(_GREYS if form.channels == 1 else _COLOURS)
    network = SmallNetwork(
        write(layers), "A network built layer by layer", lambda: module_of(plan), "torch", 2026, "Built in ConvLens"
    )
    return _small(network, replace(preprocessing, resize=form.side, crop=form.side))


def _form_of(layers: tuple[Layer, ...], state: Mapping[str, Tensor]) -> Form:
    """Channels and side for which the layers have the weights' shapes; where there are none, those of the course."""
    usual = {channels: data_set(key).side for channels, key in ((1, _GREYS), (3, _COLOURS))}
    ends = [name for name in state if name.endswith("weight")]
    for channels in usual:
        for tried in dict.fromkeys((usual[channels], *range(SMALLEST_SIDE, 257))):
            plan = examine(layers, Form(channels, tried, 2))
            if not plan.problem and all(_agrees(step, state, ends) for step in plan.steps):
                return plan.form
    channels = 3 if ends and state[ends[0]].dim() == 4 and state[ends[0]].shape[1] == 3 else 1
    return Form(channels, usual[channels], 2)


def _agrees(step: Planned, state: Mapping[str, Tensor], names: list[str]) -> bool:
    """Whether the layer's weights read as many channels or numbers as come in."""
    path = {"conv": "weight", "linear": "weight", "res": "conv1.weight"}.get(step.layer.kind)
    if path is None:
        return True
    wanted = f"{step.name}.{path}"
    found = next((name for name in names if name == wanted or name.endswith(f".{wanted}")), None)
    return found is None or (state[found].dim() >= 2 and state[found].shape[1] == step.input_shape[0])
