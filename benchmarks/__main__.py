"""`python -m benchmarks [NAME ...] [--quick] [--json | --markdown] [--out FOLDER] [--check]`: measure, print ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from .report import Report, machine

# Name -> what it measures. The module of that name in this folder has `measure(*, quick: bool)`, which returns Reports.
BENCHMARKS: dict[str, str] = {
    "inference": "trace and Grad-CAM against a plain forward pass and other packages",
    "saliency": "saliency maps beside grad-cam, torchcam and captum on five networks: time, memory, a folder",
    "audit": "10,000 pictures through the command line: memory, throughput, going on after a kill",
    "load": "thirty visitors for five minutes: waits, errors, wrong numbers, memory",
    "replicas": "the same of two servers, each with half of the visitors",
    "start": "cold starts: the server healthy, the first screen painted in Chromium",
    "browser": "from picking another layer to its maps painted, in Chromium",
}

BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks (all by default). Returns 1 only with --check, where a bound is not kept."""
    options = _parser().parse_args(arguments)
    reports: list[Report] = []
    for name in options.names or BENCHMARKS:
        print(f"Measuring: {BENCHMARKS[name]} ...", file=sys.stderr, flush=True)
        made = import_module(f"{__package__}.{name}").measure(quick=options.quick)
        reports.extend(made)
        if not options.json:
            texts = [_captioned(report) if options.markdown else report.text() for report in made]
            print("\n\n".join(texts), end="\n\n", flush=True)
    found = {"machine": machine(), "reports": [report.as_dict() for report in reports]}
    print(json.dumps(found, indent=2) if options.json else found["machine"])
    if options.out is not None:
        _write(options.out, found, reports)
    if options.readme is not None:
        _quote(options.readme, [*map(_captioned, reports), f"Measured on: {found['machine']}."])
    return 1 if options.check and not all(report.within for report in reports) else 0


def _write(folder: Path, found: Mapping[str, object], reports: Sequence[Report]) -> None:
    """All numbers as one JSON file, and a plot of each report that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for report in reports:
        if report.draw is not None:
            report.draw(folder / f"{report.key}.svg")


def _captioned(report: Report) -> str:
    return f"{report.title}:\n\n{report.markdown()}"


def _quote(readme: Path, parts: Sequence[str]) -> None:
    """Put the tables between the README's two marks."""
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{readme} needs one line {BEGIN} and after it one line {END}.")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text("\n\n".join([before + BEGIN, *parts, END + after]), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:<12} {title}" for name, title in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure ConvLens on this machine.",
        epilog=f"benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help="which to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first impression, not a measurement")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON instead of tables")
    shape.add_argument("--markdown", action="store_true", help="print the tables as the README has them")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="write benchmarks.json and the plots there too")
    parser.add_argument("--readme", metavar="FILE", type=Path, help=f"put the tables between {BEGIN} and {END} there")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound is not kept")
    return parser


def _name(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of: {', '.join(BENCHMARKS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
