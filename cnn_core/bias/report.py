"""An audit as a file: one HTML page that needs nothing else, a table with a line for each picture, plain values."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Final

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import palette
from ..assets import ASSETS
from .result import AuditReport, Cluster, PictureRow
from .store import jpeg_of
from .swap_result import Rate, SwapExample, SwapTest

FORMAT: Final = "convlens-audit-1"
# What one page shows: a folder of any size gives a file of a few megabytes.
_MOST_PICTURES: Final = 60
_MOST_BOXED: Final = 60
_MOST_EXAMPLES: Final = 8
_MOST_MEMBERS: Final = 5
_MOST_BAD: Final = 100
# A spreadsheet would take a text that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_KIND: Final = {"label": "class", "predicted": "predicted class", "tag": "kind"}
_MINUS: Final = "\N{MINUS SIGN}"
_SPACE: Final = "\N{NO-BREAK SPACE}"


# --- plain values


def dict_of(report: AuditReport) -> dict[str, Any]:
    """Everything but the pictures: strings, numbers, None, lists and dicts; a number that is not finite is None."""
    found: dict[str, Any] = {"format": FORMAT}
    for field in fields(report):
        if field.name != "store":
            found[field.name] = _plain(getattr(report, field.name))
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        skipped = {"mean_picture", "jpeg"}
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in skipped}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- the table

_EVIDENCE: Final = (
    "inside", "outside", "share", "area", "enrichment", "margin", "margin_inside", "margin_outside", "margin_bias"
)  # fmt: skip
_SWAP: Final = (
    "side", "flips_same", "n_same", "flips_other", "n_other", "drop_same", "drop_other", "removed_flipped"
)  # fmt: skip
_ROW: Final = (
    "label", "predicted", "predicted_name", "logit", "probability", "second", "second_name", "second_logit",
    "second_probability", "right", "scatter", "tag", "cluster",
)  # fmt: skip


def csv_of(report: AuditReport) -> str:
    """A line for each picture, in the order of their names, headings first; what is not known is empty."""
    swaps = {row.index: row for row in report.swap.rows} if report.swap is not None else {}
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    evidence, swap = [f"evidence_{name}" for name in _EVIDENCE], [f"swap_{name}" for name in _SWAP]
    writer.writerow(["picture", *_ROW, "boxed", *evidence, *swap, "height", "width", "digest", "notes"])
    for row in report.rows:
        cells: list[Any] = [row.name, *(getattr(row, name) for name in _ROW), row.is_boxed]
        cells += [getattr(row.evidence, name, None) for name in _EVIDENCE]
        cells += [getattr(swaps.get(row.index), name, None) for name in _SWAP]
        writer.writerow([_cell(cell) for cell in (*cells, *row.size, row.digest, " ".join(row.notes))])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


# --- the page


def html_of(report: AuditReport) -> str:
    """The page: pictures embedded, no scripts, nothing fetched; it prints well and is equal for equal audits."""
    swap = report.swap
    return _template().render(
        report=report,
        s=report.settings,
        light=palette.COLOURS["light"],
        dark=palette.COLOURS["dark"],
        kind=_KIND[report.settings.by],
        chart=None if swap is None else _chart(swap),
        examples=[] if swap is None else _examples(report, swap),
        boxed=[row for row in report.rows if row.evidence is not None][:_MOST_BOXED],
        clusters=[_cluster(report, cluster) for cluster in report.clusters],
        pictures=[_shown(report, row) for row in _chosen(report.rows)],
        facts=_facts(report),
        most_bad=_MOST_BAD,
    )


@cache
def _template() -> jinja2.Template:
    # Everything that a visitor named (files, classes, labels) is escaped.
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "percent": _percent,
        "points": _points,
        "number": _number,
        "rate": _rate,
        "count": lambda n: f"{n:,}",
    }
    return environment.from_string((ASSETS / "report" / "audit.html").read_text(encoding="utf-8"))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}{_SPACE}%".replace("-", _MINUS)


def _points(share: float) -> str:
    return f"{100 * share:.0f}".replace("-", _MINUS)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:#.4g}".rstrip(".").replace("-", _MINUS)


def _rate(rate: Rate) -> str:
    if rate.share is None:
        return "none of 0"
    interval = f"95{_SPACE}% interval {_points(rate.low)} to {_points(rate.high)}{_SPACE}%"
    return f"{_percent(rate.share)} ({rate.count:,} of {rate.n:,}; {interval})"


@dataclass(frozen=True)
class _Shown:
    """One picture on the page: its file as a data address, and what is said of it."""

    source: str
    alt: str
    heading: str
    answer: str = ""
    mark: str = ""
    style: str = ""


def _chosen(rows: tuple[PictureRow, ...]) -> list[PictureRow]:
    """The pictures that say most, at most _MOST_PICTURES: wrong and sure, boxed, and unsure ones."""
    if len(rows) <= _MOST_PICTURES:
        return list(rows)
    wrong = sorted((row for row in rows if row.right is False), key=lambda row: -row.probability)
    boxed = [row for row in rows if row.is_boxed]
    unsure = sorted(rows, key=lambda row: row.probability)
    third = _MOST_PICTURES // 3
    picked = {row.index: row for row in (*wrong[:third], *boxed[:third], *unsure)}
    return list(picked.values())[:_MOST_PICTURES]


def _shown(report: AuditReport, row: PictureRow) -> _Shown:
    mark, style = {True: ("✓", "right"), False: ("✗", "wrong"), None: ("", "")}[row.right]
    said = f"{row.predicted_name} {row.probability:.2f}"
    label = "" if row.label is None or row.right is None else f", label {row.label}"
    return _Shown(
        _jpeg(jpeg_of(report.overlay(row.index))),
        f"{row.name}: {said}{label}, with the map of its evidence",
        row.name,
        said,
        mark,
        style,
    )


def _examples(report: AuditReport, swap: SwapTest) -> list[list[_Shown]]:
    """For a few pictures: as it is, on other backgrounds, without its object."""
    kind = _KIND[report.settings.by]
    titles = {
        "same": f"On the same {kind}’s background (control)",
        "other": f"On another {kind}’s background",
        "removed": "Object painted over",
    }
    by_picture: dict[int, list[SwapExample]] = {}
    for one in swap.examples:
        by_picture.setdefault(one.index, []).append(one)
    shown = []
    for index, own in list(by_picture.items())[:_MOST_EXAMPLES]:
        row = report.row(index)
        answer = f"{row.predicted_name} {row.probability:.2f}"
        line = [_Shown(_jpeg(report.thumbnail(index)), f"{row.name} as it is: {answer}", "As it is", answer)]
        for arm, title in titles.items():
            for one in own:
                if one.arm == arm:
                    said = f"{one.predicted_name} {one.probability:.2f}"
                    mark, style = ("✗", "wrong") if one.flipped else ("✓", "right")
                    line.append(
                        _Shown(_jpeg(one.jpeg), f"{row.name}, {title.lower()}: {said}", title, said, mark, style)
                    )
        shown.append(line)
    return shown


def _cluster(report: AuditReport, cluster: Cluster) -> dict[str, Any]:
    highest = float(cluster.mean_map.max(initial=0.0))
    colours = palette.colourise(cluster.mean_map, palette.SEQUENTIAL, 0.0, highest)
    return {
        "cluster": cluster,
        "picture": _jpeg(jpeg_of(cluster.mean_picture)),
        "map": _png(colours),
        "highest": highest,
        "members": [_shown(report, report.row(index)) for index in cluster.indices[:_MOST_MEMBERS]],
    }


def _chart(swap: SwapTest) -> dict[str, Any]:
    """Places on a drawing of 640 x 176: shares of the three interventions, and the difference with its interval."""
    found = swap.difference
    lowest = min(0.0, math.floor(4 * min(found.low, 0.0)) / 4)

    def x(share: float) -> float:
        return round(240 + 340 * (share - lowest) / (1 - lowest), 1)

    arms: Iterable[tuple[str, float | None, str]] = (
        ("Same kind (control)", swap.same, "control"),
        ("Another kind", swap.other, "swapped"),
        ("Object removed", swap.removed.share, "removed"),
    )
    steps = round(4 * (1 - lowest)) + 1
    return {
        "ticks": [(x(lowest + i / 4), _percent(lowest + i / 4)) for i in range(steps)],
        "bars": [
            {"title": title, "x": x(0), "width": round(x(share) - x(0), 1), "style": style, "share": share}
            for title, share, style in arms
            if share is not None
        ],
        "interval": (x(found.low), x(found.estimate), x(found.high)),
    }


def _facts(report: AuditReport) -> list[tuple[str, str]]:
    s, v = report.settings, report.versions
    where = "the picture" if s.layer is None else f"{s.layer} ({s.layer_title})"
    return [
        ("Model", f"{s.model_title} [{s.model_key}]"),
        ("Weights", s.weights_note),
        ("Pictures", f"{len(report.rows):,} read, {len(report.bad_files):,} skipped; seen as {s.input_size[0]} × "
                     f"{s.input_size[1]} pixels"),
        ("Maps", f"{s.method_title}, {s.cells[0]} × {s.cells[1]} cells, at {where}; explained: "
                 f"{s.target or 'each picture’s own first class'}"),
        ("Swaps", f"up to {s.donors} backgrounds of each kind for each boxed picture; of one kind are those of one "
                  f"{ {'label': 'label', 'predicted': 'predicted class', 'tag': 'background tag'}[s.by] }"),
        ("Boxed pictures", str(0 if report.boxes is None else report.boxes.n)),
        ("Interval", f"paired bootstrap, {s.resamples:,} resamples, level {100 * s.level:.0f} %; of shares: Wilson"),
        ("Seed", str(s.seed)),
        ("Versions", f"ConvLens {v.convlens}, Python {v.python}, torch {v.torch}, torchvision {v.torchvision}, NumPy "
                     f"{v.numpy}, scikit-learn {v.scikit_learn}"),
        ("Machine", v.machine),
    ]  # fmt: skip


def _jpeg(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _png(rgb: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
