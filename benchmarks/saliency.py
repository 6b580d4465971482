"""Saliency maps by ConvLens, captum, torchcam and grad-cam on five networks: time, memory, a folder of photographs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch

import cnn_core as cc
from cnn_core.saliency import has_fast_bfloat16, lean_copy, method_card

from . import folder, peak_memory, plot
from .peers import CAPTUM, CONTESTANTS, CONVLENS, FORWARD, GRAD_CAM, LAYERS, TORCHCAM, Contest
from .report import Report, Row
from .timing import Timing, take_turns, threads

NETWORKS: tuple[str, ...] = tuple(LAYERS)
BATCHES: tuple[int, ...] = (1, 16)
BOUNDED: Final = ("resnet18", "resnet50", "mobilenet_v2")
LEAN_BATCH, N_CLASSES = 16, 10
DEAR_NETWORK, MEMORY = "resnet18", ("vgg16", 4)
N_PHOTOGRAPHS = 500
THREADS = 2
SECONDS, QUICK_SECONDS = {1: 8.0, 16: 12.0}, 3.0  # for the rounds of one network, by batch size
INPUT_SIZE: int | None = None  # the network's own

FORWARD_BOUND, CLASSES_BOUND, FASTER_BOUND, LEAN_BOUND = 1.08, 1.12, 3.0, 6.0
ABLATION_BOUND, SCORE_BOUND, MEMORY_BOUND, FOLDER_BOUND = 100.0, 2.5, 0.5, 0.85
"""What issue 4 promises; each ratio is the median over rounds."""

TEN, BFLOAT16, LEAN = "ten classes", "bfloat16, channels last", "float32, channels last"

_NOTES = (
    "Two threads, 224 × 224, random weights. Ratios are medians over interleaved rounds, each taken within its round.",
    "The plain forward pass is torchvision's own module with its in-place activations, under inference_mode.",
    "Each contestant explains each picture's top class at the network's last stage; pictures are prepared beforehand.",
    "grad-cam's time includes stretching the map to the picture; ConvLens, captum and torchcam return the layer's map.",
)


@dataclass(frozen=True)
class Speed:
    """One network at one batch size: each contestant's time, and the further ways of ConvLens."""

    network: str
    batch: int
    timings: dict[str, Timing]

    @property
    def where(self) -> str:
        return f"{self.network}, batch {self.batch}"

    def faster(self, name: str = CONVLENS, peer: str = GRAD_CAM) -> float:
        """How many times as long the peer takes."""
        return self.timings[peer].over(self.timings[name])


def measure(*, quick: bool = False) -> tuple[Report, ...]:
    """The table of all contestants, and the promises with what was measured for each."""
    with threads(THREADS):
        speeds = [one for key in NETWORKS for one in _speeds(key, quick)]
        promises = [*_grad_cam_rows(speeds), *_lean_rows(quick), *_dear_rows()]
    promises += _memory_rows()
    with threads(THREADS):
        promises += _folder_rows(quick)
    return (
        Report(
            "saliency",
            "Time of one Grad-CAM, in plain forward passes of the same network and batch",
            *_table(speeds),
            _NOTES,
            partial(plot.draw, speeds),
        ),
        Report(
            "saliency_bounds",
            "What is promised, and what was measured",
            ("what", "where", "against"),
            "measured",
            tuple(promises),
            _promise_notes(),
        ),
    )


def _speeds(key: str, quick: bool) -> Iterator[Speed]:
    contest = Contest(key, size=INPUT_SIZE)
    for batch in BATCHES:
        candidates = contest.candidates(batch)
        if batch == 1 and key in BOUNDED:
            candidates[TEN] = _ten_classes(contest)
        seconds = QUICK_SECONDS if quick else SECONDS[batch]
        yield Speed(key, batch, take_turns(candidates, FORWARD, rounds=40, warm_up=int(batch == 1), seconds=seconds))


def _ten_classes(contest: Contest) -> Callable[[], object]:
    (model_input,) = contest.inputs(1)
    targets = list(range(N_CLASSES))
    return lambda: cc.explain_classes(contest.classifier, model_input, targets, layer=contest.layer)


def _table(speeds: Sequence[Speed]) -> tuple[tuple[str, ...], str, tuple[Row, ...]]:
    rows = []
    for speed in speeds:
        peers = [f"{speed.timings[name].ratio:.2f}" for name in (CAPTUM, TORCHCAM, GRAD_CAM)]
        milliseconds = f"{speed.timings[FORWARD].milliseconds:.0f}"
        rows.append(Row((speed.network, str(speed.batch), milliseconds, *peers), speed.timings[CONVLENS].ratio))
    return ("network", "batch", "forward, ms", CAPTUM, TORCHCAM, GRAD_CAM), CONVLENS, tuple(rows)


