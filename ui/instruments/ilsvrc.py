"""The instruments of the page on ImageNet: top-5 error by year, and the table of our own small benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cnn_core import ilsvrc
from ui.components import mount, pack, sent_one_of


def history(chosen: str, *, waiting: bool, key: str, on_pick: Callable[[str], None]) -> None:
    """The challenge's entries; waiting: only the first and the last year are shown, the rest is to be guessed."""
    drops = ilsvrc.drops()
    shown = {ilsvrc.winners()[0].key, ilsvrc.winners()[-1].key}
    entries: list[dict[str, Any]] = []
    for entry in ilsvrc.ENTRIES:
        if waiting and not entry.is_winner:
            continue
        drop, share = drops.get(entry.year, (None, None)) if entry.is_winner else (None, None)
        entries.append(
            {
                "key": entry.key,
                "year": entry.year,
                "name": entry.name,
                "short": entry.short,
                "error": entry.error if not waiting or entry.key in shown else None,
                "winner": entry.is_winner,
                "drop": None if waiting else drop,
                "share": None if waiting else share,
                **({} if waiting else {"source": entry.source, "idea": entry.idea, "paper": entry.paper}),
            }
        )
    person = ilsvrc.PEOPLE[0]
    low, high = ilsvrc.interval(person.error, person.n_pictures)

    def picked() -> None:
        told = sent_one_of(key, "pick", [entry.key for entry in ilsvrc.ENTRIES])
        if told is not None:
            on_pick(told)

    meta = {
        "part": "history",
        "waiting": waiting,
        "entries": entries,
        "chosen": chosen if not waiting else ilsvrc.winners()[0].key,
        "person": {"error": person.error, "low": low, "high": high, "n": person.n_pictures},
    }
    mount("ilsvrc", key=key, data=pack(meta), triggers={"pick": picked})


@dataclass(frozen=True)
class Row:
    """One machine in the small benchmark's table; shares are 0 to 1."""

    key: str
    title: str
    own: bool
    parameters: int
    macs: int
    accuracy: float
    low: float
    high: float
    error3: float
    first: float
    """Share of the draws of test pictures in which it leads."""
    moved_accuracy: float
    """With the test pictures moved; the same as `accuracy` where they are not."""
    note: str


def ranking(
    rows: Sequence[Row], *, title: str, n: int, drawn: int, draws: int, moved: int, note: str, file: str, key: str
) -> None:
    """The table. n: test pictures; drawn: pictures in each draw of the interval; moved: pixels down and right."""
    meta = {
        "part": "ranking",
        "waiting": False,
        "rows": [asdict(row) for row in rows],
        "title": title,
        "n": n,
        "drawn": drawn,
        "draws": draws,
        "moved": moved,
        "note": note,
        "file": file,
    }
    mount("ilsvrc", key=key, data=pack(meta))
