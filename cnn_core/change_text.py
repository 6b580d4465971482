"""Changes written down and read again: a line short enough for a link, and JSON for a file; both are read strictly."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .changes import Change, ChangePicture, EditBias, EditKernel, SabotagePreprocessing, SwitchOff
from .errors import InvalidOption, quote

MAX_CHANGES: Final = 24
MAX_NUMBERS: Final = 50_000
"""Channels, or weights, that one change may name."""
MAX_FILE: Final = 2_000_000
FORMAT: Final = "convlens changes 1"

_NAME: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,120}")
_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?")
_RANGE: Final = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def to_text(changes: Sequence[Change]) -> str:
    """One line of letters, digits and ~ _ . - : changes are parted by ~~, their fields by ~, numbers by _.

    Weights are written with the digits that tell float32 numbers apart, which is what the network computes with.
    """
    return "~~".join(_one_text(change) for change in changes)


def from_text(text: str) -> tuple[Change, ...]:
    """The changes of such a line; raises InvalidOption, with what was wrong, for anything else."""
    if not text:
        return ()
    parts = text.split("~~")
    _check_count(len(parts))
    return tuple(_one_change(part) for part in parts)


def to_json(changes: Sequence[Change], **facts: str) -> str:
    """The changes as a JSON file, with facts (the network's key, the picture's) for people."""
    return json.dumps({"format": FORMAT, **facts, "changes": [_entry(c) for c in changes]}, indent=1, allow_nan=False)


def from_json(content: bytes | str) -> tuple[Change, ...]:
    """The changes of such a file; raises InvalidOption, with what was wrong, for anything else."""
    if len(content) > MAX_FILE:
        raise InvalidOption(f"A file of changes has at most {MAX_FILE // 10**6} MB; this one has more.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidOption("This file is not JSON: choose one that this page has saved.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("changes"), list):
        raise InvalidOption(f"This JSON file holds no list of changes: it must say “format”: “{FORMAT}”.")
    _check_count(len(found["changes"]))
    return tuple(_from_entry(entry) for entry in found["changes"])


# ---- text ------------------------------------------------------------------------------------------------------------


def _one_text(change: Change) -> str:
    if isinstance(change, SwitchOff):
        return "~".join(("off", change.operation, _ranges(change.channels), change.to))
    if isinstance(change, EditKernel):
        values = np.asarray(change.values)
        shape = "x".join(map(str, values.shape)) or "one"
        place = "_".join(map(str, change.index))
        return "~".join(("kernel", change.operation, place, shape, "_".join(map(_float32, values.reshape(-1)))))
    if isinstance(change, EditBias):
        return "~".join(("bias", change.operation, str(change.index), _float32(change.value)))
    if isinstance(change, ChangePicture):
        amount = "default" if change.amount is None else _float64(change.amount)
        return "~".join(("picture", change.kind, amount, str(change.seed)))
    return f"mistake~{change.key}"


def _one_change(text: str) -> Change:
    kind, *fields = text.split("~")
    wanted = {"off": 3, "kernel": 4, "bias": 3, "picture": 3, "mistake": 1}
    if kind not in wanted:
        raise InvalidOption(f"A change begins with {', '.join(wanted)}, not with {quote(kind)}.")
    if len(fields) != wanted[kind] or not _NAME.fullmatch(fields[0]):
        raise InvalidOption(f"A change “{kind}” has {wanted[kind]} fields, the first a name; this is {quote(text)}.")
    name = fields[0]
    if kind == "off":
        if fields[2] not in ("zero", "mean"):
            raise InvalidOption(f"A channel is switched to “zero” or to “mean”, not to {quote(fields[2])}.")
        return SwitchOff(name, _channels(fields[1]), fields[2])  # type: ignore[arg-type]
    if kind == "kernel":
        numbers = [_weight(part) for part in fields[3].split("_")]
        return EditKernel(name, tuple(map(_whole, fields[1].split("_"))), _shaped(numbers, fields[2]))
    if kind == "bias":
        return EditBias(name, _whole(fields[1]), _weight(fields[2]))
    if kind == "picture":
        return ChangePicture(name, None if fields[1] == "default" else _number(fields[1]), _whole(fields[2]))
    return SabotagePreprocessing(name)


def _ranges(channels: Sequence[int]) -> str:
    """ "3_5-9" for 3, 5, 6, 7, 8, 9."""
    runs: list[list[int]] = []
    for channel in sorted({int(c) for c in channels}):
        if runs and channel == runs[-1][1] + 1:
            runs[-1][1] = channel
        else:
            runs.append([channel, channel])
    return "_".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def _channels(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split("_"):
        match = _RANGE.fullmatch(part)
        low = int(match[1]) if match else 0
        high = int(match[2] or match[1]) if match else -1
        if not match or high < low or high - low >= MAX_NUMBERS:
            raise InvalidOption(f"Channels are written like 3_5-9, not like {quote(part)}.")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def _shaped(numbers: list[float], shape: str) -> Any:
    if shape == "one":
        sides: tuple[int, ...] = ()
    else:
        sides = tuple(_whole(side) for side in shape.split("x"))
    if math.prod(sides) != len(numbers) or len(numbers) > MAX_NUMBERS or len(sides) > 4:
        raise InvalidOption(f"{len(numbers)} weights are given where the shape {quote(shape)} wants another number.")
    return np.array(numbers).reshape(sides)


def _float32(value: float) -> str:
    return str(np.float32(value)).removesuffix(".0")


def _float64(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise InvalidOption(f"A number is written like −1.5 or 2e-05, not like {quote(text)}.")
    return value


def _weight(text: str) -> float:
    """The float32 number that was written; one that float32 cannot hold is refused."""
    value = _number(text)
    if abs(value) > np.finfo(np.float32).max:
        raise InvalidOption(f"A weight is a float32 number, which {quote(text)} is too large for.")
    return float(np.float32(value))


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise InvalidOption(f"A whole number from 0 is needed, not {quote(text)}.")
    return int(text)


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _entry(change: Change) -> dict[str, Any]:
    if isinstance(change, SwitchOff):
        return {
            "kind": "off",
            "operation": change.operation,
            "channels": list(map(int, change.channels)),
            "to": change.to,
        }
    if isinstance(change, EditKernel):
        return {
            "kind": "kernel",
            "operation": change.operation,
            "index": list(map(int, change.index)),
            "values": change.values,
        }
    if isinstance(change, EditBias):
        return {
            "kind": "bias",
            "operation": change.operation,
            "index": int(change.index),
            "value": float(change.value),
        }
    if isinstance(change, ChangePicture):
        return {"kind": "picture", "change": change.kind, "amount": change.amount, "seed": int(change.seed)}
    return {"kind": "mistake", "mistake": change.key}


def _from_entry(entry: Any) -> Change:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    try:
        if kind == "off":
            channels = tuple(_json_whole(c) for c in _json_list(entry["channels"]))
            if entry["to"] not in ("zero", "mean"):
                raise ValueError("to")
            return SwitchOff(_json_name(entry["operation"]), channels, entry["to"])
        if kind == "kernel":
            values = np.array(entry["values"], dtype=np.float64)
            if values.size > MAX_NUMBERS or values.ndim > 4 or not np.isfinite(values).all():
                raise ValueError("values")
            place = tuple(_json_whole(i) for i in _json_list(entry["index"]))
            return EditKernel(_json_name(entry["operation"]), place, values)
        if kind == "bias":
            return EditBias(_json_name(entry["operation"]), _json_whole(entry["index"]), _json_float(entry["value"]))
        if kind == "picture":
            amount = entry.get("amount")
            number = None if amount is None else _json_float(amount)
            return ChangePicture(_json_name(entry["change"]), number, _json_whole(entry.get("seed", 0)))
        if kind == "mistake":
            return SabotagePreprocessing(_json_name(entry["mistake"]))
    except KeyError as error:
        raise InvalidOption(f"A change of the kind “{kind}” in this file lacks {error}.") from None
    except (TypeError, ValueError, OverflowError):
        raise InvalidOption(f"A change of the kind “{kind}” in this file has a value that does not fit.") from None
    raise InvalidOption(
        f"A change in this file has the kind {quote(kind)}; there are off, kernel, bias, picture, mistake."
    )


def _json_list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_NUMBERS:
        raise ValueError(value)
    return value


def _json_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(value)
    return value


def _json_whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise ValueError(value)
    return value


def _json_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _check_count(n: int) -> None:
    if n > MAX_CHANGES:
        raise InvalidOption(f"At most {MAX_CHANGES} changes are made at once; here are {n}.")
