"""A network as an ordered graph of typed operations that can be looked up, run, and run again in part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from .errors import InvalidLayer, suggest
from .program import Program

if TYPE_CHECKING:
    from .operations.registry import Reach

# What a value may pass between the maps and the last layer without being changed.
_PASSING = frozenset({"flatten", "view", "dropout", "stochastic_depth", "identity"})
_SCORING = frozenset({"linear", "conv2d"})


class Attributes(Mapping[str, Any]):
    """A small read-only mapping of plain values; unlike a MappingProxyType it can be pickled and compared."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


@dataclass(frozen=True)
class Operation:
    """One operation of a network; all shapes are without the batch axis.

    name: unique: the module path, with ":2" and so on for a module's later calls ("layer1.0.relu:2"); for a function
    the calling module's path and the function ("layer1.0.add"); "input" first and "softmax" last.
    kind: key of the registry in `operations`. inputs: names of the operations that it reads, in the arguments' order.
    axes: what each axis of the output counts, for example ("channel", "row", "column").
    group: (stage, block): a run of equal resolution ("Stage 2 · 56×56", "Classifier"), and the block's module path and
    class ("layer1.0 · BasicBlock"), or "".
    reach: which input cells one output cell reads ("point", "window", "adaptive", "global").
    n_parameters: learned numbers; macs: multiply-adds for one picture, of convolutions and linear layers.
    """

    name: str
    kind: str
    title: str
    short_title: str
    module_path: str
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    group: tuple[str, str]
    attributes: Mapping[str, Any] = field(hash=False)
    n_parameters: int
    macs: int
    axes: tuple[str, ...]
    reach: Reach

    @property
    def has_maps(self) -> bool:
        """The output is a stack of maps (channel, row, column), be they only 1x1."""
        return self.axes == ("channel", "row", "column")

    @property
    def is_spatial(self) -> bool:
        """The output is a stack of maps (channel, row, column) of more than one cell."""
        return self.has_maps and self.output_shape[1] * self.output_shape[2] > 1


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A head in which each logit is a linear function of the maps' means: logits = weight @ mean(maps) + bias.

    maps, pooling, linear: names of operations; passing: the operations between pooling and linear, which change nothing
    when predicting; weight: (classes, channels); bias: (classes,) or None.
    """

    maps: str
    pooling: str
    passing: tuple[str, ...]
    linear: str
    weight: Tensor
    bias: Tensor | None


class Network:
    """The operations of one module, made by `build_network`; nothing in it changes after construction."""

    def __init__(
        self,
        operations: tuple[Operation, ...],
        program: Program,
        parameters: Mapping[str, Mapping[str, Tensor]],
        input_shape: tuple[int, ...],
        recorded: tuple[str, ...],
    ) -> None:
        self.operations = operations
        self.input_shape = input_shape
        self._program = program
        self._parameters = parameters
        self._recorded = recorded
        self._record_plan = program.plan(changed=("input",), known=(), keep=recorded)
        self._by_name = {o.name: o for o in operations}
        readers: dict[str, list[str]] = {o.name: [] for o in operations}
        for operation in operations:
            for name in dict.fromkeys(operation.inputs):
                readers[name].append(operation.name)
        self._consumers = {name: tuple(r) for name, r in readers.items()}
        learned = {id(p): p for tensors in parameters.values() for p in tensors.values() if isinstance(p, nn.Parameter)}
        self.n_parameters: int = sum(p.numel() for p in learned.values())
        self.macs: int = sum(o.macs for o in operations)
        self.output: str = operations[-1].inputs[0]
        """Name of the operation whose activation are the logits; the operation after it is "softmax"."""

    def __getitem__(self, name: str) -> Operation:
        """The operation of this name; a module path ("layer4", "features") gives the last operation inside the module.

        Raises InvalidLayer, with close names.
        """
        if name in self._by_name:
            return self._by_name[name]
        inside = [o for o in self.operations if o.name.startswith(f"{name}.")] if name else []
        if not inside:
            names = list(self._by_name)
            raise InvalidLayer(f"This network has no operation or module {name!r}. {suggest(str(name), names)}")
        return inside[-1]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def consumers(self, name: str) -> tuple[str, ...]:
        """Names of the operations that read this one's output."""
        return self._consumers[self[name].name]

    def parameters(self, name: str) -> Mapping[str, Tensor]:
        """The tensors that this operation computes with (weight, bias, running_mean, ...), shared with the module."""
        return self._parameters.get(self[name].name, {})

    def map_layers(self) -> tuple[Operation, ...]:
        """The operations whose output is a stack of maps (channel, row, column) of more than one cell."""
        return tuple(o for o in self.operations if o.is_spatial)

    def default_layer(self) -> str:
        """The last stack of maps before the head: Grad-CAM's usual target.

        The head begins with the last layer that has weights (linear, or the 1x1 convolution of SqueezeNet) and what
        only resizes or drops before it. Raises InvalidLayer where the network has no maps.
        """
        names = [o.name for o in self.operations]
        scoring = max((names.index(o.name) for o in self.operations if o.kind in _SCORING), default=len(names))
        skipped = _PASSING | {"adaptive_avg_pool2d", "adaptive_max_pool2d", "input"}
        for wanted in (lambda o: o.is_spatial, lambda o: o.has_maps):
            for operation in reversed(self.operations[:scoring]):
                if wanted(operation) and operation.kind not in skipped:
                    return operation.name
        raise InvalidLayer("This network has no layer with spatial maps.")

    def linear_head(self) -> LinearHead | None:
        """The head where logits = linear(mean over all cells of the maps); None where the network ends otherwise.

        Dropout, flatten and their like may stand between; a second linear layer, a normalisation or an activation may
        not. A convolution that scores each cell before the pooling (SqueezeNet) is another head, and gives None too.
        """
        linear = self[self.output]
        while linear.kind in _PASSING and len(linear.inputs) == 1:
            linear = self[linear.inputs[0]]
        if linear.kind != "linear" or len(linear.output_shape) != 1:
            return None
        passing: list[str] = []
        pooling = self[linear.inputs[0]]
        while pooling.kind in _PASSING and len(pooling.inputs) == 1:
            passing.append(pooling.name)
            pooling = self[pooling.inputs[0]]
        if not self._is_global_mean(pooling):
            return None
        weights = self.parameters(linear.name)
        return LinearHead(
            maps=pooling.inputs[0],
            pooling=pooling.name,
            passing=tuple(reversed(passing)),
            linear=linear.name,
            weight=weights["weight"].detach(),
            bias=weights["bias"].detach() if "bias" in weights else None,
        )

    def _is_global_mean(self, pooling: Operation) -> bool:
        if pooling.kind not in ("adaptive_avg_pool2d", "avg_pool2d", "mean"):
            return False
        maps = self[pooling.inputs[0]]
        if not maps.has_maps:
            return False
        channels, height, width = maps.output_shape
        if pooling.kind == "mean":
            return pooling.reach == "global" and pooling.output_shape in ((channels,), (channels, 1, 1))
        if pooling.output_shape != (channels, 1, 1):
            return False
        if pooling.kind == "avg_pool2d":
            exact = pooling.attributes["kernel_size"] == (height, width) and pooling.attributes["padding"] == (0, 0)
            return exact and pooling.attributes["divisor_override"] is None
        return True

    def run(self, x: Tensor, *, keep: Collection[str] | Literal["all"] | None = None) -> dict[str, Tensor]:
        """Run the network on x (batch, C, H, W) and return the kept operations' outputs, batch axis included.

        keep: names of operations; "all"; None for the logits alone. Only the steps that lead to them are run, and a
        value is let go as soon as no kept one needs it. Gradients are recorded unless the caller turned them off.
        """
        return self.run_from({}, {"input": x}, keep=keep)

    def run_from(
        self,
        values: Mapping[str, Tensor],
        changed: Mapping[str, Tensor],
        *,
        keep: Collection[str] | Literal["all"] | None = None,
    ) -> dict[str, Tensor]:
        """Run again only what depends on the changed operations and leads to the kept ones.

        values: outputs of an earlier run (all, or some: what is missing is recomputed as far as needed).
        changed: new outputs of some operations, put in their place; they may require gradients, which then stop there
        because nothing before them is run. keep: as in `run`; an operation that nothing changes is returned as it was.
        Raises InvalidLayer for an unknown name, ValueError where the input is needed and absent.
        """
        names = self._kept(keep)
        changed = {self[name].name: tensor for name, tensor in changed.items()}
        plan = self._program.plan(changed=changed, known=values, keep=names)
        return self._program.execute(plan, values, changed, names)

    def record(self, x: Tensor) -> dict[str, Tensor]:
        """Run once on x and keep what is dear to compute: most convolutions, linear layers, poolings, sums.

        All others follow from them in a few cheap steps, bit for bit, by `run_from(recorded, {}, keep=...)`. Keeping
        these too would take several times the memory, and getting it from the system up to as long as the pass.
        """
        return self._program.execute(self._record_plan, {}, {"input": x}, self._recorded)

    def needed(
        self, changed: Collection[str], *, keep: Collection[str] | Literal["all"] | None = None
    ) -> frozenset[str]:
        """Names of the operations whose earlier values `run_from` would read: what must be kept of the first run."""
        plan = self._program.plan(
            changed=[self[name].name for name in changed], known=self._by_name, keep=self._kept(keep)
        )
        return frozenset(name for name, _ in plan.loads) - {self[name].name for name in changed}

    def gradient(
        self, values: Mapping[str, Tensor], name: str, score: Callable[[Tensor], Tensor], *, of: str | None = None
    ) -> Tensor:
        """The gradient of score(output) with respect to the activation of `name`, of its shape (batch axis included).

        values: outputs of an earlier run (what `needed` names, and `name` itself); score: from the output of operation
        `of` (None: the logits) to one number for each picture, which are summed. The graph is cut at `name`: nothing
        before it is run forward or backward. Zero where the output does not depend on the activation.
        """
        source, target = self[name].name, self.output if of is None else self[of].name
        with torch.enable_grad():
            activation = values[source].detach().requires_grad_()
            output = self.run_from(values, {source: activation}, keep=(target,))[target]
            scalar = score(output).sum()
            if not scalar.requires_grad:
                return torch.zeros_like(activation)
            (gradient,) = torch.autograd.grad(scalar, activation, allow_unused=True)
        return torch.zeros_like(activation) if gradient is None else gradient

    def _kept(self, keep: Collection[str] | Literal["all"] | None) -> tuple[str, ...]:
        if keep is None:
            return (self.output,)
        if isinstance(keep, str):
            if keep != "all":
                raise TypeError(f"keep is a collection of names, 'all' or None, not the string {keep!r}.")
            return tuple(self._by_name)
        return tuple(dict.fromkeys(self[name].name for name in keep))


def build_network(module: nn.Module, input_shape: tuple[int, ...]) -> Network:
    """The graph of an eval-mode module for inputs (C, H, W); see `cnn_core.graph` for how it is made.

    Sets `inplace = False` on the module's layers, so that no activation is ever overwritten. Raises ValueError for a
    module in training mode, or one whose graph cannot be traced.
    """
    from .graph import build

    return build(module, input_shape)
