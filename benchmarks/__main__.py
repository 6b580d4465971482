"""`python -m benchmarks [NAME ...] [--quick] [--json] [--check]`: measure, and print a table of ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module

from .report import Report, machine

# Name -> what it measures. The module of that name in this folder has `measure(*, quick: bool) -> Report`.
BENCHMARKS: dict[str, str] = {
    "inference": "trace and Grad-CAM against a plain forward pass and other packages",
    "browser": "from picking another layer to its maps painted, in Chromium",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks (all by default). Returns 1 only with --check, where a bound is not kept."""
    options = _parser().parse_args(arguments)
    reports: list[Report] = []
    for name in options.names or BENCHMARKS:
        print(f"Measuring: {BENCHMARKS[name]} ...", file=sys.stderr, flush=True)
        reports.append(import_module(f"{__package__}.{name}").measure(quick=options.quick))
        if not options.json:
            print(reports[-1].text(), end="\n\n", flush=True)
    if options.json:
        print(json.dumps({"machine": machine(), "reports": [report.as_dict() for report in reports]}, indent=2))
    else:
        print(machine())
    return 1 if options.check and not all(report.within for report in reports) else 0


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
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound is not kept")
    return parser


def _name(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of: {', '.join(BENCHMARKS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
