"""What one output value of a network is made of: its terms, its formula in numbers, and whether they add up to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, overload

import numpy as np
from numpy.typing import NDArray

Combine = Literal["sum", "mean", "max", "product", "function", "copy"]
Array = NDArray[Any]

TOLERANCE: Final = 1e-4
"""Largest relative error that counts as a match: float32 sums of some thousand terms stay well within it."""


@dataclass(frozen=True, eq=False)
class Term:
    """One of the numbers that make up a unit's value.

    `value` is what is summed (combine "sum" and "mean": the terms and the bias add up to the unit), compared ("max"),
    multiplied ("product"), copied, or put into the function. `source_index` points into the activation of the operation
    `source`; for a window it is the window's first cell, which lies outside the activation where the window starts in
    the padding. `window` (float32, kernel height x kernel width) holds the values read, 0 in the padding, `weights` the
    numbers that they are multiplied with, and `padded` (bool) says which cells are padding.
    """

    label: str
    value: float
    source: str
    source_index: tuple[int, ...]
    window: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None
    padded: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Terms(Sequence[Term]):
    """Many terms, held as arrays and made into `Term` objects only when they are looked at.

    values: float64 (n,); source_indices: int (n, axes of the source); windows, weights: (n, kH, kW) or None;
    padded: bool (kH, kW), the same for all terms, or None.
    """

    values: NDArray[np.float64]
    source: str
    source_indices: NDArray[np.int64]
    label: Callable[[int], str] | str
    windows: Array | None = None
    weights: Array | None = None
    padded: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, position: int) -> Term: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Term, ...]: ...
    def __getitem__(self, position: int | slice) -> Term | tuple[Term, ...]:
        if isinstance(position, slice):
            return tuple(self[i] for i in range(*position.indices(len(self))))
        i = range(len(self))[position]
        return Term(
            label=self.label.format(*self.source_indices[i]) if isinstance(self.label, str) else self.label(i),
            value=float(self.values[i]),
            source=self.source,
            source_index=tuple(int(k) for k in self.source_indices[i]),
            window=None if self.windows is None else np.asarray(self.windows[i], dtype=np.float32),
            weights=None if self.weights is None else np.asarray(self.weights[i], dtype=np.float32),
            padded=self.padded,
        )

    def __iter__(self) -> Iterator[Term]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, eq=False)
class UnitExplanation:
    """One value of an activation, taken apart.

    `value` is the network's own float32 number; `computed` is what the terms give in float64. `checked` is False for
    an operation whose arithmetic is not opened: `computed` then only repeats `value`, and `matches` is False.
    `bias` is the number added to the terms (None: there is none).
    """

    operation: str
    kind: str
    index: tuple[int, ...]
    value: float
    computed: float
    formula: str
    combine: Combine
    terms: Sequence[Term]
    bias: float | None = None
    note: str = ""
    checked: bool = True

    @property
    def relative_error(self) -> float:
        """|computed - value| / max(1, |value|)."""
        return abs(self.computed - self.value) / max(1.0, abs(self.value))

    @property
    def matches(self) -> bool:
        """The terms were recombined, and give the network's value within `TOLERANCE`."""
        return self.checked and self.relative_error <= TOLERANCE

    def ranked(self, k: int) -> tuple[tuple[Term, ...], int, float]:
        """The k terms largest in absolute value, how many others there are, and the sum of those others' values."""
        values = term_values(self.terms)
        order = np.argsort(-np.abs(values), kind="stable")
        rest = order[k:]
        return tuple(self.terms[int(i)] for i in order[:k]), len(rest), math.fsum(values[rest].tolist())


def term_values(terms: Sequence[Term]) -> NDArray[np.float64]:
    """The terms' values, float64 (n,)."""
    return terms.values if isinstance(terms, Terms) else np.array([t.value for t in terms], dtype=np.float64)


def tex(number: float) -> str:
    """A number in LaTeX with four significant digits, such as 0.7192 or 3.1\\cdot 10^{-7}."""
    if math.isnan(number):
        return r"\mathrm{NaN}"
    if math.isinf(number):
        return r"\infty" if number > 0 else r"-\infty"
    text = f"{number:.4g}"
    if "e" not in text:
        return "0" if text == "-0" else text
    mantissa, exponent = text.split("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}"


def tex_in_sum(number: float) -> str:
    """The number with its sign as an operator: " + 0.5" or " - 0.5"."""
    return f" - {tex(-number)}" if number < 0 else f" + {tex(number)}"


def tex_factor(number: float) -> str:
    """The number as a factor: in brackets where it is negative."""
    return rf"({tex(number)})" if number < 0 else tex(number)


def tex_sum(numbers: NDArray[np.float64], bias: float | None = None, shown: int = 3) -> str:
    r"""A sum in LaTeX: up to shown + 1 numbers, otherwise the largest in absolute value and \cdots; the bias last."""
    if len(numbers) <= shown + 1:
        chosen = list(numbers)
    else:
        chosen = [numbers[i] for i in np.argsort(-np.abs(numbers), kind="stable")[:shown]]
    text = "".join(tex_in_sum(float(n)) for n in chosen)
    text = text[3:] if text.startswith(" + ") else text.strip().replace("- ", "-", 1)
    if len(chosen) < len(numbers):
        text += r" + \cdots"
    return text + ("" if bias is None else tex_in_sum(bias))


def tex_list(numbers: NDArray[np.float64], shown: int = 4) -> str:
    r"""Numbers in LaTeX between commas, the first few and \ldots."""
    text = ",\\; ".join(tex(float(n)) for n in numbers[:shown])
    return text + (r",\; \ldots" if len(numbers) > shown else "")


def tex_index(index: tuple[int, ...]) -> str:
    """An index as a subscript's content: 3,\\,12,\\,30."""
    return r",\,".join(str(i) for i in index)
