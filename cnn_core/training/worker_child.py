"""The process that trains: tasks as JSON lines on standard input, steps as JSON lines on standard output.

In: {"plan": ..., "evaluate_every": ..., "folder": ...}, then perhaps {"stop": true}.
Out: {"steps": [...]} now and then, and at the end {"done": true}, {"refused": a sentence} or {"broken": true}.
The folder holds "earlier" (a stopped run to be continued) and "own.npz" (a learner's pictures), where there are any,
and takes "run", what was learned. When standard input ends, so does the process: its server is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any, Final

# 0 to 19, as `nice` counts: at 10, what trains takes a tenth of a core that everybody else wants, too.
_NICENESS: Final = int(os.environ.get("CONVLENS_TRAINING_NICENESS", "10"))
_BUNDLE: Final = 0.1  # seconds: steps that take less are told together
_IDLE: Final = 600.0  # seconds without a task after which the process gives its memory back


def main() -> int:
    """Train what is asked for until nothing is for ten minutes."""
    _step_back()
    out, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no message
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(tasks, stop), daemon=True).start()
    import torch

    from . import trainer  # noqa: F401  (what takes seconds to import is ready before the first task)

    torch.set_num_threads(1)
    while True:
        try:
            task = tasks.get(timeout=_IDLE)
        except queue.Empty:
            return 0
        _work(task, stop, out)


def _step_back() -> None:
    """Give way to everything else on the machine."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    # Linux may weigh sessions against each other; a process's own niceness then counts within its session only.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def _listen(tasks: queue.SimpleQueue[dict[str, Any]], stop: threading.Event) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "stop" in message:
            stop.set()
        else:
            stop.clear()
            tasks.put(message)
    os._exit(0)  # in the middle of a step, too


def _work(task: dict[str, Any], stop: threading.Event, out: IO[str]) -> None:
    from ..errors import ConvLensError

    try:
        _train(task, stop, out)
        _say(out, {"done": True})
    except ConvLensError as error:
        _say(out, {"refused": str(error)})
    except Exception:
        traceback.print_exc()
        _say(out, {"broken": True})


def _train(task: dict[str, Any], stop: threading.Event, out: IO[str]) -> None:
    from . import own_data
    from .recipe import Recipe
    from .run import Step
    from .storage import load_run, save_run, step_to_dict
    from .trainer import Plan, learn

    folder = Path(task["folder"])
    own = own_data.load_own(folder / "own.npz") if (folder / "own.npz").is_file() else None
    try:
        plan = Plan(**{**task["plan"], "recipe": Recipe(**task["plan"]["recipe"])})
        earlier = load_run(folder / "earlier") if (folder / "earlier.json").is_file() else None
        bundle: list[dict[str, Any]] = []
        told = time.monotonic()

        def tell() -> None:
            nonlocal told
            if bundle:
                _say(out, {"steps": bundle})
                bundle.clear()
            told = time.monotonic()

        def on_step(step: Step) -> None:
            bundle.append(step_to_dict(step))
            if time.monotonic() - told >= _BUNDLE or step.number == step.of:
                tell()

        run = learn(plan, earlier, on_step, stop.is_set, task["evaluate_every"])
        tell()
        save_run(run, folder / "run")
    finally:
        if own is not None:
            own_data.release(own)


def _say(out: IO[str], message: dict[str, Any]) -> None:
    print(json.dumps(message, allow_nan=False), file=out, flush=True)


if __name__ == "__main__":
    sys.exit(main())
