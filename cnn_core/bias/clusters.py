"""Pictures grouped by where their evidence lies (SpRAy: Lapuschkin et al., Nature Communications 2019)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from .result import Cluster, PictureRow
from .statistics import rate
from .store import AuditStore

LEAST_PICTURES: Final = 8
"""Fewer maps are looked at one by one."""
MOST_CLUSTERS: Final = 12
_TRIED: Final = range(2, 7)
_LEARNED_FROM: Final = 4000
_JUDGED_ON: Final = 1000
_CELLS: Final = 14

Vectors = NDArray[np.float32]


def cluster_maps(
    store: AuditStore,
    rows: Mapping[int, PictureRow],
    *,
    n_clusters: int | None,
    seed: int,
    on_done: Callable[[int], None],
) -> tuple[Cluster, ...]:
    """K-means (scikit-learn) over the maps, each pooled to at most 14 x 14 cells and divided by its own length.

    Maps are compared by their shape, not their strength; maps without evidence are in no cluster. n_clusters: None for
    the number from 2 to 6 with the best silhouette. The centres are found from at most 4,000 maps, drawn by `seed`, so
    that memory does not grow with the folder. Returns () where fewer than 8 maps hold evidence.
    """
    from sklearn.cluster import KMeans

    filled = np.array([i for i, row in sorted(rows.items()) if row.scatter is not None], dtype=np.int64)
    if len(filled) < LEAST_PICTURES:
        return ()
    drawn = np.random.default_rng(seed).permutation(filled)[:_LEARNED_FROM]
    sample = np.concatenate([vectors[np.isin(indices, drawn)] for indices, vectors, _ in _vectors(store, rows)])
    k = _best_number(sample, seed) if n_clusters is None else min(n_clusters, len(sample))
    model = KMeans(k, n_init=4, random_state=seed).fit(sample)
    return _collected(store, rows, model.cluster_centers_, on_done)


def _vectors(
    store: AuditStore, rows: Mapping[int, PictureRow]
) -> Iterator[tuple[NDArray[np.int64], Vectors, NDArray[np.float32]]]:
    """(indices, unit vectors (n, d), maps (n, h, w)) of the maps that hold evidence, a shard at a time."""
    for indices, maps in store.maps():
        held = np.array([int(i) in rows and rows[int(i)].scatter is not None for i in indices], dtype=np.bool_)
        indices, maps = indices[held], maps[held]
        h, w = maps.shape[1:]
        size = (min(h, _CELLS), min(w, _CELLS))
        pooled = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(maps)[:, None], size).flatten(1).numpy()
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        yield indices, np.asarray(pooled / np.maximum(lengths, np.finfo(np.float32).tiny)), maps


def _best_number(sample: Vectors, seed: int) -> int:
    """The number of clusters with the largest mean silhouette (Rousseeuw 1987)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    judged = sample[:_JUDGED_ON]
    different = len(np.unique(judged.round(5), axis=0))
    best, best_score = 2, -2.0
    for k in _TRIED:
        if k >= len(judged) or k > different:
            break
        labels = KMeans(k, n_init=2, random_state=seed).fit_predict(judged)
        if len(set(labels)) < 2:  # all maps are one and the same
            break
        score = float(silhouette_score(judged, labels))
        if score > best_score:
            best, best_score = k, score
    return best


def _collected(
    store: AuditStore, rows: Mapping[int, PictureRow], centres: NDArray[np.floating], on_done: Callable[[int], None]
) -> tuple[Cluster, ...]:
    """Members, mean maps and mean pictures of all clusters, in one reading of the store."""
    k = len(centres)
    members: list[list[tuple[float, int]]] = [[] for _ in range(k)]
    maps = np.zeros((k, *store.key.cells))
    cluster_of: dict[int, int] = {}
    for indices, vectors, values in _vectors(store, rows):
        distances = np.linalg.norm(vectors[:, None] - centres[None], axis=2)
        for index, own, distance, one in zip(indices, distances.argmin(1), distances.min(1), values, strict=True):
            members[own].append((float(distance), int(index)))
            cluster_of[int(index)] = int(own)
            maps[own] += one / one.sum()
    pictures: NDArray[np.float64] | None = None
    for index, rgb in store.thumbnails():
        if pictures is None:
            pictures = np.zeros((k, *rgb.shape))
        if index in cluster_of:
            pictures[cluster_of[index]] += rgb
        on_done(1)
    assert pictures is not None  # there are rows, so there are thumbnails
    order = sorted((own for own in range(k) if members[own]), key=lambda own: (-len(members[own]), own))
    return tuple(
        _cluster(number, sorted(members[own]), pictures[own], maps[own], rows) for number, own in enumerate(order)
    )


def _cluster(
    number: int,
    members: list[tuple[float, int]],
    picture: NDArray[np.float64],
    values: NDArray[np.float64],
    rows: Mapping[int, PictureRow],
) -> Cluster:
    indices = tuple(index for _, index in members)
    known = [bool(rows[index].right) for index in indices if rows[index].right is not None]
    shown = Counter(rows[index].label or rows[index].predicted_name for index in indices)
    return Cluster(
        number=number,
        indices=indices,
        mean_picture=np.round(picture / len(members)).astype(np.uint8),
        mean_map=(values / len(members)).astype(np.float32),
        right=rate(sum(known), len(known)),
        labels=tuple(sorted(shown.items(), key=lambda pair: (-pair[1], pair[0]))),
    )
