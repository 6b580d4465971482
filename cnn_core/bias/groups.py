"""Which labels stand on which backgrounds, how often the network is right there, and which group is the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidOption, quote
from .regions import Region
from .result import Accuracy, Group, GroupTable, PictureRow
from .statistics import rate
from .store import AuditStore

LEAST_IN_GROUP: Final = 5
MOST_TAGS: Final = 12
_EXAMPLES: Final = 6
_LEAST_OUTSIDE: Final = 0.05
_FRAME: Final = 6
"""Where no box says what is outside, the frame of a sixth of the picture counts as background."""


def accuracy_of(rows: Sequence[PictureRow], class_names: Sequence[str]) -> Accuracy | None:
    """How often the network was right, by label; None where no label is one of its classes."""
    known = [row for row in rows if row.label_index is not None]
    if not known:
        return None
    labels = sorted({row.label for row in known if row.label is not None})
    class_of = {row.label: row.label_index for row in known}
    columns = list(dict.fromkeys(class_of[label] for label in labels))
    place = {index: column for column, index in enumerate(columns)}
    table = np.zeros((len(labels), len(columns) + 1), dtype=np.int64)
    for row in known:
        table[labels.index(row.label or ""), place.get(row.predicted, len(columns))] += 1
    per_label = [
        rate(int(counts[place[class_of[label]]]), int(counts.sum()))
        for label, counts in zip(labels, table, strict=True)
    ]
    return Accuracy(
        labels=tuple(labels),
        classes=tuple(class_names[class_of[label] or 0] for label in labels),
        right=rate(sum(one.count for one in per_label), len(known)),
        per_label=tuple(per_label),
        columns=(*(class_names[index or 0] for index in columns), "others"),
        confusion=tuple(tuple(int(n) for n in counts) for counts in table),
    )


def group_table(rows: Sequence[PictureRow], origin: Literal["given", "proposed"]) -> GroupTable | None:
    """Groups of the pictures that have a tag and a label that is a class of the network; None where none has both."""
    found: dict[tuple[str, str], list[PictureRow]] = {}
    for row in rows:
        if row.tag is not None and row.label is not None and row.right is not None:
            found.setdefault((row.label, row.tag), []).append(row)
    if not found:
        return None
    groups = tuple(_group(label, tag, own) for (label, tag), own in sorted(found.items()))
    large = [group for group in groups if group.right.n >= LEAST_IN_GROUP]
    return GroupTable(
        origin=origin,
        tags=tuple(sorted({group.tag for group in groups})),
        groups=groups,
        worst=min(large, key=lambda group: group.right.count / group.right.n, default=None),
        least=LEAST_IN_GROUP,
        association=_cramers_v(groups),
    )


def _group(label: str, tag: str, rows: list[PictureRow]) -> Group:
    wrong_first = sorted(rows, key=lambda row: (bool(row.right), row.index))
    return Group(
        label=label,
        tag=tag,
        right=rate(sum(bool(row.right) for row in rows), len(rows)),
        mean_probability=float(np.mean([row.probability for row in rows])),
        examples=tuple(row.index for row in wrong_first[:_EXAMPLES]),
    )


def _cramers_v(groups: Sequence[Group]) -> float | None:
    labels, tags = sorted({group.label for group in groups}), sorted({group.tag for group in groups})
    if len(labels) < 2 or len(tags) < 2:
        return None
    from scipy.stats.contingency import association

    table = np.zeros((len(labels), len(tags)), dtype=np.int64)
    for group in groups:
        table[labels.index(group.label), tags.index(group.tag)] = group.right.n
    return float(association(table, method="cramer"))


def checked_tags(tags: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Background tags by picture name. Raises InvalidOption for a picture that is not there, or an empty tag."""
    known = set(names)
    for name, tag in tags.items():
        if name not in known:
            raise InvalidOption(f"A background is tagged for {quote(name)}, which is not among the pictures.")
        if not str(tag).strip():
            raise InvalidOption(f"The background tag of {quote(name)} is empty: give it a word, or leave it out.")
    return {name: " ".join(str(tag).split())[:40] for name, tag in tags.items()}


def propose_tags(
    store: AuditStore,
    rows: Mapping[int, PictureRow],
    n_tags: int,
    *,
    regions: Mapping[str, Region] | None = None,
    seed: int = 0,
) -> dict[str, str]:
    """A tag for every picture's background, "background 1" (the most frequent) to "background n", by name.

    Of each thumbnail's outside: the mean and the spread of its colour and the strength of its edges, in the units of
    CIELAB, in which equal distances look about equally large; grouped by k-means (scikit-learn). Outside is what no box
    covers, and of pictures without a box a frame of a sixth. It sees colour and texture only: look at the groups, and
    name them. Raises InvalidOption for fewer than 2 tags, or more than 12.
    """
    if not isinstance(n_tags, int) or not 2 <= n_tags <= MOST_TAGS:
        raise InvalidOption(f"Between 2 and {MOST_TAGS} kinds of background can be proposed, not {n_tags!r}.")
    from sklearn.cluster import KMeans

    held = regions or {}
    seen = {index: line["seen"] for index, line in store.lines() if line["name"] in held}
    found = []
    for index, rgb in store.thumbnails():
        if index in rows:
            row = rows[index]
            found.append((row.name, _look(rgb, _outside(rgb, row, held.get(row.name), seen.get(index)))))
    if not found:
        return {}
    features = np.stack([look for _, look in found])
    n = min(n_tags, len(np.unique(features, axis=0)))
    labels = KMeans(n, n_init=8, random_state=seed).fit_predict(features)
    counts = np.bincount(labels, minlength=n)
    order = sorted(range(n), key=lambda own: (-counts[own], own))
    names = {own: f"background {place}" for place, own in enumerate(order, start=1)}
    return {name: names[int(own)] for (name, _), own in zip(found, labels, strict=True)}


def _outside(
    rgb: NDArray[np.uint8], row: PictureRow, region: Region | None, seen: Sequence[float] | None
) -> NDArray[np.bool_]:
    """The pixels of a thumbnail that count as background, bool (h, w); at least some."""
    h, w = rgb.shape[:2]
    if region is not None and seen is not None:
        mask = Image.fromarray(region.mask_of(*row.size).astype(np.uint8))
        top, left, bottom, right = seen
        box = (max(0.0, left), max(0.0, top), min(row.size[1], right), min(row.size[0], bottom))
        outside = np.asarray(mask.resize((w, h), Image.Resampling.NEAREST, box=box)) == 0
        if outside.mean() > _LEAST_OUTSIDE:
            return outside
    frame = np.ones((h, w), dtype=np.bool_)
    frame[h // _FRAME : h - h // _FRAME, w // _FRAME : w - w // _FRAME] = False
    return frame


def _look(rgb: NDArray[np.uint8], outside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Seven numbers: mean and spread of each CIELAB coordinate, and the mean change between neighbours."""
    from skimage.color import rgb2lab

    lab = rgb2lab(rgb)
    colours = lab[outside]
    down, across = np.gradient(lab[..., 0])
    edges = np.hypot(down, across)[outside].mean()
    return np.concatenate([colours.mean(axis=0), colours.std(axis=0), [edges]])
