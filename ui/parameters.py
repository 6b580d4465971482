"""What an address can say: each shared value's name, how it is read, and what it is when nobody chose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _key(text: str) -> str:
    """A short name such as a model's key or a layer's path."""
    if not text or len(text) > 120 or not all(c.isalnum() or c in "._-: " for c in text):
        raise ValueError(text)
    return text


def _index(text: str) -> int:
    value = int(text)
    if not 0 <= value < 1_000_000:
        raise ValueError(text)
    return value


def _class(text: str) -> str:
    """A class by its index or its name, which the network on the page looks up."""
    if not text.strip() or len(text) > 80 or not text.isprintable():
        raise ValueError(text)
    return text.strip()


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return parse


def _among(*numbers: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if int(text) not in numbers:
            raise ValueError(text)
        return int(text)

    return parse


def _size(text: str) -> float:
    """A number of ordinary size."""
    value = float(text)
    if not abs(value) <= 1000:  # also where it is none
        raise ValueError(text)
    return value


def _list_of(one: str, most: int, before: str = "") -> Callable[[str], str]:
    """One to `most` words of a pattern with commas between; whether they mean something, the page finds out."""
    pattern = re.compile(rf"{before}{one}(,{one}){{0,{most - 1}}}")

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def _line(text: str) -> str:
    """One line that the page itself reads strictly, so that it can say what is wrong with it."""
    if not text or len(text) > 1500 or not text.isprintable():
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Parameter:
    """How one shared value is read from an address, and what it is when nobody chose."""

    parse: Callable[[str], Any]
    default: Any = None
    everywhere: bool = False  # in every page's address, not only on pages that bind it


PARAMETERS: dict[str, Parameter] = {
    "picture": Parameter(_key, "panda", everywhere=True),
    "model": Parameter(_key, "mobilenet_v2", everywhere=True),
    "weights": Parameter(_one_of("default", "random"), "default", everywhere=True),
    "layer": Parameter(_key),
    "channel": Parameter(_index),
    "row": Parameter(_index),
    "column": Parameter(_index),
    "target": Parameter(_class),
    "rival": Parameter(_index),
    "method": Parameter(_key, "gradcam"),
    "methods": Parameter(_list_of("[a-z0-9_]{1,40}", 24)),
    "score": Parameter(_one_of("logit", "probability", "centred"), "logit"),
    "placement": Parameter(_one_of("aligned", "naive"), "aligned"),
    # fuse: layers joined with the chosen one, and how: "mean~features.6,features.13"
    "fuse": Parameter(_list_of("[A-Za-z0-9._:-]{1,120}", 8, "(mean|max|product)~")),
    # options: of saliency methods: "occlusion.size~32,rise.seed~3"
    "options": Parameter(_list_of(r"[a-z0-9_]{1,40}\.[a-z_]{1,20}~[a-z0-9_.+-]{1,20}", 24)),
    "area": Parameter(_between(2, 50), 10),
    "fill": Parameter(_one_of("mean", "blur", "grey", "noise"), "mean"),
    "noise": Parameter(_among(4, 8, 16, 32), 8),
    "reader": Parameter(_one_of("gradcam", "hirescam", "layercam"), "gradcam"),
    "against": Parameter(_key),
    "mode": Parameter(_key),
    "trail": Parameter(_list_of(r"(most|for)~[A-Za-z0-9._:~-]{1,1000}", 1)),  # as `cc.Trail.to_text` writes it
    # kernel: a preset's key, or all weights, row by row: "weights:1:0:-1:2:0:-2:1:0:-1"
    "kernel": Parameter(_list_of(r"[a-z-]{1,40}|weights(:-?[0-9.]{1,12}){1,25}", 1)),
    "stride": Parameter(_between(1, 8), 1),
    "padding": Parameter(_between(0, 8), 0),
    "dilation": Parameter(_between(1, 8), 1),
    # frame: what the kernel slides over: "digit~3", or of the picture top~left~rows~columns~zoom
    "frame": Parameter(_list_of(r"digit~\d|(\d{1,5}~){4}\d{1,2}", 1)),
    "bias": Parameter(_size, 0.0),
    "move": Parameter(_between(0, 12), 0),
    "shuffle": Parameter(_between(0, 20), 0),
    "pool": Parameter(_key),
    "steps": Parameter(_between(8, 256), 64),
    "seed": Parameter(_between(0, 9999), 0),
    "strength": Parameter(_one_of("off", "weak", "medium", "strong"), "medium"),
    "wish": Parameter(_one_of("channel", "class"), "channel"),
    "changes": Parameter(_line),
    "tool": Parameter(_one_of("channels", "kernel", "picture", "preprocessing"), "channels"),
    "watch": Parameter(_key),
    "section": Parameter(_key),
    "arms": Parameter(_list_of("[a-z0-9_.]{1,40}", 24)),
    "seeds": Parameter(_between(1, 5), 1),
    # recipe: where a run differs from the declared one: "learning_rate~0.1,steps~200"
    "recipe": Parameter(_list_of(r"[a-z_]{1,20}~[a-z0-9_.+-]{1,20}", 12)),
    "digit": Parameter(_between(0, 1_999), 8),
    # moved: a digit moved by hand, down and right: "4~-2~shuffled"
    "moved": Parameter(_list_of("(-?[1-8]|0)~(-?[1-8]|0)~(plain|shuffled)", 1), "0~0~plain"),
    "entry": Parameter(_key, "2012-alexnet"),
    "table": Parameter(_one_of("fashion", "digits"), "fashion"),
    # layers: of a built network: "conv8k3-relu-linear"; "-" for none
    "layers": Parameter(_list_of("[a-z0-9-]{1,500}", 1)),
    "data": Parameter(_one_of("digits", "fashion", "cow_camel", "own"), "digits"),
    "correlation": Parameter(_between(50, 100), 95),
    "landmark": Parameter(_one_of("lenet", "alexnet", "vgg", "googlenet", "resnet"), "lenet"),
    "channels": Parameter(_among(64, 128, 256, 512), 64),
    "block": Parameter(_key),
    "cut": Parameter(_one_of("small_resnet", "small_googlenet"), "small_resnet"),
    "shift": Parameter(_between(0, 28), 0),
    "pictures": Parameter(_between(1, 2_000), 2_000),
    "side": Parameter(_between(28, 512), 224),
    "colours": Parameter(_among(1, 3), 3),
    "example": Parameter(_between(0, 1_999)),
    "repair": Parameter(_one_of("colour", "swap", "swap_invent", "more"), "colour"),
    "extra": Parameter(_between(1, 400), 20),
    "case": Parameter(_between(0, 9999), 0),
    "boxes": Parameter(_line),
    "usual": Parameter(_key),
    "herd": Parameter(_one_of("drawn")),
    "network": Parameter(_key),
    "versus": Parameter(_key),
    "step": Parameter(_one_of("look", "group", "box", "swap", "verdict"), "look"),
    "sort": Parameter(_one_of("name", "unsure", "sure", "wrong", "scattered", "focused", "outside"), "name"),
}
