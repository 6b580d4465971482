"""The options of a saliency method: what each means, its default and its limits, checked before anything is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..errors import InvalidOption


@dataclass(frozen=True)
class Option:
    """One option.

    meaning: a sentence for people. low, high: limits of a number, both included. choices: what a word may be.
    is_pair: (rows, columns) may be given as well as one number for both. None is accepted where it is the default.
    """

    name: str
    default: bool | int | float | str | None
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_pair: bool = False
    is_whole: bool = True

    def check(self, value: Any) -> None:
        """Raises InvalidOption, which says what would be right."""
        if value is None and self.default is None:
            return
        if self.is_pair and isinstance(value, tuple | list):
            if len(value) != 2:
                raise InvalidOption(f"{self.name} is one number or (rows, columns), and is {value!r}.")
            for part in value:
                self._check_one(part)
        else:
            self._check_one(value)

    def read(self, text: str) -> Any:
        """The value that a text means ("32", "32x16" for a pair, "true"), checked. Raises InvalidOption."""
        value: Any = text
        if isinstance(self.default, bool):
            value = {"true": True, "false": False}.get(text.lower(), text)
        elif not self.choices:
            try:
                numbers = [int(part) if self.is_whole else float(part) for part in text.split("x")]
            except ValueError:
                raise InvalidOption(f"{self.name} must be {self.limits}, and is {text!r}.") from None
            value = numbers[0] if len(numbers) == 1 else tuple(numbers)
        self.check(value)
        return value

    @staticmethod
    def written(value: Any) -> str:
        """A value as `read` reads it."""
        if isinstance(value, tuple | list):
            return "x".join(map(str, value))
        return str(value).lower() if isinstance(value, bool) else str(value)

    @property
    def limits(self) -> str:
        """What may be given, in words: "a whole number from 1 to 512"."""
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        if isinstance(self.default, bool):
            return "True or False"
        kind = "a whole number" if self.is_whole else "a number"
        high = "" if self.high is None else f" to {self.high:g}"
        return f"{kind} from {self.low:g}{high}" if self.low is not None else kind

    def _check_one(self, value: Any) -> None:
        if self.choices:
            good = isinstance(value, str) and value in self.choices
        elif isinstance(self.default, bool):
            good = isinstance(value, bool)
        else:
            good = isinstance(value, Integral if self.is_whole else Real) and not isinstance(value, bool)
            good = good and math.isfinite(value)
            good = good and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        if not good:
            raise InvalidOption(f"{self.name} must be {self.limits}, and is {value!r}.")
