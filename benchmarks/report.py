"""What a benchmark returns, and how it is printed for people and for programs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement: cells in the order of the report's columns.

    value: the number that counts (a ratio, milliseconds, kilobytes ...). bound: the most that it may be, or None.
    """

    cells: tuple[str, ...]
    value: float
    bound: float | None = None

    @property
    def within(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        return None if self.bound is None else self.value <= self.bound


@dataclass(frozen=True)
class Report:
    """A table: its columns name the cells of each row; the value and the bound are printed after them."""

    key: str
    title: str
    columns: tuple[str, ...]
    value_name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def within(self) -> bool:
        """Whether every bound is kept."""
        return all(row.within is not False for row in self.rows)

    def text(self) -> str:
        header = [*self.columns, self.value_name, "at most", "kept"]
        lines = [header, *([*row.cells, f"{row.value:.2f}", *_bound_cells(row)] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        n_left = len(self.columns) - 1  # names to the left, numbers to the right
        table = [
            "  ".join(
                cell.ljust(width) if i < n_left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        table.insert(1, "-" * len(table[0]))
        return "\n".join([self.title, "", *(line.rstrip() for line in table), "", *self.notes])

    def as_dict(self) -> dict[str, Any]:
        rows = [
            dict(zip(self.columns, row.cells, strict=True))
            | {self.value_name: row.value, "bound": row.bound, "within": row.within}
            for row in self.rows
        ]
        return {"key": self.key, "title": self.title, "rows": rows, "notes": list(self.notes), "within": self.within}


def machine() -> str:
    """The machine, the versions, and how much other work there was, in one line."""
    import torch

    words = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads by default"
    )
    if not hasattr(os, "getloadavg"):  # Windows
        return words
    load = os.getloadavg()[0]
    busy = " (busy with other work: measure again when it is quiet)" if load > 1.5 * (os.cpu_count() or 1) else ""
    return f"{words}, load average {load:.1f}{busy}"


def _bound_cells(row: Row) -> list[str]:
    if row.bound is None:
        return ["", ""]
    return [f"{row.bound:.2f}", "yes" if row.within else "NO"]
