"""What a saliency map is asked to explain: one class, or one class rather than another, by one of three scores."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InvalidOption, UnknownClass

if TYPE_CHECKING:
    from ..models import Classifier

Score = Literal["logit", "probability", "centred"]
SCORES: Final[tuple[str, ...]] = get_args(Score)

TargetRequest = int | str | tuple[int | str, int | str] | None


@dataclass(frozen=True)
class Target:
    """A differentiable number y read from the K logits z; its map says which cells raise y.

    indices: (c,) for one class, (a, b) for the margin "a rather than b".
    score: "logit" z_c; "probability" p_c = softmax(z)_c; "centred" z_c - mean(z), which does not change when the same
    number is added to every logit. For a margin, y is the difference of the two classes' scores.
    label: the class, or "a rather than b", for people.
    """

    indices: tuple[int, ...]
    label: str
    score: Score = "logit"

    @property
    def is_margin(self) -> bool:
        return len(self.indices) == 2

    @property
    def title(self) -> str:
        """What the number is, for people: for example "probability of giant panda"."""
        if self.is_margin:
            # The mean logit cancels in a difference, so a centred margin is the margin of the logits.
            return f"{'probability' if self.score == 'probability' else 'logit'} margin, {self.label}"
        return f"{'centred logit' if self.score == 'centred' else self.score} of {self.label}"

    def values(self, logits: torch.Tensor) -> torch.Tensor:
        """y for each row of logits: (N, K) -> (N,), differentiable."""
        scores = torch.softmax(logits, dim=-1) if self.score == "probability" else logits
        if self.score == "centred":
            scores = scores - scores.mean(dim=-1, keepdim=True)
        chosen = scores[..., self.indices[0]]
        return chosen - scores[..., self.indices[1]] if self.is_margin else chosen

    def cotangent(self, logits: torch.Tensor) -> torch.Tensor:
        """dy/dz for one picture, (K,) -> (K,): what is sent backward from the logits.

        logit: e_c; centred: e_c - 1/K; probability: p_c (e_c - p), the softmax's own derivative.
        """
        total = torch.zeros_like(logits)
        for sign, index in zip((1.0, -1.0), self.indices, strict=False):
            one_hot = torch.zeros_like(logits)
            one_hot[index] = 1.0
            if self.score == "probability":
                probabilities = torch.softmax(logits, dim=-1)
                one_hot = probabilities[index] * (one_hot - probabilities)
            elif self.score == "centred":
                one_hot = one_hot - 1.0 / logits.shape[-1]
            total = total + sign * one_hot
        return total

    def value(self, logits: NDArray[np.floating]) -> float:
        """y of one picture's logits, numpy (K,)."""
        return float(self.values(torch.from_numpy(np.array(logits, dtype=np.float64)))[()])


def check_request(target: Any, score: str) -> None:
    """Refuse what can be refused before any forward pass: a wrong type, a wrong score, a pair of the wrong length."""
    if score not in SCORES:
        raise InvalidOption(f"Unknown score {score!r}. A map explains one of: {', '.join(map(repr, SCORES))}.")
    if isinstance(target, tuple | list):
        if len(target) != 2:
            raise InvalidOption(f'A margin "a rather than b" needs two classes, and {len(target)} were given.')
        parts = list(target)
    else:
        parts = [] if target is None else [target]
    for part in parts:
        _as_class(part)


def resolve_target(classifier: Classifier, request: TargetRequest, score: Score, logits: torch.Tensor) -> Target:
    """The target asked for; None means the top class of `logits` (K,).

    Raises UnknownClass for a class that the model lacks, InvalidOption for a margin of a class with itself.
    """
    if request is None:
        indices: tuple[int, ...] = (int(logits.argmax()),)
    elif isinstance(request, tuple | list):
        first, second = (classifier.class_index(_as_class(part)) for part in request)
        if first == second:
            raise InvalidOption(
                f"The margin of {_name(classifier, first)} with itself is always 0: choose two classes."
            )
        indices = (first, second)
    else:
        indices = (classifier.class_index(_as_class(request)),)
    return Target(indices, " rather than ".join(_name(classifier, index) for index in indices), score)


def _as_class(part: Any) -> int | str:
    if isinstance(part, str):
        return part
    try:
        if isinstance(part, bool):
            raise TypeError
        return operator.index(part)  # numpy integers too
    except TypeError:
        raise UnknownClass(
            f"A class is a name or an index, not {part!r}. A margin is a pair of them: (first, second)."
        ) from None


def _name(classifier: Classifier, index: int) -> str:
    return classifier.class_names[index]
