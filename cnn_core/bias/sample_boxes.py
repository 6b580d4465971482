"""Where the animal is in the sample photographs, drawn by hand, and which drawn ground is like its own."""

from __future__ import annotations

from typing import Final

from .regions import Box

# Per cent of the height and the width: top, left, bottom, right; and the ground, "" where none of ours is like it.
_MARKS: Final[dict[str, tuple[tuple[int, int, int, int], str]]] = {
    "bison": ((11, 19, 73, 82), "grass"),
    "cat": ((13, 18, 74, 99), ""),
    "chameleon": ((13, 18, 76, 85), "forest"),
    "cow": ((36, 22, 91, 91), "grass"),
    "crocodile": ((20, 7, 83, 91), ""),
    "dog": ((3, 2, 96, 89), "grass"),
    "dragon": ((27, 5, 92, 91), "sand"),
    "duck": ((20, 10, 93, 80), "water"),
    "giraffe": ((14, 46, 93, 88), "sand"),
    "hedgehog": ((18, 18, 92, 85), "grass"),
    "horse": ((29, 10, 89, 90), "grass"),
    "kangaroo": ((2, 28, 90, 57), "sand"),
    "koala": ((21, 12, 90, 85), "forest"),
    "moose": ((15, 12, 94, 81), "grass"),
    "narwhal": ((42, 2, 80, 99), "water"),
    "owl": ((19, 51, 95, 72), "forest"),
    "panda": ((6, 20, 91, 84), "forest"),
    "pig": ((20, 16, 83, 61), "grass"),
    "polar_bear": ((31, 22, 84, 83), "snow"),
    "scarlet_macaw": ((11, 21, 97, 91), ""),
    "sheep": ((10, 22, 95, 71), "grass"),
}


def sample_box(key: str, height: int, width: int) -> Box | None:
    """The animal's box in a sample of this size (pixels), or None where nobody drew one."""
    if key not in _MARKS:
        return None
    top, left, bottom, right = _MARKS[key][0]
    return Box(top * height / 100, left * width / 100, bottom * height / 100, right * width / 100)


def sample_ground(key: str) -> str | None:
    """The drawn ground that is like the sample's own, or None."""
    return _MARKS[key][1] or None if key in _MARKS else None
