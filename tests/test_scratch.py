"""Files that a killed server left on disk are deleted at the next start, and those of a living one are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnn_core import scratch

HOLDS = """
import sys, time
from cnn_core.bias.uploads import PictureFolder
from cnn_core.training import worker
folder = PictureFolder()
folder.add_pictures([("a.png", b"some bytes")])
print(folder.path, flush=True)

class Trains:
    def run(self, task, *others):
        print(task["folder"], flush=True)
        time.sleep(600)

worker._take_process = Trains
worker.train("batch_norm", seed=1)
"""


def test_what_a_killed_server_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        path, training = (Path(server.stdout.readline().strip()) for _ in range(2))
        assert training.is_dir() and training.parent == path.parent
        assert path.is_relative_to(tmp_path) and len(list(path.iterdir())) == 1
        others = [tmp_path / name for name in ("somebody-elses", f"{scratch.PREFIX}new", f"{scratch.PREFIX}old")]
        for other in others:
            other.mkdir()
        os.utime(others[2], (1, 1))  # made long ago by a version that locked nothing
        (tmp_path / f"{scratch.PREFIX}link").symlink_to(others[0])
        assert scratch.sweep(tmp_path) == 1 and not others[2].exists()
        assert path.is_dir(), "its server lives"
        server.send_signal(signal.SIGKILL)
    assert path.is_dir(), "nobody could clean up"
    assert scratch.sweep(tmp_path) == 1 and not path.exists() and not training.exists()
    assert others[0].is_dir() and others[1].is_dir(), "not ours, and perhaps somebody is just beginning"
    assert scratch.sweep(tmp_path) == 0


def test_a_folder_that_was_deleted_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_mine", None)
    first = scratch.root()
    assert scratch.root() == first and first.parent == tmp_path
    assert scratch.sweep(tmp_path) == 0, "its own folder is never left"
    scratch._let_go()
    second = scratch.root()
    assert second.is_dir() and second != first
    assert time.time() - second.stat().st_mtime < 60
    scratch._let_go()
