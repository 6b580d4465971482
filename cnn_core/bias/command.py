"""The command `python -m cnn_core audit FOLDER`: progress while it runs, the verdict in words, a report on disk."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidOption, quote
from ..network_options import add_network_options, open_network
from .result import STAGES, AuditProgress, AuditReport

if TYPE_CHECKING:
    from ..models import Classifier

_WRITES: Final = (".html", ".csv", ".json")
_TAG_COLUMNS: Final = ("tag", "background", "ground")
_NAME_COLUMNS: Final = ("picture", "name", "file", "filename", "image")
_MOST_TABLE_BYTES: Final = 50 * 2**20
_EVERY: Final = 0.2  # seconds between two lines on a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="pictures; subfolders are their labels")
    add_network_options(parser)
    parser.add_argument(
        "--boxes", type=Path, metavar="FILE", help="where the objects are: COCO JSON, Pascal VOC XML, CSV, PNG masks, "
        "a zip or a folder of those"
    )  # fmt: skip
    parser.add_argument("--tags", type=Path, metavar="FILE.csv", help="backgrounds: columns picture and tag")
    parser.add_argument("--propose-tags", type=_whole, metavar="N", help="group the backgrounds into N kinds")
    parser.add_argument(
        "--label", action="append", default=[], metavar="LABEL=CLASS", help="the network's class of a subfolder, where "
        "it is not called the same"
    )  # fmt: skip
    parser.add_argument("--method", default="gradcam", help="of the maps (gradcam)")
    parser.add_argument("--layer", help="of the maps: an operation or module (the last one with maps)")
    parser.add_argument("--class", dest="target", help="explain this class in every picture (each one's top class)")
    parser.add_argument("--clusters", type=_whole, help="how many groups of maps, 0 for none (the best of 2 to 6)")
    parser.add_argument("--donors", type=_whole, help="backgrounds of each kind that a boxed picture is put on (5)")
    parser.add_argument("--resamples", type=_whole, help="of the bootstrap (10000)")
    parser.add_argument("--seed", type=_whole, default=0, help="decides every random choice (0)")
    parser.add_argument("--batch-size", type=_whole, help="pictures in one forward pass (16)")
    parser.add_argument("--workers", type=_whole, help="threads that decode (as many as cores, at most 4)")
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="keeps maps and thumbnails, so that an interrupted audit goes on "
        "(next to the first output: OUT.audit)"
    )  # fmt: skip
    parser.add_argument("--engine", default="local", help="local, or ray: the same pass on a Ray cluster (local)")
    parser.add_argument(
        "-o", "--output", type=Path, action="append", default=[], metavar="OUT", help="OUT.html (the report), OUT.csv "
        "(a line for each picture) or OUT.json; may be given several times"
    )  # fmt: skip
    parser.set_defaults(run=run)


def _whole(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a whole number from 0 up")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Audit the folder and say what was found; the exit code is 0. Raises ConvLensError for bad input."""
    _check_outputs(options.output)
    if options.tags is not None and options.propose_tags is not None:
        raise InvalidOption("--tags and --propose-tags contradict each other: take one of them.")
    for path in (options.boxes, options.tags):
        if path is not None and not path.exists():
            raise InvalidOption(f"There is no file {quote(path)}.")
    from .items import items_of

    items = items_of(options.folder)  # first, since a wrong path is said at once and a model takes a while
    from .auditing import audit  # here, since it loads torch

    tags: Any = options.propose_tags
    if options.tags is not None:
        tags = read_tags(options.tags, [item.name for item in items])
    store = options.store
    if store is None and options.output:
        store = options.output[0].with_suffix(".audit")
    numbers = ("clusters", "donors", "resamples", "batch_size", "workers")
    classifier = open_network(options)
    progress = _Progress()
    try:
        report = audit(
            classifier,
            options.folder,
            boxes=options.boxes,
            classes=_labels(options.label),
            tags=tags,
            method=options.method,
            layer=options.layer,
            target=options.target,
            seed=options.seed,
            store=store,
            engine=options.engine,
            on_progress=progress,
            **{name: getattr(options, name) for name in numbers if getattr(options, name) is not None},
        )
    except KeyboardInterrupt:
        progress.end()
        if store is not None:
            print(f"What was done is kept in {store}: the same command goes on from there.", file=sys.stderr)
        raise
    progress.end()
    for path in options.output:
        _write(report, path)
    if options.json:
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    _say(report, classifier, options.output, store)
    return 0


def _check_outputs(outputs: Sequence[Path]) -> None:
    for path in outputs:
        if path.suffix.lower() not in _WRITES:
            raise InvalidOption(f"The output {quote(path)} must end in {', '.join(_WRITES[:-1])} or {_WRITES[-1]}.")
        if not path.absolute().parent.is_dir():
            raise InvalidOption(f"There is no folder {quote(path.absolute().parent)} to write to.")


