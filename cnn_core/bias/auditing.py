"""`audit`: a folder of pictures through one classifier, from the first file to the verdict."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import scratch
from ..errors import InvalidOption, quote
from ..saliency.explaining import Request, placement_of
from ..saliency.progress import ShouldStop
from ..saliency.registry import method_card
from .annotations import read_annotations
from .asked import BATCH_SIZE, Asked, Stage
from .boxed import Boxed, checked_regions, measure_boxes, summary_of
from .clusters import cluster_maps
from .groups import accuracy_of, checked_tags, group_table, propose_tags
from .items import Item, Items, folder_title, items_of
from .passing import Reader, go_on, run_local
from .regions import Box, Region
from .result import AuditReport, AuditSettings, BadFile, By, Cluster, OnProgress, PictureRow, RunFacts
from .statistics import LEVEL, RESAMPLES
from .store import AuditStore, PassKey
from .swap_result import SwapTest
from .swapping import DONORS, choose_by, swap_test
from .verdict import verdict_of
from .wording import limits_of, versions

if TYPE_CHECKING:
    from ..models import Classifier

Boxes = Mapping[str, Region | Box] | str | os.PathLike[str] | bytes


def audit(
    classifier: Classifier,
    folder_or_items: Items,
    *,
    boxes: Boxes | None = None,
    classes: Mapping[str, str | int] | None = None,
    tags: Mapping[str, str] | int | None = None,
    method: str = "gradcam",
    layer: str | None = None,
    target: int | str | None = None,
    clusters: int | None = None,
    donors: int = DONORS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    workers: int | None = None,
    store: str | os.PathLike[str] | None = None,
    engine: str = "local",
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> AuditReport:
    """Does a classifier look at the objects of these pictures, or at their backgrounds? A map proposes, a swap decides.

    folder_or_items: a folder (subfolders are labels), paths, or `items.Item`s. Files that are no pictures are skipped
    and listed. boxes: where the objects are, by picture name below the folder (`Region` or `Box`), or a file in any
    format of `read_annotations`. classes: the network's class of a label, where it is not called the same.
    tags: the background of each picture by name, or a number of kinds to propose. method, layer, target: of the maps,
    as in `explain`; the method must read a layer. clusters: None for the best number from 2 to 6, 0 for none.
    donors: backgrounds of each kind for each boxed picture. resamples: of the bootstrap. seed: of every random choice.
    workers: threads that decode (None: as many as cores, at most 4). store: a folder in which maps and thumbnails are
    kept, so that an audit that was interrupted, or is asked again with other boxes, goes on from there; None for a
    temporary one that goes with the report. engine: "local", or "ray" for the same pass on a Ray cluster.

    Maps stay on disk at the layer's resolution; memory does not grow with the number of pictures but for their rows.
    Raises InvalidOption, UnknownMethod, InvalidLayer, UnknownClass, and Stopped when should_stop() says so.
    """
    asked = Asked(
        items=items_of(folder_or_items),
        title=folder_title(folder_or_items),
        method=method,
        layer=layer,
        target=None if target is None else classifier.class_index(target),
        clusters=clusters,
        donors=donors,
        resamples=resamples,
        seed=seed,
        batch_size=batch_size,
        workers=min(4, os.cpu_count() or 1) if workers is None else workers,
        engine=engine,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    asked.check()
    names = [item.name for item in asked.items]
    if isinstance(boxes, Mapping):
        regions = {name: Region((one,)) if isinstance(one, Box) else one for name, one in boxes.items()}
        boxes = checked_regions(regions, names)
    elif boxes is not None:
        read_annotations(boxes, names)  # what is wrong with the file is said now; sizes are checked after the pass
    if isinstance(tags, Mapping):
        tags = checked_tags(tags, names)
    class_of = _classes(classifier, asked.items, classes)
    temporary = tempfile.TemporaryDirectory(prefix="audit-", dir=scratch.root()) if store is None else None
    folder = Path(temporary.name if temporary is not None else store)  # type: ignore[arg-type]
    return _Audit(classifier, asked, folder, temporary).run(boxes, tags, class_of)


class _Audit:
    """One audit under way."""

    def __init__(
        self, classifier: Classifier, asked: Asked, folder: Path, temporary: tempfile.TemporaryDirectory[str] | None
    ) -> None:
        self.classifier, self.asked = classifier, asked
        self.start = time.perf_counter()
        self.reader = Reader(
            classifier, Request(asked.method, asked.layer, batch_size=asked.batch_size), asked.target
        )  # fmt: skip
        layer = self.reader.layer
        assert layer is not None  # Asked.check saw to it
        shape = classifier.network.input_shape
        self.input_size = (int(shape[-2]), int(shape[-1]))
        self.versions = versions(classifier)
        key = PassKey(
            model_key=classifier.key,
            preprocessing=repr(classifier.card.preprocessing),
            method=asked.method,
            layer=layer.name,
            target=asked.target,
            batch_size=asked.batch_size,
            cells=(int(layer.output_shape[-2]), int(layer.output_shape[-1])),
            placement=placement_of(classifier, layer, self.input_size),
            versions=(self.versions.torch, self.versions.torchvision, str(classifier.device.type)),
        )
        self.store = AuditStore(folder, key, asked.items)
        self.store.temporary = temporary

    def run(
        self,
        boxes: Mapping[str, Region] | Any | None,
        tags: Mapping[str, str] | int | None,
        class_of: Mapping[str, int],
    ) -> AuditReport:
        n_kept, pass_seconds = self._pass()
        n_new = len(self.asked.items) - n_kept
        found, bad = self._rows(class_of)
        regions: Mapping[str, Region] = {}
        if boxes is not None:
            sizes = {row.name: row.size for row in found.values()}
            regions = boxes if isinstance(boxes, Mapping) else read_annotations(boxes, sizes)
        boxed: list[Boxed] = []
        if regions:
            evidence, boxed = self._boxes(found, regions)
            found = {i: replace(row, evidence=evidence.get(i)) for i, row in found.items()}
        if isinstance(tags, int):
            tags, origin = self._proposed(found, regions, tags), "proposed"
        else:
            tags, origin = tags or {}, "given"
        found = {i: replace(row, tag=tags.get(row.name)) for i, row in found.items()}
        clusters = self._clusters(found)
        cluster_of = {i: one.number for one in clusters for i in one.indices}
        found = {i: replace(row, cluster=cluster_of.get(i)) for i, row in found.items()}
        rows = tuple(found.values())
        held = [replace(one, row=found[one.row.index]) for one in boxed]
        by = choose_by([one.row for one in held] or rows, tagged=bool(tags) and origin == "given")
        swap = self._swap(held, by, sum(row.is_boxed for row in rows))
        settings = self._settings(by)
        groups = group_table(rows, "given" if origin == "given" else "proposed") if tags else None
        return AuditReport(
            folder=self.asked.title,
            settings=settings,
            versions=self.versions,
            rows=rows,
            bad_files=tuple(bad),
            accuracy=accuracy_of(rows, self.classifier.class_names),
            groups=groups,
            clusters=clusters,
            boxes=summary_of(rows),
            swap=swap,
            verdict=verdict_of(swap, by),
            limits=limits_of(self.classifier, settings, rows, bad, swap, groups),
            run=RunFacts(self.asked.engine, n_new, n_kept, time.perf_counter() - self.start, pass_seconds),
            store=self.store,
        )

    def _pass(self) -> tuple[int, float]:
        """Compute what is not in the store yet; (pictures found there, seconds)."""
        start = time.perf_counter()
        missing = self.store.missing()
        n_new = sum(len(self.store.shards[number].items) for number in missing)
        n_kept = len(self.asked.items) - n_new
        stage = Stage(self.asked, "pass", len(self.asked.items), n_kept)
        if missing and self.asked.engine == "ray":
            from .ray_engine import run_on_ray

            run_on_ray(
                self.classifier, self.reader, self.store, missing, on_done=stage.add, should_stop=self.asked.should_stop
            )  # fmt: skip
        elif missing:
            run_local(
                self.reader,
                self.store,
                missing,
                workers=self.asked.workers,
                on_done=stage.add,
                should_stop=self.asked.should_stop,
            )
        self.store.prune()
        return n_kept, time.perf_counter() - start

    def _rows(self, class_of: Mapping[str, int]) -> tuple[dict[int, PictureRow], list[BadFile]]:
        rows: dict[int, PictureRow] = {}
        bad: list[BadFile] = []
        names = self.classifier.class_names
        for index, line in self.store.lines():
            item = self.asked.items[index]
            if line["problem"] is not None:
                bad.append(BadFile(item.name, line["problem"]))
                continue
            expected = class_of.get(item.label) if item.label is not None else None
            rows[index] = PictureRow(
                index=index,
                name=item.name,
                label=item.label,
                label_index=expected,
                predicted=line["predicted"],
                predicted_name=names[line["predicted"]],
                logit=line["logit"],
                probability=line["probability"],
                second=line["second"],
                second_name=names[line["second"]],
                second_logit=line["second_logit"],
                second_probability=line["second_probability"],
                right=None if expected is None else line["predicted"] == expected,
                scatter=line["scatter"],
                size=(line["height"], line["width"]),
                digest=line["digest"],
                notes=tuple(line["notes"]),
            )
        if not rows:
            raise InvalidOption(
                f"None of the {len(bad)} files could be read as a picture. The first, {quote(bad[0].name)}: "
                f"{bad[0].reason}"
            )
        return rows, bad

    def _boxes(self, rows: Mapping[int, PictureRow], regions: Mapping[str, Region]) -> tuple[Any, list[Boxed]]:
        stage = Stage(self.asked, "boxes", sum(row.name in regions for row in rows.values()))
        return measure_boxes(
            self.classifier,
            self.store,
            self.asked.items,
            rows,
            regions,
            seed=self.asked.seed,
            workers=self.asked.workers,
            on_done=stage.add,
            should_stop=self.asked.should_stop,
        )

    def _proposed(
        self, rows: Mapping[int, PictureRow], regions: Mapping[str, Region], n_tags: int
    ) -> dict[str, str]:  # fmt: skip
        self._go_on()
        stage = Stage(self.asked, "tags", len(rows))
        found = propose_tags(self.store, rows, n_tags, regions=regions, seed=self.asked.seed)
        stage.at(len(rows))
        return found

    def _clusters(self, rows: Mapping[int, PictureRow]) -> tuple[Cluster, ...]:
        self._go_on()
        if self.asked.clusters == 0:
            return ()
        stage = Stage(self.asked, "clusters", len(rows))
        return cluster_maps(
            self.store, rows, n_clusters=self.asked.clusters, seed=self.asked.seed, on_done=stage.add
        )  # fmt: skip

    def _swap(self, boxed: Sequence[Boxed], by: By, n_boxed: int) -> SwapTest | None:
        self._go_on()
        if not boxed:
            return None
        stage = Stage(self.asked, "swap", len(boxed))
        return swap_test(
            boxed,
            self.reader.logits,
            self.classifier.class_names,
            by=by,
            donors=self.asked.donors,
            n_boxed=n_boxed,
            resamples=self.asked.resamples,
            level=LEVEL,
            seed=self.asked.seed,
            on_done=stage.of,
            should_stop=self.asked.should_stop,
        )

    def _go_on(self) -> None:
        go_on(self.asked.should_stop)

    def _settings(self, by: By) -> AuditSettings:
        asked, layer = self.asked, self.reader.layer
        return AuditSettings(
            model_key=self.classifier.key,
            model_title=self.classifier.card.title,
            weights_note=self.classifier.weights_note,
            method=asked.method,
            method_title=method_card(asked.method).title,
            layer=None if layer is None else layer.name,
            layer_title="" if layer is None else layer.title,
            target=None if asked.target is None else self.classifier.class_names[asked.target],
            cells=self.store.key.cells,
            input_size=self.input_size,
            batch_size=asked.batch_size,
            seed=asked.seed,
            donors=asked.donors,
            resamples=asked.resamples,
            level=LEVEL,
            by=by,
        )


def _classes(
    classifier: Classifier, items: Sequence[Item], given: Mapping[str, str | int] | None
) -> dict[str, int]:  # fmt: skip
    """The network's class of each label: as given, or of the very same name (letter case and "_" aside)."""
    labels = sorted({item.label for item in items if item.label is not None})
    by_name: dict[str, int] = {}
    for index, name in enumerate(classifier.class_names):
        by_name.setdefault(_plain(name), index)
    found = {label: by_name[_plain(label)] for label in labels if _plain(label) in by_name}
    for label, wanted in (given or {}).items():
        if label not in labels:
            there = f"the labels are {', '.join(map(quote, labels[:8]))}" if labels else "there are no labels"
            raise InvalidOption(f"A class was given for the label {quote(label)}, which no picture has: {there}.")
        found[label] = classifier.class_index(wanted)
    return found


def _plain(name: str) -> str:
    return name.replace("_", " ").strip().casefold()
