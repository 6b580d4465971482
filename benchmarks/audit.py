"""An audit of many generated pictures through the command line: memory, throughput, and going on after a kill."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from torchvision import transforms

import cnn_core as cc

from .folder import Bare
from .peak_memory import _peak, _start
from .report import Report, Row

ROOT: Final = Path(__file__).resolve().parent.parent
NETWORK: Final = "mobilenet_v2"
N, N_QUICK = 10_000, 320
_BOXED: Final = 24
_CHUNK: Final = 250
_BARE_SHARE: Final = 10  # the bare loop runs a tenth of the pictures, half before the audit and half after it
_SEED: Final = 2026
MOST_GIGABYTES, LEAST_THROUGHPUT = 1.5, 0.8


def measure(*, quick: bool) -> list[Report]:
    """10,000 drawn cows and camels (320 with --quick) through `python -m cnn_core audit`, beside the bare loop."""
    n = N_QUICK if quick else N
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_pictures(folder, n)
        found = audited(folder, NETWORK)
        same = resumed(folder, NETWORK, found["report"])
    rows = (
        Row((f"memory above the model's, {n:,} pictures", "gigabytes"), found["gigabytes"], MOST_GIGABYTES),
        Row((f"pass beside the bare loop, {n:,} pictures", "throughput"), found["throughput"], LEAST_THROUGHPUT, True),
        Row(("killed in the middle and started again", "equal reports"), float(same), 1.0, True),
    )
    note = f"{NETWORK}; the pass took {found['seconds']:.0f} s, {n / found['seconds']:.1f} pictures a second."
    return [Report("audit", "An audit through the command line", ("what", "unit"), "value", rows, (note,))]


def write_pictures(folder: Path, n: int) -> None:
    """folder/pictures/<part>/<label>/..., and boxes for some of the first in folder/boxes.json; little memory."""
    from cnn_core.bias.herds import write_herd
    from cnn_core.training.cow_camel import draw_herd

    for part in range(0, n, _CHUNK):
        herd = draw_herd(min(_CHUNK, n - part), seed=_SEED + part)
        write_herd(folder / "pictures" / f"{part:06}", herd)
        if part == 0:
            few = draw_herd(_BOXED, seed=_SEED)  # the same animals: a seed's first pictures do not know how many follow
            write_herd(folder / "spare", few, boxes=folder / "boxes.json")
    boxes = json.loads((folder / "boxes.json").read_text())
    for image in boxes["images"]:
        image["file_name"] = f"{0:06}/{image['file_name']}"
    (folder / "boxes.json").write_text(json.dumps(boxes))


def command_of(folder: Path, network: str, name: str) -> list[str]:
    """The arguments of the command; its report lies in folder/<name>.json afterwards, its store beside it."""
    labels = ["--label", "camel=Arabian camel"] if network == NETWORK else []
    return [
        "audit", str(folder / "pictures"), "--model", network, "--boxes", str(folder / "boxes.json"), *labels,
        "-o", str(folder / f"{name}.json"), "-o", str(folder / f"{name}.html"),
    ]  # fmt: skip


def audited(folder: Path, network: str) -> dict[str, Any]:
    """One uninterrupted audit in a process of its own: its report, gigabytes above the model's, throughput."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit", str(folder), network], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return {**json.loads(done.stdout), "report": facts(folder / "whole.json")}


def resumed(folder: Path, network: str, whole: dict[str, Any]) -> bool:
    """Kill an audit when half of it is on disk, start it again, and compare its report with the uninterrupted one."""
    command = [sys.executable, "-m", "cnn_core", *command_of(folder, network, "killed")]
    n = len(whole["rows"])
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None:
            if len(list((folder / "killed.audit").rglob("*.parquet"))) * 64 >= n / 2:
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.1)
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError("The audit ended before it could be killed: take more pictures.")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    run = json.loads((folder / "killed.json").read_text())["run"]
    if not 0 < run["n_kept"] < n:
        raise RuntimeError(f"{run['n_kept']} of {n} pictures were kept: nothing was resumed.")
    return facts(folder / "killed.json") == whole


def facts(path: Path) -> dict[str, Any]:
    """A report without how its run went."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    del found["run"]
    return found


def child(folder: Path, network: str) -> dict[str, float]:
    """The command line's own function, in this process, whose memory is watched from the loaded model on."""
    from cnn_core.__main__ import main

    classifier = cc.load_model(network, device="cpu")
    paths = sorted((folder / "pictures").rglob("*.png"))
    bare = Bare(classifier)
    if classifier.card.channels == 1:
        bare.prepare = transforms.Compose([transforms.Grayscale(), bare.prepare])
    bare.run(paths[:16])
    tenth = paths[: max(64, len(paths) // _BARE_SHARE)]
    halves = tenth[::2], tenth[1::2]
    seconds = _seconds(bare, halves[0])
    gc.collect()
    before = _start()
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(command_of(folder, network, "whole"))
    if code:
        raise RuntimeError(f"The command ended with {code}.")
    grown = _peak() - before
    seconds += _seconds(bare, halves[1])
    taken = json.loads((folder / "whole.json").read_text())["run"]["pass_seconds"]
    return {
        "gigabytes": grown / 2**30,
        "seconds": taken,
        "throughput": (len(paths) / taken) / (len(tenth) / seconds),
    }


def _seconds(bare: Bare, paths: Sequence[Path]) -> float:
    start = time.perf_counter()
    bare.run(paths)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(child(Path(sys.argv[1]), sys.argv[2])))
