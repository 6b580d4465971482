"""Build the library's reference from its docstrings with pdoc: `python -m docs.api [-o build/api]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path) -> list[Path]:
    """Write a page for cnn_core and each module that it takes a public name from; returns them, the first one first."""
    import pdoc

    import cnn_core

    # What the package offers is imported when it is first asked for; pdoc reads a module's own names.
    for name in cnn_core.__all__:
        setattr(cnn_core, name, getattr(cnn_core, name))
    homes = sorted({f"cnn_core.{home}" for home in cnn_core._HOMES.values()})
    pdoc.render.configure(docformat="markdown", footer_text="ConvLens")
    pdoc.pdoc("cnn_core", *homes, output_directory=folder)
    return sorted(folder.rglob("*.html"), key=lambda page: (page.name != "index.html", page))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.api", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "build" / "api", help="folder (build/api)")
    folder: Path = parser.parse_args().out
    print(f"{len(build(folder))} pages, from {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
