"""`explain_many`: maps of a folder of pictures, decoded by threads, computed in batches, handed out in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import torch

from ..errors import ConvLensError, InvalidOption
from ..images import ModelInput, Picture
from .copies import checked_dtype, folded
from .explaining import Request, explain_rows
from .fusion import Fusion
from .maps import SaliencyMap
from .progress import Progress, ShouldStop, Stopped, Work
from .registry import method_card
from .targets import Score, TargetRequest

if TYPE_CHECKING:
    from ..models import Classifier
    from ..network import Operation

_MOST_WORKERS: Final = 64
FOLDER_BATCH: Final = 16


@dataclass(frozen=True)
class PictureFailure:
    """A picture that could not be read: its place in the sequence (from 0), its name, and why, in a sentence."""

    index: int
    name: str
    reason: str


class Explanations(Iterator[SaliencyMap]):
    """The maps of `explain_many`, in the order of the pictures; failures: the pictures that were skipped so far.

    Every map's details hold its picture's "index" and "name". was_stopped: should_stop() ended it early; what was
    handed out by then is whole. `close()`, which the end of a `with` block calls too, lets the decoding threads go.
    """

    def __init__(self, make: Callable[[Explanations], Iterator[SaliencyMap]]) -> None:
        self.failures: list[PictureFailure] = []
        self.was_stopped = False
        self._maps = make(self)

    def __next__(self) -> SaliencyMap:
        return next(self._maps)

    def __enter__(self) -> Explanations:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hand out no more."""
        self._maps.close()  # type: ignore[attr-defined]


