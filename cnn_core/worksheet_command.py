"""The command `python -m cnn_core worksheet`: tasks for paper as one printable file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .errors import InvalidOption
from .worksheets import MOST_COPIES, MOST_SEED, list_worksheets, make_worksheet, worksheets_html


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", metavar="KIND", help="which one (without it: a list of all)")
    parser.add_argument("--seed", type=_whole, default=1, help="number of the first sheet, which decides its tasks (1)")
    parser.add_argument(
        "--copies", type=_whole, default=1, help=f"how many sheets, each with other numbers (1, at most {MOST_COPIES})"
    )
    parser.add_argument("--no-answers", action="store_true", help="leave the answers out")
    parser.add_argument("-o", "--output", type=Path, help="OUT.html (KIND.html)")
    parser.set_defaults(run=run)


def _whole(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Write the file and say so, or list the kinds; the exit code is 0. Raises InvalidOption for bad input."""
    kinds = list_worksheets()
    if options.kind is None:
        if options.json:
            listed = [{"key": each.key, "title": each.title, "minutes": each.minutes} for each in kinds]
            print(json.dumps(listed, indent=2, ensure_ascii=False))
            return 0
        for each in kinds:
            print(f"{each.key:<10}{each.minutes:>3} min  {each.title}: {each.sentence}")
        return 0
    output: Path = options.output or Path(f"{options.kind}.html")
    if output.suffix.lower() not in (".html", ".htm"):
        raise InvalidOption(f"The output {output} must end in .html.")
    if not 1 <= options.copies <= MOST_COPIES or options.seed + options.copies - 1 > MOST_SEED:
        raise InvalidOption(f"A file has 1 to {MOST_COPIES} sheets, with numbers up to {MOST_SEED:,}.")
    sheets = [make_worksheet(options.kind, seed=options.seed + i) for i in range(options.copies)]
    output.write_text(worksheets_html(sheets, answers=not options.no_answers), encoding="utf-8")
    if options.json:
        print(json.dumps({"output": str(output), "kind": options.kind, "seeds": [sheet.seed for sheet in sheets]}))
    else:
        numbered = f"sheet {sheets[0].seed}" if len(sheets) == 1 else f"sheets {sheets[0].seed} to {sheets[-1].seed}"
        print(f"{output}: {sheets[0].title}, {numbered}. Open it in a browser and print it.")
    return 0
