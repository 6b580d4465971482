"""Class names from a file that a user brings: text with a name on each line, or JSON in one of its usual forms."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidOption, quote

MAX_BYTES: Final = 4 * 2**20
MAX_NAMES: Final = 100_000
_LONGEST: Final = 200
# Where a larger JSON file keeps the names.
_INSIDE: Final = ("class_names", "classes", "id2label", "idx_to_class", "class_to_idx", "label2id", "names", "labels")


def read_class_names(source: str | os.PathLike[str] | bytes) -> tuple[str, ...]:
    """Class names in the order of the logits.

    Text: UTF-8, a name on each line; empty lines are left out. JSON: a list ["cat", "dog"]; names by number
    {"0": "cat"}, also with a list whose last entry is the name, as in ImageNet's {"0": ["n01440764", "tench"]}; numbers
    by name {"cat": 0}; or an object that holds one of these as "class_names", "classes", "id2label", "class_to_idx" ...
    Raises InvalidOption for a file that is neither, is too large, or leaves a class without a name.
    """
    content = source if isinstance(source, bytes) else _content(Path(source))
    if len(content) > MAX_BYTES:
        raise InvalidOption(f"A file of class names has at most {MAX_BYTES // 2**20} MB, and this one has more.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidOption(
            "The file of class names is no text in UTF-8. Write a name on each line, or a JSON list."
        ) from None
    try:
        return tidy_names(json.loads(text) if text.lstrip()[:1] in ("[", "{") else _lines(text))
    except json.JSONDecodeError as error:
        raise InvalidOption(
            f"The file of class names begins like JSON but is none: {error.msg} in line {error.lineno}."
        ) from None
    except RecursionError:
        raise InvalidOption("The file of class names is nested too deeply. Write a JSON list of names.") from None
    except ValueError as error:
        raise InvalidOption(f"The class names cannot be read: {error}") from None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidOption(f"The class names in {quote(path)} cannot be read: {error.strerror}.") from None


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def tidy_names(value: Any) -> tuple[str, ...]:
    """Names in the order of the logits from a list or a mapping; ValueError says what is wrong."""
    if isinstance(value, Mapping):
        for key in _INSIDE:
            if isinstance(value.get(key), list | dict):
                return tidy_names(value[key])
        value = _in_order(value)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValueError("a list of names, or names by number, is needed.")
    if not 1 <= len(value) <= MAX_NAMES:
        raise ValueError(f"there are {len(value):,} names; 1 to {MAX_NAMES:,} are read.")
    return tuple(_tidy(i, name) for i, name in enumerate(value))


def _in_order(value: Mapping[Any, Any]) -> list[Any]:
    by_number = all(str(key).strip().isdecimal() and len(str(key)) < 10 for key in value)
    if by_number:
        numbered = {int(str(key)): name for key, name in value.items()}
    elif all(isinstance(number, int) and not isinstance(number, bool) for number in value.values()):
        numbered = {number: name for name, number in value.items()}
    else:
        raise ValueError("neither the keys nor the values are the numbers of classes.")
    if len(numbered) != len(value) or set(numbered) != set(range(len(numbered))):
        missing = next((i for i in range(len(value)) if i not in numbered), 0)
        raise ValueError(f"the numbers must run from 0 to {len(value) - 1}, each once; {missing} is missing.")
    return [numbered[i] for i in range(len(numbered))]


def _tidy(i: int, name: Any) -> str:
    if isinstance(name, Sequence) and not isinstance(name, str | bytes) and name:
        name = name[-1]  # ImageNet's files give a WordNet number first
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError(f"the name of class {i} is no text.")
    text = " ".join(str(name).split())
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise ValueError(
            f"the name of class {i}, {quote(text)}, is empty, longer than {_LONGEST} letters or unprintable."
        )
    return text
