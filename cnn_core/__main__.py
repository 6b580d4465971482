"""The command line: `python -m cnn_core models | predict | explain | audit | fetch | train | worksheet`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import cnn_core as cc
from cnn_core.bias.command import add_arguments as add_audit_arguments
from cnn_core.errors import quote
from cnn_core.network_options import add_network_options, open_network
from cnn_core.training.command import add_arguments
from cnn_core.worksheet_command import add_arguments as add_worksheet_arguments

BAD_INPUT = 2


class _Parser(argparse.ArgumentParser):
    """Says what was wrong in one line, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        raise cc.InvalidOption(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 after one line on standard error that says what was wrong."""
    try:
        options = _parser().parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = options.run
        code = run(options)
        sys.stdout.flush()
        return code
    except cc.ConvLensError as error:
        return _fail(str(error), BAD_INPUT)
    except BrokenPipeError:  # whoever reads the output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}.", BAD_INPUT)
    except KeyboardInterrupt:
        return _fail("stopped.", 130)


def _fail(message: str, code: int) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)  # a name with a line break is one line, too
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m cnn_core", description="See inside a convolutional network.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    models = commands.add_parser("models", help="list the networks, and which weights are on this machine")
    models.set_defaults(run=_models)

    predict = commands.add_parser("predict", help="what a network says of a picture")
    predict.add_argument("image", type=Path, metavar="IMAGE")
    predict.add_argument("-k", "--top", type=_positive, default=5, help="how many classes (5)")
    add_network_options(predict)
    predict.set_defaults(run=_predict)

    explain = commands.add_parser("explain", help="where a network found its evidence")
    explain.add_argument("image", type=Path, metavar="IMAGE")
    add_network_options(explain)
    methods = ", ".join(card.key for card in cc.saliency_methods())
    explain.add_argument("--method", default="gradcam", help=f"one of {methods} (gradcam)")
    explain.add_argument("--layer", help="an operation or module, or several with commas between, which are fused")
    explain.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="one of the method's own, such as steps=100"
    )
    explain.add_argument("--class", dest="target", help="a class name or index (the top class)")
    explain.add_argument("--rather-than", dest="rival", help="a second class: explain why the first and not this one")
    explain.add_argument("--score", choices=["logit", "probability", "centred"], default="logit")
    explain.add_argument("--signed", action="store_true", help="keep evidence against the class too")
    explain.add_argument("-o", "--output", type=Path, help="OUT.png (laid over the picture) or OUT.npz (raw numbers)")
    explain.set_defaults(run=_explain)

    audit = commands.add_parser(
        "audit", help="does a network look at the objects of a folder's pictures, or behind them"
    )
    add_audit_arguments(audit)

    fetch = commands.add_parser("fetch", help="download weights, into the folder where torch keeps them")
    fetch.add_argument("models", nargs="+", metavar="MODEL")
    fetch.set_defaults(run=_fetch)

    train = commands.add_parser("train", help="run an experiment of the training lab, and print what came out")
    add_arguments(train)

    worksheet = commands.add_parser("worksheet", help="print tasks for paper, with a network's own numbers")
    add_worksheet_arguments(worksheet)

    for command in (models, predict, explain, audit, fetch, train, worksheet):
        command.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


def _positive(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a whole number from 1 up")
    return int(text)


def _open(options: argparse.Namespace) -> tuple[cc.Classifier, cc.ModelInput]:
    picture = cc.load_image(options.image)  # first, since a wrong path is said at once and a model takes a while
    classifier = open_network(options)
    return classifier, classifier.preprocess(picture)


def _models(options: argparse.Namespace) -> int:
    cards = cc.list_models()
    if options.json:
        keys: tuple[str, ...] = ("key", "title", "family", "year", "n_parameters", "macs", "n_classes", "weights_name")
        keys += ("weights_available", "weights_note", "download_megabytes", "source")
        _print_json([{key: getattr(card, key) for key in keys} for card in cards])
        return 0
    rows = [
        (
            card.key,
            card.title,
            str(card.year),
            f"{card.n_parameters / 1e6:.2f} M",
            "on this machine" if card.weights_available else f"to fetch, {card.download_megabytes or 0:.0f} MB",
        )
        for card in cards
    ]
    _print_table(("model", "title", "year", "parameters", "weights"), rows, right={2, 3})
    return 0


def _predict(options: argparse.Namespace) -> int:
    classifier, seen = _open(options)
    trace = cc.trace(classifier, seen)
    top = trace.top(min(options.top, len(classifier.class_names)))
    if options.json:
        _print_json(
            {
                "image": str(options.image),
                "model": classifier.key,
                "device": str(classifier.device),
                "notes": list(seen.notes),
                "predictions": [
                    {"index": p.index, "class": p.name, "logit": p.logit, "probability": p.probability} for p in top
                ],
            }
        )
        return 0
    print(f"{classifier.card.title} on {classifier.device_note}: {classifier.weights_note}")
    for note in seen.notes:
        print(f"  {note}")
    rows = [(p.name, str(p.index), f"{p.logit:.4f}", f"{p.probability:.4f}") for p in top]
    _print_table(("class", "index", "logit", "probability"), rows, right={1, 2, 3})
    return 0


def _explain(options: argparse.Namespace) -> int:
    if options.output is not None and options.output.suffix.lower() not in (".png", ".npz"):
        raise cc.InvalidOption(f"The output {options.output} must end in .png or .npz.")
    if options.rival is not None and options.target is None:
        raise cc.InvalidOption("--rather-than needs --class: name the class that is explained.")
    from cnn_core.saliency import method_card  # here, since it loads torch

    card = method_card(options.method)
    own = dict(_own_option(card, text) for text in options.option)
    classifier, seen = _open(options)
    target = options.target if options.rival is None else (options.target, options.rival)
    layers = [name.strip() for name in options.layer.split(",")] if options.layer is not None else None
    saliency = cc.explain(
        classifier,
        seen,
        method=options.method,
        target=target,
        layer=layers[0] if layers is not None and len(layers) == 1 else layers,
        score=options.score,
        rectify=not options.signed,
        on_progress=_progress(card.title, "passes") if card.is_dear else None,
        **own,
    )
    if card.is_dear and sys.stderr.isatty():
        print(file=sys.stderr)
    if options.output is not None:
        write = saliency.to_npz if options.output.suffix.lower() == ".npz" else saliency.to_png
        write(options.output)
    peak = saliency.peak()
    facts: dict[str, Any] = {
        "image": str(options.image),
        "model": classifier.key,
        "method": saliency.method,
        "target": saliency.target.title,
        "value": saliency.target_value,
        "layer": saliency.layer,
        "cells": list(saliency.values.shape),
        "range": list(saliency.raw_range),
        "peak": None if peak is None else {"cell": peak.cell, "pixel": peak.position, "value": peak.value},
        "note": saliency.note,
        "details": {k: v if isinstance(v, int | float | str) else list(v) for k, v in saliency.details.items()},
        "seconds": saliency.seconds,
        "output": None if options.output is None else str(options.output),
    }
    if options.json:
        _print_json({**facts, "values": saliency.values.tolist()})
        return 0
    where = "the picture" if saliency.layer is None else f"{saliency.layer} ({saliency.layer_title})"
    rows = [
        ("target", f"{facts['target']} = {saliency.target_value:.4f}"),
        ("layer", f"{where}, {' x '.join(map(str, saliency.values.shape))} cells"),
        ("peak", "none" if peak is None else f"{peak.value:.4g} at cell {peak.cell}, pixel {_pixel(peak.position)}"),
        ("note", saliency.note),
        ("written", "nothing; add -o OUT.png or -o OUT.npz" if options.output is None else str(options.output)),
    ]
    _print_table((saliency.method, ""), rows)
    return 0


def _own_option(card: cc.MethodCard, text: str) -> tuple[str, Any]:
    """NAME=VALUE as the value that the method takes; limits are checked by `explain`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise cc.InvalidOption(f"--option takes NAME=VALUE, and was given {quote(text)}.")
    option = next((option for option in card.options if option.name == name), None)
    if option is None or isinstance(option.default, str):
        return name, value  # an unknown name is refused with the names that there are
    if isinstance(option.default, bool):
        return name, {"true": True, "false": False}.get(value.lower(), value)
    try:
        numbers = [float(part) if not option.is_whole else int(part) for part in value.split("x")]
    except ValueError:
        raise cc.InvalidOption(f"{name} must be {option.limits}, and is {quote(value)}.") from None
    return name, numbers[0] if len(numbers) == 1 else tuple(numbers)


def _pixel(position: tuple[float, float]) -> str:
    return f"({position[0]:.1f}, {position[1]:.1f})"


def _fetch(options: argparse.Namespace) -> int:
    # All names are checked before the first byte moves.
    cards = {card.key: card for card in cc.list_models()}
    for key in options.models:
        if key not in cards:
            cc.load_model(key)  # raises UnknownModel, which names close keys
    fetched = {}
    for key in options.models:
        path = cc.fetch_weights(key, on_progress=_progress(cards[key].title))
        if sys.stderr.isatty():
            print(file=sys.stderr)
        fetched[key] = str(path)
    if options.json:
        _print_json(fetched)
    else:
        _print_table(("model", "weights"), list(fetched.items()))
    return 0


def _progress(title: str, unit: str = "MB") -> Callable[[int, int], None]:
    """Report on standard error: a moving line on a terminal, a line for every tenth elsewhere."""
    shown = -1

    def report(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // total if total else 0
        so_far, all_of_it = (f"{n / 1e6:.1f}" if unit == "MB" else str(n) for n in (done, total))
        line = f"{title}: {so_far} {unit}" + (f" of {all_of_it} {unit} ({percent} %)" if total else "")
        if sys.stderr.isatty():
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
        elif percent // 10 != shown:
            shown = percent // 10
            print(line, file=sys.stderr, flush=True)

    return report


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] | set[int] = frozenset()
) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
