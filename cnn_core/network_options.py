"""The options of a command that say which network: one of the catalogue, or a file of the user's own weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import InvalidOption

if TYPE_CHECKING:
    from .models import Classifier

_DEFAULT: Final = "mobilenet_v2"
_MAX_BYTES: Final = 4 * 2**30  # on one's own machine; the largest file of torchvision has 2.4 GB


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """--model, --weights, --device; --checkpoint with --classes, --normalisation and --side."""
    parser.add_argument(
        "--model",
        help=f"a network of `models` ({_DEFAULT}); with --checkpoint its architecture, which is else found out from "
        "the file, or a build:... specification",
    )
    parser.add_argument("--weights", choices=["default", "random"], default="default")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (auto)")
    own = parser.add_argument_group("your own weights")
    own.add_argument("--checkpoint", type=Path, metavar="FILE", help="a state dict saved by torch, or a .safetensors")
    own.add_argument("--classes", type=Path, metavar="FILE", help="class names: a line for each, or JSON")
    own.add_argument(
        "--normalisation",
        metavar="KEY",
        help="how its pixels were normalised: own, imagenet, zero_to_one, minus_one_to_one, bytes, digits, fashion, "
        "cow_camel (own: the architecture's)",
    )
    own.add_argument("--side", type=int, metavar="PIXELS", help="side of the square that it sees (the architecture's)")


def open_network(options: argparse.Namespace) -> Classifier:
    """The network that the options name. Raises a ConvLensError that says what is wrong with them."""
    # Here, since they load torch.
    from .models import load_checkpoint, load_model, read_class_names
    from .models.normalisations import OWN, preprocessing_like

    if options.checkpoint is None:
        for name in ("classes", "normalisation", "side"):
            if getattr(options, name) is not None:
                raise InvalidOption(f"--{name} belongs to --checkpoint FILE: a network of the catalogue has its own.")
        return load_model(options.model or _DEFAULT, weights=options.weights, device=options.device)
    if options.weights == "random":
        raise InvalidOption("--weights random and --checkpoint contradict each other: take one of them.")
    names = None if options.classes is None else read_class_names(options.classes)
    return load_checkpoint(
        options.checkpoint,
        architecture=options.model,
        class_names=names,
        preprocessing=lambda own: preprocessing_like(own, options.normalisation or OWN, side=options.side),
        device=options.device,
        max_bytes=_MAX_BYTES,
    )
