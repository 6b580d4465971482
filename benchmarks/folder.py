"""`explain_many` on a folder of photographs beside the bare loop of decode, preprocess and forward, same settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

import cnn_core as cc

from .inference import in_place
from .timing import Timing, take_turns

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"
BARE: Final = "bare loop"
BARE_WORKERS: Final = "bare loop, pictures read by threads"
MANY: Final = "cc.explain_many"
NETWORK: Final = "mobilenet_v2"  # the fastest of the five: whatever is not the forward pass counts most
BATCH, WORKERS, SLICES = 16, 2, 5


def photographs(folder: Path, n: int) -> list[Path]:
    """n JPEG files: the shipped photographs, each time another part of one (70 % of each side up), some flipped."""
    shipped = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    numbers, paths = np.random.default_rng(0), []
    for i in range(n):
        picture = shipped[i % len(shipped)]
        width, height = (
            round(side * share) for side, share in zip(picture.size, numbers.uniform(0.7, 1, 2), strict=True)
        )
        left, top = numbers.integers(0, [picture.width - width + 1, picture.height - height + 1])
        part = picture.crop((int(left), int(top), int(left) + width, int(top) + height))
        if numbers.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        paths.append(folder / f"{i:04}.jpg")
        part.save(paths[-1], quality=90)
    return paths


def compare(paths: Sequence[Path], *, network: str = NETWORK) -> dict[str, Timing]:
    """The folder in slices, each by every way before the next, so that other work on the machine hits all alike.

    Milliseconds are for the median slice; ratios are to the bare loop. Raises RuntimeError where pictures were missed.
    """
    classifier = cc.load_model(network, device="cpu")
    bare = Bare(classifier)

    def many(paths: Sequence[Path]) -> int:
        return sum(1 for _ in cc.explain_many(classifier, paths, batch_size=BATCH, workers=WORKERS))

    ways: dict[str, Callable[[Sequence[Path]], int]] = {
        BARE: bare.run,
        BARE_WORKERS: lambda paths: bare.run(paths, WORKERS),
        MANY: many,
    }
    for way in ways.values():
        way(paths[:BATCH])
    done = dict.fromkeys(ways, 0)
    n = len(paths) // SLICES

    def next_slice(name: str) -> None:
        done[name] += ways[name](paths[done[name] : done[name] + n])

    timings = take_turns({name: partial(next_slice, name) for name in ways}, BARE, rounds=SLICES, warm_up=0)
    if set(done.values()) != {n * SLICES}:
        raise RuntimeError(f"Of {n * SLICES} pictures not all were dealt with: {done}.")
    return timings


class Bare:
    """What anybody would write with Pillow and torchvision."""

    def __init__(self, classifier: cc.Classifier) -> None:
        settings = classifier.card.preprocessing
        mode = transforms.InterpolationMode(settings.interpolation)
        self.module = in_place(classifier.module)
        self.prepare = transforms.Compose(
            [
                transforms.Resize(settings.resize, mode),
                transforms.CenterCrop(settings.crop),
                transforms.ToTensor(),
                transforms.Normalize(settings.mean, settings.std),
            ]
        )

    def run(self, paths: Sequence[Path], workers: int = 0) -> int:
        """How many pictures it classified."""
        done = 0
        with torch.inference_mode():
            for batch in self._batches(paths, workers):
                done += len(self.module(batch).argmax(dim=1))
        return done

    def _batches(self, paths: Sequence[Path], workers: int) -> Iterator[torch.Tensor]:
        parts = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
        if workers == 0:
            yield from (torch.stack([self._read(path) for path in part]) for part in parts)
            return
        with ThreadPoolExecutor(workers) as pool:
            ahead = [pool.submit(self._read, path) for path in parts[0]]
            for following in [*parts[1:], []]:
                ready, ahead = ahead, [pool.submit(self._read, path) for path in following]
                yield torch.stack([one.result() for one in ready])

    def _read(self, path: Path) -> torch.Tensor:
        with Image.open(path) as picture:
            tensor: torch.Tensor = self.prepare(picture.convert("RGB"))
        return tensor
