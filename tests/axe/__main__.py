"""`python -m tests.axe [PAGE...] [--scheme ...] [--answered] [--details] [--server URL]`: the table; fails if grave."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import axe, browser, server
from ui import shell


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.axe", description="axe-core on every page.")
    keys = [entry.key for entry in shell.PAGES]
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"some of {', '.join(keys)} (all)")
    parser.add_argument("--scheme", choices=axe.SCHEMES, help="one of the two (both)")
    parser.add_argument("--answered", action="store_true", help="after a guess at each question, with what it hid")
    parser.add_argument("--details", action="store_true", help="also what is moderate or minor, and where")
    parser.add_argument("--server", metavar="URL", help="a server that runs already")
    options = parser.parse_args()
    if unknown := set(options.pages) - set(keys):
        parser.error(f"no page {', '.join(sorted(unknown))}; there are {', '.join(keys)}")

    grave = 0
    path = browser.ensure()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        running = nullcontext(options.server) if options.server else server.running(Path(folder) / "log")
        with running as url:
            chrome = playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
            print(axe.HEAD)
            schemes = [options.scheme] if options.scheme else list(axe.SCHEMES)
            for checked in axe.check_all(chrome, url, options.pages or keys, schemes, answered=options.answered):
                print(axe.row(checked), flush=True)
                grave += len(checked.grave)
                if options.details or checked.grave:
                    print(axe.details(checked), flush=True)
            chrome.close()
    print("No serious or critical violation." if not grave else f"{grave} serious or critical violations.")
    return 1 if grave else 0


if __name__ == "__main__":
    sys.exit(main())
