"""How far one unit sees: the receptive field of any operation, branches, skips and global side paths included.

Along one axis, cell i of a map reads the input pixels from edge `start + i * stride` over `size` pixels. A window
(kernel k, stride s, padding p, dilation d) turns (size, stride, start) into

    size + (d (k - 1)) stride,    s stride,    start - p stride

(Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019). Where branches
meet, the box around all of them counts.

Coordinates are edges: pixel i spans [i, i + 1), and its centre is i + 0.5. In coordinates of pixel indices, everything
is 0.5 less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .models import Classifier
    from .network import Network, Operation

_WINDOW = ("kernel_size", "stride", "padding", "dilation")


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that can change one cell of an operation's output; all pairs are (row, column), in input pixels.

    size: side lengths of a cell's box. stride: from one cell's box to the next one's. offset: the centre of cell (0, 0)
    in coordinates where pixel i spans [i, i + 1). sees_everything: a global path (squeeze-and-excitation, global
    pooling, a fully connected layer) lies on the way, so that any pixel can matter; size, stride and offset then
    describe the local path, if there is one. cells: the map's size. input_size: the picture's.
    """

    size: tuple[float, float]
    stride: tuple[float, float]
    offset: tuple[float, float]
    sees_everything: bool
    cells: tuple[int, int]
    input_size: tuple[int, int]

    def centre(self, row: float, column: float) -> tuple[float, float]:
        """The centre of a cell's box (row, column)."""
        return (self.offset[0] + row * self.stride[0], self.offset[1] + column * self.stride[1])

    def box(self, row: int = 0, column: int = 0) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) of a cell's box, half-open; it sticks out of the picture at padding."""
        centre = self.centre(row, column)
        (top, bottom), (left, right) = ((c - s / 2, c + s / 2) for c, s in zip(centre, self.size, strict=True))
        return (top, left, bottom, right)

    def clipped_box(self, row: int = 0, column: int = 0) -> tuple[float, float, float, float]:
        """The part of a cell's box that lies in the picture: (top, left, bottom, right), half-open.

        Nothing outside can matter. At the far edges the last few pixels inside may not matter either: those that a
        stride left over.
        """
        top, left, bottom, right = self.box(row, column)
        height, width = self.input_size
        return (max(top, 0), max(left, 0), min(bottom, height), min(right, width))

    def pixel_box(self, row: int = 0, column: int = 0) -> tuple[int, int, int, int]:
        """The whole pixels of the picture that a cell's box touches; empty, not inverted, where it lies in padding."""
        top, left, bottom, right = self.clipped_box(row, column)
        first = math.floor(top), math.floor(left)
        return (*first, max(first[0], math.ceil(bottom)), max(first[1], math.ceil(right)))

    @property
    def naive_shift(self) -> tuple[float, float]:
        """How far a cell in the map's middle is misplaced when the map is simply stretched over the picture.

        Stretched minus true centre, in input pixels: +15.5 for the last maps of resnet18 at 224 x 224.
        """
        true = self.centre((self.cells[0] - 1) / 2, (self.cells[1] - 1) / 2)
        return (self.input_size[0] / 2 - true[0], self.input_size[1] / 2 - true[1])


