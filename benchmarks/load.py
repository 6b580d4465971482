"""A class at work: thirty visitors walk the lessons, upload pictures, ask for Grad-CAM, train; answers are checked."""

from __future__ import annotations

import io
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

import cnn_core as cc
from cnn_core.samples import list_samples
from tests import server
from tests.visitors import Visitor

from .report import Report, Row

VISITORS: Final = 30
SECONDS: Final = 300.0
THINKING: Final = 3.0
"""Seconds between two clicks, on average."""
STEP_BOUND: Final = 400.0
"""Milliseconds, 95th percentile of a lesson's step with a model that is ready."""
UPLOAD_BOUND: Final = 1500.0
"""Milliseconds, 95th percentile of Grad-CAM on a picture just uploaded."""
MEMORY_BOUND: Final = 3000.0
"""Megabytes, all processes of the server, or of all servers."""
_CACHE_MB: Final = 900
"""Megabytes of results that several replicas hold together."""

TRAINING: Final = "insights?section=normalise&arms=standardised&recipe=steps~20,n_train~200"
LESSONS: Final = (
    "pixels",
    "kernel",
    "kernel?mode=unit",
    "pooling",
    "network",
    "features?layer=features.3.conv.0.2",
    "features?layer=features.14.conv.3",
    "decision",
    "gradcam",
    "trail",
)


