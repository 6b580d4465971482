"""Charts of the trials: removal, deletion and insertion, randomised weights, noise, agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import cnn_core as cc
from cnn_core.saliency import Agreement, Curve, Faithfulness, SanityCheck, Stability, Trial
from ui.components import mount, pack
from ui.instruments.saliency import file_name, place_of

Numbers = dict[str, Any]


def words(target: Any) -> dict[str, str]:
    """What the two numbers of a target are called."""
    if target.is_margin:
        return {"logit": "Logit margin", "probability": "Margin of probabilities"}
    return {"logit": "Logit", "probability": "Probability"}


def removal_chart(trials: Sequence[tuple[str, Trial]], chosen: str, *, key: str) -> None:
    """For each map: the number without what it marks, beside random areas and an edge detector's choice."""
    rows = []
    for title, trial in trials:
        row: Numbers = {
            "title": title,
            "chosen": title == chosen,
            "area": f"{trial.area:.1%} of the picture",
            "verdict": trial.verdict,
        }
        for name in ("logit", "probability"):
            random = [float(getattr(reading, name)) for reading in trial.random]
            row[name] = {
                "before": float(getattr(trial.before, name)),
                "marked": float(getattr(trial.marked, name)),
                "edges": float(getattr(trial.edges, name)),
                "mean": float(np.mean(random)),
                "low": min(random),
                "high": max(random),
            }
        rows.append(row)
    first = trials[0][1]
    meta = {
        "part": "removal",
        "rows": rows,
        "words": words(first.target),
        "note": f"Random areas have the marked area's own shape, turned and moved, n = {len(first.random)} for each "
        "map. A map that marks less than was asked is tried with what it marks.",
    }
    mount("saliency", key=key, data=pack(meta))


def curves_chart(found: Sequence[tuple[str, Faithfulness]], chosen: str, *, key: str) -> None:
    """Deletion and insertion curves of one map with its controls, and of the others that were run, as thin lines."""
    by_title = dict(found)
    result = by_title[chosen]
    meta = {
        "part": "curves",
        "shares": [float(v) for v in result.shares],
        "fill": result.fill,
        "words": words(result.target),
        "maps": [_curves(title, one, title == chosen) for title, one in found],
        "file": f"deletion_insertion_{result.method}",
    }
    mount("saliency", key=key, data=pack(meta))


def sanity_chart(check: SanityCheck, *, key: str) -> None:
    """Likeness to the original map as weights are randomised from the top down, and the map after each step."""
    maps = [check.original, *(step.map for step in check.steps)]
    steps = [{"n": 0, "spearman": 1.0, "spearmanAbs": 1.0, "ssim": 1.0, "operation": "", "empty": maps[0].is_empty}]
    steps += [
        {
            "n": int(step.n_randomised),
            "operation": step.operation,
            "spearman": _finite(step.spearman),
            "spearmanAbs": _finite(step.spearman_abs),
            "ssim": _finite(step.ssim),
            "empty": step.map.is_empty,
        }
        for step in check.steps
    ]
    _strip({"part": "sanity", "steps": steps, "n": int(check.n_operations)}, maps, key)


def stability_chart(found: Stability, *, key: str) -> None:
    """The map without noise and with it, one for each seed."""
    maps = [found.original, *found.maps]
    steps = [{"seed": None, "spearman": None, "value": float(found.original.target_value), "empty": maps[0].is_empty}]
    steps += [
        {"seed": int(seed), "spearman": _finite(rank), "value": float(value), "empty": made.is_empty}
        for seed, rank, value, made in zip(found.seeds, found.spearman, found.target_values, found.maps, strict=True)
    ]
    word = {"probability": "probability"}.get(found.original.target.score, "logit")
    _strip({"part": "stability", "steps": steps, "word": word}, maps, key)


def agreement_table(found: Agreement, *, key: str) -> None:
    """The rank correlation of each two maps, as a table of coloured numbers."""
    matrix = [[_finite(value) for value in row] for row in found.matrix]
    mount("saliency", key=key, data=pack({"part": "matrix", "names": list(found.names), "matrix": matrix}))


def _strip(meta: Numbers, maps: Sequence[cc.SaliencyMap], key: str) -> None:
    sign = "both" if any(float(made.values.min()) < 0 for made in maps) else "positive"
    meta |= {"sign": sign, "place": place_of(maps[0].placement), "file": file_name(maps[0])}
    arrays = {f"map{i}": made.values for i, made in enumerate(maps)}
    mount("saliency", key=key, data=pack(meta, rgb=maps[0].shown_rgb, **arrays))


def _curves(title: str, found: Faithfulness, chosen: bool) -> Numbers:
    out: Numbers = {"title": title, "chosen": chosen, "seeds": len(found.random_deletion), "random": {}, "edges": {}}
    for kind in ("deletion", "insertion"):
        out[kind] = _curve(getattr(found, kind))
        out["edges"][kind] = _curve(getattr(found, f"edges_{kind}"))
        random: Sequence[Curve] = getattr(found, f"random_{kind}")
        out["random"][kind] = {
            "logit": _rows(found.band(kind, "logit")),
            "probability": _rows(found.band(kind, "probability")),
            "area": {
                "logit": float(np.mean([curve.logit_area for curve in random])),
                "probability": float(np.mean([curve.area for curve in random])),
            },
        }
    return out


def _curve(curve: Curve) -> Numbers:
    return {
        "logit": [float(v) for v in curve.logit],
        "probability": [float(v) for v in curve.probability],
        "area": {"logit": float(curve.logit_area), "probability": float(curve.area)},
    }


def _rows(band: np.ndarray) -> list[list[float]]:
    return [[float(v) for v in row] for row in band]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
