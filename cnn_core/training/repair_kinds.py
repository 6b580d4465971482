"""What is tried to free a network from its pictures' grounds: the table that experiments and pages read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Repair:
    """One way to change every batch.

    colours: channels exchanged, each made darker or lighter. swapped, invented: how often an animal is put on another
    training picture's ground, and on one of any colour and texture; the rest stay where they are.
    """

    key: str
    title: str
    colours: bool = False
    swapped: float = 0.0
    invented: float = 0.0

    @property
    def needs_masks(self) -> bool:
        """Whether somebody must have cut the animals out."""
        return self.swapped + self.invented > 0


REPAIRS: Final = {
    repair.key: repair
    for repair in (
        Repair("colour", "colours shaken", colours=True),
        Repair("swap", "grounds swapped between training pictures", swapped=1.0),
        Repair("swap_invent", "half swapped, half on invented grounds", swapped=0.5, invented=0.5),
    )
}
