"""Training in a process of its own: the same result, one line for the server, and nothing left when somebody goes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnn_core as cc
from cnn_core.training import own_data, worker
from cnn_core.training.worker_line import Line
from cnn_core.training.worker_process import Process
from ui.jobs import Job, Jobs
from ui.training import Live, Runs

ROOT = Path(__file__).resolve().parent.parent
SHORT: dict[str, Any] = {"steps": 24, "n_train": 320, "batch_size": 32, "evaluate_every": 10}
LONG: dict[str, Any] = {"steps": 100_000, "n_train": 320, "batch_size": 32, "evaluate_every": 0}
Say = Callable[[str], None]


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    """Two at once, as on a server with three cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setenv(worker.PLACES, "2")
    worker.line.cache_clear()
    yield
    worker.end_idle()
    patch.undo()
    worker.line.cache_clear()
    torch.set_num_threads(before)


def until(said: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until something is so; returns how long it took."""
    begin = time.monotonic()
    while not said():
        assert time.monotonic() - begin < seconds, "it never came to it"
        time.sleep(0.01)
    return time.monotonic() - begin


def children() -> set[int]:
    """Processes of this one that train."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"cnn_core.training.worker" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


def test_what_trains_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_TRAINING_NICENESS", "7")
    process = Process()
    try:
        limit = time.monotonic() + 30
        while (given := os.getpriority(os.PRIO_PROCESS, process.pid) - os.getpriority(os.PRIO_PROCESS, 0)) != 7:
            assert time.monotonic() < limit, given
            time.sleep(0.05)
        # Where Linux weighs sessions against each other, niceness counts within one only.
        group = Path(f"/proc/{process.pid}/autogroup")
        while group.exists() and "nice 7" not in (told := group.read_text()):
            assert time.monotonic() < limit, told
            time.sleep(0.05)
    finally:
        process.end()


def test_a_process_learns_what_the_library_learns() -> None:
    seen: list[cc.Step] = []
    places: list[int] = []
    run = worker.train("lenet", seed=1, on_step=seen.append, on_queue=places.append, **SHORT)
    here = cc.train("lenet", seed=1, **SHORT)
    assert run.digest == here.digest and (run.losses == here.losses).all()
    assert tuple(seen) == run.steps and len(seen) == 24 and places == [0]
    assert [step.evaluation for step in run.steps] == [step.evaluation for step in here.steps]
    assert (run.test_accuracy, run.state, run.note) == (here.test_accuracy, "finished", here.note)
    (pid,) = children()  # in a process of its own
    # Stopped between two steps; what was learned is kept, and goes on to the same end, in the same process.
    done: list[cc.Step] = []
    half = worker.train("lenet", seed=1, on_step=done.append, should_stop=lambda: len(done) >= 3, **LONG)
    assert half.state == "stopped" and 3 <= half.steps_done < 10_000 and len(done) == half.steps_done
    stop = iter([False] * 5)
    short = cc.train("lenet", seed=1, should_stop=lambda: next(stop, True), **SHORT)
    assert worker.resume(short, evaluate_every=10).digest == here.digest
    assert children() == {pid}


def test_a_learners_own_pictures_travel_to_the_process() -> None:
    generator = np.random.default_rng(0)
    files = []
    for label, colour in (("red", 0), ("blue", 2)):
        for i in range(5):
            rgb = generator.integers(0, 80, (50, 60, 3), dtype=np.uint8)
            rgb[..., colour] += 150
            buffer = io.BytesIO()
            Image.fromarray(rgb).save(buffer, "PNG")
            files.append(own_data.File(label, f"{label}{i}.png", buffer.getvalue()))
    own = own_data.prepare(files)
    assert own is not None
    own_data.hold(own)
    settings: dict[str, Any] = {
        "network": "build:conv8k3-relu-max2-flatten-linear",
        "data": own.key,
        "n_train": 8,
        "batch_size": 4,
    }
    try:
        run = worker.train("build", seed=0, steps=6, **settings)
        assert run.digest == cc.train("build", seed=0, steps=6, **settings).digest
        assert run.classifier().class_names == ("blue", "red")
    finally:
        own_data.release(own.key)
    with pytest.raises(cc.InvalidOption, match="bring them again"):
        worker.train("build", seed=0, steps=6, **settings)


def test_numbers_that_are_not_finite_come_through() -> None:
    seen: list[cc.Step] = []
    run = worker.train(
        "input_normalisation", arm="raw", seed=0, learning_rate=1e6, on_step=seen.append, **(SHORT | {"steps": 40})
    )
    assert run.state == "diverged" and "Diverged at step" in run.note and len(seen) == run.steps_done < 40
    assert not torch.tensor(seen[-1].loss).isfinite()


def test_what_cannot_be_is_said_before_anything_waits() -> None:
    line = worker.line()
    with line.place(None, None), line.place(None, None):  # nobody else would get in
        with pytest.raises(cc.InvalidOption, match="no experiment"):
            worker.train("lenett", seed=0)
        with pytest.raises(cc.InvalidOption, match="learning_rate"):
            worker.train("lenet", seed=0, learning_rate=-1)
        waits = worker.train("lenet", seed=0, should_stop=lambda: True, **SHORT)
        assert (waits.state, waits.steps, waits.note) == ("stopped", (), "Stopped before its first step.")
        assert worker.resume(waits, should_stop=lambda: True) is waits


def test_without_a_process_it_is_done_in_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("no more processes")

    before = children()
    monkeypatch.setattr(worker, "_idle", [])
    monkeypatch.setattr(subprocess, "Popen", refuse)
    threads: list[str] = []
    run = worker.train("lenet", seed=1, on_step=lambda step: threads.append(threading.current_thread().name), **SHORT)
    with pytest.raises(worker.Dropped):
        worker.train("lenet", seed=1, dropped=iter([False] * 4 + [True] * 3).__next__, **SHORT)
    assert run.steps_done == 24 and set(threads) == {threading.current_thread().name} and children() == before


def test_first_come_first_served_and_everybody_knows_their_place() -> None:
    line, entered = Line(2), list[int]()
    places: dict[int, list[int]] = {}
    gates = [threading.Event() for _ in range(5)]
    leaves = threading.Event()

    def visit(number: int) -> None:
        mine = places.setdefault(number, [])
        with line.place(mine.append, leaves.is_set if number == 3 else None) as got:
            if got:
                entered.append(number)
                gates[number].wait(30)

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=visit, args=(number,)))
        threads[-1].start()
        while sum(line.lengths) <= number or (number > 1 and not places.get(number)):
            time.sleep(0.01)
    assert entered == [0, 1] and line.lengths == (2, 3) and [places[n][-1] for n in (2, 3, 4)] == [1, 2, 3]
    gates[1].set()
    until(lambda: entered == [0, 1, 2] and [places[n][-1] for n in (3, 4)] == [1, 2])
    leaves.set()  # who leaves the line makes room in it
    until(lambda: places[4][-1] == 1)
    gates[0].set()
    until(lambda: entered == [0, 1, 2, 4])
    for gate in gates:
        gate.set()
    for thread in threads:
        thread.join(30)
    assert line.lengths == (0, 0) and places[0] == [0] and places[4] == [3, 2, 1, 0] and 0 not in places[3]


