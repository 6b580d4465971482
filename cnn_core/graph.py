"""From a torch module to a `Network`: steps to run, and operations with names, shapes and titles."""

from __future__ import annotations

import copy
import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.fx as fx
from torch import Tensor, nn
from torch.fx.node import Node

from .grouping import block, resolution, stages
from .network import Attributes, Network, Operation
from .operations.registry import Axes, Call, Kind, anonymous_axes, get_kind, kind_of_function, kind_of_module
from .program import Program, Slot, Step
from .rewriting import plain_graph

_BATCH = 2  # shapes are worked out for two pictures, so that the batch axis cannot be taken for another one


class _Method:
    """Calls a tensor's method by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, tensor: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(tensor, self.name)(*args, **kwargs)


def build(module: nn.Module, input_shape: tuple[int, ...]) -> Network:
    """See `cnn_core.network.build_network`."""
    if module.training:
        raise ValueError("The module is in training mode: call .eval() first.")
    if len(input_shape) not in (1, 3) or any(n < 1 for n in input_shape):
        raise ValueError(f"input_shape is (C, H, W) without the batch axis, not {input_shape}.")
    return _Builder(module, plain_graph(module), tuple(input_shape)).network()


def _plain(argument: Any, of_node: Callable[[Node], Any]) -> Any:
    """An fx argument as plain tuples, lists, dicts and slices, with each node replaced by of_node(node)."""
    if isinstance(argument, Node):
        return of_node(argument)
    if isinstance(argument, (tuple, list)):
        items = [_plain(a, of_node) for a in argument]
        return tuple(items) if isinstance(argument, tuple) else items
    if isinstance(argument, dict):
        return {k: _plain(v, of_node) for k, v in argument.items()}
    if isinstance(argument, slice):
        return slice(*(_plain(a, of_node) for a in (argument.start, argument.stop, argument.step)))
    return argument


def _nodes_in(argument: Any) -> Iterator[Node]:
    found: list[Node] = []
    _plain(argument, found.append)
    yield from found


def _meta_tensor(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def _meta_twin(module: nn.Module) -> nn.Module:
    """A copy of a module that shares nothing and holds no numbers, to work out shapes without computing."""
    twin = copy.copy(module)
    state = twin.__dict__
    for store in ("_parameters", "_buffers"):
        state[store] = {k: None if t is None else _meta_tensor(t) for k, t in state[store].items()}
    state["_parameters"] = {k: None if t is None else nn.Parameter(t, False) for k, t in state["_parameters"].items()}
    state["_forward_hooks"], state["_forward_pre_hooks"] = {}, {}
    state["_modules"] = {k: None if m is None else _meta_twin(m) for k, m in state["_modules"].items()}
    return twin


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) for v in value)


@dataclass(frozen=True)
class _Found:
    """What a node says of an operation: its kind (None: unknown), what it is called, where it stands, what it uses."""

    kind: Kind | None = None
    what: str = ""
    owner: str = ""
    path: str = ""
    parameters: dict[str, Tensor] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


class _Builder:
    """Walks the fx graph once, and collects steps, operations and their parameters."""

    def __init__(self, root: nn.Module, graph: fx.Graph, input_shape: tuple[int, ...]) -> None:
        self.root, self.graph, self.input_shape = root, graph, input_shape
        self.constants: dict[Node, Any] = {}  # what depends on no input: parameters, buffers, numbers made of them
        self.shapes: dict[Node, Any] = {}  # each node's value on the meta device
        self.names: dict[Node, str] = {}  # of the nodes that are operations
        self.slots: dict[Node, int] = {}
        self.steps: list[Step] = []
        self.calls: dict[str, tuple[Kind, Call, tuple[str, ...], _Found]] = {}
        self.parameters: dict[str, dict[str, Tensor]] = {}
        self.axes: dict[str, Axes] = {}
        self.used: dict[str, int] = {"input": 1, "softmax": 1}

    @torch.no_grad()
    def network(self) -> Network:
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self._add_input(node)
            elif node.op == "get_attr":
                self.constants[node] = operator.attrgetter(node.target)(self.root)
            elif node.op == "output":
                self._add_softmax(node.args[0])
            else:
                self._add_call(node)
        recorded = tuple(name for name, (kind, call, *_) in self.calls.items() if kind.is_recorded(call))
        return Network(self._operations(), Program(tuple(self.steps)), self.parameters, self.input_shape, recorded)

    def _add_input(self, node: Node) -> None:
        if self.steps:
            if node.args:  # a further argument of forward with a default
                self.constants[node] = node.args[0]
                return
            raise ValueError("The forward pass takes more than one argument.")
        dtype = next((p.dtype for p in self.root.parameters() if p.is_floating_point()), torch.float32)
        self.shapes[node] = torch.empty((_BATCH, *self.input_shape), device="meta", dtype=dtype)
        self._add_step(node, "input", _Method("alias"), (), {})
        self._remember("input", get_kind("input"), Call({}, (), (), self.input_shape, {}), (), _Found())

    def _add_softmax(self, logits: Node) -> None:
        if logits not in self.names:
            raise ValueError("The output does not depend on the input.")
        slot = Slot(self.slots[logits])
        function = functools.partial(torch.softmax, dim=1)
        self.steps.append(Step(len(self.steps), "softmax", function, (slot,), {}, (slot.number,)))
        name = self.names[logits]
        shape = tuple(self.shapes[logits].shape[1:])
        call = Call({"dim": 1}, (shape,), (self.axes[name],), shape, {})
        self._remember("softmax", get_kind("softmax"), call, (name,), _Found())

    def _add_call(self, node: Node) -> None:
        function = self._function(node)
        if all(n in self.constants for n in node.all_input_nodes):
            args, kwargs = (_plain(a, self.constants.__getitem__) for a in (node.args, node.kwargs))
            self.constants[node] = function(*args, **kwargs)
            return
        self.shapes[node] = self._shape(node, function)
        if not isinstance(self.shapes[node], Tensor):
            self._add_step(node, "", function, node.args, node.kwargs)
            return
        if self.shapes[node].dim() < 2 or self.shapes[node].shape[0] != _BATCH:
            raise ValueError(f"The output of {node.name} does not begin with the batch axis.")
        self._add_operation(node, function)

    def _function(self, node: Node) -> Callable[..., Any]:
        if node.op == "call_module":
            return self.root.get_submodule(str(node.target))
        return node.target if callable(node.target) else _Method(str(node.target))

    def _shape(self, node: Node, function: Callable[..., Any]) -> Any:
        def of_node(n: Node) -> Any:
            if n not in self.constants:
                return self.shapes[n]
            value = self.constants[n]
            return _meta_tensor(value) if isinstance(value, Tensor) else value

        kind = kind_of_module(function) if isinstance(function, nn.Module) else kind_of_function(node.target)
        if kind is not None and kind.keeps_shape:
            return self.shapes[node.all_input_nodes[0]]
        run: Callable[..., Any] = _meta_twin(function) if isinstance(function, nn.Module) else function
        args, kwargs = (_plain(a, of_node) for a in (node.args, node.kwargs))
        return run(*args, **kwargs)

    def _add_step(self, node: Node, name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        def of_node(n: Node) -> Any:
            return self.constants[n] if n in self.constants else Slot(self.slots[n])

        slot = self.slots[node] = len(self.steps)
        reads = tuple(dict.fromkeys(self.slots[n] for n in _nodes_in((args, kwargs)) if n in self.slots))
        self.steps.append(Step(slot, name, function, _plain(args, of_node), _plain(kwargs, of_node), reads))
        if name:
            self.names[node] = name

    def _add_operation(self, node: Node, function: Callable[..., Any]) -> None:
        found = self._of_module(node, function) if isinstance(function, nn.Module) else self._of_function(node)
        inputs = tuple(self._sources(node))
        call = Call(
            found.attributes,
            tuple(tuple(self.shapes[n].shape[1:]) for n in inputs),
            tuple(self.axes[self.names[n]] for n in inputs),
            tuple(self.shapes[node].shape[1:]),
            {k: tuple(p.shape) for k, p in found.parameters.items()},
        )
        kind = found.kind
        if kind is None or not kind.fits(call) or any(_holds_tensors(self.shapes.get(n)) for n in node.all_input_nodes):
            kind = get_kind("other")
            plain = {k: v for k, v in found.attributes.items() if isinstance(v, (int, float, str, bool, tuple))}
            call = dataclasses.replace(call, attributes=plain | {"what": found.what})
        name = self._unique(found.path or ".".join(filter(None, (found.owner, found.what))))
        self._add_step(node, name, function, node.args, node.kwargs)
        self._remember(name, kind, call, tuple(self.names[n] for n in inputs), found)

    def _of_module(self, node: Node, module: nn.Module) -> _Found:
        kind, path = kind_of_module(module), str(node.target)
        return _Found(
            kind,
            what=type(module).__name__,
            owner=path.rpartition(".")[0],
            path=path,
            # An unknown module's own layers are part of it.
            parameters=_tensors_of(module, recurse=kind is None),
            attributes=kind.modules[type(module)](module) if kind else {},
        )

    def _of_function(self, node: Node) -> _Found:
        kind = kind_of_function(node.target)
        what = node.meta.get("function_name") or getattr(node.target, "__name__", str(node.target))
        owner: str = next(reversed(node.meta.get("nn_module_stack") or {"": None}))
        arguments = self._arguments(node, kind.functions[node.target] if kind else ("*inputs",))
        parameters = {k: v for k, v in arguments.items() if isinstance(v, Tensor)}
        plain = {k: v for k, v in arguments.items() if k not in parameters}
        shapes = {k: tuple(p.shape) for k, p in parameters.items()}
        attributes: dict[str, Any] = {}
        if kind is not None:
            try:
                attributes = kind.read(plain, shapes)
            except (KeyError, TypeError):  # an argument is itself computed by the network: not this kind's arithmetic
                kind = None
        return _Found(kind, str(what), owner, "", parameters, attributes)

    def _sources(self, node: Node) -> Iterator[Node]:
        """The operations that a node reads, in the order of its arguments; through hidden tuples of tensors too."""
        for argument in _nodes_in((node.args, node.kwargs)):
            if argument in self.names:
                yield argument
            elif _holds_tensors(self.shapes.get(argument)):
                yield from self._sources(argument)

    def _arguments(self, node: Node, names: tuple[str, ...]) -> dict[str, Any]:
        """A call's arguments by name, without those that the network computes: constant tensors and plain values."""
        bound: dict[str, Any] = {}
        for position, name in enumerate(names):
            if name.startswith("*"):
                rest = node.args[position:]
                bound[name[1:]] = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
                break
            if position < len(node.args):
                bound[name] = node.args[position]
        bound.update(node.kwargs)

        def of_node(n: Node) -> Any:
            return self.constants[n] if n in self.constants else self.shapes[n]

        return {
            name: _plain(value, of_node)
            for name, value in bound.items()
            if value is not None and not any(n in self.names for n in _nodes_in(value))
        }

    def _unique(self, base: str) -> str:
        self.used[base] = self.used.get(base, 0) + 1
        if self.used[base] == 1:
            return base
        return self._unique(f"{base}:{self.used[base]}")

    def _remember(self, name: str, kind: Kind, call: Call, inputs: tuple[str, ...], found: _Found) -> None:
        axes = kind.axes(call)
        self.axes[name] = axes if len(axes) == len(call.output_shape) else anonymous_axes(call.output_shape)
        self.calls[name] = (kind, call, inputs, found)
        if found.parameters:
            self.parameters[name] = found.parameters

    def _operations(self) -> tuple[Operation, ...]:
        inputs = {name: reads for name, (_, _, reads, _) in self.calls.items()}
        sizes = {name: resolution(self.axes[name], call.output_shape) for name, (_, call, *_) in self.calls.items()}
        blocks = {name: block(found.owner, self.root) for name, (*_, found) in self.calls.items()}
        stage = stages(inputs, sizes, blocks)
        return tuple(
            Operation(
                name=name,
                kind=kind.key,
                title=kind.title(call),
                short_title=kind.short_title(call),
                module_path=found.path,
                inputs=reads,
                output_shape=call.output_shape,
                group=(stage[name], blocks[name]),
                attributes=Attributes(call.attributes),
                n_parameters=_count(found.parameters),
                macs=kind.macs(call),
                axes=self.axes[name],
                reach=kind.reach_of(call),
            )
            for name, (kind, call, reads, found) in self.calls.items()
        )


def _tensors_of(module: nn.Module, *, recurse: bool) -> dict[str, Tensor]:
    """Parameters and buffers by name; the counter of batches is of no use in eval mode."""
    found = {**dict(module.named_parameters(recurse=recurse)), **dict(module.named_buffers(recurse=recurse))}
    return {k: t for k, t in found.items() if not k.endswith("num_batches_tracked")}


def _count(tensors: Mapping[str, Tensor]) -> int:
    return sum(t.numel() for t in tensors.values() if isinstance(t, nn.Parameter))