def explain_many(
    classifier: Classifier,
    pictures: Iterable[Any],
    *,
    method: str = "gradcam",
    targets: TargetRequest | list[TargetRequest] = None,
    layer: str | Operation | Sequence[str | Operation] | None = None,
    score: Score = "logit",
    rectify: bool = True,
    fusion: Fusion = "mean",
    batch_size: int | None = None,
    workers: int | None = None,
    channels_last: bool = False,
    dtype: str | torch.dtype | None = None,
    on_error: Callable[[PictureFailure], None] | None = None,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    **options: Any,
) -> Explanations:
    """An iterator of saliency maps, one for each picture that can be read, in their order.

    pictures: ModelInputs, Pictures, or anything that `load_image` takes; read lazily, a batch or two ahead.
    targets: None for each picture's own top class; one class, name or pair for all; or a list with one for each.
    batch_size: pictures in one forward pass (None: 16). A batch holds pictures of one size in a row.
    workers: threads that read and prepare pictures beside the network (None: as many as there are cores, at most 4; 0:
    none). channels_last, dtype ("bfloat16", "auto"): run on a private copy in this layout and precision, with its batch
    norms folded away; see `lean_copy`. "auto" is bfloat16 where the processor is fast at it, and float32 elsewhere.
    on_error: called with each picture that cannot be read, which is then skipped; they are all kept in `.failures`.
    on_progress(done, total): pictures, the skipped ones too; total is 0 where `pictures` has no length.
    should_stop: asked before each batch; the iterator then ends, and `.was_stopped` says so.
    The other arguments are `explain`'s. Methods that run many passes for each picture do one picture after the other.

    Raises at the call what `explain` raises for its arguments, and InvalidOption for a list of targets of another
    length, for workers below 0 and for a dtype that is not offered.
    """
    asked = Request(method, layer, score, rectify, fusion, batch_size, options)
    n = len(pictures) if isinstance(pictures, Sized) else 0
    if isinstance(targets, list) and isinstance(pictures, Sized) and len(targets) != n:
        raise InvalidOption(f"{n} pictures and {len(targets)} targets were given: one for each, or one for all.")
    if workers is None:
        workers = min(4, os.cpu_count() or 1)
    if not isinstance(workers, int) or not 0 <= workers <= _MOST_WORKERS:
        raise InvalidOption(f"workers must be a whole number from 0 to {_MOST_WORKERS}, and is {workers!r}.")
    layers = asked.check(classifier, targets if isinstance(targets, list) else [targets])
    if dtype is not None or channels_last:
        current = next((p.dtype for p in classifier.module.parameters()), torch.float32)
        kind = current if dtype is None else checked_dtype(dtype, classifier.device)
        keep = [layer.name for layer in layers if layer is not None]
        classifier = folded(classifier, dtype=kind, channels_last=channels_last, keep=keep)
    folder = _Folder(classifier, asked, targets, workers, on_error, on_progress, Work(None, should_stop), n)
    return Explanations(lambda owner: folder.maps(owner, pictures))


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A picture read by a worker, or why it could not be."""

    index: int
    name: str
    model_input: ModelInput | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Folder:
    classifier: Classifier
    asked: Request
    targets: TargetRequest | list[TargetRequest]
    workers: int
    on_error: Callable[[PictureFailure], None] | None
    on_progress: Progress | None
    work: Work
    n: int

    @property
    def batch_size(self) -> int:
        return 1 if method_card(self.asked.method).is_dear else self.asked.batch_size or FOLDER_BATCH

    def maps(self, owner: Explanations, pictures: Iterable[Any]) -> Iterator[SaliencyMap]:
        waiting: list[_Prepared] = []
        last = 0
        try:
            for prepared in self._prepared(pictures):
                if prepared.model_input is None:
                    self._failed(owner, prepared)
                elif waiting and _shape(waiting[0]) != _shape(prepared):
                    yield from self._explained(waiting, last)
                    waiting = [prepared]
                else:
                    waiting.append(prepared)
                last = prepared.index + 1
                if len(waiting) >= self.batch_size:
                    yield from self._explained(waiting, last)
                    waiting = []
            yield from self._explained(waiting, last)
        except Stopped:
            owner.was_stopped = True

    def _explained(self, waiting: Sequence[_Prepared], done: int) -> Iterator[SaliencyMap]:
        """The maps of one batch; with them `done` pictures are dealt with."""
        self.work.check()
        inputs = [prepared.model_input for prepared in waiting]
        targets = [self._target(prepared.index) for prepared in waiting]
        found = explain_rows(self.classifier, inputs, targets, self.asked, work=self.work) if waiting else ()
        for prepared, made in zip(waiting, found, strict=True):
            yield replace(made, details={**made.details, "index": prepared.index, "name": prepared.name})
        if self.on_progress is not None:
            self.on_progress(done, self.n)

    def _target(self, index: int) -> TargetRequest:
        if not isinstance(self.targets, list):
            return self.targets
        if index >= len(self.targets):
            raise InvalidOption(f"There are more pictures than the {len(self.targets)} targets.")
        return self.targets[index]

    def _failed(self, owner: Explanations, prepared: _Prepared) -> None:
        failure = PictureFailure(prepared.index, prepared.name, prepared.reason)
        owner.failures.append(failure)
        if self.on_error is not None:
            self.on_error(failure)

    def _prepared(self, pictures: Iterable[Any]) -> Iterator[_Prepared]:
        """The pictures as the network sees them, in order; so many are read ahead as fill the next batch."""
        sources = enumerate(pictures)
        if self.workers == 0:
            for index, source in sources:
                yield self._read(index, source)
            return
        ahead = 2 * self.batch_size + self.workers
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="convlens-decode")
        pending: deque[Future[_Prepared]] = deque()
        try:
            pending.extend(pool.submit(self._read, index, source) for index, source in islice(sources, ahead))
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(self._read, index, source) for index, source in islice(sources, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, index: int, source: Any) -> _Prepared:
        name = _name_of(source, index)
        try:
            return _Prepared(index, name, self.classifier.preprocess(source))
        except (ConvLensError, OSError) as error:
            return _Prepared(index, name, None, str(error))


def _shape(prepared: _Prepared) -> tuple[int, ...]:
    return () if prepared.model_input is None else tuple(prepared.model_input.tensor.shape)


def _name_of(source: Any, index: int) -> str:
    if isinstance(source, Picture):
        return source.name
    return os.path.basename(os.fspath(source)) if isinstance(source, str | os.PathLike) else f"picture {index}"
