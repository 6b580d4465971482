"""What is known about a model before it is built."""

from __future__ import annotations

from dataclasses import dataclass

from ..preprocessing import Preprocessing


@dataclass(frozen=True)
class ModelCard:
    """One entry of the catalogue; nothing here needs the model to be built or its weights to be there."""

    key: str
    """The name to load it by, torchvision's own where it has one."""
    title: str
    family: str
    year: int
    """The year in which the family's paper was first made public."""
    source: str
    """The family's paper."""
    n_parameters: int
    """Parameters of the network as it runs (without heads that only training uses)."""
    input_size: tuple[int, int]
    """(height, width) of what the network sees, in pixels."""
    n_classes: int
    macs: int | None
    """Multiply-adds for one picture of `input_size`, as torchvision reports them; None where unknown."""
    preprocessing: Preprocessing
    weights_name: str
    """Which trained weights these are, for example "IMAGENET1K_V2"."""
    weights_available: bool
    """True where the trained weights are on this machine."""
    weights_note: str
    """Where the weights come from and how well they do, in one or two sentences."""
    download_megabytes: float | None
    """The size of the download (MiB) where the weights can be fetched; None for weights that come with ConvLens."""

    classes_note: str = ""
    """What its classes are, for people ("ten digits"), where a number of classes says too little."""

    @property
    def channels(self) -> int:
        """Channels of the input: 3, or 1 for a network that reads greys."""
        return self.preprocessing.channels