@dataclass(frozen=True)
class _Line:
    """Boxes along one axis: cell i reads from edge start + i * stride over size pixels; there are `cells` of them."""

    size: float
    stride: float
    start: float
    cells: int

    def windowed(self, window: tuple[int, ...], cells: int) -> _Line:
        kernel, stride, padding, dilation = window
        size = self.size + dilation * (kernel - 1) * self.stride
        return _Line(size, stride * self.stride, self.start - padding * self.stride, cells)

    def adaptive(self, cells: int) -> _Line:
        """torch's adaptive pooling: cell i reads cells floor(i n / m) to ceil((i + 1) n / m) of n; boxes around all."""
        step = self.cells / cells
        first = min(i * self.cells // cells - i * step for i in range(cells))
        last = max(-(-(i + 1) * self.cells // cells) - i * step for i in range(cells))
        size = (last - first - 1) * self.stride + self.size
        return _Line(size, step * self.stride, self.start + first * self.stride, cells)

    def whole(self) -> _Line:
        """One cell that reads all cells."""
        size = self.size + (self.cells - 1) * self.stride
        return _Line(size, size, self.start, 1)

    def joined(self, other: _Line) -> _Line:
        """Boxes around those of two branches, cell by cell."""
        cells = max(self.cells, other.cells)
        # Equal but for a broadcast or an odd graph: there the boxes are made large enough for every cell.
        drift = (other.stride - self.stride) * (cells - 1)
        start = min(self.start, other.start + min(0, drift))
        end = max(self.start + self.size, other.start + other.size + max(0, drift))
        return _Line(end - start, self.stride, start, cells)


@dataclass(frozen=True)
class _Sight:
    """What an operation's units see: a box along each axis, whether by a local path, and whether everything as well."""

    rows: _Line
    columns: _Line
    is_local: bool = True
    sees_everything: bool = False

    def everything(self) -> _Sight:
        return _Sight(self.rows.whole(), self.columns.whole(), is_local=False, sees_everything=True)

    def joined(self, other: _Sight) -> _Sight:
        sees_everything = self.sees_everything or other.sees_everything
        if self.is_local != other.is_local:  # the local path alone gives the box
            local = self if self.is_local else other
            return _Sight(local.rows, local.columns, True, sees_everything)
        rows, columns = self.rows.joined(other.rows), self.columns.joined(other.columns)
        return _Sight(rows, columns, self.is_local, sees_everything)


def receptive_field(source: Classifier | Network, operation: str | Operation) -> ReceptiveField:
    """The receptive field of an operation, given by itself, its name or a module path.

    Raises InvalidLayer for an unknown name.

    >>> import cnn_core as cc
    >>> field = cc.receptive_field(cc.load_model("lenet5"), "conv2")
    >>> field.size, field.stride
    ((14, 14), (2, 2))
    """
    network: Network = getattr(source, "network", None) or cast("Network", source)
    return _fields(network)[network[operation if isinstance(operation, str) else operation.name].name]


def receptive_fields(source: Classifier | Network) -> dict[str, ReceptiveField]:
    """The receptive field of every operation by its name, in the network's order, from one walk through the graph."""
    network: Network = getattr(source, "network", None) or cast("Network", source)
    return dict(_fields(network))


# A network does not change once it is built: its fields are worked out once, and go with it.
_WORKED_OUT: Final[WeakKeyDictionary[Network, dict[str, ReceptiveField]]] = WeakKeyDictionary()


def _fields(network: Network) -> dict[str, ReceptiveField]:
    found = _WORKED_OUT.get(network)
    if found is None:
        sights: dict[str, _Sight] = {}
        for current in network.operations:
            sights[current.name] = _sight(current, network, sights)
        found = _WORKED_OUT[network] = {name: _field(sight, network) for name, sight in sights.items()}
    return found


def _field(sight: _Sight, network: Network) -> ReceptiveField:
    height, width = _map_size(network.operations[0]) or (1, 1)
    return ReceptiveField(
        size=(sight.rows.size, sight.columns.size),
        stride=(sight.rows.stride, sight.columns.stride),
        offset=(sight.rows.start + sight.rows.size / 2, sight.columns.start + sight.columns.size / 2),
        sees_everything=sight.sees_everything,
        cells=(sight.rows.cells, sight.columns.cells),
        input_size=(height, width),
    )


def _map_size(operation: Operation) -> tuple[int, int] | None:
    axes, shape = operation.axes, operation.output_shape
    if "row" not in axes or "column" not in axes:
        return None
    return shape[axes.index("row")], shape[axes.index("column")]


def _sight(operation: Operation, network: Network, sights: dict[str, _Sight]) -> _Sight:
    if not operation.inputs:
        height, width = _map_size(operation) or (1, 1)
        return _Sight(_Line(1, 1, 0, height), _Line(1, 1, 0, width))
    read = [sights[name] for name in operation.inputs]
    before = read[0]
    for other in read[1:]:
        before = before.joined(other)
    size = _map_size(operation)
    if operation.reach == "global" or (size is None and (before.rows.cells, before.columns.cells) != (1, 1)):
        seen = before.everything()
        if size is not None and size != (1, 1):
            # A map each of whose cells reads everything: every cell has the box of the whole.
            return _Sight(_spread(seen.rows, size[0]), _spread(seen.columns, size[1]), False, True)
        return seen
    if operation.reach == "window" and size is not None:
        rows, columns = (
            line.windowed(tuple(operation.attributes[k][axis] for k in _WINDOW), size[axis])
            for axis, line in enumerate((before.rows, before.columns))
        )
        return _Sight(rows, columns, before.is_local, before.sees_everything)
    if operation.reach == "adaptive" and size is not None:
        rows, columns = before.rows.adaptive(size[0]), before.columns.adaptive(size[1])
        return _Sight(rows, columns, before.is_local, before.sees_everything)
    return before


def _spread(line: _Line, cells: int) -> _Line:
    return _Line(line.size, 0.0, line.start, cells)