def _grad_cam_rows(speeds: Sequence[Speed]) -> Iterator[Row]:
    for speed in speeds:
        bounded = speed.network in BOUNDED
        ours = speed.timings[CONVLENS].ratio
        if bounded:
            yield Row(("Grad-CAM, time", speed.where, FORWARD), ours, FORWARD_BOUND)
        if TEN in speed.timings:
            yield Row(
                (f"{N_CLASSES} classes at once, time", speed.where, FORWARD), speed.timings[TEN].ratio, CLASSES_BOUND
            )
        for peer in (GRAD_CAM, TORCHCAM, CAPTUM):
            bound = FASTER_BOUND if bounded and peer == GRAD_CAM else None
            yield Row(("Grad-CAM, times faster", speed.where, peer), speed.faster(peer=peer), bound, at_least=True)


def _lean_rows(quick: bool) -> Iterator[Row]:
    """Lean copies beside grad-cam; a processor without bfloat16 instructions shows here what they would be good for."""
    for key in (key for key in BOUNDED if key in NETWORKS):
        contest = Contest(key, size=INPUT_SIZE)
        lean = {
            name: lean_copy(contest.classifier, dtype=dtype, fold_batch_norms=True)
            for name, dtype in ((BFLOAT16, "bfloat16"), (LEAN, "float32"))
        }
        candidates = contest.candidates(LEAN_BATCH, (GRAD_CAM,))
        candidates |= {name: contest.convlens(LEAN_BATCH, classifier) for name, classifier in lean.items()}
        # Without such instructions most of a round goes by with bfloat16.
        slow = not has_fast_bfloat16(torch.device("cpu"))
        rounds = 1 if quick or slow else 6
        timings = take_turns(candidates, GRAD_CAM, rounds=rounds, warm_up=0 if slow else 1)
        for name, bound in ((BFLOAT16, LEAN_BOUND), (LEAN, None)):
            what = f"Grad-CAM in {name}, times faster"
            faster = timings[GRAD_CAM].over(timings[name])
            yield Row((what, f"{key}, batch {LEAN_BATCH}", GRAD_CAM), faster, bound, at_least=True)


def _dear_rows() -> Iterator[Row]:
    """One round: each way's time is that of hundreds of passes already."""
    contest = Contest(DEAR_NETWORK, size=INPUT_SIZE)
    for method, bound in (("ablationcam", ABLATION_BOUND), ("scorecam", SCORE_BOUND)):
        timings = take_turns(contest.dear(method), FORWARD, rounds=1, warm_up=0)
        title = method_card(method).title
        faster = timings[GRAD_CAM].over(timings[CONVLENS])
        yield Row((f"{title}, times faster", f"{DEAR_NETWORK}, batch 1", GRAD_CAM), faster, bound, at_least=True)


def _memory_rows() -> Iterator[Row]:
    network, batch = MEMORY
    where = f"{network}, batch {batch}"
    grown = {name: peak_memory.growth(name, network, batch) for name in CONTESTANTS}
    for name, megabytes in grown.items():
        yield Row(("Peak memory, MB", where, name), megabytes)
    yield Row(("Peak memory, share", where, GRAD_CAM), grown[CONVLENS] / grown[GRAD_CAM], MEMORY_BOUND)


def _folder_rows(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as place:
        n = N_PHOTOGRAPHS // 10 if quick else N_PHOTOGRAPHS
        paths = folder.photographs(Path(place), n)
        timings = folder.compare(paths)
    where = f"{folder.NETWORK}, {n} photographs"
    for name, timing in timings.items():
        yield Row(("A folder, pictures a second", where, name), 1000 * (n // folder.SLICES) / timing.milliseconds)
    for name in (folder.BARE, folder.BARE_WORKERS):
        throughput = timings[name].over(timings[folder.MANY])
        yield Row(("explain_many, share of the throughput", where, name), throughput, FOLDER_BOUND, at_least=True)


def _promise_notes() -> tuple[str, ...]:
    notes = [
        "Times faster: the other's time divided by ConvLens's. Share: ConvLens divided by the other.",
        "Peak memory: how far a process of its own grows above what it held with the model loaded; MB are 2^20 bytes.",
    ]
    if not has_fast_bfloat16(torch.device("cpu")):
        notes.append(
            "This processor has no instructions for bfloat16 (AVX512_BF16 or AMX), so it is emulated and slow here; "
            'dtype="auto" uses float32 on it.'
        )
    return tuple(notes)
