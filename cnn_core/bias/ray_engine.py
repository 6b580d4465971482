"""The pass of an audit as a Ray Data pipeline, for folders that one machine is too small for. Ray is optional."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ..errors import InvalidOption
from ..saliency.explaining import Request
from ..saliency.progress import ShouldStop
from .items import Item
from .passing import Reader, go_on
from .store import AuditStore, PassKey

if TYPE_CHECKING:
    from ..models import Classifier

_ROOT: Final = Path(__file__).resolve().parents[2]


class ShardWorker:
    """One actor: builds its own classifier once, then turns shards into tables.

    parts: the classifier as what can travel, (module, card, class names, weights, note, key). threads: as many as the
    pass itself would use, since sums in another order differ in their last bits.
    """

    def __init__(self, parts: tuple[Any, ...], asked: Request, target: int | None, key: PassKey, threads: int) -> None:
        from ..models.classifier import Classifier

        torch.set_num_threads(threads)
        module, card, class_names, weights, note, model_key = parts
        classifier = Classifier(
            module, card, class_names=class_names, weights=weights, weights_note=note, key=model_key
        )  # fmt: skip
        self._reader = Reader(classifier, asked, target)
        self._key = key

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        items = tuple(Item(name, Path(path)) for name, path in zip(row["names"], row["paths"], strict=True))
        return {"number": row["number"], "table": to_bytes(self._reader.table(self._key, items))}


def run_on_ray(
    classifier: Classifier,
    reader: Reader,
    store: AuditStore,
    numbers: Sequence[int],
    *,
    on_done: Callable[[int], None],
    should_stop: ShouldStop | None,
) -> None:
    """Compute the shards with these numbers on the Ray cluster that is connected, or on a local one of its own.

    The same pictures in the same batches as the local pass, so the same rows. Every node has to see the pictures under
    the same paths; what was computed comes back to this process, which alone writes the store. Raises InvalidOption
    where Ray is not installed, and Stopped.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise InvalidOption(
            "The engine 'ray' needs Ray, which is not installed: pip install \"ray[data]\", or use the engine 'local'."
        ) from None
    go_on(should_stop)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing here reports to anybody
    started = not ray.is_initialized()
    if started:
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}},
        )
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        threads = torch.get_num_threads()
        cpus = int(ray.cluster_resources().get("CPU", 1))
        per_worker = min(threads, cpus)
        most = max(1, min(len(numbers), cpus // per_worker))
        gpus = 1 if classifier.device.type == "cuda" else 0
        parts = ray.put(parts_of(classifier))
        rows = [
            {
                "number": number,
                "names": [item.name for item in store.shards[number].items],
                "paths": [str(item.path.absolute()) for item in store.shards[number].items],
            }
            for number in numbers
        ]
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            cast(Any, _Remote),  # a class, built once in each worker
            fn_constructor_args=(parts, reader.asked, reader.target, store.key, threads),
            num_cpus=per_worker,
            num_gpus=gpus,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        )
        for row in found.iter_rows():
            go_on(should_stop)
            number = int(row["number"])
            store.write(number, from_bytes(row["table"]))
            on_done(len(store.shards[number].items))
    finally:
        if started:
            ray.shutdown()


class _Remote(ShardWorker):
    """A `ShardWorker` whose classifier lies in the cluster's store, where it was put once for all workers."""

    def __init__(self, parts: Any, asked: Request, target: int | None, key: PassKey, threads: int) -> None:
        import ray

        super().__init__(ray.get(parts), asked, target, key, threads)


def parts_of(classifier: Classifier) -> tuple[Any, ...]:
    """What a worker needs to build this classifier again; its graph of operations cannot travel."""
    return (
        classifier.module.cpu() if classifier.device.type == "cpu" else _on_cpu(classifier),
        classifier.card,
        classifier.class_names,
        classifier.weights,
        classifier.weights_note,
        classifier.key,
    )


def _on_cpu(classifier: Classifier) -> torch.nn.Module:
    import copy

    return copy.deepcopy(classifier.module).cpu()


def to_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file in memory; it is small, since a shard is."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def from_bytes(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))
