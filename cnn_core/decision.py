"""How a network decides: its head described, one logit taken apart exactly, and softmax with every number named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .errors import InvalidOption, InvalidUnit
from .kept import kept
from .operations.explanation import TOLERANCE
from .saliency.charts import Line, line_chart
from .saliency.comparing import packed, written

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation
    from .tracing import Trace

HeadKind = Literal["pool+linear", "class maps", "flatten+linear", "pool+layers", "other"]

# What changes nothing but the shape in eval mode, or only averages: on the way from class maps to logits.
_AVERAGING: Final = frozenset({"adaptive_avg_pool2d", "avg_pool2d", "mean"})
_RESHAPING: Final = frozenset({"flatten", "view", "dropout", "identity", "squeeze", "getitem"})
# Changes each number by itself, so that a feature after it comes from the same place before it.
_ELEMENTWISE: Final = frozenset(
    {"relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "leaky_relu", "elu"}
)
_SUMS: Final = frozenset({"linear", "conv2d"})


@dataclass(frozen=True)
class Head:
    """The end of a network: what happens between its last maps and its probabilities.

    kind: "pool+linear", the maps' means and one linear layer; "class maps", one map for each class, averaged;
        "flatten+linear", all cells side by side and then linear layers; "pool+layers", pooled and then several layers;
        "other", anything else.
    steps: operations' names, from the last maps (first) through the logits to the softmax (last).
    maps: the last operation with spatial maps, or None where the way back branches before one is met.
    logits: the operation whose output is the logits. sentence: the same for people.
    """

    kind: HeadKind
    steps: tuple[str, ...]
    maps: str | None
    logits: str
    sentence: str


@dataclass(frozen=True, eq=False)
class LogitLedger:
    """One logit (or the margin of two), as a sum of exact parts: `logit` = bias + sum(contributions).

    class_index, label: what it is of; rival_index: the class whose logit is taken away, or None.
    logit: the network's own number; computed: the parts summed again in float64.
    features: float64 (n,), what the last layer reads; weights: float64 (n,); contributions: their products.
        For class maps there is no last layer: features are the class's map, cell by cell, and each weight is 1 / cells.
    cells: float64 (h, w), each cell's share of (logit - bias) where the head averages maps; None elsewhere.
    source: the operation that gave the features. maps: the operation whose cells these are, or None.
    """

    class_index: int
    rival_index: int | None
    label: str
    logit: float
    computed: float
    bias: float
    features: NDArray[np.float64]
    weights: NDArray[np.float64]
    contributions: NDArray[np.float64]
    cells: NDArray[np.float64] | None
    source: str
    maps: str | None

    @property
    def relative_error(self) -> float:
        """|computed - logit| / max(1, |logit|)."""
        return abs(self.computed - self.logit) / max(1.0, abs(self.logit))

    @property
    def matches(self) -> bool:
        """Whether the parts are the network's number, up to float32 rounding."""
        return self.relative_error <= TOLERANCE

    @kept
    def order(self) -> NDArray[np.intp]:
        """The features from the largest contribution, by size, to the smallest; among equal ones the first first."""
        return np.argsort(-np.abs(self.contributions), kind="stable")

    @kept
    def against(self) -> NDArray[np.intp]:
        """The features with a negative contribution, from the most negative on; empty where nothing speaks against."""
        order = np.argsort(self.contributions, kind="stable")
        return order[: int((self.contributions < 0).sum())]

    def to_npz(self, path: str | Path | None = None) -> bytes:
        """All parts and what they sum to, as an .npz file's bytes (cells is empty where the head has none)."""
        names = ("class_index", "label", "logit", "computed", "bias", "features", "weights", "contributions", "source")
        return packed(
            path,
            **{name: np.array(getattr(self, name)) for name in names},
            rival_index=np.array(-1 if self.rival_index is None else self.rival_index),
            cells=np.empty((0, 0)) if self.cells is None else self.cells,
        )

    def to_png(self, path: str | Path | None = None) -> bytes:
        """What the parts sum to, from the bias on, when they are added from the most positive to the most negative."""
        sums = self.bias + np.concatenate([[0.0], np.cumsum(np.sort(self.contributions)[::-1])])
        line = Line("bias + parts so far", np.arange(len(sums), dtype=np.float64), sums, "output")
        return written(line_chart(f"Logit of {self.label}", "parts, the most positive first", "sum", [line]), path)

    def rest(self, n_shown: int) -> float:
        """The sum of all contributions but the `n_shown` largest by size."""
        return float(self.contributions[self.order[n_shown:]].sum())

    def cell_ranking(self) -> tuple[tuple[int, int], ...]:
        """Cells (row, column) from the most evidence to the least; empty where there are no cells."""
        if self.cells is None:
            return ()
        order = np.argsort(-self.cells, axis=None, kind="stable")
        return tuple((int(i) // self.cells.shape[1], int(i) % self.cells.shape[1]) for i in order)


@dataclass(frozen=True)
class SoftmaxRow:
    """One class in a softmax: probability = exp_logit / the sum of all classes' exp_logit.

    scaled_logit: logit / temperature - the largest such number, so that no exponential overflows; the shift divides
    every exp_logit by the same factor and leaves the probability as it is.
    """

    index: int
    name: str
    logit: float
    scaled_logit: float
    exp_logit: float
    probability: float


@dataclass(frozen=True)
class SoftmaxTable:
    """The first rows of a softmax, by probability, and the sum that they are divided by.

    total: the sum of exp_logit over all `n_classes`. rest_probability: of the classes that are not in `rows`.
    """

    rows: tuple[SoftmaxRow, ...]
    temperature: float
    total: float
    rest_probability: float
    n_classes: int


def softmax_table(
    logits: NDArray[np.floating], class_names: tuple[str, ...], *, temperature: float = 1.0, n: int = 10
) -> SoftmaxTable:
    """Softmax of logits (K,) at a temperature, in float64, with each step as a named number.

    p_c = exp(z_c / T) / sum_j exp(z_j / T). Raises InvalidOption for a temperature that is not above 0.
    """
    if not temperature > 0:
        raise InvalidOption(f"A temperature must be above 0, and is {temperature!r}.")
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = scaled - scaled.max()
    exponentials = np.exp(scaled)
    total = float(exponentials.sum())
    probabilities = exponentials / total
    order = np.argsort(-scaled, kind="stable")[:n]
    rows = tuple(
        SoftmaxRow(
            int(i), class_names[i], float(logits[i]), float(scaled[i]), float(exponentials[i]), float(probabilities[i])
        )
        for i in order
    )
    rest = max(0.0, 1.0 - sum(row.probability for row in rows))
    return SoftmaxTable(rows, float(temperature), total, rest, len(scaled))


def head_of(network: Network) -> Head:
    """Describe the way from the last maps to the softmax; any network has one."""
    softmax = network.operations[-1]
    logits = softmax.inputs[0]
    steps = [softmax.name]
    name, maps = logits, None
    while True:
        operation = network[name]
        steps.append(name)
        if operation.has_maps and _n_cells(operation) > 1:
            maps = name
            break
        # A number picked out of a tuple, or a branch (an add, a concatenation), ends the single line back.
        if len(operation.inputs) != 1:
            break
        name = operation.inputs[0]
    steps.reverse()
    between = [network[step] for step in steps[(0 if maps is None else 1) : -1]]
    kind = _kind(network, maps, between)
    return Head(kind, tuple(steps), maps, logits, _sentence(network, kind, maps, between))


def logit_ledger(classifier: Classifier, trace: Trace, class_index: int, rival_index: int | None = None) -> LogitLedger:
    """One class's logit taken apart into what the last layer adds up, exactly; with a rival, the margin of the two.

    Where one linear layer reads global averages (GAP): z_c = b_c + sum_k w_ck mean(A_k), and the same sum by cells is
    the CAM of Zhou et al. 2016 divided by the number of cells. Where the last layer is linear but reads hidden
    features, those are the parts. Where the head averages one map for each class, the parts are that map's cells.
    Raises InvalidOption where the logits come from neither, or for a rival that is the class itself; UnknownClass for
    a class that the model lacks.
    """
    class_index = classifier.class_index(class_index)
    label = classifier.class_names[class_index]
    if rival_index is not None:
        rival_index = classifier.class_index(rival_index)
        if rival_index == class_index:
            raise InvalidOption(f"The margin of {label} with itself is always 0: choose two classes.")
        label = f"{label} rather than {classifier.class_names[rival_index]}"
    signs = [(1.0, class_index)] + ([] if rival_index is None else [(-1.0, rival_index)])
    head = head_of(classifier.network)
    last = classifier.network[head.logits]
    cells: NDArray[np.float64] | None = None
    maps: str | None = None
    if head.kind == "class maps" and head.maps is not None:
        maps = source = head.maps
        found = _float64(trace.activation(maps))
        own: NDArray[np.float64] = np.zeros(found.shape[1:])
        for sign, index in signs:
            own = own + sign * found[index]
        features, bias = own.reshape(-1), 0.0
        weights = np.full(features.size, 1.0 / features.size)
        cells = own / own.size
    elif last.kind == "linear":
        layer: Any = classifier.module.get_submodule(last.module_path)
        matrix, offset = _of_tensor(layer.weight), None if layer.bias is None else _of_tensor(layer.bias)
        source = last.inputs[0]
        features = _float64(trace.activation(source)).reshape(-1)
        weights = np.zeros(features.size)
        bias = 0.0
        for sign, index in signs:
            weights = weights + sign * matrix[index]
            bias += 0.0 if offset is None else sign * float(offset[index])
        pooled = classifier.network.linear_head()
        if pooled is not None and pooled.linear == last.name:
            maps = pooled.maps
            found = _float64(trace.activation(maps))
            cells = np.tensordot(weights, found, axes=1) / (found.shape[1] * found.shape[2])
    else:
        raise InvalidOption(
            f"The logits of {classifier.card.title} come from {last.title!r}, which adds up no features: open it as a "
            "unit instead."
        )
    contributions = features * weights
    logit = sum(sign * float(trace.logits[index]) for sign, index in signs)
    return LogitLedger(
        class_index, rival_index, label, logit, float(contributions.sum() + bias), bias,
        features, weights, contributions, cells, source, maps,
    )  # fmt: skip


def without_cells(
    classifier: Classifier, trace: Trace, ledger: LogitLedger, cells: Sequence[tuple[int, int]]
) -> tuple[float, ...]:
    """The ledger's logit (or margin) by the network itself, with all channels of one cell set to 0, for each cell.

    Only what follows the maps is run again. Raises InvalidOption for a ledger without cells, InvalidUnit for a cell
    that is not there.
    """
    if ledger.maps is None or ledger.cells is None:
        raise InvalidOption("This head mixes its cells, so none has a share of the logit that could be taken away.")
    network, found = classifier.network, []
    values, maps = trace.tensors, trace.tensor(ledger.maps)
    for row, column in cells:
        if not (0 <= row < maps.shape[2] and 0 <= column < maps.shape[3]):
            raise InvalidUnit(f"{ledger.maps} has {maps.shape[2]} × {maps.shape[3]} cells; none is at {row}, {column}.")
        changed = maps.clone()
        changed[:, :, row, column] = 0
        with torch.no_grad():
            logits = network.run_from(values, {ledger.maps: changed})[network.output][0].double().cpu()
        rival = 0.0 if ledger.rival_index is None else float(logits[ledger.rival_index])
        found.append(float(logits[ledger.class_index]) - rival)
    return tuple(found)


def made_by(network: Network, source: str, index: tuple[int, ...]) -> tuple[Operation, tuple[int, ...]] | None:
    """The sum that a feature comes from: the linear or convolution unit behind activations, dropout and reshaping.

    index: of the feature in the activation of `source`, (k,) or (channel, row, column). Returns the operation and the
    unit's index there, or None where something else (a pooling, a branch) made it.
    """
    operation = network[source]
    while operation.kind not in _SUMS:
        if len(operation.inputs) != 1 or operation.kind not in _ELEMENTWISE | _RESHAPING - {"getitem"}:
            return None
        before = network[operation.inputs[0]]
        if before.output_shape != operation.output_shape:
            flat = int(np.ravel_multi_index(index, operation.output_shape))
            index = tuple(int(i) for i in np.unravel_index(flat, before.output_shape))
        operation = before
    return operation, index


def _kind(network: Network, maps: str | None, between: list[Operation]) -> HeadKind:
    if maps is None:
        return "other"
    if network.linear_head() is not None:
        return "pool+linear"
    kinds = [operation.kind for operation in between]
    per_class = network[maps].output_shape[0] == network[network.operations[-1].inputs[0]].output_shape[-1]
    averaged = any(kind in _AVERAGING for kind in kinds)
    if per_class and averaged and all(kind in _AVERAGING | _RESHAPING for kind in kinds):
        return "class maps"
    if kinds and kinds[-1] == "linear":
        return "pool+layers" if averaged else "flatten+linear"
    return "other"


def _sentence(network: Network, kind: HeadKind, maps: str | None, between: list[Operation]) -> str:
    if maps is None:
        return "The way from the last maps to the logits branches, so it is shown as the graph has it."
    channels, height, width = network[maps].output_shape
    linear = [operation for operation in between if operation.kind == "linear"]
    if kind == "pool+linear":
        return (
            f"Each of the last {channels} maps ({height} × {width}) is averaged to one number, and one linear layer "
            f"weighs these {channels} numbers for each class. So every logit is an exact sum over channels, and over "
            "cells."
        )
    if kind == "class maps":
        return (
            f"The last convolution already has one map ({height} × {width}) for each of the {channels} classes, and a "
            "class's logit is the mean of its map. So every logit is an exact sum over cells."
        )
    if kind == "flatten+linear":
        return (
            f"All {channels} × {height} × {width} = {channels * height * width:,} numbers of the last maps stand side "
            f"by side and go through {len(linear)} linear layer{'s' if len(linear) > 1 else ''}. A logit is an exact "
            f"sum over the {linear[-1].attributes['in_features']:,} features before the last one; which cell they came "
            "from is mixed by then."
        )
    if kind == "pool+layers":
        return (
            f"The last {channels} maps ({height} × {width}) are averaged, and pass through more layers before the last "
            "linear one. A logit is an exact sum over what that one reads; which cell it came from is mixed by then."
        )
    return "The logits come from an operation that is neither a linear layer nor an average of class maps."


def _n_cells(operation: Operation) -> int:
    return int(operation.output_shape[1] * operation.output_shape[2])


def _float64(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _of_tensor(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().double().cpu().numpy())