def start(jobs: Jobs, runs: Runs, seed: int, settings: dict[str, Any]) -> Job:
    """What `ui.training.start` does, for a visitor without a browser."""
    from ui import training

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "store", lambda: runs)
        patch.setattr(training.jobs, "mine", lambda: jobs)
        return training.start("slot", "lenet", seed=seed, **settings)


def live(job: Job) -> Live:
    return job.detail if isinstance(job.detail, Live) else Live((), 0)


def test_two_visitors_train_at_once_a_third_waits_one_leaves_and_one_is_killed(say: Say) -> None:
    visitors, runs = [Jobs() for _ in range(3)], [Runs() for _ in range(3)]
    first = start(visitors[0], runs[0], 10, SHORT)
    leaver = start(visitors[1], runs[1], 11, LONG)
    until(lambda: worker.line().lengths == (2, 0) or not first.is_active)
    third = start(visitors[2], runs[2], 12, LONG)
    waited = until(lambda: live(third).position == 1 or bool(live(third).steps))
    until(lambda: not first.is_active and len(live(leaver).steps) > 2 and len(live(third).steps) > 2)
    assert first.state == "done"
    assert worker.line().lengths == (2, 0)
    # A tab is closed: its place and its process are free.
    before = children()
    visitors[1].close()
    freed = until(lambda: worker.line().lengths == (1, 0) and len(children()) < len(before), 10)
    assert leaver.state == "stopped" and not runs[1].all()
    # Somebody kills what is left: the visitor is told, the rest goes on.
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    told = until(lambda: not third.is_active)
    assert third.state == "failed" and "ended after" in third.message and "start the run again" in third.message
    assert worker.line().lengths == (0, 0) and not runs[2].all()
    again = start(visitors[2], runs[2], 12, LONG)
    until(lambda: len(live(again).steps) > 2)
    visitors[2].stop("slot")
    until(lambda: not again.is_active)
    assert again.state == "done" and again.result.state == "stopped", "what was learned until a stop is kept"
    # Nobody's results are mixed.
    (kept,) = runs[0].all().values()
    assert kept is first.result and kept.digest == cc.train("lenet", seed=10, **SHORT).digest
    (part,) = runs[2].all().values()
    assert part is again.result and (part.seed, part.steps_done) == (12, len(live(again).steps))
    assert {step.of for step in live(leaver).steps} == {100_000}
    say(
        f"two visitors train, a third is told the place in line within {waited:.2f} s; a closed tab frees its worker "
        f"after {freed:.2f} s; a killed worker is told after {told:.2f} s"
    )


def test_a_process_ends_with_its_server() -> None:
    code = (
        "import sys\n"
        "from cnn_core.training.worker_process import Process\n"
        "process = Process()\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None and server.stdin is not None
    pid = int(server.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    server.kill()  # nothing is tidied up
    server.wait()
    server.stdout.close()
    server.stdin.close()

    def is_gone() -> bool:
        try:
            return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True

    until(is_gone, 10)