def _labels(given: Sequence[str]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for text in given:
        label, equals, name = text.partition("=")
        if not (equals and label and name):
            raise InvalidOption(f"--label takes LABEL=CLASS, and was given {quote(text)}.")
        found[label] = name
    return found


def read_tags(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Background tags from a CSV file with a column of pictures and a column "tag", "background" or "ground".

    A picture is named by its path below the folder. Lines without a tag are passed over. Raises InvalidOption.
    """
    if path.stat().st_size > _MOST_TABLE_BYTES:
        raise InvalidOption(f"{quote(path.name)} is larger than {_MOST_TABLE_BYTES >> 20} MB.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{quote(path.name)} is no CSV file in UTF-8 ({error}).") from None
    columns = {str(name).strip().casefold(): name for name in (lines[0] if lines else {})}
    picture = next((columns[name] for name in _NAME_COLUMNS if name in columns), None)
    tag = next((columns[name] for name in _TAG_COLUMNS if name in columns), None)
    if picture is None or tag is None:
        raise InvalidOption(
            f"{quote(path.name)} needs a line of headings with “picture” and “tag”, and a line for each."
        )
    known = set(names)
    found = {}
    for number, line in enumerate(lines, start=2):
        name, value = (line[picture] or "").strip().replace("\\", "/"), (line[tag] or "").strip()
        if name and value:
            if name not in known:
                raise InvalidOption(
                    f"Line {number} of {quote(path.name)} tags {quote(name)}, which is not in the folder."
                )
            found[name] = value
    return found


class _Progress:
    """Report on standard error: a moving line on a terminal, a line for every tenth elsewhere."""

    def __init__(self) -> None:
        self._shown = ("", -1)
        self._at = -1.0
        self._open = False

    def __call__(self, step: AuditProgress) -> None:
        tenth = 10 * step.done // step.total if step.total else 10
        left = "" if step.seconds_left is None else f", {_clock(step.seconds_left)} left"
        line = f"{STAGES[step.stage]}: {step.done:,} of {step.total:,}{left}"
        if sys.stderr.isatty():
            new = step.stage != self._shown[0]
            if new or step.done >= step.total or step.seconds - self._at >= _EVERY:
                if new:
                    self.end()
                print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
                self._open, self._at, self._shown = True, step.seconds, (step.stage, tenth)
        elif self._shown != (step.stage, tenth):
            self._shown = (step.stage, tenth)
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._open:
            print(file=sys.stderr)
            self._open = False


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"


def _write(report: AuditReport, path: Path) -> None:
    kind = path.suffix.lower()
    if kind == ".html":
        report.to_html(path)
    elif kind == ".csv":
        report.to_csv(path)
    else:
        text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def _say(report: AuditReport, classifier: Classifier, outputs: Sequence[Path], store: Path | None) -> None:
    """The findings for people, the verdict first."""
    run = report.run
    print(f"{report.verdict.title}.")
    print(f"{report.verdict.sentence}")
    print(f"{report.verdict.next_step}")
    print()
    kept = f", {run.n_kept:,} of them kept from before" if run.n_kept else ""
    rows = [
        ("model", f"{classifier.card.title} on {classifier.device_note}: {classifier.weights_note}"),
        ("maps", f"{report.settings.method_title} at {report.settings.layer} ({report.settings.layer_title})"),
        ("pictures", f"{len(report.rows):,} read{kept}; {len(report.bad_files):,} skipped; {_clock(run.seconds)}"),
    ]
    if report.accuracy is not None:
        right = report.accuracy.right
        rows.append(("accuracy", f"{100 * right.count / right.n:.1f} % of {right.n:,} pictures with a known class"))
    if report.groups is not None and report.groups.worst is not None:
        worst = report.groups.worst
        rows.append(
            ("worst group", f"{worst.label} on {worst.tag}: {100 * worst.right.count / worst.right.n:.1f} % of "
             f"{worst.right.n:,}")
        )  # fmt: skip
    if report.boxes is not None and report.boxes.mean_enrichment is not None:
        rows.append(
            ("in the boxes", f"{report.boxes.mean_enrichment:.2f} times the evidence that their area would hold by "
             f"chance ({report.boxes.n:,} pictures)")
        )  # fmt: skip
    for cluster in report.clusters:
        shown = ", ".join(f"{name} {n:,}" for name, n in cluster.labels[:3])
        rows.append((f"maps, group {cluster.number + 1}", f"{cluster.n:,} pictures: {shown}"))
    for bad in report.bad_files[:10]:
        rows.append(("skipped", f"{bad.name}: {bad.reason}"))
    if len(report.bad_files) > 10:
        rows.append(("skipped", f"and {len(report.bad_files) - 10:,} more"))
    rows.append(("written", ", ".join(map(str, outputs)) or "nothing; add -o OUT.html"))
    if store is not None:
        rows.append(("kept", f"{store} (maps and thumbnails; delete it when you are done)"))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")
