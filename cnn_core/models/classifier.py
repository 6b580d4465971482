"""A network ready for use: module, graph, preprocessing and class names as one object."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Literal

import torch
from torch import nn

from ..errors import InvalidOption, UnknownClass, quote, suggest
from ..images import Picture, Source, load_image
from ..network import Network, build_network
from ..preprocessing import ModelInput
from .card import ModelCard

WeightsKind = Literal["default", "random", "checkpoint"]


class Classifier:
    """A model that is never changed after it was made, so that many threads may share it.

    module: in eval mode, its parameters frozen, nothing in place. network: its graph of operations. class_names: one
    for each logit. weights: "default", "random" or "checkpoint". key: names architecture, weights and seed, fit for
    a cache. weights_note: what the weights are, in a sentence for the visitor.
    """

    def __init__(
        self,
        module: nn.Module,
        card: ModelCard,
        *,
        class_names: tuple[str, ...],
        weights: WeightsKind,
        weights_note: str,
        key: str,
        device: str | torch.device = "auto",
    ) -> None:
        self.device = pick_device(device)
        if self.device.type == "cuda":
            # TF32 keeps 10 bits of each factor: a sum would then differ from its own terms by more than 1e-4.
            torch.backends.cudnn.allow_tf32 = False
        self.module = module.to(self.device).eval().requires_grad_(False)
        self.card = card
        self.class_names = class_names
        self.weights = weights
        self.weights_note = weights_note
        self.key = key
        self.network: Network = build_network(self.module, (card.channels, *card.input_size))
        times = Counter(class_names)
        self._index_of = {name: index for index, name in enumerate(class_names) if times[name] == 1}

    def __repr__(self) -> str:
        return f"Classifier({self.key!r}, device={str(self.device)!r})"

    @property
    def device_note(self) -> str:
        """Where the network runs, for people: "CPU", or the name of the graphics card."""
        if self.device.type == "cuda":
            return f"GPU ({torch.cuda.get_device_name(self.device)})"
        return self.device.type.upper()

    def preprocess(self, image: Source | Picture | ModelInput) -> ModelInput:
        """What this network sees of a picture. Raises InvalidImage where the picture cannot be read."""
        if isinstance(image, ModelInput):
            return image
        return self.card.preprocessing.apply(load_image(image))

    def class_index(self, target: int | str) -> int:
        """The index of a class, from its name (letter case aside; the beginning is enough where it is unique) or index.

        Raises UnknownClass naming close matches, or the candidates where several classes have or begin with the name.
        """
        if isinstance(target, str):
            return self._index_by_name(target.strip())
        index = operator.index(target)
        if not 0 <= index < len(self.class_names):
            raise UnknownClass(
                f"There is no class {index}: this network has the classes 0 to {len(self.class_names) - 1}."
            )
        return index

    def _index_by_name(self, name: str) -> int:
        if name in self._index_of:  # ImageNet has both "cardigan" and "Cardigan"
            return self._index_of[name]
        folded = name.casefold()
        exact = [i for i, other in enumerate(self.class_names) if other.casefold() == folded]
        begins = exact or [
            i for i, other in enumerate(self.class_names) if folded and other.casefold().startswith(folded)
        ]
        if len(begins) == 1:
            return begins[0]
        if not begins and name.isdecimal() and len(name) < 10:  # Python itself refuses to read thousands of digits
            return self.class_index(int(name))
        if begins:
            some = ", ".join(f"{self.class_names[i]!r} ({i})" for i in begins[:5])
            more = f" and {len(begins) - 5} more" if len(begins) > 5 else ""
            raise UnknownClass(f"Several classes fit {name!r}: {some}{more}. Give the whole name, or the index.")
        inside = [other for other in self.class_names if folded and folded in other.casefold()][:5]
        hint = "Did you mean " + ", ".join(map(repr, inside)) + "?" if inside else suggest(name, self.class_names)
        raise UnknownClass(f"There is no class {quote(name)} in this network. {hint}")


def pick_device(device: str | torch.device) -> torch.device:
    """A device of this machine; "auto" is the first CUDA device where there is one, else the CPU.

    Raises InvalidOption for a device that torch does not know or this machine does not have.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError:
        raise InvalidOption(f"There is no device {str(device)!r}. Use 'auto', 'cpu' or 'cuda'.") from None
    if picked.type not in ("cpu", "cuda"):
        raise InvalidOption(f"The device {str(device)!r} is not supported. Use 'auto', 'cpu' or 'cuda'.")
    if picked.type == "cuda" and (picked.index or 0) >= torch.cuda.device_count():
        raise InvalidOption(f"This machine has no device {str(device)!r}. Use 'auto' or 'cpu'.")
    return picked
