"""The one pass over a folder: every picture decoded, shown to the network in batches, and explained."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ..errors import ConvLensError
from ..saliency.batch import Batch
from ..saliency.copies import folded
from ..saliency.explaining import Request
from ..saliency.maps import judge
from ..saliency.progress import ShouldStop, Stopped
from ..saliency.registry import Job, run_method
from .items import Item
from .store import AuditStore, PassKey, jpeg_of, table_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ..images import ModelInput
    from ..models import Classifier

_PIECE: Final = 8  # pictures that a thread reads before it hands them over

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture as the network will see it, or why it could not be read."""

    item: Item
    model_input: ModelInput | None
    thumbnail: bytes | None = None
    problem: str | None = None


class Reader:
    """The network, and how its answers are written down. Used by one thread at a time; `see` by any number."""

    def __init__(self, classifier: Classifier, asked: Request, target: int | None) -> None:
        (self.layer,) = asked.check(classifier, [target])
        keep = [] if self.layer is None else [self.layer.name]
        # The same numbers up to float rounding, in less time; for a whole folder that counts.
        self.classifier = folded(classifier, keep=keep)
        self.original = classifier
        self.asked, self.target = asked, target
        self.batch_size = asked.batch_size or 1

    def see(self, item: Item) -> Seen:
        """Decode and prepare one picture; a file that is none comes back with the reason."""
        try:
            seen = self.original.preprocess(item.path)
        except (ConvLensError, OSError) as error:
            return Seen(item, None, problem=str(error))
        # Of greys one channel is enough, and much cheaper beside a small network.
        shown = seen.shown_rgb[..., 0] if self.original.card.channels == 1 else seen.shown_rgb
        return Seen(item, seen, jpeg_of(shown))

    def lines(self, pictures: Sequence[Seen]) -> list[dict[str, Any]]:
        """The numbers and the map of each picture of one batch; see `store.schema`."""
        inputs = [seen.model_input for seen in pictures if seen.model_input is not None]
        maps, logits = self._explained(inputs) if inputs else ([], np.zeros((0, 1), np.float32))
        lines, answers = [], iter(_answers(maps, logits))
        for seen in pictures:
            if seen.model_input is None:
                lines.append(_line(seen.item, problem=seen.problem))
                continue
            lines.append(_line_of(seen, seen.model_input, next(answers)))
        return lines

    def table(self, key: PassKey, items: Sequence[Item]) -> pa.Table:
        """A whole shard, one picture after the other; the same batches as everywhere."""
        lines = [line for batch in batched(map(self.see, items), self.batch_size) for line in self.lines(batch)]
        return table_of(key, lines)

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) for pictures of the model's own input size, uint8 (N, h, w, 3); in batches of the pass's size."""
        found = []
        for start in range(0, len(pictures), self.batch_size):
            inputs = [
                self.original.card.preprocessing.from_rgb(rgb) for rgb in pictures[start : start + self.batch_size]
            ]
            x = torch.cat([made.tensor for made in inputs]).to(self.classifier.device)
            with torch.inference_mode():
                final = self.classifier.network.output
                found.append(self.classifier.network.run(x, keep={final})[final].float().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, len(self.original.class_names)), np.float32)

    def _explained(self, inputs: Sequence[ModelInput]) -> tuple[list[NDArray[np.floating]], NDArray[np.float32]]:
        """The raw maps before rectification, and the logits (N, K)."""
        # A caller's inference_mode would make tensors that no graph can hold.
        with torch.inference_mode(False):
            batch = Batch(self.classifier, inputs, [self.target] * len(inputs), self.asked.score)
            jobs = [Job(batch, row, self.layer) for row in range(len(inputs))]
            maps = [np.asarray(run_method(self.asked.method, job, self.asked.options or {}).values) for job in jobs]
            return maps, batch.logits.float().cpu().numpy()


@dataclass(frozen=True, eq=False)
class _Answer:
    """What the network said of one picture: (class, logit, probability) of the likeliest two, and the raw map.

    ranks: None where the numbers overflowed.
    """

    ranks: tuple[tuple[int, float, float], tuple[int, float, float]] | None
    raw: NDArray[np.floating]


def _answers(maps: Sequence[NDArray[np.floating]], logits: NDArray[np.float32]) -> Iterator[_Answer]:
    """The answers of a batch; logits (N, K)."""
    good: NDArray[np.bool_] = np.asarray(np.isfinite(logits).all(axis=1))
    # Equal logits: the first class wins, as it does in argmax.
    order = np.argsort(-logits, axis=1, kind="stable")
    shares = softmax(np.where(good[:, None], logits, 0.0).astype(np.float64), axis=1)
    for row, raw in enumerate(maps):
        first, second = (int(order[row, place]) for place in (0, min(1, logits.shape[1] - 1)))
        likeliest, next_one = ((k, float(logits[row, k]), float(shares[row, k])) for k in (first, second))
        yield _Answer((likeliest, next_one) if good[row] else None, raw)


def _line_of(seen: Seen, model_input: ModelInput, answer: _Answer) -> dict[str, Any]:
    if answer.ranks is None:
        return _line(seen.item, problem="The network's numbers overflowed on this picture.")
    (first, logit, probability), (second, second_logit, second_probability) = answer.ranks
    raw = answer.raw
    is_empty, _ = judge(raw, rectified=True, label="")
    if not np.isfinite(raw).all():
        raw = np.nan_to_num(raw, posinf=0.0, neginf=0.0)
    values = np.maximum(raw, 0.0).astype(np.float32)
    return _line(
        seen.item,
        notes=list(model_input.notes),
        digest=model_input.picture_digest,
        height=model_input.picture_size[0],
        width=model_input.picture_size[1],
        seen=list(model_input.picture_box),
        predicted=first,
        logit=logit,
        probability=probability,
        second=second,
        second_logit=second_logit,
        second_probability=second_probability,
        scatter=None if is_empty else scatter_of(values),
        map=values.ravel(),
        thumbnail=seen.thumbnail,
    )


def scatter_of(values: NDArray[np.floating]) -> float | None:
    """The smallest share of a map's cells that holds half of its positive evidence; None where there is none.

    Within the last cell that is needed, evidence counts as spread evenly: an even map gives exactly 0.5.
    """
    ordered = np.sort(np.maximum(values, 0.0).astype(np.float64).ravel())[::-1]
    sums = np.cumsum(ordered)
    if not sums[-1] > 0:
        return None
    half = sums[-1] / 2
    last = int(np.searchsorted(sums, half))
    before = float(sums[last - 1]) if last else 0.0
    return float((last + (half - before) / ordered[last]) / len(ordered))


def run_local(
    reader: Reader,
    store: AuditStore,
    numbers: Sequence[int],
    *,
    workers: int,
    on_done: Callable[[int], None],
    should_stop: ShouldStop | None,
) -> None:
    """Compute the shards with these numbers: threads read ahead, the network follows. Raises Stopped.

    on_done(n): n pictures more are dealt with.
    """
    items = (item for number in numbers for item in store.shards[number].items)
    # Several pictures at a time: handing over single ones between threads costs as much as a small one itself.
    pieces = iter(lambda: list(islice(items, _PIECE)), [])
    ahead = -(-2 * reader.batch_size // _PIECE) + workers
    read = read_ahead(lambda piece: [reader.see(item) for item in piece], pieces, workers=workers, ahead=ahead)
    pictures = chain.from_iterable(read)
    try:
        for number in numbers:
            lines: list[dict[str, Any]] = []
            own = islice(pictures, len(store.shards[number].items))
            for batch in batched(own, reader.batch_size):
                go_on(should_stop)
                lines += reader.lines(batch)
                on_done(len(batch))
            store.write(number, table_of(store.key, lines))
    finally:
        read.close()


def go_on(should_stop: ShouldStop | None) -> None:
    """Asked between two steps. Raises Stopped where the audit is to end here."""
    if should_stop is not None and should_stop():
        raise Stopped("The audit was stopped. What was done is kept: the same audit goes on from there.")


def batched(pictures: Iterable[Seen], size: int) -> Iterator[list[Seen]]:
    """Pieces that hold `size` readable pictures each; bad files go with the piece that they stand in."""
    piece: list[Seen] = []
    good = 0
    for seen in pictures:
        piece.append(seen)
        good += seen.model_input is not None
        if good == size:
            yield piece
            piece, good = [], 0
    if piece:
        yield piece


def read_ahead(
    function: Callable[[S], T], sources: Iterable[S], *, workers: int, ahead: int
) -> Generator[T, None, None]:
    """function(source) of each, in order, computed by threads that are never more than `ahead` before the reader."""
    waiting = iter(sources)
    if workers == 0:
        yield from map(function, waiting)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="convlens-audit")
    pending: deque[Future[T]] = deque()
    try:
        pending.extend(pool.submit(function, source) for source in islice(waiting, ahead))
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(function, source) for source in islice(waiting, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _line(item: Item, **found: Any) -> dict[str, Any]:
    return {"problem": None, "notes": [], **found, "name": item.name}
