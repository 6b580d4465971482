"""How far one contestant grows its process at its peak: `python -m benchmarks.peak_memory CONTESTANT NETWORK BATCH`."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import torch

from .peers import Contest

ROOT = Path(__file__).resolve().parent.parent


def growth(contestant: str, network: str, batch: int) -> float:
    """Megabytes at the peak of a first map (or forward pass), above what the process held with the model loaded.

    Measured in a process of its own, so that nothing is left over from another contestant. Raises CalledProcessError.
    """
    command = [sys.executable, "-m", "benchmarks.peak_memory", contestant, network, str(batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def grown(contestant: str, network: str, batch: int) -> float:
    """The same in this process; megabytes are 2^20 bytes."""
    run = Contest(network).candidates(batch, [contestant])[contestant]
    gc.collect()
    before = _start()
    run()
    return (_peak() - before) / 2**20


def _start() -> int:
    """Bytes held now, the peak counted from here on where the system can do that."""
    status = Path("/proc/self/status")
    if not status.exists():  # elsewhere the peak since the process began is all there is
        return _peak()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps freed memory, and would hand it out unseen
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _field("VmRSS")


def _peak() -> int:
    if Path("/proc/self/status").exists():
        return _field("VmHWM")
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _field(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    torch.set_num_threads(2)
    print(grown(sys.argv[1], sys.argv[2], int(sys.argv[3])))
