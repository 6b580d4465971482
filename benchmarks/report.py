"""What a benchmark returns, and how it is printed for people and for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement: cells in the order of the report's columns.

    value: the number that counts (a ratio, milliseconds, kilobytes ...). bound: the most that it may be, or with
    `at_least` the least; None where anything goes.
    """

    cells: tuple[str, ...]
    value: float
    bound: float | None = None
    at_least: bool = False

    @property
    def within(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.bound is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Report:
    """A table: its columns name the cells of each row; the value and the bound are printed after them.

    draw: writes a plot of it to an SVG file; None where a table says it all.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    value_name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    draw: Callable[[Path], None] | None = None

    @property
    def within(self) -> bool:
        """Whether every bound is kept."""
        return all(row.within is not False for row in self.rows)

    def text(self) -> str:
        """For a terminal: columns of equal width, the notes below."""
        lines = self._lines()
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        table = [
            "  ".join(
                cell.ljust(width) if i < self._n_left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        table.insert(1, "-" * len(table[0]))
        return "\n".join([self.title, "", *(line.rstrip() for line in table), "", *self.notes])

    def markdown(self) -> str:
        """For a README, without the notes: the table, or where there are bounds one line for each of them.

        Rows with the same bound, first and last cell share a line, with the least and the largest of their values.
        """
        if not any(row.bound is not None for row in self.rows):
            return _markdown(self._lines(), self._n_left)
        together: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            if row.bound is not None:
                together.setdefault((row.cells[0], row.cells[-1], _bound_cells(row)[0]), []).append(row)
        lines = [[self.columns[0], self.columns[-1], "promised", self.value_name, "kept"]]
        for (what, against, bound), rows in together.items():
            values = list(dict.fromkeys(f"{value:.2f}" for value in sorted(row.value for row in rows)))
            span = values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
            kept = sum(row.within is True for row in rows)
            lines.append([what, against, bound, span, "yes" if kept == len(rows) else f"{kept} of {len(rows)}"])
        return _markdown(lines, 2)

    def as_dict(self) -> dict[str, Any]:
        rows = [
            dict(zip(self.columns, row.cells, strict=True))
            | {self.value_name: row.value, "bound": row.bound, "at_least": row.at_least, "within": row.within}
            for row in self.rows
        ]
        return {"key": self.key, "title": self.title, "rows": rows, "notes": list(self.notes), "within": self.within}

    @property
    def _n_left(self) -> int:
        return len(self.columns) - 1  # names to the left, numbers to the right

    def _lines(self) -> list[list[str]]:
        """The header and the rows as words; the bound's two columns only where there is any bound."""
        bounded = any(row.bound is not None for row in self.rows)
        header = [*self.columns, self.value_name, *(["bound", "kept"] if bounded else [])]
        return [
            header,
            *([*row.cells, f"{row.value:.2f}", *(_bound_cells(row) if bounded else [])] for row in self.rows),
        ]


def machine() -> str:
    """The machine, the versions, and how much other work there was, in one line."""
    import torch

    words = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_instructions()}), "
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads by default"
    )
    if not hasattr(os, "getloadavg"):  # Windows
        return words
    load = os.getloadavg()[0]
    busy = " (busy with other work: measure again when it is quiet)" if load > 1.5 * (os.cpu_count() or 1) else ""
    return f"{words}, load average {load:.1f}{busy}"


def _markdown(lines: list[list[str]], n_left: int) -> str:
    rule = ["---" if i < n_left else "---:" for i in range(len(lines[0]))]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])


def _instructions() -> str:
    """The processor, the vector instructions that torch uses on it, and whether it multiplies bfloat16 itself."""
    import torch

    from cnn_core.saliency import has_fast_bfloat16

    half = "with" if has_fast_bfloat16(torch.device("cpu")) else "without"
    name = torch.cpu.get_capabilities().get("cpu_name") if hasattr(torch.cpu, "get_capabilities") else None
    words = [*([str(name)] if name else []), torch.backends.cpu.get_cpu_capability(), f"{half} bfloat16 instructions"]
    return ", ".join(words)


def _bound_cells(row: Row) -> list[str]:
    if row.bound is None:
        return ["", ""]
    return [f"{'≥' if row.at_least else '≤'} {row.bound:.2f}", "yes" if row.within else "NO"]
