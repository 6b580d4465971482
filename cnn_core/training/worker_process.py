"""The server's side of a training process: started, asked, listened to, ended, and used again for the next run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from ..errors import ConvLensError

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_MODULE: Final = "cnn_core.training.worker_child"
_LOOK: Final = 0.05  # seconds between two looks at whether the run is to be stopped
_ENDED: Final = None


class WorkerLost(ConvLensError):
    """The process that trained ended before the run did, or could not go on."""


class Dropped(Exception):
    """Nobody wants the run any more."""


class Process:
    """A niced Python process that trains one run at a time, told by JSON lines; it ends when this one ends."""

    def __init__(self) -> None:
        """Raises OSError where no process can be had."""
        if not sys.executable:
            raise OSError("no Python to start")
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Several threads are slower on networks this small, and sum in another order.
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
            # An interrupt at the terminal is for the server, which then closes our standard input.
            start_new_session=True,
        )
        self._told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True, name="training").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def run(
        self,
        task: dict[str, Any],
        on_steps: Callable[[list[dict[str, Any]]], None],
        should_stop: Callable[[], bool] | None,
        dropped: Callable[[], bool] | None,
    ) -> None:
        """Have a task done, see `worker_child`. on_steps: called in this thread with the steps since the last call.

        Raises Dropped, with the process ended, where `dropped` says yes; WorkerLost where the process was lost; another
        ConvLensError where the task is refused.
        """
        steps, stopped = 0, False
        if not self._say(task):
            raise self._lost(steps)
        while True:
            if dropped is not None and dropped():
                self.end()
                raise Dropped
            if not stopped and should_stop is not None and should_stop():
                stopped = self._say({"stop": True})
            try:
                told = self._told.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if told is _ENDED:
                raise self._lost(steps)
            if "steps" in told:
                steps += len(told["steps"])
                on_steps(told["steps"])
            elif "refused" in told:
                raise ConvLensError(told["refused"])
            elif "broken" in told:
                self.end()
                raise WorkerLost("The training broke off; the server's log says why.")
            elif "done" in told:
                return

    def end(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # what was not written any more
            self._process.stdin.close()

    def _say(self, message: dict[str, Any]) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # it is gone; what it said last is still to be read
            return False
        return True

    def _listen(self, lines: IO[str]) -> None:
        with lines:
            try:
                for line in lines:
                    self._told.put(json.loads(line))
            except (OSError, ValueError):
                self._process.kill()  # it does not speak our language
        self._told.put(_ENDED)

    def _lost(self, steps: int) -> WorkerLost:
        self.end()
        after = f"after {steps:,} steps " if steps else ""
        return WorkerLost(
            f"The process that trained ended {after}before the run did (somebody ended it, or the machine ran out of "
            "memory). What it had learned is lost; start the run again."
        )
