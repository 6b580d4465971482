"""Chromium for the browser tests: found on this machine, or installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
# No look-ups of its own: a browser test measures the app, and talks to nobody else.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    """The path of a Chromium on this machine: $CONVLENS_CHROMIUM, the PATH, the usual places, Playwright's own."""
    named = os.environ.get("CONVLENS_CHROMIUM")
    candidates = [named, *map(shutil.which, NAMES), *PLACES, _playwrights()]
    return next((path for path in candidates if path and Path(path).exists()), None)


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def ensure() -> str:
    """The path of a Chromium, installing one where there is none; raises RuntimeError when that fails too."""
    path = find()
    if path:
        return path
    attempts: list[list[str]] = [[sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]]
    if shutil.which("apt-get"):
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        attempts += [[*root, "apt-get", "update"], [*root, "apt-get", "install", "-y", "chromium"]]
    for command in attempts:
        print("$", " ".join(command), flush=True)
        subprocess.run(command, check=False, timeout=900, stdin=subprocess.DEVNULL)
        path = find()
        if path:
            return path
    raise RuntimeError("No Chromium: install one, or name it in CONVLENS_CHROMIUM.")
