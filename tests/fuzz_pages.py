"""Files given through the page, one step after another: a network of one's own, boxes and masks for an audit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests import fuzz_files, fuzzing
from tests.visitors import Visitor

Act = tuple[Callable[..., Any], *tuple[Any, ...]]

ARCHITECTURES = (
    "lenet5",
    "LeNet-5 (1998)",
    "small_lenet",
    "mobilenet_v2",
    "Find out from the file",
    "build:conv4k3-gap",
)
PAGES = ("gradcam", "features", "network", "decision", "pixels", "audit")


def scene(rng: random.Random, visitor: Visitor) -> Iterator[Act]:
    """What a visitor does to bring a network, or the boxes of pictures; each step is made when it is asked for."""
    return (own_network if rng.random() < 0.6 else boxes)(rng, visitor)


def own_network(rng: random.Random, visitor: Visitor) -> Iterator[Act]:
    """Open damaged weights, with wrong names of classes, and look at what came of it on another page."""
    yield visitor.open, rng.choice(PAGES)
    for _ in range(rng.choice((1, 2))):
        if not any(one.label == "Weights" for one in visitor.elements("file_uploader")):
            if not _labels(visitor, "button", "Bring your own network"):
                return  # a teacher's link, which an earlier input may have been, lets nobody bring one
            yield visitor.press, "Bring your own network"
        yield _give(rng, visitor, "Weights", fuzz_files.checkpoints())
        architecture = rng.choice((*ARCHITECTURES[:2], *ARCHITECTURES, rng.choice(fuzzing.TEXTS) or "?"))
        yield visitor.give, visitor.find("selectbox", "Architecture"), architecture
        if rng.random() < 0.5:
            yield _give(rng, visitor, "Class names (if you like)", fuzz_files.class_names())
        if rng.random() < 0.3:
            yield visitor.give, visitor.find("number_input", "Side (pixels)"), rng.choice((1.0, 28.0, 33.0, 512.0))
        yield visitor.press, "Open it"
        yield _opened, visitor
    yield visitor.open, rng.choice(PAGES)


def boxes(rng: random.Random, visitor: Visitor) -> Iterator[Act]:
    """Audit a few pictures, and give damaged files of boxes and masks for them."""
    yield visitor.open, "audit?model=mobilenet_v2&network=example:first&step=box"
    if not any(one.label == "3 Box" for one in visitor.elements("button")):
        zips = _labels(visitor, "file_uploader", "A zip")
        if not zips:
            return  # as with a network
        name, content = fuzz_files.zips()[0]
        yield upload, visitor, zips[0], name, content
        look = _labels(visitor, "button", "Look at the")
        if not look:
            return  # the page asks for something else first
        yield visitor.press, look[0]
        yield _wait, visitor, "file_uploader", "COCO"
    for _ in range(rng.choice((1, 2, 4))):
        yield _give(rng, visitor, _label(visitor, "file_uploader", "COCO"), fuzz_files.annotations())
        yield _told, visitor
    ready = [one.label for one in visitor.elements("button") if one.label.startswith("Run the") and not one.disabled]
    if ready and rng.random() < 0.5:
        yield visitor.press, ready[0]
        yield _ended, visitor


def upload(visitor: Visitor, label: str, name: str, content: bytes) -> str:
    """Give a file; where the page puts a new uploader in place of the old one, a browser forgets what that held."""
    visitor.upload(label, name, content)
    there = {one.id for one in visitor.elements("file_uploader")}
    for identity, (kind, _) in list(visitor._values.items()):
        if kind == "file_uploader_state_value" and identity not in there:
            del visitor._values[identity]
    return f"{label}: {name}, {len(content)} bytes"


def _give(rng: random.Random, visitor: Visitor, label: str, files: Sequence[fuzz_files.File]) -> Act:
    whole = rng.choice(files)
    return upload, visitor, label, *(whole if rng.random() < 0.2 else fuzz_files.damaged_file(rng, whole))


def _labels(visitor: Visitor, kind: str, start: str) -> list[str]:
    """All labels that begin so."""
    return [str(one.label) for one in visitor.elements(kind) if one.label.startswith(start)]


def _label(visitor: Visitor, kind: str, start: str) -> str:
    """The label that begins so."""
    found = _labels(visitor, kind, start)
    assert found, f"No {kind} {start!r} on the page, which has {[one.label for one in visitor.elements(kind)]}."
    return found[0]


def _wait(visitor: Visitor, kind: str, start: str) -> None:
    visitor.until(lambda v: any(one.label.startswith(start) for one in v.elements(kind)), f"{kind} {start!r}", 30)


def _ended(visitor: Visitor) -> None:
    """No audit is under way any more."""
    visitor.until(lambda v: all(one.label != "Cancel" for one in v.elements("button")), "The end of the swaps", 30)
    _told(visitor)


def _opened(visitor: Visitor) -> None:
    """The network is open, and the dialog closed, or a sentence says why not."""

    def over(visitor: Visitor) -> bool:
        closed = not any(one.label == "Weights" for one in visitor.elements("file_uploader"))
        return closed or any("broken_image" in one.icon for one in visitor.elements("alert"))

    visitor.until(over, "The end of opening a network", 30)
    _told(visitor)


def _told(visitor: Visitor) -> None:
    for alert in visitor.elements("alert"):
        assert 10 < len(alert.body) < 1200, alert.body
