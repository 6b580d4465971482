"""A radio group of thumbnails or cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ui.components import mount, pack, sent_one_of


@dataclass(frozen=True)
class Option:
    """One thing to choose: a thumbnail (JPEG bytes) with a title, or a card with a title and a line of detail."""

    key: str
    title: str
    detail: str = ""
    picture: bytes | None = None


def picker(
    options: Sequence[Option],
    selected: str,
    *,
    key: str,
    label: str,
    layout: Literal["thumbs", "cards"],
    on_pick: Callable[[str], None],
) -> None:
    """Show the options; `on_pick` is called with the chosen key before the page runs again."""
    items, blob = [], b""
    for option in options:
        item: dict[str, object] = {"key": option.key, "title": option.title, "detail": option.detail}
        if option.picture is not None:
            item["picture"] = [len(blob), len(option.picture)]
            blob += option.picture
        items.append(item)

    def changed() -> None:
        chosen = sent_one_of(key, "pick", [option.key for option in options])
        if chosen is not None:
            on_pick(chosen)

    mount(
        "picker",
        key=key,
        data=pack(
            {"items": items, "selected": selected, "label": label, "layout": layout},
            pictures=np.frombuffer(blob, dtype=np.uint8),
        ),
        triggers={"pick": changed},
    )
