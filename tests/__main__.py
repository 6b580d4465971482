"""`python -m tests`: linters, types, and all tests; the browser is installed where there is none, never skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    from tests import browser

    environment = {**os.environ, "CONVLENS_CHROMIUM": browser.ensure()}
    checks = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        # Two at a time: a file stays with one worker, so that what it loads is loaded once.
        ["pytest", "-n", "2", "--dist", "loadfile", *arguments],
    ]
    for check in checks:
        print("$", " ".join(check), flush=True)
        code = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, env=environment, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
