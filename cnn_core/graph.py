"""From a torch module to a `Network`: the torch.fx graph, made free of in-place operations and given names and shapes."""

from __future__ import annotations

import copy
import functools
import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.fx as fx
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.node import Node
from torchvision.ops import StochasticDepth

from .grouping import block, resolution, stages
from .network import Attributes, Network, Operation
from .operations.registry import Axes, Call, Kind, anonymous_axes, get_kind, kind_of_function, kind_of_module
from .operations.shaping import split_point, take_part
from .program import Program, Slot, Step

_OUT_OF_PLACE: Mapping[Any, Callable[..., Any]] = {
    getattr(operator, f"i{name}"): getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul")
}
_SPLITS: Mapping[Any, str] = {torch.chunk: "chunk", "chunk": "chunk", torch.split: "split", "split": "split"}
_BATCH = 2  # shapes are worked out for two pictures, so that the batch axis cannot be taken for another one


class _Tracer(fx.Tracer):
    """Keeps stochastic depth as one operation; everything of torch.nn is one already."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, StochasticDepth) or super().is_leaf_module(m, module_qualified_name)


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
    graph = _trace(module)
    _remove_in_place(graph, module)
    _open_splits(graph)
    _remove_unused(graph)
    return _Builder(module, graph, tuple(input_shape)).network()


def _trace(module: nn.Module) -> fx.Graph:
    try:
        graph = _Tracer().trace(module)
    except (fx.proxy.TraceError, TypeError) as error:
        raise ValueError(f"The forward pass of {type(module).__name__} depends on values: {error}") from error
    result = next(n for n in graph.nodes if n.op == "output").args[0]
    if not isinstance(result, Node):
        raise ValueError(f"{type(module).__name__} returns more than one tensor.")
    return graph


def _remove_in_place(graph: fx.Graph, root: nn.Module) -> None:
    """Make every in-place call out of place; what read the overwritten tensor later reads the new one."""
    was_in_place = {path for path, m in root.named_modules() if getattr(m, "inplace", False) is True}
    for path in was_in_place:
        root.get_submodule(path).inplace = False  # type: ignore[assignment]
    order = {node: i for i, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        changed = node.target in was_in_place if node.op == "call_module" else _make_out_of_place(node)
        overwritten = next(iter(node.all_input_nodes), None) if changed else None
        if overwritten is not None:
            after = functools.partial(_comes_after, order=order, node=node)
            overwritten.replace_all_uses_with(node, delete_user_cb=after)


def _comes_after(user: Node, *, order: Mapping[Node, int], node: Node) -> bool:
    return order[user] > order[node]


def _make_out_of_place(node: Node) -> bool:
    """Rewrite one function or method call; True where it would have overwritten its input."""
    if node.op == "call_method" and node.target.endswith("_") and not node.target.endswith("__"):
        node.target = node.target[:-1]
        return True
    if node.op != "call_function":
        return False
    if node.target in _OUT_OF_PLACE:
        node.target = _OUT_OF_PLACE[node.target]
        return True
    name = getattr(node.target, "__name__", "")
    if name.endswith("_") and not name.endswith("__"):
        node.target = next(getattr(m, name[:-1]) for m in (F, torch) if hasattr(m, name[:-1]))
        return True
    if node.kwargs.get("inplace"):
        node.kwargs = {**node.kwargs, "inplace": False}
        return True
    position = _position_of_inplace(node.target)
    if position is not None and len(node.args) > position and node.args[position]:
        node.args = (*node.args[:position], False, *node.args[position + 1 :])
        return True
    return False


def _position_of_inplace(function: Callable[..., Any]) -> int | None:
    try:
        names = list(inspect.signature(function).parameters)
    except (ValueError, TypeError):  # builtins tell no signature; those of torch take no positional `inplace`
        return None
    return names.index("inplace") if "inplace" in names else None


def _open_splits(graph: fx.Graph) -> None:
    """Turn chunk and split, which return tuples, into one operation that passes the whole and one for each part."""
    for node in list(graph.nodes):
        way = _SPLITS.get(node.target) if node.op in ("call_function", "call_method") else None
        if way is None or not all(u.target is operator.getitem and isinstance(u.args[1], int) for u in node.users):
            continue
        tensor, *rest = node.args
        pieces = rest[0] if rest else next(v for k, v in node.kwargs.items() if k.startswith(("chunk", "split")))
        dim = rest[1] if len(rest) > 1 else node.kwargs.get("dim", 0)
        with graph.inserting_before(node):
            whole = graph.call_function(split_point, (tensor, pieces, dim))
        whole.meta = {**node.meta, "function_name": way}
        for user in list(node.users):
            with graph.inserting_before(user):
                part = graph.call_function(take_part, (whole, pieces, dim, user.args[1], way))
            part.meta = {**user.meta, "function_name": "getitem"}
            user.replace_all_uses_with(part)
            graph.erase_node(user)
        graph.erase_node(node)


def _remove_unused(graph: fx.Graph) -> None:
    # Nothing has side effects once the in-place calls are gone, so whatever nobody reads can go.
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


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
    state["_modules"] = {k: None if m is None else _meta_twin(m) for k, m in state["_modules"].items()}
    return twin


class _Builder:
    """Walks the fx graph once, and collects steps, operations and their parameters."""

    def __init__(self, root: nn.Module, graph: fx.Graph, input_shape: tuple[int, ...]) -> None:
        self.root, self.graph, self.input_shape = root, graph, input_shape
        self.constants: dict[Node, Any] = {}  # what depends on no input: parameters, buffers, numbers made of them
        self.shapes: dict[Node, Any] = {}  # each node's value on the meta device
        self.names: dict[Node, str] = {}  # of the nodes that are operations
        self.slots: dict[Node, int] = {}
        self.steps: list[Step] = []
        self.calls: dict[str, tuple[Kind, Call, tuple[str, ...], str, str]] = {}
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
        return Network(self._operations(), Program(tuple(self.steps)), self.parameters, self.input_shape)

    def _add_input(self, node: Node) -> None:
        if self.steps:
            if node.args:  # a further argument of forward with a default
                self.constants[node] = node.args[0]
                return
            raise ValueError("The forward pass takes more than one argument.")
        self.shapes[node] = torch.empty((_BATCH, *self.input_shape), device="meta")
        self._add_step(node, "input", _Method("alias"), (), {})
        axes = ("channel", "row", "column") if len(self.input_shape) == 3 else ("feature",)
        call = Call({}, (), (), self.input_shape, {})
        self._remember("input", get_kind("input"), call, (), "", "", {}, axes)

    def _add_softmax(self, logits: Node) -> None:
        if logits not in self.names:
            raise ValueError("The output does not depend on the input.")
        slot = Slot(self.slots[logits])
        function = functools.partial(torch.softmax, dim=1)
        self.steps.append(Step(len(self.steps), "softmax", function, (slot,), {}, (slot.number,)))
        name = self.names[logits]
        shape = tuple(self.shapes[logits].shape[1:])
        call = Call({"dim": 1}, (shape,), (self.axes[name],), shape, {})
        self._remember("softmax", get_kind("softmax"), call, (name,), "", "", {}, self.axes[name])

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
            return self.root.get_submodule(node.target)
        return _Method(node.target) if node.op == "call_method" else node.target

    def _shape(self, node: Node, function: Callable[..., Any]) -> Any:
        def of_node(n: Node) -> Any:
            if n not in self.constants:
                return self.shapes[n]
            value = self.constants[n]
            return _meta_tensor(value) if isinstance(value, Tensor) else value

        run = _meta_twin(function) if isinstance(function, nn.Module) else function
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
        inputs = tuple(self._sources(node))
        parameters: dict[str, Tensor]
        if isinstance(function, nn.Module):
            kind, what = kind_of_module(function), type(function).__name__
            parameters = _tensors_of(function, recurse=kind is None)
            attributes = kind.modules[type(function)](function) if kind else {}
            owner, path = node.target.rpartition(".")[0], node.target
            base = node.target
        else:
            target = node.target
            base_name = node.meta.get("function_name") or getattr(target, "__name__", str(target))
            kind, what = kind_of_function(target), base_name
            parameters, attributes = self._arguments(node, kind)
            owner, path = next(reversed(node.meta.get("nn_module_stack") or {"": None})), ""
            base = f"{owner}.{base_name}" if owner else base_name
        call = Call(
            attributes,
            tuple(tuple(self.shapes[n].shape[1:]) for n in inputs),
            tuple(self.axes[self.names[n]] for n in inputs),
            tuple(self.shapes[node].shape[1:]),
            {k: tuple(p.shape) for k, p in parameters.items()},
        )
        through_tuple = any(
            not isinstance(self.shapes.get(n), (Tensor, int)) for n in node.all_input_nodes if n in self.slots
        )
        if kind is None or through_tuple or not kind.fits(call):
            kind = get_kind("other")
            plain = {k: v for k, v in attributes.items() if isinstance(v, (int, float, str, bool, tuple))}
            call = Call(
                plain | {"what": what}, call.input_shapes, call.input_axes, call.output_shape, call.parameter_shapes
            )
        name = self._unique(base)
        self._add_step(node, name, function, node.args, node.kwargs)
        names = tuple(self.names[n] for n in inputs)
        axes = kind.axes(call)
        if len(axes) != len(call.output_shape):
            axes = anonymous_axes(call.output_shape)
        self._remember(name, kind, call, names, owner, path, parameters, axes)

    def _sources(self, node: Node) -> Iterator[Node]:
        """The operations that a node reads, in the order of its arguments; through hidden tuples of tensors too."""
        for argument in _nodes_in((node.args, node.kwargs)):
            if argument in self.names:
                yield argument
            elif isinstance(self.shapes.get(argument), (tuple, list)):
                if any(isinstance(v, Tensor) for v in self.shapes[argument]):
                    yield from self._sources(argument)

    def _arguments(self, node: Node, kind: Kind | None) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """A function call's constant tensors, and its plain arguments by name as the kind reads them."""
        if kind is None:
            constants = {n.name: self.constants[n] for n in node.all_input_nodes if n in self.constants}
            return {k: v for k, v in constants.items() if isinstance(v, Tensor)}, {}
        bound: dict[str, Any] = {}
        for position, name in enumerate(kind.functions[node.target]):
            if name.startswith("*"):
                rest = node.args[position:]
                bound[name[1:]] = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
                break
            if position < len(node.args):
                bound[name] = node.args[position]
        bound.update(node.kwargs)
        parameters, plain = {}, {}
        for name, value in bound.items():
            if isinstance(value, Node) and isinstance(self.constants.get(value), Tensor):
                parameters[name] = self.constants[value]
            elif value is not None and not any(n in self.names for n in _nodes_in(value)):
                plain[name] = _plain(value, lambda n: self.constants.get(n, self.shapes.get(n)))
        return parameters, kind.read(plain, {k: tuple(p.shape) for k, p in parameters.items()})

    def _unique(self, base: str) -> str:
        self.used[base] = self.used.get(base, 0) + 1
        if self.used[base] == 1:
            return base
        return self._unique(f"{base}:{self.used[base]}")

    def _remember(
        self,
        name: str,
        kind: Kind,
        call: Call,
        inputs: tuple[str, ...],
        owner: str,
        path: str,
        parameters: dict[str, Tensor],
        axes: Axes,
    ) -> None:
        self.calls[name] = (kind, call, inputs, owner, path)
        self.axes[name] = axes
        if parameters:
            self.parameters[name] = parameters

    def _operations(self) -> tuple[Operation, ...]:
        inputs = {name: reads for name, (_, _, reads, _, _) in self.calls.items()}
        sizes = {name: resolution(self.axes[name], call.output_shape) for name, (_, call, *_) in self.calls.items()}
        blocks = {name: block(owner, self.root) for name, (_, _, _, owner, _) in self.calls.items()}
        stage = stages(inputs, sizes, blocks)
        return tuple(
            Operation(
                name=name,
                kind=kind.key,
                title=kind.title(call),
                short_title=kind.short_title(call),
                module_path=path,
                inputs=reads,
                output_shape=call.output_shape,
                group=(stage[name], blocks[name]),
                attributes=Attributes(call.attributes),
                n_parameters=_count(self.parameters.get(name, {})),
                macs=kind.macs(call),
                axes=self.axes[name],
                reach=kind.reach_of(call),
            )
            for name, (kind, call, reads, _, path) in self.calls.items()
        )


def _tensors_of(module: nn.Module, *, recurse: bool) -> dict[str, Tensor]:
    """Parameters and buffers by name; the counter of batches is of no use in eval mode."""
    found = {**dict(module.named_parameters(recurse=recurse)), **dict(module.named_buffers(recurse=recurse))}
    return {k: t for k, t in found.items() if not k.endswith("num_batches_tracked")}


def _count(tensors: Mapping[str, Tensor]) -> int:
    return sum(t.numel() for t in tensors.values() if isinstance(t, nn.Parameter))