@dataclass
class Seen:
    """What all visitors met, under one lock."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    checked: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, action: str, seconds: float) -> None:
        with self.lock:
            self.waits.setdefault(action, []).append(seconds)

    def check(self, what: str, right: bool) -> None:
        with self.lock:
            self.checked += 1
            if not right:
                self.wrong.append(what)


@dataclass(frozen=True)
class Photograph:
    """A picture that nobody else uploads, and the button that its most probable class must have on the page."""

    content: bytes
    best: str


def measure(*, quick: bool = False, replicas: int = 1) -> tuple[Report, ...]:
    """30 visitors for 5 minutes, 3 s of thinking between clicks; quick: 6 visitors for half a minute.

    replicas: servers, each with its share of the visitors, as a proxy that keeps a visitor where they were met spreads
    them. Those of several hold fewer results each (CONVLENS_CACHE_MB).
    """
    visitors, seconds = (6, 30.0) if quick else (VISITORS, SECONDS)
    photographs = [_photograph(i) for i in range(visitors)]
    run = cc.train("input_normalisation", seed=0, arm="standardised", steps=20, n_train=200)
    accuracy = f"{100 * run.test_accuracy:.1f} %"
    seen = Seen()
    held = {"CONVLENS_CACHE_MB": str(_CACHE_MB // replicas)} if replicas > 1 else {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        logs = [Path(folder) / f"server{i}.log" for i in range(replicas)]
        urls = [servers.enter_context(server.running(log, held)) for log in logs]
        for url in urls:
            _warm(url)
        over = threading.Event()
        peaks: list[float] = []
        watcher = threading.Thread(target=_watch, args=(_pids(urls), over, peaks))
        watcher.start()
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(
                target=_visit, args=(urls[i % replicas], i, photographs[i], accuracy, end, seen), name=f"visitor {i}"
            )
            for i in range(visitors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        over.set()
        watcher.join()
        broken = sum(log.read_text(errors="replace").count("Traceback") for log in logs)
    return (_report(seen, visitors, seconds, max(peaks, default=0.0), broken, replicas),)


def _report(seen: Seen, visitors: int, seconds: float, peak: float, broken: int, replicas: int) -> Report:
    bounds = {"lesson step": STEP_BOUND, "Grad-CAM on an upload": UPLOAD_BOUND}
    rows: list[Row] = []
    for action, waits in sorted(seen.waits.items()):
        milliseconds = [1000 * wait for wait in waits]
        last = float(np.quantile(milliseconds, 0.95))
        over = f"{len(waits)} times"
        rows.append(Row((f"{action}, median (ms)", over), statistics.median(milliseconds)))
        rows.append(Row((f"{action}, 95th percentile (ms)", over), last, bounds.get(action)))
    rows.append(Row(("errors", f"{visitors} visitors"), float(len(seen.errors) + broken), 0.0))
    rows.append(Row(("wrong numbers", f"{seen.checked} checked"), float(len(seen.wrong)), 0.0))
    rows.append(Row(("peak memory of the servers (MB)", "all their processes"), peak, MEMORY_BOUND))
    of = "one server" if replicas == 1 else f"{replicas} replicas"
    return Report(
        key="load" if replicas == 1 else "replicas",
        title=f"{visitors} visitors of {of} for {seconds:.0f} s, {THINKING:.0f} s of thinking between clicks",
        columns=("what", "over"),
        value_name="measured",
        rows=tuple(rows),
        notes=(
            "Visitors speak Streamlit's protocol to a real server on the same machine, and draw nothing; they take a "
            "part of its processors.",
            *sorted(set(seen.errors))[:5],
            *sorted(set(seen.wrong))[:5],
        ),
    )


def _photograph(number: int) -> Photograph:
    """A part of a shipped photograph with its own noise; what the page must say of it is computed here."""
    photos = [sample for sample in list_samples() if sample.kind == "photo"]
    rgb = np.asarray(cc.load_image(photos[number % len(photos)].path).rgb, dtype=np.int16)
    noise = np.random.default_rng(number).integers(-6, 7, rgb.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    content = buffer.getvalue()
    top = cc.trace(cc.load_model("mobilenet_v2"), cc.load_image(content)).top(1)[0]
    return Photograph(content, f"{top.name} {top.probability:.2f}".replace(" 0.", " ."))


def _visit(url: str, number: int, photograph: Photograph, accuracy: str, end: float, seen: Seen) -> None:
    """One visitor until the time is over; what breaks is noted, and another visit begins."""
    chance = random.Random(number)
    time.sleep(chance.uniform(0, THINKING))
    while time.monotonic() < end:
        try:
            with Visitor(url, "") as visitor:
                seen.wait("first page", visitor.first_seconds)
                _walk(visitor, chance, photograph, accuracy, end, seen)
        except (AssertionError, OSError) as error:
            with seen.lock:
                seen.errors.append(f"{type(error).__name__}: {error}"[:200])


def _walk(
    visitor: Visitor, chance: random.Random, photograph: Photograph, accuracy: str, end: float, seen: Seen
) -> None:
    """Lessons in the order of the course; in between an upload, and a run that trains."""
    tasks = [_lesson(visitor, place, seen) for place in LESSONS]
    tasks.insert(chance.randrange(2, len(tasks)), _grad_cam(visitor, photograph, seen))
    if chance.random() < 0.2:
        tasks.append(_train(visitor, accuracy, seen))
    for task in tasks:
        if time.monotonic() >= end:
            return
        time.sleep(chance.uniform(0.5, 1.5) * THINKING)
        task()
        with seen.lock:
            seen.errors.extend(visitor.broken)
        visitor.broken.clear()


def _lesson(visitor: Visitor, place: str, seen: Seen) -> Callable[[], None]:
    def step() -> None:
        seen.wait("lesson step", visitor.open(place))
        seen.check(f"{place} has no title", bool(visitor.elements("heading")))

    return step


def _grad_cam(visitor: Visitor, photograph: Photograph, seen: Seen) -> Callable[[], None]:
    def step() -> None:
        visitor.open("gradcam")
        seen.wait("Grad-CAM on an upload", visitor.upload("Your own picture", "mine.png", photograph.content))
        labels = [button.label for button in visitor.elements("button")]
        seen.check(f"{photograph.best!r} is not among {labels[:6]}", photograph.best in labels)

    return step


def _train(visitor: Visitor, accuracy: str, seen: Seen) -> Callable[[], None]:
    def step() -> None:
        visitor.open(TRAINING)
        if any(button.label == "Show it without a guess" for button in visitor.elements("button")):
            visitor.press("Show it without a guess")
        seen.wait("training begun", visitor.press("Run one now"))
        seen.wait("training over", visitor.until(_has_run, "the end of a run", timeout=120))
        seen.check(f"a run has not {accuracy} on its page", _comes(visitor, accuracy))

    return step


def _comes(visitor: Visitor, words: str) -> bool:
    """Whether the words stand on the page once it is drawn to its end: the button comes before the result."""
    try:
        visitor.until(lambda page: words in page.text(), words, timeout=10)
    except AssertionError:
        return False
    return True


def _has_run(visitor: Visitor) -> bool:
    return any(button.label == "Run one now" for button in visitor.elements("button"))


def _warm(url: str) -> None:
    """The default network and the first lesson are there before the class comes."""
    with Visitor(url, "features", timeout=120) as visitor:
        assert not visitor.broken, visitor.broken


def _pids(urls: Sequence[str]) -> Callable[[], list[int]]:
    """The servers' processes, found anew at each look: their workers come and go."""
    ports = {str(urlsplit(url).port) for url in urls}

    def look() -> list[int]:
        told = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in told.splitlines()[1:]]
        servers = {int(row[0]) for row in rows if "streamlit" in row[2] and ports & set(row[2].split())}
        return sorted(servers | {int(row[0]) for row in rows if int(row[1]) in servers})

    return look


def _watch(pids: Callable[[], list[int]], over: threading.Event, peaks: list[float]) -> None:
    while not over.wait(1.0):
        total = 0.0
        for pid in pids():
            try:
                status = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("Pss:")) / 1000
        peaks.append(total)
