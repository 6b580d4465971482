"""The torch.fx graph of a module, where nothing overwrites a tensor, returns a tuple of parts, or is unused."""

from __future__ import annotations

import functools
import inspect
import operator
import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.fx as fx
import torch.nn.functional as F
from torch import nn
from torch.fx.node import Node
from torchvision.ops import StochasticDepth

from .operations.shaping import split_point, take_part

_OUT_OF_PLACE: Mapping[Any, Callable[..., Any]] = {
    getattr(operator, f"i{name}"): getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul")
}
_SPLITS: Mapping[Any, str] = {torch.chunk: "chunk", "chunk": "chunk", torch.split: "split", "split": "split"}


# While torch.fx traces, nn.Module is patched for the whole process: two tracings that overlap would leave it patched.
_TRACING = threading.Lock()


class _Tracer(fx.Tracer):
    """Keeps stochastic depth as one operation (torch.nn's are already); other threads' modules run as always."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, StochasticDepth) or super().is_leaf_module(m, module_qualified_name)


def plain_graph(module: nn.Module) -> fx.Graph:
    """The graph of an eval-mode module; its layers' `inplace` is set to False. ValueError where it cannot be traced."""
    graph = _trace(module)
    _remove_in_place(graph, module)
    _open_splits(graph)
    _remove_unused(graph)
    return graph


def _trace(module: nn.Module) -> fx.Graph:
    try:
        with _TRACING:
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
    if isinstance(node.target, str):
        ends = node.op == "call_method" and node.target.endswith("_") and not node.target.endswith("__")
        node.target = node.target[:-1] if ends else node.target
        return ends
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
