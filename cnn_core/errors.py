"""The mistakes that a user can make, each an exception whose message says what was wrong and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ConvLensError(Exception):
    """Base of every error that a user can cause; its message is one or two sentences fit to be shown as they are."""


class InvalidImage(ConvLensError):
    """The picture cannot be read, or is larger than allowed."""


class UnknownModel(ConvLensError):
    """No model has this key."""


class WeightsUnavailable(ConvLensError):
    """The model's trained weights are not on this machine, or could not be fetched."""


class InvalidLayer(ConvLensError):
    """No operation has this name, or it cannot be used here (for example: it has no spatial maps)."""


class InvalidCheckpoint(ConvLensError):
    """A file of weights cannot be read, or does not fit the architecture."""


class UnknownClass(ConvLensError):
    """No class has this name or index, or several have it."""


class UnknownMethod(ConvLensError):
    """No saliency method has this key."""


class InvalidUnit(ConvLensError):
    """An index does not point at one value of an activation."""


class InvalidOption(ConvLensError):
    """An option has a value that is not offered, or options contradict each other."""


def quote(text: object, *, limit: int = 60) -> str:
    """What somebody gave, in quotation marks on one line, cut short after `limit` characters."""
    given = str(text)
    return repr(given if len(given) <= limit else given[: limit - 1] + "…")


def suggest(wanted: str, valid: Iterable[str], *, limit: int = 5) -> str:
    """The end of an error message: the closest valid names, or the first few where none is close.

    Returns, for example, "Did you mean 'resnet18', 'resnet34'?" or "Valid names: 'a', 'b', 'c' and 77 more.".

    >>> print(suggest("resnet81", ["resnet18", "vgg16"]))
    Did you mean 'resnet18'?
    """
    names = list(valid)
    by_folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(wanted.casefold(), list(by_folded), n=limit, cutoff=0.6)
    if close:
        return "Did you mean " + ", ".join(repr(by_folded[folded]) for folded in close) + "?"
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return "Valid names: " + ", ".join(repr(name) for name in names[:limit]) + rest + "."
