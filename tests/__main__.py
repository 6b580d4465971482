"""`python -m tests`: linters, types, and all tests; the browser is installed where there is none, never skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


_LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
# More than this is no matter of a machine that was short of time.
_MOST_AGAIN = 4


def main(arguments: list[str]) -> int:
    from tests import browser

    environment = {**os.environ, "CONVLENS_CHROMIUM": browser.ensure()}

    def run(*check: str) -> int:
        print("$", " ".join(check), flush=True)
        return subprocess.run([sys.executable, "-m", *check], cwd=ROOT, env=environment, check=False).returncode

    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        if code := run(*check):
            return code
    with _types() as types:
        code = _tests(run, arguments)
        said, _ = types.communicate()
    print(f"$ mypy\n{said}", end="", flush=True)
    return code or types.returncode


@contextmanager
def _types() -> Iterator[subprocess.Popen[str]]:
    """mypy beside the tests, which wait for pages half of their time; it gives way to them, and ends with them."""
    command = [sys.executable, "-m", "mypy"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, process.pid, 10)
        try:
            yield process
        finally:
            process.kill()


def _tests(run: Callable[..., int], arguments: list[str]) -> int:
    # Two at a time: a file stays with one worker, so that what it loads is loaded once.
    code = run("pytest", "-n", "2", "--dist", "loadfile", "--cache-clear", *arguments)
    if code == 1 and (again := _page_tests_that_failed()):
        # Two browsers and two servers share the machine's cores: what fails then must pass with the machine to itself.
        print(f"Failed beside other tests, run once more alone: {', '.join(again)}", flush=True)
        return run("pytest", *again)
    return code


def _page_tests_that_failed() -> list[str]:
    """Those that failed, where they are few and all of them run pages, which wait for other threads; else none."""
    failed = list(json.loads(_LAST_FAILED.read_text()))
    few = len(failed) <= _MOST_AGAIN
    of_pages = (("::" in name and (name.startswith("tests/e2e/") or "page" in name.split("::")[0])) for name in failed)
    return failed if few and all(of_pages) else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
