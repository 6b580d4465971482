"""The one folder on disk for what this program keeps for a while; what a killed program left behind is deleted.

A program holds a lock on its own folder for as long as it lives, however it ends: a folder whose lock is free has
nobody any more.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, where open files cannot be deleted and nothing is swept
    fcntl = None

PREFIX: Final = "convlens-files-"
_OWNER: Final = "owner.lock"
_UNLOCKED: Final = 24 * 3600.0  # seconds after which a folder that never had a lock is nobody's
_lock: Final = threading.Lock()
_mine: tuple[Path, int] | None = None


def root() -> Path:
    """This program's folder, made when it is first wanted, and again where somebody deleted it."""
    global _mine
    with _lock:
        if _mine is None or not _mine[0].is_dir():
            if _mine is None:
                atexit.register(_let_go)
            else:
                os.close(_mine[1])
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
            begun = path / f"{_OWNER}.begun"
            owner = os.open(begun, os.O_CREAT | os.O_RDWR, 0o600)
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                begun.rename(path / _OWNER)  # with that name it is locked from the first moment on
            _mine = path, owner
        return _mine[0]


def _let_go() -> None:
    if _mine is not None:
        shutil.rmtree(_mine[0], ignore_errors=True)


def sweep(place: Path | None = None) -> int:
    """Delete the folders of programs that have ended without doing so; how many there were.

    place: where they lie; None for the place of temporary files.
    """
    if fcntl is None:
        return 0
    found = 0
    for folder in (place or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid() and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)
                found += 1
    return found


def _is_left(folder: Path) -> bool:
    """Whether nobody holds the lock of a folder."""
    try:
        owner = os.open(folder / _OWNER, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _UNLOCKED
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(owner)
    return True
