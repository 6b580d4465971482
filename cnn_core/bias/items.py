"""The pictures of an audit: which files of a folder are meant, under which names and labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import InvalidOption, quote

ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MOST_PICTURES: Final = 1_000_000


@dataclass(frozen=True)
class Item:
    """One file. name: how it is called in the report, with "/"; label: what it shows, or None where nobody said."""

    name: str
    path: Path
    label: str | None = None


Items = str | os.PathLike[str] | Iterable[Item | str | os.PathLike[str]]


def items_of(folder_or_items: Items) -> tuple[Item, ...]:
    """The files of a folder in the order of their names, or a list's in its own order.

    Of a folder, files with a picture's ending count, at any depth; the subfolder that a picture lies in is its label.
    Hidden files are left out, and no link is followed. A list holds paths, whose parent folder is no label, or Items.
    Raises InvalidOption where there is no such folder, it holds no pictures, or two items have one name.
    """
    if isinstance(folder_or_items, str | os.PathLike):
        return _of_folder(Path(folder_or_items))
    found = tuple(
        item if isinstance(item, Item) else Item(Path(item).name, Path(item)) for item in folder_or_items
    )  # fmt: skip
    if not found:
        raise InvalidOption("There are no pictures to audit: give at least one.")
    _check_names(found)
    return found


def folder_title(folder_or_items: Items) -> str:
    """What the report calls the pictures: a folder's own name, without where it lies."""
    if isinstance(folder_or_items, str | os.PathLike):
        return Path(folder_or_items).resolve().name or "folder"
    return "pictures"


def _of_folder(folder: Path) -> tuple[Item, ...]:
    if not folder.is_dir():
        raise InvalidOption(f"There is no folder {quote(folder)}. Give a folder of pictures.")
    names: list[str] = []
    for where, below, files in os.walk(folder, followlinks=False):
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        for name in files:
            path = Path(where, name)
            if path.suffix.lower() in ENDINGS and not name.startswith(".") and not path.is_symlink():
                names.append(path.relative_to(folder).as_posix())
        if len(names) > MOST_PICTURES:
            raise InvalidOption(f"The folder holds more than {MOST_PICTURES:,} pictures: audit a part of it.")
    if not names:
        raise InvalidOption(
            f"The folder {quote(folder.name)} holds no pictures ({', '.join(sorted(e[1:] for e in ENDINGS))})."
        )
    return tuple(Item(name, folder / name, name.split("/")[-2] if "/" in name else None) for name in sorted(names))


def _check_names(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise InvalidOption(f"Two pictures are called {quote(item.name)}: give each a name of its own.")
        seen.add(item.name)
